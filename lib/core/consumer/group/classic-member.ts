import type { Cluster } from '../../cluster/index.js';
import { Heartbeats, type CoordinatorLink } from '../../coordination/index.js';
import { RequestPriority } from '../../network/index.js';
import {
  errorName,
  ERROR_CODES,
  Heartbeat,
  JoinGroup,
  LeaveGroup,
  protocolError,
  SyncGroup,
  type ResponseOf,
} from '../../protocol/index.js';
import { backoffMs, Deadline, Deferred, KrafkaError, sleep, type Backoff, type Ports } from '../../support/index.js';
import type { GroupState } from '../consumer-events.js';
import type { ConsumerSettings } from '../consumer-options.js';
import { describePartitions, difference, type TopicPartition } from '../topic-partition.js';
import type { Assignor } from './assignor.js';
import { decodeAssignment, encodeAssignment, encodeSubscription, PROTOCOL_TYPE } from './consumer-protocol.js';
import { GroupLeader } from './group-leader.js';
import { within } from '../within.js';
import type { GroupMember, MemberIdentity, MemberListener, PartitionOwner } from './group-member.js';
import { revocationMs } from './revocation.js';

export interface ClassicMemberOptions {
  readonly coordinator: CoordinatorLink;
  readonly cluster: Pick<Cluster, 'metadata' | 'refresh' | 'track'>;
  readonly settings: Pick<
    ConsumerSettings,
    'sessionTimeoutMs' | 'heartbeatIntervalMs' | 'rebalanceTimeoutMs' | 'requestTimeoutMs' | 'groupInstanceId' | 'rack'
  >;
  readonly assignors: readonly Assignor[];
  readonly topics: readonly string[];
  readonly owner: PartitionOwner;
  readonly listener: MemberListener;
  readonly ports: Ports;
}

const NO_MEMBER = '';
const NO_GENERATION = -1;
const BACKOFF: Backoff = { baseMs: 100, capMs: 1_000 };
/** How much longer than the rebalance may take a JoinGroup is waited for, as the Java client does. */
const JOIN_GRACE_MS = 5_000;
const MOST_REASON = 255;

/**
 * A member of a classic group: the members' leader assigns, the coordinator only carries the assignment.
 *
 * ```
 *   unjoined ─start─► joining ─(JoinGroup, SyncGroup)─► stable
 *                       ▲                                 │ heartbeat: rebalance; topics changed; session lost
 *                       └──── rebalancing ◄───────────────┘
 *                             (eager: give all back)              any ─leave─► leaving ─► left     any ─► fatal
 * ```
 * One loop walks that circle, and it alone joins: heartbeats, commits and metadata only leave a note that there is a
 * reason to. Heartbeats go on by themselves from SyncGroup to the next JoinGroup, whatever handlers and listeners do.
 */
export class ClassicMember implements GroupMember {
  readonly #options: ClassicMemberOptions;
  readonly #leader: GroupLeader;
  readonly #heartbeats: Heartbeats;
  readonly #ending = new AbortController();
  readonly #cooperative: boolean;
  #topics: readonly string[];
  #state: GroupState = 'unjoined';
  #memberId = NO_MEMBER;
  #generation = NO_GENERATION;
  /** Changes when the membership is lost. */
  #life = 0;
  #noted = new Deferred<void>();
  #reason: string | undefined;
  #rebalances = 0;
  /**
   * Settles with the JoinGroup or SyncGroup that is under way, and stays after one that failed until another succeeds:
   * what that answers will tell more than any answer to a commit.
   */
  #gathering: Promise<unknown> | undefined;
  /** The group is about to be left: what a join brings is not taken any more. */
  #halting = false;
  #loop: Promise<void> | undefined;

  constructor(options: ClassicMemberOptions) {
    this.#options = options;
    this.#topics = options.topics;
    this.#cooperative = options.assignors.every(({ rebalanceProtocol }) => rebalanceProtocol === 'cooperative');
    this.#leader = new GroupLeader(options.cluster, options.assignors);
    this.#heartbeats = new Heartbeats({
      intervalMs: options.settings.heartbeatIntervalMs,
      beat: () => this.#beat(),
      ports: options.ports,
    });
  }

  get state(): GroupState {
    return this.#state;
  }

  get identity(): MemberIdentity | undefined {
    if (this.#generation === NO_GENERATION) return undefined;
    const { groupInstanceId = null } = this.#options.settings;
    return { memberId: this.#memberId, generation: this.#generation, groupInstanceId, life: this.#life };
  }

  get rebalances(): number {
    return this.#rebalances;
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  subscribe(topics: readonly string[]): void {
    this.#topics = topics;
    this.#rejoin('the subscription changed');
  }

  metadataChanged(): void {
    const change = this.#state === 'stable' ? this.#leader.changed() : undefined;
    if (change !== undefined) this.#rejoin(change);
  }

  heed(errorCode: number, identity: MemberIdentity): void {
    this.#options.coordinator.heed(errorCode);
    // An answer to what an earlier self has asked says nothing of this one, nor of the one that is about to be.
    if (
      this.#gathering !== undefined ||
      identity.memberId !== this.#memberId ||
      identity.generation !== this.#generation
    )
      return;
    this.#heed(errorCode, 'OffsetCommit');
  }

  async halt(deadline: Deadline): Promise<void> {
    if (this.#state !== 'fatal') this.#enter('leaving');
    await this.#endJoin(deadline);
    this.#ending.abort(new KrafkaError('the group is being left', { code: 'CLOSED' }));
    this.#noted.resolve();
    await this.#options.coordinator.release();
    await within(deadline, this.#options.ports.clock, this.#loop ?? Promise.resolve());
    this.#gathering = undefined;
  }

  async leave(deadline: Deadline): Promise<void> {
    this.#heartbeats.stop();
    await this.#sayGoodbye(deadline);
    this.#leader.resign();
    this.#generation = NO_GENERATION;
    if (this.#state !== 'fatal') this.#enter('left');
  }

  /**
   * A cooperative member works on while it joins, and as soon as the group has gathered what it has done can only be
   * committed as the member it then is: so a join that is under way is waited for, but not for ever.
   */
  async #endJoin(deadline: Deadline): Promise<void> {
    const { owner, ports } = this.#options;
    this.#halting = true;
    if (this.#gathering === undefined || !this.#cooperative || owner.owned.length === 0) return;
    const half = new Deadline(ports.clock, deadline.remainingMs / 2, deadline.budget);
    // Whether it came to an end matters; how, its loop tells.
    await within(
      half,
      ports.clock,
      this.#gathering.catch(() => undefined),
    );
  }

  async #run(): Promise<void> {
    const { ports } = this.#options;
    const { signal } = this.#ending;
    for (let failures = 0; !signal.aborted && !this.#halting;) {
      try {
        await this.#giveBack();
        if (signal.aborted) return;
        const assigned = await this.#join();
        failures = 0;
        if (this.#halting) return;
        await this.#take(assigned);
        if (signal.aborted) return;
        if (this.#reason === undefined) this.#settle();
        await this.#untilNoted();
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof KrafkaError) || !error.retriable) {
          this.#fail(error);
          return;
        }
        ports.logger.warn('joining the group failed, it is tried again', { group: this.#groupId, error });
        await sleep(ports.clock, backoffMs(BACKOFF, ++failures, ports.random), signal).catch(() => undefined);
      }
    }
  }

  get #groupId(): string {
    return this.#options.coordinator.groupId;
  }

  /** Before joining: what is lost is let go of; eager members hand back everything. */
  async #giveBack(): Promise<void> {
    const { owner, settings, ports } = this.#options;
    const { owned } = owner;
    if (owned.length === 0) return;
    if (this.#generation === NO_GENERATION) {
      await owner.lose(owned);
    } else if (!this.#cooperative) {
      await owner.revoke(owned, this.#revocation());
      ports.logger.debug('partitions were handed back for a rebalance', {
        group: this.#groupId,
        partitions: describePartitions(owned),
        withinMs: settings.rebalanceTimeoutMs,
      });
    }
  }

  /** We heard of the rebalance one heartbeat after the coordinator began it at most. */
  #revocation(): Deadline {
    const { rebalanceTimeoutMs, heartbeatIntervalMs } = this.#options.settings;
    const budgetMs = revocationMs(rebalanceTimeoutMs, heartbeatIntervalMs);
    return new Deadline(this.#options.ports.clock, budgetMs, 'rebalanceTimeoutMs');
  }

  /** JoinGroup and SyncGroup: answers what this member is given. */
  async #join(): Promise<TopicPartition[]> {
    this.#enter('joining');
    this.#heartbeats.stop();
    const reason = this.#reason ?? '';
    this.#reason = undefined;
    this.#noted = new Deferred();
    const gathering = this.#gather(reason);
    this.#gathering = gathering;
    const assigned = await gathering;
    this.#gathering = undefined;
    return assigned;
  }

  async #gather(reason: string): Promise<TopicPartition[]> {
    const joined = await this.#joinGroup(reason);
    this.#memberId = joined.memberId;
    this.#generation = joined.generationId;
    const assignments =
      joined.leader === joined.memberId && joined.members.length > 0 ? await this.#leader.assign(joined) : [];
    if (joined.leader !== joined.memberId) this.#leader.resign();
    const synced = await this.#syncGroup(joined, assignments);
    this.#heartbeats.start();
    this.#rebalances++;
    const assigned = decodeAssignment(synced.assignment);
    this.#assignorOf(joined.protocolName)?.onAssignment?.(assigned, joined.generationId);
    return assigned;
  }

  async #joinGroup(reason: string): Promise<ResponseOf<typeof JoinGroup>> {
    const { coordinator, settings, assignors, owner } = this.#options;
    const { rebalanceTimeoutMs, sessionTimeoutMs, requestTimeoutMs, groupInstanceId = null, rack } = settings;
    const ownedPartitions = this.#generation === NO_GENERATION ? [] : owner.owned;
    const subscription = {
      topics: this.#topics,
      ownedPartitions,
      generation: this.#generation,
      rack: rack === '' ? null : rack,
    };
    for (;;) {
      const joined = await coordinator.request(
        JoinGroup,
        {
          groupId: coordinator.groupId,
          sessionTimeoutMs,
          rebalanceTimeoutMs,
          memberId: this.#memberId,
          groupInstanceId,
          protocolType: PROTOCOL_TYPE,
          protocols: assignors.map((assignor) => ({
            name: assignor.name,
            metadata: encodeSubscription({ ...subscription, userData: assignor.userData?.() ?? null }),
          })),
          reason: reason.slice(0, MOST_REASON),
        },
        {
          timeoutMs: Math.max(requestTimeoutMs, rebalanceTimeoutMs + JOIN_GRACE_MS),
          signal: this.#ending.signal,
          held: true,
        },
      );
      if (joined.errorCode === ERROR_CODES.NONE) return joined;
      if (joined.errorCode === ERROR_CODES.MEMBER_ID_REQUIRED) {
        // KIP-394: the coordinator gives an id first, so that a member that is never heard of again holds nothing up.
        this.#memberId = joined.memberId;
        continue;
      }
      throw this.#refused(joined.errorCode, 'JoinGroup');
    }
  }

  async #syncGroup(
    joined: ResponseOf<typeof JoinGroup>,
    assignments: readonly { readonly memberId: string; readonly partitions: readonly TopicPartition[] }[],
  ): Promise<ResponseOf<typeof SyncGroup>> {
    const { coordinator, settings } = this.#options;
    const synced = await coordinator.request(
      SyncGroup,
      {
        groupId: coordinator.groupId,
        generationId: joined.generationId,
        memberId: joined.memberId,
        groupInstanceId: settings.groupInstanceId ?? null,
        protocolType: PROTOCOL_TYPE,
        protocolName: joined.protocolName,
        assignments: assignments.map(({ memberId, partitions }) => ({
          memberId,
          assignment: encodeAssignment(partitions),
        })),
      },
      { signal: this.#ending.signal, held: true },
    );
    if (synced.errorCode !== ERROR_CODES.NONE) throw this.#refused(synced.errorCode, 'SyncGroup');
    return synced;
  }

  #assignorOf(name: string | null): Assignor | undefined {
    return this.#options.assignors.find((assignor) => assignor.name === name);
  }

  /** After joining: gives back what is another's now, takes what is new. */
  async #take(assigned: readonly TopicPartition[]): Promise<void> {
    const { owner } = this.#options;
    const { revoked, added } = difference(owner.owned, assigned);
    if (revoked.length > 0) {
      await owner.revoke(revoked, this.#revocation());
      // Whoever gets them waits for this member to join again without them (KIP-429).
      this.#rejoin('partitions were handed back and can be given to others');
    }
    await owner.assign(added);
  }

  /** The group has gathered, and what this member is given has been taken. */
  #settle(): void {
    void this.#options.coordinator.release();
    this.#enter('stable');
    // What the leader has given out may have changed since, and nobody tells of that twice.
    this.metadataChanged();
  }

  /** Waits until there is a reason to join again, or the group is left. */
  async #untilNoted(): Promise<void> {
    await this.#noted.promise;
    if (this.#reason === undefined) return;
    this.#enter('rebalancing');
    this.#options.listener.onRebalance(this.#reason);
  }

  /** Leaves a note for the loop that there is a reason to join again. The first reason stands. */
  #rejoin(reason: string): void {
    this.#reason ??= reason;
    this.#noted.resolve();
  }

  async #beat(): Promise<void> {
    const { coordinator, settings } = this.#options;
    const { memberId, generation, groupInstanceId } = this.identity ?? {};
    if (memberId === undefined || generation === undefined) return;
    const beaten = await coordinator.request(
      Heartbeat,
      { groupId: coordinator.groupId, generationId: generation, memberId, groupInstanceId: groupInstanceId ?? null },
      {
        // A heartbeat that takes half the session leaves time for another one elsewhere.
        timeoutMs: Math.min(settings.requestTimeoutMs, Math.ceil(settings.sessionTimeoutMs / 2)),
        priority: RequestPriority.High,
      },
    );
    if (generation !== this.#generation || memberId !== this.#memberId) return;
    coordinator.heed(beaten.errorCode);
    if (beaten.errorCode !== ERROR_CODES.NONE) this.#heed(beaten.errorCode, 'Heartbeat');
  }

  /** What an answer to a member means for its membership. */
  #heed(errorCode: number, api: string): void {
    switch (errorName(errorCode)) {
      case 'REBALANCE_IN_PROGRESS':
        this.#rejoin('the group is rebalancing');
        break;
      case 'UNKNOWN_MEMBER_ID':
      case 'ILLEGAL_GENERATION':
        this.#lose(errorCode);
        this.#rejoin(`the membership was lost: ${errorName(errorCode)} from ${api}`);
        break;
      case 'FENCED_INSTANCE_ID':
      case 'GROUP_AUTHORIZATION_FAILED':
        this.#fail(protocolError(errorCode, { api, detail: `group '${this.#groupId}'` }));
        break;
      default:
    }
  }

  /** The error of a refused JoinGroup or SyncGroup, membership adjusted to it. Retriable when joining again may help. */
  #refused(errorCode: number, api: string): KrafkaError {
    this.#options.coordinator.heed(errorCode);
    const known = protocolError(errorCode, { api, detail: `group '${this.#groupId}'` });
    const name = errorName(errorCode);
    if (name === 'UNKNOWN_MEMBER_ID' || name === 'ILLEGAL_GENERATION') this.#lose(errorCode);
    else if (name !== 'REBALANCE_IN_PROGRESS') return known;
    return new KrafkaError(known.message, { code: known.code, retriable: true, cause: known });
  }

  #lose(errorCode: number): void {
    this.#life++;
    this.#generation = NO_GENERATION;
    // After ILLEGAL_GENERATION the coordinator still knows the member by its id.
    if (errorCode === ERROR_CODES.UNKNOWN_MEMBER_ID) this.#memberId = NO_MEMBER;
    this.#heartbeats.stop();
  }

  async #sayGoodbye(deadline: Deadline): Promise<void> {
    const { coordinator, settings, ports } = this.#options;
    // A static member keeps its place for when it is back: its session timeout decides.
    if (this.#memberId === NO_MEMBER || settings.groupInstanceId !== undefined) return;
    try {
      const left = await coordinator.request(
        LeaveGroup,
        (connection) =>
          connection.versionOf(LeaveGroup) < 3
            ? { groupId: coordinator.groupId, memberId: this.#memberId }
            : {
                groupId: coordinator.groupId,
                members: [{ memberId: this.#memberId, groupInstanceId: null, reason: 'the consumer is closing' }],
              },
        { deadline, once: true },
      );
      if (left.errorCode !== ERROR_CODES.NONE) throw protocolError(left.errorCode, { api: 'LeaveGroup' });
    } catch (error) {
      ports.logger.warn('the group was left without a goodbye: the session timeout ends the membership', {
        group: this.#groupId,
        error,
      });
    }
  }

  #fail(error: unknown): void {
    if (this.#state === 'fatal') return;
    this.#heartbeats.stop();
    this.#ending.abort(error);
    this.#noted.resolve();
    this.#enter('fatal');
    this.#options.listener.onFatal(
      error instanceof KrafkaError
        ? error
        : new KrafkaError(`being a member of group '${this.#groupId}' failed: ${String(error)}`, {
            code: 'GROUP_FAILED',
            cause: error,
          }),
    );
  }

  #enter(state: GroupState): void {
    const previous = this.#state;
    if (state === previous) return;
    this.#state = state;
    this.#options.listener.onState(state, previous);
  }
}
