import {
  batchesIn,
  decodeBatch,
  NO_STAMP,
  RecordBatchBuilder,
  rewriteBaseOffset,
  type ConsumerRecord,
  type RecordHeaders,
} from '../../core/protocol/index.js';

/** What a test says of a record; the rest is of no matter to it. */
export interface RecordFacts {
  readonly topic?: string;
  readonly partition?: number;
  readonly offset?: number;
  readonly timestamp?: number;
  readonly key?: string | Buffer | null;
  readonly value?: string | Buffer | null;
  readonly headers?: RecordHeaders;
}

/** A record as a consumer hands it out. */
export function aRecord(facts: RecordFacts = {}): ConsumerRecord {
  const { topic = 'orders', partition = 0, offset = 0, timestamp = 1_000, key = null, value = null, headers } = facts;
  const builder = new RecordBatchBuilder({ maxBytes: 1 << 20 });
  builder.append(timestamp, key, value, headers);
  builder.close();
  const bytes = rewriteBaseOffset(Buffer.concat(builder.seal(NO_STAMP)), offset, 0);
  const [batch] = batchesIn(bytes);
  const records = batch && decodeBatch(batch, { topic, partition });
  if (!Array.isArray(records) || records[0] === undefined) throw new Error('the batch holds no record');
  return records[0];
}
