import type { ConsumerRecord } from '../../core/protocol/index.js';
import { KrafkaError } from '../../core/support/index.js';
import { commitThrough } from './giving-up.js';
import type { ContextDelivery } from './krafka-context.js';

const MAX_TIMER_MS = 2_147_483_647;

/** Commits on behalf of a handler. @throws KrafkaError `NOT_MANUAL` where records are committed by themselves */
export async function commitFor(delivery: ContextDelivery, record: ConsumerRecord): Promise<void> {
  if (delivery.commitMode !== 'manual') {
    throw new KrafkaError(
      "commit() is for handlers with @CommitMode('manual'): what this one handles is committed once it has succeeded",
      { code: 'NOT_MANUAL' },
    );
  }
  await commitThrough(delivery, record);
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
