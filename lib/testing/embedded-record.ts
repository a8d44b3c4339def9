import { batchesIn, decodeBatch, type ConsumerRecord } from '../core/protocol/index.js';
import type { Partition } from './cluster/partition.js';
import { codecsAtOnce } from './log/codecs-at-once.js';

/** A header's value as text; a list where its name was given more than once. */
export type EmbeddedHeader = string | null | readonly (string | null)[];

/** A record as the embedded broker holds it, decoded. */
export interface EmbeddedRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Milliseconds since the epoch. */
  readonly timestamp: number;
  /** The key as UTF-8 text; {@link keyBytes} are what was sent. */
  readonly key: string | null;
  /** The value as UTF-8 text, null for a tombstone; {@link valueBytes} are what was sent. */
  readonly value: string | null;
  /** Header values as UTF-8 text by name. */
  readonly headers: Readonly<Record<string, EmbeddedHeader>>;
  readonly keyBytes: Buffer | null;
  readonly valueBytes: Buffer | null;
}

const textOf = (bytes: Buffer | null): string | null => bytes?.toString() ?? null;

function embedded(record: ConsumerRecord): EmbeddedRecord {
  const { topic, partition, offset, timestamp, key, value } = record;
  const headers = Object.fromEntries(
    Object.entries(record.headers).map(([name, header]) => [
      name,
      Array.isArray(header) ? (header as readonly (Buffer | null)[]).map(textOf) : textOf(header as Buffer | null),
    ]),
  );
  return {
    topic,
    partition,
    offset,
    timestamp,
    key: textOf(key),
    value: textOf(value),
    headers,
    keyBytes: key,
    valueBytes: value,
  };
}

/** The records of a partition that may be read, in order; transaction markers are none, those of aborted transactions are. */
export function recordsIn(partition: Partition): readonly EmbeddedRecord[] {
  const { startOffset, batches } = partition.log;
  return batches.flatMap(({ bytes }) => {
    const [batch] = batchesIn(bytes);
    if (batch === undefined) return [];
    const records = decodeBatch(batch, {
      topic: partition.topic,
      partition: partition.index,
      codecs: codecsAtOnce(),
    }) as readonly ConsumerRecord[];
    return records.filter(({ offset }) => offset >= startOffset).map(embedded);
  });
}
