import { KrafkaSerializationError } from '../../support/index.js';
import { measured, measureHeaders, type RecordHeaders } from './record-headers.js';
import { utf8Length } from './text.js';
import { sizeOfLength } from './varint.js';

/** Bytes of a key or value, -1 for null. What is neither text, bytes nor null is a `KrafkaSerializationError`. */
export function lengthOf(content: string | Buffer | null, what: 'key' | 'value'): number {
  if (content === null) return -1;
  if (typeof content === 'string') return utf8Length(content);
  if (content instanceof Uint8Array) return content.length;
  throw new KrafkaSerializationError(`a record's ${what} must be a string, a Buffer or null, got ${typeof content}`);
}

/** Bytes of a whole record, of its parts. */
export function sizeOfRecord(
  offsetDeltaBytes: number,
  timestampDeltaBytes: number,
  keyLength: number,
  valueLength: number,
  headers: RecordHeaders | undefined,
): number {
  if (headers !== undefined) measureHeaders(headers);
  const length =
    1 +
    offsetDeltaBytes +
    timestampDeltaBytes +
    sizeOfLength(keyLength) +
    Math.max(0, keyLength) +
    sizeOfLength(valueLength) +
    Math.max(0, valueLength) +
    (headers === undefined ? 1 : measured.bytes);
  return sizeOfLength(length) + length;
}
