import { KrafkaProtocolError } from '../../support/index.js';
import type { BatchPlace } from './batch-errors.js';
import {
  BATCH_HEADER_BYTES,
  BATCH_LENGTH_OVERHEAD,
  FIELD,
  MAGIC,
  readBatchHeader,
  type RecordBatchHeader,
} from './batch-header.js';
import { crc32c } from './crc32c.js';

/** One record batch among the bytes it came in. */
export interface RecordBatch {
  readonly header: RecordBatchHeader;
  /** The whole batch, its header included: a view, not a copy. */
  readonly bytes: Buffer;
}

/**
 * The batches in a partition's records, one after the other. A batch that is cut off at the end is left out: brokers
 * cut at a number of bytes. Legacy formats and bytes that are no batch are errors that name the place.
 */
export function* batchesIn(records: Buffer, place?: BatchPlace): Generator<RecordBatch, void, undefined> {
  let at = 0;
  while (records.length - at > FIELD.magic) {
    const size = BATCH_LENGTH_OVERHEAD + records.readInt32BE(at + FIELD.batchLength);
    // A length that cannot be is for readBatchHeader to refuse; one that is only too large ends the records.
    if (size > records.length - at) return;
    const header = readBatchHeader(records, at, place);
    yield { header, bytes: records.subarray(at, at + header.sizeInBytes) };
    at += header.sizeInBytes;
  }
}

/** Holds a batch against its CRC32C: a `CORRUPT_MESSAGE` error, which a new fetch may cure, when they differ. */
export function verifyBatch(bytes: Buffer, place?: BatchPlace): void {
  if (bytes.length < BATCH_HEADER_BYTES || bytes[FIELD.magic] !== MAGIC) readBatchHeader(bytes, 0, place);
  const crc = bytes.readUInt32BE(FIELD.crc);
  const actual = crc32c(bytes, FIELD.attributes, bytes.length);
  if (actual === crc) return;
  throw new KrafkaProtocolError(
    'CORRUPT_MESSAGE',
    `the batch at offset ${bytes.readBigInt64BE(FIELD.baseOffset)} has CRC32C ${actual}, its header says ${crc}`,
    { topic: place?.topic, partition: place?.partition, retriable: true },
  );
}
