import type { ConsumerRecord } from '../../protocol/index.js';
import type { Timer } from '../../support/index.js';
import type { AssignedPartition } from '../assigned-partition.js';
import type { BatchHandler, RecordBatch } from '../handlers.js';
import type { DeliveryHost, Return } from './delivery.js';
import { Lane, type LaneSurroundings, type UnderWay } from './lane.js';
import { Nack } from './nack.js';
import { isThenable } from './record-lane.js';

/** How big batches are, and how long one that is smaller waits for more. */
export interface BatchBounds {
  readonly maxRecords: number;
  readonly maxWaitMs: number;
}

/** A batch that waits for more records. */
interface Wait {
  /** Where it begins. */
  readonly offset: number;
  readonly timer: Timer;
  /** Whether it has waited as long as it may. */
  over: boolean;
}

/** Hands out one partition batch by batch: what is there at once, up to `maxRecords`. */
export class BatchLane extends Lane {
  private readonly handler: BatchHandler;
  private readonly bounds: BatchBounds;
  private batch: HandedOutBatch | undefined;
  private since = 0;
  /** While a batch waits for more records. Its timer ends that, and no clock: a timer may fire before the clock has got there. */
  private waiting: Wait | undefined;

  constructor(
    partition: AssignedPartition,
    surroundings: LaneSurroundings,
    handler: BatchHandler,
    bounds: BatchBounds,
  ) {
    // A batch is work for a while: the clock is looked at before each.
    super(partition, surroundings, 1);
    this.handler = handler;
    this.bounds = bounds;
  }

  override get underWay(): UnderWay | undefined {
    return this.batch && { offset: this.batch.firstUndone, since: this.since };
  }

  override end(): Promise<void> {
    this.waiting?.timer.cancel();
    return super.end();
  }

  protected override hand(): boolean {
    const { partition } = this;
    if (this.waitsForMore()) return false;
    const records = this.gather();
    const last = records[records.length - 1] as ConsumerRecord;
    partition.handedOut(last.offset + 1, last.leaderEpoch);
    const batch = new HandedOutBatch(partition, records, this.surroundings.host);
    let result: unknown;
    try {
      result = this.handler(batch);
    } catch (error) {
      this.fail(batch, error, false);
      return false;
    }
    if (isThenable(result)) {
      this.batch = batch;
      this.since = this.surroundings.host.ports.clock.monotonic();
      this.busy();
      result.then(this.onDone, this.onFailed);
      return false;
    }
    this.settle(batch, result);
    return true;
  }

  /** Whether what is there is too little for a batch, and more may come in time and fits into what is read ahead. */
  private waitsForMore(): boolean {
    const { maxRecords, maxWaitMs } = this.bounds;
    if (maxWaitMs === 0) return false;
    const { partition } = this;
    const isFull =
      this.records.length - this.index + partition.buffer.records >= maxRecords ||
      (partition.isFull && !this.makesRoom());
    const { offset } = this.records[this.index] as ConsumerRecord;
    const { clock } = this.surroundings.host.ports;
    const waiting = this.waiting?.offset === offset ? this.waiting : undefined;
    if (!isFull && waiting?.over === false) return true;
    this.waiting?.timer.cancel();
    this.waiting = undefined;
    if (isFull || waiting !== undefined) return false;
    const timer = clock.setTimer(
      maxWaitMs,
      () => {
        wait.over = true;
        this.wake();
      },
      true,
    );
    const wait: Wait = { offset, timer, over: false };
    this.waiting = wait;
    return true;
  }

  /** Whether more may be read ahead than keeps a handler busy, as a batch of so many records takes it. */
  private makesRoom(): boolean {
    if (!this.partition.holdShare()) return false;
    this.surroundings.host.onTaken(this.partition);
    return true;
  }

  /** The batch at hand, and small ones behind it that are there already. */
  private gather(): readonly ConsumerRecord[] {
    let gathered = this.cut(this.bounds.maxRecords);
    while (gathered.length < this.bounds.maxRecords && this.continues(gathered)) {
      gathered = gathered.concat(this.cut(this.bounds.maxRecords - gathered.length));
    }
    return gathered;
  }

  private continues(gathered: readonly ConsumerRecord[]): boolean {
    const last = gathered[gathered.length - 1] as ConsumerRecord;
    // The next batch is read from where this one ends, so the position has to be there first.
    this.partition.handedOut(Math.max(this.next, last.offset + 1), last.leaderEpoch);
    return this.more() && this.records.length > 0;
  }

  private cut(count: number): readonly ConsumerRecord[] {
    const { records, index } = this;
    this.index = Math.min(records.length, index + count);
    return index === 0 && this.index === records.length ? records : records.slice(index, this.index);
  }

  private readonly onDone = (verdict: unknown): void => {
    const batch = this.batch as HandedOutBatch;
    this.batch = undefined;
    this.settle(batch, verdict);
    this.handled();
  };

  private readonly onFailed = (error: unknown): void => {
    const batch = this.batch as HandedOutBatch;
    this.batch = undefined;
    this.fail(batch, error, true);
  };

  private settle(batch: HandedOutBatch, verdict: unknown): void {
    if (!(verdict instanceof Nack)) batch.resolveAll();
    else if (batch.rest !== undefined) this.surroundings.host.onNack(this.partition, batch.rest, verdict.delayMs);
  }

  private fail(batch: HandedOutBatch, cause: unknown, wasUnderWay: boolean): void {
    this.failed(batch.rest ?? batch.lastOf, cause, wasUnderWay);
  }
}

/** A batch with its handler. */
class HandedOutBatch implements RecordBatch {
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly ConsumerRecord[];
  readonly signal: AbortSignal;
  readonly #assigned: AssignedPartition;
  readonly #timeline: number;
  readonly #host: DeliveryHost;
  /** How many of the records are done. */
  #done = 0;

  constructor(assigned: AssignedPartition, records: readonly ConsumerRecord[], host: DeliveryHost) {
    this.topic = assigned.topic;
    this.partition = assigned.partition;
    this.records = records;
    this.signal = assigned.signal;
    this.#assigned = assigned;
    this.#timeline = assigned.commits.timeline;
    this.#host = host;
  }

  get firstUndone(): number {
    return (this.records[Math.min(this.#done, this.records.length - 1)] as ConsumerRecord).offset;
  }

  /** What is not done; undefined when all is. */
  get rest(): Return | undefined {
    const first = this.records[this.#done];
    return first && this.#from(first);
  }

  /** The last record, where all is done. */
  get lastOf(): Return {
    return this.#from(this.records[this.records.length - 1] as ConsumerRecord);
  }

  resolveAll(): void {
    this.resolve((this.records[this.records.length - 1] as ConsumerRecord).offset);
  }

  readonly commit = (): Promise<void> => this.#host.commit(this.#assigned);

  /** An own function, so that it may be taken out of the batch. */
  readonly resolve = (offset: number): void => {
    let done = this.#done;
    while (done < this.records.length && (this.records[done] as ConsumerRecord).offset <= offset) done++;
    if (done === this.#done) return;
    this.#done = done;
    const last = this.records[done - 1] as ConsumerRecord;
    this.#assigned.doneThrough(this.#timeline, last.offset + 1, last.leaderEpoch);
  };

  #from({ offset, leaderEpoch }: ConsumerRecord): Return {
    return { offset, leaderEpoch, timeline: this.#timeline, isReadAhead: false };
  }
}
