import type { Cluster } from '../../cluster/index.js';
import { Heartbeats, type CoordinatorLink, type CoordinatorRequest } from '../../coordination/index.js';
import { RequestPriority } from '../../network/index.js';
import {
  ConsumerGroupHeartbeat,
  errorName,
  ERROR_CODES,
  protocolError,
  type ErrorName,
  type RequestOf,
  type ResponseOf,
} from '../../protocol/index.js';
import { Deadline, Deferred, KrafkaClosedError, KrafkaError, sleep, type Ports } from '../../support/index.js';
import type { GroupState } from '../consumer-events.js';
import type { ConsumerSettings } from '../consumer-options.js';
import { byTopic, describePartitions, difference, sorted, type TopicPartition } from '../topic-partition.js';
import { within } from '../within.js';
import type { GroupMember, MemberIdentity, MemberListener, PartitionOwner } from './group-member.js';
import { revocationMs } from './revocation.js';

export interface ConsumerMemberOptions {
  readonly coordinator: CoordinatorLink;
  readonly cluster: Pick<Cluster, 'metadata' | 'refreshById' | 'track'>;
  readonly settings: Pick<
    ConsumerSettings,
    'rebalanceTimeoutMs' | 'requestTimeoutMs' | 'groupInstanceId' | 'groupRemoteAssignor' | 'rack'
  >;
  readonly topics: readonly string[];
  readonly owner: PartitionOwner;
  readonly listener: MemberListener;
  readonly ports: Ports;
  /** The broker, or the group, does not know this protocol: called instead of failing when it is found out at first. */
  readonly onUnsupported?: ((error: KrafkaError) => void) | undefined;
  /** The coordinator does not match the pattern: no heartbeat is sent before topics are named to `subscribe`. */
  readonly onUnmatched: (error: KrafkaError) => void;
}

type HeartbeatRequest = RequestOf<typeof ConsumerGroupHeartbeat>;
type HeartbeatResponse = ResponseOf<typeof ConsumerGroupHeartbeat>;
/** Partitions as the coordinator names them. */
type AssignedTopics = NonNullable<HeartbeatResponse['assignment']>['topicPartitions'];

/** An assignment, and when it was heard of. */
interface Target {
  readonly partitions: AssignedTopics;
  readonly heardAt: number;
}

/** What the coordinator knows of this member. */
interface Told {
  readonly topics: readonly string[];
  readonly pattern: string | undefined;
  readonly partitions: string;
}

const JOINING = 0;
const LEAVING = -1;
const LEAVING_FOR_A_WHILE = -2;
/** What goes on until the coordinator has told its own. */
const FIRST_INTERVAL_MS = 5_000;
const UNRESOLVED_RETRY_MS = 1_000;
/** A coordinator answers who joins with a pattern before it has looked what matches: so soon it is asked again. */
const SOON_AFTER_JOINING_MS: readonly number[] = [100, 200, 400, 800, 1_000];
/** Before it there were no patterns. */
const MATCHES_SINCE = 1;
const NOT_MATCHED = 'PATTERN_NOT_MATCHED';
const UNRELEASED = 'UNRELEASED_INSTANCE_ID';

/** The coordinator has given this member up. */
const LOST: ReadonlySet<ErrorName> = new Set(['UNKNOWN_MEMBER_ID', 'FENCED_MEMBER_EPOCH', 'ILLEGAL_GENERATION']);
/** The group was deleted, once it was thought to have no members; to one that joins: it is of another type, or there are none. */
const NO_GROUP: ErrorName = 'GROUP_ID_NOT_FOUND';
/** To a goodbye: there was nobody to leave. */
const NO_MEMBER: ReadonlySet<ErrorName> = new Set(['UNKNOWN_MEMBER_ID', NO_GROUP]);
/** Refusals of a coordinator that has no such groups, or a group that cannot become one. */
const UNSUPPORTED: ReadonlySet<string> = new Set(['UNSUPPORTED_VERSION', NO_GROUP]);

/**
 * A member of a group by the consumer protocol (KIP-848): the coordinator assigns, and everything goes by heartbeat.
 *
 * ```
 *   unjoined ─start─► joining ─(first assignment)─► rebalancing ─(given back, taken, told)─► stable
 *                        ▲                               ▲                                     │
 *                        │ fenced: all is lost           └────────── another assignment ───────┤
 *                        └─────────────────────────────────────────────────────────────────────┘
 * ```
 * Heartbeats carry what has changed, both ways, and never wait for anything; one loop follows the newest assignment:
 * it gives back, takes, and has the next heartbeat tell. No member waits for another but for the partition it gets.
 */
export class ConsumerMember implements GroupMember {
  readonly #options: ConsumerMemberOptions;
  readonly #memberId: string;
  readonly #heartbeats: Heartbeats;
  readonly #ending = new AbortController();
  #topics: readonly string[];
  /** In place of topics: what the coordinator is to find them by. */
  #pattern: string | undefined;
  /** The coordinator does not match the pattern, and whoever does has not named the topics yet. */
  #awaitsTopics = false;
  /** How often it was asked soon after joining with a pattern. */
  #askedSoon = 0;
  #untrack: (() => void) | undefined;
  #state: GroupState = 'unjoined';
  /** The coordinator's count of this member's changes; 0 while it is not a member. */
  #epoch = JOINING;
  /** The coordinator's own, however often it is asked at the moment. */
  #heartbeatMs = FIRST_INTERVAL_MS;
  /** Changes when the membership is lost: an answer to a heartbeat from before says nothing. */
  #life = 0;
  /** The newest assignment that the loop has not followed yet. */
  #target: Target | undefined;
  #lost = false;
  #noted = new Deferred<void>();
  /** Ids of the topics that partitions were given of. */
  readonly #ids = new Map<string, string>();
  /** Whether a join has been sent that nobody has answered: the coordinator may count this member in. */
  #joinUnanswered = false;
  /** Whether the coordinator may count in what this member was before it joined anew, and hold its instance id for that. */
  #mayBeHeld = false;
  /** What the coordinator has been told already, and need not be told again; undefined when all must be told. */
  #told: Told | undefined;
  #rebalances = 0;
  #loop: Promise<void> | undefined;

  constructor(options: ConsumerMemberOptions) {
    this.#options = options;
    this.#topics = options.topics;
    // The member's own for as long as the process lives (KIP-1082).
    this.#memberId = options.ports.random.bytes(16).toString('base64url');
    this.#heartbeats = new Heartbeats({
      intervalMs: FIRST_INTERVAL_MS,
      beat: () => this.#beat(),
      ports: options.ports,
    });
  }

  get state(): GroupState {
    return this.#state;
  }

  get identity(): MemberIdentity | undefined {
    if (this.#epoch <= JOINING) return undefined;
    const { groupInstanceId = null } = this.#options.settings;
    return { memberId: this.#memberId, generation: this.#epoch, groupInstanceId, life: this.#life };
  }

  get rebalances(): number {
    return this.#rebalances;
  }

  start(): void {
    this.#enter('joining');
    this.#heartbeats.start('at once');
    this.#loop ??= this.#run();
  }

  subscribe(topics: readonly string[]): void {
    this.#topics = topics;
    this.#pattern = undefined;
    const resumes = this.#awaitsTopics;
    this.#awaitsTopics = false;
    if (resumes) this.#heartbeats.start('at once');
    else this.#heartbeats.soon();
  }

  /** Has the coordinator find the topics by a pattern (RE2, over whole names), in place of those before. */
  match(pattern: string): void {
    this.#topics = [];
    this.#pattern = pattern;
    this.#heartbeats.soon();
  }

  metadataChanged(): void {
    // The coordinator watches the topics: there is nothing to do for a member.
  }

  heed(errorCode: number, identity: MemberIdentity): void {
    this.#options.coordinator.heed(errorCode);
    if (identity.generation !== this.#epoch) return;
    this.#heed(errorCode, 'OffsetCommit');
  }

  async halt(deadline: Deadline): Promise<void> {
    if (this.#state !== 'fatal') this.#enter('leaving');
    this.#ending.abort(new KrafkaError('the group is being left', { code: 'CLOSED' }));
    this.#noted.resolve();
    await within(deadline, this.#options.ports.clock, this.#loop ?? Promise.resolve());
  }

  async leave(deadline: Deadline): Promise<void> {
    this.#heartbeats.stop();
    this.#life++;
    await this.#sayGoodbye(deadline);
    this.#keepFresh([]);
    this.#epoch = JOINING;
    if (this.#state !== 'fatal') this.#enter('left');
  }

  /** Ends without a word: another membership takes this one's place. */
  abandon(): void {
    this.#life++;
    this.#heartbeats.stop();
    this.#keepFresh([]);
    this.#ending.abort(new KrafkaError('another protocol is used', { code: 'CLOSED' }));
    this.#noted.resolve();
  }

  async #run(): Promise<void> {
    const { signal } = this.#ending;
    try {
      while (!signal.aborted) {
        await this.#noted.promise;
        this.#noted = new Deferred();
        if (signal.aborted) return;
        if (this.#lost) await this.#letGo();
        else if (this.#target !== undefined) await this.#follow(this.#target);
      }
    } catch (error) {
      if (!signal.aborted) this.#fail(error);
    }
  }

  /** The coordinator has given what was owned to others: it is let go of, and the group joined anew. */
  async #letGo(): Promise<void> {
    const { owner } = this.#options;
    if (owner.owned.length > 0) await owner.lose(owner.owned);
    if (this.#ending.signal.aborted) return;
    this.#lost = false;
    this.#enter('joining');
    this.#heartbeats.start('at once');
  }

  /** Gives back what is not in the assignment any more, takes what is new, and has the coordinator told. */
  async #follow(target: Target): Promise<void> {
    const { owner } = this.#options;
    const life = this.#life;
    const assigned = await this.#named(target);
    const outdated = (): boolean => life !== this.#life || this.#target !== target || this.#ending.signal.aborted;
    if (outdated()) return this.#stir();
    // Topics that were subscribed to by name are kept fresh by who subscribed.
    this.#keepFresh(this.#pattern === undefined ? [] : assigned.map(({ topic }) => topic));
    const { revoked, added } = difference(owner.owned, assigned);
    if (this.#state !== 'stable' || revoked.length > 0 || added.length > 0) {
      this.#rebalances++;
      if (this.#state === 'stable') {
        this.#enter('rebalancing');
        this.#options.listener.onRebalance('the coordinator gives out the partitions anew');
      }
      await this.#giveBack(revoked, target);
      if (outdated()) return this.#stir();
      await owner.assign(added);
      this.#heartbeats.soon();
      if (outdated()) return this.#stir();
    }
    this.#target = undefined;
    this.#enter('stable');
  }

  async #giveBack(revoked: readonly TopicPartition[], target: Target): Promise<void> {
    const { owner, ports } = this.#options;
    if (revoked.length === 0) return;
    ports.logger.debug('partitions go to another member', { partitions: describePartitions(revoked) });
    await owner.revoke(revoked, this.#revocation(target));
    // Whoever gets them waits for the coordinator to be told.
    this.#heartbeats.soon();
  }

  /**
   * The coordinator counts from when it answered with the assignment, and gives the whole membership up when it is over.
   * Where listeners have used that time up already, what is done can still be committed.
   */
  #revocation({ heardAt }: Target): Deadline {
    const { settings, ports } = this.#options;
    const { rebalanceTimeoutMs } = settings;
    const wholeMs = revocationMs(rebalanceTimeoutMs, this.#heartbeatMs);
    const leftMs = Math.ceil(wholeMs - (ports.clock.monotonic() - heardAt));
    return new Deadline(ports.clock, Math.max(leftMs, (rebalanceTimeoutMs - wholeMs) / 2), 'rebalanceTimeoutMs');
  }

  #stir(): void {
    this.#noted.resolve();
  }

  /** The names of the topics that the coordinator names by id: waits until the metadata tells them. */
  async #named(target: Target): Promise<TopicPartition[]> {
    const { cluster, ports } = this.#options;
    const { signal } = this.#ending;
    for (;;) {
      const { metadata } = cluster;
      const unknown = target.partitions.filter(({ topicId }) => metadata.topicNameOf(topicId) === undefined);
      if (unknown.length === 0) {
        for (const { topicId } of target.partitions) this.#ids.set(metadata.topicNameOf(topicId) as string, topicId);
        return target.partitions.flatMap(({ topicId, partitions }) =>
          partitions.map((partition) => ({ topic: metadata.topicNameOf(topicId) as string, partition })),
        );
      }
      try {
        await cluster.refreshById(unknown.map(({ topicId }) => topicId));
      } catch (error) {
        if (!(error instanceof KrafkaError) || !error.retriable) throw error;
      }
      if (this.#target !== target || signal.aborted) return [];
      if (unknown.every(({ topicId }) => cluster.metadata.topicNameOf(topicId) !== undefined)) continue;
      ports.logger.debug('an assigned topic is not known yet', { ids: unknown.map(({ topicId }) => topicId) });
      await sleep(ports.clock, UNRESOLVED_RETRY_MS, signal).catch(() => undefined);
      if (this.#target !== target || signal.aborted) return [];
    }
  }

  #keepFresh(topics: readonly string[]): void {
    const before = this.#untrack;
    this.#untrack = topics.length === 0 ? undefined : this.#options.cluster.track(topics);
    before?.();
  }

  async #beat(): Promise<void> {
    const { coordinator, settings, ports, onUnsupported } = this.#options;
    const life = this.#life;
    let told: Told | undefined;
    let response: HeartbeatResponse;
    try {
      response = await coordinator.request(
        ConsumerGroupHeartbeat,
        (connection) => {
          if (life !== this.#life) throw new KrafkaClosedError('the membership');
          told = this.#toTell();
          const heartbeat = this.#composed(told, connection.versionOf(ConsumerGroupHeartbeat));
          if (this.#epoch === JOINING) this.#joinUnanswered = true;
          return heartbeat;
        },
        { timeoutMs: settings.requestTimeoutMs, priority: RequestPriority.High },
      );
    } catch (error) {
      if (life !== this.#life) return;
      this.#told = undefined;
      this.#mayBeHeld ||= this.#joinUnanswered;
      if (error instanceof KrafkaError && error.code === NOT_MATCHED) return this.#notMatched(error);
      if (error instanceof KrafkaError && error.retriable) throw error;
      if (error instanceof KrafkaError && this.#isUnsupported(error)) onUnsupported?.(error);
      else this.#fail(error);
      return;
    }
    if (life !== this.#life) return;
    this.#joinUnanswered = false;
    coordinator.heed(response.errorCode);
    if (response.errorCode !== ERROR_CODES.NONE) {
      this.#told = undefined;
      await this.#refused(response);
      return;
    }
    this.#mayBeHeld = false;
    this.#told = told;
    this.#epoch = response.memberEpoch;
    this.#heartbeatMs = response.heartbeatIntervalMs;
    this.#heartbeats.intervalMs = response.heartbeatIntervalMs;
    const given = response.assignment?.topicPartitions ?? (this.#askedSoon > 0 ? [] : undefined);
    if (given === undefined || (given.length === 0 && this.#asksSoon())) return;
    this.#askedSoon = 0;
    this.#target = { partitions: given, heardAt: ports.clock.monotonic() };
    this.#stir();
  }

  /** Nothing is given: whether that may be so only because the coordinator has yet to look for what matches. */
  #asksSoon(): boolean {
    const afterMs = SOON_AFTER_JOINING_MS[this.#askedSoon];
    if (this.#pattern === undefined || this.#state !== 'joining' || afterMs === undefined) return false;
    this.#askedSoon++;
    this.#heartbeats.intervalMs = afterMs;
    return true;
  }

  #toTell(): Told {
    const owned = this.#epoch === JOINING ? [] : this.#owned();
    return { topics: this.#topics, pattern: this.#pattern, partitions: JSON.stringify(owned) };
  }

  /** A heartbeat that says what the coordinator does not know: everything at first, and after a failure. */
  #composed(told: Told, version: number): HeartbeatRequest {
    const { coordinator, settings } = this.#options;
    const joining = this.#epoch === JOINING;
    const all = joining || this.#told === undefined;
    const matches = version >= MATCHES_SINCE;
    if (told.pattern !== undefined && !matches) {
      throw new KrafkaError('this broker matches no patterns: ConsumerGroupHeartbeat is of version 0', {
        code: NOT_MATCHED,
      });
    }
    return {
      groupId: coordinator.groupId,
      memberId: this.#memberId,
      memberEpoch: this.#epoch,
      instanceId: settings.groupInstanceId ?? null,
      rackId: all && settings.rack !== '' ? settings.rack : null,
      rebalanceTimeoutMs: all ? settings.rebalanceTimeoutMs : -1,
      subscribedTopicNames: all || this.#told?.topics !== told.topics ? told.topics : null,
      // What is not said stays as it was, which for a static member may be its former self's; the empty one is none.
      ...(matches && (all || this.#told?.pattern !== told.pattern) && { subscribedTopicRegex: told.pattern ?? '' }),
      serverAssignor: all ? (settings.groupRemoteAssignor ?? null) : null,
      topicPartitions:
        all || this.#told?.partitions !== told.partitions ? (JSON.parse(told.partitions) as AssignedTopics) : null,
    };
  }

  /** What is owned, as the coordinator names it. */
  #owned(): AssignedTopics {
    return Array.from(byTopic(sorted(this.#options.owner.owned)), ([topic, items]) => ({
      topicId: this.#ids.get(topic) as string,
      partitions: items.map(({ partition }) => partition),
    }));
  }

  /** A heartbeat was refused: what may pass is thrown, so that the next one comes after a while. */
  async #refused({ errorCode, errorMessage }: HeartbeatResponse): Promise<void> {
    const api = 'ConsumerGroupHeartbeat';
    // To a member that joins it would be a contradiction: that is tried again, after a while.
    if (this.#epoch === JOINING && LOST.has(errorName(errorCode))) {
      const detail = `answered ${errorName(errorCode)} to a join`;
      throw protocolError(ERROR_CODES.COORDINATOR_NOT_AVAILABLE, { api, detail });
    }
    if (this.#heed(errorCode, api)) return;
    if (errorCode === ERROR_CODES.INVALID_REGULAR_EXPRESSION) {
      // It may have been subscribed to something else meanwhile.
      if (this.#pattern === undefined) return this.#heartbeats.soon();
      return this.#notMatched(protocolError(errorCode, { api, detail: errorMessage ?? undefined }));
    }
    const detail = errorMessage ?? `group '${this.#options.coordinator.groupId}'`;
    const error = protocolError(errorCode, { api, detail });
    if (error.retriable) throw error;
    if (error.code === UNRELEASED && this.#mayBeHeld && (await this.#freeInstanceId())) return;
    if (this.#isUnsupported(error)) this.#options.onUnsupported?.(error);
    else this.#fail(error);
  }

  /**
   * Gives the instance id back as who this member was before, if it is held for that: nobody else may have it then, and the
   * same member anew neither. False when it is somebody else's.
   */
  async #freeInstanceId(): Promise<boolean> {
    const left = await this.#leaveAs(LEAVING_FOR_A_WHILE, {});
    this.#mayBeHeld = false;
    if (left !== ERROR_CODES.NONE && !NO_MEMBER.has(errorName(left))) return false;
    this.#heartbeats.soon();
    return true;
  }

  /** Somebody else has to find the topics: until they are named, nothing more can be said. */
  #notMatched(error: KrafkaError): void {
    this.#heartbeats.stop();
    this.#awaitsTopics = true;
    this.#options.onUnmatched(error);
  }

  /** Whether an error code speaks of the membership, which is then lost. */
  #heed(errorCode: number, api: string): boolean {
    const name = errorName(errorCode);
    if (!LOST.has(name) && (name !== NO_GROUP || this.#epoch === JOINING)) return false;
    this.#lose(`the membership was lost: ${name} from ${api}`);
    return true;
  }

  #isUnsupported({ code }: KrafkaError): boolean {
    return this.#options.onUnsupported !== undefined && this.#epoch === JOINING && UNSUPPORTED.has(code);
  }

  #lose(reason: string): void {
    this.#life++;
    this.#epoch = JOINING;
    this.#told = undefined;
    this.#target = undefined;
    this.#lost = true;
    this.#mayBeHeld = true;
    this.#askedSoon = 0;
    this.#heartbeats.stop();
    this.#options.listener.onRebalance(reason);
    this.#stir();
  }

  /** Also while a join is under way: its id is the member's own, and tells the coordinator who leaves (KIP-1082). */
  async #sayGoodbye(deadline: Deadline): Promise<void> {
    const { coordinator, settings, ports } = this.#options;
    if (this.#epoch === JOINING && !this.#joinUnanswered) return;
    const memberEpoch = settings.groupInstanceId === undefined ? LEAVING : LEAVING_FOR_A_WHILE;
    try {
      const left = await this.#leaveAs(memberEpoch, { deadline, once: true });
      if (left === ERROR_CODES.NONE || NO_MEMBER.has(errorName(left))) return;
      throw protocolError(left, { api: 'ConsumerGroupHeartbeat' });
    } catch (error) {
      ports.logger.warn('the group was left without a goodbye: the session timeout ends the membership', {
        group: coordinator.groupId,
        error,
      });
    }
  }

  /** Says that this member leaves; answers the error code. */
  async #leaveAs(memberEpoch: number, options: CoordinatorRequest): Promise<number> {
    const { coordinator, settings } = this.#options;
    const { errorCode } = await coordinator.request(
      ConsumerGroupHeartbeat,
      {
        groupId: coordinator.groupId,
        memberId: this.#memberId,
        memberEpoch,
        instanceId: settings.groupInstanceId ?? null,
      },
      options,
    );
    return errorCode;
  }

  #fail(error: unknown): void {
    if (this.#state === 'fatal') return;
    this.#heartbeats.stop();
    this.#ending.abort(error);
    this.#stir();
    this.#enter('fatal');
    this.#options.listener.onFatal(
      error instanceof KrafkaError
        ? error
        : new KrafkaError(`being a member of group '${this.#options.coordinator.groupId}' failed: ${String(error)}`, {
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
