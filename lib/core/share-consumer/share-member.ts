import type { Cluster } from '../cluster/index.js';
import type { GroupState } from '../consumer/index.js';
import { Heartbeats, type CoordinatorLink } from '../coordination/index.js';
import { RequestPriority } from '../network/index.js';
import {
  ERROR_CODES,
  errorName,
  protocolError,
  ShareGroupHeartbeat,
  type ErrorName,
  type ResponseOf,
} from '../protocol/index.js';
import { KrafkaClosedError, KrafkaError, sleep, type Deadline, type Ports } from '../support/index.js';
import type { ShareConsumerSettings } from './share-consumer-options.js';
import type { SharePartition } from './share-partition.js';

export interface ShareMemberOptions {
  readonly coordinator: CoordinatorLink;
  readonly cluster: Pick<Cluster, 'metadata' | 'refresh'>;
  readonly settings: Pick<ShareConsumerSettings, 'requestTimeoutMs' | 'rack'>;
  readonly topics: readonly string[];
  readonly ports: Ports;
  /** What this member reads from now on: everything there is to it. */
  readonly onAssigned: (partitions: readonly SharePartition[]) => void;
  readonly onState: (state: GroupState, previous: GroupState) => void;
  readonly onFatal: (error: KrafkaError) => void;
}

type HeartbeatResponse = ResponseOf<typeof ShareGroupHeartbeat>;
type AssignedTopics = NonNullable<HeartbeatResponse['assignment']>['topicPartitions'];

const API = 'ShareGroupHeartbeat';
const JOINING = 0;
const LEAVING = -1;
/** What goes on until the coordinator has told its own. */
const FIRST_INTERVAL_MS = 5_000;
const UNRESOLVED_RETRY_MS = 1_000;
/** The first member of a group is assigned nothing until the group's state is set up: it asks again so soon, */
const EMPTY_INTERVAL_MS = 300;
/** and so often, before it waits as long as others. */
const EMPTY_BEATS = 20;

/** The coordinator has given this member up. */
const LOST: ReadonlySet<ErrorName> = new Set(['UNKNOWN_MEMBER_ID', 'FENCED_MEMBER_EPOCH']);
/** The group was deleted, once it was thought to have no members; to one that joins: it is of another type. */
const NO_GROUP: ErrorName = 'GROUP_ID_NOT_FOUND';

/** To a goodbye: there was nobody to leave. */
const NO_MEMBER: ReadonlySet<ErrorName> = new Set(['UNKNOWN_MEMBER_ID', 'GROUP_ID_NOT_FOUND']);

/**
 * A member of a share group (KIP-932). The coordinator assigns and nobody waits for anybody: an assignment holds from
 * when it is heard of, and partitions may be several members' at once.
 *
 * ```
 *   unjoined ─start─► joining ─(assignment)─► stable ─leave─► left
 *                        ▲                      │
 *                        └──── given up ────────┘        any ─(refused for good)─► fatal
 * ```
 */
export class ShareMember {
  /** The member's own for as long as it lives; it names the share sessions, too. */
  readonly memberId: string;
  readonly #options: ShareMemberOptions;
  readonly #heartbeats: Heartbeats;
  readonly #ending = new AbortController();
  #topics: readonly string[];
  #state: GroupState = 'unjoined';
  #epoch = JOINING;
  /** Changes when the membership is lost: an answer to a heartbeat from before says nothing. */
  #life = 0;
  /** Whether a join has been sent that nobody has answered: the coordinator may count this member in. */
  #joinUnanswered = false;
  /** The topics that the coordinator has been told of. */
  #told: readonly string[] | undefined;
  /** The newest assignment whose topics are not all known by name yet. */
  #target: AssignedTopics | undefined;
  #resolving = false;
  /** How often in a row the coordinator had nothing to assign. */
  #emptyBeats = 0;
  #hasPartitions = false;

  constructor(options: ShareMemberOptions) {
    this.#options = options;
    this.#topics = options.topics;
    this.memberId = options.ports.random.bytes(16).toString('base64url');
    this.#heartbeats = new Heartbeats({
      intervalMs: FIRST_INTERVAL_MS,
      beat: () => this.#beat(),
      ports: options.ports,
    });
  }

  get state(): GroupState {
    return this.#state;
  }

  start(): void {
    this.#enter('joining');
    this.#heartbeats.start('at once');
  }

  subscribe(topics: readonly string[]): void {
    this.#topics = topics;
    this.#heartbeats.soon();
  }

  /** Ends heartbeats and says goodbye, as far as the deadline allows. */
  async leave(deadline: Deadline): Promise<void> {
    this.#heartbeats.stop();
    this.#life++;
    this.#ending.abort(new KrafkaError('the group is being left', { code: 'CLOSED' }));
    const { coordinator, ports } = this.#options;
    // A join may be under way: its id is the member's own, and tells the coordinator who leaves (KIP-1082).
    if (this.#epoch !== JOINING || this.#joinUnanswered) {
      if (this.#state !== 'fatal') this.#enter('leaving');
      try {
        const left = await coordinator.request(
          ShareGroupHeartbeat,
          { groupId: coordinator.groupId, memberId: this.memberId, memberEpoch: LEAVING },
          { deadline, once: true },
        );
        if (left.errorCode !== ERROR_CODES.NONE && !NO_MEMBER.has(errorName(left.errorCode))) {
          throw protocolError(left.errorCode, { api: API });
        }
      } catch (error) {
        ports.logger.warn('the share group was left without a goodbye: the session timeout ends the membership', {
          group: coordinator.groupId,
          error,
        });
      }
      this.#epoch = JOINING;
    }
    if (this.#state !== 'fatal') this.#enter('left');
  }

  async #beat(): Promise<void> {
    const { coordinator, settings } = this.#options;
    const life = this.#life;
    const topics = this.#topics;
    const all = this.#epoch === JOINING || this.#told === undefined;
    let response: HeartbeatResponse;
    try {
      response = await coordinator.request(
        ShareGroupHeartbeat,
        () => {
          if (life !== this.#life) throw new KrafkaClosedError('the membership');
          if (this.#epoch === JOINING) this.#joinUnanswered = true;
          return {
            groupId: coordinator.groupId,
            memberId: this.memberId,
            memberEpoch: this.#epoch,
            rackId: all ? (settings.rack ?? null) : null,
            subscribedTopicNames: all || this.#told !== topics ? topics : null,
          };
        },
        { timeoutMs: settings.requestTimeoutMs, priority: RequestPriority.High },
      );
    } catch (error) {
      if (life !== this.#life) return;
      this.#told = undefined;
      if (error instanceof KrafkaError && error.retriable) throw error;
      this.#fail(error);
      return;
    }
    if (life !== this.#life) return;
    this.#joinUnanswered = false;
    coordinator.heed(response.errorCode);
    if (response.errorCode !== ERROR_CODES.NONE) {
      this.#told = undefined;
      this.#refused(response);
      return;
    }
    this.#told = topics;
    this.#epoch = response.memberEpoch;
    const { assignment, heartbeatIntervalMs } = response;
    if (assignment !== null) this.#hasPartitions = assignment.topicPartitions.length > 0;
    this.#emptyBeats = this.#hasPartitions ? 0 : this.#emptyBeats + 1;
    const soon = !this.#hasPartitions && this.#emptyBeats <= EMPTY_BEATS;
    this.#heartbeats.intervalMs = soon ? Math.min(EMPTY_INTERVAL_MS, heartbeatIntervalMs) : heartbeatIntervalMs;
    if (assignment === null) return;
    this.#target = assignment.topicPartitions;
    if (!this.#resolving) void this.#resolve();
  }

  /** Follows the newest assignment as soon as its topics, which the coordinator names by id, are known. */
  async #resolve(): Promise<void> {
    const { cluster, ports, onAssigned } = this.#options;
    const { signal } = this.#ending;
    this.#resolving = true;
    try {
      while (this.#target !== undefined && !signal.aborted) {
        const target = this.#target;
        const named = namedBy(cluster.metadata, target);
        if (named !== undefined) {
          this.#target = undefined;
          onAssigned(named);
          if (this.#state === 'joining' && named.length > 0) this.#enter('stable');
          continue;
        }
        await cluster.refresh(this.#topics).catch((error: unknown) => {
          if (!(error instanceof KrafkaError) || !error.retriable) throw error;
        });
        if (namedBy(cluster.metadata, target) !== undefined || this.#target !== target) continue;
        ports.logger.debug('an assigned topic is not known yet', { ids: target.map(({ topicId }) => topicId) });
        await sleep(ports.clock, UNRESOLVED_RETRY_MS, signal).catch(() => undefined);
      }
    } catch (error) {
      if (!signal.aborted) this.#fail(error);
    } finally {
      this.#resolving = false;
    }
  }

  /** A heartbeat was refused: what may pass is thrown, so that the next one comes after a while. */
  #refused({ errorCode, errorMessage }: HeartbeatResponse): void {
    const name = errorName(errorCode);
    // To a member that joins it would be a contradiction: that is tried again, after a while.
    if (LOST.has(name) && this.#epoch === JOINING) {
      throw protocolError(ERROR_CODES.COORDINATOR_NOT_AVAILABLE, { api: API, detail: `answered ${name} to a join` });
    }
    if (LOST.has(name) || (name === NO_GROUP && this.#epoch !== JOINING)) {
      this.#options.ports.logger.info('the share group has given this member up: it joins again', { reason: name });
      this.#life++;
      this.#epoch = JOINING;
      this.#target = undefined;
      this.#hasPartitions = false;
      this.#emptyBeats = 0;
      this.#options.onAssigned([]);
      this.#enter('joining');
      this.#heartbeats.start('at once');
      return;
    }
    const detail = errorMessage ?? `group '${this.#options.coordinator.groupId}'`;
    const error = protocolError(errorCode, { api: API, detail });
    if (error.retriable) throw error;
    this.#fail(error);
  }

  #fail(error: unknown): void {
    if (this.#state === 'fatal') return;
    this.#heartbeats.stop();
    this.#enter('fatal');
    const { coordinator, onFatal } = this.#options;
    onFatal(
      error instanceof KrafkaError
        ? error
        : new KrafkaError(`being a member of share group '${coordinator.groupId}' failed: ${String(error)}`, {
            code: 'GROUP_FAILED',
            cause: error,
          }),
    );
  }

  #enter(state: GroupState): void {
    const previous = this.#state;
    if (state === previous) return;
    this.#state = state;
    this.#options.onState(state, previous);
  }
}

/** The partitions by their topics' names; undefined while one is not known. */
function namedBy(metadata: Cluster['metadata'], target: AssignedTopics): SharePartition[] | undefined {
  const named: SharePartition[] = [];
  for (const { topicId, partitions } of target) {
    const topic = metadata.topicNameOf(topicId);
    if (topic === undefined) return undefined;
    for (const partition of partitions) named.push({ topicId, topic, partition });
  }
  return named;
}
