import type { ConsumerRecord } from '../../protocol/index.js';
import type { AssignedPartition } from '../assigned-partition.js';
import type { BatchHandler, RecordBatch } from '../handlers.js';
import { KrafkaHandlerError } from './handler-error.js';
import { Lane, type LaneSurroundings } from './lane.js';
import { isThenable } from './record-lane.js';

/** Hands out one partition batch by batch: what is there at once, up to `maxRecords`. */
export class BatchLane extends Lane {
  readonly #handler: BatchHandler;
  readonly #maxRecords: number;
  #batch: HandedOutBatch | undefined;

  constructor(partition: AssignedPartition, surroundings: LaneSurroundings, handler: BatchHandler, maxRecords: number) {
    super(partition, surroundings);
    this.#handler = handler;
    this.#maxRecords = maxRecords;
  }

  protected override hand(): boolean {
    const { partition } = this;
    const records = this.#gather();
    const last = records[records.length - 1] as ConsumerRecord;
    partition.handedOut(last.offset + 1, last.leaderEpoch);
    const batch = new HandedOutBatch(partition, records);
    let result: unknown;
    try {
      result = this.#handler(batch);
    } catch (error) {
      this.#fail(batch, error);
      return false;
    }
    if (isThenable(result)) {
      this.#batch = batch;
      this.busy();
      result.then(this.#onDone, this.#onFailed);
      return false;
    }
    batch.resolve(last.offset);
    return true;
  }

  /** The batch at hand, and small ones behind it that are there already. */
  #gather(): readonly ConsumerRecord[] {
    let gathered = this.#cut(this.#maxRecords);
    while (gathered.length < this.#maxRecords && this.#continues(gathered)) {
      gathered = gathered.concat(this.#cut(this.#maxRecords - gathered.length));
    }
    return gathered;
  }

  #continues(gathered: readonly ConsumerRecord[]): boolean {
    const last = gathered[gathered.length - 1] as ConsumerRecord;
    // The next batch is read from where this one ends, so the position has to be there first.
    this.partition.handedOut(Math.max(this.next, last.offset + 1), last.leaderEpoch);
    return this.more() && this.records.length > 0;
  }

  #cut(count: number): readonly ConsumerRecord[] {
    const { records, index } = this;
    this.index = Math.min(records.length, index + count);
    return index === 0 && this.index === records.length ? records : records.slice(index, this.index);
  }

  readonly #onDone = (): void => {
    const { records } = this.#batch as HandedOutBatch;
    this.#batch?.resolve((records[records.length - 1] as ConsumerRecord).offset);
    this.#batch = undefined;
    this.handled();
  };

  readonly #onFailed = (error: unknown): void => {
    this.#fail(this.#batch as HandedOutBatch, error);
  };

  #fail({ firstUndone }: HandedOutBatch, cause: unknown): void {
    const { topic, partition, signal } = this.partition;
    this.failed(new KrafkaHandlerError({ topic, partition, offset: firstUndone }, cause), signal.aborted);
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
  /** How many of the records are done. */
  #done = 0;

  constructor(assigned: AssignedPartition, records: readonly ConsumerRecord[]) {
    this.topic = assigned.topic;
    this.partition = assigned.partition;
    this.records = records;
    this.signal = assigned.signal;
    this.#assigned = assigned;
    this.#timeline = assigned.commits.timeline;
  }

  get firstUndone(): number {
    return (this.records[Math.min(this.#done, this.records.length - 1)] as ConsumerRecord).offset;
  }

  /** An own function, so that it may be taken out of the batch. */
  readonly resolve = (offset: number): void => {
    let done = this.#done;
    while (done < this.records.length && (this.records[done] as ConsumerRecord).offset <= offset) done++;
    if (done === this.#done) return;
    this.#done = done;
    const last = this.records[done - 1] as ConsumerRecord;
    this.#assigned.doneThrough(this.#timeline, last.offset + 1, last.leaderEpoch);
  };
}
