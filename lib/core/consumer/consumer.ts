import type { Cluster } from '../cluster/index.js';
import type { NetworkPorts } from '../network/index.js';
import type { ConsumerRecord } from '../protocol/index.js';
import { TypedEvents } from '../support/index.js';
import type { ConsumerEvents, GroupState } from './consumer-events.js';
import type { ConsumerOptions, ManualAssignment } from './consumer-options.js';
import type { ConsumerStats } from './consumer-stats.js';
import type { RunOptions } from './handlers.js';
import type { TopicPartition, TopicPartitionOffset } from './topic-partition.js';

/** An offset to be committed, with what the group keeps beside it. */
export interface OffsetToCommit extends TopicPartitionOffset {
  /** Text kept with the offset, at most what the broker's `offset.metadata.max.bytes` allows. */
  readonly metadata?: string | undefined;
  /** The leader epoch of the last record done (KIP-320), where known. */
  readonly leaderEpoch?: number | undefined;
}

/** An offset as the group keeps it. */
export interface CommittedOffset extends TopicPartitionOffset {
  readonly metadata: string;
  /** -1 when it is not known. */
  readonly leaderEpoch: number;
}

/** Where to go on in a partition: an offset, its ends, or the first record at or after a time. */
export type SeekTarget = number | 'earliest' | 'latest' | { readonly timestamp: number };

// The signatures the neighbours build on; the implementation follows in the next commits.
export declare class Consumer implements AsyncIterable<ConsumerRecord> {
  constructor(cluster: Cluster, options: ConsumerOptions, ports?: Partial<NetworkPorts>);
  readonly events: TypedEvents<ConsumerEvents>;
  readonly groupId: string | undefined;
  start(): Promise<void>;
  [Symbol.asyncIterator](): AsyncIterator<ConsumerRecord, undefined>;
  run(options: RunOptions): Promise<void>;
  subscribe(topics: readonly string[]): Promise<void>;
  assign(assignments: readonly ManualAssignment[]): Promise<void>;
  subscription(): readonly string[];
  assignment(): readonly TopicPartition[];
  pause(partitions?: readonly TopicPartition[]): void;
  resume(partitions?: readonly TopicPartition[]): void;
  paused(): readonly TopicPartition[];
  seek(partition: TopicPartition, target: SeekTarget): Promise<void>;
  commit(offsets?: readonly OffsetToCommit[]): Promise<void>;
  committed(partitions?: readonly TopicPartition[]): Promise<readonly CommittedOffset[]>;
  position(partition: TopicPartition): number | undefined;
  lag(partition: TopicPartition): number | undefined;
  groupState(): GroupState;
  stats(): ConsumerStats;
  close(options?: { readonly timeoutMs?: number }): Promise<void>;
}
