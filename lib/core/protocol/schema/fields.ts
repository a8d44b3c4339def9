import { parseVersions, type VersionRange, type VersionText } from './versions.js';

/** What a field's value is on the wire. */
export type FieldKind =
  | 'bool'
  | 'int8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'float64'
  | 'string'
  | 'uuid'
  | 'bytes'
  | 'records'
  | 'struct'
  | 'array';

/** What may be said of any field, in the words of Kafka's message definitions. */
export interface FieldSpec {
  /** Versions in which null is a value. */
  readonly nullable?: VersionText;
  /** Tag number of a tagged field (KIP-482); it is tagged in the versions `tagged` names. */
  readonly tag?: number;
  readonly tagged?: VersionText;
  /** What the field is when nobody said, or the version has no such field; without it zero, empty or all defaults. */
  readonly default?: string | number | boolean | null;
  /** A value that the version can't carry is dropped; of other fields it is refused unless it is the default. */
  readonly ignorable?: boolean;
}

/** A row of a message's table. The type parameters are what it decodes to and what may be given to encode it. */
export interface Field<Out = unknown, In = Out, Optional extends boolean = boolean> {
  readonly kind: FieldKind;
  readonly versions: VersionRange;
  readonly nullable: VersionRange;
  readonly tag: number | undefined;
  readonly tagged: VersionRange;
  readonly defaultValue: unknown;
  readonly hasDefault: boolean;
  readonly ignorable: boolean;
  /** Rows of a struct, or of the struct that an array holds. */
  readonly fields: FieldTable | undefined;
  /** The row that describes the elements of an array. */
  readonly element: Field | undefined;
  /** Never there: it holds the types. */
  readonly phantom?: { readonly out: Out; readonly in: In; readonly optional: Optional };
}

/** A message or struct: its fields by name, in the order of the wire. */
export type FieldTable = { readonly [name: string]: Field };

type OutOf<F> = F extends Field<infer Out, infer _In, infer _Optional> ? Out : never;
type InOf<F> = F extends Field<infer _Out, infer In, infer _Optional> ? In : never;
type OptionalNames<T extends FieldTable> = {
  [Name in keyof T]: T[Name] extends Field<infer _Out, infer _In, infer Optional>
    ? Optional extends true
      ? Name
      : never
    : never;
}[keyof T];

type Flat<T> = { [Key in keyof T]: T[Key] };

/** What a table decodes to: every field, absent ones at their default. */
export type Decoded<T extends FieldTable> = { -readonly [Name in keyof T]: OutOf<T[Name]> };

/** What may be given to encode a table: fields of later versions and fields with a default may be left out. */
export type Encodable<T extends FieldTable> = Flat<
  { readonly [Name in Exclude<keyof T, OptionalNames<T>>]: InOf<T[Name]> } & {
    readonly [Name in OptionalNames<T>]?: InOf<T[Name]> | undefined;
  }
>;

type OrNull<T, S> = S extends { readonly nullable: string } ? T | null : T;
type IsOptional<V, S> = S extends { readonly default: unknown } | { readonly tag: number }
  ? true
  : V extends '0+'
    ? false
    : true;

const NEVER: VersionRange = parseVersions('none');

function row(kind: FieldKind, versions: VersionText, spec: FieldSpec, inner: Partial<Field> = {}): Field {
  return {
    kind,
    versions: parseVersions(versions),
    nullable: spec.nullable === undefined ? NEVER : parseVersions(spec.nullable),
    tag: spec.tag,
    tagged: spec.tagged === undefined ? NEVER : parseVersions(spec.tagged),
    defaultValue: spec.default === undefined ? emptyOf(kind) : spec.default,
    hasDefault: spec.default !== undefined,
    ignorable: spec.ignorable ?? false,
    fields: undefined,
    element: undefined,
    ...inner,
  };
}

/** The UUID that stands for none. */
export const ZERO_UUID = 'AAAAAAAAAAAAAAAAAAAAAA';
/**
 * 2^63 - 1, which a number can't hold, where a definition has it as the default and means `no limit`: such a field, and
 * no other, is Infinity when it has that value.
 */
export const INT64_MAX: number = Number.POSITIVE_INFINITY;
const EMPTY_BYTES: Buffer = Buffer.alloc(0);

function emptyOf(kind: FieldKind): unknown {
  switch (kind) {
    case 'bool':
      return false;
    case 'string':
      return '';
    case 'uuid':
      return ZERO_UUID;
    case 'bytes':
      return EMPTY_BYTES;
    case 'records':
      return null;
    case 'array':
      return [];
    case 'struct':
      return undefined;
    default:
      return 0;
  }
}

type Maker<T, I = T> = <const V extends VersionText, const S extends FieldSpec = Record<never, never>>(
  versions: V,
  spec?: S,
) => Field<OrNull<T, S>, OrNull<I, S>, IsOptional<V, S>>;

const maker = <T, I = T>(kind: FieldKind): Maker<T, I> =>
  ((versions: VersionText, spec: FieldSpec = {}) => row(kind, versions, spec)) as Maker<T, I>;

export const bool: Maker<boolean> = maker<boolean>('bool');
export const int8: Maker<number> = maker<number>('int8');
export const int16: Maker<number> = maker<number>('int16');
export const uint16: Maker<number> = maker<number>('uint16');
export const int32: Maker<number> = maker<number>('int32');
export const uint32: Maker<number> = maker<number>('uint32');
/** A 64-bit number, as a JavaScript number that is checked to be a safe integer. */
export const int64: Maker<number> = maker<number>('int64');
export const float64: Maker<number> = maker<number>('float64');
export const string: Maker<string> = maker<string>('string');
/** A UUID in Kafka's own text form: 22 characters of unpadded URL-safe base64. */
export const uuid: Maker<string> = maker<string>('uuid');
/** Bytes: a view of the frame when decoded. */
export const bytes: Maker<Buffer> = maker<Buffer>('bytes');
/** Record batches: taken by reference, in one or several pieces, when encoded; a view of the frame when decoded. */
export const records: Maker<Buffer | null, Buffer | readonly Buffer[] | null> = maker('records');

/** A struct within a message. */
export function struct<
  const V extends VersionText,
  const T extends FieldTable,
  const S extends FieldSpec = Record<never, never>,
>(versions: V, fields: T, spec?: S): Field<OrNull<Decoded<T>, S>, OrNull<Encodable<T>, S>, IsOptional<V, S>> {
  return row('struct', versions, spec ?? {}, { fields }) as Field<
    OrNull<Decoded<T>, S>,
    OrNull<Encodable<T>, S>,
    IsOptional<V, S>
  >;
}

/** An array of structs (given as a table) or of one plain kind (given as a row, e.g. `int32('0+')`). */
export function array<
  const V extends VersionText,
  const E extends FieldTable | Field,
  const S extends FieldSpec = Record<never, never>,
>(
  versions: V,
  element: E,
  spec?: S,
): Field<OrNull<ElementOut<E>[], S>, OrNull<readonly ElementIn<E>[], S>, IsOptional<V, S>> {
  const rowOfElement = isField(element) ? element : row('struct', versions, {}, { fields: element });
  return row('array', versions, spec ?? {}, { element: rowOfElement }) as Field<
    OrNull<ElementOut<E>[], S>,
    OrNull<readonly ElementIn<E>[], S>,
    IsOptional<V, S>
  >;
}

type ElementOut<E> =
  E extends Field<infer Out, infer _In, infer _Optional> ? Out : E extends FieldTable ? Decoded<E> : never;
type ElementIn<E> =
  E extends Field<infer _Out, infer In, infer _Optional> ? In : E extends FieldTable ? Encodable<E> : never;

// A table is an object of rows, a row has a kind that is a word: no table has a field called `kind` that is one.
const isField = (value: FieldTable | Field): value is Field => typeof (value as Field).kind === 'string';
