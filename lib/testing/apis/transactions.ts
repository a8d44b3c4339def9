import {
  AddOffsetsToTxn,
  AddPartitionsToTxn,
  DescribeProducers,
  DescribeTransactions,
  ERROR_CODES,
  EndTxn,
  ListTransactions,
  TxnOffsetCommit,
  type AnswerOf,
  type ErrorName,
  type ReceivedRequestOf,
} from '../../core/protocol/index.js';
import { MAX_OFFSET_METADATA_BYTES } from '../groups/group-coordinator.js';
import { NO_PRODUCER, type ProducerIdentity, type Transaction } from '../transactions/transaction.js';
import { coordinationProblem } from './coordinated.js';
import { serve, type RequestScope, type ServedApi } from './served-api.js';

type AddRequest = ReceivedRequestOf<typeof AddPartitionsToTxn>;
type AskedTransaction = AddRequest['transactions'][number];
type AskedTopics = AskedTransaction['topics'];
type TopicResults = NonNullable<AnswerOf<typeof AddPartitionsToTxn>['resultsByTopicV3AndBelow']>;
type OffsetsRequest = ReceivedRequestOf<typeof TxnOffsetCommit>;
type OffsetsAnswer = AnswerOf<typeof TxnOffsetCommit>;

const BATCHED_SINCE = 4;
/** Clients before KIP-588 do not know PRODUCER_FENCED. */
const FENCED_SINCE = 2;
const ABORTABLE_ADD_SINCE = 5;
const ABORTABLE_COMMIT_SINCE = 4;
/** From this TxnOffsetCommit on the group is added to the transaction by the commit itself (KIP-890). */
const ADDS_GROUP_SINCE = 5;
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
    const missing = version >= ABORTABLE_ADD_SINCE ? 'TRANSACTION_ABORTABLE' : 'INVALID_TXN_STATE';
    return resultsOf(topics, (topic, partition) => (transaction?.holds(topic, partition) ? 'NONE' : missing));
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

/** Whether the group takes these offsets of a transaction; adds it to the transaction where the version has that done here. */
function offsetsProblem(request: OffsetsRequest, scope: RequestScope): ErrorName {
  const { groupId, transactionalId, memberId, groupInstanceId, generationId } = request;
  const { transactions, groups, version } = scope;
  const moved = coordinationProblem(scope, 'group', groupId);
  if (moved !== 'NONE') return moved;
  const problem = transactions.problem(transactionalId, request);
  if (problem !== 'NONE') return problem === 'PRODUCER_FENCED' ? 'INVALID_PRODUCER_EPOCH' : problem;
  if (version < ADDS_GROUP_SINCE && !transactions.find(transactionalId)?.groups.has(groupId)) {
    return version >= ABORTABLE_COMMIT_SINCE ? 'TRANSACTION_ABORTABLE' : 'INVALID_TXN_STATE';
  }
  const group = groups.find(groupId);
  const refusal =
    group === undefined
      ? generationId >= 0
        ? 'ILLEGAL_GENERATION'
        : 'NONE'
      : group.commitProblem({
          memberId,
          instanceId: groupInstanceId,
          generation: generationId,
          transactional: true,
          version,
          partitions: request.topics.flatMap(({ name, partitions }) =>
            partitions.map(({ partitionIndex }) => ({ topic: name, partition: partitionIndex })),
          ),
        });
  if (refusal !== 'NONE') return refusal;
  if (group === undefined) groups.classicGroup(groupId, true);
  if (version >= ADDS_GROUP_SINCE) transactions.addGroup(transactionalId, groupId);
  return 'NONE';
}

function commitOffsets(request: OffsetsRequest, scope: RequestScope): OffsetsAnswer {
  const problem = offsetsProblem(request, scope);
  const offsets = scope.groups.offsets(request.groupId);
  const topics = request.topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex, committedOffset, committedLeaderEpoch, committedMetadata }) => {
      let error: ErrorName = scope.faulted(name, partitionIndex) ?? 'NONE';
      if (error === 'NONE' && scope.cluster.partition(name, partitionIndex) === undefined) {
        error = 'UNKNOWN_TOPIC_OR_PARTITION';
      }
      if (error === 'NONE') error = problem;
      if (error === 'NONE' && (committedMetadata?.length ?? 0) > MAX_OFFSET_METADATA_BYTES) {
        error = 'OFFSET_METADATA_TOO_LARGE';
      }
      if (error === 'NONE') {
        offsets.hold(request.producerId, name, partitionIndex, {
          offset: committedOffset,
          leaderEpoch: committedLeaderEpoch,
          metadata: committedMetadata ?? '',
        });
      }
      return { partitionIndex, errorCode: ERROR_CODES[error] };
    }),
  }));
  return { throttleTimeMs: 0, topics };
}

const refusedOffsets = (request: OffsetsRequest, errorCode: number): OffsetsAnswer => ({
  throttleTimeMs: 0,
  topics: request.topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })),
  })),
});

type Described = AnswerOf<typeof DescribeTransactions>['transactionStates'][number];

const undescribed = (transactionalId: string, errorCode: number): Described => ({
  errorCode,
  transactionalId,
  transactionState: '',
  transactionTimeoutMs: 0,
  transactionStartTimeMs: 0,
  producerId: 0,
  producerEpoch: 0,
  topics: [],
});

function describe(transactionalId: string, scope: RequestScope): Described {
  if (transactionalId === '') return undescribed(transactionalId, ERROR_CODES.INVALID_REQUEST);
  const moved = coordinationProblem(scope, 'transaction', transactionalId);
  if (moved !== 'NONE') return undescribed(transactionalId, ERROR_CODES[moved]);
  const transaction = scope.transactions.find(transactionalId);
  if (transaction === undefined) return undescribed(transactionalId, ERROR_CODES.TRANSACTIONAL_ID_NOT_FOUND);
  return {
    errorCode: ERROR_CODES.NONE,
    transactionalId,
    transactionState: transaction.state,
    transactionTimeoutMs: transaction.timeoutMs,
    transactionStartTimeMs: transaction.startedAt,
    producerId: transaction.producerId,
    producerEpoch: transaction.epoch,
    topics: topicsOf(transaction),
  };
}

function topicsOf(transaction: Transaction): Described['topics'] {
  const topics = new Map<string, number[]>();
  for (const { topic, partition } of transaction.partitions.values()) {
    topics.set(topic, [...(topics.get(topic) ?? []), partition]);
  }
  return [...topics].map(([topic, partitions]) => ({ topic, partitions }));
}

const STATES: readonly string[] = [
  'Empty',
  'Ongoing',
  'PrepareCommit',
  'PrepareAbort',
  'CompleteCommit',
  'CompleteAbort',
  'Dead',
  'PrepareEpochFence',
];

function list(
  request: ReceivedRequestOf<typeof ListTransactions>,
  { transactions, coordinators, node, cluster }: RequestScope,
): AnswerOf<typeof ListTransactions> {
  const { stateFilters, producerIdFilters, durationFilter } = request;
  const known = stateFilters.filter((state) => STATES.includes(state));
  const listed = transactions.all.filter(
    ({ id, state, producerId, startedAt }) =>
      coordinators.nodeOf('transaction', id)?.id === node.id &&
      (stateFilters.length === 0 || known.includes(state)) &&
      (producerIdFilters.length === 0 || producerIdFilters.includes(producerId)) &&
      (durationFilter < 0 || (state === 'Ongoing' && cluster.clock.now() - startedAt > durationFilter)),
  );
  return {
    throttleTimeMs: 0,
    errorCode: ERROR_CODES.NONE,
    unknownStateFilters: stateFilters.filter((state) => !STATES.includes(state)),
    transactionStates: listed.map(({ id, producerId, state }) => ({
      transactionalId: id,
      producerId,
      transactionState: state,
    })),
  };
}

function describeProducers(
  request: ReceivedRequestOf<typeof DescribeProducers>,
  { cluster, node }: RequestScope,
): AnswerOf<typeof DescribeProducers> {
  const topics = request.topics.map(({ name, partitionIndexes }) => ({
    name,
    partitions: partitionIndexes.map((partitionIndex) => {
      const partition = cluster.partition(name, partitionIndex);
      const error = partition === undefined ? 'UNKNOWN_TOPIC_OR_PARTITION' : partition.access(node.id, -1);
      return {
        partitionIndex,
        errorCode: ERROR_CODES[error],
        activeProducers:
          partition === undefined || error !== 'NONE'
            ? []
            : partition.log.producers.entries().map((entry) => ({
                producerId: entry.producerId,
                producerEpoch: entry.epoch,
                lastSequence: entry.batches.at(-1)?.lastSequence ?? -1,
                lastTimestamp: entry.lastTimestamp,
                coordinatorEpoch: entry.coordinatorEpoch,
                currentTxnStartOffset: entry.transactionStart ?? -1,
              })),
      };
    }),
  }));
  return { throttleTimeMs: 0, topics };
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
  serve(TxnOffsetCommit, [0, 5], commitOffsets, refusedOffsets),
  serve(
    DescribeTransactions,
    [0, 0],
    (request, scope) => ({
      throttleTimeMs: 0,
      transactionStates: request.transactionalIds.map((id) => describe(id, scope)),
    }),
    (request, errorCode) => ({
      throttleTimeMs: 0,
      transactionStates: request.transactionalIds.map((id) => undescribed(id, errorCode)),
    }),
  ),
  serve(ListTransactions, [0, 1], list, (_request, errorCode) => ({
    throttleTimeMs: 0,
    errorCode,
    unknownStateFilters: [],
    transactionStates: [],
  })),
  serve(DescribeProducers, [0, 0], describeProducers, (request, errorCode) => ({
    throttleTimeMs: 0,
    topics: request.topics.map(({ name, partitionIndexes }) => ({
      name,
      partitions: partitionIndexes.map((partitionIndex) => ({ partitionIndex, errorCode, activeProducers: [] })),
    })),
  })),
];
