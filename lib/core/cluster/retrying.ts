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
      const waitMs = backoffMs(options.backoff ?? DEFAULT_BACKOFF, number, ports.random);
      await sleep(ports.clock, Math.min(waitMs, deadline.remainingMs), signal);
      // Running out of this same budget says less than what went wrong before it.
      if (last === undefined || !(error instanceof KrafkaTimeoutError) || error.budget !== deadline.budget)
        last = error;
      if (deadline.expired) {
        throw deadline.error(`${options.waitedFor ?? 'an answer'}, which last failed with: ${last.message}`, last);
      }
    }
  }
}
