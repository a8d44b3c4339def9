import type { AssignedPartition } from './assigned-partition.js';
import type { PartitionStats, StuckHandler } from './consumer-stats.js';
import type { UnderWay } from './delivery/lane.js';

/** One partition's numbers at this moment. */
export function partitionStats(
  assigned: AssignedPartition,
  underWay: UnderWay | undefined,
  now: number,
  committedOnly: boolean,
): PartitionStats {
  const { topic, partition, phase, paused, held, position, buffer } = assigned;
  return {
    topic,
    partition,
    state: phase.kind,
    paused,
    held,
    position: position < 0 ? undefined : position,
    lag: assigned.lag(committedOnly),
    bufferedBytes: buffer.bytes,
    handlingMs: underWay && now - underWay.since,
    handlingOffset: underWay?.offset,
  };
}

/** The partition's handler, where it has taken longer than it should. */
export function stuckIn(stats: PartitionStats, afterMs: number): StuckHandler[] {
  const { topic, partition, handlingMs = 0, handlingOffset } = stats;
  if (handlingOffset === undefined || handlingMs < afterMs) return [];
  return [{ topic, partition, offset: handlingOffset, handlingMs }];
}
