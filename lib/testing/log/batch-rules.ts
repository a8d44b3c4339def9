import { batchesIn, verifyBatch, type ErrorName, type RecordBatchHeader } from '../../core/protocol/index.js';

/** A batch that nothing was found wrong with. */
export interface GoodBatch {
  readonly kind: 'good';
  readonly header: RecordBatchHeader;
  readonly bytes: Buffer;
}

/** A batch that may be appended, or why it may not. */
export type BatchCheck = GoodBatch | { readonly kind: 'refused'; readonly error: ErrorName; readonly message: string };

/** What a topic's configuration asks of a batch. */
export interface BatchRules {
  readonly maxMessageBytes: number;
  /** LogAppendTime: the producer's timestamps are of no account. */
  readonly logAppendTime: boolean;
  /** CreateTime: how far record timestamps may lie before and after now, in milliseconds. */
  readonly timestampBeforeMaxMs: number;
  readonly timestampAfterMaxMs: number;
}

const ZSTD_SINCE_PRODUCE = 7;
const ZSTD = 4;

/** The one batch of format 2 that a Produce request may bring for a partition; that much is asked before anything else. */
export function batchOf(records: Buffer | null, version: number): BatchCheck {
  let first: { readonly header: RecordBatchHeader; readonly bytes: Buffer } | undefined;
  try {
    for (const batch of batchesIn(records ?? Buffer.alloc(0))) {
      if (first !== undefined) return refused('INVALID_RECORD', 'more than one record batch for a partition');
      first = batch;
    }
  } catch {
    return refused('INVALID_RECORD', 'only record batches of magic 2 are taken');
  }
  if (first === undefined) return refused('INVALID_RECORD', 'at least one record batch for a partition is needed');
  const { header, bytes } = first;
  if (version < ZSTD_SINCE_PRODUCE && header.compressionId === ZSTD) {
    return refused('UNSUPPORTED_COMPRESSION_TYPE', `Produce version ${version} may not carry zstd`);
  }
  return { kind: 'good', header, bytes };
}

/**
 * Holds a batch against Kafka's rules, in Kafka's order: base offset 0, size, CRC, count and offsets, no control
 * records, sequence, timestamps. The records inside are not looked at.
 */
export function checkBatch(batch: GoodBatch, rules: BatchRules, now: number): BatchCheck {
  const { header, bytes } = batch;
  if (header.baseOffset !== 0) return refused('INVALID_RECORD', `the base offset is ${header.baseOffset} instead of 0`);
  if (header.sizeInBytes > rules.maxMessageBytes) {
    return refused(
      'MESSAGE_TOO_LARGE',
      `The record batch size is ${header.sizeInBytes} bytes, max.message.bytes is ${rules.maxMessageBytes}`,
    );
  }
  try {
    verifyBatch(bytes);
  } catch {
    return refused('CORRUPT_MESSAGE', 'Record is corrupt (its CRC does not match)');
  }
  if (header.compressionId > ZSTD) return refused('UNSUPPORTED_COMPRESSION_TYPE', `codec ${header.compressionId}`);
  if (header.lastOffsetDelta < 0) return refused('INVALID_RECORD', 'Batch has an invalid offset range');
  if (header.recordCount <= 0) return refused('INVALID_RECORD', `Invalid reported count: ${header.recordCount}`);
  if (header.recordCount !== header.lastOffsetDelta + 1) {
    return refused(
      'INVALID_RECORD',
      `Inconsistent batch offset range of ${header.lastOffsetDelta + 1} and count of records ${header.recordCount}`,
    );
  }
  if (header.isControl) return refused('INVALID_RECORD', 'Clients are not allowed to write control records');
  if (header.producerId !== -1 && header.baseSequence < 0) {
    return refused('INVALID_RECORD', `Invalid sequence number ${header.baseSequence} with a producer id`);
  }
  if (header.isTransactional && header.producerId === -1) {
    return refused('INVALID_RECORD', 'Transactional records need a producer id');
  }
  if (!rules.logAppendTime && outOfTime(header.maxTimestamp, rules, now)) {
    return refused(
      'INVALID_TIMESTAMP',
      `The timestamp ${header.maxTimestamp} is out of the range that the topic takes`,
    );
  }
  return batch;
}

function outOfTime(timestamp: number, rules: BatchRules, now: number): boolean {
  return (
    timestamp !== -1 && (timestamp > now + rules.timestampAfterMaxMs || timestamp < now - rules.timestampBeforeMaxMs)
  );
}

const refused = (error: ErrorName, message: string): BatchCheck => ({ kind: 'refused', error, message });
