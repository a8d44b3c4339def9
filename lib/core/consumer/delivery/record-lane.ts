import type { ConsumerRecord } from '../../protocol/index.js';
import type { AssignedPartition } from '../assigned-partition.js';
import type { HandlerContext, RecordHandler } from '../handlers.js';
import { KrafkaHandlerError } from './handler-error.js';
import { Lane, type LaneSurroundings } from './lane.js';

/** Hands out one partition record by record; a record is done before the next one is handed out. */
export class RecordLane extends Lane {
  readonly #handler: RecordHandler;
  readonly #context: HandlerContext;
  /** The record whose handler is under way, and the timeline it was handed out on. */
  #record: ConsumerRecord | undefined;
  #timeline = 0;

  constructor(partition: AssignedPartition, surroundings: LaneSurroundings, handler: RecordHandler) {
    super(partition, surroundings);
    this.#handler = handler;
    this.#context = { signal: partition.signal };
  }

  protected override hand(): boolean {
    const { partition } = this;
    const record = this.records[this.index++] as ConsumerRecord;
    const { leaderEpoch } = record;
    const next = record.offset + 1;
    const { timeline } = partition.commits;
    partition.handedOut(next, leaderEpoch);
    let result: unknown;
    try {
      result = this.#handler(record, this.#context);
    } catch (error) {
      this.#fail(record, error);
      return false;
    }
    if (isThenable(result)) {
      this.#record = record;
      this.#timeline = timeline;
      this.busy();
      result.then(this.#onDone, this.#onFailed);
      return false;
    }
    partition.doneThrough(timeline, next, leaderEpoch);
    return true;
  }

  readonly #onDone = (): void => {
    const record = this.#record as ConsumerRecord;
    this.#record = undefined;
    this.partition.doneThrough(this.#timeline, record.offset + 1, record.leaderEpoch);
    this.handled();
  };

  readonly #onFailed = (error: unknown): void => {
    this.#fail(this.#record as ConsumerRecord, error);
  };

  #fail({ offset }: ConsumerRecord, cause: unknown): void {
    const { topic, partition, signal } = this.partition;
    this.failed(new KrafkaHandlerError({ topic, partition, offset }, cause), signal.aborted);
  }
}

/** Whether a handler returned something to be awaited. */
export const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
