import { describe } from '../../support/index.js';
import { Writer } from '../wire/index.js';
import { compileDefault, isDefault } from './defaults.js';
import { FieldError, inField } from './field-error.js';
import { INT64_MAX, type Field, type FieldTable } from './fields.js';
import { inVersions, type VersionRange } from './versions.js';

/** Writes a value at one version. */
export type Encode<T> = (writer: Writer, value: T) => void;

type Values = Readonly<Record<string, unknown>>;
interface Step {
  readonly name: string;
  readonly field: Field;
  readonly encode: Encode<unknown>;
}

/**
 * Compiles a table at one version to closures that write it. Whether a field is there, compact, nullable or tagged is
 * decided here and not looked at again. What they throw is a `FieldError`.
 */
export function compileEncode(table: FieldTable, version: number, flexible: VersionRange): Encode<unknown> {
  const isFlexible = inVersions(flexible, version);
  const plain: Step[] = [];
  const tagged: Step[] = [];
  for (const [name, field] of Object.entries(table)) {
    if (!inVersions(field.versions, version)) {
      if (!field.ignorable) plain.push({ name, field, encode: refuseUnlessDefault(field, version) });
      continue;
    }
    const encode = encodeField(field, version, flexible);
    if (inVersions(field.tagged, version)) tagged.push({ name, field, encode });
    else plain.push({ name, field, encode: given(field, encode) });
  }
  tagged.sort((a, b) => (a.field.tag as number) - (b.field.tag as number));

  return (writer, value) => {
    if (typeof value !== 'object' || value === null) throw mismatch('an object', value);
    const values = value as Values;
    let index = 0;
    try {
      for (; index < plain.length; index++) {
        const step = plain[index] as Step;
        step.encode(writer, values[step.name]);
      }
    } catch (error) {
      throw inField((plain[index] as Step).name, error);
    }
    if (isFlexible) encodeTagged(writer, values, tagged);
  };
}

function encodeTagged(writer: Writer, values: Values, tagged: readonly Step[]): void {
  if (tagged.length === 0) {
    writer.unsignedVarint(0);
    return;
  }
  const present = tagged.filter(({ name, field }) => !isDefault(values[name], field));
  writer.unsignedVarint(present.length);
  for (const { name, field, encode } of present) {
    const body = new Writer(64);
    try {
      encode(body, values[name]);
    } catch (error) {
      throw inField(name, error);
    }
    writer.unsignedVarint(field.tag as number);
    writer.unsignedVarint(body.length);
    for (const chunk of body.chunks()) writer.reference(chunk);
  }
}

// A value left out is the default where the field has one or came in a later version, as its type says.
function given(field: Field, encode: Encode<unknown>): Encode<unknown> {
  if (!field.hasDefault && field.versions.from === 0) {
    return (writer, value) => {
      if (value === undefined) throw new FieldError('is missing');
      encode(writer, value);
    };
  }
  const makeDefault = compileDefault(field);
  return (writer, value) => encode(writer, value === undefined ? makeDefault() : value);
}

function refuseUnlessDefault(field: Field, version: number): Encode<unknown> {
  return (_writer, value) => {
    if (!isDefault(value, field)) {
      throw new FieldError(`can't be said in version ${version}`, { unsupported: true });
    }
  };
}

function encodeField(field: Field, version: number, flexible: VersionRange): Encode<unknown> {
  const encode = encodeValue(field, version, flexible);
  const nullable = inVersions(field.nullable, version);
  const compact = inVersions(flexible, version);
  switch (field.kind) {
    case 'string':
      return orNull(nullable, encode, (writer) => writer.string(null, compact));
    case 'bytes':
      return orNull(nullable, encode, (writer) => writer.count(-1, compact));
    case 'records':
      return orNull(true, encode, (writer) => writer.count(-1, compact));
    case 'array':
      return orNull(nullable, encode, (writer) => writer.count(-1, compact));
    case 'struct':
      if (!nullable) return encode;
      return (writer, value) => {
        writer.int8(value === null ? -1 : 1);
        if (value !== null) encode(writer, value);
      };
    default:
      return encode;
  }
}

function orNull(nullable: boolean, encode: Encode<unknown>, encodeNull: (writer: Writer) => void): Encode<unknown> {
  return (writer, value) => {
    if (value !== null) encode(writer, value);
    else if (nullable) encodeNull(writer);
    else throw new FieldError("can't be null");
  };
}

function encodeValue(field: Field, version: number, flexible: VersionRange): Encode<unknown> {
  const compact = inVersions(flexible, version);
  switch (field.kind) {
    case 'bool':
      return (writer, value) => {
        if (typeof value !== 'boolean') throw mismatch('true or false', value);
        writer.boolean(value);
      };
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
      if (field.defaultValue !== INT64_MAX) return (writer, value) => writer.int64(value as number);
      return (writer, value) => (value === INT64_MAX ? writer.raw(INT64_MAX_BYTES) : writer.int64(value as number));
    case 'float64':
      return (writer, value) => {
        if (typeof value !== 'number') throw mismatch('a number', value);
        writer.float64(value);
      };
    case 'uuid':
      return (writer, value) => writer.uuid(value as string);
    case 'string':
      return (writer, value) => writer.text(value as string, compact);
    case 'bytes':
      return (writer, value) => {
        if (!Buffer.isBuffer(value)) throw mismatch('a Buffer', value);
        writer.bytes(value, compact);
      };
    case 'records':
      return (writer, value) => writer.bytes(value as Buffer | readonly Buffer[], compact);
    case 'struct':
      return compileEncode(field.fields as FieldTable, version, flexible);
    case 'array': {
      const element = encodeField(field.element as Field, version, flexible);
      return (writer, value) => {
        const items = value as readonly unknown[];
        writer.lengthOf(items, compact);
        let index = 0;
        try {
          for (; index < items.length; index++) element(writer, items[index]);
        } catch (error) {
          throw inField(`[${index}]`, error);
        }
      };
    }
  }
}

const INT64_MAX_BYTES = Buffer.from('7fffffffffffffff', 'hex');

// Says what kind of thing was given and never the thing itself, which may be a secret.
function mismatch(wanted: string, value: unknown): FieldError {
  return new FieldError(`must be ${wanted}, got ${describe(value)}`);
}
