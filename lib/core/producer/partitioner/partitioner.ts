import type { TopicMetadata } from '../../cluster/index.js';
import type { RecordContent } from '../record.js';

/** What a partitioner may decide by: the record as it will be written. */
export interface PartitionableRecord {
  readonly topic: string;
  readonly key: RecordContent;
  readonly value: RecordContent;
}

/** Chooses the partition of each record that names none. */
export interface Partitioner {
  /** The index of a partition in `topic.partitions`; anything else is refused. */
  partition(record: PartitionableRecord, topic: TopicMetadata): number;
}

/** A {@link Partitioner} as a function. */
export type PartitionFunction = Partitioner['partition'];

/**
 * The partitioners that come with the producer.
 *
 * - `default`: keyed records by murmur2 of the key, exactly as the Java client; keyless ones as `uniform-sticky`.
 * - `uniform-sticky`: whatever the key, one partition at a time until a batch's worth of bytes has gone there (KIP-480, KIP-794).
 * - `round-robin`: whatever the key, the next partition for each record.
 */
export type PartitionerName = 'default' | 'uniform-sticky' | 'round-robin';
