import type { ProducerBatch } from './accumulator/producer-batch.js';
import type { ProducerStats } from './stats.js';
import type { TransactionState } from './transactions/transaction.js';

/** What the producer counts; written by the sender, read by `stats()`. Once a batch, never once a record. */
export class Meter {
  records = 0;
  failedRecords = 0;
  batches = 0;
  failedBatches = 0;
  bytes = 0;
  requests = 0;
  retries = 0;
  splits = 0;
  duplicates = 0;
  epochBumps = 0;
  interceptorErrors = 0;
  readonly #transactions = { committed: 0, aborted: 0, unknown: 0 };
  #plainBytes = 0;
  #queueTimeMs = 0;

  /** A batch was acknowledged. */
  delivered(batch: ProducerBatch): void {
    this.batches++;
    this.records += batch.recordCount;
    this.bytes += batch.sizeInBytes;
    this.#plainBytes += batch.uncompressedSizeInBytes;
    this.#queueTimeMs += batch.firstSentAtMs - batch.createdAtMs;
  }

  /** A batch failed for good. */
  failed(batch: ProducerBatch): void {
    this.failedBatches++;
    this.failedRecords += batch.recordCount;
  }

  /** A transaction is in another state. */
  transaction(state: TransactionState): void {
    if (state === 'committed' || state === 'aborted' || state === 'unknown') this.#transactions[state]++;
  }

  snapshot(now: Pick<ProducerStats, 'incompleteBatches' | 'inFlight' | 'waitingSends' | 'buffer'>): ProducerStats {
    const { records, failedRecords, batches, failedBatches, bytes } = this;
    return {
      records,
      failedRecords,
      batches,
      failedBatches,
      bytes,
      recordsPerBatch: batches === 0 ? 0 : records / batches,
      queueTimeMs: batches === 0 ? 0 : this.#queueTimeMs / batches,
      compressionRatio: this.#plainBytes === 0 ? 1 : bytes / this.#plainBytes,
      requests: this.requests,
      retries: this.retries,
      splits: this.splits,
      duplicates: this.duplicates,
      epochBumps: this.epochBumps,
      transactions: { ...this.#transactions },
      interceptorErrors: this.interceptorErrors,
      ...now,
    };
  }
}
