import type { Cluster } from '../cluster/index.js';
import { errorName, isRetriable, protocolError, type ErrorName } from '../protocol/index.js';
import { backoffMs, KrafkaError, type Backoff, type Deadline, type Ports } from '../support/index.js';
import { InFlightLimit } from './in-flight-limit.js';
import type { ShareConsumerSettings } from './share-consumer-options.js';
import { ShareCounters } from './share-consumer-stats.js';
import { ShareLeader, type LeaderHint, type ShareLeaderListener } from './share-leader.js';
import type { AcknowledgeFailure } from './acknowledgement-outbox.js';
import { keyOf, type SharePartition } from './share-partition.js';

/** What a {@link ShareFetcher} tells its consumer. */
export interface ShareFetcherListener extends Pick<
  ShareLeaderListener,
  'onAcquired' | 'onAcknowledged' | 'onAcknowledgeFailed' | 'onLockExpired' | 'onUnreadable' | 'onSessionLost'
> {
  /** One partition can't be read; it is tried again after a while. */
  onPartitionFailed(partition: SharePartition, error: KrafkaError): void;
  /** Nothing can be read: the brokers refuse us. */
  onFatal(error: KrafkaError): void;
}

export interface ShareFetcherOptions {
  readonly cluster: Pick<Cluster, 'metadata' | 'connection' | 'readyConnection' | 'suspect' | 'leaderMoved'>;
  readonly settings: ShareConsumerSettings;
  readonly memberId: string;
  /** The connections that are this consumer's alone. */
  readonly purpose: `fetch:${string}`;
  readonly ports: Ports;
  readonly listener: ShareFetcherListener;
}

interface Route {
  leader: ShareLeader | undefined;
  failures: number;
}

const BACKOFF: Backoff = { baseMs: 100, capMs: 1_000 };
/** How often a partition is tried that the broker refuses for good, as far as it knows: rights may be granted. */
const REFUSED_MS = 30_000;
/** What says that the group's state could not be read or written just now: the broker sets the partition up anew. */
const MAY_PASS: ReadonlySet<string> = new Set<ErrorName>(['UNKNOWN_SERVER_ERROR', 'FENCED_STATE_EPOCH']);
/** Answers that may be an accident, of the network or the broker, but not this often in a row. */
const ACCIDENTS: ReadonlySet<string> = new Set<ErrorName | 'MALFORMED'>(['MALFORMED', 'UNKNOWN_SERVER_ERROR']);
const MOST_ACCIDENTS = 5;

/** Keeps a {@link ShareLeader} for each broker that leads an assigned partition, and follows the leaders as they move. */
export class ShareFetcher {
  readonly counters = new ShareCounters();
  readonly #options: ShareFetcherOptions;
  readonly #limit: InFlightLimit;
  readonly #leaders = new Map<number, ShareLeader>();
  readonly #partitions = new Map<string, SharePartition>();
  readonly #routes = new Map<SharePartition, Route>();
  #wanted = false;
  #closed = false;

  constructor(options: ShareFetcherOptions) {
    this.#options = options;
    this.#limit = new InFlightLimit(options.settings.maxRecords);
  }

  get assigned(): readonly SharePartition[] {
    return [...this.#partitions.values()];
  }

  get held(): number {
    return this.#sum((leader) => leader.held);
  }

  get buffered(): number {
    return this.#sum((leader) => leader.buffered);
  }

  get bufferedBytes(): number {
    return this.#sum((leader) => leader.bufferedBytes);
  }

  /** How many records are acquired at most at the moment. */
  get maxInFlight(): number {
    return this.#limit.current;
  }

  /** How long a lock lasts; undefined before a broker has told. */
  get lockTimeoutMs(): number | undefined {
    for (const { lockTimeoutMs } of this.#leaders.values()) if (lockTimeoutMs !== undefined) return lockTimeoutMs;
    return undefined;
  }

  /** Whether somebody takes records: while nobody does, none are acquired. */
  set wanted(wanted: boolean) {
    this.#wanted = wanted;
    if (wanted) this.#wakeAll();
  }

  /** Reads these partitions from now on, and no others. What was acquired of others stays ours. */
  assign(partitions: readonly SharePartition[]): void {
    if (this.#closed) return;
    const next = new Map(partitions.map((one) => [keyOf(one.topicId, one.partition), one]));
    for (const [key, partition] of this.#partitions) {
      if (next.has(key)) continue;
      this.#partitions.delete(key);
      this.#routes.get(partition)?.leader?.remove(partition);
      this.#routes.delete(partition);
    }
    for (const [key, partition] of next) {
      if (this.#partitions.has(key)) continue;
      this.#partitions.set(key, partition);
      this.#routes.set(partition, { leader: undefined, failures: 0 });
    }
    this.metadataChanged();
  }

  /** Leaders may have moved: every partition is read where it is led now. */
  metadataChanged(): void {
    if (this.#closed) return;
    for (const [partition, route] of this.#routes) this.#route(partition, route);
    for (const [nodeId, leader] of this.#leaders) if (leader.isIdle) this.#leaders.delete(nodeId);
  }

  /** Tells every verdict said so far, and answers with those that were not taken. */
  async flush(): Promise<readonly AcknowledgeFailure[]> {
    return (await Promise.all(Array.from(this.#leaders.values(), (leader) => leader.flush()))).flat();
  }

  /** Ends everything, as far as the deadline allows, and answers with verdicts that were not taken. */
  async close(deadline: Deadline): Promise<readonly AcknowledgeFailure[]> {
    this.#closed = true;
    this.#wanted = false;
    const failures = await Promise.all(Array.from(this.#leaders.values(), (leader) => leader.close(deadline)));
    this.#leaders.clear();
    return failures.flat();
  }

  #route(partition: SharePartition, route: Route): void {
    const { cluster } = this.#options;
    const topic = cluster.metadata.topics.get(partition.topic);
    const known = topic?.id === partition.topicId ? topic.partitions[partition.partition] : undefined;
    const nodeId = known?.leader ?? -1;
    if (nodeId < 0) cluster.suspect(partition.topic, partition.partition);
    if (route.leader?.nodeId === nodeId) return;
    route.leader?.remove(partition);
    route.leader = nodeId < 0 ? undefined : this.#leaderOf(nodeId);
    route.leader?.add(partition);
  }

  #leaderOf(nodeId: number): ShareLeader {
    let leader = this.#leaders.get(nodeId);
    if (leader === undefined) {
      const { cluster, listener, memberId, ports, purpose, settings } = this.#options;
      leader = new ShareLeader({
        nodeId,
        groupId: settings.groupId,
        memberId,
        settings,
        ports,
        counters: this.counters,
        limit: this.#limit,
        share: () => this.#share(),
        wanted: () => this.#wanted,
        connect: async (deadline, signal) =>
          cluster.readyConnection(nodeId, purpose) ?? (await cluster.connection(nodeId, purpose, { deadline, signal })),
        listener: {
          onAcquired: (from, records) => {
            this.#succeeded(records.partition);
            listener.onAcquired(from, records);
          },
          onAcknowledged: (parcel) => listener.onAcknowledged(parcel),
          onAcknowledgeFailed: (failure) => {
            if (failure.error.retriable) cluster.suspect(failure.topic, failure.partition);
            listener.onAcknowledgeFailed(failure);
          },
          onLockExpired: (partition, ranges, handedOut) => listener.onLockExpired(partition, ranges, handedOut),
          onUnreadable: (partition, ranges, error) => listener.onUnreadable(partition, ranges, error),
          onSessionLost: (from, records, error) => listener.onSessionLost(from, records, error),
          onRefused: (partition, errorCode, detail, hint) => this.#refused(partition, errorCode, detail, hint),
          onFailed: (from, partitions, error, failures) => this.#failed(from, partitions, error, failures),
        },
      });
      this.#leaders.set(nodeId, leader);
    }
    return leader;
  }

  /** How many records one leader may give us at once. */
  #share(): number {
    const leaders = this.#sum(({ partitionCount }) => (partitionCount > 0 ? 1 : 0));
    return Math.max(1, Math.floor(this.#limit.current / Math.max(1, leaders)));
  }

  #succeeded(partition: SharePartition): void {
    const route = this.#routes.get(partition);
    if (route !== undefined) route.failures = 0;
  }

  #refused(
    partition: SharePartition,
    errorCode: number,
    detail: string | null,
    { currentLeader, endpoints }: LeaderHint,
  ): number {
    const { cluster, listener, ports } = this.#options;
    const { topic, partition: number } = partition;
    const error = protocolError(errorCode, {
      api: 'ShareFetch',
      topic,
      partition: number,
      ...(detail !== null && { detail }),
    });
    const route = this.#routes.get(partition);
    if (route === undefined) return 0;
    const mayPass = MAY_PASS.has(errorName(errorCode));
    if (!mayPass && !isRetriable(errorCode)) {
      listener.onPartitionFailed(partition, error);
      return REFUSED_MS;
    }
    ports.logger[mayPass ? 'warn' : 'debug']('a partition could not be read', { topic, partition: number, error });
    const { leaderId, leaderEpoch } = currentLeader;
    if (leaderId >= 0) {
      const node = endpoints.find(({ nodeId }) => nodeId === leaderId);
      cluster.leaderMoved({ topic, partition: number, leaderId, leaderEpoch, node });
    } else {
      cluster.suspect(topic, number);
    }
    return backoffMs(BACKOFF, ++route.failures, ports.random);
  }

  #failed(nodeId: number, partitions: readonly SharePartition[], error: unknown, failures: number): void {
    const { cluster, listener, ports } = this.#options;
    ports.logger.warn('sharing with a broker failed', { broker: nodeId, error });
    if (isFinal(error, failures)) {
      listener.onFatal(
        error instanceof KrafkaError
          ? error
          : new KrafkaError(`sharing with broker ${nodeId} failed: ${String(error)}`, {
              code: 'SHARE_FAILED',
              cause: error,
            }),
      );
      return;
    }
    for (const topic of new Set(partitions.map((partition) => partition.topic))) cluster.suspect(topic);
  }

  #wakeAll(): void {
    for (const leader of this.#leaders.values()) leader.wake();
  }

  #sum(of: (leader: ShareLeader) => number): number {
    let sum = 0;
    for (const leader of this.#leaders.values()) sum += of(leader);
    return sum;
  }
}

const isFinal = (error: unknown, failures: number): boolean =>
  !(error instanceof KrafkaError) || (!error.retriable && (!ACCIDENTS.has(error.code) || failures >= MOST_ACCIDENTS));
