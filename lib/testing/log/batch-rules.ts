import {
  batchesIn,
  decodeBatch,
  verifyBatch,
  type ConsumerRecord,
  type ErrorName,
  type RecordBatch,
  type RecordBatchHeader,
} from '../../core/protocol/index.js';
import { KrafkaError } from '../../core/support/index.js';
import { codecsAtOnce } from './codecs-at-once.js';

/** What is wrong with a batch. */
export interface BatchProblem {
  readonly error: ErrorName;
  readonly message: string;
}

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
/** Where a batch has its length and its magic, and the least that the one and the most that the other can be. */
const LENGTH_AT = 8;
const LEAST_LENGTH = 49;
const MAGIC_AT = 16;
const MAGIC = 2;
const NONE = Buffer.alloc(0);

/** The one batch of format 2 that a Produce request may bring for a partition; that much is asked before anything else. */
export function batchIn(records: Buffer | null, version: number): RecordBatch | ErrorName {
  try {
    const [first, second] = batchesIn(records ?? NONE);
    if (first === undefined || second !== undefined) return 'INVALID_RECORD';
    const zstdTooEarly = version < ZSTD_SINCE_PRODUCE && first.header.compressionId === ZSTD;
    return zstdTooEarly ? 'UNSUPPORTED_COMPRESSION_TYPE' : first;
  } catch (error) {
    if (!(error instanceof KrafkaError) || records === null) throw error;
    return isNoBatch(records) ? 'CORRUPT_MESSAGE' : 'INVALID_RECORD';
  }
}

/** Whether bytes that can't be read as a batch do not even have the frame of one; else it is what the header says that can't be. */
const isNoBatch = (records: Buffer): boolean =>
  records.readInt32BE(LENGTH_AT) < LEAST_LENGTH || records.readInt8(MAGIC_AT) > MAGIC;

/**
 * Holds a batch against Kafka's rules, in Kafka's order: base offset 0, size, CRC, count and offsets, no control
 * records, sequence, timestamps. The records inside are not looked at.
 */
export function batchProblem({ header, bytes }: RecordBatch, rules: BatchRules, now: number): BatchProblem | undefined {
  if (header.baseOffset !== 0)
    return invalid(`The baseOffset of the record batch should be 0, but it is ${header.baseOffset}`);
  if (header.sizeInBytes > rules.maxMessageBytes) {
    return {
      error: 'MESSAGE_TOO_LARGE',
      message: `The record batch size is ${header.sizeInBytes} bytes, which exceeds the maximum configured value of ${rules.maxMessageBytes}`,
    };
  }
  if (!isIntact(bytes)) return { error: 'CORRUPT_MESSAGE', message: 'Record is corrupt: its CRC does not match' };
  const problem = headerProblem(header);
  if (problem !== undefined) return problem;
  if (!rules.logAppendTime && outOfTime(header.maxTimestamp, rules, now)) {
    return { error: 'INVALID_TIMESTAMP', message: `Timestamp ${header.maxTimestamp} is out of the range of the topic` };
  }
  return undefined;
}

/** Places within a batch of the records without key: a compacted topic can't keep them. */
export function keylessRecords(batch: RecordBatch): readonly number[] {
  const records = decodeBatch(batch, { topic: '', partition: 0, codecs: codecsAtOnce() }) as readonly ConsumerRecord[];
  return records.flatMap((record, index) => (record.key === null ? [index] : []));
}

function headerProblem(header: RecordBatchHeader): BatchProblem | undefined {
  if (header.lastOffsetDelta < 0) return invalid('Batch has an invalid offset range');
  if (header.recordCount <= 0) return invalid(`Invalid reported count for record batch: ${header.recordCount}`);
  if (header.recordCount !== header.lastOffsetDelta + 1) {
    const { recordCount, lastOffsetDelta } = header;
    return invalid(`Inconsistent batch offset range [0, ${lastOffsetDelta}] and count of records ${recordCount}`);
  }
  if (header.isControl) return invalid('Clients are not allowed to write control records');
  if (header.producerId !== -1 && header.baseSequence < 0) {
    return invalid(
      `Invalid sequence number ${header.baseSequence} in record batch with producerId ${header.producerId}`,
    );
  }
  if (header.compressionId > ZSTD) {
    return { error: 'UNKNOWN_SERVER_ERROR', message: `Unknown compression type id: ${header.compressionId}` };
  }
  return undefined;
}

function isIntact(bytes: Buffer): boolean {
  try {
    verifyBatch(bytes);
    return true;
  } catch (error) {
    if (error instanceof KrafkaError) return false;
    throw error;
  }
}

const outOfTime = (timestamp: number, rules: BatchRules, now: number): boolean =>
  timestamp !== -1 && (timestamp > now + rules.timestampAfterMaxMs || timestamp < now - rules.timestampBeforeMaxMs);

const invalid = (message: string): BatchProblem => ({ error: 'INVALID_RECORD', message });
