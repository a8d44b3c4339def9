import type { Cluster, LeaderChange } from '../../cluster/index.js';
import type { ConnectionPurpose } from '../../network/index.js';
import { ERROR_CODES, errorName, Fetch, protocolError, ZERO_UUID } from '../../protocol/index.js';
import { backoffMs, KrafkaError, type Backoff, type Deadline, type Ports } from '../../support/index.js';
import type { AssignedPartition } from '../assigned-partition.js';
import type { ConsumerSettings } from '../consumer-options.js';
import { BrokerFetch, fetchRequest, type FetchedData, type FetchSettings, type NodeEndpoints } from './broker-fetch.js';
import { FetchCounters } from './fetch-counters.js';
import { FetchSize } from './fetch-size.js';
import type { SentPartition } from './fetch-session.js';
import { arrivedIn, type Arrived } from './partition-buffer.js';

export type FetcherCluster = Pick<
  Cluster,
  'metadata' | 'pool' | 'connection' | 'readyConnection' | 'suspect' | 'leaderMoved'
>;

export interface FetcherOptions {
  readonly cluster: FetcherCluster;
  readonly settings: FetchSettings & Pick<ConsumerSettings, 'maxPartitionFetchBytes' | 'bufferBytes'>;
  /** The connections that are this consumer's alone: `fetch:<id>`. */
  readonly purpose: `fetch:${string}`;
  /** Whether a partition that is added is to be read at once, even if a fetch that the broker holds is lost by it. */
  readonly hastens: boolean;
  /** Other connections there may be, on which a session is closed while the broker holds a fetch on its own. */
  readonly otherPurposes: readonly ConnectionPurpose[];
  readonly ports: Ports;
  /** The end of a partition is known anew. */
  readonly onProgress: () => void;
  /** Something arrived in the partition's buffer. */
  readonly onData: (partition: AssignedPartition) => void;
  /** The broker no longer has, or does not yet have, the partition's position. */
  readonly onOutOfRange: (partition: AssignedPartition, error: KrafkaError) => void;
  /** The partition's leader has changed: its log must be compared with what was read. */
  readonly onNewLeader: (partition: AssignedPartition) => void;
  /** The partition can't be read on. */
  readonly onFailed: (partition: AssignedPartition, error: KrafkaError) => void;
  /** Nothing can be read on: the brokers refuse us. */
  readonly onFatal: (error: KrafkaError) => void;
}

/** Where one partition is fetched. */
interface Route {
  source: BrokerFetch | undefined;
  /** A replica nearer than the leader, as the leader told (KIP-392); -1 for none. */
  preferredReplica: number;
  preferredUntil: number;
  failures: number;
  /** The offset at which a batch was corrupt, and how often in a row; -1 for none. */
  corruptAt: number;
  corruptions: number;
}

const BACKOFF: Backoff = { baseMs: 100, capMs: 1_000 };
/** How long a preferred replica is read before the leader is asked again, as the Java client's metadata.max.age.ms. */
const PREFERRED_REPLICA_MS = 300_000;
/** A batch is fetched this often before it is taken for corrupt in the broker's log rather than on the way. */
const CORRUPT_FETCHES = 3;
const LEAST_PARTITION_BYTES = 16 * 1024;
/** Answers that can't be read may be an accident of the network, but not this often in a row. */
const MALFORMED_FETCHES = 5;

/**
 * Reads ahead of the handlers: keeps a {@link BrokerFetch} for each broker that leads (or is the nearer replica of) an
 * assigned partition, and moves partitions among them as leaders move.
 *
 * What is read ahead is bounded by construction: a partition is fetched while its buffer holds no more than its share, and
 * at most its share is asked for, so it holds two shares at most; and all shares together are half of `bufferBytes`.
 * One batch that is larger than a share is still read whole (KIP-74).
 */
export class Fetcher {
  readonly counters = new FetchCounters();
  readonly #options: FetcherOptions;
  readonly #size: FetchSize;
  readonly #routes = new Map<AssignedPartition, Route>();
  readonly #sources = new Map<number, BrokerFetch>();
  #stopped = false;

  constructor(options: FetcherOptions) {
    this.#options = options;
    this.#size = new FetchSize(options.settings.fetchMinBytes, options.settings.maxPartitionFetchBytes);
  }

  /** Bytes read ahead, of all partitions. */
  get bufferedBytes(): number {
    let bytes = 0;
    for (const partition of this.#routes.keys()) bytes += partition.buffer.bytes;
    return bytes;
  }

  add(partitions: Iterable<AssignedPartition>): void {
    for (const partition of partitions) {
      this.#routes.set(partition, {
        source: undefined,
        preferredReplica: -1,
        preferredUntil: 0,
        failures: 0,
        corruptAt: -1,
        corruptions: 0,
      });
    }
    this.#share();
    this.metadataChanged();
  }

  remove(partitions: Iterable<AssignedPartition>): void {
    for (const partition of partitions) {
      this.#routes.get(partition)?.source?.remove(partition);
      this.#routes.delete(partition);
    }
    this.#share();
  }

  /** The partition may want records again: it was located, resumed, or drained. Hot: called for each batch taken. */
  wake(partition: AssignedPartition): void {
    this.#routes.get(partition)?.source?.wake();
  }

  /** Leaders may have moved: every partition is fetched where it is led now. */
  metadataChanged(): void {
    if (this.#stopped) return;
    for (const [partition, route] of this.#routes) this.#route(partition, route);
  }

  /** A batch of the partition did not match its checksum, or can't be read. */
  corrupt(partition: AssignedPartition, error: KrafkaError): void {
    const route = this.#routes.get(partition);
    if (route === undefined) return;
    route.corruptions = route.corruptAt === partition.position ? route.corruptions + 1 : 1;
    route.corruptAt = partition.position;
    if (!error.retriable || route.corruptions >= CORRUPT_FETCHES) {
      this.#options.onFailed(partition, error);
      return;
    }
    this.#options.ports.logger.warn('a fetched batch was corrupt: it is fetched again', {
      topic: partition.topic,
      partition: partition.partition,
      position: partition.position,
      error,
    });
    partition.refetch();
    this.#backOff(partition, route);
    route.source?.wake();
  }

  /**
   * Ends fetching and closes the fetch sessions, as far as the deadline allows: a broker that is holding a fetch is told
   * over another connection where there is one, as it would not hear of it on the one it holds.
   */
  async stop(deadline: Deadline): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    const { cluster, settings, purpose, otherPurposes, ports } = this.#options;
    const closing = [...this.#sources.values()].map(async (source) => {
      const { plan, idle } = source.stop();
      if (plan === undefined) return;
      const own = cluster.readyConnection(source.nodeId, purpose);
      const others = idle ? [] : otherPurposes.map((other) => cluster.readyConnection(source.nodeId, other));
      const connection = others.find((other) => other !== undefined) ?? own;
      if (connection === undefined) return;
      const request = fetchRequest(plan, settings, settings.fetchMaxWaitMs);
      const maxVersion = plan.byTopicId ? {} : { maxVersion: 12 };
      try {
        await connection.sendRequest(Fetch, request, { deadline, ...maxVersion });
      } catch (error) {
        // The broker drops the session by itself when its cache is full: nothing is lost but its politeness.
        ports.logger.debug('a fetch session was left to expire', { broker: source.nodeId, error });
      }
    });
    await Promise.all(closing);
    this.#sources.clear();
  }

  /** Shares the read-ahead out among the partitions. */
  #share(): void {
    const partitions = Math.max(1, this.#routes.size);
    const { bufferBytes, maxPartitionFetchBytes } = this.#options.settings;
    const equal = Math.floor(bufferBytes / 2 / partitions);
    const share = Math.min(maxPartitionFetchBytes, Math.max(LEAST_PARTITION_BYTES, equal));
    const enough = this.#size.bytesFor(partitions);
    for (const partition of this.#routes.keys()) partition.share(share, enough);
  }

  #route(partition: AssignedPartition, route: Route): void {
    const { cluster, onNewLeader } = this.#options;
    const topic = cluster.metadata.topics.get(partition.topic);
    const known = topic?.partitions[partition.partition];
    if (topic === undefined || known === undefined) {
      cluster.suspect(partition.topic, partition.partition);
      this.#fetchFrom(partition, route, -1);
      return;
    }
    if (topic.id !== partition.topicId) {
      // Epochs only compare within one topic id: a re-created topic begins anew.
      partition.currentLeaderEpoch = -1;
      if (topic.id !== ZERO_UUID) partition.topicId = topic.id;
    }
    if (known.leaderEpoch > partition.currentLeaderEpoch) {
      const first = partition.currentLeaderEpoch === -1;
      partition.currentLeaderEpoch = known.leaderEpoch;
      route.preferredReplica = -1;
      // While one leader is asked there may be another already: what the first one says counts for nothing then.
      const { kind } = partition.phase;
      if (!first && (kind === 'reading' || kind === 'validating') && partition.positionEpoch >= 0) {
        partition.validate();
        onNewLeader(partition);
      }
    }
    const now = this.#options.ports.clock.monotonic();
    const preferred = now < route.preferredUntil && cluster.metadata.brokers.has(route.preferredReplica);
    if (!preferred) route.preferredReplica = -1;
    const nodeId = preferred ? route.preferredReplica : known.leader;
    if (nodeId < 0) cluster.suspect(partition.topic, partition.partition);
    this.#fetchFrom(partition, route, nodeId);
  }

  #fetchFrom(partition: AssignedPartition, route: Route, nodeId: number): void {
    if (route.source?.nodeId === nodeId) return;
    route.source?.remove(partition);
    route.source = nodeId < 0 ? undefined : this.#sourceOf(nodeId);
    route.source?.add(partition);
  }

  #sourceOf(nodeId: number): BrokerFetch {
    let source = this.#sources.get(nodeId);
    if (source === undefined) {
      const { cluster, settings, ports, purpose, hastens } = this.#options;
      source = new BrokerFetch({
        nodeId,
        settings,
        ports,
        counters: this.counters,
        ready: () => cluster.readyConnection(nodeId, purpose),
        connect: (deadline, signal) => cluster.connection(nodeId, purpose, { deadline, signal }),
        interrupt: hastens ? ({ address }) => cluster.pool.drop(address, purpose) : undefined,
        take: (sent, data, endpoints) => this.#take(sent, data, endpoints),
        deliver: (partition) => {
          // It may have been taken away since.
          if (this.#routes.has(partition)) this.#options.onData(partition);
        },
        answered: (answer) => {
          if (this.#size.answered(answer)) this.#share();
        },
        failed: (partitions, error, failures) => this.#failed(nodeId, partitions, error, failures),
      });
      this.#sources.set(nodeId, source);
    }
    return source;
  }

  #failed(nodeId: number, partitions: readonly AssignedPartition[], error: unknown, failures: number): void {
    this.#options.ports.logger.warn('a fetch failed', { broker: nodeId, error });
    if (isFinal(error, failures)) {
      this.#options.onFatal(error instanceof KrafkaError ? error : asKrafkaError(error));
      return;
    }
    for (const topic of new Set(partitions.map((partition) => partition.topic))) this.#options.cluster.suspect(topic);
    for (const partition of partitions) {
      const route = this.#routes.get(partition);
      if (route === undefined || route.preferredReplica < 0) continue;
      // A replica that does not answer is no nearer than the leader.
      route.preferredReplica = -1;
      this.#route(partition, route);
    }
  }

  #take(sent: SentPartition<AssignedPartition>, data: FetchedData, endpoints: NodeEndpoints): boolean {
    const { partition } = sent;
    const route = this.#routes.get(partition);
    // Sought, paused, revoked or truncated since it was asked for: what came is not what is wanted now.
    if (route === undefined || !partition.fetchable || partition.fetchOffset !== sent.fetchOffset) return false;
    if (data.errorCode !== ERROR_CODES.NONE) {
      this.#refused(partition, route, data, endpoints);
      return false;
    }
    route.failures = 0;
    if (route.preferredReplica >= 0 && this.#options.ports.clock.monotonic() >= route.preferredUntil) {
      route.preferredReplica = -1;
      this.#route(partition, route);
    }
    partition.highWatermark = data.highWatermark;
    partition.lastStableOffset = data.lastStableOffset;
    if (data.preferredReadReplica >= 0 && data.preferredReadReplica !== route.source?.nodeId) {
      route.preferredReplica = data.preferredReadReplica;
      route.preferredUntil = this.#options.ports.clock.monotonic() + PREFERRED_REPLICA_MS;
      this.#route(partition, route);
      return false;
    }
    const { records } = data;
    const hasArrived =
      records !== null && records.length > 0 && this.#buffer(partition, records, data.abortedTransactions);
    this.#options.onProgress();
    return hasArrived;
  }

  #buffer(partition: AssignedPartition, records: Buffer, aborted: FetchedData['abortedTransactions']): boolean {
    this.counters.receivedBytes += records.length;
    let arrived: Arrived | undefined;
    try {
      arrived = arrivedIn(records);
    } catch (error) {
      this.corrupt(partition, error as KrafkaError);
      return false;
    }
    if (arrived === undefined || arrived.next <= partition.fetchOffset) return false;
    const hidden = this.#options.settings.isolationLevel === 'read_committed' ? (aborted ?? []) : null;
    partition.buffer.push(records, hidden, arrived.records);
    partition.fetched(arrived.next);
    return true;
  }

  #refused(partition: AssignedPartition, route: Route, data: FetchedData, endpoints: NodeEndpoints): void {
    const { topic, partition: number } = partition;
    const fromReplica = route.preferredReplica >= 0;
    route.preferredReplica = -1;
    const error = protocolError(data.errorCode, { api: 'Fetch', topic, partition: number });
    switch (errorName(data.errorCode)) {
      case 'NOT_LEADER_OR_FOLLOWER':
      case 'FENCED_LEADER_EPOCH':
        this.#backOff(partition, route);
        if (data.currentLeader.leaderId >= 0) {
          this.#options.cluster.leaderMoved(leaderChange(topic, number, data.currentLeader, endpoints));
        } else {
          this.#options.cluster.suspect(topic, number);
        }
        break;
      case 'OFFSET_OUT_OF_RANGE':
        // A replica may be behind the leader: only the leader's word counts. And what was read ahead is handed out
        // first, though it is gone from the log.
        if (fromReplica) break;
        if (partition.position === partition.fetchOffset) this.#options.onOutOfRange(partition, error);
        else this.#backOff(partition, route);
        break;
      case 'CORRUPT_MESSAGE':
        this.corrupt(partition, error);
        break;
      case 'TOPIC_AUTHORIZATION_FAILED':
      case 'UNSUPPORTED_COMPRESSION_TYPE':
        this.#options.onFailed(partition, error);
        break;
      default:
        // Not yet, not any more or not here: the metadata will tell, and meanwhile the others are fetched.
        this.#options.ports.logger.debug('a partition could not be fetched', { topic, partition: number, error });
        this.#backOff(partition, route);
        this.#options.cluster.suspect(topic, number);
    }
    this.#route(partition, route);
  }

  #backOff(partition: AssignedPartition, route: Route): void {
    const delayMs = backoffMs(BACKOFF, ++route.failures, this.#options.ports.random);
    route.source?.backOff(partition, delayMs);
  }
}

function leaderChange(
  topic: string,
  partition: number,
  { leaderId, leaderEpoch }: { readonly leaderId: number; readonly leaderEpoch: number },
  endpoints: NodeEndpoints,
): LeaderChange {
  const node = endpoints.find(({ nodeId }) => nodeId === leaderId);
  return { topic, partition, leaderId, leaderEpoch, node };
}

const isFinal = (error: unknown, failures: number): boolean =>
  !(error instanceof KrafkaError) ||
  (!error.retriable && (error.code !== 'MALFORMED' || failures >= MALFORMED_FETCHES));

const asKrafkaError = (error: unknown): KrafkaError =>
  new KrafkaError(`fetching failed: ${error instanceof Error ? error.message : String(error)}`, {
    code: 'FETCH_FAILED',
    cause: error,
  });
