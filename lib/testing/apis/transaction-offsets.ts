import {
  ERROR_CODES,
  TxnOffsetCommit,
  type AnswerOf,
  type ErrorName,
  type ReceivedRequestOf,
} from '../../core/protocol/index.js';
import { MAX_OFFSET_METADATA_BYTES } from '../groups/group-coordinator.js';
import { coordinationProblem } from './coordinated.js';
import { serve, type RequestScope, type ServedApi } from './served-api.js';

type OffsetsRequest = ReceivedRequestOf<typeof TxnOffsetCommit>;
type OffsetsAnswer = AnswerOf<typeof TxnOffsetCommit>;

const ABORTABLE_SINCE = 4;
/** From this TxnOffsetCommit on the group is added to the transaction by the commit itself (KIP-890). */
const ADDS_GROUP_SINCE = 5;

/** Whether the group takes these offsets of a transaction; adds it to the transaction where the version has that done here. */
function offsetsProblem(request: OffsetsRequest, scope: RequestScope): ErrorName {
  const { groupId, transactionalId, memberId, groupInstanceId, generationId } = request;
  const { transactions, groups, version } = scope;
  if (groupId === '') return 'INVALID_GROUP_ID';
  const moved = coordinationProblem(scope, 'group', groupId);
  if (moved !== 'NONE') return moved;
  const problem = transactions.problem(transactionalId, request);
  if (problem !== 'NONE') return problem === 'PRODUCER_FENCED' ? 'INVALID_PRODUCER_EPOCH' : problem;
  if (version < ADDS_GROUP_SINCE && !transactions.find(transactionalId)?.groups.has(groupId)) {
    return version >= ABORTABLE_SINCE ? 'TRANSACTION_ABORTABLE' : 'INVALID_TXN_STATE';
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
  // The request is older than epochs of members, and knows generations only.
  if (refusal === 'STALE_MEMBER_EPOCH') return 'ILLEGAL_GENERATION';
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

export const transactionOffsets: readonly ServedApi[] = [serve(TxnOffsetCommit, [0, 5], commitOffsets, refusedOffsets)];
