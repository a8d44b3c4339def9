import type { ConsumerRecord, HeaderValue, RecordHeaders, TimestampType } from '../../core/protocol/index.js';

/** Where a record that failed was written first, whatever topics it went through since. */
export interface OriginalPlace {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly timestampType: TimestampType;
}

/** The place of a record itself. */
export const placeOf = ({ topic, partition, offset, timestamp, timestampType }: ConsumerRecord): OriginalPlace => ({
  topic,
  partition,
  offset,
  timestamp,
  timestampType,
});

/** The headers of a record as they can be written again, but for those that `isOurs` says are made anew. */
export const headersOf = (record: ConsumerRecord, isOurs: (name: string) => boolean = () => false): RecordHeaders =>
  // Entry by entry: a header may be called '__proto__'.
  Object.fromEntries(
    (Object.entries(record.headers) as [string, HeaderValue | readonly HeaderValue[]][]).filter(
      ([name]) => !isOurs(name),
    ),
  );
