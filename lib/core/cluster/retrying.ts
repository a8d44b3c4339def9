import {
  backoffMs,
  KrafkaError,
  KrafkaTimeoutError,
  sleep,
  type Backoff,
  type Deadline,
  type Ports,
} from '../support/index.js';

/** How a piece of work is retried. */
export interface RetryOptions {
  /** The one budget for every try and every wait between them. */
  readonly deadline: Deadline;
  /** Default {@link DEFAULT_BACKOFF}. */
  readonly backoff?: Backoff;
  readonly ports: Pick<Ports, 'clock' | 'random'>;
  /** Ends the waiting at once; the rejection is the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** What the work is, in the words of the timeout error. Default 'an answer'. */
  readonly waitedFor?: string;
}

/** 100 ms doubling up to 1 s, each taken within 20 % of itself (KIP-580). */
export const DEFAULT_BACKOFF: Backoff = { baseMs: 100, capMs: 1_000, jitter: 0.2 };

/**
 * The error of having run out of time: what was waited for, and what the last try failed with. When that was running out
 * of this very budget, it is the error: it knows better what it waited for.
 */
export function outOfTime(deadline: Deadline, waitedFor: string, last: KrafkaError | undefined): KrafkaError {
  if (last === undefined) return deadline.error(waitedFor);
  if (last instanceof KrafkaTimeoutError && last.budget === deadline.budget) return last;
  return deadline.error(`${waitedFor}, which last failed with: ${last.message}`, last);
}

/**
 * Runs `attempt` until it succeeds, fails with an error that is not `retriable`, or the deadline passes.
 * The number handed to it counts from 1.
 *
 * @throws KrafkaTimeoutError when the deadline passes; its cause is the last error
 */
export async function retrying<T>(options: RetryOptions, attempt: (attempt: number) => Promise<T>): Promise<T> {
  const { deadline, ports, signal } = options;
  let last: KrafkaError | undefined;
  for (let number = 1; ; number++) {
    signal?.throwIfAborted();
    try {
      return await attempt(number);
    } catch (error) {
      if (!(error instanceof KrafkaError) || !error.retriable) throw error;
      // That the time ran out in the middle of the last try says less than what the try before it failed with.
      if (last === undefined || !deadline.expired) last = error;
      const waitMs = backoffMs(options.backoff ?? DEFAULT_BACKOFF, number, ports.random);
      await sleep(ports.clock, Math.min(waitMs, deadline.remainingMs), signal);
      if (deadline.expired) throw outOfTime(deadline, options.waitedFor ?? 'an answer', last);
    }
  }
}
