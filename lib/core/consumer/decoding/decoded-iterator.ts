import type { ConsumerRecord } from '../../protocol/index.js';
import type { RecordIterator } from '../delivery/record-iterator.js';
import type { DecodedRecord } from './decoded-record.js';
import type { RecordDecoder } from './record-decoder.js';
import { Undecodable } from './undecodable.js';

type Result = IteratorResult<DecodedRecord, undefined>;

/** One loop over decoded records: those that are to be skipped are done, and never seen. */
export class DecodedIterator implements AsyncIterableIterator<DecodedRecord, undefined> {
  readonly #records: RecordIterator;
  readonly #decoder: RecordDecoder;

  constructor(records: RecordIterator, decoder: RecordDecoder) {
    this.#records = records;
    this.#decoder = decoder;
  }

  async next(): Promise<Result> {
    for (;;) {
      const result: IteratorResult<ConsumerRecord, undefined> = await this.#records.next();
      if (result.done === true) return result;
      try {
        const decoded = await this.#decoder.decode(result.value);
        if (decoded !== undefined) return { done: false, value: decoded };
      } catch (error) {
        if (!(error instanceof Undecodable)) throw error;
        // Where nobody listens that ends the consumer, which the next call tells.
        this.#records.refuse(error.error);
      }
    }
  }

  async return(): Promise<Result> {
    await this.#records.return();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
