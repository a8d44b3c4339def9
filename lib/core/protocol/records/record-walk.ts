import { malformedBatch } from './batch-errors.js';
import type { RecordBatchHeader } from './batch-header.js';
import { ConsumerRecord, type RecordSource } from './consumer-record.js';
import { RecordReader } from './record-reader.js';

/** The least bytes of a record: its length, attributes, two deltas, two lengths and the count of its headers. */
const LEAST_RECORD_BYTES = 7;

/**
 * Makes the records of one batch, which lie uncompressed in `source.bytes` from `start` to the end.
 *
 *     length | attributes | timestamp delta | offset delta | key length, key | value length, value | headers
 *
 * Everything is held against the bytes that are there, headers included, so that no getter of a record can fail later.
 *
 * Hot: guarded by `npm run bench -- consume`. Numbers of one and two bytes, which is nearly all there are, are read in
 * place; larger ones by a {@link RecordReader}. A byte beyond the end is `undefined`, which is less than nothing, so
 * it ends up there too and is refused.
 */
export function walkRecords(header: RecordBatchHeader, source: RecordSource, start: number): ConsumerRecord[] {
  const { baseOffset, baseTimestamp, maxTimestamp, lastOffsetDelta, recordCount } = header;
  const { bytes } = source;
  const end = bytes.length;
  if (recordCount * LEAST_RECORD_BYTES > end - start) {
    throw malformedBatch(`a batch at offset ${baseOffset} has ${recordCount} records in ${end - start} bytes`, source);
  }
  const appendTime = source.timestampType === 'LogAppendTime';
  const reader = new RecordReader(bytes, start, end, source);
  // At its full length from the beginning: growing it would copy it several times over.
  // oxlint-disable-next-line unicorn/no-new-array
  const records = new Array<ConsumerRecord>(recordCount);
  let at = start;
  let lastDelta = -1;
  for (let index = 0; index < recordCount; index++) {
    let first = bytes[at] as number;
    let second = bytes[at + 1] as number;
    let length: number;
    if (first < 0x80) {
      length = (first >>> 1) ^ -(first & 1);
      at++;
    } else if (second < 0x80) {
      length = ((first & 0x7f) >>> 1) | (second << 6);
      if ((first & 1) === 1) length = ~length;
      at += 2;
    } else {
      length = reader.varintAt(at);
      at = reader.position;
    }
    const recordEnd = at + length;
    if (length < LEAST_RECORD_BYTES - 1 || recordEnd > end) {
      throw reader.malformed(`of ${length} bytes does not fit in the ${end - at} that are left`, at);
    }

    first = bytes[at + 1] as number; // behind the attributes, of which no bit is in use
    let timestamp = baseTimestamp;
    if (first < 0x80) {
      timestamp += (first >>> 1) ^ -(first & 1);
      at += 2;
    } else {
      timestamp += reader.varlongAt(at + 1);
      at = reader.position;
    }

    first = bytes[at] as number;
    second = bytes[at + 1] as number;
    let delta: number;
    if (first < 0x80) {
      delta = (first >>> 1) ^ -(first & 1);
      at++;
    } else if (second < 0x80) {
      delta = ((first & 0x7f) >>> 1) | (second << 6);
      if ((first & 1) === 1) delta = ~delta;
      at += 2;
    } else {
      delta = reader.varintAt(at);
      at = reader.position;
    }
    if (delta <= lastDelta || delta > lastOffsetDelta) {
      throw reader.malformed(`has offset delta ${delta} behind ${lastDelta}, in a span of ${lastOffsetDelta}`, at);
    }
    lastDelta = delta;

    const content = at;
    for (let part = 0; part < 2; part++) {
      first = bytes[at] as number;
      second = bytes[at + 1] as number;
      if (first < 0x80) {
        length = (first >>> 1) ^ -(first & 1);
        at++;
      } else if (second < 0x80) {
        length = ((first & 0x7f) >>> 1) | (second << 6);
        if ((first & 1) === 1) length = ~length;
        at += 2;
      } else {
        length = reader.varintAt(at);
        at = reader.position;
      }
      if (length > 0) at += length;
      if (length < -1 || at >= recordEnd) throw reader.malformed(`has ${length} bytes of key or value`, at);
    }

    if (bytes[at] === 0) at++;
    else at = skipHeaders(reader, at, recordEnd);
    if (at !== recordEnd) throw reader.malformed('is not as long as it says', at);
    if (!Number.isSafeInteger(timestamp)) throw reader.malformed('has a timestamp that is not a safe integer', at);
    records[index] = new ConsumerRecord(
      baseOffset + delta,
      appendTime ? maxTimestamp : timestamp,
      source,
      content,
      recordEnd,
    );
  }
  if (at !== end) throw malformedBatch(`${end - at} bytes follow the last record of a batch`, source);
  return records;
}

/** Answers the position behind the headers of a record that has some. */
function skipHeaders(reader: RecordReader, at: number, end: number): number {
  const count = reader.varintAt(at);
  if (count < 0 || count * 2 > end - reader.position) {
    throw reader.malformed(`has ${count} headers in ${end - reader.position} bytes`, at);
  }
  for (let left = count; left > 0; left--) {
    if (reader.skip() < 0) throw reader.malformed('has a header without a name', reader.position);
    reader.skip();
  }
  return reader.position;
}
