import {
  AddOffsetsToTxn,
  AddPartitionsToTxn,
  ERROR_CODES,
  EndTxn,
  type AnswerOf,
  type ErrorName,
  type ReceivedRequestOf,
} from '../../core/protocol/index.js';
import { NO_PRODUCER, type ProducerIdentity } from '../transactions/transaction.js';
import { coordinationProblem } from './coordinated.js';
import { serve, type RequestScope, type ServedApi } from './served-api.js';

type AddRequest = ReceivedRequestOf<typeof AddPartitionsToTxn>;
type AskedTransaction = AddRequest['transactions'][number];
type AskedTopics = AskedTransaction['topics'];
type TopicResults = NonNullable<AnswerOf<typeof AddPartitionsToTxn>['resultsByTopicV3AndBelow']>;

const BATCHED_SINCE = 4;
/** Clients before KIP-588 do not know PRODUCER_FENCED. */
const FENCED_SINCE = 2;
const BUMPS_EPOCH_SINCE = 5;

const asKnown = (error: ErrorName, version: number): ErrorName =>
  error === 'PRODUCER_FENCED' && version < FENCED_SINCE ? 'INVALID_PRODUCER_EPOCH' : error;

const resultsOf = (topics: AskedTopics, errorOf: (topic: string, partition: number) => ErrorName): TopicResults =>
  topics.map(({ name, partitions }) => ({
    name,
    resultsByPartition: partitions.map((partitionIndex) => ({
      partitionIndex,
      partitionErrorCode: ERROR_CODES[errorOf(name, partitionIndex)],
    })),
  }));

/** Adds the partitions of one transaction, all of them or none, or only looks whether they are in it. */
function addPartitions(asked: AskedTransaction, scope: RequestScope): TopicResults {
  const { transactionalId, topics, verifyOnly } = asked;
  const { cluster, transactions, version } = scope;
  const isUnknown = (topic: string, partition: number): boolean => cluster.partition(topic, partition) === undefined;
  if (topics.some(({ name, partitions }) => partitions.some((partition) => isUnknown(name, partition)))) {
    return resultsOf(topics, (topic, partition) =>
      isUnknown(topic, partition) ? 'UNKNOWN_TOPIC_OR_PARTITION' : 'OPERATION_NOT_ATTEMPTED',
    );
  }
  let problem = coordinationProblem(scope, 'transaction', transactionalId);
  if (problem === 'NONE') problem = transactions.problem(transactionalId, asked);
  if (problem !== 'NONE') return resultsOf(topics, () => asKnown(problem, version));
  if (verifyOnly) {
    const transaction = transactions.find(transactionalId);
    return resultsOf(topics, (topic, partition) =>
      transaction?.holds(topic, partition) ? 'NONE' : 'TRANSACTION_ABORTABLE',
    );
  }
  return resultsOf(topics, (topic, partition) => {
    transactions.addPartition(transactionalId, topic, partition);
    return 'NONE';
  });
}

/** The transactions in a request, whichever way the version has them. */
const transactionsIn = (request: AddRequest, version: number): readonly AskedTransaction[] =>
  version >= BATCHED_SINCE
    ? request.transactions
    : [
        {
          transactionalId: request.v3AndBelowTransactionalId,
          producerId: request.v3AndBelowProducerId,
          producerEpoch: request.v3AndBelowProducerEpoch,
          verifyOnly: false,
          topics: request.v3AndBelowTopics,
        },
      ];

function addAnswer(
  request: AddRequest,
  version: number,
  resultsFor: (asked: AskedTransaction) => TopicResults,
): AnswerOf<typeof AddPartitionsToTxn> {
  const results = transactionsIn(request, version).map((asked) => ({
    transactionalId: asked.transactionalId,
    topicResults: resultsFor(asked),
  }));
  return version >= BATCHED_SINCE
    ? { throttleTimeMs: 0, errorCode: ERROR_CODES.NONE, resultsByTransaction: results }
    : { throttleTimeMs: 0, resultsByTopicV3AndBelow: results[0]?.topicResults ?? [] };
}

function addGroup(
  { transactionalId, groupId, ...producer }: { transactionalId: string; groupId: string } & ProducerIdentity,
  scope: RequestScope,
): ErrorName {
  let problem = coordinationProblem(scope, 'transaction', transactionalId);
  if (problem === 'NONE') problem = scope.transactions.problem(transactionalId, producer);
  if (problem === 'NONE') scope.transactions.addGroup(transactionalId, groupId);
  return asKnown(problem, scope.version);
}

export const transactional: readonly ServedApi[] = [
  serve(
    AddPartitionsToTxn,
    [0, 5],
    (request, scope) => addAnswer(request, scope.version, (asked) => addPartitions(asked, scope)),
    (request, errorCode, { version }) =>
      version >= BATCHED_SINCE
        ? { throttleTimeMs: 0, errorCode }
        : {
            throttleTimeMs: 0,
            resultsByTopicV3AndBelow: request.v3AndBelowTopics.map(({ name, partitions }) => ({
              name,
              resultsByPartition: partitions.map((partitionIndex) => ({
                partitionIndex,
                partitionErrorCode: errorCode,
              })),
            })),
          },
  ),
  serve(
    AddOffsetsToTxn,
    [0, 4],
    (request, scope) => ({ throttleTimeMs: 0, errorCode: ERROR_CODES[addGroup(request, scope)] }),
    (_request, errorCode) => ({ throttleTimeMs: 0, errorCode }),
  ),
  serve(
    EndTxn,
    [0, 5],
    (request, scope) => {
      const { transactionalId, committed } = request;
      const moved = coordinationProblem(scope, 'transaction', transactionalId);
      const version = scope.version >= BUMPS_EPOCH_SINCE ? 2 : 0;
      const { error, ...identity } =
        moved === 'NONE'
          ? scope.transactions.end(transactionalId, request, committed, version)
          : { error: moved, ...NO_PRODUCER };
      return { throttleTimeMs: 0, errorCode: ERROR_CODES[asKnown(error, scope.version)], ...identity };
    },
    (_request, errorCode) => ({ throttleTimeMs: 0, errorCode }),
  ),
];
