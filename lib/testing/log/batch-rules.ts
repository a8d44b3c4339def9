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
  /** Places within the batch of the records that are to blame, where that is known. */
  readonly records?: readonly number[];
}

/** What a topic's configuration asks of a batch. */
export interface BatchRules {
  readonly maxMessageBytes: number;
  /** LogAppendTime: the producer's timestamps are of no account. */
  readonly logAppendTime: boolean;
  /** CreateTime: how far record timestamps may lie before and after now, in milliseconds. */
  readonly timestampBeforeMaxMs: number;
  readonly timestampAfterMaxMs: number;
  /** Compacted: a record without key can't be kept. */
  readonly isCompacted: boolean;
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
 * records, sequence, keys, timestamps. The records inside are looked at only where the header can't answer for them.
 */
export function batchProblem(batch: RecordBatch, rules: BatchRules, now: number): BatchProblem | undefined {
  const { header, bytes } = batch;
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
  return recordProblem(batch, rules, now);
}

/** Record by record only where the topic is compacted, or limits the past, or something in the batch is too early. */
function recordProblem(batch: RecordBatch, rules: BatchRules, now: number): BatchProblem | undefined {
  const latest = rules.logAppendTime ? Infinity : now + rules.timestampAfterMaxMs;
  const earliest = rules.logAppendTime ? -Infinity : now - rules.timestampBeforeMaxMs;
  if (!rules.isCompacted && batch.header.maxTimestamp <= latest && earliest < 0) return undefined;
  let records: readonly ConsumerRecord[];
  try {
    records = decodeBatch(batch, { topic: '', partition: 0, codecs: codecsAtOnce() }) as readonly ConsumerRecord[];
  } catch (error) {
    if (!(error instanceof KrafkaError)) throw error;
    return { error: 'UNKNOWN_SERVER_ERROR', message: error.message };
  }
  const places = (isBad: (record: ConsumerRecord) => boolean): readonly number[] =>
    records.flatMap((record, index) => (isBad(record) ? [index] : []));
  const keyless = rules.isCompacted ? places(({ key }) => key === null) : [];
  if (keyless.length > 0) return { ...invalid('One or more records have been rejected'), records: keyless };
  const late = places(({ timestamp }) => timestamp !== -1 && (timestamp > latest || timestamp < earliest));
  if (late.length === 0) return undefined;
  const message = 'One or more records have been rejected due to invalid timestamp';
  return { error: 'INVALID_TIMESTAMP', message, records: late };
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

const invalid = (message: string): BatchProblem => ({ error: 'INVALID_RECORD', message });
