import { KrafkaClosedError, KrafkaError, KrafkaSerializationError } from '../../support/index.js';
import { ATTRIBUTE, BATCH_HEADER_BYTES, FIELD, writeBatchHeader } from './batch-header.js';
import type { CompressionCodec } from './compression/index.js';
import { crc32c } from './crc32c.js';
import { measured, measureHeaders, writeHeaders, type RecordHeaders } from './record-headers.js';
import { lengthOf, sizeOfRecord } from './record-size.js';
import { splitRecords } from './split-records.js';
import { SHORT_TEXT, utf8Length, writeText } from './text.js';
import { sizeOfLength, sizeOfVarlong, writeVarint, writeVarlong } from './varint.js';

/** What a {@link RecordBatchBuilder} starts with. */
export interface RecordBatchBuilderOptions {
  /** Bytes, the batch's header included, that a second record may not push the batch beyond. */
  readonly maxBytes: number;
  /** Bytes allocated at first; doubled as the batch grows. Default 1,024, or `maxBytes` when that is less. */
  readonly initialBytes?: number;
  /** A buffer to write into, from a pool: its bytes are the batch's until {@link RecordBatchBuilder.holdsBuffer} is false. */
  readonly buffer?: Buffer;
}

/** What a producer stamps a batch with when it is about to be sent for the first time. */
export interface BatchStamp {
  /** -1 without idempotence; then the epoch and the sequence are -1 too. */
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly transactional: boolean;
}

/** The stamp of a batch of a producer without idempotence. */
export const NO_STAMP: BatchStamp = { producerId: -1, producerEpoch: -1, baseSequence: -1, transactional: false };

type BatchState = 'open' | 'closed' | 'compressing' | 'compressed' | 'sealed';

// Below this a loop copies faster than TypedArray.set is called.
const SHORT_BYTES = 8;

const LARGEST_BATCH = 0x7fff_ffff;

/**
 * One record batch (message format 2, KIP-98) being filled, compressed and sealed.
 *
 *     open --close--> closed --compress--> compressed --seal--> sealed
 *
 * Records are encoded straight into the buffer that will go to the socket; nothing else of them is kept.
 *
 * `append` is hot: guarded by `npm run bench -- produce`. Sizes are computed before a record is written, so nothing is
 * ever patched; short texts are taken to be ASCII and written by a loop, and begun again when one is not.
 */
export class RecordBatchBuilder {
  readonly #maxBytes: number;
  #givenBuffer: Buffer | undefined;
  #buffer: Buffer;
  #position = BATCH_HEADER_BYTES;
  #recordCount = 0;
  #baseTimestamp = -1;
  #maxTimestamp = -1;
  #state: BatchState = 'open';
  #outgrown = false;
  /** Set with the compressed records; the buffer is given up then. */
  #compressed: { readonly codec: CompressionCodec; readonly records: Buffer } | undefined;

  constructor(options: RecordBatchBuilderOptions) {
    this.#maxBytes = options.maxBytes;
    this.#givenBuffer = options.buffer;
    this.#buffer =
      options.buffer ??
      Buffer.allocUnsafeSlow(Math.max(BATCH_HEADER_BYTES, options.initialBytes ?? Math.min(1024, options.maxBytes)));
  }

  /** Exact bytes of a record at `offsetDelta` in a batch whose first timestamp is `timestampDelta` ms earlier. */
  static sizeOf(
    offsetDelta: number,
    timestampDelta: number,
    key: string | Buffer | null,
    value: string | Buffer | null,
    headers?: RecordHeaders,
  ): number {
    return sizeOfRecord(
      sizeOfLength(offsetDelta),
      sizeOfVarlong(timestampDelta),
      lengthOf(key, 'key'),
      lengthOf(value, 'value'),
      headers,
    );
  }

  /** Bytes that a record takes at most, wherever in a batch it comes. */
  static upperBoundOf(key: string | Buffer | null, value: string | Buffer | null, headers?: RecordHeaders): number {
    return sizeOfRecord(5, 10, lengthOf(key, 'key'), lengthOf(value, 'value'), headers);
  }

  /** Bytes that a second record may not push the batch beyond. */
  get maxBytes(): number {
    return this.#maxBytes;
  }

  /** Records appended so far. */
  get recordCount(): number {
    return this.#recordCount;
  }

  /** Bytes of the batch as it stands, its header included: as they will be sent once it is compressed. */
  get sizeInBytes(): number {
    return this.#compressed === undefined ? this.#position : BATCH_HEADER_BYTES + this.#compressed.records.length;
  }

  /** Bytes of the batch before compression, its header included. */
  get uncompressedSizeInBytes(): number {
    return this.#position;
  }

  /** The largest timestamp appended, -1 while there is none. */
  get maxTimestamp(): number {
    return this.#maxTimestamp;
  }

  /** True once the batch has become larger than the buffer handed in and moved to one of its own. */
  get outgrown(): boolean {
    return this.#outgrown;
  }

  /** True while the bytes of the batch are in the buffer handed in: until it is outgrown or compressed. */
  get holdsBuffer(): boolean {
    return this.#givenBuffer !== undefined && this.#buffer === this.#givenBuffer;
  }

  /**
   * Moves a batch that is neither compressed nor sealed into another buffer, which becomes the one handed in, and
   * answers the buffer it leaves: for an owner that counts and pools buffers, and so lets no batch outgrow its own.
   */
  moveTo(buffer: Buffer): Buffer {
    if (this.#state !== 'closed') this.#expect('open', 'moved');
    if (buffer.length < this.#position) {
      throw new RangeError(`a batch of ${this.#position} bytes does not fit in a buffer of ${buffer.length}`);
    }
    const left = this.#buffer;
    left.copy(buffer, 0, 0, this.#position);
    this.#buffer = buffer;
    this.#givenBuffer = buffer;
    this.#outgrown = false;
    return left;
  }

  /** Exact bytes that {@link append} would add now. */
  sizeOf(
    timestamp: number,
    key: string | Buffer | null,
    value: string | Buffer | null,
    headers?: RecordHeaders,
  ): number {
    const delta = this.#recordCount === 0 ? 0 : timestamp - this.#baseTimestamp;
    return RecordBatchBuilder.sizeOf(this.#recordCount, delta, key, value, headers);
  }

  /**
   * Appends a record. False, and nothing written, when it would push the batch beyond `maxBytes`; a batch's first
   * record is always taken. `timestamp` is milliseconds since the epoch, or -1 for none. What is neither text, bytes
   * nor null is a `KrafkaSerializationError`.
   */
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
    this.#checkAppend(timestamp);
    const count = this.#recordCount;
    const delta = count === 0 ? 0 : timestamp - this.#baseTimestamp;
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
    const end = this.#position + length + (length < 0x40 ? 1 : length < 0x2000 ? 2 : sizeOfLength(length));
    if (end > this.#maxBytes && count > 0) return false;
    if (end > this.#buffer.length) this.#grow(end);

    const buffer = this.#buffer;
    let position = this.#position;
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

    if (count === 0) this.#baseTimestamp = timestamp;
    if (timestamp > this.#maxTimestamp) this.#maxTimestamp = timestamp;
    this.#recordCount = count + 1;
    this.#position = position;
    return true;
  }

  /**
   * Appends a record whose key, value and headers are encoded already: they are the bytes of `source` from `start` up
   * to `end`. Answers as {@link append} does.
   */
  appendEncoded(timestamp: number, source: Buffer, start: number, end: number): boolean {
    this.#checkAppend(timestamp);
    const count = this.#recordCount;
    const delta = count === 0 ? 0 : timestamp - this.#baseTimestamp;
    const length = 1 + sizeOfVarlong(delta) + sizeOfLength(count) + (end - start);
    const batchEnd = this.#position + sizeOfLength(length) + length;
    if (batchEnd > this.#maxBytes && count > 0) return false;
    if (batchEnd > this.#buffer.length) this.#grow(batchEnd);

    const buffer = this.#buffer;
    let position = writeVarint(buffer, this.#position, length * 2);
    buffer[position++] = 0;
    position = writeVarlong(buffer, position, delta);
    position = writeVarint(buffer, position, count * 2);
    source.copy(buffer, position, start, end);

    if (count === 0) this.#baseTimestamp = timestamp;
    if (timestamp > this.#maxTimestamp) this.#maxTimestamp = timestamp;
    this.#recordCount = count + 1;
    this.#position = batchEnd;
    return true;
  }

  /** Takes no more records. Closing again does nothing. */
  close(): void {
    if (this.#state === 'open') this.#state = 'closed';
  }

  /**
   * Closes the batch and compresses its records, once. Small batches are compressed at once; larger ones by another
   * thread where the codec has one, and then a promise tells the end. When a codec fails the batch stays as it was.
   */
  compress(codec: CompressionCodec, level?: number): void | Promise<void> {
    this.close();
    this.#expect('closed', 'compressed');
    if (codec.id === 0) {
      this.#state = 'compressed';
      return undefined;
    }
    this.#state = 'compressing';
    try {
      const records = codec.compress(this.#buffer.subarray(BATCH_HEADER_BYTES, this.#position), level);
      if (records instanceof Uint8Array) return this.#becomeCompressed(codec, records);
      return records.then(
        (bytes) => this.#becomeCompressed(codec, bytes),
        (error: unknown) => {
          this.#state = 'closed';
          throw error;
        },
      );
    } catch (error) {
      this.#state = 'closed';
      throw error;
    }
  }

  /**
   * Stamps the batch, writes its header and checksum, once: what it answers is sent, and sent again by a retry. The
   * pieces follow one another. Closes the batch if need be; one that is not compressed is sealed in place.
   */
  seal(stamp: BatchStamp): Buffer[] {
    this.close();
    if (this.#state !== 'closed') this.#expect('compressed', 'sealed');
    if (this.#recordCount === 0) throw new KrafkaError('an empty batch cannot be sealed', { code: 'INVALID_STATE' });
    this.#state = 'sealed';
    const pieces =
      this.#compressed === undefined
        ? [this.#buffer.subarray(0, this.#position)]
        : [Buffer.allocUnsafeSlow(BATCH_HEADER_BYTES), this.#compressed.records];
    this.#writeHeader(pieces, stamp);
    return pieces;
  }

  /**
   * A sealed batch's pieces with another stamp and a header of their own: for a batch that is certain not to have been
   * appended, once its producer has a new epoch. The pieces sealed before stay as they are.
   */
  restamp(stamp: BatchStamp): Buffer[] {
    this.#expect('sealed', 'stamped again');
    const records = this.#compressed?.records ?? this.#buffer.subarray(BATCH_HEADER_BYTES, this.#position);
    const pieces = [Buffer.allocUnsafeSlow(BATCH_HEADER_BYTES), records];
    this.#writeHeader(pieces, stamp);
    return pieces;
  }

  /**
   * Two closed batches with the records of this one, in order, about as large as each other: for a batch that the
   * broker refused with MESSAGE_TOO_LARGE. `recordCount` of the first tells where it was cut. A batch of one record
   * cannot be split.
   */
  split(): [RecordBatchBuilder, RecordBatchBuilder] | Promise<[RecordBatchBuilder, RecordBatchBuilder]> {
    if (this.#recordCount < 2) {
      throw new KrafkaError('a batch of one record cannot be split', { code: 'INVALID_STATE' });
    }
    if (this.#state === 'compressing') this.#expect('closed', 'split');
    this.close();
    const halves = (records: Buffer): [RecordBatchBuilder, RecordBatchBuilder] => {
      const options = { maxBytes: LARGEST_BATCH, initialBytes: (this.#position >>> 1) + 1024 };
      const first = new RecordBatchBuilder(options);
      const second = new RecordBatchBuilder(options);
      splitRecords(records, this.#baseTimestamp, first, second);
      first.close();
      second.close();
      return [first, second];
    };
    if (this.#compressed === undefined) return halves(this.#buffer.subarray(BATCH_HEADER_BYTES, this.#position));
    const { codec, records } = this.#compressed;
    const raw = codec.decompress(records, this.#position - BATCH_HEADER_BYTES);
    return raw instanceof Uint8Array ? halves(raw) : raw.then(halves);
  }

  #becomeCompressed(codec: CompressionCodec, records: Buffer): void {
    this.#compressed = { codec, records };
    this.#buffer = EMPTY;
    this.#state = 'compressed';
  }

  #writeHeader(pieces: readonly Buffer[], stamp: BatchStamp): void {
    const header = pieces[0] as Buffer;
    writeBatchHeader(header, {
      baseOffset: 0,
      sizeInBytes: this.sizeInBytes,
      partitionLeaderEpoch: -1,
      attributes: (this.#compressed?.codec.id ?? 0) | (stamp.transactional ? ATTRIBUTE.transactional : 0),
      lastOffsetDelta: this.#recordCount - 1,
      baseTimestamp: this.#baseTimestamp,
      maxTimestamp: this.#maxTimestamp,
      producerId: stamp.producerId,
      producerEpoch: stamp.producerEpoch,
      baseSequence: stamp.baseSequence,
      recordCount: this.#recordCount,
    });
    let crc = crc32c(header, FIELD.attributes, header.length);
    if (pieces[1] !== undefined) crc = crc32c(pieces[1], 0, pieces[1].length, crc);
    header.writeUInt32BE(crc, FIELD.crc);
  }

  #checkAppend(timestamp: number): void {
    if (this.#state !== 'open') throw new KrafkaClosedError('the record batch');
    if (!(timestamp >= -1 && Number.isSafeInteger(timestamp))) {
      throw new KrafkaSerializationError(
        `a record's timestamp must be whole milliseconds since the epoch, or -1 for none, got ${String(timestamp)}`,
      );
    }
  }

  #grow(needed: number): void {
    if (!(needed <= LARGEST_BATCH)) {
      throw new KrafkaSerializationError(`a record batch of ${needed} bytes is more than the format can hold`);
    }
    const doubled = Math.min(this.#buffer.length * 2, this.#maxBytes);
    const grown = Buffer.allocUnsafeSlow(Math.max(doubled, needed));
    this.#buffer.copy(grown, 0, 0, this.#position);
    this.#buffer = grown;
    this.#outgrown = this.#givenBuffer !== undefined;
  }

  #expect(state: BatchState, what: string): void {
    if (this.#state !== state) {
      throw new KrafkaError(`a batch that is ${this.#state} cannot be ${what}`, { code: 'INVALID_STATE' });
    }
  }
}

const EMPTY = Buffer.alloc(0);

function writeBytes(buffer: Buffer, position: number, bytes: Uint8Array, length: number): number {
  if (length >= SHORT_BYTES) {
    buffer.set(bytes, position);
  } else {
    for (let at = 0; at < length; at++) buffer[position + at] = bytes[at] as number;
  }
  return position + length;
}
