import { BATCH_HEADER_BYTES, RecordBatchBuilder, type RecordHeaders } from '../../protocol/index.js';
import { KrafkaRecordTooLargeError, type Clock, type Random } from '../../support/index.js';
import type { SendingConfig } from '../options.js';
import { StickyPartition } from '../partitioner/sticky-partition.js';
import type { RecordContent } from '../record.js';
import { BufferMemory, OWNER_BYTES } from './buffer-memory.js';
import type { FlushBarrier } from './flush-barrier.js';
import type { PartitionQueue } from './partition-queue.js';
import { ProducerBatch, type AppendResult } from './producer-batch.js';
import { TopicQueues } from './topic-queues.js';

/** What the accumulator tells whoever sends its batches. */
export interface AccumulatorListener {
  /** The queue has something that may go now. */
  ready(queue: PartitionQueue): void;
  /** A batch was begun; it may go once it has lingered. */
  lingering(batch: ProducerBatch): void;
  /** A batch was begun: its delivery timeout runs. */
  began(batch: ProducerBatch): void;
  /** Compressing the batch failed. */
  broken(batch: ProducerBatch, error: Error): void;
}

/** The parts of a producer's configuration that are the accumulator's. */
export type AccumulatorOptions = Pick<
  SendingConfig,
  'batchSize' | 'lingerMs' | 'maxRequestSize' | 'codec' | 'compressionLevel' | 'accumulator'
>;

/** Above this a record is measured before a buffer is taken for it, rather than given three times what it needs. */
const LARGE_RECORD = 4 * 1024;

/** How much larger than `batchSize` a batch may become before compression, however well that is expected to do. */
const MOST_FILL = 16;

/** Bytes of a record besides its key, value and headers, at most: six varints, one of them of 64 bits, and the attributes. */
const RECORD_OVERHEAD = 36;

/**
 * Encodes records straight into the open batch of their partition, and closes batches that are full. Owns the batches that
 * are not settled, and their memory.
 *
 * Hot: guarded by `npm run bench -- produce`.
 */
export class RecordAccumulator {
  readonly memory: BufferMemory;
  /** Every batch that is not settled, oldest first (but for the pieces of split ones). */
  readonly incomplete = new Set<ProducerBatch>();
  readonly topics = new Map<string, TopicQueues>();
  readonly #options: AccumulatorOptions;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #listener: AccumulatorListener;
  /** A record that may be larger than this is measured before it is taken. */
  readonly #mostUncheckedBytes: number;
  #nextAffinity = 0;
  #hurried = false;

  constructor(options: AccumulatorOptions, ports: { clock: Clock; random: Random }, listener: AccumulatorListener) {
    this.#options = options;
    this.#clock = ports.clock;
    this.#random = ports.random;
    this.#listener = listener;
    this.memory = new BufferMemory(options.accumulator.bufferMemory);
    // Half, for a buffer's capacity may be twice what is asked for.
    const mostInMemory = (options.accumulator.bufferMemory - OWNER_BYTES.ofOne) / 2;
    const mostBytes = Math.min(options.maxRequestSize, mostInMemory);
    this.#mostUncheckedBytes = mostBytes - BATCH_HEADER_BYTES;
  }

  /** The queues of a topic, made when it is first named. */
  topic(name: string): TopicQueues {
    let topic = this.topics.get(name);
    if (topic === undefined) {
      const sticky = new StickyPartition(this.#options.batchSize, this.#random);
      topic = new TopicQueues(name, sticky, () => this.#nextAffinity++);
      this.topics.set(name, topic);
    }
    return topic;
  }

  /**
   * Encodes a record into its partition's batch, which is answered: its owner, for whom `ownerBytes` are counted, is to be
   * added to the batch's settlements.
   *
   * Answers `full` when `movable` and the partition's batch, now closed, had no room: another partition may do better. And
   * `no-memory` when the record has to wait.
   *
   * @throws KrafkaRecordTooLargeError, KrafkaSerializationError; nothing is left behind
   */
  append(
    queue: PartitionQueue,
    timestamp: number,
    key: RecordContent,
    value: RecordContent,
    headers: RecordHeaders | undefined,
    immediate: boolean,
    movable: boolean,
    ownerBytes: number,
  ): ProducerBatch | 'full' | 'no-memory' {
    let bound = boundOf(key, value, headers);
    if (bound > this.#mostUncheckedBytes) bound = this.#checkSize(queue, key, value, headers, ownerBytes);
    const open = queue.open;
    if (open !== undefined) {
      const result = open.append(timestamp, key, value, headers, bound, ownerBytes);
      if (result === 'appended') {
        if (immediate) this.hurry(open);
        return open;
      }
      if (result === 'no-memory') return result;
      this.close(queue);
      if (open.state === 'ready') this.#listener.ready(queue);
      if (movable) return 'full';
    }
    return this.#begin(queue, timestamp, key, value, headers, immediate, bound, ownerBytes);
  }

  /** Forgets a topic to which nothing was ever written: one that turned out not to be there. */
  forget(topic: TopicQueues): void {
    if (topic.queues.length === 0) this.topics.delete(topic.name);
  }

  /**
   * The topics that were in use since this was last called. A record is in a batch from when it is taken until it is settled,
   * so it is enough to note which batches end, and to look at those there are.
   */
  takeUsedTopics(): Set<string> {
    const used = new Set<string>();
    for (const topic of this.topics.values()) {
      if (topic.used) used.add(topic.name);
      topic.used = false;
    }
    for (const { queue } of this.incomplete) used.add(queue.topic.name);
    return used;
  }

  /** Closes the open batch of a queue, which then waits to be sent: ready at once, or told of once it is compressed. */
  close(queue: PartitionQueue): void {
    const batch = queue.open as ProducerBatch;
    queue.open = undefined;
    queue.expectedBytes = batch.uncompressedSizeInBytes;
    queue.waiting.push(batch);
    this.compress(batch);
  }

  /** Closes a batch that is in its queue: ready, or compressing and told of when it is. Who calls sees to a ready one. */
  compress(batch: ProducerBatch): void {
    let compressing: void | Promise<void>;
    try {
      compressing = batch.close(this.#options.codec, this.#options.compressionLevel);
    } catch (error) {
      this.#listener.broken(batch, error as Error);
      return;
    }
    if (compressing === undefined) {
      this.#learnRatio(batch);
      return;
    }
    compressing.then(
      () => {
        if (batch.state === 'settled') return;
        this.#learnRatio(batch);
        this.#listener.ready(batch.queue);
      },
      (error: unknown) => {
        if (batch.state !== 'settled') this.#listener.broken(batch, error as Error);
      },
    );
  }

  /** Adds a batch that did not begin here: a piece of a split one. */
  adopt(batch: ProducerBatch): void {
    this.incomplete.add(batch);
    this.#listener.began(batch);
  }

  /** The barrier waits for every batch there is, and none of them lingers any longer. */
  flush(barrier: FlushBarrier): void {
    for (const batch of this.incomplete) {
      batch.waitedForBy(barrier);
      this.hurry(batch);
    }
  }

  /** The batch, when it is still open, goes without lingering. */
  hurry(batch: ProducerBatch): void {
    if (batch.state !== 'open' || batch.due) return;
    batch.due = true;
    this.#listener.ready(batch.queue);
  }

  /** While true, no batch lingers: somebody waits for memory. */
  set hurried(hurried: boolean) {
    if (hurried && !this.#hurried) {
      for (const batch of this.incomplete) this.hurry(batch);
    }
    this.#hurried = hurried;
  }

  /** The batch is settled: its memory is free again. Whoever calls tells its owners next. */
  remove(batch: ProducerBatch): void {
    this.incomplete.delete(batch);
    batch.release();
    batch.state = 'settled';
    const { queue } = batch;
    queue.topic.used = true;
    if (queue.open === batch) queue.open = undefined;
  }

  #begin(
    queue: PartitionQueue,
    timestamp: number,
    key: RecordContent,
    value: RecordContent,
    headers: RecordHeaders | undefined,
    immediate: boolean,
    bound: number,
    ownerBytes: number,
  ): ProducerBatch | 'no-memory' {
    if (bound > LARGE_RECORD) bound = RecordBatchBuilder.upperBoundOf(key, value, headers);
    const batch = ProducerBatch.begin(queue, this.#clock.monotonic(), this.memory, {
      maxBytes: this.#maxBytes(queue.topic),
      expectedBytes: queue.expectedBytes,
      leastBytes: BATCH_HEADER_BYTES + bound,
      ownerBytes,
    });
    if (batch === undefined) return 'no-memory';
    let result: AppendResult;
    try {
      result = batch.append(timestamp, key, value, headers, bound, ownerBytes);
    } catch (error) {
      batch.release();
      throw error;
    }
    if (result !== 'appended') {
      batch.release();
      return 'no-memory';
    }
    queue.open = batch;
    this.incomplete.add(batch);
    this.#listener.began(batch);
    if (immediate || this.#hurried || this.#options.lingerMs === 0) this.hurry(batch);
    else this.#listener.lingering(batch);
    return batch;
  }

  #learnRatio(batch: ProducerBatch): void {
    if (this.#options.codec !== undefined) {
      batch.queue.topic.compressedTo(batch.sizeInBytes / batch.uncompressedSizeInBytes);
    }
  }

  #maxBytes(topic: TopicQueues): number {
    const { batchSize, codec } = this.#options;
    return codec === undefined ? batchSize : Math.floor(batchSize * Math.min(MOST_FILL, 1 / topic.expectedRatio));
  }

  /** The record's exact size, when it may be sent at all. */
  #checkSize(
    queue: PartitionQueue,
    key: RecordContent,
    value: RecordContent,
    headers: RecordHeaders | undefined,
    ownerBytes: number,
  ): number {
    const bytes = RecordBatchBuilder.upperBoundOf(key, value, headers);
    const { maxRequestSize, accumulator } = this.#options;
    if (BATCH_HEADER_BYTES + bytes > maxRequestSize) {
      throw new KrafkaRecordTooLargeError(
        queue.topic.name,
        `takes ${bytes} bytes, and its request more than maxRequestSize of ${maxRequestSize}`,
      );
    }
    if (BufferMemory.capacityFor(BATCH_HEADER_BYTES + bytes) + ownerBytes > accumulator.bufferMemory) {
      throw new KrafkaRecordTooLargeError(
        queue.topic.name,
        `takes ${bytes} bytes, and its batch with who awaits it more than bufferMemory of ${accumulator.bufferMemory}`,
      );
    }
    return bytes;
  }
}

/** No less than the bytes a record takes, and cheap: text is taken to be the longest UTF-8 it could be. */
function boundOf(key: RecordContent, value: RecordContent, headers: RecordHeaders | undefined): number {
  if (headers !== undefined) return RecordBatchBuilder.upperBoundOf(key, value, headers);
  let bytes = RECORD_OVERHEAD;
  if (typeof key === 'string') bytes += key.length * 3;
  else if (key !== null) bytes += key.length;
  if (typeof value === 'string') bytes += value.length * 3;
  else if (value !== null) bytes += value.length;
  return bytes;
}
