import {
  DeleteRecords,
  DescribeTopicPartitions,
  ERROR_CODES,
  ZERO_UUID,
  type AnswerOf,
  type ErrorName,
  type ReceivedRequestOf,
} from '../../core/protocol/index.js';
import { topicNameProblem } from '../cluster/topic-name.js';
import { TOPIC_OPERATIONS } from './operations.js';
import { serve, type RequestScope, type ServedApi } from './served-api.js';

type DescribeRequest = ReceivedRequestOf<typeof DescribeTopicPartitions>;
type DescribedTopic = AnswerOf<typeof DescribeTopicPartitions>['topics'][number];
type DescribedPartition = DescribedTopic['partitions'][number];

/** Up to where: everything that there is. */
const HIGH_WATERMARK = -1;

function deleteBefore(topic: string, index: number, offset: number, { cluster, node }: RequestScope) {
  const answer = (error: ErrorName, lowWatermark = -1) => ({
    partitionIndex: index,
    lowWatermark,
    errorCode: ERROR_CODES[error],
  });
  const partition = cluster.partition(topic, index);
  if (partition === undefined) return answer('UNKNOWN_TOPIC_OR_PARTITION');
  const access = partition.access(node.id, -1);
  if (access !== 'NONE') return answer(access);
  if (!cluster.topic(topic)?.config.deletesRecords) return answer('POLICY_VIOLATION');
  const { log } = partition;
  const upTo = offset === HIGH_WATERMARK ? log.endOffset : offset;
  if (upTo < 0 || upTo > log.endOffset) return answer('OFFSET_OUT_OF_RANGE');
  log.deleteBefore(upTo);
  partition.wake();
  return answer('NONE', log.startOffset);
}

/** Topics by name from the cursor on, as many partitions as may be told; where more are left, the cursor to go on with. */
function describe(request: DescribeRequest, scope: RequestScope): AnswerOf<typeof DescribeTopicPartitions> {
  const { cluster } = scope;
  const { cursor } = request;
  const names = request.topics.length > 0 ? request.topics.map(({ name }) => name) : [...cluster.topics.keys()];
  const from = cursor?.topicName ?? '';
  let left = Math.max(1, Math.min(request.responsePartitionLimit, MOST_PARTITIONS));
  const topics: DescribedTopic[] = [];
  for (const name of [...new Set(names)].toSorted().filter((candidate) => candidate >= from)) {
    const topic = cluster.topic(name);
    if (topic === undefined) {
      topics.push(missing(name));
      continue;
    }
    if (left === 0) return { throttleTimeMs: 0, topics, nextCursor: { topicName: name, partitionIndex: 0 } };
    const first = cursor?.topicName === name ? cursor.partitionIndex : 0;
    const told = topic.partitions.slice(first, first + left);
    topics.push({
      errorCode: ERROR_CODES.NONE,
      name,
      topicId: topic.id,
      isInternal: topic.isInternal,
      partitions: told.map(({ index, leaderId, leaderEpoch, replicas, isr }): DescribedPartition => ({
        errorCode: ERROR_CODES[leaderId === -1 ? 'LEADER_NOT_AVAILABLE' : 'NONE'],
        partitionIndex: index,
        leaderId,
        leaderEpoch,
        replicaNodes: replicas,
        isrNodes: isr,
        eligibleLeaderReplicas: [],
        lastKnownElr: [],
        offlineReplicas: replicas.filter((id) => !cluster.nodes.get(id)?.online),
      })),
      topicAuthorizedOperations: TOPIC_OPERATIONS,
    });
    left -= told.length;
    if (first + told.length < topic.partitions.length) {
      return { throttleTimeMs: 0, topics, nextCursor: { topicName: name, partitionIndex: first + told.length } };
    }
  }
  return { throttleTimeMs: 0, topics, nextCursor: null };
}

/** Kafka's max.request.partition.size.limit. */
const MOST_PARTITIONS = 2_000;

const missing = (name: string): DescribedTopic => ({
  errorCode:
    ERROR_CODES[topicNameProblem(name) === undefined ? 'UNKNOWN_TOPIC_OR_PARTITION' : 'INVALID_TOPIC_EXCEPTION'],
  name,
  topicId: ZERO_UUID,
  isInternal: false,
  partitions: [],
  topicAuthorizedOperations: TOPIC_OPERATIONS,
});

export const partitionAdmin: readonly ServedApi[] = [
  serve(
    DeleteRecords,
    [0, 2],
    (request, scope) => ({
      throttleTimeMs: 0,
      topics: request.topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex, offset }) => deleteBefore(name, partitionIndex, offset, scope)),
      })),
    }),
    (request, errorCode) => ({
      throttleTimeMs: 0,
      topics: request.topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, lowWatermark: -1, errorCode })),
      })),
    }),
  ),
  serve(DescribeTopicPartitions, [0, 0], describe, (request, errorCode) => ({
    throttleTimeMs: 0,
    topics: request.topics.map(({ name }) => ({ ...missing(name), errorCode })),
    nextCursor: null,
  })),
];
