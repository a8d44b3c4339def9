import { KrafkaSerializationError } from '../../support/index.js';
import { BATCH_HEADER_BYTES } from './batch-header.js';
import { measured, measureHeaders, writeHeaders, type RecordHeaders } from './record-headers.js';
import { lengthOf } from './record-size.js';
import { SHORT_TEXT, utf8Length, writeText } from './text.js';
import { sizeOfLength, sizeOfVarlong, writeVarint, writeVarlong } from './varint.js';

// Below this a loop copies faster than TypedArray.set is called.
const SHORT_BYTES = 8;

const LARGEST_BATCH = 0x7fff_ffff;

/**
 * The records of one batch, encoded one behind the other into one growing buffer, room for the batch's header left
 * before them. Owned by a `RecordBatchBuilder`, which alone reads its fields.
 *
 * Hot: guarded by `npm run bench -- produce`. Sizes are computed before a record is written, so nothing is ever
 * patched; numbers of one and two bytes are written in place; short texts are taken to be ASCII and written by a loop,
 * and the record is begun again when one is not.
 */
export class RecordEncoder {
  readonly maxBytes: number;
  buffer: Buffer;
  position = BATCH_HEADER_BYTES;
  recordCount = 0;
  /** Of the first record: what the others' are relative to. */
  baseTimestamp = -1;
  maxTimestamp = -1;

  constructor(maxBytes: number, buffer: Buffer) {
    this.maxBytes = maxBytes;
    this.buffer = buffer;
  }

  /** As `RecordBatchBuilder.append`. */
  append(
    timestamp: number,
    key: string | Buffer | null,
    value: string | Buffer | null,
    headers?: RecordHeaders,
  ): boolean {
    return this.#append(
      timestamp,
      key,
      typeof key === 'string' && key.length <= SHORT_TEXT ? key.length : lengthOf(key, 'key'),
      value,
      typeof value === 'string' && value.length <= SHORT_TEXT ? value.length : lengthOf(value, 'value'),
      headers,
    );
  }

  #append(
    timestamp: number,
    key: string | Buffer | null,
    keyLength: number,
    value: string | Buffer | null,
    valueLength: number,
    headers: RecordHeaders | undefined,
  ): boolean {
    checkTimestamp(timestamp);
    const count = this.recordCount;
    const delta = count === 0 ? 0 : timestamp - this.baseTimestamp;
    let headerCount = 0;
    let headerBytes = 1;
    if (headers !== undefined) {
      measureHeaders(headers);
      headerCount = measured.count;
      headerBytes = measured.bytes;
    }
    const length =
      1 +
      (delta >= -64 && delta < 64 ? 1 : sizeOfVarlong(delta)) +
      (count < 0x40 ? 1 : sizeOfLength(count)) +
      (keyLength < 0 ? 1 : keyLength < 0x40 ? keyLength + 1 : keyLength + sizeOfLength(keyLength)) +
      (valueLength < 0 ? 1 : valueLength < 0x40 ? valueLength + 1 : valueLength + sizeOfLength(valueLength)) +
      headerBytes;
    const end = this.position + length + (length < 0x40 ? 1 : length < 0x2000 ? 2 : sizeOfLength(length));
    if (end > this.maxBytes && count > 0) return false;
    if (end > this.buffer.length) this.#grow(end);

    const buffer = this.buffer;
    let position = this.position;
    if (length < 0x40) {
      buffer[position++] = length << 1;
    } else if (length < 0x2000) {
      buffer[position++] = ((length << 1) & 0x7f) | 0x80;
      buffer[position++] = length >>> 6;
    } else {
      position = writeVarint(buffer, position, length * 2);
    }
    buffer[position++] = 0;
    if (delta >= 0 && delta < 64) buffer[position++] = delta << 1;
    else position = writeVarlong(buffer, position, delta);
    if (count < 0x40) {
      buffer[position++] = count << 1;
    } else if (count < 0x2000) {
      buffer[position++] = ((count << 1) & 0x7f) | 0x80;
      buffer[position++] = count >>> 6;
    } else {
      position = writeVarint(buffer, position, count * 2);
    }

    if (key === null) {
      buffer[position++] = 1;
    } else {
      if (keyLength < 0x40) buffer[position++] = keyLength << 1;
      else position = writeVarint(buffer, position, keyLength * 2);
      if (typeof key === 'string') {
        position = writeText(buffer, position, key, keyLength);
        if (position < 0) return this.#append(timestamp, key, utf8Length(key), value, valueLength, headers);
      } else {
        position = writeBytes(buffer, position, key, keyLength);
      }
    }
    if (value === null) {
      buffer[position++] = 1;
    } else {
      if (valueLength < 0x40) buffer[position++] = valueLength << 1;
      else position = writeVarint(buffer, position, valueLength * 2);
      if (typeof value === 'string') {
        position = writeText(buffer, position, value, valueLength);
        if (position < 0) return this.#append(timestamp, key, keyLength, value, utf8Length(value), headers);
      } else {
        position = writeBytes(buffer, position, value, valueLength);
      }
    }
    if (headers === undefined) buffer[position++] = 0;
    else position = writeHeaders(buffer, position, headers, headerCount);

    if (count === 0) this.baseTimestamp = timestamp;
    if (timestamp > this.maxTimestamp) this.maxTimestamp = timestamp;
    this.recordCount = count + 1;
    this.position = position;
    return true;
  }

  /**
   * Appends a record whose key, value and headers are encoded already, in `source` from `start` up to `end`, whatever
   * the batch's size becomes.
   */
  appendEncoded(timestamp: number, source: Buffer, start: number, end: number): void {
    const count = this.recordCount;
    const delta = count === 0 ? 0 : timestamp - this.baseTimestamp;
    const length = 1 + sizeOfVarlong(delta) + sizeOfLength(count) + (end - start);
    const batchEnd = this.position + sizeOfLength(length) + length;
    if (batchEnd > this.buffer.length) this.#grow(batchEnd);

    const buffer = this.buffer;
    let position = writeVarint(buffer, this.position, length * 2);
    buffer[position++] = 0;
    position = writeVarlong(buffer, position, delta);
    position = writeVarint(buffer, position, count * 2);
    source.copy(buffer, position, start, end);

    if (count === 0) this.baseTimestamp = timestamp;
    if (timestamp > this.maxTimestamp) this.maxTimestamp = timestamp;
    this.recordCount = count + 1;
    this.position = batchEnd;
  }

  /** Goes on in another buffer; answers the one it leaves. */
  moveTo(buffer: Buffer): Buffer {
    const left = this.buffer;
    if (buffer.length < this.position) {
      throw new RangeError(`a batch of ${this.position} bytes does not fit in a buffer of ${buffer.length}`);
    }
    left.copy(buffer, 0, 0, this.position);
    this.buffer = buffer;
    return left;
  }

  #grow(needed: number): void {
    if (needed > LARGEST_BATCH) {
      throw new KrafkaSerializationError(`a record batch of ${needed} bytes is more than the format can hold`);
    }
    const doubled = Math.min(this.buffer.length * 2, this.maxBytes);
    const grown = Buffer.allocUnsafeSlow(Math.max(doubled, needed));
    this.buffer.copy(grown, 0, 0, this.position);
    this.buffer = grown;
  }
}

function checkTimestamp(timestamp: number): void {
  if (!(timestamp >= -1 && Number.isSafeInteger(timestamp))) {
    throw new KrafkaSerializationError(
      `a record's timestamp must be whole milliseconds since the epoch, or -1 for none, got ${String(timestamp)}`,
    );
  }
}

function writeBytes(buffer: Buffer, position: number, bytes: Uint8Array, length: number): number {
  if (length >= SHORT_BYTES) {
    buffer.set(bytes, position);
  } else {
    for (let at = 0; at < length; at++) buffer[position + at] = bytes[at] as number;
  }
  return position + length;
}
