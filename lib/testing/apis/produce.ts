import {
  BATCH_HEADER_BYTES,
  ERROR_CODES,
  Produce,
  type AnswerOf,
  type ErrorName,
  type ReceivedRequestOf,
  type RecordBatchHeader,
} from '../../core/protocol/index.js';
import type { ClusterNode } from '../cluster/node.js';
import type { Partition } from '../cluster/partition.js';
import type { Topic } from '../cluster/topic.js';
import { batchOf, checkBatch } from '../log/batch-rules.js';
import { CLOSE, NO_ANSWER, serve, type Answer, type RequestScope, type ServedApi } from './served-api.js';

type Request = ReceivedRequestOf<typeof Produce>;
type TopicAnswer = AnswerOf<typeof Produce>['responses'][number];
type PartitionAnswer = TopicAnswer['partitionResponses'][number];

const TOPIC_IDS_SINCE = 13;
/** KIP-890: TRANSACTION_ABORTABLE may be answered, and a partition is added to the transaction by the batch itself. */
const ABORTABLE_SINCE = 11;
const ADDS_PARTITION_SINCE = 12;
/** Where a batch has its attributes, and the one that is meant; the rest of the batch may be anything. */
const ATTRIBUTES_AT = 21;
const TRANSACTIONAL = 1 << 4;
const ADMIN_CLIENT = '__admin_client';

const failed = (index: number, error: ErrorName, errorMessage: string | null = null): PartitionAnswer => ({
  index,
  errorCode: ERROR_CODES[error],
  baseOffset: -1,
  errorMessage,
});

/** KIP-951: whoever asks the wrong node is told the right one. */
const movedTo = (answer: PartitionAnswer, { leaderId, leaderEpoch }: Partition): PartitionAnswer => ({
  ...answer,
  currentLeader: { leaderId, leaderEpoch },
});

function append(
  topic: Topic,
  partition: Partition,
  records: Buffer | null,
  request: Request,
  scope: RequestScope,
): PartitionAnswer {
  const { index, log } = partition;
  const brought = batchOf(records, scope.version);
  if (brought.kind === 'refused') return failed(index, brought.error, brought.message);
  if (![-1, 0, 1].includes(request.acks)) return failed(index, 'INVALID_REQUIRED_ACKS');
  if (topic.isInternal && scope.clientId !== ADMIN_CLIENT) return failed(index, 'INVALID_TOPIC_EXCEPTION');
  if (partition.access(scope.node.id, -1) !== 'NONE')
    return movedTo(failed(index, 'NOT_LEADER_OR_FOLLOWER'), partition);
  if (request.acks === -1 && partition.isr.length < topic.config.minInsyncReplicas) {
    return failed(index, 'NOT_ENOUGH_REPLICAS', 'fewer replicas are in sync than min.insync.replicas asks for');
  }
  const now = scope.cluster.clock.now();
  const check = checkBatch(brought, topic.config, now);
  if (check.kind === 'refused') return failed(index, check.error, check.message);
  const { header, bytes } = check;
  const appendTime = topic.config.logAppendTime ? now : undefined;
  const accepted = (baseOffset: number): PartitionAnswer => ({
    index,
    errorCode: ERROR_CODES.NONE,
    baseOffset,
    logAppendTimeMs: appendTime ?? -1,
    logStartOffset: log.startOffset,
  });
  if (header.producerId !== -1) {
    const outside = transactionProblem(header, topic.name, index, request.transactionalId, scope);
    if (outside !== 'NONE') return failed(index, outside);
    const verdict = log.producers.judge(header);
    if (verdict.kind === 'refused') return failed(index, verdict.error, verdict.message);
    if (verdict.kind === 'duplicate') return accepted(verdict.baseOffset);
  }
  const baseOffset = log.append(header, bytes, partition.leaderEpoch, appendTime);
  partition.wake();
  return accepted(baseOffset);
}

/**
 * Whether a transactional batch belongs to a transaction that the coordinator knows to be open (KIP-890). From v12 on
 * the batch itself adds its partition; a partition that the producer has written to in the transaction is not asked about.
 */
function transactionProblem(
  header: RecordBatchHeader,
  topic: string,
  partition: number,
  transactionalId: string | null,
  scope: RequestScope,
): ErrorName {
  if (!header.isTransactional || transactionalId === null) return 'NONE';
  const entry = scope.cluster.partition(topic, partition)?.log.producers.entry(header.producerId);
  if (entry?.transactionStart !== undefined && entry.epoch === header.producerEpoch) return 'NONE';
  const problem = scope.transactions.problem(transactionalId, header);
  if (problem !== 'NONE') return problem === 'PRODUCER_FENCED' ? 'INVALID_PRODUCER_EPOCH' : problem;
  if (scope.version >= ADDS_PARTITION_SINCE) {
    scope.transactions.addPartition(transactionalId, topic, partition);
    return 'NONE';
  }
  if (scope.transactions.find(transactionalId)?.holds(topic, partition)) return 'NONE';
  return scope.version >= ABORTABLE_SINCE ? 'TRANSACTION_ABORTABLE' : 'INVALID_TXN_STATE';
}

/** Whether the first batch of any partition is transactional. */
function hasTransactionalBatch({ partitionData }: Request['topicData'][number]): boolean {
  return partitionData.some(
    ({ records }) =>
      records !== null &&
      records.length >= BATCH_HEADER_BYTES &&
      (records.readInt16BE(ATTRIBUTES_AT) & TRANSACTIONAL) !== 0,
  );
}

function produce(request: Request, scope: RequestScope): Answer<typeof Produce> {
  const { cluster, version } = scope;
  const leaders = new Set<ClusterNode>();
  let anyFailed = false;
  // Nothing of such a request is taken: it is not known whose transaction it is.
  const unidentified = request.transactionalId === null && request.topicData.some(hasTransactionalBatch);
  const responses = request.topicData.map(({ name, topicId, partitionData }): TopicAnswer => {
    const topic = version >= TOPIC_IDS_SINCE ? cluster.topicById(topicId) : cluster.topic(name);
    const unknown = version >= TOPIC_IDS_SINCE ? 'UNKNOWN_TOPIC_ID' : 'UNKNOWN_TOPIC_OR_PARTITION';
    const partitionResponses = partitionData.map(({ index, records }) => {
      const fault = scope.faulted(topic?.name ?? name, index);
      const partition = topic?.partitions[index];
      const answer =
        fault !== undefined || unidentified
          ? failed(index, fault ?? 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED')
          : topic === undefined || partition === undefined
            ? failed(index, topic === undefined ? unknown : 'UNKNOWN_TOPIC_OR_PARTITION')
            : append(topic, partition, records, request, scope);
      const leader = cluster.nodes.get(answer.currentLeader?.leaderId ?? -1);
      if (leader !== undefined) leaders.add(leader);
      anyFailed ||= answer.errorCode !== ERROR_CODES.NONE;
      return answer;
    });
    return { name, topicId, partitionResponses };
  });
  // Nobody waits for an answer to acks = 0: the only way to say that something failed is to close the connection.
  if (request.acks === 0) return anyFailed ? CLOSE : NO_ANSWER;
  return {
    responses,
    nodeEndpoints: [...leaders].map(({ id, host, port }) => ({ nodeId: id, host, port, rack: null })),
  };
}

export const producing: readonly ServedApi[] = [
  serve(Produce, [3, 13], produce, (request, _error, scope) => produce(request, scope)),
];
