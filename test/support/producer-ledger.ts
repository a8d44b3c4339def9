import type { Krafka, ProducerOptions, ProducerStats } from '../../lib/core/index.js';
import { auditLedger, type LedgerEntry, type LedgerFaults } from '../chaos/ledger.js';

/** How a ledger is written. */
export interface LedgerPlan {
  readonly topic: string;
  readonly partitions: number;
  readonly records: number;
  readonly producer?: ProducerOptions;
  /** What happens when so many have been sent; called once for each number of records. */
  readonly trouble: (sent: number) => Promise<void> | void;
}

/** What the senders were told. */
export interface WrittenLedger {
  /** The offset of each record by its number; -1: acknowledged without one, NaN: refused. */
  readonly offsets: Float64Array;
  /** Why records were refused, by number. */
  readonly refused: ReadonlyMap<number, string>;
  readonly stats: ProducerStats;
}

const OUTSTANDING = 20_000;

/** Sends numbered records, thousands of them at a time, and keeps what became of each. */
export async function writeLedger(krafka: Krafka, plan: LedgerPlan): Promise<WrittenLedger> {
  const { topic, partitions, records, trouble } = plan;
  const producer = krafka.producer({ lingerMs: 2, ...plan.producer });
  const offsets = new Float64Array(records).fill(NaN);
  const refused = new Map<number, string>();
  let open = 0;
  let wake: () => void = () => undefined;
  const settled = (): void => {
    if (--open <= OUTSTANDING / 2) wake();
  };
  for (let number = 0; number < records; number++) {
    await trouble(number);
    if (open >= OUTSTANDING) await new Promise<void>((resolve) => (wake = resolve));
    open++;
    producer.send({ topic, partition: number % partitions, value: String(number) }).then(
      ({ offset }) => {
        offsets[number] = offset;
        settled();
      },
      (error: unknown) => {
        refused.set(number, (error as { code?: string }).code ?? String(error));
        settled();
      },
    );
  }
  await producer.flush();
  // Whoever is told is told in the same turn as the flush, or before.
  await new Promise((resolve) => setImmediate(resolve));
  const stats = producer.stats();
  await producer.close();
  return { offsets, refused, stats };
}

/** Everything in a topic, read without a group up to its present end. */
export async function wholeTopic(
  krafka: Krafka,
  topic: string,
  partitions: number,
  isolationLevel: 'read_committed' | 'read_uncommitted' = 'read_uncommitted',
): Promise<LedgerEntry[]> {
  const assignments = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }));
  const ends = await krafka.admin().listOffsets(assignments.map((one) => ({ ...one, at: 'latest' as const })));
  const left = new Map(ends.filter(({ offset }) => offset > 0).map((end) => [end.partition, end.offset]));
  const entries: LedgerEntry[] = [];
  if (left.size === 0) return entries;
  const consumer = krafka.consumer({
    assignments: assignments.map((one) => ({ ...one, offset: 'earliest' as const })),
    isolationLevel,
  });
  await consumer.start();
  const done = (): boolean => {
    // The last offsets may be of markers, which nobody is handed: the position tells.
    for (const [partition, end] of left) {
      if ((consumer.position({ topic, partition }) ?? 0) >= end) left.delete(partition);
    }
    return left.size === 0;
  };
  const run = consumer.run({
    eachRecord: ({ partition, offset, value }) => {
      entries.push({ partition, offset, number: Number(value?.toString()) });
    },
  });
  while (!done()) await new Promise((resolve) => setTimeout(resolve, 20));
  await consumer.close();
  await run;
  return entries;
}

/** What is wrong between what was told and what is there. */
export interface LedgerReport extends LedgerFaults {
  /** Acknowledged at an offset where another record is. */
  readonly misplaced: number[];
  /** Neither acknowledged nor refused. */
  readonly untold: number[];
  /** Refused for certain, and there all the same. */
  readonly contradicted: number[];
}

/** Codes of errors that do not say whether a record was written. */
const LEAVES_IT_OPEN: ReadonlySet<string> = new Set(['TIMEOUT', 'CLOSED', 'OUTCOME_UNKNOWN']);

/** Holds what the senders were told against what is in the topic; all empty is a clean ledger. */
export function compareLedger(written: WrittenLedger, found: readonly LedgerEntry[], partitions: number): LedgerReport {
  const { offsets, refused } = written;
  const at = new Map<number, Map<number, number>>();
  for (const { partition, offset, number } of found) {
    let places = at.get(partition);
    if (places === undefined) at.set(partition, (places = new Map<number, number>()));
    places.set(offset, number);
  }
  const acknowledged: number[] = [];
  const misplaced: number[] = [];
  const untold: number[] = [];
  offsets.forEach((offset, number) => {
    if (Number.isNaN(offset)) {
      if (!refused.has(number)) untold.push(number);
      return;
    }
    acknowledged.push(number);
    if (offset >= 0 && at.get(number % partitions)?.get(offset) !== number) misplaced.push(number);
  });
  const contradicted = found
    .map(({ number }) => number)
    .filter((number) => {
      const code = refused.get(number);
      return code !== undefined && !LEAVES_IT_OPEN.has(code);
    });
  return { ...auditLedger(acknowledged, found), misplaced, untold, contradicted };
}

export const CLEAN: LedgerReport = {
  lost: [],
  duplicated: [],
  reordered: [],
  misplaced: [],
  untold: [],
  contradicted: [],
};
