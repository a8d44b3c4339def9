import { Reader, Writer, malformed } from '../wire/index.js';
import { ZERO_UUID, type Field, type FieldTable } from './fields.js';
import { inVersions, type VersionRange } from './versions.js';

/** Writes a value at one version. */
export type Encode<T> = (writer: Writer, value: T) => void;
/** Reads a value at one version. */
export type Decode<T> = (reader: Reader) => T;

type Values = Record<string, unknown>;

/**
 * Compiles a table, once per version, to closures that write and read it. Whether a field is there, compact, nullable
 * or tagged is decided here and not looked at again.
 */
export function compileEncode(table: FieldTable, version: number, flexible: VersionRange): Encode<Values> {
  const isFlexible = inVersions(flexible, version);
  const plain: Encode<Values>[] = [];
  const tagged: { tag: number; encode: Encode<unknown>; name: string; field: Field }[] = [];
  for (const [name, field] of Object.entries(table)) {
    if (!inVersions(field.versions, version)) {
      if (!field.ignorable) plain.push(refuse(name, field, version));
      continue;
    }
    const encode = encodeField(field, version, isFlexible, name, flexible);
    if (field.tag !== undefined && inVersions(field.tagged, version)) {
      tagged.push({ tag: field.tag, encode, name, field });
    } else {
      plain.push((writer, values) => encode(writer, valueOf(values, name, field, version)));
    }
  }
  tagged.sort((a, b) => a.tag - b.tag);
  return (writer, values) => {
    for (const encode of plain) encode(writer, values);
    if (!isFlexible) return;
    if (tagged.length === 0) {
      writer.unsignedVarint(0);
      return;
    }
    const present = tagged.filter(({ name, field }) => !isDefault(values[name], field));
    writer.unsignedVarint(present.length);
    for (const { tag, encode, name } of present) {
      const body = new Writer(64);
      encode(body, values[name]);
      writer.unsignedVarint(tag);
      writer.unsignedVarint(body.length);
      for (const chunk of body.chunks()) writer.reference(chunk);
    }
  };
}

/** The reading half of {@link compileEncode}: unknown tagged fields are skipped, as KIP-482 asks. */
export function compileDecode(table: FieldTable, version: number, flexible: VersionRange): Decode<Values> {
  const isFlexible = inVersions(flexible, version);
  const plain: { name: string; decode: Decode<unknown> }[] = [];
  const tagged = new Map<number, { name: string; decode: Decode<unknown> }>();
  const absent: { name: string; field: Field }[] = [];
  for (const [name, field] of Object.entries(table)) {
    if (!inVersions(field.versions, version)) {
      absent.push({ name, field });
      continue;
    }
    const decode = decodeField(field, version, isFlexible, flexible);
    if (field.tag !== undefined && inVersions(field.tagged, version)) {
      tagged.set(field.tag, { name, decode });
      absent.push({ name, field });
    } else {
      plain.push({ name, decode });
    }
  }
  return (reader) => {
    const values: Values = {};
    for (const { name, decode } of plain) values[name] = decode(reader);
    for (const { name, field } of absent) values[name] = freshDefault(field, version);
    if (isFlexible) {
      const count = reader.arrayLength(reader.unsignedVarint(), 2);
      for (let index = 0; index < count; index++) {
        const tag = reader.unsignedVarint();
        const length = reader.unsignedVarint();
        const start = reader.take(length);
        const known = tagged.get(tag);
        if (known !== undefined) values[known.name] = known.decode(new Reader(reader.buffer, start, start + length));
      }
    }
    return values;
  };
}

function valueOf(values: Values, name: string, field: Field, version: number): unknown {
  const value = values[name];
  if (value !== undefined) return value;
  if (field.hasDefault || field.versions.from > 0) return freshDefault(field, version);
  throw new TypeError(`'${name}' is missing`);
}

function freshDefault(field: Field, version: number): unknown {
  if (field.hasDefault) return field.defaultValue;
  if (field.kind === 'array') return [];
  if (field.kind === 'struct') {
    if (inVersions(field.nullable, version) && field.nullable.from <= field.nullable.to) return null;
    const values: Values = {};
    for (const [name, inner] of Object.entries(field.fields as FieldTable)) values[name] = freshDefault(inner, version);
    return values;
  }
  return field.defaultValue;
}

function isDefault(value: unknown, field: Field): boolean {
  if (value === undefined) return true;
  if (field.kind === 'array') return Array.isArray(value) && value.length === 0 && field.defaultValue !== null;
  if (field.kind === 'bytes' && !field.hasDefault) return value !== null && (value as Buffer).length === 0;
  if (field.kind === 'struct' && !field.hasDefault) {
    return (
      value !== null &&
      Object.entries(field.fields as FieldTable).every(([name, inner]) => isDefault((value as Values)[name], inner))
    );
  }
  return value === field.defaultValue;
}

function refuse(name: string, field: Field, version: number): Encode<Values> {
  return (_writer, values) => {
    if (!isDefault(values[name], field)) {
      throw new RangeError(`'${name}' can't be said in version ${version}`);
    }
  };
}

function encodeField(
  field: Field,
  version: number,
  compact: boolean,
  name: string,
  flexible: VersionRange,
): Encode<unknown> {
  const nullable = inVersions(field.nullable, version);
  switch (field.kind) {
    case 'bool':
      return (writer, value) => writer.boolean(value as boolean);
    case 'int8':
      return (writer, value) => writer.int8(value as number);
    case 'int16':
      return (writer, value) => writer.int16(value as number);
    case 'uint16':
      return (writer, value) => writer.uint16(value as number);
    case 'int32':
      return (writer, value) => writer.int32(value as number);
    case 'uint32':
      return (writer, value) => writer.uint32(value as number);
    case 'int64':
      return (writer, value) => writer.int64(value as number);
    case 'float64':
      return (writer, value) => writer.float64(value as number);
    case 'uuid':
      return (writer, value) => writer.raw(uuidBytes(value as string));
    case 'string':
      return (writer, value) => {
        if (value === null) writeNull(writer, compact ? 'compact' : 'int16', nullable, name);
        else writeString(writer, value as string, compact, name);
      };
    case 'bytes':
    case 'records':
      return (writer, value) => {
        if (value === null) {
          writeNull(writer, compact ? 'compact' : 'int32', nullable || field.kind === 'records', name);
          return;
        }
        const pieces = Array.isArray(value) ? (value as Buffer[]) : [value as Buffer];
        let length = 0;
        for (const piece of pieces) length += piece.length;
        if (compact) writer.unsignedVarint(length + 1);
        else writer.int32(length);
        for (const piece of pieces) writer.reference(piece);
      };
    case 'struct': {
      const encode = compileEncode(field.fields as FieldTable, version, flexible);
      if (!nullable) return (writer, value) => encode(writer, value as Values);
      return (writer, value) => {
        writer.int8(value === null ? -1 : 1);
        if (value !== null) encode(writer, value as Values);
      };
    }
    case 'array': {
      const element = field.element as Field;
      const encode =
        element.kind === 'struct'
          ? (compileEncode(element.fields as FieldTable, version, flexible) as Encode<unknown>)
          : encodeField(element, version, compact, name, flexible);
      return (writer, value) => {
        if (value === null) {
          writeNull(writer, compact ? 'compact' : 'int32', nullable, name);
          return;
        }
        const items = value as readonly unknown[];
        if (compact) writer.unsignedVarint(items.length + 1);
        else writer.int32(items.length);
        for (const item of items) encode(writer, item);
      };
    }
  }
}

function writeNull(writer: Writer, form: 'compact' | 'int16' | 'int32', nullable: boolean, name: string): void {
  if (!nullable) throw new TypeError(`'${name}' can't be null`);
  if (form === 'compact') writer.unsignedVarint(0);
  else if (form === 'int16') writer.int16(-1);
  else writer.int32(-1);
}

function writeString(writer: Writer, text: string, compact: boolean, name: string): void {
  const length = Buffer.byteLength(text);
  if (length > 32_767) throw new RangeError(`'${name}' is ${length} bytes long, 32767 at most`);
  if (compact) writer.unsignedVarint(length + 1);
  else writer.int16(length);
  writer.utf8(text, length);
}

function decodeField(field: Field, version: number, compact: boolean, flexible: VersionRange): Decode<unknown> {
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
      return (reader) => reader.int64();
    case 'float64':
      return (reader) => reader.float64();
    case 'uuid':
      return (reader) => uuidText(reader.view(16));
    case 'string':
      return (reader) => {
        const length = compact ? reader.unsignedVarint() - 1 : reader.int16();
        return length < 0 ? readNull(nullable, length) : reader.utf8(length);
      };
    case 'bytes':
    case 'records':
      return (reader) => {
        const length = compact ? reader.unsignedVarint() - 1 : reader.int32();
        return length < 0 ? readNull(nullable || field.kind === 'records', length) : reader.view(length);
      };
    case 'struct': {
      const decode = compileDecode(field.fields as FieldTable, version, flexible);
      if (!nullable) return decode;
      return (reader) => (reader.int8() < 0 ? null : decode(reader));
    }
    case 'array': {
      const element = field.element as Field;
      const decode =
        element.kind === 'struct'
          ? compileDecode(element.fields as FieldTable, version, flexible)
          : decodeField(element, version, compact, flexible);
      const least = leastBytes(element, version, compact);
      return (reader) => {
        const length = compact ? reader.unsignedVarint() - 1 : reader.int32();
        if (length < 0) return readNull(nullable, length);
        const items: unknown[] = [];
        for (let left = reader.arrayLength(length, least); left > 0; left--) items.push(decode(reader));
        return items;
      };
    }
  }
}

function readNull(nullable: boolean, length: number): null {
  if (!nullable || length !== -1) throw malformed(`a length of ${length}`);
  return null;
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
      let sum = compact ? 1 : 0;
      for (const inner of Object.values(field.fields as FieldTable)) {
        if (!inVersions(inner.versions, version)) continue;
        if (inner.tag !== undefined && inVersions(inner.tagged, version)) continue;
        sum += inVersions(inner.nullable, version) && inner.kind === 'struct' ? 1 : leastBytes(inner, version, compact);
      }
      return Math.max(1, sum);
    }
    default:
      return 1;
  }
}

function uuidText(bytes: Buffer): string {
  return bytes.toString('base64url');
}

function uuidBytes(text: string): Buffer {
  const bytes = text === ZERO_UUID ? ZERO_UUID_BYTES : Buffer.from(text, 'base64url');
  if (bytes.length !== 16) throw new RangeError(`'${text}' is no UUID`);
  return bytes;
}

const ZERO_UUID_BYTES = Buffer.alloc(16);
