import { Deferred, KrafkaError, onAbort, type Ports } from '../support/index.js';
import type { AssignedPartition } from './assigned-partition.js';
import type { Assignment } from './assignment.js';
import { decodedRun } from './decoding/decoded-handling.js';
import { DecodedIterator } from './decoding/decoded-iterator.js';
import type { DecodedRecord } from './decoding/decoded-record.js';
import type { RecordDecoder } from './decoding/record-decoder.js';
import type { Delivery, DeliveryHost } from './delivery/delivery.js';
import { runSettings } from './delivery/handling.js';
import type { UnderWay } from './delivery/lane.js';
import { RecordIterator } from './delivery/record-iterator.js';
import { RecordStream } from './delivery/record-stream.js';
import { RunLoop } from './delivery/run-loop.js';
import type { Fetcher } from './fetch/fetcher.js';
import type { RunOptions } from './handlers.js';

/** The collaborators of a {@link Consumption}. */
export interface ConsumptionOptions {
  readonly assignment: Assignment;
  readonly fetcher: Fetcher;
  readonly ports: Ports;
  /** Where keys and values are deserialized. */
  readonly decoder: RecordDecoder | undefined;
  /** Starts the consumer, or waits for its start. */
  readonly start: () => Promise<void>;
  /** Throws when the consumer is closed, or has failed. */
  readonly assertAlive: () => void;
  /** `closed` also while it is closing. */
  readonly end: () => 'closed' | 'failed' | undefined;
  /** Commits what is done of a partition. */
  readonly commit: (partition: AssignedPartition) => Promise<void>;
  readonly onHandlerFailed: (error: KrafkaError) => void;
}

/**
 * How a consumer is consumed: one way at a time, which another may follow once a loop was left or a run let go of. Who
 * follows begins with what is not done.
 */
export class Consumption {
  readonly #options: ConsumptionOptions;
  #delivery: Delivery | undefined;

  constructor(options: ConsumptionOptions) {
    this.#options = options;
  }

  /** As of the way of consuming there is; 1 where there is none. */
  get idleRatio(): number {
    return this.#delivery?.idleRatio ?? 1;
  }

  /** What of a partition is being handled. */
  underWay(partition: AssignedPartition): UnderWay | undefined {
    return this.#delivery?.underWay(partition);
  }

  /** Ends it: nothing more is handed out. */
  end(error: KrafkaError | undefined): void {
    this.#delivery?.end(error);
  }

  /** One loop: begins to consume when the first record is asked for. */
  iterate(): AsyncIterableIterator<unknown, undefined> {
    const records = new RecordIterator(async () => {
      const stream = this.#stream();
      await this.#startFor(stream);
      return stream;
    });
    const { decoder } = this.#options;
    return decoder === undefined ? records : new DecodedIterator(records, decoder);
  }

  /** Calls handlers until the consumer is closed or fails, or the signal says so. */
  async run(options: RunOptions): Promise<void> {
    const { decoder, end } = this.#options;
    const settings = runSettings(
      decoder === undefined ? options : decodedRun(options as unknown as RunOptions<DecodedRecord>, decoder),
    );
    const { signal } = settings;
    signal?.throwIfAborted();
    const loop = new RunLoop(settings, this.#host());
    this.#attach(loop);
    const aborted = new Deferred<void>();
    const unhear = signal && onAbort(signal, () => aborted.resolve());
    try {
      await Promise.race([this.#startFor(loop), aborted.promise]);
      await Promise.race([loop.finished, aborted.promise]);
    } catch (error) {
      // Closed before it had started: that is an end like any other.
      if (end() !== 'closed') throw error;
    } finally {
      unhear?.();
    }
    if (signal?.aborted !== true || this.#delivery !== loop || end() !== undefined) return loop.finished;
    // A handler that never ends holds up nobody longer than the consumer's closing does.
    await Promise.race([loop.stop(), loop.finished]);
    if (end() !== undefined) return loop.finished;
    if (this.#delivery === loop) this.#detach();
    throw signal.reason as Error;
  }

  /** Starts on behalf of a way of consuming, which is let go of when that fails. */
  async #startFor(delivery: Delivery): Promise<void> {
    try {
      await this.#options.start();
    } catch (error) {
      if (this.#delivery === delivery) this.#detach();
      throw error;
    }
  }

  #stream(): RecordStream {
    if (this.#delivery instanceof RecordStream) return this.#delivery;
    const stream = new RecordStream(this.#host());
    this.#attach(stream);
    return stream;
  }

  #attach(delivery: Delivery): void {
    this.#options.assertAlive();
    if (this.#delivery !== undefined && !(this.#delivery instanceof RecordStream && this.#delivery.isLeft)) {
      throw new KrafkaError('the consumer is being consumed already', { code: 'ALREADY_CONSUMED' });
    }
    this.#detach();
    this.#delivery = delivery;
    this.#options.assignment.attach(delivery);
  }

  #detach(): void {
    this.#delivery?.end(undefined);
    this.#delivery = undefined;
    this.#options.assignment.attach(undefined);
  }

  #host(): DeliveryHost {
    const { assignment, fetcher, ports, commit, onHandlerFailed } = this.#options;
    return {
      ports,
      onTaken: (partition) => fetcher.wake(partition),
      onCorrupt: (partition, error) => fetcher.corrupt(partition, error),
      onUndecodable: (partition, from, error) => assignment.positions.undecodable(partition, from, error),
      onNack: (partition, from, delayMs) => assignment.positions.nack(partition, from, delayMs),
      commit,
      onHandlerFailed,
    };
  }
}
