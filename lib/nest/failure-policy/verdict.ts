import { backoffMs, type Random } from '../../core/support/index.js';
import { isWorthRetrying } from './classify.js';
import type { FailurePolicy, LastResort } from './failure-policy.js';

/** What is to be done about one failure of an event handler. */
export type Verdict =
  | { readonly kind: 'retry'; readonly afterMs: number }
  | { readonly kind: LastResort; readonly because: 'the retries are used up' | 'trying again would not help' };

/** Judges the failure of call number `attempt`, which counts from 1. */
export function judge(policy: FailurePolicy, attempt: number, error: unknown, random: Random): Verdict {
  if (!isWorthRetrying(error)) return { kind: policy.then, because: 'trying again would not help' };
  if (attempt > policy.retries) return { kind: policy.then, because: 'the retries are used up' };
  const backoff = { baseMs: policy.backoffMs, capMs: policy.maxBackoffMs };
  return { kind: 'retry', afterMs: Math.round(backoffMs(backoff, attempt, random)) };
}
