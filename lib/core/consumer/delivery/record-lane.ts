import type { ConsumerRecord } from '../../protocol/index.js';
import type { AssignedPartition } from '../assigned-partition.js';
import type { HandledRecord, RecordHandler } from '../handlers.js';
import { LaneContext } from './lane-context.js';
import { Lane, type LaneSurroundings, type UnderWay } from './lane.js';
import { Nack } from './nack.js';

/** For so long what was read ahead is kept while a record waits to come again: fetching it anew takes time, too. */
const KEPT_MS = 5_000;

/** Hands out one partition record by record; a record is done before the next one is handed out. */
export class RecordLane extends Lane {
  private readonly handler: RecordHandler;
  private readonly context: LaneContext;
  /** The record whose handler is under way, since when, and the timeline it was handed out on. */
  private record: ConsumerRecord | undefined;
  private since = 0;
  private timeline = 0;

  constructor(partition: AssignedPartition, surroundings: LaneSurroundings, handler: RecordHandler) {
    super(partition, surroundings);
    this.handler = handler;
    this.context = new LaneContext(partition.signal, (record) => this.commit(record));
  }

  override get underWay(): UnderWay | undefined {
    return this.record && { offset: this.record.offset, since: this.since };
  }

  protected override hand(): boolean {
    const { partition } = this;
    const record = this.records[this.index++] as ConsumerRecord;
    const { leaderEpoch } = record;
    const next = record.offset + 1;
    const { timeline } = partition.commits;
    partition.handedOut(next, leaderEpoch);
    this.timeline = timeline;
    let result: unknown;
    try {
      result = this.handler(record, this.context);
    } catch (error) {
      this.fail(record, error, false);
      return false;
    }
    if (result === undefined) {
      partition.doneThrough(timeline, next, leaderEpoch);
      return true;
    }
    if (isThenable(result)) {
      this.record = record;
      this.since = this.surroundings.host.ports.clock.monotonic();
      this.busy();
      result.then(this.onDone, this.onFailed);
      return false;
    }
    this.settle(record, result);
    return true;
  }

  private readonly onDone = (verdict: unknown): void => {
    const record = this.record as ConsumerRecord;
    this.record = undefined;
    this.settle(record, verdict);
    this.handled();
  };

  private readonly onFailed = (error: unknown): void => {
    const record = this.record as ConsumerRecord;
    this.record = undefined;
    this.fail(record, error, true);
  };

  private settle({ offset, leaderEpoch }: ConsumerRecord, verdict: unknown): void {
    const { partition } = this;
    const timeline = this.timeline;
    if (verdict instanceof Nack) {
      const { delayMs } = verdict;
      const isReadAhead = delayMs <= KEPT_MS && this.stepBack();
      this.surroundings.host.onNack(partition, { offset, leaderEpoch, timeline, isReadAhead }, delayMs);
    } else partition.doneThrough(timeline, offset + 1, leaderEpoch);
  }

  /** Records are handed out one after the other, so everything before one at hand is done. */
  private commit({ offset, leaderEpoch }: HandledRecord): Promise<void> {
    const { partition } = this;
    const { committable } = partition.commits;
    if (offset >= committable && offset < partition.position) {
      partition.doneThrough(this.timeline, offset + 1, leaderEpoch);
    }
    return this.surroundings.host.commit(partition);
  }

  private fail({ offset, leaderEpoch }: ConsumerRecord, cause: unknown, wasUnderWay: boolean): void {
    this.failed({ offset, leaderEpoch, timeline: this.timeline, isReadAhead: false }, cause, wasUnderWay);
  }
}

/** Whether a handler returned something to be awaited. */
export const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
