import type { ConsumerRecord } from '../protocol/index.js';
import type { Nack } from './delivery/nack.js';

/** What tells records of one partition apart. */
export interface HandledRecord {
  readonly offset: number;
  /** Epoch of the leader that appended it, -1 when not known. */
  readonly leaderEpoch: number;
}

/** What a handler is given beside its record. */
export interface HandlerContext {
  /** Aborted when the partition is taken away or the consumer closes. */
  readonly signal: AbortSignal;
  /**
   * Says that the record is done before its handler has ended, and commits what is done of its partition without a gap:
   * up to this record, or less far while one before it is still being handled.
   *
   * @throws KrafkaError REVOKED when the partition has been taken away
   * @throws KrafkaProtocolError when the group does not take the commit
   */
  readonly commit: (record: HandledRecord) => Promise<void>;
}

/** What a handler answers: nothing when it is done, or that it wants to be called again later. */
export type Verdict = void | Nack;

/** Called for one record. The record is done when the call returns, or when the promise it returned resolves. */
export type RecordHandler<Received extends HandledRecord = ConsumerRecord> = (
  record: Received,
  context: HandlerContext,
) => Verdict | Promise<Verdict>;

/** Records of one partition, in order. */
export interface RecordBatch<Received extends HandledRecord = ConsumerRecord> {
  readonly topic: string;
  readonly partition: number;
  /** At least one. */
  readonly records: readonly Received[];
  /** Aborted when the partition is taken away or the consumer closes. */
  readonly signal: AbortSignal;
  /** Says that everything up to and including `offset` is done, before the whole batch is. */
  readonly resolve: (offset: number) => void;
  /**
   * Commits what has been resolved.
   *
   * @throws KrafkaError REVOKED when the partition has been taken away
   * @throws KrafkaProtocolError when the group does not take the commit
   */
  readonly commit: () => Promise<void>;
}

/** Called for a batch. All of it is done when the call returns, or when the promise it returned resolves. */
export type BatchHandler<Received extends HandledRecord = ConsumerRecord> = (
  batch: RecordBatch<Received>,
) => Verdict | Promise<Verdict>;

/**
 * What waits for what: records of a partition for one another, of a key (in its partition) for one another, or none.
 * However they overtake one another, commits never run ahead of the first that is not done.
 */
export type ConcurrencyBy = 'partition' | 'key' | 'none';

/** How many handlers may be under way at once. */
export interface Concurrency {
  /** Default 'partition'. Records without a key wait for one another as if they had the same one. */
  readonly by?: ConcurrencyBy | undefined;
  /** The most handlers under way at once. Default: one for each partition; with `key` and `none` 16. */
  readonly limit?: number | undefined;
}

/** Exactly one way to handle what arrives. */
export type Handling<Received extends HandledRecord = ConsumerRecord> =
  | {
      readonly eachRecord: RecordHandler<Received>;
      readonly eachBatch?: undefined;
      /** A number is the limit of `by: 'partition'`. */
      readonly concurrency?: number | Concurrency | undefined;
    }
  | {
      readonly eachBatch: BatchHandler<Received>;
      readonly eachRecord?: undefined;
      /** How many batches may be handled at once, of different partitions. Default: one for each partition. */
      readonly concurrency?: number | undefined;
      /** The most records of one batch. Default 500. */
      readonly maxRecords?: number | undefined;
      /** How long a batch that is not full waits for more records. Default 0: what is there is handed out. */
      readonly maxWaitMs?: number | undefined;
    };

/** How `run` handles what arrives: all topics alike, or each as `byTopic` says, with a concurrency of its own. */
export type RunOptions<Received extends HandledRecord = ConsumerRecord> = (
  | (Handling<Received> & { readonly byTopic?: undefined })
  | {
      /** Asked once for each topic, when the first of its partitions is assigned. */
      readonly byTopic: (topic: string) => Handling<Received>;
      readonly eachRecord?: undefined;
      readonly eachBatch?: undefined;
    }
) & {
  /** Ends this way of consuming: handlers that are under way end, then `run` rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
};
