import { Deferred, type KrafkaError } from '../support/index.js';
import type { ShareDelivery } from './share-delivery.js';
import type { ShareQueue } from './share-queue.js';
import type { ShareRecord } from './share-record.js';

type Result = IteratorResult<ShareRecord, undefined>;

export interface ShareStreamOptions {
  readonly queue: ShareQueue;
  /** Whether a record on which nothing was said is accepted when the next one is asked for. */
  readonly implicit: boolean;
  /** The loop was left. */
  readonly onLeft: () => void;
}

const END: Result = Object.freeze({ done: true, value: undefined });

/** Hands records out one by one to whoever asks. */
export class ShareStream implements ShareDelivery {
  readonly #options: ShareStreamOptions;
  #held: ShareRecord | undefined;
  #left = false;
  #stopped = false;
  #asking: Deferred<Result> | undefined;
  #ended: { readonly error: KrafkaError | undefined } | undefined;
  #drained: Deferred<void> | undefined;

  constructor(options: ShareStreamOptions) {
    this.#options = options;
  }

  get isLeft(): boolean {
    return this.#left;
  }

  /** The next record. One at a time: asking again before there is an answer is a mistake, and refused. */
  next(): Promise<Result> {
    if (this.#asking !== undefined) return Promise.reject(new TypeError('next() was called before the last one ended'));
    this.#left = false;
    if (this.#options.implicit && this.#held?.isAcquired === true) this.#held.accept();
    this.#letGo();
    if (this.#ended !== undefined) return this.#end(this.#ended);
    const record = this.#stopped ? undefined : this.#options.queue.next();
    if (record !== undefined) {
      this.#held = record;
      return Promise.resolve({ done: false, value: record });
    }
    this.#asking = new Deferred();
    return this.#asking.promise;
  }

  /** The loop was left: whether it was done with its last record is not known, so that one is delivered again. */
  leave(): void {
    if (this.#options.implicit && this.#held?.isAcquired === true) this.#held.release();
    this.#left = true;
    this.#letGo();
    this.#options.onLeft();
  }

  ready(): void {
    if (this.#asking === undefined || this.#stopped) return;
    const record = this.#options.queue.next();
    if (record === undefined) return;
    const asking = this.#asking;
    this.#asking = undefined;
    this.#held = record;
    asking.resolve({ done: false, value: record });
  }

  stop(): void {
    this.#stopped = true;
  }

  drained(): Promise<void> {
    if (this.#held === undefined) return Promise.resolve();
    this.#drained ??= new Deferred();
    return this.#drained.promise;
  }

  finish(error: KrafkaError | undefined): void {
    if (this.#ended !== undefined) return;
    this.#stopped = true;
    this.#ended = { error };
    const asking = this.#asking;
    this.#asking = undefined;
    if (asking === undefined) return;
    if (error === undefined) asking.resolve(END);
    else asking.reject(error);
  }

  #letGo(): void {
    this.#held = undefined;
    this.#drained?.resolve();
    this.#drained = undefined;
  }

  #end(ending: { readonly error: KrafkaError | undefined }): Promise<Result> {
    return ending.error === undefined ? Promise.resolve(END) : Promise.reject(ending.error);
  }
}

/** One loop over a share consumer: starts it with the first record that is asked for. */
export class ShareIterator implements AsyncIterableIterator<ShareRecord, undefined> {
  readonly #open: () => Promise<ShareStream>;
  #stream: ShareStream | undefined;

  /** `open` starts the consumer and answers its stream. */
  constructor(open: () => Promise<ShareStream>) {
    this.#open = open;
  }

  async next(): Promise<Result> {
    this.#stream ??= await this.#open();
    return this.#stream.next();
  }

  /** Asking on opens the loop again. */
  return(): Promise<Result> {
    this.#stream?.leave();
    this.#stream = undefined;
    return Promise.resolve(END);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
