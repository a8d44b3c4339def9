import type { ConsumerRecord } from '../../protocol/index.js';
import { Deferred, type KrafkaError } from '../../support/index.js';
import type { AssignedPartition } from '../assigned-partition.js';
import type { TakenBatch } from '../fetch/partition-buffer.js';
import type { DeliveryHost } from './delivery.js';
import type { Permits } from './permits.js';
import type { TurnBudget } from './turn-budget.js';

/** What lanes of one run share. */
export interface LaneSurroundings {
  readonly host: DeliveryHost;
  readonly budget: TurnBudget;
  readonly permits: Permits;
}

const NOTHING: readonly ConsumerRecord[] = Object.freeze([]);
/** The clock is looked at once in so many records that were handled at once. */
const RECORDS_PER_LOOK = 32;

/**
 * Hands out the records of one partition, one call after the other, whatever other lanes do.
 *
 *     idle ──data──► pumping ──► handling (a promise) ──► pumping ... ──► idle
 *                       │ slice spent, no permit: waiting for its turn
 *
 * Hot: guarded by `npm run bench -- consume`. Subclasses call the handler in `hand`, directly: while it returns no
 * promise the lane goes on in the same turn, without a closure, a promise or a timer for a record.
 */
export abstract class Lane {
  readonly partition: AssignedPartition;
  protected readonly surroundings: LaneSurroundings;
  /** The batch that is being handed out, and the next of its records. */
  protected records: readonly ConsumerRecord[] = NOTHING;
  protected index = 0;
  /** Where reading goes on behind the batch. */
  protected next = -1;
  #version = -1;
  #count = 0;
  #state: 'idle' | 'busy' | 'waiting' = 'idle';
  #ended = false;
  #drained: Deferred<void> | undefined;
  #busySince = -1;
  #upcoming: Promise<TakenBatch> | undefined;

  constructor(partition: AssignedPartition, surroundings: LaneSurroundings) {
    this.partition = partition;
    this.surroundings = surroundings;
  }

  /** How long the handler that is under way has taken; undefined when there is none. */
  get handlingMs(): number | undefined {
    return this.#busySince < 0 ? undefined : this.surroundings.host.ports.clock.monotonic() - this.#busySince;
  }

  /** Hands out nothing more; resolves when the handler that is under way has ended. */
  end(): Promise<void> {
    this.#ended = true;
    if (this.#state !== 'busy') return Promise.resolve();
    this.#drained ??= new Deferred();
    return this.#drained.promise;
  }

  /** Goes on, if there is something to go on with and nothing under way. */
  readonly pump = (): void => {
    if (this.#state !== 'idle') return;
    const { partition } = this;
    const { budget, permits } = this.surroundings;
    for (;;) {
      if (this.#ended) {
        this.#drained?.resolve();
        return;
      }
      if (this.#version !== partition.buffer.version) this.#forget();
      if (!partition.deliverable) return;
      if (this.index >= this.records.length) {
        if (!this.#refill()) return;
        continue;
      }
      if (++this.#count % RECORDS_PER_LOOK === 0 && budget.spent) {
        this.#state = 'waiting';
        budget.later(this.#resume);
        return;
      }
      if (!permits.available) {
        this.#state = 'waiting';
        permits.wait(this.#resume);
        return;
      }
      if (!this.hand()) return;
    }
  };

  /**
   * Calls the handler. True when it has ended; otherwise the lane stands still until `handled` is called, having been
   * told so by `busy`.
   */
  protected abstract hand(): boolean;

  /** A handler is under way that has not ended when its call returned. */
  protected busy(): void {
    this.#state = 'busy';
    this.#busySince = this.surroundings.host.ports.clock.monotonic();
    this.surroundings.permits.take();
  }

  /** The handler has ended. */
  protected handled(): void {
    this.#state = 'idle';
    this.#busySince = -1;
    this.surroundings.permits.give();
    this.pump();
  }

  /** The handler failed: the consumer ends, unless it was told to stop anyway. */
  protected failed(error: KrafkaError, aborted: boolean): void {
    this.#ended = true;
    if (this.#state === 'busy') {
      this.#state = 'idle';
      this.#busySince = -1;
      this.surroundings.permits.give();
    }
    this.#drained?.resolve();
    const { host } = this.surroundings;
    if (aborted) host.ports.logger.debug('a handler ended with an error after it was told to stop', { error });
    else host.onHandlerFailed(error);
  }

  /** The next batch that is there at once, added to what is to be handed out; false when there is none. */
  protected more(): boolean {
    if (this.#upcoming !== undefined) return false;
    const taken = this.#take();
    if (taken === undefined) return false;
    if (taken instanceof Promise) {
      // Taken up by the next refill, or dropped: either way its failure has been heard of.
      taken.catch(() => undefined);
      this.#upcoming = taken;
      return false;
    }
    this.#begin(taken);
    return true;
  }

  #refill(): boolean {
    if (this.next >= 0) this.partition.passed(this.next);
    this.next = -1;
    const taken = this.#upcoming ?? this.#take();
    this.#upcoming = undefined;
    if (taken === undefined) return false;
    if (taken instanceof Promise) {
      void this.#await(taken);
      return false;
    }
    this.#begin(taken);
    return true;
  }

  #take(): TakenBatch | Promise<TakenBatch> | undefined {
    const { partition } = this;
    const { host } = this.surroundings;
    try {
      const taken = partition.take();
      if (taken !== undefined) host.onTaken(partition);
      return taken;
    } catch (error) {
      host.onCorrupt(partition, error as KrafkaError);
      return undefined;
    }
  }

  #begin(taken: TakenBatch): void {
    this.records = taken.records;
    this.index = 0;
    this.next = taken.nextOffset;
  }

  /** Waits for a batch that is being decompressed. */
  async #await(taken: Promise<TakenBatch>): Promise<void> {
    this.#state = 'waiting';
    const version = this.#version;
    try {
      const batch = await taken;
      if (version === this.partition.buffer.version) this.#begin(batch);
    } catch (error) {
      const { host } = this.surroundings;
      if (version === this.partition.buffer.version) host.onCorrupt(this.partition, error as KrafkaError);
    }
    this.#resume();
  }

  /** What was read ahead is not what comes next any more: sought, paused or truncated. */
  #forget(): void {
    this.#version = this.partition.buffer.version;
    this.records = NOTHING;
    this.index = 0;
    this.next = -1;
    this.#upcoming = undefined;
  }

  readonly #resume = (): void => {
    this.#state = 'idle';
    this.pump();
  };
}
