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

/** A leader told of in a Produce or Fetch response (KIP-951). */
export interface LeaderChange {
  readonly topic: string;
  readonly partition: number;
  readonly leaderId: number;
  readonly leaderEpoch: number;
  /** Where the leader is, from the response's `nodeEndpoints`, when it is there. */
  readonly node?: { readonly host: string; readonly port: number; readonly rack?: string | null } | undefined;
}

/** What is known of the cluster at one moment. Never changes: a new one takes its place. */
export declare class ClusterMetadata {
  /** Nothing is known. */
  static readonly empty: ClusterMetadata;
  /** Grows by one with each snapshot. */
  readonly version: number;
  readonly clusterId: string | null;
  readonly controllerId: number;
  readonly brokers: ReadonlyMap<number, BrokerNode>;
  /** Only topics that somebody here uses. */
  readonly topics: ReadonlyMap<string, TopicMetadata>;
  topicNameOf(id: string): string | undefined;
  leaderOf(topic: string, partition: number): BrokerNode | undefined;
}
