import type { Clock, Random } from '../../core/support/index.js';
import type { ClusterNode } from './node.js';
import type { Partition } from './partition.js';
import { TopicConfig } from './topic-config.js';
import { Topic } from './topic.js';

/** How a topic is to be made: as CreateTopics says it, or by {@link Cluster.createTopic}'s defaults. */
export interface NewTopic {
  readonly name: string;
  readonly partitions: number;
  /** Default: as many as there are brokers, three at most. */
  readonly replicationFactor?: number;
  /** Chosen replicas per partition, in place of the two numbers. */
  readonly placement?: readonly (readonly number[])[];
  readonly configs?: Iterable<readonly [string, string]>;
}

/** The cluster's nodes, topics and leaders, as the controller of a KRaft cluster would hold them. Owner of all of it. */
export class Cluster {
  readonly id: string;
  readonly nodes: ReadonlyMap<number, ClusterNode>;
  readonly #topics = new Map<string, Topic>();
  readonly #topicsById = new Map<string, Topic>();
  readonly #clock: Clock;
  readonly #random: Random;
  #nextFirstReplica = 0;

  constructor(nodes: readonly ClusterNode[], ports: { readonly clock: Clock; readonly random: Random }) {
    this.nodes = new Map(nodes.map((node) => [node.id, node]));
    this.#clock = ports.clock;
    this.#random = ports.random;
    this.id = this.newUuid();
  }

  get clock(): Clock {
    return this.#clock;
  }

  /** A UUID in Kafka's text form, never one that begins like an option of a command line. */
  newUuid(): string {
    for (;;) {
      const text = this.#random.bytes(16).toString('base64url');
      if (!text.startsWith('-')) return text;
    }
  }

  get onlineNodes(): readonly ClusterNode[] {
    return [...this.nodes.values()].filter((node) => node.online);
  }

  /** The node that clients are told is the controller. Every node takes a controller's requests, as in KRaft. */
  get controllerId(): number {
    return this.onlineNodes[0]?.id ?? -1;
  }

  get topics(): ReadonlyMap<string, Topic> {
    return this.#topics;
  }

  topic(name: string): Topic | undefined {
    return this.#topics.get(name);
  }

  topicById(id: string): Topic | undefined {
    return this.#topicsById.get(id);
  }

  partition(topic: string, partition: number): Partition | undefined {
    return this.#topics.get(topic)?.partitions[partition];
  }

  /** Makes a topic, which must not exist, with its leaders spread over the nodes. */
  createTopic(options: NewTopic): Topic {
    const topic = new Topic(
      options.name,
      this.newUuid(),
      options.placement ?? this.place(options.partitions, options.replicationFactor ?? Math.min(3, this.nodes.size)),
      new TopicConfig(options.configs),
    );
    this.#topics.set(topic.name, topic);
    this.#topicsById.set(topic.id, topic);
    for (const partition of topic.partitions) this.#elect(partition);
    return topic;
  }

  deleteTopic(topic: Topic): void {
    this.#topics.delete(topic.name);
    this.#topicsById.delete(topic.id);
    for (const partition of topic.partitions) partition.wake();
  }

  addPartitions(topic: Topic, placement: readonly (readonly number[])[]): void {
    const before = topic.partitions.length;
    topic.addPartitions(placement);
    for (const partition of topic.partitions.slice(before)) this.#elect(partition);
  }

  /** Replicas for `partitions` partitions: each begins at the next node, the others follow it. */
  place(partitions: number, replicationFactor: number): readonly (readonly number[])[] {
    const ids = [...this.nodes.keys()];
    return Array.from({ length: partitions }, () => {
      const first = this.#nextFirstReplica++;
      return Array.from({ length: replicationFactor }, (_, index) => ids[(first + index) % ids.length] as number);
    });
  }

  /** Makes `nodeId`, which becomes a replica if it is none, the leader of a partition. */
  moveLeader(partition: Partition, nodeId: number): void {
    if (!partition.replicas.includes(nodeId)) partition.replicas = [nodeId, ...partition.replicas.slice(1)];
    if (!partition.isr.includes(nodeId)) partition.isr = [...partition.isr, nodeId];
    partition.isr = partition.isr.filter((id) => partition.replicas.includes(id));
    partition.lead(nodeId);
  }

  /** The node is gone: others lead what it led, where another replica is in sync. */
  nodeStopped(node: ClusterNode): void {
    node.online = false;
    for (const partition of this.#allPartitions()) this.#leaveIsr(partition, node.id);
  }

  /** The node is back and has caught up. */
  nodeStarted(node: ClusterNode): void {
    node.online = true;
    for (const partition of this.#allPartitions()) {
      if (!partition.replicas.includes(node.id)) continue;
      if (!partition.isr.includes(node.id)) partition.isr = [...partition.isr, node.id];
      if (partition.leaderId === -1) partition.lead(node.id);
    }
  }

  #leaveIsr(partition: Partition, nodeId: number): void {
    if (!partition.replicas.includes(nodeId)) return;
    const others = partition.isr.filter((id) => id !== nodeId);
    // The last one in sync stays in the set: only it may lead again without losing anything.
    if (others.length > 0) partition.isr = others;
    if (partition.leaderId === nodeId) partition.lead(others[0] ?? -1);
  }

  #elect(partition: Partition): void {
    partition.isr = partition.replicas.filter((id) => this.nodes.get(id)?.online);

    partition.leaderId = partition.isr[0] ?? -1;
  }

  *#allPartitions(): Iterable<Partition> {
    for (const topic of this.#topics.values()) yield* topic.partitions;
  }
}
