/** Counts since the producer was made, and what it holds now. */
export interface ProducerStats {
  /** Records acknowledged. */
  readonly records: number;
  /** Records whose senders were told of a failure, once they were in a batch. */
  readonly failedRecords: number;
  /** Batches acknowledged. */
  readonly batches: number;
  readonly failedBatches: number;
  /** Bytes of acknowledged batches as they went over the wire, each counted once. */
  readonly bytes: number;
  readonly recordsPerBatch: number;
  /** Mean time from a batch's first record to its first being sent, ms. */
  readonly queueTimeMs: number;
  /** Wire bytes over plain bytes of acknowledged batches; 1 without compression. */
  readonly compressionRatio: number;
  /** Produce requests sent. */
  readonly requests: number;
  /** Batches sent again. */
  readonly retries: number;
  /** Batches cut in smaller ones because a broker found them too large. */
  readonly splits: number;
  /** Repeats that a broker recognised and dropped. */
  readonly duplicates: number;
  /** Times the idempotent epoch was raised because a sequence had been lost. */
  readonly epochBumps: number;
  /** Transactions by how they ended; all zero without `transactionalId`. */
  readonly transactions: { readonly committed: number; readonly aborted: number; readonly unknown: number };
  /** Errors thrown by interceptors' `onAcknowledgement`. */
  readonly interceptorErrors: number;
  /** Batches now open, waiting or in flight. */
  readonly incompleteBatches: number;
  /** Produce requests now in flight. */
  readonly inFlight: number;
  /** Sends now waiting for metadata, serializers or memory. */
  readonly waitingSends: number;
  readonly buffer: {
    /** `bufferMemory`, bytes. */
    readonly total: number;
    /** Bytes now held by batches that are not settled. */
    readonly used: number;
    /** The most that `used` has been. */
    readonly peak: number;
    /** Free buffers kept for the next batches, bytes; not part of `used`. */
    readonly pooled: number;
  };
}
