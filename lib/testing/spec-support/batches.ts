import {
  NO_STAMP,
  RecordBatchBuilder,
  codecOf,
  crc32c,
  type BatchStamp,
  type CompressionName,
  type RecordHeaders,
} from '../../core/protocol/index.js';

/** A record to be put into a batch; everything has a default. */
export interface GivenRecord {
  readonly key?: string | null;
  readonly value?: string | null;
  readonly headers?: RecordHeaders;
  readonly timestamp?: number;
}

/** How a batch is to be made. */
export interface GivenBatch extends Partial<BatchStamp> {
  readonly compression?: CompressionName;
  readonly timestamp?: number;
}

/** A sealed batch of the given records (strings are values), as a producer would send it. */
export async function aBatch(records: readonly (string | GivenRecord)[], given: GivenBatch = {}): Promise<Buffer> {
  const { compression = 'none', timestamp = Date.now(), ...stamp } = given;
  const builder = new RecordBatchBuilder({ maxBytes: 64 * 1024 * 1024 });
  for (const record of records) {
    const {
      key = null,
      value = null,
      headers,
      timestamp: own = timestamp,
    } = typeof record === 'string' ? { value: record } : record;
    builder.append(own, key, value, headers);
  }
  if (compression !== 'none') await builder.compress(codecOf(compression));
  return Buffer.concat(builder.seal({ ...NO_STAMP, ...stamp }));
}

/** A copy of a batch in which `change` has rewritten something, with a CRC that is right again. */
export function altered(batch: Buffer, change: (copy: Buffer) => void): Buffer {
  const copy = Buffer.from(batch);
  change(copy);
  copy.writeUInt32BE(crc32c(copy, 21, copy.length), 17);
  return copy;
}
