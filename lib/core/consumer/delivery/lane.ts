import type { ConsumerRecord } from '../../protocol/index.js';
import { Deferred, type KrafkaError } from '../../support/index.js';
import type { AssignedPartition } from '../assigned-partition.js';
import type { TakenBatch } from '../fetch/partition-buffer.js';
import type { BusyTime } from './busy-time.js';
import { Undecodable } from '../decoding/undecodable.js';
import type { DeliveryHost, Return } from './delivery.js';
import { KrafkaHandlerError } from './handler-error.js';
import type { Permits } from './permits.js';
import type { TurnBudget } from './turn-budget.js';

/** What lanes of one run share. */
export interface LaneSurroundings {
  readonly host: DeliveryHost;
  readonly budget: TurnBudget;
  readonly permits: Permits;
  readonly busy: BusyTime;
}

/** What of a partition is being handled, the oldest first. */
export interface UnderWay {
  /** Of the record, or the first of the batch. */
  readonly offset: number;
  /** When its handler was called, by the monotonic clock. */
  readonly since: number;
}

const NOTHING: readonly ConsumerRecord[] = Object.freeze([]);
/** The clock is looked at once in so many records that were handled at once. */
const RECORDS_PER_LOOK = 32;

/**
 * Hands out the records of one partition, whatever other lanes do.
 *
 *     idle ──data──► pumping ──► busy (a promise, one after the other) ──► pumping ... ──► idle
 *                       │ slice spent, no permit: waiting for its turn
 *
 * Hot: guarded by `npm run bench -- consume`. Subclasses call the handler in `hand`, directly: while it returns no
 * promise the lane goes on in the same turn, without a closure, a promise or a timer for a record.
 *
 * `private`, not `#`, in lanes and in {@link AssignedPartition}, which are gone through for each record: once V8 has
 * collected the last instance of such a class, code that reads `#` names of later instances is compiled anew without
 * knowing where they lie, and a record takes twice as long for as long as the process lives. A service comes to that by
 * giving up all of its partitions for a while.
 */
export abstract class Lane {
  readonly partition: AssignedPartition;
  protected readonly surroundings: LaneSurroundings;
  /** The batch that is being handed out, and the next of its records. */
  protected records: readonly ConsumerRecord[] = NOTHING;
  protected index = 0;
  /** Where reading goes on behind the batch. */
  protected next = -1;
  /** Hands out nothing more. */
  protected ended = false;
  private readonly handsPerLook: number;
  private version = -1;
  /** How often `hand` was called since the clock was looked at. */
  private count = 0;
  private state: 'idle' | 'busy' | 'waiting' = 'idle';
  private inFlight = 0;
  private drained: Deferred<void> | undefined;
  private upcoming: Promise<TakenBatch> | undefined;

  /** `handsPerLook`: how often `hand` is called before the clock is looked at again. */
  constructor(partition: AssignedPartition, surroundings: LaneSurroundings, handsPerLook = RECORDS_PER_LOOK) {
    this.partition = partition;
    this.surroundings = surroundings;
    this.handsPerLook = handsPerLook;
  }

  /** What is being handled, the oldest of it where there is more than one. */
  abstract get underWay(): UnderWay | undefined;

  /** Hands out nothing more; resolves when the handlers that are under way have ended. */
  end(): Promise<void> {
    this.ended = true;
    if (this.inFlight === 0) return Promise.resolve();
    this.drained ??= new Deferred();
    return this.drained.promise;
  }

  /** There may be something to go on with. */
  wake(): void {
    const { busy } = this.surroundings;
    busy.enter();
    this.pump();
    busy.leave();
  }

  /** Goes on, if there is something to go on with and nothing in the way. */
  protected readonly pump = (): void => {
    if (this.state !== 'idle') return;
    const { partition } = this;
    const { budget, permits } = this.surroundings;
    for (;;) {
      if (this.ended) return;
      if (this.version !== partition.buffer.version) this.forget();
      if (!partition.deliverable) return;
      if (this.index >= this.records.length) {
        if (!this.refill()) return;
        continue;
      }
      if (++this.count >= this.handsPerLook) {
        this.count = 0;
        if (budget.spent) {
          this.state = 'waiting';
          budget.later(this.resume);
          return;
        }
      }
      if (!permits.available) {
        this.state = 'waiting';
        permits.wait(this.resume);
        return;
      }
      if (!this.hand()) return;
    }
  };

  /**
   * Calls the handler, or puts the next record where its handler will be called. False when the lane has to stand still:
   * until `handled` after `busy`, or until something wakes it.
   */
  protected abstract hand(): boolean;

  /** A handler is under way, and nothing else is handed out until it has ended. */
  protected busy(): void {
    this.state = 'busy';
    this.started();
  }

  /** The handler that the lane stood still for has ended. */
  protected handled(): void {
    this.state = 'idle';
    this.stopped();
    this.pump();
    this.surroundings.busy.leave();
  }

  /** A handler is under way that has not ended when its call returned. */
  protected started(): void {
    this.inFlight++;
    this.surroundings.busy.enter();
    this.surroundings.permits.take();
  }

  /** A handler that was under way has ended. Whatever comes of that, `busy.leave` follows. */
  protected stopped(): void {
    this.inFlight--;
    if (this.ended && this.inFlight === 0) this.drained?.resolve();
    this.surroundings.permits.give();
  }

  /**
   * A handler failed: the consumer ends, unless it was told to stop anyway. Where it was not the handler but the record
   * that can't be read, it is the partition that can't go on.
   */
  protected failed(from: Return, cause: unknown, wasUnderWay: boolean): void {
    const isUndecodable = cause instanceof Undecodable;
    this.ended ||= !isUndecodable;
    this.state = 'idle';
    if (wasUnderWay) {
      this.stopped();
      this.surroundings.busy.leave();
    }
    const { host } = this.surroundings;
    const { topic, partition, signal } = this.partition;
    if (isUndecodable) host.onUndecodable(this.partition, from, cause.error);
    else if (signal.aborted) {
      host.ports.logger.debug('a handler ended with an error after it was told to stop', { error: cause });
    } else host.onHandlerFailed(new KrafkaHandlerError({ topic, partition, offset: from.offset }, cause));
  }

  /** Takes back the record that was handed out last; false when what was read ahead has been thrown away since. */
  protected stepBack(): boolean {
    if (this.version !== this.partition.buffer.version || this.index === 0) return false;
    this.index--;
    return true;
  }

  /** The next batch that is there at once, added to what is to be handed out; false when there is none. */
  protected more(): boolean {
    if (this.upcoming !== undefined) return false;
    const taken = this.takeNext();
    if (taken === undefined) return false;
    if (taken instanceof Promise) {
      // Taken up by the next refill, or dropped: either way its failure has been heard of.
      taken.catch(() => undefined);
      this.upcoming = taken;
      return false;
    }
    this.beginWith(taken);
    return true;
  }

  private refill(): boolean {
    if (this.next >= 0) this.partition.passed(this.next);
    this.next = -1;
    const taken = this.upcoming ?? this.takeNext();
    this.upcoming = undefined;
    if (taken === undefined) return false;
    if (taken instanceof Promise) {
      void this.awaitBatch(taken);
      return false;
    }
    this.beginWith(taken);
    return true;
  }

  private takeNext(): TakenBatch | Promise<TakenBatch> | undefined {
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

  private beginWith(taken: TakenBatch): void {
    this.records = taken.records;
    this.index = 0;
    this.next = taken.nextOffset;
  }

  /** Waits for a batch that is being decompressed. */
  private async awaitBatch(taken: Promise<TakenBatch>): Promise<void> {
    this.state = 'waiting';
    const version = this.version;
    try {
      const batch = await taken;
      if (version === this.partition.buffer.version) this.beginWith(batch);
    } catch (error) {
      const { host } = this.surroundings;
      if (version === this.partition.buffer.version) host.onCorrupt(this.partition, error as KrafkaError);
    }
    this.resume();
  }

  /** What was read ahead is not what comes next any more: sought, paused or truncated. */
  private forget(): void {
    this.version = this.partition.buffer.version;
    this.records = NOTHING;
    this.index = 0;
    this.next = -1;
    this.upcoming = undefined;
  }

  private readonly resume = (): void => {
    this.state = 'idle';
    this.wake();
  };
}
