import type { RecordEncoder } from './record-encoder.js';
import { RecordReader } from './record-reader.js';

/**
 * Appends the encoded records to two empty batches, the first half of their bytes to the first: key, value and headers
 * are copied as they are, the deltas before them are made anew.
 */
export function splitRecords(
  records: Buffer,
  baseTimestamp: number,
  first: RecordEncoder,
  second: RecordEncoder,
): void {
  const reader = new RecordReader(records, 0, records.length);
  let target = first;
  while (reader.position < records.length) {
    const length = reader.varint();
    const end = reader.position + length;
    // The last record ends beyond the half, so that the second batch never stays empty.
    if (first.recordCount > 0 && end > records.length / 2) target = second;
    reader.position++;
    const timestamp = baseTimestamp + reader.varlong();
    reader.varint();
    target.appendEncoded(timestamp, records, reader.position, end);
    reader.position = end;
  }
}
