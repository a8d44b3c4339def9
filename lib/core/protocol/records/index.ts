export { rewriteBaseOffset } from './appended-batch.js';
export { decodeBatch, DEFAULT_MAX_DECOMPRESSED_BYTES, type DecodeOptions } from './batch-decoder.js';
export type { BatchPlace } from './batch-errors.js';
export { BATCH_HEADER_BYTES, readBatchHeader, RecordBatchHeader, type TimestampType } from './batch-header.js';
export * from './compression/index.js';
export {
  ConsumerRecord,
  type ReceivedHeaders,
  type ReceivedHeaderValue,
  type RecordSource,
} from './consumer-record.js';
export {
  controlBatch,
  readControlRecord,
  type ControlBatchOptions,
  type ControlRecord,
  type ControlRecordKind,
} from './control-batch.js';
export { crc32c } from './crc32c.js';
export {
  NO_STAMP,
  RecordBatchBuilder,
  type BatchStamp,
  type RecordBatchBuilderOptions,
} from './record-batch-builder.js';
export { batchesIn, verifyBatch, type RecordBatch } from './record-batches.js';
export type { HeaderValue, RecordHeaders } from './record-headers.js';
