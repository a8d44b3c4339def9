import { atPlace } from './batch-errors.js';
import { BATCH_HEADER_BYTES, type RecordBatchHeader } from './batch-header.js';
import { bytesAnswered, isLater } from './compression/codec-answer.js';
import { codecs as builtInCodecs, type CompressionCodecs } from './compression/index.js';
import type { ConsumerRecord } from './consumer-record.js';
import type { RecordBatch } from './record-batches.js';
import { walkRecords } from './record-walk.js';

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

/**
 * The records of a batch, their key, value and headers not yet looked at. At once, unless the codec answers with a
 * promise. A control batch has none for a user: see `readControlRecord`. The batch's checksum is for `verifyBatch`.
 *
 * A batch that breaks the format is a `MALFORMED` error and none of its records are handed out; one that grows beyond
 * the limit is a `DECOMPRESSION_LIMIT` error.
 */
export function decodeBatch(batch: RecordBatch, options: DecodeOptions): ConsumerRecord[] | Promise<ConsumerRecord[]> {
  const { header, bytes } = batch;
  if (header.isControl || header.recordCount === 0) return [];
  if (header.compressionId === 0) return recordsIn(header, bytes, BATCH_HEADER_BYTES, options);
  const records = decompressed(batch, options);
  return records instanceof Uint8Array
    ? recordsIn(header, records, 0, options)
    : records.then((plain) => recordsIn(header, plain, 0, options));
}

function recordsIn(header: RecordBatchHeader, bytes: Buffer, start: number, options: DecodeOptions): ConsumerRecord[] {
  const { topic, partition } = options;
  const { partitionLeaderEpoch: leaderEpoch, timestampType } = header;
  return walkRecords(header, { topic, partition, leaderEpoch, timestampType, bytes }, start);
}

function decompressed({ header, bytes }: RecordBatch, options: DecodeOptions): Buffer | Promise<Buffer> {
  const failed = (error: unknown): never => {
    throw atPlace(error, options, `the batch at offset ${header.baseOffset} cannot be decompressed`);
  };
  try {
    const codec = (options.codecs ?? builtInCodecs).of(header.compressionId);
    const most = options.maxDecompressedBytes ?? DEFAULT_MAX_DECOMPRESSED_BYTES;
    const records = codec.decompress(bytes.subarray(BATCH_HEADER_BYTES), most);
    return isLater(records) ? records.then(bytesAnswered).catch(failed) : bytesAnswered(records);
  } catch (error) {
    return failed(error);
  }
}
