import { atPlace, malformedBatch } from './batch-errors.js';
import { BATCH_HEADER_BYTES, type RecordBatchHeader } from './batch-header.js';
import { codecs as builtInCodecs, type CompressionCodecs } from './compression/index.js';
import { ConsumerRecord, type RecordSource } from './consumer-record.js';
import type { RecordBatch } from './record-batches.js';
import { RecordReader } from './record-reader.js';

/** The default of {@link DecodeOptions.maxDecompressedBytes}: 100 MiB, twice the default of `fetchMaxBytes`. */
export const DEFAULT_MAX_DECOMPRESSED_BYTES = 100 * 1024 * 1024;

/** Where a batch comes from, and how much it may grow. */
export interface DecodeOptions {
  readonly topic: string;
  readonly partition: number;
  /** Bytes that the records of one compressed batch may decompress to. Default 100 MiB. */
  readonly maxDecompressedBytes?: number;
  /** Default the built-in ones. */
  readonly codecs?: CompressionCodecs;
}

/** The least bytes of a record: its length, attributes, two deltas, two lengths and the count of its headers. */
const LEAST_RECORD_BYTES = 7;

/**
 * The records of a batch, their key, value and headers not yet looked at. At once, unless the codec answers with a
 * promise. A control batch has none for a user: see `readControlRecord`. The batch's checksum is for `verifyBatch`.
 *
 * Everything is held against the bytes that are there: a batch that breaks the format is a `MALFORMED` error and
 * none of its records are handed out; one that grows beyond the limit is a `DECOMPRESSION_LIMIT` error.
 */
export function decodeBatch(batch: RecordBatch, options: DecodeOptions): ConsumerRecord[] | Promise<ConsumerRecord[]> {
  const { header, bytes } = batch;
  if (header.isControl || header.recordCount === 0) return [];
  const records = recordsOf(batch, options);
  return records instanceof Uint8Array
    ? walk(header, records, records === bytes ? BATCH_HEADER_BYTES : 0, options)
    : records.then((body) => walk(header, body, 0, options));
}

/** The batch's records, decompressed; of one that is not compressed the batch itself, its header before them. */
function recordsOf({ header, bytes }: RecordBatch, options: DecodeOptions): Buffer | Promise<Buffer> {
  if (header.compressionId === 0) return bytes;
  const failed = (error: unknown): never => {
    throw atPlace(error, options, `the batch at offset ${header.baseOffset} cannot be decompressed`);
  };
  try {
    const codec = (options.codecs ?? builtInCodecs).of(header.compressionId);
    const most = options.maxDecompressedBytes ?? DEFAULT_MAX_DECOMPRESSED_BYTES;
    const records = codec.decompress(bytes.subarray(BATCH_HEADER_BYTES), most);
    return records instanceof Uint8Array ? records : records.catch(failed);
  } catch (error) {
    return failed(error);
  }
}

function walk(header: RecordBatchHeader, bytes: Buffer, start: number, options: DecodeOptions): ConsumerRecord[] {
  const { baseOffset, lastOffsetDelta, recordCount, timestampType, maxTimestamp, baseTimestamp } = header;
  const end = bytes.length;
  if (recordCount * LEAST_RECORD_BYTES > end - start) {
    throw malformedBatch(`a batch at offset ${baseOffset} has ${recordCount} records in ${end - start} bytes`, options);
  }
  const { topic, partition } = options;
  const source: RecordSource = { topic, partition, leaderEpoch: header.partitionLeaderEpoch, timestampType, bytes };
  const appendTime = timestampType === 'LogAppendTime';
  const reader = new RecordReader(bytes, start, end, options);
  const records = new Array<ConsumerRecord>(recordCount);
  let lastDelta = -1;
  for (let index = 0; index < recordCount; index++) {
    const length = reader.varint();
    const recordEnd = reader.position + length;
    if (length < LEAST_RECORD_BYTES - 1 || recordEnd > end) {
      throw reader.malformed(`of ${length} bytes does not fit in the ${end - reader.position} that are left`);
    }
    reader.position++; // attributes: no bit of them is in use
    const timestamp = baseTimestamp + reader.varlong();
    const delta = reader.varint();
    if (delta <= lastDelta || delta > lastOffsetDelta) {
      throw reader.malformed(`has offset delta ${delta} behind ${lastDelta} in a batch that spans ${lastOffsetDelta}`);
    }
    lastDelta = delta;
    const content = reader.position;
    reader.skip();
    reader.skip();
    const headerCount = reader.varint();
    if (headerCount !== 0) skipHeaders(reader, headerCount, recordEnd);
    if (reader.position !== recordEnd) throw reader.malformed('is not as long as it says');
    if (!Number.isSafeInteger(timestamp)) throw reader.malformed('has a timestamp that is not a safe integer');
    records[index] = new ConsumerRecord(
      baseOffset + delta,
      appendTime ? maxTimestamp : timestamp,
      source,
      content,
      recordEnd,
    );
  }
  if (reader.position !== end) throw reader.malformed('was the last one, and bytes follow it');
  return records;
}

function skipHeaders(reader: RecordReader, count: number, end: number): void {
  if (count < 0 || count * 2 > end - reader.position) {
    throw reader.malformed(`has ${count} headers in ${end - reader.position} bytes`);
  }
  for (let left = count; left > 0; left--) {
    if (reader.skip() < 0) throw reader.malformed('has a header without a name');
    reader.skip();
  }
}
