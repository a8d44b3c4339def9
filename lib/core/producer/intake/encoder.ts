import type { TopicMetadata } from '../../cluster/index.js';
import type { RecordHeaders } from '../../protocol/index.js';
import { KrafkaError } from '../../support/index.js';
import type { ProducerBatch } from '../accumulator/producer-batch.js';
import type { RecordAccumulator } from '../accumulator/record-accumulator.js';
import type { TopicQueues } from '../accumulator/topic-queues.js';
import { partitionOfKey } from '../partitioner/murmur2.js';
import type { Partitioner, PartitionerName, PartitionFunction } from '../partitioner/partitioner.js';
import { RoundRobinPartitioner } from '../partitioner/round-robin-partitioner.js';
import type { RecordContent } from '../record.js';

/** What kept a record from being encoded. */
export type Obstacle = 'no-metadata' | 'no-memory' | 'unknown-partition';

/** A record as it will be written: contents serialized, timestamp set. */
export interface EncodableRecord {
  readonly key: RecordContent;
  readonly value: RecordContent;
  readonly headers: RecordHeaders | undefined;
  readonly timestamp: number;
}

/**
 * Chooses a record's partition and encodes it there.
 *
 * Hot: guarded by `npm run bench -- produce`.
 */
export class RecordEncoder {
  readonly #accumulator: RecordAccumulator;
  readonly #hashesKeys: boolean;
  readonly #choose: PartitionFunction | undefined;

  constructor(accumulator: RecordAccumulator, partitioner: PartitionerName | Partitioner | PartitionFunction) {
    this.#accumulator = accumulator;
    this.#hashesKeys = partitioner === 'default';
    this.#choose = functionOf(partitioner);
  }

  /** The partition that the key or the partitioner decides, or undefined for the sticky one. */
  partitionOf(topic: TopicQueues, key: RecordContent, value: RecordContent): number | undefined {
    const { metadata } = topic;
    if (metadata === undefined) return undefined;
    if (this.#hashesKeys) return key === null ? undefined : partitionOfKey(key, metadata.partitions.length);
    if (this.#choose === undefined) return undefined;
    const partition = this.#ask(topic.name, key, value, metadata);
    if (!Number.isSafeInteger(partition) || partition < 0 || partition >= metadata.partitions.length) {
      throw new KrafkaError(
        `the partitioner chose partition ${String(partition)} of topic '${topic.name}', which has ${metadata.partitions.length}`,
        { code: 'INVALID_PARTITION' },
      );
    }
    return partition;
  }

  #ask(topic: string, key: RecordContent, value: RecordContent, metadata: TopicMetadata): number {
    try {
      return (this.#choose as PartitionFunction)({ topic, key, value }, metadata);
    } catch (cause) {
      const problem = cause instanceof Error ? cause.message : String(cause);
      throw new KrafkaError(`the partitioner threw: ${problem}`, { code: 'INVALID_PARTITION', cause });
    }
  }

  /**
   * Encodes the record; the batch that is answered awaits its owner. `partition` undefined: the sticky one.
   *
   * @throws KrafkaRecordTooLargeError, KrafkaSerializationError; nothing is left behind
   */
  encode(
    topic: TopicQueues,
    partition: number | undefined,
    key: RecordContent,
    value: RecordContent,
    headers: RecordHeaders | undefined,
    timestamp: number,
    immediate: boolean,
    ownerBytes: number,
  ): ProducerBatch | Obstacle {
    const { metadata } = topic;
    if (metadata === undefined) return 'no-metadata';
    if (partition !== undefined) {
      if (partition >= metadata.partitions.length) return 'unknown-partition';
      const queue = topic.queueOf(partition);
      // Not movable, so never 'full'.
      return this.#accumulator.append(queue, timestamp, key, value, headers, immediate, false, ownerBytes) as
        ProducerBatch | 'no-memory';
    }
    const { sticky } = topic;
    for (;;) {
      const queue = topic.queueOf(sticky.choose(metadata, topic.backlogOf));
      const { open } = queue;
      const before = open === undefined ? 0 : open.sizeInBytes;
      const result = this.#accumulator.append(queue, timestamp, key, value, headers, immediate, true, ownerBytes);
      if (result === 'no-memory') return result;
      if (result !== 'full') {
        sticky.appended(result.sizeInBytes - before);
        return result;
      }
      sticky.filled();
    }
  }
}

function functionOf(partitioner: PartitionerName | Partitioner | PartitionFunction): PartitionFunction | undefined {
  if (typeof partitioner === 'function') return partitioner;
  if (typeof partitioner === 'object') return (record, topic) => partitioner.partition(record, topic);
  if (partitioner !== 'round-robin') return undefined;
  const roundRobin = new RoundRobinPartitioner();
  return (record, topic) => roundRobin.partition(record, topic);
}
