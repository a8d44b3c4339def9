/** A broker as the cluster's metadata tells of it. */
export interface BrokerNode {
  readonly nodeId: number;
  readonly host: string;
  readonly port: number;
  readonly rack: string | null;
  /** `host:port`, the key of its connections in the pool. An IPv6 host is in brackets. */
  readonly address: string;
}

/** One partition of a topic. */
export interface PartitionMetadata {
  readonly partition: number;
  /** The node id of the leader, -1 when there is none now: not yet, or not at the moment. */
  readonly leader: number;
  /** -1 when the broker tells of none. Comparable only within one topic id. */
  readonly leaderEpoch: number;
  readonly replicas: readonly number[];
  readonly isr: readonly number[];
  readonly offlineReplicas: readonly number[];
}

/** One topic. */
export interface TopicMetadata {
  readonly name: string;
  /** Kafka's topic id (KIP-516), all zeros (`ZERO_UUID`) from brokers before 2.8. */
  readonly id: string;
  readonly isInternal: boolean;
  /** In order: the index is the partition's number. Empty while the topic is being created. */
  readonly partitions: readonly PartitionMetadata[];
}

/** What a {@link ClusterMetadata} is made of. */
export interface ClusterFacts {
  readonly clusterId: string | null;
  readonly controllerId: number;
  readonly brokers: ReadonlyMap<number, BrokerNode>;
  readonly topics: ReadonlyMap<string, TopicMetadata>;
}

/**
 * What is known of the cluster at one moment. It never changes: a new one takes its place, and shares with it every
 * topic and partition that stayed as it was, so that `===` tells whether something changed.
 */
export class ClusterMetadata implements ClusterFacts {
  /** Nothing is known yet. */
  static readonly empty: ClusterMetadata = new ClusterMetadata(
    { clusterId: null, controllerId: -1, brokers: new Map(), topics: new Map() },
    0,
  );

  /** Null until a broker has told it. */
  readonly clusterId: string | null;
  /** The node that requests for the controller go to, -1 when not known. Under KRaft, any broker: it forwards. */
  readonly controllerId: number;
  /** By node id. */
  readonly brokers: ReadonlyMap<number, BrokerNode>;
  /** By name; only topics that somebody here uses. */
  readonly topics: ReadonlyMap<string, TopicMetadata>;
  #namesById: ReadonlyMap<string, string> | undefined;

  constructor(
    facts: ClusterFacts,
    /** Grows with each snapshot of one cluster. */
    readonly version: number,
  ) {
    this.clusterId = facts.clusterId;
    this.controllerId = facts.controllerId;
    this.brokers = facts.brokers;
    this.topics = facts.topics;
  }

  /** The topic that has this id, if it is known. */
  topicNameOf(id: string): string | undefined {
    this.#namesById ??= new Map(Array.from(this.topics.values(), (topic) => [topic.id, topic.name]));
    return this.#namesById.get(id);
  }

  /** The broker that leads a partition; undefined when the partition, its leader or that broker is not known. */
  leaderOf(topic: string, partition: number): BrokerNode | undefined {
    const leader = this.topics.get(topic)?.partitions[partition]?.leader;
    return leader === undefined ? undefined : this.brokers.get(leader);
  }

  /** The next snapshot: this one with some facts replaced. */
  with(facts: Partial<ClusterFacts>): ClusterMetadata {
    return new ClusterMetadata(
      {
        clusterId: facts.clusterId === undefined ? this.clusterId : facts.clusterId,
        controllerId: facts.controllerId ?? this.controllerId,
        brokers: facts.brokers ?? this.brokers,
        topics: facts.topics ?? this.topics,
      },
      this.version + 1,
    );
  }
}
