import type { ConsumerRecord } from '../../core/protocol/index.js';
import { KrafkaError } from '../../core/support/index.js';
import type { Tenure } from './delivery.js';
import type { ContextDelivery } from './krafka-context.js';
import { PartitionCommits } from './partition-commits.js';

const MAX_TIMER_MS = 2_147_483_647;

/** Commits on behalf of a handler. @throws KrafkaError `NOT_MANUAL` where records are committed by themselves */
export async function commitFor(delivery: ContextDelivery, partition: Tenure, record: ConsumerRecord): Promise<void> {
  if (delivery.commitMode !== 'manual') {
    throw new KrafkaError(
      "commit() is for handlers with @CommitMode('manual'): what this one handles is committed once it has succeeded",
      { code: 'NOT_MANUAL' },
    );
  }
  await PartitionCommits.of(partition).commit(delivery.consumer, record);
}

/** @throws KrafkaError when it is no delay */
export function delayOf(delayMs: number): number {
  if (!Number.isSafeInteger(delayMs) || delayMs < 0 || delayMs > MAX_TIMER_MS) {
    throw new KrafkaError(`nack() takes a whole number of milliseconds, got ${String(delayMs)}`, {
      code: 'INVALID_DELAY',
    });
  }
  return delayMs;
}
