import { KrafkaClosedError, KrafkaConfigError } from '../core/support/index.js';
import { SERVED_APIS } from './apis/index.js';
import { Cluster, type NewTopic } from './cluster/cluster.js';
import { CoordinatorPlacement, type CoordinatorType } from './cluster/coordinator-placement.js';
import type { ClusterNode } from './cluster/node.js';
import type { Partition } from './cluster/partition.js';
import { configProblem } from './cluster/topic-config.js';
import { topicNameProblem } from './cluster/topic-name.js';
import { checkedOptions, type CheckedOptions, type EmbeddedBrokerOptions } from './embedded-broker.options.js';
import { recordsIn, type EmbeddedRecord } from './embedded-record.js';
import { Faults } from './faults.js';
import { FetchSessions } from './fetching/fetch-sessions.js';
import { GroupCoordinator } from './groups/group-coordinator.js';
import { loadCodecs } from './log/codecs-at-once.js';
import { RequestLog } from './request-log.js';
import type { ConnectionParts } from './server/client-connection.js';
import { NodeServer } from './server/node-server.js';
import { OfferedApis, type ApiVersionLimits } from './server/offered-apis.js';
import { newSaslGate } from './server/sasl.js';
import { TransactionCoordinator } from './transactions/transaction-coordinator.js';

const HOST = '127.0.0.1';

/** A topic to make on an embedded broker. */
export interface EmbeddedTopic {
  /** Default 1. */
  readonly partitions?: number;
  /** Default: as many as the cluster has nodes, three at most. */
  readonly replicationFactor?: number;
  /** Topic configurations by Kafka's names. */
  readonly configs?: Readonly<Record<string, string>>;
}

/**
 * A Kafka cluster within this process: real sockets on 127.0.0.1, the real protocol, and the strictness of a real broker.
 * What it holds lives in memory and ends with {@link close}.
 *
 * ```ts
 * const broker = await EmbeddedBroker.start({ topics: { 'orders.placed': 3 } });
 * const krafka = new Krafka({ brokers: broker.bootstrap });
 * ```
 */
export class EmbeddedBroker {
  /** Goes wrong on purpose: see {@link Faults}. */
  readonly faults: Faults;
  /** What clients have asked for. */
  readonly requests = new RequestLog();
  readonly #cluster: Cluster;
  readonly #coordinators: CoordinatorPlacement;
  readonly #groups: GroupCoordinator;
  readonly #transactions: TransactionCoordinator;
  readonly #offered: OfferedApis;
  readonly #servers = new Map<number, NodeServer>();
  readonly #sessions = new Map<number, FetchSessions>();
  #connectionIds = 0;
  #closed = false;

  private constructor(options: CheckedOptions) {
    const { clock, random } = options;
    const nodes = Array.from({ length: options.brokers }, (_, index): ClusterNode => ({
      id: index + 1,
      host: HOST,
      port: 0,
      online: true,
    }));
    this.#cluster = new Cluster(nodes, { clock, random });
    this.#coordinators = new CoordinatorPlacement(this.#cluster);
    this.#offered = new OfferedApis(SERVED_APIS, options.apiVersions);
    this.faults = new Faults((api) => this.#offered.served(api)?.api);
    this.#groups = new GroupCoordinator(
      {
        initialRebalanceDelayMs: options.groupInitialRebalanceDelayMs,
        minSessionTimeoutMs: options.groupMinSessionTimeoutMs,
        maxSessionTimeoutMs: options.groupMaxSessionTimeoutMs,
        consumerSessionTimeoutMs: options.groupConsumerSessionTimeoutMs,
        consumerHeartbeatIntervalMs: options.groupConsumerHeartbeatIntervalMs,
        consumerAssignmentIntervalMs: options.groupConsumerAssignmentIntervalMs,
      },
      this.#cluster,
      clock,
    );
    this.#transactions = new TransactionCoordinator(this.#cluster, this.#groups, clock);
    const parts: ConnectionParts = {
      cluster: this.#cluster,
      coordinators: this.#coordinators,
      groups: this.#groups,
      transactions: this.#transactions,
      offered: this.#offered,
      autoCreateTopics: options.autoCreateTopics,
      transactionVersion: options.transactionVersion,
      faults: this.faults,
      requests: this.requests,
      fetchSessions: (node) => this.#sessionsOf(node.id),
      newSaslGate: () => newSaslGate(options.sasl, random),
    };
    for (const node of nodes) {
      this.#sessions.set(node.id, new FetchSessions(options.fetchSessionSlots, { clock, random }));
      this.#servers.set(node.id, new NodeServer(node, parts, () => ++this.#connectionIds, options.tls));
    }
    for (const [name, partitions] of Object.entries(options.topics)) this.#cluster.createTopic({ name, partitions });
  }

  /** Starts a cluster; every node listens when the promise resolves. A senseless option is a `KrafkaConfigError`. */
  static async start(options?: EmbeddedBrokerOptions): Promise<EmbeddedBroker> {
    const broker = new EmbeddedBroker(checkedOptions(options));
    try {
      await Promise.all([loadCodecs(), ...[...broker.#servers.values()].map((server) => server.listen())]);
    } catch (error) {
      await broker.close();
      throw error;
    }
    return broker;
  }

  /** Addresses of all nodes, `host:port` with commas between. */
  get bootstrap(): string {
    return [...this.#cluster.nodes.values()].map(({ host, port }) => `${host}:${port}`).join(',');
  }

  /** Ids of all nodes, those that are stopped included. */
  get nodeIds(): readonly number[] {
    return [...this.#cluster.nodes.keys()];
  }

  /** Address of one node, `host:port`. */
  address(nodeId: number): string {
    const { host, port } = this.#node(nodeId);
    return `${host}:${port}`;
  }

  /** Number of open connections, of one node or of all. */
  connections(nodeId?: number): number {
    const ids = nodeId === undefined ? this.nodeIds : [this.#node(nodeId).id];
    return ids.reduce((sum, id) => sum + this.#server(id).connections, 0);
  }

  /** Makes a topic. A name, number or configuration that Kafka refuses is a `KrafkaConfigError`. */
  createTopic(name: string, topic: EmbeddedTopic | number = {}): void {
    const {
      partitions = 1,
      replicationFactor,
      configs = {},
    } = typeof topic === 'number' ? { partitions: topic } : topic;
    const problem = topicNameProblem(name);
    if (problem !== undefined) throw new KrafkaConfigError('name', `is no topic name: ${problem}`);
    if (this.#cluster.topic(name) !== undefined) throw new KrafkaConfigError('name', `'${name}' exists already`);
    if (!Number.isSafeInteger(partitions) || partitions < 1) {
      throw new KrafkaConfigError('partitions', `must be a whole number of at least 1, got ${partitions}`);
    }
    const nodes = this.nodeIds.length;
    if (replicationFactor !== undefined && !(replicationFactor >= 1 && replicationFactor <= nodes)) {
      throw new KrafkaConfigError('replicationFactor', `must be from 1 to ${nodes}, got ${replicationFactor}`);
    }
    for (const [config, value] of Object.entries(configs)) {
      const wrong = configProblem(config, value);
      if (wrong !== undefined) throw new KrafkaConfigError(`configs.${config}`, `is refused: ${wrong}`);
    }
    const made: NewTopic = { name, partitions, configs: Object.entries(configs) };
    this.#cluster.createTopic(replicationFactor === undefined ? made : { ...made, replicationFactor });
  }

  /** Everything that a topic holds, partition by partition in the order of offsets; or only one partition of it. */
  records(topic: string, partition?: number): readonly EmbeddedRecord[] {
    const known = this.#cluster.topic(topic);
    if (known === undefined) throw new KrafkaConfigError('topic', `'${topic}' does not exist`);
    return partition === undefined ? known.partitions.flatMap(recordsIn) : recordsIn(this.#partition(topic, partition));
  }

  /** The offset that a group has committed, or undefined. */
  committed(groupId: string, topic: string, partition: number): number | undefined {
    return this.#groups.committed(groupId, topic, partition);
  }

  /** The node that leads a partition, -1 when none does. */
  leaderOf(topic: string, partition: number): number {
    return this.#partition(topic, partition).leaderId;
  }

  /** Makes another node lead a partition, from a new leader epoch on. */
  moveLeader(topic: string, partition: number, nodeId: number): void {
    this.#cluster.moveLeader(this.#partition(topic, partition), this.#onlineNode(nodeId).id);
  }

  /** The node that coordinates a group or a transactional id. */
  coordinatorOf(type: CoordinatorType, key: string): number {
    return this.#coordinators.nodeOf(type, key)?.id ?? -1;
  }

  /** Makes another node the coordinator of a group or transactional id. It knows what the old one had written down. */
  moveCoordinator(type: CoordinatorType, key: string, nodeId: number): void {
    this.#coordinators.move(type, key, this.#onlineNode(nodeId).id);
    if (type === 'group') this.#groups.coordinatorMoved(key);
  }

  /** Cuts all connections at once, of one node or of all; clients may connect again. */
  killConnections(nodeId?: number): void {
    const ids = nodeId === undefined ? this.nodeIds : [this.#node(nodeId).id];
    for (const id of ids) this.#server(id).killConnections();
  }

  /** How many incremental fetch sessions all nodes together hold (KIP-227). */
  get fetchSessions(): number {
    return this.nodeIds.reduce((sum, id) => sum + this.#sessionsOf(id).size, 0);
  }

  /** Forgets the incremental fetch sessions of a node, or of all, as a full cache does (KIP-227). */
  dropFetchSessions(nodeId?: number): void {
    const ids = nodeId === undefined ? this.nodeIds : [this.#node(nodeId).id];
    for (const id of ids) this.#sessionsOf(id).clear();
  }

  /** Loses a partition's records from `offset` on (whole batches), as an unclean leader election does: a new epoch begins. */
  loseRecords(topic: string, partition: number, offset: number): void {
    const lost = this.#partition(topic, partition);
    lost.log.truncate(offset);
    lost.lead(lost.leaderId);
  }

  /** Stops a node: connections and port are closed, others lead and coordinate what it did where they can. */
  async stopNode(nodeId: number): Promise<void> {
    const node = this.#onlineNode(nodeId);
    const moving = this.#groups.all.filter(({ id }) => this.#coordinators.nodeOf('group', id)?.id === nodeId);
    this.#cluster.nodeStopped(node);
    this.#sessionsOf(nodeId).clear();
    for (const { id } of moving) this.#groups.coordinatorMoved(id);
    await this.#server(nodeId).close();
  }

  /** Starts a stopped node again, on the port it had. It has everything that was written meanwhile. */
  async restartNode(nodeId: number): Promise<void> {
    const node = this.#node(nodeId);
    if (node.online) throw new KrafkaConfigError('nodeId', `${nodeId} is running`);
    if (this.#closed) throw new KrafkaClosedError('the embedded broker');
    await this.#server(nodeId).listen();
    const before = new Map(this.#groups.all.map(({ id }) => [id, this.#coordinators.nodeOf('group', id)?.id]));
    this.#cluster.nodeStarted(node);
    for (const [id, was] of before) {
      if (this.#coordinators.nodeOf('group', id)?.id !== was) this.#groups.coordinatorMoved(id);
    }
  }

  /** Replaces the limits of what is offered; connections that are open feel it with their next request. */
  setApiVersions(limits: ApiVersionLimits): void {
    this.#offered.limit(limits);
  }

  /** Closes every connection and port, and ends every timer. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#groups.close();
    this.#transactions.close();
    await Promise.all([...this.#servers.values()].map((server) => server.close()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #node(nodeId: number): ClusterNode {
    const node = this.#cluster.nodes.get(nodeId);
    if (node === undefined) throw new KrafkaConfigError('nodeId', `${nodeId} is none of ${this.nodeIds.join(', ')}`);
    return node;
  }

  #onlineNode(nodeId: number): ClusterNode {
    const node = this.#node(nodeId);
    if (!node.online) throw new KrafkaConfigError('nodeId', `${nodeId} is stopped`);
    return node;
  }

  #server(nodeId: number): NodeServer {
    return this.#servers.get(nodeId) as NodeServer;
  }

  #sessionsOf(nodeId: number): FetchSessions {
    return this.#sessions.get(nodeId) as FetchSessions;
  }

  #partition(topic: string, partition: number): Partition {
    const found = this.#cluster.partition(topic, partition);
    if (found === undefined) throw new KrafkaConfigError('partition', `'${topic}' has no partition ${partition}`);
    return found;
  }
}
