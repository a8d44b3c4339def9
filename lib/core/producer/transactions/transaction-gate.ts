import type { PartitionQueue } from '../accumulator/partition-queue.js';

/** What a transaction asks of the sender of its batches. */
export interface TransactionGate {
  readonly transactionalId: string;
  /** The newest version of Produce that means what is meant; undefined for any. */
  readonly maxProduceVersion: number | undefined;
  /** Whether a new batch of the partition may go; if not yet, the queue is announced again when it may. */
  admits(queue: PartitionQueue): boolean;
}
