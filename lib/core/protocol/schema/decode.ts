import { malformed, type Reader } from '../wire/index.js';
import { compileDefault } from './defaults.js';
import { inField } from './field-error.js';
import { INT64_MAX, type Field, type FieldTable } from './fields.js';
import { inVersions, type VersionRange } from './versions.js';

/** Reads a value at one version. */
export type Decode<T> = (reader: Reader) => T;

interface Step {
  readonly name: string;
  readonly decode: Decode<unknown>;
}

/**
 * Compiles a table at one version to closures that read it. Fields that the version lacks get their default; tagged
 * fields that are not known are skipped (KIP-482). What they throw is a `FieldError`.
 */
export function compileDecode(table: FieldTable, version: number, flexible: VersionRange): Decode<unknown> {
  const isFlexible = inVersions(flexible, version);
  const plain: Step[] = [];
  const tagged = new Map<number, Step>();
  const absent: { readonly name: string; readonly makeDefault: () => unknown }[] = [];
  for (const [name, field] of Object.entries(table)) {
    if (!inVersions(field.versions, version)) {
      absent.push({ name, makeDefault: compileDefault(field) });
      continue;
    }
    const decode = decodeField(field, version, flexible);
    if (inVersions(field.tagged, version)) {
      tagged.set(field.tag as number, { name, decode });
      absent.push({ name, makeDefault: compileDefault(field) });
    } else {
      plain.push({ name, decode });
    }
  }

  return (reader) => {
    const values: Record<string, unknown> = {};
    let index = 0;
    try {
      for (; index < plain.length; index++) {
        const step = plain[index] as Step;
        values[step.name] = step.decode(reader);
      }
    } catch (error) {
      throw inField((plain[index] as Step).name, error);
    }
    for (const { name, makeDefault } of absent) values[name] = makeDefault();
    if (isFlexible) decodeTagged(reader, values, tagged);
    return values;
  };
}

function decodeTagged(reader: Reader, values: Record<string, unknown>, tagged: ReadonlyMap<number, Step>): void {
  for (let left = reader.tagCount(); left > 0; left--) {
    const tag = reader.unsignedVarint();
    const part = reader.part(reader.unsignedVarint());
    const known = tagged.get(tag);
    if (known === undefined) continue;
    try {
      values[known.name] = known.decode(part);
      part.expectEnd();
    } catch (error) {
      throw inField(known.name, error);
    }
  }
}

function decodeField(field: Field, version: number, flexible: VersionRange): Decode<unknown> {
  const compact = inVersions(flexible, version);
  const nullable = inVersions(field.nullable, version);
  switch (field.kind) {
    case 'bool':
      return (reader) => reader.boolean();
    case 'int8':
      return (reader) => reader.int8();
    case 'int16':
      return (reader) => reader.int16();
    case 'uint16':
      return (reader) => reader.uint16();
    case 'int32':
      return (reader) => reader.int32();
    case 'uint32':
      return (reader) => reader.uint32();
    case 'int64':
      return field.defaultValue === INT64_MAX ? decodeInt64OrMax : (reader) => reader.int64();
    case 'float64':
      return (reader) => reader.float64();
    case 'uuid':
      return (reader) => reader.uuid();
    case 'string':
      return orNull(nullable, (reader) => reader.string(compact));
    case 'bytes':
      return orNull(nullable, (reader) => reader.bytes(compact));
    case 'records':
      return (reader) => reader.bytes(compact);
    case 'struct': {
      const decode = compileDecode(field.fields as FieldTable, version, flexible);
      if (!nullable) return decode;
      return (reader) => (reader.int8() < 0 ? null : decode(reader));
    }
    case 'array':
      return orNull(nullable, decodeArray(field.element as Field, version, flexible));
  }
}

function orNull(nullable: boolean, decode: Decode<unknown>): Decode<unknown> {
  if (nullable) return decode;
  return (reader) => {
    const value = decode(reader);
    if (value === null) throw malformed("can't be null");
    return value;
  };
}

function decodeArray(element: Field, version: number, flexible: VersionRange): Decode<unknown> {
  const compact = inVersions(flexible, version);
  const decode = decodeField(element, version, flexible);
  const least = leastBytes(element, version, compact);
  return (reader) => {
    const length = reader.count(compact, least);
    if (length < 0) return null;
    const items: unknown[] = [];
    try {
      while (items.length < length) items.push(decode(reader));
    } catch (error) {
      throw inField(`[${items.length}]`, error);
    }
    return items;
  };
}

function decodeInt64OrMax(reader: Reader): number {
  const start = reader.position;
  const isMax =
    reader.remaining >= 8 &&
    reader.buffer.readInt32BE(start) === 0x7fffffff &&
    reader.buffer.readInt32BE(start + 4) === -1;
  if (!isMax) return reader.int64();
  reader.take(8);
  return INT64_MAX;
}

/** The fewest bytes a value can take: what a claimed array length is held against. Never less than one. */
function leastBytes(field: Field, version: number, compact: boolean): number {
  switch (field.kind) {
    case 'int16':
    case 'uint16':
      return 2;
    case 'int32':
    case 'uint32':
      return 4;
    case 'int64':
    case 'float64':
      return 8;
    case 'uuid':
      return 16;
    case 'string':
      return compact ? 1 : 2;
    case 'bytes':
    case 'records':
    case 'array':
      return compact ? 1 : 4;
    case 'struct': {
      if (inVersions(field.nullable, version)) return 1;
      let sum = compact ? 1 : 0;
      for (const inner of Object.values(field.fields as FieldTable)) {
        if (!inVersions(inner.versions, version) || inVersions(inner.tagged, version)) continue;
        sum += leastBytes(inner, version, compact);
      }
      return Math.max(1, sum);
    }
    default:
      return 1;
  }
}
