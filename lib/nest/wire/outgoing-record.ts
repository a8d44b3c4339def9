import type { HeaderValue } from '../../core/protocol/index.js';
import { KrafkaSerializationError } from '../../core/support/index.js';

/** A value as Kafka will hold it, and where it goes. */
export interface OutgoingRecord {
  readonly key: string | Buffer | null;
  readonly value: string | Buffer | null;
  readonly headers: Record<string, HeaderValue | readonly HeaderValue[]>;
  readonly partition?: number;
  readonly timestamp?: number;
}

/** A plain Kafka message, as `emit()` and `send()` take it: any object that has a `key` or a `value`. */
export interface KafkaMessageLike {
  readonly key?: unknown;
  readonly value?: unknown;
  readonly headers?: Readonly<Record<string, unknown>> | undefined;
  readonly partition?: number | undefined;
  readonly timestamp?: number | string | undefined;
}

/**
 * What a value becomes on the wire, by the rules of Nest's Kafka transport: an object with a `key` or a `value` is a
 * message, any other value is the value of one.
 *
 * @throws KrafkaSerializationError when something in it has no form as bytes
 */
export function toOutgoingRecord(data: unknown): OutgoingRecord {
  if (!isMessage(data)) return { key: null, value: encodeValue(data), headers: {} };
  return {
    key: encodeValue(data.key),
    value: encodeValue(data.value),
    headers: encodeHeaders(data.headers),
    ...(data.partition === undefined || data.partition === null ? {} : { partition: data.partition }),
    ...(data.timestamp === undefined || data.timestamp === null ? {} : { timestamp: encodeTimestamp(data.timestamp) }),
  };
}

/** A key or a value: texts and buffers as they are, objects and arrays as JSON, what has its own `toString()` by that. */
export function encodeValue(value: unknown): string | Buffer | null {
  switch (typeof value) {
    case 'string':
      return value;
    case 'undefined':
      return null;
    case 'number':
    case 'boolean':
    case 'bigint':
      return String(value);
    case 'object':
      return value === null ? null : encodeObject(value);
    default:
      throw new KrafkaSerializationError(`a ${typeof value} has no form as bytes`);
  }
}

function encodeObject(value: object): string | Buffer {
  if (Buffer.isBuffer(value)) return value;
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  try {
    // Its own text, as isJson() has made sure.
    // oxlint-disable-next-line typescript/no-base-to-string
    return isJson(value) ? JSON.stringify(value) : String(value);
  } catch (error) {
    throw new KrafkaSerializationError(`a value can't be written as text: ${messageOf(error)}`, error);
  }
}

// Dates, decimals and ids say themselves best; an object without a text of its own would read '[object Object]'.
function isJson(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return (
    prototype === null ||
    prototype === Object.prototype ||
    Array.isArray(value) ||
    value.toString === Object.prototype.toString
  );
}

function encodeHeaders(headers: KafkaMessageLike['headers']): OutgoingRecord['headers'] {
  if (headers === undefined || headers === null) return {};
  return Object.fromEntries(
    Object.entries(headers)
      // An undefined header is one that was left out, as in an optional property.
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, Array.isArray(value) ? value.map(encodeValue) : encodeValue(value)]),
  );
}

function encodeTimestamp(timestamp: number | string): number {
  const number = Number(timestamp);
  if (!Number.isSafeInteger(number)) {
    throw new KrafkaSerializationError('a timestamp must be a whole number of milliseconds');
  }
  return number;
}

function isMessage(data: unknown): data is KafkaMessageLike {
  if (typeof data !== 'object' || data === null) return false;
  if ('value' in data) return true;
  if (!('key' in data)) return false;
  checkTombstone(data);
  return true;
}

/** What a message has beside its value, those that were read included: they may be passed on as they are. */
const BESIDE_A_VALUE = new Set(
  'key headers partition timestamp topic offset attributes size magicByte isControlRecord batchContext'.split(' '),
);

/** A message without a value deletes: nobody means that by a payload that has a field called `key`. */
function checkTombstone(data: object): void {
  const lost = Object.keys(data).find((name) => !BESIDE_A_VALUE.has(name));
  if (lost === undefined) return;
  throw new KrafkaSerializationError(
    `'${lost}' would be lost: an object with a 'key' is a message, and its payload its 'value'; send { key, value: { ${lost}, ... } }, or { value: payload } for a payload that has a 'key'`,
  );
}

/** The message that data is, or that it is the value of. */
export const asMessage = (data: unknown): KafkaMessageLike => (isMessage(data) ? data : { value: data });

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
