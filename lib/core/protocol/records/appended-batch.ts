import { ATTRIBUTE, FIELD, readBatchHeader, writeInt64 } from './batch-header.js';
import { crc32c } from './crc32c.js';

/**
 * A copy of a batch as a leader keeps it: with the offset and the epoch it was appended at. With `logAppendTime` its
 * records take that timestamp (`message.timestamp.type=LogAppendTime`), which is under the checksum: that is made anew.
 */
export function rewriteBaseOffset(
  bytes: Buffer,
  baseOffset: number,
  partitionLeaderEpoch: number,
  logAppendTime?: number,
): Buffer {
  const header = readBatchHeader(bytes);
  const appended = Buffer.from(bytes);
  writeInt64(appended, FIELD.baseOffset, baseOffset);
  appended.writeInt32BE(partitionLeaderEpoch, FIELD.partitionLeaderEpoch);
  if (logAppendTime !== undefined) {
    appended.writeInt16BE(header.attributes | ATTRIBUTE.logAppendTime, FIELD.attributes);
    writeInt64(appended, FIELD.maxTimestamp, logAppendTime);
    appended.writeUInt32BE(crc32c(appended, FIELD.attributes, appended.length), FIELD.crc);
  }
  return appended;
}
