import type { IsolationLevel, OffsetSpec, TopicPartition, TopicPartitionOffset } from '../consumer/index.js';
import type { BrokerConnection } from '../network/index.js';
import { DeleteRecords, ERROR_CODES, ListOffsets, protocolError } from '../protocol/index.js';
import {
  aListOf,
  aString,
  aWhole,
  checkOptions,
  KrafkaError,
  oneOf,
  optional,
  withDefault,
  type OptionRule,
} from '../support/index.js';
import { answerOr, byTopic, type AdminCall, type Answers } from './admin-call.js';
import { CALL_OPTIONS, withoutRepeats, type CallOptions, type Complete } from './call-options.js';
import { allOrThrow } from './settle-each.js';
import { lookUpTopics } from './topic-lookup.js';

/**
 * A place in a partition: its ends, the first record at or after a time (milliseconds since the epoch), or the record
 * with the largest timestamp (KIP-734).
 */
export type OffsetPoint = OffsetSpec | 'max-timestamp';

/** Which offset of which partitions to look up. */
export interface OffsetQuery {
  readonly topic: string;
  /** Default: every partition of the topic. */
  readonly partition?: number | undefined;
  readonly at: OffsetPoint;
}

export interface ListOffsetsOptions extends CallOptions {
  /** With `read_committed`, 'latest' is where the first undecided transaction begins. Default `read_uncommitted`. */
  readonly isolationLevel?: IsolationLevel | undefined;
}

/** An offset that was looked up. */
export interface ListedOffset extends TopicPartitionOffset {
  /** Where a record was looked for: its timestamp. Else -1. */
  readonly timestamp: number;
  /** The leader epoch of the record there, -1 where the broker tells none. */
  readonly leaderEpoch: number;
}

type PartitionQuery = TopicPartition & { readonly at: OffsetPoint };

/** As KIP-79 has it, and KIP-734 for the largest timestamp. */
const TIMESTAMPS = { latest: -1, earliest: -2, 'max-timestamp': -3 } as const;
const MAX_TIMESTAMP_SINCE = 7;
const UNCOMMITTED_ONLY_BEFORE = 2;
const CONSUMER_REPLICA = -1;
const ISOLATION = { read_uncommitted: 0, read_committed: 1 } as const;

const anOffsetPoint: OptionRule<OffsetPoint> = (value, path) => {
  if (typeof value !== 'object') return oneOf('earliest', 'latest', 'max-timestamp')(value, path);
  return checkOptions<{ timestamp: number }>(value, { timestamp: aWhole('milliseconds', 0) }, path);
};

const aPartition = aWhole('partition', 0, 2 ** 31 - 1);

export const checkOffsetQueries = (given: unknown): readonly OffsetQuery[] =>
  withoutRepeats(
    aListOf<OffsetQuery>((value, path) =>
      checkOptions<OffsetQuery>(value, { topic: aString, partition: optional(aPartition), at: anOffsetPoint }, path),
    )(given, 'queries'),
    ({ topic, partition, at }) => `${topic}/${partition ?? '*'}/${JSON.stringify(at)}`,
    'queries',
  );

export const checkListOffsets = (given: ListOffsetsOptions | undefined): Complete<ListOffsetsOptions> =>
  checkOptions<Complete<ListOffsetsOptions>>(
    given,
    { ...CALL_OPTIONS, isolationLevel: withDefault(oneOf('read_uncommitted', 'read_committed'), 'read_uncommitted') },
    'options',
  );

/** A list of partitions, each with an offset. @throws KrafkaConfigError */
export const checkPartitionOffsets = (given: unknown, path: string): readonly TopicPartitionOffset[] =>
  withoutRepeats(
    aListOf<TopicPartitionOffset>((value, at) =>
      checkOptions<TopicPartitionOffset>(
        value,
        { topic: aString, partition: aPartition, offset: aWhole('offset', 0) },
        at,
      ),
    )(given, path),
    ({ topic, partition }) => `${topic}/${partition}`,
    path,
  );

/** A list of partitions. @throws KrafkaConfigError */
export const checkPartitions = (given: unknown, path: string): readonly TopicPartition[] =>
  withoutRepeats(
    aListOf<TopicPartition>((value, at) =>
      checkOptions<TopicPartition>(value, { topic: aString, partition: aPartition }, at),
    )(given, path),
    ({ topic, partition }) => `${topic}/${partition}`,
    path,
  );

export async function listOffsets(
  call: AdminCall,
  queries: readonly OffsetQuery[],
  isolationLevel: IsolationLevel,
): Promise<ListedOffset[]> {
  const wanted = await eachPartition(call, queries);
  const settled = await call.onLeaders(wanted, (connection, here, metadata) =>
    askOffsets(
      call,
      connection,
      here,
      isolationLevel,
      (topic, partition) => metadata.topics.get(topic)?.partitions[partition]?.leaderEpoch ?? -1,
    ),
  );
  const done = allOrThrow(settled, 'offsets to be listed');
  return wanted.map((query) => done.get(query)!);
}

export async function deleteRecords(
  call: AdminCall,
  before: readonly TopicPartitionOffset[],
): Promise<TopicPartitionOffset[]> {
  const settled = await call.onLeaders(before, async (connection, here) => {
    const topics = Array.from(byTopic(here), ([name, partitions]) => ({
      name,
      partitions: partitions.map(({ partition, offset }) => ({ partitionIndex: partition, offset })),
    }));
    const response = await connection.sendRequest(
      DeleteRecords,
      { topics, timeoutMs: call.brokerTimeoutMs },
      call.wait,
    );
    return matched(here, response.topics, (item, { errorCode, lowWatermark }) =>
      answerOr(errorCode, { api: 'DeleteRecords', topic: item.topic, partition: item.partition }, () => ({
        topic: item.topic,
        partition: item.partition,
        offset: lowWatermark,
      })),
    );
  });
  const done = allOrThrow(settled, 'partitions to have records deleted');
  return before.map((item) => done.get(item)!);
}

/** The queries with "every partition" spelled out. */
async function eachPartition(call: AdminCall, queries: readonly OffsetQuery[]): Promise<readonly PartitionQuery[]> {
  const whole = new Set(queries.filter(({ partition }) => partition === undefined).map(({ topic }) => topic));
  const counts = await partitionCounts(call, whole);
  return queries.flatMap(({ topic, partition, at }): PartitionQuery[] => {
    if (partition !== undefined) return [{ topic, partition, at }];
    return Array.from({ length: counts.get(topic) ?? 0 }, (_, index) => ({ topic, partition: index, at }));
  });
}

/** How many partitions each topic has. */
export async function partitionCounts(call: AdminCall, topics: Iterable<string>): Promise<ReadonlyMap<string, number>> {
  const found = allOrThrow(await lookUpTopics(call, topics), 'topics to be described');
  return new Map(Array.from(found, ([name, { partitions }]) => [name, partitions.length]));
}

async function askOffsets(
  call: AdminCall,
  connection: BrokerConnection,
  here: readonly PartitionQuery[],
  isolationLevel: IsolationLevel,
  leaderEpochOf: (topic: string, partition: number) => number,
): Promise<Answers<PartitionQuery, ListedOffset>> {
  const version = connection.versionOf(ListOffsets);
  const needsLarger =
    (version < MAX_TIMESTAMP_SINCE && here.some(({ at }) => at === 'max-timestamp')) ||
    (version < UNCOMMITTED_ONLY_BEFORE && isolationLevel === 'read_committed');
  if (needsLarger)
    throw protocolError(ERROR_CODES.UNSUPPORTED_VERSION, { api: 'ListOffsets', address: connection.address });
  // One partition may be asked for several offsets, which one request does not carry.
  const answers = new Map<PartitionQuery, ListedOffset | KrafkaError>();
  for (const round of rounds(here)) {
    const topics = Array.from(byTopic(round), ([name, partitions]) => ({
      name,
      partitions: partitions.map(({ partition, at }) => ({
        partitionIndex: partition,
        currentLeaderEpoch: leaderEpochOf(name, partition),
        timestamp: typeof at === 'string' ? TIMESTAMPS[at] : at.timestamp,
      })),
    }));
    const response = await connection.sendRequest(
      ListOffsets,
      {
        replicaId: CONSUMER_REPLICA,
        isolationLevel: ISOLATION[isolationLevel],
        topics,
        timeoutMs: call.brokerTimeoutMs,
      },
      call.wait,
    );
    const told = matched(round, response.topics, ({ topic, partition }, answer) =>
      answerOr(answer.errorCode, { api: 'ListOffsets', topic, partition }, () => ({
        topic,
        partition,
        offset: answer.offset,
        timestamp: answer.timestamp,
        leaderEpoch: answer.leaderEpoch,
      })),
    );
    for (const [query, answer] of told) answers.set(query, answer);
  }
  return answers;
}

/** The items in as few groups as possible, none of which has a partition twice. */
function rounds<P extends TopicPartition>(items: readonly P[]): P[][] {
  const groups: { readonly seen: Set<string>; readonly items: P[] }[] = [];
  for (const item of items) {
    const key = `${item.topic}/${item.partition}`;
    let group = groups.find(({ seen }) => !seen.has(key));
    if (group === undefined) groups.push((group = { seen: new Set(), items: [] }));
    group.seen.add(key);
    group.items.push(item);
  }
  return groups.map(({ items: inGroup }) => inGroup);
}

/** Each item with what the answer says of its partition. */
export function matched<P extends TopicPartition, A extends { readonly partitionIndex: number }, R>(
  items: readonly P[],
  topics: readonly { readonly name: string; readonly partitions: readonly A[] }[],
  read: (item: P, answer: A) => R,
): Map<P, R> {
  const byKey = new Map(items.map((item) => [`${item.topic}/${item.partition}`, item]));
  const found = new Map<P, R>();
  for (const { name, partitions } of topics) {
    for (const answer of partitions) {
      const item = byKey.get(`${name}/${answer.partitionIndex}`);
      if (item !== undefined) found.set(item, read(item, answer));
    }
  }
  return found;
}
