import {
  BATCH_HEADER_BYTES,
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
  /** The records that are to blame, where that is known: their places within the batch, and why. Only then is anything said in words. */
  readonly records?: readonly { readonly batchIndex: number; readonly message: string }[];
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
/** As much as a batch of this size can become here. */
const MOST_UNPACKED_BYTES = 256 * 1024 * 1024;
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
 * records, sequence, the records as such, their keys, their timestamps.
 */
export function batchProblem(batch: RecordBatch, rules: BatchRules, now: number): BatchProblem | undefined {
  const { header, bytes } = batch;
  if (header.baseOffset !== 0) return { error: 'INVALID_RECORD' };
  if (header.sizeInBytes > rules.maxMessageBytes) return { error: 'MESSAGE_TOO_LARGE' };
  if (!isIntact(bytes)) return { error: 'CORRUPT_MESSAGE' };
  const error = headerProblem(header);
  return error === undefined ? recordProblem(batch, rules, now) : { error };
}

function recordProblem(batch: RecordBatch, rules: BatchRules, now: number): BatchProblem | undefined {
  const records = recordsOf(batch);
  if (typeof records === 'string') return { error: records };
  const blamed = (isBad: (record: ConsumerRecord) => boolean, why: (record: ConsumerRecord) => string) =>
    records.flatMap((record, batchIndex) => (isBad(record) ? [{ batchIndex, message: why(record) }] : []));
  const keyless = rules.isCompacted
    ? blamed(
        ({ key }) => key === null,
        () => KEYLESS,
      )
    : [];
  if (keyless.length > 0) return { error: 'INVALID_RECORD', records: keyless };
  if (rules.logAppendTime) return undefined;
  const [earliest, latest] = [now - rules.timestampBeforeMaxMs, now + rules.timestampAfterMaxMs];
  const late = blamed(
    ({ timestamp }) => timestamp !== -1 && (timestamp > latest || timestamp < earliest),
    ({ timestamp, offset }) =>
      `Timestamp ${timestamp} of message with offset ${offset} is out of range. ` +
      `The timestamp should be within [${Math.max(0, earliest)}, ${latest}]`,
  );
  return late.length === 0 ? undefined : { error: 'INVALID_TIMESTAMP', records: late };
}

/** What a compacted topic says to a record without key; the partition is named by who answers. */
const KEYLESS = 'Compacted topic cannot accept message without key in topic partition';

/** The records of a batch, or what it is refused with. */
function recordsOf(batch: RecordBatch): readonly ConsumerRecord[] | ErrorName {
  const codecs = codecsAtOnce();
  let unpacked = codecs;
  const { compressionId } = batch.header;
  if (compressionId !== 0) {
    const codec = codecs.of(compressionId);
    let plain: Buffer;
    try {
      plain = codec.decompress(batch.bytes.subarray(BATCH_HEADER_BYTES), MOST_UNPACKED_BYTES) as Buffer;
    } catch (error) {
      // What can't be unpacked here for want of a codec is taken as it is.
      return isWithoutCodec(error) ? [] : 'UNKNOWN_SERVER_ERROR';
    }
    const { name, id } = codec;
    unpacked = codecs.with([{ name, id, compress: codec.compress.bind(codec), decompress: () => plain }]);
  }
  try {
    return decodeBatch(batch, { topic: '', partition: 0, codecs: unpacked }) as readonly ConsumerRecord[];
  } catch (error) {
    if (error instanceof KrafkaError) return 'INVALID_RECORD';
    throw error;
  }
}

const isWithoutCodec = (error: unknown): boolean =>
  error instanceof Error &&
  'code' in error &&
  (error.code === 'MODULE_NOT_FOUND' || error.code === 'UNSUPPORTED_COMPRESSION_TYPE');

function headerProblem(header: RecordBatchHeader): ErrorName | undefined {
  const { lastOffsetDelta, recordCount, producerId, baseSequence } = header;
  const isOdd = lastOffsetDelta < 0 || recordCount <= 0 || recordCount !== lastOffsetDelta + 1;
  if (isOdd || header.isControl || (producerId !== -1 && baseSequence < 0)) return 'INVALID_RECORD';
  return header.compressionId > ZSTD ? 'UNKNOWN_SERVER_ERROR' : undefined;
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
