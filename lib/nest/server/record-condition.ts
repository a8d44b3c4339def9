import type { ConsumerRecord } from '../../core/protocol/index.js';
import {
  aListOf,
  aString,
  checkOptions,
  KrafkaConfigError,
  optional,
  type OptionRule,
} from '../../core/support/index.js';
import { headerText, parseValue } from '../wire/incoming-value.js';

type Words = string | readonly string[];

/** Tells the records a handler is for from others of the same topic: by a header's text, or by a field of a JSON payload. */
export type RecordCondition =
  | { readonly header: string; readonly field?: undefined; readonly is: Words }
  | { readonly field: string; readonly header?: undefined; readonly is: Words };

interface Given {
  readonly header?: string | undefined;
  readonly field?: string | undefined;
  readonly is: Words;
}

const someWords: OptionRule<Words> = (value, path) =>
  Array.isArray(value) ? aListOf(aString)(value, path) : aString(value, path);

/** @throws KrafkaConfigError naming the option, `path` in front */
export const checkCondition: OptionRule<RecordCondition> = (value, path) => {
  const given = checkOptions<Given>(
    value,
    { header: optional(aString), field: optional(aString), is: someWords },
    path,
  );
  if ((given.header === undefined) === (given.field === undefined)) {
    throw new KrafkaConfigError(`${path}.header`, `or '${path}.field' must be given, and not both`);
  }
  if (given.is.length === 0) throw new KrafkaConfigError(`${path}.is`, 'must name at least one');
  return given as RecordCondition;
};

/** Whether the record is one of those. What has no such header or field, or is no JSON, is not. */
export function isFor(condition: RecordCondition | undefined, record: ConsumerRecord): boolean {
  if (condition === undefined) return true;
  const { header, field, is } = condition;
  const text = header === undefined ? fieldOf(record, field) : headerText(record.headers, header);
  return text !== undefined && (typeof is === 'string' ? is === text : is.includes(text));
}

function fieldOf(record: ConsumerRecord, field: string): string | undefined {
  const payload = parseValue(record.value);
  if (typeof payload !== 'object' || payload === null || !Object.hasOwn(payload, field)) return undefined;
  const value = (payload as Record<string, unknown>)[field];
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : undefined;
}
