import {
  aWhole,
  backoffMs,
  checkOptions,
  oneOf,
  withDefault,
  type OptionRules,
  type Random,
} from '../../core/support/index.js';

/** What happens when a group's consumer can't go on: it is started again after a wait, and when that is not done, a last resort. */
export interface CrashOptions {
  /** How often in a row a consumer is started again; 0 for never. One that has run for longer than `maxBackoffMs` counts as well. Default: no limit. */
  readonly restarts?: number | undefined;
  /** The wait before the first restart in milliseconds; it doubles with each further one. Default 1,000. */
  readonly backoffMs?: number | undefined;
  /** The longest wait before a restart in milliseconds. Default 30,000. */
  readonly maxBackoffMs?: number | undefined;
  /**
   * What is done when a consumer is not started again: 'stay' leaves the rest of the application running, and health says down;
   * 'exit' closes the server in good order and ends the process with SIGTERM, so that shutdown hooks run. Default 'stay'.
   */
  readonly then?: 'stay' | 'exit' | undefined;
}

/** {@link CrashOptions} as checked and complete. */
export interface CrashPolicy {
  readonly restarts: number;
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
  readonly then: 'stay' | 'exit';
}

const MAX_TIMER_MS = 2_147_483_647;

const RULES: OptionRules<CrashPolicy> = {
  restarts: (value, path) =>
    value === undefined || value === Infinity ? Infinity : aWhole('restarts', 0)(value, path),
  backoffMs: withDefault(aWhole('milliseconds', 0, MAX_TIMER_MS), 1_000),
  maxBackoffMs: withDefault(aWhole('milliseconds', 0, MAX_TIMER_MS), 30_000),
  then: withDefault(oneOf('stay', 'exit'), 'stay'),
};

/** @throws KrafkaConfigError naming the option, `path` in front */
export const checkCrashOptions = (given: unknown, path: string): CrashPolicy =>
  checkOptions<CrashPolicy>(given, RULES, path);

/**
 * How long to wait before a consumer is started again; undefined when it is not. Not where somebody has decided it: a failure
 * policy that says stop, and another instance of the same `groupInstanceId`, with which this one would take turns.
 */
export function restartAfterMs(
  policy: CrashPolicy,
  restarts: number,
  error: unknown,
  random: Random,
): number | undefined {
  if (restarts >= policy.restarts || isDecided(error)) return undefined;
  return Math.round(backoffMs({ baseMs: policy.backoffMs, capMs: policy.maxBackoffMs }, restarts + 1, random));
}

function isDecided(error: unknown): boolean {
  // The core hands on what `giveUp` throws for the last resort 'stop'.
  const cause: unknown = error instanceof Error ? error.cause : undefined;
  return FENCED.has(codeOf(error)) || codeOf(cause) === 'HANDLER_FAILED';
}

const FENCED: ReadonlySet<unknown> = new Set(['FENCED', 'FENCED_INSTANCE_ID']);

const codeOf = (error: unknown): unknown =>
  typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
