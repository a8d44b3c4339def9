import { LONGEST_MS } from './clock.js';
import { KrafkaConfigError } from './errors.js';
import { nameHereOf } from './other-names.js';

/** Checks one value of an options object and returns it as it will be used. `path` names it in the error. */
export type OptionRule<T> = (value: unknown, path: string) => T;

/** The rules of an options object: every key it may have. */
export type OptionRules<T> = { readonly [Key in keyof T]-?: OptionRule<T[Key]> };

/** Checks a whole options object: unknown keys are refused by name with the nearest known one; the result is frozen. */
export function checkOptions<T extends object>(given: unknown, rules: OptionRules<T>, path: string): Readonly<T> {
  if (given === undefined) given = {};
  if (typeof given !== 'object' || given === null || Array.isArray(given) || given instanceof Map) {
    throw new KrafkaConfigError(path || 'options', `must be an object, got ${describe(given)}`);
  }
  const known = Object.keys(rules);
  for (const key of Object.keys(given)) {
    if (!known.includes(key)) {
      throw new KrafkaConfigError(join(path, key), 'is not known', nearestOf(key, known));
    }
  }
  const checked: Partial<T> = {};
  for (const key of known as (keyof T & string)[]) {
    checked[key] = rules[key]((given as Partial<T>)[key], join(path, key));
  }
  return Object.freeze(checked as T);
}

const join = (path: string, key: string): string => (path === '' ? key : `${path}.${key}`);

/** The known name that is meant by another elsewhere, or differs least from the one given and is near enough to be meant. */
export function nearestOf(given: string, known: readonly string[]): string | undefined {
  const here = nameHereOf(given, known);
  if (here !== undefined) return here;
  const lower = given.toLowerCase();
  let best: string | undefined;
  let bestDistance = (given.length < 5 ? 2 : Math.max(3, Math.floor(given.length / 2))) + 1;
  for (const candidate of known) {
    const distance = editDistance(lower, candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** A value's kind for an error message; never the value itself, which may be a secret. */
export function describe(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (value instanceof Map) return 'a Map';
  if (typeof value === 'object') return 'an object';
  return `a ${typeof value}`;
}

/** As {@link describe} says it, but for a number, which is shown: of what should be a number, and so is no secret. */
export function describeNumber(value: unknown): string {
  return typeof value === 'number' ? String(value) : describe(value);
}

/** The given value where there is one, else the default. */
export function withDefault<T>(rule: OptionRule<T>, fallback: T): OptionRule<T> {
  return (value, path) => (value === undefined ? fallback : rule(value, path));
}

/** The given value where there is one, else undefined. */
export function optional<T>(rule: OptionRule<T>): OptionRule<T | undefined> {
  return (value, path) => (value === undefined ? undefined : rule(value, path));
}

export const aBoolean: OptionRule<boolean> = (value, path) => {
  if (typeof value !== 'boolean') throw new KrafkaConfigError(path, `must be true or false, got ${describe(value)}`);
  return value;
};

export const aString: OptionRule<string> = (value, path) => {
  if (typeof value !== 'string' || value === '') {
    throw new KrafkaConfigError(path, `must be a non-empty string, got ${value === '' ? "''" : describe(value)}`);
  }
  return value;
};

/** A whole number of `unit` from `least` to `most`, both included. */
export function aWhole(unit: string, least: number, most: number = Number.MAX_SAFE_INTEGER): OptionRule<number> {
  return (value, path) => {
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < least || value > most) {
      const range = most === Number.MAX_SAFE_INTEGER ? `at least ${least}` : `from ${least} to ${most}`;
      throw new KrafkaConfigError(path, `must be a whole number of ${unit}, ${range}, got ${describeNumber(value)}`);
    }
    return value;
  };
}

/** A whole number of milliseconds from `least` to `most`, which is what a timer takes unless it is less. */
export function aDuration(least: number, most: number = LONGEST_MS): OptionRule<number> {
  return aWhole('milliseconds', least, most);
}

/** How long a close may take, in milliseconds: fractions too, for what is left of a budget has some. Unknown keys are refused. */
export function checkCloseTimeout(given: unknown, fallbackMs: number): number {
  return checkOptions<{ readonly timeoutMs: number }>(given, { timeoutMs: withDefault(aBudget, fallbackMs) }, 'close')
    .timeoutMs;
}

const aBudget: OptionRule<number> = (value, path) => {
  if (typeof value !== 'number' || !(value >= 0 && value <= LONGEST_MS)) {
    throw new KrafkaConfigError(path, `must be milliseconds, from 0 to ${LONGEST_MS}, got ${describeNumber(value)}`);
  }
  return value;
};

/** One of a few words. */
export function oneOf<const T extends string | number>(...words: readonly T[]): OptionRule<T> {
  return (value, path) => {
    if (!words.includes(value as T)) {
      const nearest = typeof value === 'string' ? nearestOf(value, words.map(String)) : undefined;
      throw new KrafkaConfigError(path, `must be one of ${words.map((word) => `'${word}'`).join(', ')}`, nearest);
    }
    return value as T;
  };
}

export function aFunction<T extends (...args: never[]) => unknown>(value: unknown, path: string): T {
  if (typeof value !== 'function') throw new KrafkaConfigError(path, `must be a function, got ${describe(value)}`);
  return value as T;
}

/** An object that has every one of the named methods. */
export function anObjectWith<T extends object>(...methods: readonly (keyof T & string)[]): OptionRule<T> {
  return (value, path) => {
    const missing = methods.find((method) => typeof (value as T | undefined)?.[method] !== 'function');
    if (typeof value !== 'object' || value === null || missing !== undefined) {
      throw new KrafkaConfigError(path, `must be an object with the methods ${methods.join(', ')}`);
    }
    return value as T;
  };
}

/** A list of whatever `rule` takes. */
export function aListOf<T>(rule: OptionRule<T>): OptionRule<readonly T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) throw new KrafkaConfigError(path, `must be an array, got ${describe(value)}`);
    // Unlike map(), also what was left out.
    return Object.freeze(Array.from<unknown, T>(value, (item, index) => rule(item, `${path}[${index}]`)));
  };
}
