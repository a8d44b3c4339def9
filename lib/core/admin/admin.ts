import type { BrokerNode, Cluster, TopicMetadata } from '../cluster/index.js';
import type { CommittedOffset, OffsetToCommit, TopicPartition, TopicPartitionOffset } from '../consumer/index.js';
import type { NetworkPorts } from '../network/index.js';
import type { AdminOptions, CallOptions } from './call-options.js';

/** A topic to be created. */
export interface TopicSpec {
  readonly name: string;
  /** How many partitions. Default: the broker's `num.partitions`. */
  readonly partitions?: number | undefined;
  /** How many copies of each. Default: the broker's `default.replication.factor`. */
  readonly replicationFactor?: number | undefined;
  /** Which brokers get the copies of each partition, the preferred leader first, instead of the two above. */
  readonly assignments?: readonly (readonly number[])[] | undefined;
  /** The topic's own configuration, in Kafka's names and words. */
  readonly configs?: Readonly<Record<string, string>> | undefined;
}

export interface CreateTopicsOptions extends CallOptions {
  readonly validateOnly?: boolean;
  /** What a topic that is there already means. Ignored, it stays as it is. Default 'error'. */
  readonly existing?: 'error' | 'ignore';
  /** Waits until each partition has a leader. Default true. */
  readonly waitForLeaders?: boolean;
}

export interface CreatedTopic {
  readonly name: string;
  readonly id: string;
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly created: boolean;
}

// The signatures the neighbours build on; the implementation follows in the next commits.
export declare class Admin {
  constructor(cluster: Cluster, options?: AdminOptions, ports?: Partial<NetworkPorts>);
  createTopics(topics: readonly TopicSpec[], options?: CreateTopicsOptions): Promise<CreatedTopic[]>;
  deleteTopics(
    names: readonly string[],
    options?: CallOptions & { readonly missing?: 'error' | 'ignore' },
  ): Promise<void>;
  listTopics(options?: CallOptions & { readonly includeInternal?: boolean }): Promise<TopicMetadata[]>;
  describeTopics(names: readonly string[], options?: CallOptions): Promise<TopicMetadata[]>;
  describeCluster(
    options?: CallOptions,
  ): Promise<{ clusterId: string | null; controllerId: number; brokers: BrokerNode[] }>;
  listGroupOffsets(groupId: string, options?: CallOptions): Promise<CommittedOffset[]>;
  alterGroupOffsets(groupId: string, offsets: readonly OffsetToCommit[], options?: CallOptions): Promise<void>;
  deleteGroupOffsets(groupId: string, partitions: readonly TopicPartition[], options?: CallOptions): Promise<void>;
  deleteRecords(before: readonly TopicPartitionOffset[], options?: CallOptions): Promise<TopicPartitionOffset[]>;
  /** Ends what waits here. */
  close(): Promise<void>;
}
