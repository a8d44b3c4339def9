import type { Krafka } from '../../lib/core/index.js';
import type { LedgerEntry } from './ledger.js';

/** A line of a ledger, and when it was written. */
export interface DatedEntry extends LedgerEntry {
  readonly timestamp: number;
}

/** Everything in a topic of numbers, read without a group up to its present end. */
export async function wholeTopic(krafka: Krafka, topic: string, partitions: number): Promise<DatedEntry[]> {
  const assignments = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }));
  const ends = await krafka.admin().listOffsets(assignments.map((one) => ({ ...one, at: 'latest' as const })));
  const left = new Map(ends.map((end) => [end.partition, end.offset]));
  const entries: DatedEntry[] = [];
  for (const [partition, end] of left) if (end === 0) left.delete(partition);
  if (left.size === 0) return entries;
  const consumer = krafka.consumer({
    assignments: assignments.map((one) => ({ ...one, offset: 'earliest' as const })),
  });
  for await (const { partition, offset, timestamp, valueText } of consumer) {
    entries.push({ partition, offset, timestamp, number: Number(valueText) });
    if (offset + 1 >= (left.get(partition) ?? Number.MAX_SAFE_INTEGER)) left.delete(partition);
    if (left.size === 0) break;
  }
  await consumer.close();
  return entries;
}
