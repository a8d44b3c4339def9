import type { TopicPartitionOffset } from '../consumer/index.js';
import {
  aBoolean,
  aListOf,
  aString,
  aWhole,
  checkOptions,
  KrafkaConfigError,
  oneOf,
  optional,
  type OptionRule,
} from '../support/index.js';
import type { AdminCall } from './admin-call.js';
import { CALL_OPTIONS, type CallOptions } from './call-options.js';
import { alterGroupOffsets, listGroupOffsets } from './group-offsets.js';
import { listOffsets, partitionCounts, type OffsetPoint } from './partition-offsets.js';

/** Where to put a group in the partitions: their ends, a time, an offset, or so many records on (or back, below zero). */
export type ResetTarget =
  'earliest' | 'latest' | { readonly timestamp: number } | { readonly offset: number } | { readonly shiftBy: number };

export interface ResetOffsetsOptions extends CallOptions {
  /** Where to. An offset outside the partition becomes the nearest end; a time after its last record, the end. */
  readonly to: ResetTarget;
  /** Every partition of these topics. Default: all topics that the group has an offset of. */
  readonly topics?: readonly string[] | undefined;
  /** Tells what would be done, and does nothing. Default false. */
  readonly dryRun?: boolean | undefined;
}

/** Where a group was put. */
export interface ResetOffset extends TopicPartitionOffset {
  /** Where it was; undefined when it had no offset there. */
  readonly previous: number | undefined;
}

const aTarget: OptionRule<ResetTarget> = (value, path) => {
  if (typeof value !== 'object' || value === null) return oneOf('earliest', 'latest')(value, path);
  const given = checkOptions<{ timestamp?: number; offset?: number; shiftBy?: number }>(
    value,
    {
      timestamp: optional(aWhole('milliseconds', 0)),
      offset: optional(aWhole('offset', 0)),
      shiftBy: optional(aWhole('records', Number.MIN_SAFE_INTEGER)),
    },
    path,
  );
  const said = Object.entries(given).filter(([, number]) => number !== undefined);
  if (said.length !== 1) {
    throw new KrafkaConfigError(path, `must say one of timestamp, offset and shiftBy, got ${said.length}`);
  }
  return Object.fromEntries(said) as unknown as ResetTarget;
};

export const checkResetOffsets = (given: ResetOffsetsOptions): ResetOffsetsOptions =>
  checkOptions<ResetOffsetsOptions>(
    given,
    { ...CALL_OPTIONS, to: aTarget, topics: optional(aListOf(aString)), dryRun: optional(aBoolean) },
    'options',
  );

export async function resetOffsets(
  call: AdminCall,
  groupId: string,
  { to, topics, dryRun = false }: ResetOffsetsOptions,
): Promise<ResetOffset[]> {
  const committed = await listGroupOffsets(call, groupId, {});
  const before = new Map(committed.map(({ topic, partition, offset }) => [`${topic}/${partition}`, offset]));
  const counts = await partitionCounts(call, topics ?? committed.map(({ topic }) => topic));
  const partitions = Array.from(counts, ([topic, count]) =>
    Array.from({ length: count }, (_, partition) => ({
      topic,
      partition,
      previous: before.get(`${topic}/${partition}`),
    })),
  ).flat();

  const look = async (at: OffsetPoint): Promise<ReadonlyMap<string, number>> => {
    const queries = partitions.map(({ topic, partition }) => ({ topic, partition, at }));
    const listed = await listOffsets(call, queries, 'read_uncommitted');
    return new Map(listed.map(({ topic, partition, offset }) => [`${topic}/${partition}`, offset]));
  };
  const [earliest, latest, atTime] = await Promise.all([
    look('earliest'),
    look('latest'),
    typeof to === 'object' && 'timestamp' in to ? look(to) : undefined,
  ]);

  const plan = partitions.flatMap(({ topic, partition, previous }): ResetOffset[] => {
    const key = `${topic}/${partition}`;
    const first = earliest.get(key)!;
    const end = latest.get(key)!;
    const target = targetOffset(to, { first, end, previous, atTime: atTime?.get(key) });
    return target === undefined ? [] : [{ topic, partition, previous, offset: Math.min(end, Math.max(first, target)) }];
  });
  if (!dryRun) {
    await alterGroupOffsets(
      call,
      groupId,
      plan.map(({ topic, partition, offset }) => ({ topic, partition, offset })),
    );
  }
  return plan;
}

/** Undefined where there is nothing to go by: shifting from an offset that the group does not have. */
function targetOffset(
  to: ResetTarget,
  known: { first: number; end: number; previous: number | undefined; atTime: number | undefined },
): number | undefined {
  if (to === 'earliest') return known.first;
  if (to === 'latest') return known.end;
  if ('offset' in to) return to.offset;
  if ('shiftBy' in to) return known.previous === undefined ? undefined : known.previous + to.shiftBy;
  return known.atTime === undefined || known.atTime < 0 ? known.end : known.atTime;
}
