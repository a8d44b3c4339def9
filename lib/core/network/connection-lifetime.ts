import type { Deadline, KrafkaError } from '../support/index.js';

/** How an attempt to connect may be cut short, beside `connectTimeoutMs`. */
export interface ConnectOptions {
  /** The caller's own budget. */
  readonly deadline?: Deadline;
  /** Rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** How long a close waits for answers where nothing is said, in milliseconds. */
export const DEFAULT_CLOSE_MS = 5_000;

/** How a connection, bundle or pool is closed. */
export interface CloseOptions {
  /** How long requests under way may take to be answered, in milliseconds. Default 5,000; 0 for not at all. */
  readonly timeoutMs?: number;
}

/** What a close left behind. */
export interface CloseReport {
  /** Requests that were still unanswered and were failed. */
  readonly abandoned: number;
}

/** Why a connection is over. */
export type Ending =
  | { readonly kind: 'fault'; readonly error: KrafkaError }
  /** Nobody had used it for `idleTimeoutMs`. */
  | { readonly kind: 'idle' }
  /** Its owner closed it, or gave the attempt to open it up. */
  | { readonly kind: 'owner' };
