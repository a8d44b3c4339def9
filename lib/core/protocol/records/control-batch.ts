import { malformedBatch, type BatchPlace } from './batch-errors.js';
import { ATTRIBUTE, BATCH_HEADER_BYTES, FIELD, writeBatchHeader } from './batch-header.js';
import { crc32c } from './crc32c.js';
import type { RecordBatch } from './record-batches.js';
import { RecordReader } from './record-reader.js';

/** What a control record tells; only the first two concern a client. */
export type ControlRecordKind = 'abort' | 'commit' | 'other';

/** A record that brokers wrote for themselves into a partition: the end of a transaction, mostly. */
export interface ControlRecord {
  readonly kind: ControlRecordKind;
  /** Kafka's number of the kind. */
  readonly type: number;
  /** Of the transaction's producer. */
  readonly producerId: number;
  readonly producerEpoch: number;
  /** Epoch of the coordinator that wrote the marker; -1 where the kind has none. */
  readonly coordinatorEpoch: number;
}

const ABORT = 0;
const COMMIT = 1;

/** What `controlBatch` writes besides the kind. */
export interface ControlBatchOptions {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly coordinatorEpoch: number;
  /** Milliseconds since the epoch. */
  readonly timestamp: number;
  /** Default 0. */
  readonly baseOffset?: number;
  /** Default -1. */
  readonly partitionLeaderEpoch?: number;
}

/** The batch with which a transaction coordinator ends a transaction in a partition (KIP-98). */
export function controlBatch(kind: 'commit' | 'abort', options: ControlBatchOptions): Buffer {
  // length 16, attributes 0, deltas 0 0, key of 4: version 0, type; value of 6: version 0, coordinator epoch; no headers
  const record = Buffer.alloc(17);
  record[0] = 16 * 2;
  record[4] = 4 * 2;
  record.writeInt16BE(kind === 'commit' ? COMMIT : ABORT, 7);
  record[9] = 6 * 2;
  record.writeInt32BE(options.coordinatorEpoch, 12);
  const batch = Buffer.alloc(BATCH_HEADER_BYTES + record.length);
  writeBatchHeader(batch, {
    baseOffset: options.baseOffset ?? 0,
    sizeInBytes: batch.length,
    partitionLeaderEpoch: options.partitionLeaderEpoch ?? -1,
    attributes: ATTRIBUTE.transactional | ATTRIBUTE.control,
    lastOffsetDelta: 0,
    baseTimestamp: options.timestamp,
    maxTimestamp: options.timestamp,
    producerId: options.producerId,
    producerEpoch: options.producerEpoch,
    baseSequence: -1,
    recordCount: 1,
  });
  record.copy(batch, BATCH_HEADER_BYTES);
  batch.writeUInt32BE(crc32c(batch, FIELD.attributes, batch.length), FIELD.crc);
  return batch;
}

/** The control record of a control batch, or undefined when compaction has emptied the batch. */
export function readControlRecord({ header, bytes }: RecordBatch, place?: BatchPlace): ControlRecord | undefined {
  if (!header.isControl || header.compressionId !== 0) {
    throw malformedBatch(`the batch at offset ${header.baseOffset} is not a control batch`, place);
  }
  if (header.recordCount === 0) return undefined;
  const reader = new RecordReader(bytes, BATCH_HEADER_BYTES, bytes.length, place);
  reader.varint();
  reader.position++;
  reader.varlong();
  reader.varint();
  const keyLength = reader.skip();
  if (keyLength < 4) throw reader.malformed('of control has no type in its key');
  const type = bytes.readInt16BE(reader.position - keyLength + 2);
  const valueLength = reader.skip();
  const ends = type === ABORT || type === COMMIT;
  return {
    kind: type === ABORT ? 'abort' : type === COMMIT ? 'commit' : 'other',
    type,
    producerId: header.producerId,
    producerEpoch: header.producerEpoch,
    coordinatorEpoch: ends && valueLength >= 6 ? bytes.readInt32BE(reader.position - valueLength + 2) : -1,
  };
}
