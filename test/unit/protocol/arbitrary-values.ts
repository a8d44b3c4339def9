import * as fc from 'fast-check';
import type { Arbitrary } from 'fast-check';
import { INT64_MAX, inVersions, type Field, type FieldTable } from '../../../lib/core/protocol/index.js';
import { compileDefault } from '../../../lib/core/protocol/schema/defaults.js';

type Values = Record<string, unknown>;

/** Whole messages that a version can say: as they are decoded, fields that the version lacks at their default. */
export function valuesOf(table: FieldTable, version: number): Arbitrary<Values> {
  const fields: Record<string, Arbitrary<unknown>> = {};
  for (const [name, field] of Object.entries(table)) {
    fields[name] = inVersions(field.versions, version)
      ? valueOf(field, version)
      : fc.constant(null).map(() => compileDefault(field)());
  }
  return fc.record(fields, { noNullPrototype: true });
}

/** A message with one field or item, anywhere in it, replaced by something else. */
export function spoiled(value: Values, at: number, replacement: unknown): Values {
  const places: { holder: Values | unknown[]; name: string }[] = [];
  const copy = (one: unknown): unknown => {
    if (typeof one !== 'object' || one === null || Buffer.isBuffer(one)) return one;
    const holder: Values | unknown[] = Array.isArray(one) ? [] : {};
    for (const [name, inner] of Object.entries(one)) {
      (holder as Values)[name] = copy(inner);
      places.push({ holder, name });
    }
    return holder;
  };
  const whole = copy(value) as Values;
  const place = places[at % Math.max(1, places.length)];
  if (place !== undefined) (place.holder as Values)[place.name] = replacement;
  return whole;
}

function valueOf(field: Field, version: number): Arbitrary<unknown> {
  const value = presentValueOf(field, version);
  const nullable = inVersions(field.nullable, version) || field.kind === 'records';
  return nullable ? fc.option(value, { nil: null, freq: 4 }) : value;
}

function presentValueOf(field: Field, version: number): Arbitrary<unknown> {
  switch (field.kind) {
    case 'bool':
      return fc.boolean();
    case 'int8':
      return fc.integer({ min: -128, max: 127 });
    case 'int16':
      return fc.integer({ min: -32_768, max: 32_767 });
    case 'uint16':
      return fc.integer({ min: 0, max: 65_535 });
    case 'int32':
      return fc.integer();
    case 'uint32':
      return fc.integer({ min: 0, max: 4_294_967_295 });
    case 'int64':
      return field.defaultValue === INT64_MAX
        ? fc.oneof(fc.maxSafeInteger(), fc.constant(INT64_MAX))
        : fc.maxSafeInteger();
    case 'float64':
      return fc.double();
    case 'string':
      return text();
    case 'uuid':
      return fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('base64url'));
    case 'bytes':
    case 'records':
      return fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes));
    case 'struct':
      return valuesOf(field.fields as FieldTable, version);
    case 'array':
      return fc.array(valueOf(field.element as Field, version), { maxLength: 3 });
  }
}

/** Text of every kind that has a form in UTF-8: half a surrogate pair has none. */
export const text = (): Arbitrary<string> =>
  fc
    .oneof(fc.string({ maxLength: 40 }), fc.string({ unit: 'binary', maxLength: 40 }))
    .map((one) => Buffer.from(one).toString());
