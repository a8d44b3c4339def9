import { controlBatch, crc32c, NO_STAMP, RecordBatchBuilder, rewriteBaseOffset } from '../../protocol/index.js';

/** A batch as a leader keeps it: one record for each value, from `baseOffset` on. */
export function batchAt(
  baseOffset: number,
  values: readonly string[],
  options: { readonly producerId?: number; readonly leaderEpoch?: number } = {},
): Buffer {
  const builder = new RecordBatchBuilder({ maxBytes: 1 << 20 });
  for (const value of values) builder.append(1_000, null, value);
  builder.close();
  const stamp =
    options.producerId === undefined
      ? NO_STAMP
      : { producerId: options.producerId, producerEpoch: 0, baseSequence: 0, transactional: true };
  return rewriteBaseOffset(Buffer.concat(builder.seal(stamp)), baseOffset, options.leaderEpoch ?? 1);
}

/** A batch of records given as `key:value`. */
export function keyedBatchAt(baseOffset: number, records: readonly string[]): Buffer {
  const builder = new RecordBatchBuilder({ maxBytes: 1 << 20 });
  for (const record of records) {
    const [key = '', value = ''] = record.split(':');
    builder.append(1_000, key, value);
  }
  builder.close();
  return rewriteBaseOffset(Buffer.concat(builder.seal(NO_STAMP)), baseOffset, 1);
}

/** The marker that ends a transaction. */
export const markerAt = (baseOffset: number, kind: 'commit' | 'abort', producerId: number): Buffer =>
  controlBatch(kind, {
    producerId,
    producerEpoch: 0,
    coordinatorEpoch: 0,
    timestamp: 1_000,
    baseOffset,
    partitionLeaderEpoch: 1,
  });

/** The batch as if a codec had compressed it that nobody knows. */
export function strangelyCompressed(batch: Buffer): Buffer {
  const strange = Buffer.from(batch);
  strange.writeUInt16BE(strange.readUInt16BE(21) | 7, 21);
  strange.writeUInt32BE(crc32c(strange, 21, strange.length), 17);
  return strange;
}

/** The batch as compaction leaves it when it takes every record. */
export function emptied(batch: Buffer): Buffer {
  const header = Buffer.from(batch.subarray(0, 61));
  header.writeInt32BE(61 - 12, 8);
  header.writeInt32BE(0, 57);
  header.writeUInt32BE(crc32c(header, 21, header.length), 17);
  return header;
}
