import { KrafkaSerializationError } from '../../support/index.js';
import { utf8Length, writeText } from './text.js';
import { sizeOfLength, writeVarint } from './varint.js';

/** One header value as a producer gives it. */
export type HeaderValue = string | Buffer | null;

/** The headers of a record as a producer gives them; an array repeats its key. */
export type RecordHeaders = Readonly<Record<string, HeaderValue | readonly HeaderValue[]>>;

/** What {@link measureHeaders} found; only good until it is called again. */
export const measured = { count: 0, bytes: 0 };

/** Measures a record's headers into {@link measured}; its bytes include those of the count. */
export function measureHeaders(headers: RecordHeaders): void {
  let count = 0;
  let bytes = 0;
  // With hasOwnProperty, unlike with Object.hasOwn, V8 sees that such a name is always there.
  for (const name in headers) {
    if (!Object.prototype.hasOwnProperty.call(headers, name)) continue;
    const value = headers[name] as HeaderValue | readonly HeaderValue[];
    const nameBytes = utf8Length(name);
    const prefix = sizeOfLength(nameBytes) + nameBytes;
    if (Array.isArray(value)) {
      for (const one of value as readonly HeaderValue[]) bytes += prefix + sizeOfValue(one, name);
      count += value.length;
    } else {
      bytes += prefix + sizeOfValue(value as HeaderValue, name);
      count++;
    }
  }
  measured.count = count;
  measured.bytes = sizeOfLength(count) + bytes;
}

/** Writes a record's headers, of which there are `count`; answers the position behind them. */
export function writeHeaders(buffer: Buffer, position: number, headers: RecordHeaders, count: number): number {
  position = writeVarint(buffer, position, count * 2);
  for (const name in headers) {
    if (!Object.prototype.hasOwnProperty.call(headers, name)) continue;
    const value = headers[name] as HeaderValue | readonly HeaderValue[];
    if (Array.isArray(value)) {
      for (const one of value as readonly HeaderValue[]) position = writeHeader(buffer, position, name, one);
    } else {
      position = writeHeader(buffer, position, name, value as HeaderValue);
    }
  }
  return position;
}

function writeHeader(buffer: Buffer, position: number, name: string, value: HeaderValue): number {
  const nameBytes = utf8Length(name);
  position = writeText(buffer, writeVarint(buffer, position, nameBytes * 2), name, nameBytes);
  if (value === null) return writeVarint(buffer, position, 1);
  if (typeof value === 'string') {
    const bytes = utf8Length(value);
    return writeText(buffer, writeVarint(buffer, position, bytes * 2), value, bytes);
  }
  position = writeVarint(buffer, position, value.length * 2);
  buffer.set(value, position);
  return position + value.length;
}

function sizeOfValue(value: HeaderValue, name: string): number {
  if (value === null) return 1;
  const bytes = typeof value === 'string' ? utf8Length(value) : value instanceof Uint8Array ? value.length : -1;
  if (bytes < 0) {
    throw new KrafkaSerializationError(`header '${name}' must be a string, a Buffer or null, or an array of these`);
  }
  return sizeOfLength(bytes) + bytes;
}
