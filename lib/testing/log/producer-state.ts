import type { ErrorName } from '../../core/protocol/index.js';

/** What a batch says about its producer. */
export interface ProducerStamp {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly lastOffsetDelta: number;
  readonly isTransactional: boolean;
}

/** One of the last batches of a producer, kept to recognise it when it comes again. */
interface RememberedBatch {
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly baseOffset: number;
  readonly timestamp: number;
}

/** As DescribeProducers shows it. */
export interface ProducerEntry {
  readonly producerId: number;
  epoch: number;
  /** Newest last, five at most. */
  readonly batches: RememberedBatch[];
  lastTimestamp: number;
  coordinatorEpoch: number;
  /** Where its open transaction began in this partition. */
  transactionStart: number | undefined;
}

/** How a stamped batch fits the producer's past: new, seen before, or out of place. */
export type SequenceVerdict =
  | { readonly kind: 'append' }
  | { readonly kind: 'duplicate'; readonly baseOffset: number; readonly timestamp: number }
  | { readonly kind: 'refused'; readonly error: ErrorName };

const REMEMBERED = 5;
const LARGEST_SEQUENCE = 2_147_483_647;
const APPEND: SequenceVerdict = { kind: 'append' };

/** The sequence number `delta` records after `sequence`: it goes round at 2^31. */
export const sequenceAfter = (sequence: number, delta: number): number =>
  sequence > LARGEST_SEQUENCE - delta ? delta - (LARGEST_SEQUENCE - sequence) - 1 : sequence + delta;

/** What one partition remembers of each idempotent producer, and its judgement of what they send next (KIP-98, KIP-360). */
export class ProducerStates {
  readonly #entries = new Map<number, ProducerEntry>();

  entry(producerId: number): ProducerEntry | undefined {
    return this.#entries.get(producerId);
  }

  entries(): readonly ProducerEntry[] {
    return [...this.#entries.values()];
  }

  /** Judges a batch of a client. A producer that the partition knows nothing of may begin at any sequence. */
  judge(stamp: ProducerStamp): SequenceVerdict {
    const entry = this.#entries.get(stamp.producerId);
    if (entry === undefined) return APPEND;
    const { producerEpoch: epoch, baseSequence: first } = stamp;
    const last = sequenceAfter(first, stamp.lastOffsetDelta);
    if (epoch === entry.epoch) {
      const seen = entry.batches.find((batch) => batch.firstSequence === first && batch.lastSequence === last);
      if (seen !== undefined) return { kind: 'duplicate', baseOffset: seen.baseOffset, timestamp: seen.timestamp };
    }
    if (epoch < entry.epoch) return refused('INVALID_PRODUCER_EPOCH');
    if (epoch > entry.epoch) return first === 0 ? APPEND : refused('OUT_OF_ORDER_SEQUENCE_NUMBER');
    const previous = entry.batches.at(-1)?.lastSequence ?? -1;
    const expected = previous === -1 ? 0 : sequenceAfter(previous, 1);
    if (first !== expected) return refused('OUT_OF_ORDER_SEQUENCE_NUMBER');
    if (entry.transactionStart !== undefined && !stamp.isTransactional) return refused('INVALID_TXN_STATE');
    return APPEND;
  }

  /** Takes note of a batch that was appended. */
  appended(stamp: ProducerStamp, baseOffset: number, timestamp: number): void {
    const entry = this.#entryAt(stamp.producerId, stamp.producerEpoch);
    entry.batches.push({
      firstSequence: stamp.baseSequence,
      lastSequence: sequenceAfter(stamp.baseSequence, stamp.lastOffsetDelta),
      baseOffset,
      timestamp,
    });
    if (entry.batches.length > REMEMBERED) entry.batches.shift();
    entry.lastTimestamp = timestamp;
    if (stamp.isTransactional) entry.transactionStart ??= baseOffset;
  }

  /** Takes note of a transaction's marker; answers where the transaction began here, if it wrote anything here. */
  ended(producerId: number, epoch: number, coordinatorEpoch: number, timestamp: number): number | undefined {
    const entry = this.#entryAt(producerId, epoch);
    const start = entry.transactionStart;
    entry.transactionStart = undefined;
    entry.coordinatorEpoch = coordinatorEpoch;
    entry.lastTimestamp = timestamp;
    return start;
  }

  /** Forgets what the log has lost from `offset` on. Of a producer whose last batches are all gone nothing is known any more. */
  truncate(offset: number): void {
    for (const [producerId, entry] of this.#entries) {
      const kept = entry.batches.filter(({ baseOffset }) => baseOffset < offset);
      if (kept.length === 0) this.#entries.delete(producerId);
      else entry.batches.splice(0, entry.batches.length, ...kept);
      if ((entry.transactionStart ?? -1) >= offset) entry.transactionStart = undefined;
    }
  }

  /** The first offset that belongs to an open transaction. */
  firstUndecided(): number | undefined {
    let first: number | undefined;
    for (const { transactionStart } of this.#entries.values()) {
      if (transactionStart !== undefined && (first === undefined || transactionStart < first)) first = transactionStart;
    }
    return first;
  }

  #entryAt(producerId: number, epoch: number): ProducerEntry {
    let entry = this.#entries.get(producerId);
    if (entry === undefined) {
      entry = {
        producerId,
        epoch,
        batches: [],
        lastTimestamp: -1,
        coordinatorEpoch: -1,
        transactionStart: undefined,
      };
      this.#entries.set(producerId, entry);
    }
    if (entry.epoch !== epoch) {
      entry.epoch = epoch;
      entry.batches.length = 0;
    }
    return entry;
  }
}

const refused = (error: ErrorName): SequenceVerdict => ({ kind: 'refused', error });
