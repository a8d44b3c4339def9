import type { ConsumerRecord, ReceivedHeaders, TimestampType } from '../../protocol/index.js';
import type { KrafkaSerializationError } from '../../support/index.js';

/** A record as a consumer with deserializers hands it out. */
export class DecodedRecord<Key = unknown, Value = unknown> {
  /** Null where the record has none, or it could not be read. */
  readonly key: Key | null;
  /** Null for a tombstone, or where it could not be read. */
  readonly value: Value | null;
  /** Why key or value could not be read; only with `onUndecodable: 'deliver'`. */
  readonly error: KrafkaSerializationError | undefined;
  /** The record as it came, with its bytes. */
  readonly raw: ConsumerRecord;

  constructor(raw: ConsumerRecord, key: Key | null, value: Value | null, error?: KrafkaSerializationError) {
    this.raw = raw;
    this.key = key;
    this.value = value;
    this.error = error;
  }

  get topic(): string {
    return this.raw.topic;
  }

  get partition(): number {
    return this.raw.partition;
  }

  get offset(): number {
    return this.raw.offset;
  }

  /** Milliseconds since the epoch, as {@link timestampType} says whose; -1 for none. */
  get timestamp(): number {
    return this.raw.timestamp;
  }

  get timestampType(): TimestampType {
    return this.raw.timestampType;
  }

  get leaderEpoch(): number {
    return this.raw.leaderEpoch;
  }

  get headers(): ReceivedHeaders {
    return this.raw.headers;
  }

  /** Everything of the record, for `JSON.stringify`; not its bytes as they came. */
  toJSON(): object {
    const { topic, partition, offset, timestamp, timestampType, leaderEpoch, key, value, headers, error } = this;
    return { topic, partition, offset, timestamp, timestampType, leaderEpoch, key, value, headers, error };
  }
}
