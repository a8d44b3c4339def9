import { aWhole, checkOptions, oneOf, optional, type OptionRules } from '../../core/support/index.js';

/**
 * What becomes of an event whose handler has failed for the last time: it goes to the dead-letter topic, is left out, or
 * stops the consumer, which keeps it for whoever starts it again.
 */
export type LastResort = 'dead-letter' | 'skip' | 'stop';

/** What happens when an event handler fails: retries in place, which hold only the record's own partition, then a last resort. */
export interface FailureOptions {
  /** How many times the handler is called again; `retries: 5` means six calls at most. Default 3. */
  readonly retries?: number | undefined;
  /** The wait before the first retry in milliseconds; it doubles with each further one. Default 200. */
  readonly backoffMs?: number | undefined;
  /** The longest wait before a retry in milliseconds. Default 10,000. */
  readonly maxBackoffMs?: number | undefined;
  /** Default 'dead-letter': the topic `<topic>-dlt`. */
  readonly then?: LastResort | undefined;
}

/** {@link FailureOptions} as checked and complete. */
export interface FailurePolicy {
  readonly retries: number;
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
  readonly then: LastResort;
}

/** Finite, and nothing is lost: what holds where nobody says otherwise. */
export const DEFAULT_FAILURE_POLICY: FailurePolicy = Object.freeze({
  retries: 3,
  backoffMs: 200,
  maxBackoffMs: 10_000,
  then: 'dead-letter',
});

const MAX_TIMER_MS = 2_147_483_647;

const rules: OptionRules<FailureOptions> = {
  retries: optional(aWhole('retries', 0)),
  backoffMs: optional(aWhole('milliseconds', 0, MAX_TIMER_MS)),
  maxBackoffMs: optional(aWhole('milliseconds', 0, MAX_TIMER_MS)),
  then: optional(oneOf('dead-letter', 'skip', 'stop')),
};

/** Checks the options and leaves out what they leave open. @throws KrafkaConfigError naming the option, `path` in front */
export function checkFailureOptions(given: unknown, path: string): FailureOptions {
  const checked = checkOptions(given, rules, path);
  return Object.freeze(Object.fromEntries(Object.entries(checked).filter(([, value]) => value !== undefined)));
}

/** The policy of the options, what they leave open taken from the next further out. */
export const failurePolicy = (options: FailureOptions | undefined, outer: FailurePolicy): FailurePolicy =>
  options === undefined
    ? outer
    : {
        retries: options.retries ?? outer.retries,
        backoffMs: options.backoffMs ?? outer.backoffMs,
        maxBackoffMs: options.maxBackoffMs ?? outer.maxBackoffMs,
        then: options.then ?? outer.then,
      };
