import { ERROR_CODES } from '../../protocol/index.js';
import type { BatchAnswer } from '../sender/produce-wave.js';
import type { SentBatch } from './fake-broker.js';

interface KnownBatch {
  readonly epoch: number;
  readonly first: number;
  readonly last: number;
  readonly offset: number;
}

/** What a broker keeps of one producer in one partition. */
interface ProducerEntry {
  epoch: number;
  last: number;
  /** The newest five batches. */
  batches: KnownBatch[];
}

const REMEMBERED = 5;

/** One partition's log by Kafka's rules for idempotent producers: no gap, no repeat, no older epoch. */
export class ModelLog {
  /** The values that were written, in order. */
  readonly values: string[] = [];
  readonly #producers = new Map<number, ProducerEntry>();

  append(batch: SentBatch, values: readonly string[]): Partial<BatchAnswer> {
    const { producerId, producerEpoch: epoch, baseSequence: first, recordCount } = batch.header;
    if (producerId < 0) return this.#write(values);
    const last = (first + recordCount - 1) & 0x7fff_ffff;
    const entry = this.#producers.get(producerId);
    const repeat = entry?.batches.find((one) => one.epoch === epoch && one.first === first && one.last === last);
    if (repeat !== undefined) return { errorCode: ERROR_CODES.NONE, baseOffset: repeat.offset };
    if (entry !== undefined) {
      if (epoch < entry.epoch) return { errorCode: ERROR_CODES.INVALID_PRODUCER_EPOCH };
      const expected = epoch === entry.epoch ? (entry.last + 1) & 0x7fff_ffff : 0;
      if (first !== expected) return { errorCode: ERROR_CODES.OUT_OF_ORDER_SEQUENCE_NUMBER };
    }
    const answer = this.#write(values);
    const remembered = entry?.epoch === epoch ? entry.batches : [];
    this.#producers.set(producerId, {
      epoch,
      last,
      batches: [...remembered, { epoch, first, last, offset: answer.baseOffset as number }].slice(-REMEMBERED),
    });
    return answer;
  }

  /** Retention has taken what was known of producers. */
  forgetProducers(): void {
    this.#producers.clear();
  }

  #write(values: readonly string[]): Partial<BatchAnswer> {
    const baseOffset = this.values.length;
    this.values.push(...values);
    return { errorCode: ERROR_CODES.NONE, baseOffset };
  }
}
