import {
  aListOf,
  aWhole,
  checkOptions,
  describe,
  KrafkaConfigError,
  oneOf,
  optional,
  withDefault,
  type OptionRule,
  type OptionRules,
} from '../../core/support/index.js';

/**
 * What becomes of an event whose handler has failed for the last time: it goes to the dead-letter topic, to the first retry
 * topic, is left out, or stops the consumer, which keeps it for whoever starts it again.
 */
export type LastResort = 'dead-letter' | 'retry-topics' | 'skip' | 'stop';

/** A class of errors, as classification compares with. */
export type ErrorClass = abstract new (...args: never[]) => Error;

/** Retries out of the way of other records: one topic for each delay, the dead-letter topic after the last one. */
export interface RetryTopicsOptions {
  /** The delays before the further calls of the handler, in milliseconds, 20 at most. Default [1,000, 10,000, 60,000]. */
  readonly delaysMs?: readonly number[] | undefined;
}

/** What happens when an event handler fails: retries in place, which hold only the record's own partition (or key), then a last resort. */
export interface FailureOptions {
  /** How many times the handler is called again; `retries: 5` means six calls at most. Default 3. */
  readonly retries?: number | undefined;
  /** The wait before the first retry in milliseconds; it doubles with each further one. Default 200. */
  readonly backoffMs?: number | undefined;
  /** The longest wait before a retry in milliseconds. Default 10,000. */
  readonly maxBackoffMs?: number | undefined;
  /** Default 'dead-letter': the topic `<topic>-dlt`. */
  readonly then?: LastResort | undefined;
  /** The topics of `then: 'retry-topics'`; `@RetryTopics` says both. */
  readonly retryTopics?: RetryTopicsOptions | undefined;
  /** Errors that calling again can't mend, beside refused payloads and callers. Default none. */
  readonly neverRetry?: readonly ErrorClass[] | undefined;
  /** Errors that are worth calling again whatever else is said of them. Default none. */
  readonly alwaysRetry?: readonly ErrorClass[] | undefined;
}

/** {@link FailureOptions} as checked and complete. */
export interface FailurePolicy {
  readonly retries: number;
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
  readonly then: LastResort;
  readonly retryTopics: { readonly delaysMs: readonly number[] };
  readonly neverRetry: readonly ErrorClass[];
  readonly alwaysRetry: readonly ErrorClass[];
}

/** Finite, and nothing is lost: what holds where nobody says otherwise. */
export const DEFAULT_FAILURE_POLICY: FailurePolicy = Object.freeze({
  retries: 3,
  backoffMs: 200,
  maxBackoffMs: 10_000,
  then: 'dead-letter',
  retryTopics: Object.freeze({ delaysMs: Object.freeze([1_000, 10_000, 60_000]) }),
  neverRetry: Object.freeze([]),
  alwaysRetry: Object.freeze([]),
});

const MAX_TIMER_MS = 2_147_483_647;
/** How many retry topics a topic may have. */
export const MAX_RETRY_TOPICS = 20;

const someDelays: OptionRule<readonly number[]> = (value, path) => {
  const delays = aListOf(aWhole('milliseconds', 0, MAX_TIMER_MS))(value, path);
  if (delays.length === 0 || delays.length > MAX_RETRY_TOPICS) {
    throw new KrafkaConfigError(path, `must name one delay for each retry topic, 1 to ${MAX_RETRY_TOPICS} of them`);
  }
  return delays;
};

/** @throws KrafkaConfigError naming the option, `path` in front */
export const checkRetryTopics: OptionRule<RetryTopicsOptions> = (value, path) =>
  checkOptions<RetryTopicsOptions>(
    value,
    { delaysMs: withDefault(someDelays, DEFAULT_FAILURE_POLICY.retryTopics.delaysMs) },
    path,
  );

const anErrorClass: OptionRule<ErrorClass> = (value, path) => {
  if (value !== Error && !(typeof value === 'function' && (value as ErrorClass).prototype instanceof Error)) {
    throw new KrafkaConfigError(path, `must be a class of errors, got ${describe(value)}`);
  }
  return value as ErrorClass;
};

const rules: OptionRules<FailureOptions> = {
  retries: optional(aWhole('retries', 0)),
  backoffMs: optional(aWhole('milliseconds', 0, MAX_TIMER_MS)),
  maxBackoffMs: optional(aWhole('milliseconds', 0, MAX_TIMER_MS)),
  then: optional(oneOf('dead-letter', 'retry-topics', 'skip', 'stop')),
  retryTopics: optional(checkRetryTopics),
  neverRetry: optional(aListOf(anErrorClass)),
  alwaysRetry: optional(aListOf(anErrorClass)),
};

/** Checks the options and leaves out what they leave open. @throws KrafkaConfigError naming the option, `path` in front */
export function checkFailureOptions(given: unknown, path: string): FailureOptions {
  const checked = checkOptions(given, rules, path);
  if (checked.retryTopics !== undefined && checked.then !== undefined && checked.then !== 'retry-topics') {
    throw new KrafkaConfigError(`${path}.retryTopics`, `would be ignored with 'then: ${checked.then}'`);
  }
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
        then: options.then ?? (options.retryTopics === undefined ? outer.then : 'retry-topics'),
        retryTopics: { delaysMs: options.retryTopics?.delaysMs ?? outer.retryTopics.delaysMs },
        neverRetry: options.neverRetry ?? outer.neverRetry,
        alwaysRetry: options.alwaysRetry ?? outer.alwaysRetry,
      };
