import {
  DescribeProducers,
  DescribeTransactions,
  ERROR_CODES,
  ListTransactions,
  type AnswerOf,
  type ReceivedRequestOf,
} from '../../core/protocol/index.js';
import type { Transaction } from '../transactions/transaction.js';
import { coordinationProblem } from './coordinated.js';
import { serve, type RequestScope, type ServedApi } from './served-api.js';

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

const STATES: ReadonlySet<string> = new Set([
  'Empty',
  'Ongoing',
  'PrepareCommit',
  'PrepareAbort',
  'CompleteCommit',
  'CompleteAbort',
  'Dead',
  'PrepareEpochFence',
]);

function list(
  request: ReceivedRequestOf<typeof ListTransactions>,
  { transactions, coordinators, node, cluster }: RequestScope,
): AnswerOf<typeof ListTransactions> {
  const { stateFilters, producerIdFilters, durationFilter } = request;
  const wanted = new Set<string>(stateFilters);
  const listed = transactions.all.filter(
    ({ id, state, producerId, startedAt }) =>
      coordinators.nodeOf('transaction', id)?.id === node.id &&
      (stateFilters.length === 0 || wanted.has(state)) &&
      (producerIdFilters.length === 0 || producerIdFilters.includes(producerId)) &&
      (durationFilter < 0 || (state === 'Ongoing' && cluster.clock.now() - startedAt > durationFilter)),
  );
  return {
    throttleTimeMs: 0,
    errorCode: ERROR_CODES.NONE,
    unknownStateFilters: stateFilters.filter((state) => !STATES.has(state)),
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

export const transactionAdmin: readonly ServedApi[] = [
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
