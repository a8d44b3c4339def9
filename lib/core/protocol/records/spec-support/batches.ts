import {
  batchesIn,
  decodeBatch,
  NO_STAMP,
  RecordBatchBuilder,
  type ConsumerRecord,
  type RecordBatch,
} from '../index.js';
import type { BatchStamp, CompressionCodec, DecodeOptions, RecordHeaders } from '../index.js';

/** One record as a test writes it. */
export interface TestRecord {
  readonly timestamp?: number;
  readonly key?: string | Buffer | null;
  readonly value?: string | Buffer | null;
  readonly headers?: RecordHeaders;
}

export const place = { topic: 'orders', partition: 3 } as const;

export function builderOf(records: readonly TestRecord[], maxBytes = 1 << 20): RecordBatchBuilder {
  const builder = new RecordBatchBuilder({ maxBytes });
  for (const { timestamp = 1_000, key = null, value = null, headers } of records) {
    if (!builder.append(timestamp, key, value, headers)) throw new Error('the batch is full');
  }
  return builder;
}

/** A sealed batch in one piece. */
export async function batchOf(
  records: readonly TestRecord[],
  codec?: CompressionCodec,
  stamp: BatchStamp = NO_STAMP,
): Promise<Buffer> {
  const builder = builderOf(records);
  if (codec !== undefined) await builder.compress(codec);
  return Buffer.concat(builder.seal(stamp));
}

export function onlyBatchIn(bytes: Buffer): RecordBatch {
  const [batch, ...more] = batchesIn(bytes, place);
  if (batch === undefined || more.length > 0) throw new Error('not exactly one batch');
  return batch;
}

export async function recordsIn(bytes: Buffer, options: Partial<DecodeOptions> = {}): Promise<ConsumerRecord[]> {
  return decodeBatch(onlyBatchIn(bytes), { ...place, ...options });
}

/** The error that `work` throws or rejects with. */
export async function errorOf(work: () => unknown): Promise<Error & { code?: string; retriable?: boolean }> {
  try {
    await work();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}
