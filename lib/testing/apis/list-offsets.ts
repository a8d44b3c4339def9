import {
  ERROR_CODES,
  ListOffsets,
  OffsetForLeaderEpoch,
  batchesIn,
  decodeBatch,
  type AnswerOf,
  type ConsumerRecord,
  type ErrorName,
  type ReceivedRequestOf,
} from '../../core/protocol/index.js';
import type { Partition } from '../cluster/partition.js';
import type { StoredBatch } from '../log/partition-log.js';
import { serve, type RequestScope, type ServedApi } from './served-api.js';

type Request = ReceivedRequestOf<typeof ListOffsets>;
type AskedPartition = Request['topics'][number]['partitions'][number];
type PartitionAnswer = AnswerOf<typeof ListOffsets>['topics'][number]['partitions'][number];
type EpochRequest = ReceivedRequestOf<typeof OffsetForLeaderEpoch>;

const READ_COMMITTED = 1;
const LEADER_EPOCHS_SINCE = 4;
/** What a timestamp means that is none. */
const LATEST = -1;
const EARLIEST = -2;
const MAX_TIMESTAMP = -3;
const EARLIEST_LOCAL = -4;
const LATEST_TIERED = -5;
const EARLIEST_PENDING_UPLOAD = -6;
/** The version from which on each of them may be asked. */
const SINCE: Readonly<Record<number, number>> = {
  [MAX_TIMESTAMP]: 7,
  [EARLIEST_LOCAL]: 8,
  [LATEST_TIERED]: 9,
  [EARLIEST_PENDING_UPLOAD]: 11,
};

const answerOf = (
  partitionIndex: number,
  error: ErrorName,
  offset = -1,
  timestamp = -1,
  leaderEpoch = -1,
): PartitionAnswer => ({ partitionIndex, errorCode: ERROR_CODES[error], timestamp, offset, leaderEpoch });

/** What a look for a time can find: a record, or the marker of a transaction. */
type Found = Pick<ConsumerRecord, 'offset' | 'timestamp'>;

async function recordsOf(partition: Partition, batch: StoredBatch): Promise<readonly Found[]> {
  const [found] = batchesIn(batch.bytes);
  if (found === undefined) return [];
  const { isControl, baseOffset, maxTimestamp } = found.header;
  if (isControl) return [{ offset: baseOffset, timestamp: maxTimestamp }];
  return decodeBatch(found, { topic: partition.topic, partition: partition.index });
}

/** The first record that `matches`, in the batch `first` and those after it. */
async function firstRecord(
  partition: Partition,
  first: StoredBatch | undefined,
  matches: (record: Found) => boolean,
): Promise<Found | undefined> {
  const { batches } = partition.log;
  for (let index = first === undefined ? batches.length : batches.indexOf(first); index < batches.length; index++) {
    const record = (await recordsOf(partition, batches[index] as StoredBatch)).find(matches);
    if (record !== undefined) return record;
  }
  return undefined;
}

async function lookUp(
  asked: AskedPartition,
  partition: Partition,
  upTo: number,
  version: number,
): Promise<PartitionAnswer> {
  const { partitionIndex: index, timestamp } = asked;
  const { log } = partition;
  if ((SINCE[timestamp] ?? 0) > version || timestamp < EARLIEST_PENDING_UPLOAD) {
    return answerOf(index, 'UNSUPPORTED_VERSION');
  }
  const found = (record: Found | undefined): PartitionAnswer =>
    record === undefined || record.offset >= upTo
      ? answerOf(index, 'NONE')
      : answerOf(index, 'NONE', record.offset, record.timestamp, log.epochAt(record.offset));
  switch (timestamp) {
    case LATEST:
      return answerOf(index, 'NONE', upTo, -1, partition.leaderEpoch);
    case EARLIEST:
    case EARLIEST_LOCAL:
      return answerOf(index, 'NONE', log.startOffset, -1, log.epochAt(log.startOffset));
    case LATEST_TIERED:
    case EARLIEST_PENDING_UPLOAD:
      // Nothing is tiered here.
      return answerOf(index, 'NONE');
    case MAX_TIMESTAMP: {
      const latest = log.latestBatch();
      return found(await firstRecord(partition, latest, (record) => record.timestamp === latest?.maxTimestamp));
    }
    default: {
      const from = Math.max(0, timestamp);
      const matches = (record: Found): boolean => record.timestamp >= from && record.offset >= log.startOffset;
      return found(await firstRecord(partition, log.firstBatchSince(timestamp), matches));
    }
  }
}

/** Before v4 an answer has no place for the leader epoch. */
async function inVersion(answer: Promise<PartitionAnswer>, version: number): Promise<PartitionAnswer> {
  return version >= LEADER_EPOCHS_SINCE ? answer : { ...(await answer), leaderEpoch: -1 };
}

const once = (partitions: readonly AskedPartition[]): readonly AskedPartition[] =>
  partitions.filter(
    ({ partitionIndex }, at) => partitions.findIndex((other) => other.partitionIndex === partitionIndex) === at,
  );

async function listOffsets(request: Request, scope: RequestScope): Promise<AnswerOf<typeof ListOffsets>> {
  const seen = new Map<string, number>();
  for (const { name, partitions } of request.topics) {
    for (const { partitionIndex } of partitions) {
      const place = `${name}/${partitionIndex}`;
      seen.set(place, (seen.get(place) ?? 0) + 1);
    }
  }
  const one = async (name: string, asked: AskedPartition): Promise<PartitionAnswer> => {
    const { partitionIndex: index } = asked;
    const fault = scope.faulted(name, index);
    if (fault !== undefined) return answerOf(index, fault);
    if ((seen.get(`${name}/${index}`) ?? 0) > 1) return answerOf(index, 'INVALID_REQUEST');
    const partition = scope.cluster.partition(name, index);
    if (partition === undefined) return answerOf(index, 'UNKNOWN_TOPIC_OR_PARTITION');
    const access = partition.access(scope.node.id, asked.currentLeaderEpoch);
    if (access !== 'NONE') return answerOf(index, access);
    const { log } = partition;
    const upTo = request.isolationLevel === READ_COMMITTED ? log.lastStableOffset : log.endOffset;
    return inVersion(lookUp(asked, partition, upTo, scope.version), scope.version);
  };
  const topics = request.topics.map(async ({ name, partitions }) => ({
    name,
    // A partition that is given twice is answered once.
    partitions: await Promise.all(once(partitions).map((asked) => one(name, asked))),
  }));
  return { topics: await Promise.all(topics) };
}

function offsetsOfEpochs(request: EpochRequest, scope: RequestScope): AnswerOf<typeof OffsetForLeaderEpoch> {
  const topics = request.topics.map(({ topic, partitions }) => ({
    topic,
    partitions: partitions.map(({ partition: index, currentLeaderEpoch, leaderEpoch }) => {
      const fault = scope.faulted(topic, index);
      if (fault !== undefined) return { errorCode: ERROR_CODES[fault], partition: index };
      const partition = scope.cluster.partition(topic, index);
      if (partition === undefined) return { errorCode: ERROR_CODES.UNKNOWN_TOPIC_OR_PARTITION, partition: index };
      const access = partition.access(scope.node.id, currentLeaderEpoch);
      if (access !== 'NONE') return { errorCode: ERROR_CODES[access], partition: index };
      const { epoch, endOffset } = partition.log.endOfEpoch(leaderEpoch);
      return { errorCode: ERROR_CODES.NONE, partition: index, leaderEpoch: epoch, endOffset };
    }),
  }));
  return { topics };
}

export const listing: readonly ServedApi[] = [
  serve(ListOffsets, [1, 11], listOffsets, (request, _error, scope) => listOffsets(request, scope)),
  serve(OffsetForLeaderEpoch, [2, 4], offsetsOfEpochs, (request, _error, scope) => offsetsOfEpochs(request, scope)),
];
