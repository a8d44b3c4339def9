import type { Random } from './random.js';

/** How long to wait between tries: `baseMs` doubling up to `capMs`, each taken within +-`jitter` of itself. */
export interface Backoff {
  readonly baseMs: number;
  readonly capMs: number;
  /** A fraction, default 0.2 (KIP-580). */
  readonly jitter?: number;
}

/** The wait before try number `failures + 1`, in milliseconds; `failures` counts from 1. */
export function backoffMs(backoff: Backoff, failures: number, random: Random): number {
  const plain = Math.min(backoff.capMs, backoff.baseMs * 2 ** Math.max(0, failures - 1));
  const jitter = backoff.jitter ?? 0.2;
  return Math.min(backoff.capMs, plain * (1 - jitter + 2 * jitter * random.next()));
}
