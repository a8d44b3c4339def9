import type { ConsumerRecord } from '../protocol/index.js';

/** What a handler is given beside its record. */
export interface HandlerContext {
  /** Aborted when the partition is taken away or the consumer closes. */
  readonly signal: AbortSignal;
}

/** Called for one record. The record is done when the call returns, or when the promise it returned resolves. */
export type RecordHandler = (record: ConsumerRecord, context: HandlerContext) => void | Promise<void>;

/** Records of one partition, in order. */
export interface RecordBatch {
  readonly topic: string;
  readonly partition: number;
  /** At least one. */
  readonly records: readonly ConsumerRecord[];
  /** Aborted when the partition is taken away or the consumer closes. */
  readonly signal: AbortSignal;
  /** Says that everything up to and including `offset` is done, before the whole batch is. */
  readonly resolve: (offset: number) => void;
}

/** Called for a batch. All of it is done when the call returns, or when the promise it returned resolves. */
export type BatchHandler = (batch: RecordBatch) => void | Promise<void>;

interface RunOptionsOfAll {
  /** How many handlers may be under way at once, of different partitions. Default: one for each partition. */
  readonly concurrency?: number | undefined;
}

/** Exactly one way to handle what arrives. */
export type RunOptions =
  | (RunOptionsOfAll & { readonly eachRecord: RecordHandler; readonly eachBatch?: undefined })
  | (RunOptionsOfAll & {
      readonly eachBatch: BatchHandler;
      readonly eachRecord?: undefined;
      /** The most records of one batch. Default 500. */
      readonly maxRecords?: number | undefined;
    });
