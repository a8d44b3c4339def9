import {
  ERROR_CODES,
  type AnswerOf,
  type ErrorName,
  type Produce,
  type RecordBatchHeader,
} from '../../core/protocol/index.js';
import type { RequestScope } from '../apis/served-api.js';
import type { Partition } from '../cluster/partition.js';
import type { Topic } from '../cluster/topic.js';
import { batchIn, batchProblem, type BatchProblem } from '../log/batch-rules.js';

/** A partition's part of the answer to Produce. */
export type PartitionAppended = AnswerOf<typeof Produce>['responses'][number]['partitionResponses'][number];

/** What a Produce request says of all its batches. */
export interface ProduceTerms {
  readonly acks: number;
  readonly transactionalId: string | null;
}

/** KIP-890: TRANSACTION_ABORTABLE may be answered, and a partition is added to the transaction by the batch itself. */
const ABORTABLE_SINCE = 11;
const ADDS_PARTITION_SINCE = 12;
const TELLS_LEADER_SINCE = 10;
const SHOWN_RECORD_ERRORS = 3;
const ADMIN_CLIENT = '__admin_client';
const ACKS: ReadonlySet<number> = new Set([-1, 0, 1]);

/** A partition's answer that says what went wrong. */
export const notAppended = (
  index: number,
  error: ErrorName,
  more: Partial<PartitionAppended> = {},
): PartitionAppended => ({ index, errorCode: ERROR_CODES[error], baseOffset: -1, ...more });

/** Appends what a Produce request brings for one partition, if a real leader would; its checks come in Kafka's order. */
export function appendProduced(
  topic: Topic,
  partition: Partition,
  records: Buffer | null,
  terms: ProduceTerms,
  scope: RequestScope,
): PartitionAppended {
  const { index, log } = partition;
  const batch = batchIn(records, scope.version);
  if (typeof batch === 'string') return notAppended(index, batch);
  if (!ACKS.has(terms.acks)) return notAppended(index, 'INVALID_REQUIRED_ACKS');
  if (topic.isInternal && scope.clientId !== ADMIN_CLIENT) return notAppended(index, 'INVALID_TOPIC_EXCEPTION');
  if (partition.access(scope.node.id, -1) !== 'NONE') {
    const { leaderId, leaderEpoch } = partition;
    // KIP-951: whoever asks the wrong node is told the right one.
    const currentLeader = { leaderId, leaderEpoch };
    return notAppended(index, 'NOT_LEADER_OR_FOLLOWER', scope.version >= TELLS_LEADER_SINCE ? { currentLeader } : {});
  }
  const outside = transactionProblem(batch.header, topic, partition, terms.transactionalId, scope);
  if (outside !== 'NONE') return notAppended(index, outside);
  const logStartOffset = log.startOffset;
  // More than there are replicas can't be asked for.
  const leastInSync = Math.min(topic.config.minInsyncReplicas, partition.replicas.length);
  if (terms.acks === -1 && partition.isr.length < leastInSync) {
    return notAppended(index, 'NOT_ENOUGH_REPLICAS', { logStartOffset });
  }
  const now = scope.cluster.clock.now();
  const problem = batchProblem(batch, topic.config, now);
  if (problem !== undefined) {
    return notAppended(index, problem.error, {
      ...rejected(problem, `${topic.name}-${index}`),
      // What was refused for its bytes alone is answered without a look at the log.
      ...(problem.error === 'MESSAGE_TOO_LARGE' || problem.error === 'CORRUPT_MESSAGE' ? {} : { logStartOffset }),
    });
  }
  const { header, bytes } = batch;
  if (header.producerId !== -1) {
    const verdict = log.producers.judge(header);
    if (verdict.kind === 'refused') {
      return notAppended(index, verdict.error, { logStartOffset });
    }
    if (verdict.kind === 'duplicate') {
      const { baseOffset, timestamp } = verdict;
      return { index, errorCode: ERROR_CODES.NONE, baseOffset, logAppendTimeMs: timestamp, logStartOffset };
    }
  }
  const appendTime = topic.config.logAppendTime ? now : undefined;
  const baseOffset = log.append(header, bytes, partition.leaderEpoch, appendTime);
  partition.wake();
  return { index, errorCode: ERROR_CODES.NONE, baseOffset, logAppendTimeMs: appendTime ?? -1, logStartOffset };
}

/** What is said in words of records that are to blame: of each, and of the first three together. */
function rejected({ error, records }: BatchProblem, place: string): Partial<PartitionAppended> {
  if (records === undefined) return {};
  const isTime = error === 'INVALID_TIMESTAMP';
  const recordErrors = records.map(({ batchIndex, message }) => ({
    batchIndex,
    batchIndexErrorMessage: isTime ? message : `${message} ${place}`,
  }));
  if (isTime) return { recordErrors, errorMessage: 'One or more records have been rejected due to invalid timestamp' };
  const shown = recordErrors
    .slice(0, SHOWN_RECORD_ERRORS)
    .map((one) => `RecordError(batchIndex=${one.batchIndex}, message='${one.batchIndexErrorMessage}')`);
  const errorMessage =
    `One or more records have been rejected due to ${records.length} record errors in total, ` +
    `and only showing the first three errors at most: [${shown.join(', ')}]`;
  return { recordErrors, errorMessage };
}

/**
 * Whether a transactional batch belongs to a transaction that the coordinator knows to be open (KIP-890). From v12 on
 * the batch itself adds its partition; a partition that the producer has written to in the transaction is not asked about.
 */
function transactionProblem(
  header: RecordBatchHeader,
  topic: Topic,
  partition: Partition,
  transactionalId: string | null,
  { transactions, version }: RequestScope,
): ErrorName {
  if (!header.isTransactional || transactionalId === null) return 'NONE';
  const entry = partition.log.producers.entry(header.producerId);
  if (entry?.transactionStart !== undefined && entry.epoch === header.producerEpoch) return 'NONE';
  const problem = transactions.problem(transactionalId, header);
  if (problem !== 'NONE') return problem === 'PRODUCER_FENCED' ? 'INVALID_PRODUCER_EPOCH' : problem;
  if (version >= ADDS_PARTITION_SINCE) {
    transactions.addPartition(transactionalId, topic.name, partition.index);
    return 'NONE';
  }
  if (transactions.find(transactionalId)?.holds(topic.name, partition.index)) return 'NONE';
  return version >= ABORTABLE_SINCE ? 'TRANSACTION_ABORTABLE' : 'INVALID_TXN_STATE';
}
