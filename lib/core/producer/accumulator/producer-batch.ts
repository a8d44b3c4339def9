import { RecordBatchBuilder, type CompressionCodec, type RecordHeaders } from '../../protocol/index.js';
import { NO_IDENTITY, sequenceAfter, type Identity } from '../idempotence/partition-sequences.js';
import type { RecordContent } from '../record.js';
import type { BufferMemory } from './buffer-memory.js';
import type { FlushBarrier } from './flush-barrier.js';
import type { PartitionQueue } from './partition-queue.js';
import { Settlements } from './settlements.js';

/**
 * Where a batch is.
 *
 *     open --> (compressing) --> ready --> inFlight --> settled
 *                                  ^-- retry --'
 */
export type BatchState = 'open' | 'compressing' | 'ready' | 'inFlight' | 'settled';

/** What came of appending a record: in, no room in this batch, or no memory for a larger buffer. */
export type AppendResult = 'appended' | 'full' | 'no-memory';

/** A batch of one partition's records: its bytes, its owners, and how its sending goes. */
export class ProducerBatch {
  /** Who awaits its records. */
  readonly settlements: Settlements;
  state: BatchState = 'open';
  /** True from its being handed to a connection until that attempt's outcome is known; may outlast `settled`. */
  onWire = false;
  /** True when it goes as soon as it can, without lingering. */
  due = false;
  /** Times it was sent. */
  attempts = 0;
  /** Monotonic; not sent again before. */
  retryAtMs = 0;
  /** Monotonic; when it was first sent, and last. */
  firstSentAtMs = -1;
  sentAtMs = -1;
  /** Its partition's leader epoch as it was known when it was last sent. */
  sentAtLeaderEpoch = -1;
  /** Whether an attempt may have been written without our knowing. */
  ambiguous = false;
  /** Whether it is a piece of a batch that was ambiguous. */
  pieceOfAmbiguous = false;
  /** Monotonic; until then an attempt whose connection was lost may still reach the broker. */
  ghostUntilMs = -Infinity;
  /** Whether it is among its queue's unresolved: sent, and its fate not settled with the broker. */
  unresolved = false;
  /** Why it is being sent again. */
  lastError: Error | undefined;
  /** Whose sequence it carries, once stamped. */
  identity: Identity = NO_IDENTITY;
  baseSequence = -1;

  readonly #memory: BufferMemory;
  readonly #builder: RecordBatchBuilder;
  /** The pooled buffer that the builder writes into, until compression gives it up. */
  #buffer: Buffer | undefined;
  /** Bytes counted for its bytes, and for its owners. */
  #capacity: number;
  #ownerBytes = 0;
  #pieces: readonly Buffer[] | undefined;
  /** Whether the pieces carry a former stamp. */
  #stale = false;
  #barriers: FlushBarrier[] | undefined;

  private constructor(
    readonly queue: PartitionQueue,
    /** Monotonic; when its first record came. The delivery timeout counts from here. */
    readonly createdAtMs: number,
    memory: BufferMemory,
    builder: RecordBatchBuilder,
    buffer: Buffer,
    settlements: Settlements,
  ) {
    this.#memory = memory;
    this.#builder = builder;
    this.#buffer = buffer;
    this.#capacity = buffer.length;
    this.settlements = settlements;
  }

  /** An empty batch with a buffer from the memory, and room for its first owner; or undefined when there is none to be had. */
  static begin(
    queue: PartitionQueue,
    createdAtMs: number,
    memory: BufferMemory,
    sizes: {
      readonly maxBytes: number;
      readonly expectedBytes: number;
      readonly leastBytes: number;
      readonly ownerBytes: number;
    },
  ): ProducerBatch | undefined {
    const expected = Math.max(sizes.leastBytes, Math.min(sizes.expectedBytes, sizes.maxBytes));
    const buffer = memory.take(expected, sizes.ownerBytes) ?? memory.take(sizes.leastBytes, sizes.ownerBytes);
    if (buffer === undefined) return undefined;
    const builder = new RecordBatchBuilder({ maxBytes: sizes.maxBytes, buffer });
    return new ProducerBatch(queue, createdAtMs, memory, builder, buffer, new Settlements());
  }

  get recordCount(): number {
    return this.#builder.recordCount;
  }

  /** As it goes over the wire, header included. */
  get sizeInBytes(): number {
    return this.#builder.sizeInBytes;
  }

  get uncompressedSizeInBytes(): number {
    return this.#builder.uncompressedSizeInBytes;
  }

  /**
   * Encodes a record into the buffer; `bound` is no less than the bytes it takes. Hot: guarded by
   * `npm run bench -- produce`.
   */
  append(
    timestamp: number,
    key: RecordContent,
    value: RecordContent,
    headers: RecordHeaders | undefined,
    bound: number,
    ownerBytes: number,
  ): AppendResult {
    if (!this.#memory.hasRoomFor(ownerBytes)) return 'no-memory';
    if (this.#builder.sizeInBytes + bound > this.#capacity) {
      const room = this.#makeRoom(this.#builder.sizeOf(timestamp, key, value, headers), ownerBytes);
      if (room !== 'appended') return room;
    }
    if (!this.#builder.append(timestamp, key, value, headers)) return 'full';
    this.#ownerBytes += ownerBytes;
    this.#memory.overcommit(ownerBytes);
    return 'appended';
  }

  /** Takes no more records; `codec` compresses it, and what it answers tells the end where that takes time. */
  close(codec: CompressionCodec | undefined, level: number | undefined): void | Promise<void> {
    this.#builder.close();
    if (codec === undefined) {
      this.state = 'ready';
      return undefined;
    }
    this.state = 'compressing';
    const compressing = this.#builder.compress(codec, level);
    return compressing === undefined ? this.#compressed() : compressing.then(() => this.#compressed());
  }

  /** Gives it its place in the partition's sequence, at first or anew; what is sent from now on carries it. */
  stamp(identity: Identity, baseSequence: number): void {
    this.identity = identity;
    this.baseSequence = baseSequence;
    this.#stale = this.#pieces !== undefined;
  }

  /** Its bytes as they are sent, finished once: a retry sends the very same, unless it was stamped anew. */
  seal(transactional: boolean): readonly Buffer[] {
    if (this.#pieces !== undefined && !this.#stale) return this.#pieces;
    const { producerId, producerEpoch } = this.identity;
    const stamp = { producerId, producerEpoch, baseSequence: this.baseSequence, transactional };
    this.#pieces = this.#stale ? this.#builder.restamp(stamp) : this.#builder.seal(stamp);
    this.#stale = false;
    return this.#pieces;
  }

  /** Its records in two builders, for {@link halves}; the batch itself stays as it is. */
  async cut(): Promise<[RecordBatchBuilder, RecordBatchBuilder]> {
    return this.#builder.split();
  }

  /** Two batches of the records that were cut, with the owners, barriers and sequences of this one, which is left empty. */
  halves(builders: readonly [RecordBatchBuilder, RecordBatchBuilder]): [ProducerBatch, ProducerBatch] {
    const [firstOwners, secondOwners] = this.settlements.split(builders[0].recordCount);
    const first = this.#half(builders[0], firstOwners, this.baseSequence);
    // What its owners take is counted until both pieces are settled: by the first for all of them.
    first.#ownerBytes = this.#ownerBytes;
    this.#ownerBytes = 0;
    const second = this.#half(builders[1], secondOwners, sequenceAfter(this.baseSequence, builders[0].recordCount));
    for (const barrier of this.#barriers ?? []) {
      first.waitedForBy(barrier);
      second.waitedForBy(barrier);
    }
    return [first, second];
  }

  /** A flush waits for this batch. */
  waitedForBy(barrier: FlushBarrier): void {
    barrier.expect();
    if (this.#barriers === undefined) this.#barriers = [barrier];
    else this.#barriers.push(barrier);
  }

  /** Gives back the memory. The buffer goes to the next batch only when nothing can still be reading it. */
  release(): void {
    const buffer = this.#buffer;
    const inUse = this.ambiguous || this.onWire || this.state === 'compressing';
    this.#memory.release(this.#capacity + this.#ownerBytes);
    this.#capacity = 0;
    this.#ownerBytes = 0;
    this.#buffer = undefined;
    if (buffer !== undefined && !inUse) this.#memory.keep(buffer);
  }

  /** Tells the flushes that waited for it; after its owners. */
  passBarriers(): void {
    const barriers = this.#barriers;
    if (barriers === undefined) return;
    this.#barriers = undefined;
    for (const barrier of barriers) barrier.settled();
  }

  #makeRoom(recordBytes: number, ownerBytes: number): AppendResult {
    const builder = this.#builder;
    const needed = builder.sizeInBytes + recordBytes;
    if (needed <= this.#capacity) return 'appended';
    if (needed > builder.maxBytes && builder.recordCount > 0) return 'full';
    const doubled = Math.max(needed, Math.min(this.#capacity * 2, builder.maxBytes));
    const larger = this.#memory.take(doubled, ownerBytes) ?? this.#memory.take(needed, ownerBytes);
    if (larger === undefined) return 'no-memory';
    const left = builder.moveTo(larger);
    this.#memory.release(left.length);
    this.#memory.keep(left);
    this.#buffer = larger;
    this.#capacity = larger.length;
    return 'appended';
  }

  #compressed(): void {
    if (this.state !== 'compressing') return;
    this.state = 'ready';
    const buffer = this.#buffer as Buffer;
    this.#memory.release(this.#capacity);
    this.#capacity = this.#builder.sizeInBytes;
    this.#memory.overcommit(this.#capacity);
    this.#memory.keep(buffer);
    this.#buffer = undefined;
  }

  #half(builder: RecordBatchBuilder, settlements: Settlements, baseSequence: number): ProducerBatch {
    const buffer = this.#memory.takeAnyway(builder.sizeInBytes);
    builder.moveTo(buffer);
    const half = new ProducerBatch(this.queue, this.createdAtMs, this.#memory, builder, buffer, settlements);
    half.due = true;
    half.attempts = this.attempts;
    half.firstSentAtMs = this.firstSentAtMs;
    half.lastError = this.lastError;
    half.ghostUntilMs = this.ghostUntilMs;
    half.ambiguous = this.ambiguous;
    half.pieceOfAmbiguous = this.ambiguous;
    if (this.baseSequence >= 0) half.stamp(this.identity, baseSequence);
    return half;
  }
}
