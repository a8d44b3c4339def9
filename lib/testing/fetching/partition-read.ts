import { ERROR_CODES, type AnswerOf, type ErrorName, type Fetch } from '../../core/protocol/index.js';
import type { Cluster } from '../cluster/cluster.js';
import type { ClusterNode } from '../cluster/node.js';
import type { Partition } from '../cluster/partition.js';
import type { FetchedPartition } from './fetch-session.js';

type PartitionAnswer = AnswerOf<typeof Fetch>['responses'][number]['partitions'][number];

/** One partition's part of a fetch, as it is found now. */
export interface PartitionRead {
  readonly wanted: FetchedPartition;
  readonly answer: PartitionAnswer;
  readonly bytes: number;
  /** True when the answer must not wait for more: an error, or a diverging epoch. */
  readonly urgent: boolean;
  /** Who leads instead, when the wrong node or an old epoch was asked. */
  readonly leader: { readonly leaderId: number; readonly leaderEpoch: number } | undefined;
}

const UNKNOWN: ReadonlySet<ErrorName> = new Set(['UNKNOWN_TOPIC_OR_PARTITION', 'UNKNOWN_TOPIC_ID']);
const NO_RECORDS = Buffer.alloc(0);

/** The partition that is asked for, or why there is none. */
export function locate(wanted: FetchedPartition, byId: boolean, cluster: Cluster): Partition | ErrorName {
  if (wanted.topic === undefined) return 'UNKNOWN_TOPIC_ID';
  const topic = cluster.topic(wanted.topic);
  const partition = topic?.partitions[wanted.partition];
  if (partition === undefined) return 'UNKNOWN_TOPIC_OR_PARTITION';
  // The session knew a topic of that name which has been made anew since.
  if (byId && topic?.id !== wanted.topicId) return 'INCONSISTENT_TOPIC_ID';
  return partition;
}

/** Where a read must end: at the last stable offset for read_committed, else at the high watermark. */
export const readableEnd = (partition: Partition, committedOnly: boolean): number =>
  committedOnly ? partition.log.lastStableOffset : partition.log.endOffset;

export function failedRead(wanted: FetchedPartition, error: ErrorName, partition?: Partition): PartitionRead {
  const movedAway = error === 'NOT_LEADER_OR_FOLLOWER' || error === 'FENCED_LEADER_EPOCH';
  return {
    wanted,
    bytes: 0,
    urgent: true,
    leader: movedAway ? partition : undefined,
    answer: {
      partitionIndex: wanted.partition,
      errorCode: ERROR_CODES[error],
      highWatermark: -1,
      // As Kafka has it: none where the topic is not there, and no list where the log was asked.
      abortedTransactions: UNKNOWN.has(error) ? [] : null,
      records: NO_RECORDS,
    },
  };
}

/** Reads one partition for a fetch on `node`, at most `limitBytes` of it. */
export function readPartition(
  wanted: FetchedPartition,
  found: Partition | ErrorName,
  node: ClusterNode,
  committedOnly: boolean,
  limitBytes: number,
  wholeFirst: boolean,
): PartitionRead {
  if (typeof found === 'string') return failedRead(wanted, found);
  const access = found.access(node.id, wanted.currentLeaderEpoch);
  if (access !== 'NONE') return failedRead(wanted, access, found);
  const { log } = found;
  const { fetchOffset, lastFetchedEpoch } = wanted;
  let diverging: { readonly epoch: number; readonly endOffset: number } | undefined;
  if (lastFetchedEpoch >= 0) {
    const end = log.endOfEpoch(lastFetchedEpoch);
    if (end.epoch === -1 || fetchOffset < log.startOffset) return failedRead(wanted, 'OFFSET_OUT_OF_RANGE');
    if (end.epoch < lastFetchedEpoch || end.endOffset < fetchOffset) diverging = end;
  }
  if (diverging === undefined && (fetchOffset < log.startOffset || fetchOffset > log.endOffset)) {
    return failedRead(wanted, 'OFFSET_OUT_OF_RANGE');
  }
  const upTo = readableEnd(found, committedOnly);
  const slice =
    diverging === undefined
      ? log.read(fetchOffset, upTo, limitBytes, wholeFirst)
      : { pieces: [], bytes: 0, nextOffset: fetchOffset };
  return {
    wanted,
    bytes: slice.bytes,
    urgent: diverging !== undefined,
    leader: undefined,
    answer: {
      partitionIndex: wanted.partition,
      errorCode: ERROR_CODES.NONE,
      highWatermark: log.endOffset,
      lastStableOffset: log.lastStableOffset,
      logStartOffset: log.startOffset,
      ...(diverging === undefined ? {} : { divergingEpoch: diverging }),
      abortedTransactions: committedOnly ? log.abortedWithin(fetchOffset, slice.nextOffset) : null,
      records: slice.bytes === 0 ? NO_RECORDS : slice.pieces,
    },
  };
}
