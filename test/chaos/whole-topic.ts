import type { Krafka } from '../../lib/core/index.js';
import type { LedgerEntry } from './ledger.js';

/** A line of a ledger, and when it was written. */
export interface DatedEntry extends LedgerEntry {
  readonly timestamp: number;
}

/** Everything in a topic of numbers, read without a group up to its present end. */
export async function wholeTopic(
  krafka: Krafka,
  topic: string,
  partitions: number,
  isolationLevel: 'read_committed' | 'read_uncommitted' = 'read_uncommitted',
): Promise<DatedEntry[]> {
  const assignments = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }));
  const ends = await krafka.admin().listOffsets(assignments.map((one) => ({ ...one, at: 'latest' as const })));
  const left = new Map(ends.map((end) => [end.partition, end.offset]));
  const entries: DatedEntry[] = [];
  for (const [partition, end] of left) if (end === 0) left.delete(partition);
  if (left.size === 0) return entries;
  const consumer = krafka.consumer({
    assignments: assignments.map((one) => ({ ...one, offset: 'earliest' as const })),
    isolationLevel,
  });
  const running = consumer.run({
    eachBatch: ({ records }) => {
      for (const { partition, offset, timestamp, valueText } of records) {
        entries.push({ partition, offset, timestamp, number: Number(valueText) });
      }
    },
  });
  // The end may be a marker, which nobody sees: so it is the position that counts.
  const isThere = (): boolean =>
    [...left].every(([partition, end]) => (consumer.position({ topic, partition }) ?? 0) >= end);
  await consumer.start();
  while (!isThere()) await new Promise((resolve) => setTimeout(resolve, 20));
  await consumer.close();
  await running;
  return entries;
}
