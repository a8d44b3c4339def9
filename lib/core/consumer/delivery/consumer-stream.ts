import { Readable } from 'node:stream';
import type { HandledRecord, RecordHandler, Verdict } from '../handlers.js';
import { nack } from './nack.js';

/** How records are streamed. */
export interface StreamOptions {
  /** The most records that are in the stream and beyond it, and not done. Default 1,000. */
  readonly limit?: number | undefined;
  /** Destroys the stream. */
  readonly signal?: AbortSignal | undefined;
}

/** What a {@link ConsumerStream} is fed by: calls the handler for records until the signal is aborted. */
export type StreamSource<Received extends HandledRecord> = (
  handler: RecordHandler<Received>,
  signal: AbortSignal,
) => Promise<void>;

/**
 * Records as a Node stream of objects, those of a partition in order. It begins to consume when it is first read.
 *
 * What was read is not what was processed, so a record is done when it is said to be: by {@link done}, or, in a
 * `for await` loop or a generator of a pipeline, when the next one is asked for. What is not done is not committed,
 * holds up a rebalance as a handler does, and counts towards `limit`, at which the stream stands still.
 */
export class ConsumerStream<Received extends HandledRecord> extends Readable {
  readonly #source: StreamSource<Received>;
  readonly #stopping = new AbortController();
  /** What is in the stream or beyond it, and not done. */
  readonly #open = new Map<Received, (verdict: Verdict) => void>();
  #consuming: Promise<void> | undefined;

  constructor(source: StreamSource<Received>, limit: number, signal: AbortSignal | undefined) {
    super({ objectMode: true, highWaterMark: limit, ...(signal !== undefined && { signal }) });
    this.#source = source;
  }

  /** Says that a record has been processed. Saying so again, or of a record of another stream, changes nothing. */
  done(record: Received): void {
    this.#open.get(record)?.();
    this.#open.delete(record);
  }

  override async *[Symbol.asyncIterator](): NodeJS.AsyncIterator<Received> {
    for await (const record of super[Symbol.asyncIterator]() as AsyncIterable<Received>) {
      yield record;
      this.done(record);
    }
  }

  override _read(): void {
    this.#consuming ??= this.#consume();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#stopping.abort(error ?? new Error('the stream was destroyed'));
    // What is not done comes again to whoever consumes next.
    for (const settle of this.#open.values()) settle(nack(0));
    this.#open.clear();
    void this.#end(error, callback);
  }

  async #end(error: Error | null, callback: (error?: Error | null) => void): Promise<void> {
    await this.#consuming;
    callback(error);
  }

  /** Never rejects: a failure destroys the stream. */
  async #consume(): Promise<void> {
    try {
      await this.#source((record) => this.#take(record), this.#stopping.signal);
      this.push(null);
    } catch (error) {
      if (!this.#stopping.signal.aborted) this.destroy(error as Error);
    }
  }

  #take(record: Received): Promise<Verdict> {
    return new Promise((resolve) => {
      if (this.destroyed) {
        resolve(nack(0));
        return;
      }
      this.#open.set(record, resolve);
      this.push(record);
    });
  }
}
