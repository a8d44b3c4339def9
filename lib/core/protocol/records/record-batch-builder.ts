import { KrafkaClosedError, KrafkaError } from '../../support/index.js';
import { ATTRIBUTE, BATCH_HEADER_BYTES, FIELD, writeBatchHeader } from './batch-header.js';
import { bytesAnswered, isLater } from './compression/codec-answer.js';
import { compressionFailed } from './compression/compression-errors.js';
import type { CompressionCodec } from './compression/index.js';
import { crc32c } from './crc32c.js';
import { RecordEncoder } from './record-encoder.js';
import type { RecordHeaders } from './record-headers.js';
import { lengthOf, sizeOfRecord } from './record-size.js';
import { splitRecords } from './split-records.js';
import { sizeOfLength, sizeOfVarlong } from './varint.js';

/** What a {@link RecordBatchBuilder} starts with. */
export interface RecordBatchBuilderOptions {
  /** Bytes, the batch's header included, that a second record may not push the batch beyond. */
  readonly maxBytes: number;
  /** Bytes allocated at first; doubled as the batch grows. Default 1,024, or `maxBytes` when that is less. */
  readonly initialBytes?: number;
  /** A buffer to write into, from a pool; {@link RecordBatchBuilder.holdsBuffer} tells how long it is needed. */
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

const NO_BYTES = Buffer.alloc(0);

/**
 * One record batch (message format 2, KIP-98) being filled, compressed and sealed.
 *
 *     open --close--> closed --compress--> compressed --seal--> sealed
 *                        '---------------------seal---------------^
 *
 * Records are encoded straight into the buffer that will go to the socket; nothing else of them is kept.
 */
export class RecordBatchBuilder {
  readonly #records: RecordEncoder;
  #state: BatchState = 'open';
  /** The buffer handed in, by the constructor or by `moveTo`. */
  #givenBuffer: Buffer | undefined;
  /** Set with the compressed records; the encoder's buffer is given up then. */
  #compressed: { readonly codec: CompressionCodec; readonly records: Buffer } | undefined;

  constructor(options: RecordBatchBuilderOptions) {
    const { maxBytes, initialBytes = Math.min(1024, maxBytes), buffer } = options;
    this.#givenBuffer = buffer;
    this.#records = new RecordEncoder(
      maxBytes,
      buffer ?? Buffer.allocUnsafeSlow(Math.max(BATCH_HEADER_BYTES, initialBytes)),
    );
  }

  /** Exact bytes of a record at `offsetDelta` in a batch whose first timestamp is `timestampDelta` ms earlier. */
  static sizeOf(
    offsetDelta: number,
    timestampDelta: number,
    key: string | Buffer | null,
    value: string | Buffer | null,
    headers?: RecordHeaders,
  ): number {
    const offsetBytes = sizeOfLength(offsetDelta);
    return sizeOfRecord(
      offsetBytes,
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
    return this.#records.maxBytes;
  }

  /** Records appended so far. */
  get recordCount(): number {
    return this.#records.recordCount;
  }

  /** Bytes of the batch as it stands, its header included: as they will be sent once it is compressed. */
  get sizeInBytes(): number {
    return this.#compressed === undefined
      ? this.#records.position
      : BATCH_HEADER_BYTES + this.#compressed.records.length;
  }

  /** Bytes of the batch before compression, its header included. */
  get uncompressedSizeInBytes(): number {
    return this.#records.position;
  }

  /** The largest timestamp appended, -1 while there is none. */
  get maxTimestamp(): number {
    return this.#records.maxTimestamp;
  }

  /** True while the bytes of the batch are in the buffer handed in: until it is outgrown or compressed. */
  get holdsBuffer(): boolean {
    return this.#givenBuffer !== undefined && this.#records.buffer === this.#givenBuffer;
  }

  /** True once the batch became larger than the buffer handed in, and moved to one of its own. */
  get outgrown(): boolean {
    return this.#givenBuffer !== undefined && this.#records.position > this.#givenBuffer.length;
  }

  /** Exact bytes that {@link append} would add now. */
  sizeOf(
    timestamp: number,
    key: string | Buffer | null,
    value: string | Buffer | null,
    headers?: RecordHeaders,
  ): number {
    const { recordCount, baseTimestamp } = this.#records;
    return RecordBatchBuilder.sizeOf(
      recordCount,
      recordCount === 0 ? 0 : timestamp - baseTimestamp,
      key,
      value,
      headers,
    );
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
    if (this.#state !== 'open') throw new KrafkaClosedError('the record batch');
    return this.#records.append(timestamp, key, value, headers);
  }

  /**
   * Moves a batch that is neither compressed nor sealed into another buffer, which becomes the one handed in, and
   * answers the buffer it leaves: for an owner that counts and pools buffers, and so lets no batch outgrow its own.
   */
  moveTo(buffer: Buffer): Buffer {
    if (this.#state !== 'closed') this.#expect('open', 'moved');
    const left = this.#records.moveTo(buffer);
    this.#givenBuffer = buffer;
    return left;
  }

  /** Takes no more records. Closing again does nothing. */
  close(): void {
    if (this.#state === 'open') this.#state = 'closed';
  }

  /**
   * Closes the batch and compresses its records, once. Small batches are compressed at once; larger ones by another
   * thread where the codec has one, and then a promise tells the end. When a codec fails, the batch stays as it was.
   *
   * @throws KrafkaError COMPRESSION naming the codec, its cause what that threw
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
      const compressed = codec.compress(this.#encoded(), level);
      if (!isLater(compressed)) return this.#becomeCompressed(codec, compressed);
      return compressed
        .then((records) => this.#becomeCompressed(codec, records))
        .catch((error: unknown) => this.#stayClosed(codec, error));
    } catch (error) {
      return this.#stayClosed(codec, error);
    }
  }

  /**
   * Stamps the batch, writes its header and checksum, once: what it answers is sent, and sent again by a retry. The
   * pieces follow one another. Closes the batch if need be; one that is not compressed is sealed in place.
   */
  seal(stamp: BatchStamp): Buffer[] {
    this.close();
    if (this.#state !== 'closed') this.#expect('compressed', 'sealed');
    if (this.recordCount === 0) throw new KrafkaError('an empty batch cannot be sealed', { code: 'INVALID_STATE' });
    this.#state = 'sealed';
    if (this.#compressed !== undefined) return this.#stamped(stamp, this.#compressed.records);
    const whole = this.#records.buffer.subarray(0, this.#records.position);
    this.#writeHeader(whole, stamp, NO_BYTES);
    return [whole];
  }

  /**
   * A sealed batch with another stamp, in a header of its own: for a batch that is certain not to have been appended,
   * once its producer has a new epoch. The pieces sealed before stay as they are.
   */
  restamp(stamp: BatchStamp): Buffer[] {
    this.#expect('sealed', 'stamped again');
    return this.#stamped(stamp, this.#compressed?.records ?? this.#encoded());
  }

  /**
   * Two closed batches with the records of this one, in order, about as large as each other: for a batch that the
   * broker refused with MESSAGE_TOO_LARGE. `recordCount` of the first tells where it was cut. A batch of one record
   * cannot be split. At once, unless its codec takes its time.
   */
  split(): [RecordBatchBuilder, RecordBatchBuilder] | Promise<[RecordBatchBuilder, RecordBatchBuilder]> {
    if (this.recordCount < 2) {
      throw new KrafkaError('a batch of one record cannot be split', { code: 'INVALID_STATE' });
    }
    if (this.#state === 'compressing') this.#expect('compressed', 'split');
    this.close();
    if (this.#compressed === undefined) return this.#halves(this.#encoded());
    const { codec, records } = this.#compressed;
    const plain = codec.decompress(records, this.uncompressedSizeInBytes - BATCH_HEADER_BYTES);
    return isLater(plain)
      ? plain.then((bytes) => this.#halves(bytesAnswered(bytes)))
      : this.#halves(bytesAnswered(plain));
  }

  /** The records as they were appended, while they are not compressed. */
  #encoded(): Buffer {
    return this.#records.buffer.subarray(BATCH_HEADER_BYTES, this.#records.position);
  }

  #halves(records: Buffer): [RecordBatchBuilder, RecordBatchBuilder] {
    const { maxBytes, baseTimestamp } = this.#records;
    const half = (): RecordBatchBuilder =>
      new RecordBatchBuilder({ maxBytes, initialBytes: (records.length >>> 1) + 1024 });
    const [first, second] = [half(), half()];
    splitRecords(records, baseTimestamp, first.#records, second.#records);
    first.close();
    second.close();
    return [first, second];
  }

  #becomeCompressed(codec: CompressionCodec, answer: unknown): void {
    // Found later, what is no Buffer would fail all batches of its request.
    this.#compressed = { codec, records: bytesAnswered(answer) };
    this.#records.buffer = NO_BYTES;
    this.#state = 'compressed';
  }

  #stayClosed(codec: CompressionCodec, cause: unknown): never {
    this.#state = 'closed';
    throw compressionFailed(codec.name, cause);
  }

  #stamped(stamp: BatchStamp, records: Buffer): Buffer[] {
    const header = Buffer.allocUnsafeSlow(BATCH_HEADER_BYTES);
    this.#writeHeader(header, stamp, records);
    return [header, records];
  }

  /** Writes the header, and its checksum, which goes on over `rest`. */
  #writeHeader(batch: Buffer, stamp: BatchStamp, rest: Buffer): void {
    const { recordCount, baseTimestamp, maxTimestamp } = this.#records;
    writeBatchHeader(batch, {
      baseOffset: 0,
      sizeInBytes: batch.length + rest.length,
      partitionLeaderEpoch: -1,
      attributes: (this.#compressed?.codec.id ?? 0) | (stamp.transactional ? ATTRIBUTE.transactional : 0),
      lastOffsetDelta: recordCount - 1,
      baseTimestamp,
      maxTimestamp,
      producerId: stamp.producerId,
      producerEpoch: stamp.producerEpoch,
      baseSequence: stamp.baseSequence,
      recordCount,
    });
    const crc = crc32c(rest, 0, rest.length, crc32c(batch, FIELD.attributes, batch.length));
    batch.writeUInt32BE(crc, FIELD.crc);
  }

  #expect(state: BatchState, what: string): void {
    if (this.#state !== state) {
      throw new KrafkaError(`a batch that is ${this.#state} cannot be ${what}`, { code: 'INVALID_STATE' });
    }
  }
}
