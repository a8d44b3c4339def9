import { WIRE_TYPE, type AcknowledgedRange, type Verdict } from './acknowledge-type.js';
import type { SharePartition } from './share-partition.js';

/** What one request tells of one partition. The broker takes it as a whole or not at all. */
export interface Parcel {
  readonly partition: SharePartition;
  readonly ranges: readonly AcknowledgedRange[];
}

type Growing = { firstOffset: number; lastOffset: number; type: Verdict };

/** Verdicts on records of one leader that it has not been told yet. Owned by that leader's loop. */
export class PendingAcknowledgements {
  #byPartition = new Map<SharePartition, Growing[]>();

  get isEmpty(): boolean {
    return this.#byPartition.size === 0;
  }

  get partitions(): Iterable<SharePartition> {
    return this.#byPartition.keys();
  }

  add(partition: SharePartition, firstOffset: number, lastOffset: number, type: Verdict): void {
    const ranges = this.#byPartition.get(partition);
    if (ranges === undefined) {
      this.#byPartition.set(partition, [{ firstOffset, lastOffset, type }]);
      return;
    }
    // Mostly records are done in their order: the last range grows.
    const last = ranges.at(-1);
    if (last?.type === type && last.lastOffset + 1 === firstOffset) last.lastOffset = lastOffset;
    else ranges.push({ firstOffset, lastOffset, type });
  }

  /** Takes everything, to be told in one request. */
  take(): Parcel[] {
    const taken = this.#byPartition;
    this.#byPartition = new Map();
    return Array.from(taken, ([partition, ranges]) => ({ partition, ranges: joined(ranges) }));
  }
}

/** The ranges in the order of their offsets, neighbours of one verdict made one. */
function joined(ranges: readonly Growing[]): AcknowledgedRange[] {
  const sorted = ranges.toSorted((a, b) => a.firstOffset - b.firstOffset);
  const result: Growing[] = [];
  for (const range of sorted) {
    const last = result.at(-1);
    if (last?.type === range.type && last.lastOffset + 1 === range.firstOffset) last.lastOffset = range.lastOffset;
    else result.push({ ...range });
  }
  return result;
}

/** The ranges as a request has them: one type stands for every offset of its range. */
export const acknowledgementBatches = (ranges: readonly AcknowledgedRange[]) =>
  ranges.map(({ firstOffset, lastOffset, type }) => ({
    firstOffset,
    lastOffset,
    acknowledgeTypes: [WIRE_TYPE[type]],
  }));

/** How many offsets the ranges cover. */
export const countOf = (ranges: readonly AcknowledgedRange[]): number =>
  ranges.reduce((sum, { firstOffset, lastOffset }) => sum + lastOffset - firstOffset + 1, 0);
