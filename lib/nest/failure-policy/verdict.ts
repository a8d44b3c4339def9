import { backoffMs, type Random } from '../../core/support/index.js';
import { isWorthRetrying } from './classify.js';
import type { FailurePolicy, LastResort } from './failure-policy.js';

/** What is to be done about one failure of an event handler. */
export type Verdict =
  | { readonly kind: 'retry'; readonly afterMs: number }
  | { readonly kind: 'retry-topic'; readonly hop: number; readonly afterMs: number; readonly because: Because }
  | { readonly kind: Exclude<LastResort, 'retry-topics'>; readonly because: Because };

type Because = 'the retries are used up' | 'trying again would not help';

/** Where a record stands on its way through the retry topics: -1 on its own topic. */
export type Hop = number;

/** On its own topic. */
export const NO_HOP: Hop = -1;

/**
 * Judges failure number `failures` of a handler with one record, which counts from 1. One that came through a retry topic
 * is called once there: then the next topic has it.
 */
export function judge(policy: FailurePolicy, failures: number, error: unknown, random: Random, hop = NO_HOP): Verdict {
  const lastResort = policy.then === 'retry-topics' ? 'dead-letter' : policy.then;
  if (!isWorthRetrying(error, policy)) return { kind: lastResort, because: 'trying again would not help' };
  if (hop === NO_HOP && failures <= policy.retries) {
    const backoff = { baseMs: policy.backoffMs, capMs: policy.maxBackoffMs };
    return { kind: 'retry', afterMs: Math.round(backoffMs(backoff, failures, random)) };
  }
  const because = 'the retries are used up';
  const delayMs = policy.then === 'retry-topics' ? policy.retryTopics.delaysMs[hop + 1] : undefined;
  if (delayMs !== undefined) return { kind: 'retry-topic', hop: hop + 1, afterMs: delayMs, because };
  return { kind: lastResort, because };
}
