import { KrafkaProtocolError } from '../../support/index.js';
import { malformedBatch, type BatchPlace } from './batch-errors.js';
import { compressionNameOf, type CompressionName } from './compression/index.js';

/** Bytes before the first record of a batch: the header of message format 2 (KIP-98). */
export const BATCH_HEADER_BYTES = 61;

/** Bytes that `batchLength` does not count: the base offset and the length itself. */
export const BATCH_LENGTH_OVERHEAD = 12;

/** Where the fields of a batch header lie. */
export const FIELD = {
  baseOffset: 0,
  batchLength: 8,
  partitionLeaderEpoch: 12,
  magic: 16,
  crc: 17,
  /** First byte that the CRC covers. */
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  recordCount: 57,
} as const;

/** The bits of a batch's attributes. */
export const ATTRIBUTE = {
  compression: 0b111,
  logAppendTime: 1 << 3,
  transactional: 1 << 4,
  control: 1 << 5,
  deleteHorizon: 1 << 6,
} as const;

/** The only message format that is read and written here; brokers before 0.11 wrote 0 and 1. */
export const MAGIC = 2;

/** Who set a record's timestamp: the producer, or the broker when it appended the batch (`message.timestamp.type`). */
export type TimestampType = 'CreateTime' | 'LogAppendTime';

/** The header of one record batch, read (message format 2, KIP-98). */
export class RecordBatchHeader {
  constructor(
    /** Offset of the batch's first record; survives compaction. */
    readonly baseOffset: number,
    /** Bytes of the batch after this field; {@link sizeInBytes} counts them all. */
    readonly batchLength: number,
    /** Epoch of the leader that appended the batch, -1 when none has. */
    readonly partitionLeaderEpoch: number,
    readonly magic: number,
    /** CRC32C of everything from the attributes on. */
    readonly crc: number,
    readonly attributes: number,
    /** Span of the batch: offset of its last record when it was written, less the base offset. */
    readonly lastOffsetDelta: number,
    /** What record timestamps are relative to; the delete horizon where the attributes say so (KIP-534). */
    readonly baseTimestamp: number,
    readonly maxTimestamp: number,
    /** -1 when the batch was not written by an idempotent producer. */
    readonly producerId: number,
    readonly producerEpoch: number,
    readonly baseSequence: number,
    /** Records in the batch; 0 in one that compaction has emptied. */
    readonly recordCount: number,
  ) {}

  /** All bytes of the batch, this header included. */
  get sizeInBytes(): number {
    return BATCH_LENGTH_OVERHEAD + this.batchLength;
  }

  /** Offset of the last record that was in the batch, whether or not compaction has left it. */
  get lastOffset(): number {
    return this.baseOffset + this.lastOffsetDelta;
  }

  /** Where reading goes on after this batch. */
  get nextOffset(): number {
    return this.baseOffset + this.lastOffsetDelta + 1;
  }

  /** Sequence of the last record, which wraps after 2^31 - 1; -1 without a producer id. */
  get lastSequence(): number {
    if (this.baseSequence < 0) return -1;
    const last = this.baseSequence + this.lastOffsetDelta;
    return last > 0x7fff_ffff ? last - 0x8000_0000 : last;
  }

  /** Id of the compression codec, 0 to 7. */
  get compressionId(): number {
    return this.attributes & ATTRIBUTE.compression;
  }

  /** Name of the compression codec; an id that Kafka does not know is an `UNSUPPORTED_COMPRESSION_TYPE` error. */
  get compression(): CompressionName {
    return compressionNameOf(this.attributes & ATTRIBUTE.compression);
  }

  get timestampType(): TimestampType {
    return (this.attributes & ATTRIBUTE.logAppendTime) === 0 ? 'CreateTime' : 'LogAppendTime';
  }

  get isTransactional(): boolean {
    return (this.attributes & ATTRIBUTE.transactional) !== 0;
  }

  /** True for transaction markers and other records of the brokers' own: never handed to a user. */
  get isControl(): boolean {
    return (this.attributes & ATTRIBUTE.control) !== 0;
  }

  /** When tombstones and markers of this batch may be removed, where the cleaner has set it (KIP-534). */
  get deleteHorizonMs(): number | undefined {
    return (this.attributes & ATTRIBUTE.deleteHorizon) === 0 ? undefined : this.baseTimestamp;
  }
}

/**
 * Reads the batch header at `position`. Legacy message formats (magic 0 and 1) are an `UNSUPPORTED_FOR_MESSAGE_FORMAT`
 * error, bytes that cannot be a header a `MALFORMED` one; both name the place where it is given.
 */
export function readBatchHeader(buffer: Buffer, position = 0, place?: BatchPlace): RecordBatchHeader {
  const left = buffer.length - position;
  if (position < 0 || left <= FIELD.magic) throw malformedBatch(`a batch header wanted, ${left} bytes left`, place);
  const magic = buffer.readInt8(position + FIELD.magic);
  if (magic !== MAGIC) throw unsupportedMagic(magic, place);
  if (left < BATCH_HEADER_BYTES) throw malformedBatch(`a batch header wanted, ${left} bytes left`, place);
  const batchLength = buffer.readInt32BE(position + FIELD.batchLength);
  if (batchLength < BATCH_HEADER_BYTES - BATCH_LENGTH_OVERHEAD) {
    throw malformedBatch(`a batch length of ${batchLength} is less than its header`, place);
  }
  const baseOffset = readInt64(buffer, position + FIELD.baseOffset, 'base offset', place);
  const lastOffsetDelta = buffer.readInt32BE(position + FIELD.lastOffsetDelta);
  const recordCount = buffer.readInt32BE(position + FIELD.recordCount);
  if (lastOffsetDelta < 0 || recordCount < 0 || !Number.isSafeInteger(baseOffset + lastOffsetDelta + 1)) {
    throw malformedBatch(
      `a batch at offset ${baseOffset} spans ${lastOffsetDelta} offsets and has ${recordCount} records`,
      place,
    );
  }
  return new RecordBatchHeader(
    baseOffset,
    batchLength,
    buffer.readInt32BE(position + FIELD.partitionLeaderEpoch),
    magic,
    buffer.readUInt32BE(position + FIELD.crc),
    buffer.readInt16BE(position + FIELD.attributes),
    lastOffsetDelta,
    readInt64(buffer, position + FIELD.baseTimestamp, 'base timestamp', place),
    readInt64(buffer, position + FIELD.maxTimestamp, 'max timestamp', place),
    readInt64(buffer, position + FIELD.producerId, 'producer id', place),
    buffer.readInt16BE(position + FIELD.producerEpoch),
    buffer.readInt32BE(position + FIELD.baseSequence),
    recordCount,
  );
}

/** What {@link writeBatchHeader} puts before the records; the CRC comes after. */
export interface BatchHeaderFields {
  readonly baseOffset: number;
  readonly sizeInBytes: number;
  readonly partitionLeaderEpoch: number;
  readonly attributes: number;
  readonly lastOffsetDelta: number;
  readonly baseTimestamp: number;
  readonly maxTimestamp: number;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly recordCount: number;
}

/** Writes a header of message format 2 at the buffer's beginning, its CRC left zero. */
export function writeBatchHeader(buffer: Buffer, fields: BatchHeaderFields): void {
  writeInt64(buffer, FIELD.baseOffset, fields.baseOffset);
  buffer.writeInt32BE(fields.sizeInBytes - BATCH_LENGTH_OVERHEAD, FIELD.batchLength);
  buffer.writeInt32BE(fields.partitionLeaderEpoch, FIELD.partitionLeaderEpoch);
  buffer.writeInt8(MAGIC, FIELD.magic);
  buffer.writeUInt32BE(0, FIELD.crc);
  buffer.writeInt16BE(fields.attributes, FIELD.attributes);
  buffer.writeInt32BE(fields.lastOffsetDelta, FIELD.lastOffsetDelta);
  writeInt64(buffer, FIELD.baseTimestamp, fields.baseTimestamp);
  writeInt64(buffer, FIELD.maxTimestamp, fields.maxTimestamp);
  writeInt64(buffer, FIELD.producerId, fields.producerId);
  buffer.writeInt16BE(fields.producerEpoch, FIELD.producerEpoch);
  buffer.writeInt32BE(fields.baseSequence, FIELD.baseSequence);
  buffer.writeInt32BE(fields.recordCount, FIELD.recordCount);
}

/** The error for a batch of message format 0 or 1, or of none that exists. */
export function unsupportedMagic(magic: number, place?: BatchPlace): KrafkaProtocolError {
  if (magic !== 0 && magic !== 1) return malformedBatch(`there is no message format ${magic}`, place);
  return new KrafkaProtocolError(
    'UNSUPPORTED_FOR_MESSAGE_FORMAT',
    `records of message format ${magic}, written before Kafka 0.11, are not read; only format 2 is`,
    { topic: place?.topic, partition: place?.partition },
  );
}

function readInt64(buffer: Buffer, position: number, field: string, place?: BatchPlace): number {
  const value = buffer.readInt32BE(position) * 4_294_967_296 + buffer.readUInt32BE(position + 4);
  if (!Number.isSafeInteger(value)) throw malformedBatch(`a batch's ${field} is not a safe integer`, place);
  return value;
}

/** Writes a safe integer as 64 bits. */
export function writeInt64(buffer: Buffer, position: number, value: number): void {
  const high = Math.floor(value / 4_294_967_296);
  buffer.writeInt32BE(high, position);
  buffer.writeUInt32BE(value - high * 4_294_967_296, position + 4);
}
