import { ConnectionConfig, ConnectionPool, type ConnectionOptions, type NetworkPorts } from '../../network/index.js';
import { FakeClock } from '../../network/spec-support/fake-clock.js';
import { MemoryDialer } from '../../network/spec-support/memory-dialer.js';
import { ScriptedBroker, type Received } from '../../network/spec-support/scripted-broker.js';
import {
  ERROR_CODES,
  ZERO_UUID,
  type AnswerOf,
  type ApiName,
  type ErrorName,
  type Metadata,
} from '../../protocol/index.js';
import { Deadline, seededRandom, silentLogger, type LogDetails } from '../../support/index.js';
import { Cluster, type ClusterOptions } from '../cluster.js';

type MetadataAnswer = AnswerOf<typeof Metadata>;
type TopicAnswer = MetadataAnswer['topics'][number];

/** A partition in short: who leads it, at which epoch. */
export type ScriptedPartition = readonly [leader: number, epoch: number];

/** A topic of a Metadata answer. */
export function topicAnswer(
  name: string,
  partitions: readonly ScriptedPartition[],
  { id = ZERO_UUID, error = 'NONE' }: { readonly id?: string; readonly error?: ErrorName } = {},
): TopicAnswer {
  return {
    errorCode: ERROR_CODES[error],
    name,
    topicId: id,
    isInternal: false,
    partitions: partitions.map(([leaderId, leaderEpoch], partitionIndex) => ({
      errorCode: leaderId < 0 ? ERROR_CODES.LEADER_NOT_AVAILABLE : ERROR_CODES.NONE,
      partitionIndex,
      leaderId,
      leaderEpoch,
      replicaNodes: [1],
      isrNodes: [1],
      offlineReplicas: [],
    })),
  };
}

/** A request as one of the brokers got it. */
export type ReceivedAt = Received & { readonly nodeId: number };

/** Answers a request in place of the default; undefined leaves it unanswered. */
export type Handler = (received: ReceivedAt) => object | undefined;

/** Several brokers in memory, behind a real connection pool and a clock that stands still. */
export class ScriptedCluster {
  readonly clock = new FakeClock();
  readonly dialer = new MemoryDialer();
  readonly logged: { readonly level: string; readonly message: string; readonly details: LogDetails | undefined }[] =
    [];
  readonly received: ReceivedAt[] = [];
  readonly brokers = new Map<number, ScriptedBroker>();
  readonly topics = new Map<string, TopicAnswer>();
  readonly #nodes = new Map<number, { readonly host: string; readonly port: number }>();
  readonly #handlers = new Map<ApiName, Handler>();
  clusterId = 'scripted';
  controllerId = 1;

  /** Brokers 1 to `count`, at `b1:9092` and so on. */
  constructor(count = 1) {
    for (let nodeId = 1; nodeId <= count; nodeId++) this.start(nodeId, `b${nodeId}`, 9092);
  }

  get ports(): NetworkPorts {
    const log =
      (level: string) =>
      (message: string, details?: LogDetails): void =>
        void this.logged.push({ level, message, details });
    return {
      clock: this.clock,
      random: seededRandom(7),
      dialer: this.dialer,
      logger: { ...silentLogger, warn: log('warn'), info: log('info'), error: log('error') },
    };
  }

  /** Lets a broker listen, and the metadata tell of it. */
  start(nodeId: number, host: string, port: number): this {
    const broker = new ScriptedBroker((received) => {
      const at = { ...received, nodeId };
      this.received.push(at);
      const answer = (this.#handlers.get(received.name) ?? ((one) => this.#byDefault(one)))(at);
      return answer === undefined ? undefined : { throttleTimeMs: 0, ...answer };
    });
    this.brokers.set(nodeId, broker);
    this.#nodes.set(nodeId, { host, port });
    this.dialer.listen(`${host}:${port}`, broker.serve);
    return this;
  }

  /** Takes a broker off the network: its connections end, and nobody listens there any more. */
  stop(nodeId: number, forget = false): this {
    const { host, port } = this.#nodes.get(nodeId)!;
    this.dialer.listen(`${host}:${port}`, Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }));
    for (const peer of this.dialer.peers) {
      if (peer.target.host === host && peer.target.port === port && !peer.destroyed) peer.end();
    }
    if (forget) this.#nodes.delete(nodeId);
    return this;
  }

  topic(
    name: string,
    partitions: readonly ScriptedPartition[],
    options: { id?: string; error?: ErrorName } = {},
  ): this {
    this.topics.set(name, topicAnswer(name, partitions, options));
    return this;
  }

  /** Answers every request of an API like this from now on; undefined as the handler brings the default back. */
  on(name: ApiName, handler: Handler | undefined): this {
    if (handler === undefined) this.#handlers.delete(name);
    else this.#handlers.set(name, handler);
    return this;
  }

  /** What of an API was received, by all brokers, in order. */
  requests(name: ApiName): ReceivedAt[] {
    return this.received.filter((one) => one.name === name);
  }

  /** Answers a request that a handler left unanswered. */
  answer(received: ReceivedAt, answer: object): void {
    this.brokers.get(received.nodeId)!.answer(received, answer);
  }

  pool(options: ConnectionOptions = {}): ConnectionPool {
    return new ConnectionPool(ConnectionConfig.from(options), this.ports);
  }

  cluster(options: Partial<ClusterOptions> = {}): Cluster {
    const pool = options.pool ?? this.pool();
    return new Cluster({ brokers: ['b1:9092'], allowAutoTopicCreation: false, ...options, pool }, this.ports);
  }

  deadline(budgetMs = 10_000): Deadline {
    return new Deadline(this.clock, budgetMs, 'testMs');
  }

  metadata(names: readonly string[] | null): MetadataAnswer {
    const asked = names ?? [...this.topics.keys()];
    return {
      throttleTimeMs: 0,
      brokers: Array.from(this.#nodes, ([nodeId, { host, port }]) => ({ nodeId, host, port, rack: null })),
      clusterId: this.clusterId,
      controllerId: this.controllerId,
      topics: asked.map(
        (name) => this.topics.get(name) ?? topicAnswer(name, [], { error: 'UNKNOWN_TOPIC_OR_PARTITION' }),
      ),
      errorCode: 0,
    };
  }

  #byDefault({ name, request, version }: ReceivedAt): object | undefined {
    if (name === 'Metadata') return this.metadata(namesOf(request));
    if (name === 'FindCoordinator') return this.#coordinators(request, version);
    return undefined;
  }

  #coordinators(request: Record<string, unknown>, version: number): object {
    const [nodeId, node] = [...this.#nodes][0]!;
    const told = { nodeId, ...node, errorCode: 0, errorMessage: null };
    if (version < 4) return told;
    return { coordinators: (request['coordinatorKeys'] as string[]).map((key) => ({ key, ...told })) };
  }
}

/** The topics that a Metadata request asks for; null for all. */
export const namesOf = (request: Record<string, unknown>): string[] | null =>
  (request['topics'] as { name: string }[] | null)?.map(({ name }) => name) ?? null;
