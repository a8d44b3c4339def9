import { aWhole, checkOptions, optional, withDefault, type OptionRule, type OptionRules } from '../support/index.js';

/** How an {@link Admin} works. */
export interface AdminOptions {
  /** The budget of a call that names none, in milliseconds: everything it tries, waits and asks. Default 60,000. */
  readonly timeoutMs?: number;
}

/** What every admin call may be given. */
export interface CallOptions {
  /** The budget of this call, in milliseconds. Default: that of {@link AdminOptions}. */
  readonly timeoutMs?: number | undefined;
  /** Ends the call's waiting at once; the rejection is the signal's reason. What was asked of a broker may still happen. */
  readonly signal?: AbortSignal | undefined;
}

const TIMEOUT_MS = 60_000;

/** @throws KrafkaConfigError */
export const checkAdminOptions = (given: AdminOptions | undefined): Readonly<Required<AdminOptions>> =>
  checkOptions<Required<AdminOptions>>(
    given,
    { timeoutMs: withDefault(aWhole('milliseconds', 1), TIMEOUT_MS) },
    'admin',
  );

const aSignal: OptionRule<AbortSignal> = (value) => value as AbortSignal;

/** The rules of the options that every call has; a call adds its own. */
export const CALL_OPTIONS: OptionRules<CallOptions> = {
  timeoutMs: optional(aWhole('milliseconds', 1)),
  signal: optional(aSignal),
};
