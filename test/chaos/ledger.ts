/** One line of a ledger as it was found in a topic. */
export interface LedgerEntry {
  readonly partition: number;
  readonly offset: number;
  readonly number: number;
}

/** What is wrong with a ledger, counted; all zero is a clean one. */
export interface LedgerFaults {
  /** Acknowledged and not there. */
  readonly lost: number[];
  /** There more than once. */
  readonly duplicated: number[];
  /** In a partition behind a later number. */
  readonly reordered: number[];
}

/**
 * Holds what was found against what was acknowledged. Numbers were sent in rising order, so within a partition each
 * first appearance must rise too.
 */
export function auditLedger(acknowledged: Iterable<number>, found: readonly LedgerEntry[]): LedgerFaults {
  const times = new Map<number, number>();
  const last = new Map<number, number>();
  const reordered: number[] = [];
  for (const entry of found.toSorted((a, b) => a.partition - b.partition || a.offset - b.offset)) {
    const seen = times.get(entry.number) ?? 0;
    times.set(entry.number, seen + 1);
    if (seen > 0) continue;
    if (entry.number < (last.get(entry.partition) ?? -1)) reordered.push(entry.number);
    else last.set(entry.partition, entry.number);
  }
  return {
    lost: [...acknowledged].filter((number) => !times.has(number)),
    duplicated: [...times].filter(([, count]) => count > 1).map(([number]) => number),
    reordered,
  };
}
