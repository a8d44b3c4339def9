import { rewriteBaseOffset, type RecordBatchHeader } from '../../core/protocol/index.js';
import { LeaderEpochs, type EpochEnd } from './leader-epochs.js';
import { ProducerStates } from './producer-state.js';

/** One batch as the log keeps it: its bytes with the offsets that it was given. */
export interface StoredBatch {
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly maxTimestamp: number;
  readonly bytes: Buffer;
  /** Bytes of the log before this batch, deleted ones included. */
  readonly position: number;
}

/** A transaction that was aborted, as a read_committed fetch is told of it. */
export interface AbortedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
  /** Offset of its marker. */
  readonly lastOffset: number;
}

/** What one read found: pieces of the log as they lie there, possibly cut within the last batch. */
export interface LogSlice {
  readonly pieces: readonly Buffer[];
  readonly bytes: number;
  /** Where what was read ends, for the list of aborted transactions. */
  readonly nextOffset: number;
}

const NOTHING: readonly Buffer[] = [];

/** The log of one partition: batches as bytes, with offsets from `startOffset` up to `endOffset`. */
export class PartitionLog {
  readonly producers = new ProducerStates();
  readonly #epochs = new LeaderEpochs();
  #aborted: AbortedTransaction[] = [];
  #batches: StoredBatch[] = [];
  #startOffset = 0;
  #endOffset = 0;
  #endPosition = 0;

  /** The first offset that may be read. */
  get startOffset(): number {
    return this.#startOffset;
  }

  /** The offset of the next record; the high watermark too, as every in-sync replica has everything at once. */
  get endOffset(): number {
    return this.#endOffset;
  }

  /** Where read_committed ends: below the first open transaction. */
  get lastStableOffset(): number {
    return this.producers.firstUndecided() ?? this.#endOffset;
  }

  get batches(): readonly StoredBatch[] {
    return this.#batches;
  }

  get sizeInBytes(): number {
    return this.#batches.reduce((sum, batch) => sum + batch.bytes.length, 0);
  }

  /** Appends a batch that was found good, in a copy that bears its offset, epoch and (LogAppendTime) timestamp. */
  append(header: RecordBatchHeader, bytes: Buffer, leaderEpoch: number, appendTime?: number): number {
    const baseOffset = this.#endOffset;
    const maxTimestamp = appendTime ?? header.maxTimestamp;
    const stored = rewriteBaseOffset(bytes, baseOffset, leaderEpoch, appendTime);
    const lastOffset = baseOffset + header.lastOffsetDelta;
    this.#batches.push({ baseOffset, lastOffset, maxTimestamp, bytes: stored, position: this.#endPosition });
    this.#endOffset = lastOffset + 1;
    this.#endPosition += stored.length;
    if (header.producerId !== -1 && !header.isControl) {
      this.producers.appended(header, baseOffset, maxTimestamp);
    }
    return baseOffset;
  }

  /** Appends the marker that ends a transaction, and counts it among the aborted ones where it was. */
  appendMarker(
    header: RecordBatchHeader,
    bytes: Buffer,
    leaderEpoch: number,
    marker: { readonly committed: boolean; readonly coordinatorEpoch: number },
  ): void {
    const offset = this.append(header, bytes, leaderEpoch);
    const { producerId, producerEpoch, maxTimestamp } = header;
    const began = this.producers.ended(producerId, producerEpoch, marker.coordinatorEpoch, maxTimestamp);
    if (began !== undefined && !marker.committed) {
      this.#aborted.push({ producerId, firstOffset: began, lastOffset: offset });
    }
  }

  /**
   * Reads from `offset` (within the log) up to `upTo`, at most `maxBytes`. The last batch may be cut short, as Kafka cuts
   * it; a first batch that does not fit is given whole when `wholeFirst`, else not at all.
   */
  read(offset: number, upTo: number, maxBytes: number, wholeFirst: boolean): LogSlice {
    let index = this.#indexOf(offset);
    const first = this.#batches[index];
    if (
      first === undefined ||
      first.baseOffset >= upTo ||
      (!wholeFirst && (maxBytes <= 0 || first.bytes.length > maxBytes))
    ) {
      return { pieces: NOTHING, bytes: 0, nextOffset: offset };
    }
    const pieces: Buffer[] = [];
    let left = Math.max(maxBytes, first.bytes.length);
    let nextOffset = offset;
    let taken = 0;
    for (; left > 0; index++) {
      const batch = this.#batches[index];
      if (batch === undefined || batch.baseOffset >= upTo) break;
      const piece = batch.bytes.length <= left ? batch.bytes : batch.bytes.subarray(0, left);
      pieces.push(piece);
      left -= piece.length;
      taken += piece.length;
      nextOffset = batch.lastOffset + 1;
    }
    return { pieces, bytes: taken, nextOffset };
  }

  /** How many bytes a read of [`offset`, `upTo`) would find: what a long poll counts. */
  bytesBetween(offset: number, upTo: number): number {
    const first = this.#batches[this.#indexOf(offset)];
    if (first === undefined || first.baseOffset >= upTo) return 0;
    const beyond = this.#batches[this.#indexOf(upTo)];
    return (beyond?.position ?? this.#endPosition) - first.position;
  }

  /** The aborted transactions that a read of [`offset`, `upTo`) meets. */
  abortedWithin(offset: number, upTo: number): readonly AbortedTransaction[] {
    return this.#aborted.filter((aborted) => aborted.lastOffset >= offset && aborted.firstOffset < upTo);
  }

  /** The first batch, from the start of the log on, whose latest record is not older than `timestamp`. */
  firstBatchSince(timestamp: number): StoredBatch | undefined {
    return this.#batches.find((batch) => batch.maxTimestamp >= timestamp);
  }

  /** The batch with the latest record of all; the first of equals. */
  latestBatch(): StoredBatch | undefined {
    let latest: StoredBatch | undefined;
    for (const batch of this.#batches) {
      if (latest === undefined || batch.maxTimestamp > latest.maxTimestamp) latest = batch;
    }
    return latest;
  }

  /** Deletes what lies before `offset`; batches that reach over it stay whole, as Kafka's segments do. */
  deleteBefore(offset: number): void {
    this.#startOffset = Math.max(this.#startOffset, offset);
    this.#batches = this.#batches.filter((batch) => batch.lastOffset >= this.#startOffset);
  }

  /** Loses the tail from `offset` on, whole batches only: what an unclean leader election does. */
  truncate(offset: number): void {
    this.#batches = this.#batches.filter((batch) => batch.lastOffset < offset);
    const last = this.#batches.at(-1);
    this.#endOffset = Math.max(last === undefined ? this.#startOffset : last.lastOffset + 1, this.#startOffset);
    this.#endPosition = last === undefined ? 0 : last.position + last.bytes.length;
    this.#epochs.truncate(this.#endOffset);
    this.producers.truncate(this.#endOffset);
    this.#aborted = this.#aborted.filter(({ lastOffset }) => lastOffset < this.#endOffset);
  }

  beginEpoch(epoch: number): void {
    this.#epochs.begin(epoch, this.#endOffset);
  }

  epochAt(offset: number): number {
    return this.#epochs.epochAt(offset);
  }

  endOfEpoch(epoch: number): EpochEnd {
    return this.#epochs.endOf(epoch, this.#endOffset);
  }

  /** Index of the batch that holds `offset`, or of the first one after it. */
  #indexOf(offset: number): number {
    let low = 0;
    let high = this.#batches.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#batches[middle] as StoredBatch).lastOffset < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
