import type { ConsumerRecord } from '../../protocol/index.js';
import type { KrafkaError } from '../../support/index.js';
import type { RecordStream } from './record-stream.js';

/** One loop over a consumer: starts it with the first record that is asked for. */
export class RecordIterator implements AsyncIterableIterator<ConsumerRecord, undefined> {
  readonly #open: () => Promise<RecordStream>;
  #stream: RecordStream | undefined;

  /** `open` starts the consumer and answers its stream. */
  constructor(open: () => Promise<RecordStream>) {
    this.#open = open;
  }

  next(): Promise<IteratorResult<ConsumerRecord, undefined>> {
    // Hot: no async function of its own once there is a stream.
    return this.#stream === undefined ? this.#first() : this.#stream.next();
  }

  return(): Promise<IteratorResult<ConsumerRecord, undefined>> {
    this.#stream?.leave();
    return Promise.resolve({ done: true, value: undefined });
  }

  /** The record that was handed out last can't be read: it is not done, and its partition does not go on. */
  refuse(error: KrafkaError): void {
    this.#stream?.refuse(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async #first(): Promise<IteratorResult<ConsumerRecord, undefined>> {
    this.#stream = await this.#open();
    return this.#stream.next();
  }
}
