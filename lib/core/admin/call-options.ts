import {
  aDuration,
  checkOptions,
  describe,
  KrafkaConfigError,
  optional,
  withDefault,
  type OptionRule,
  type OptionRules,
} from '../support/index.js';

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

/** A call's options after checking: everything but the two of {@link CallOptions} has a value. */
export type Complete<T extends CallOptions> = CallOptions & Required<Omit<T, keyof CallOptions>>;

const TIMEOUT_MS = 60_000;
const aBudget = aDuration(1);

/** @throws KrafkaConfigError */
export const checkAdminOptions = (given: AdminOptions | undefined): Readonly<Required<AdminOptions>> =>
  checkOptions<Required<AdminOptions>>(given, { timeoutMs: withDefault(aBudget, TIMEOUT_MS) }, 'admin');

/** Signals that are not the machine's own, each with one that is and aborts with it. */
const own = new WeakMap<AbortSignal, AbortSignal>();

/** The signal as `AbortSignal.any` hears it: of those of other libraries and realms it would not. */
function ownOf(signal: AbortSignal): AbortSignal {
  const isOurs: boolean = signal instanceof AbortSignal;
  if (isOurs) return signal;
  let ours = own.get(signal);
  if (ours === undefined) {
    const controller = new AbortController();
    const abort = (): void => controller.abort(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
    ours = controller.signal;
    own.set(signal, ours);
  }
  return ours;
}

const aSignal: OptionRule<AbortSignal> = (value, path) => {
  const { aborted, addEventListener } = (value ?? {}) as Partial<AbortSignal>;
  if (typeof aborted !== 'boolean' || typeof addEventListener !== 'function') {
    throw new KrafkaConfigError(path, `must be an AbortSignal, got ${describe(value)}`);
  }
  return ownOf(value as AbortSignal);
};

/** The rules of the options that every call has; a call adds its own. */
export const CALL_OPTIONS: OptionRules<CallOptions> = {
  timeoutMs: optional(aBudget),
  signal: optional(aSignal),
};

/** The options of a call that has none but those of every call. @throws KrafkaConfigError */
export const checkCall = (given: CallOptions | undefined): CallOptions =>
  checkOptions<CallOptions>(given, CALL_OPTIONS, 'options');

/** The items themselves, none of which may be there twice. @throws KrafkaConfigError */
export function withoutRepeats<T>(items: readonly T[], keyOf: (item: T) => string, path: string): readonly T[] {
  const seen = new Set<string>();
  items.forEach((item, index) => {
    const key = keyOf(item);
    if (seen.has(key)) throw new KrafkaConfigError(`${path}[${index}]`, `repeats '${key}'`);
    seen.add(key);
  });
  return items;
}

/** Texts by name, as Kafka's configurations are. */
export const textByName: OptionRule<Readonly<Record<string, string>>> = (value, path) => {
  // What can be iterated, like a Map, has its entries elsewhere: they would be ignored.
  if (typeof value !== 'object' || value === null || Symbol.iterator in value) {
    throw new KrafkaConfigError(path, `must be an object, got ${describe(value)}`);
  }
  for (const [name, text] of Object.entries(value)) {
    if (typeof text !== 'string') {
      throw new KrafkaConfigError(`${path}.${name}`, `must be a string, as Kafka takes it, got ${describe(text)}`);
    }
  }
  return Object.freeze({ ...(value as Record<string, string>) });
};
