import {
  ERROR_CODES,
  OffsetCommit,
  OffsetFetch,
  type AnswerOf,
  type ErrorName,
  type ReceivedRequestOf,
} from '../../core/protocol/index.js';
import type { Topic } from '../cluster/topic.js';
import { MAX_OFFSET_METADATA_BYTES } from '../groups/group-coordinator.js';
import { coordinationProblem } from './coordinated.js';
import { serve, type RequestScope, type ServedApi } from './served-api.js';

type CommitRequest = ReceivedRequestOf<typeof OffsetCommit>;
type CommitAnswer = AnswerOf<typeof OffsetCommit>;
type FetchRequest = ReceivedRequestOf<typeof OffsetFetch>;
type FetchAnswer = AnswerOf<typeof OffsetFetch>;
type FetchedGroup = NonNullable<FetchAnswer['groups']>[number];
type FetchedTopic = NonNullable<FetchedGroup['topics']>[number];
type AskedGroup = FetchRequest['groups'][number];

const TOPIC_IDS_SINCE = 10;
const UNKNOWN_GROUP_HAS_A_NAME_SINCE = 9;
const GROUPS_IN_BATCHES_SINCE = 8;
const GROUP_ERRORS_SINCE = 2;

/** Whether the group takes commits of this member now. A commit without a group makes one that holds offsets only. */
function commitProblem(request: CommitRequest, scope: RequestScope): ErrorName {
  const { groupId, memberId, groupInstanceId, generationIdOrMemberEpoch: generation } = request;
  const problem = coordinationProblem(scope, 'group', groupId);
  if (problem !== 'NONE') return problem;
  const group = scope.groups.find(groupId);
  if (group !== undefined) {
    return group.commitProblem({
      memberId,
      instanceId: groupInstanceId,
      generation,
      transactional: false,
      version: scope.version,
      partitions: partitionsIn(request, scope),
    });
  }
  if (generation >= 0) {
    return scope.version >= UNKNOWN_GROUP_HAS_A_NAME_SINCE ? 'GROUP_ID_NOT_FOUND' : 'ILLEGAL_GENERATION';
  }
  scope.groups.classicGroup(groupId, true);
  return 'NONE';
}

const partitionsIn = ({ topics }: CommitRequest, { cluster }: RequestScope) =>
  topics.flatMap(({ name, topicId, partitions }) => {
    const topic = name === '' ? (cluster.topicById(topicId)?.name ?? '') : name;
    return partitions.map(({ partitionIndex }) => ({ topic, partition: partitionIndex }));
  });

function commit(request: CommitRequest, scope: RequestScope): CommitAnswer {
  const { cluster, version } = scope;
  const problem = commitProblem(request, scope);
  const offsets = scope.groups.offsets(request.groupId);
  const topics = request.topics.map(({ name, topicId, partitions }) => {
    const topic = version >= TOPIC_IDS_SINCE ? cluster.topicById(topicId) : cluster.topic(name);
    return {
      name,
      topicId,
      partitions: partitions.map((given) => {
        const { partitionIndex, committedMetadata } = given;
        let error: ErrorName = scope.faulted(topic?.name ?? name, partitionIndex) ?? 'NONE';
        if (error === 'NONE') error = unknownPartition(topic, partitionIndex, version);
        if (error === 'NONE') error = problem;
        if (error === 'NONE' && (committedMetadata?.length ?? 0) > MAX_OFFSET_METADATA_BYTES) {
          error = 'OFFSET_METADATA_TOO_LARGE';
        }
        if (error === 'NONE') {
          offsets.commit(topic?.name ?? name, partitionIndex, {
            offset: given.committedOffset,
            leaderEpoch: given.committedLeaderEpoch,
            metadata: committedMetadata ?? '',
          });
        }
        return { partitionIndex, errorCode: ERROR_CODES[error] };
      }),
    };
  });
  return { topics };
}

function unknownPartition(topic: Topic | undefined, partition: number, version: number): ErrorName {
  if (topic === undefined) return version >= TOPIC_IDS_SINCE ? 'UNKNOWN_TOPIC_ID' : 'UNKNOWN_TOPIC_OR_PARTITION';
  return topic.partitions[partition] === undefined ? 'UNKNOWN_TOPIC_OR_PARTITION' : 'NONE';
}

const refusedCommit = (request: CommitRequest, errorCode: number): CommitAnswer => ({
  topics: request.topics.map(({ name, topicId, partitions }) => ({
    name,
    topicId,
    partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })),
  })),
});

const noOffset = (partitionIndex: number, error: ErrorName = 'NONE') => ({
  partitionIndex,
  committedOffset: -1,
  committedLeaderEpoch: -1,
  metadata: '',
  errorCode: ERROR_CODES[error],
});

function fetchTopic(
  name: string,
  topicId: string,
  partitions: readonly number[],
  groupId: string,
  requireStable: boolean,
  scope: RequestScope,
): FetchedTopic {
  const offsets = scope.groups.offsets(groupId);
  return {
    name,
    topicId,
    partitions: partitions.map((partitionIndex) => {
      const fault = scope.faulted(name, partitionIndex);
      if (fault !== undefined) return noOffset(partitionIndex, fault);
      if (requireStable && offsets.isUnstable(name, partitionIndex)) {
        return noOffset(partitionIndex, 'UNSTABLE_OFFSET_COMMIT');
      }
      const committed = offsets.get(name, partitionIndex);
      if (committed === undefined) return noOffset(partitionIndex);
      return {
        partitionIndex,
        committedOffset: committed.offset,
        committedLeaderEpoch: committed.leaderEpoch,
        metadata: committed.metadata,
        errorCode: ERROR_CODES.NONE,
      };
    }),
  };
}

function fetchGroup(asked: AskedGroup, requireStable: boolean, scope: RequestScope): FetchedGroup {
  const { groupId } = asked;
  let problem = coordinationProblem(scope, 'group', groupId);
  if (problem === 'NONE')
    problem = scope.groups.find(groupId)?.fetchProblem(asked.memberId, asked.memberEpoch) ?? 'NONE';
  if (problem !== 'NONE') return refusedGroup(asked, ERROR_CODES[problem], scope.version);
  const byId = scope.version >= TOPIC_IDS_SINCE;
  if (asked.topics === null) {
    const topics = [...scope.groups.offsets(groupId).topics].map(([name, partitions]) =>
      fetchTopic(name, scope.cluster.topic(name)?.id ?? '', [...partitions.keys()], groupId, requireStable, scope),
    );
    return { groupId, topics, errorCode: ERROR_CODES.NONE };
  }
  const isUnknown = (topicId: string): boolean => byId && scope.cluster.topicById(topicId) === undefined;
  // Ids that no topic has come last.
  const ordered = asked.topics.toSorted((a, b) => Number(isUnknown(a.topicId)) - Number(isUnknown(b.topicId)));
  const topics = ordered.map(({ name, topicId, partitionIndexes }) => {
    const topic = byId ? scope.cluster.topicById(topicId) : undefined;
    if (byId && topic === undefined) {
      return { name, topicId, partitions: partitionIndexes.map((index) => noOffset(index, 'UNKNOWN_TOPIC_ID')) };
    }
    return fetchTopic(topic?.name ?? name, topicId, partitionIndexes, groupId, requireStable, scope);
  });
  return { groupId, topics, errorCode: ERROR_CODES.NONE };
}

/** An error of the whole group; version 1 can only say it of each partition. */
function refusedGroup({ groupId, topics }: AskedGroup, errorCode: number, version: number): FetchedGroup {
  if (version >= GROUP_ERRORS_SINCE) return { groupId, topics: [], errorCode };
  const refused = (topics ?? []).map(({ name, topicId, partitionIndexes }) => ({
    name,
    topicId,
    partitions: partitionIndexes.map((partitionIndex) => ({ ...noOffset(partitionIndex), errorCode })),
  }));
  return { groupId, topics: refused, errorCode };
}

/** The groups that are asked for, whichever way the version asks. */
function groupsIn(request: FetchRequest, version: number): readonly AskedGroup[] {
  if (version >= GROUPS_IN_BATCHES_SINCE) return request.groups;
  const topics = request.topics?.map((topic) => ({ ...topic, topicId: '' })) ?? null;
  return [{ groupId: request.groupId, memberId: null, memberEpoch: -1, topics }];
}

/** The groups' answers in the form of the version: one group's fields up to 7, a list from 8 on. */
function answer(groups: readonly FetchedGroup[], version: number): FetchAnswer {
  if (version >= GROUPS_IN_BATCHES_SINCE) return { groups };
  const [{ topics, errorCode }] = groups as [FetchedGroup];
  return { topics: (topics ?? []).map(({ name, partitions }) => ({ name: name ?? '', partitions })), errorCode };
}

export const offsets: readonly ServedApi[] = [
  serve(OffsetCommit, [2, 10], commit, refusedCommit),
  serve(
    OffsetFetch,
    [1, 10],
    (request, scope) =>
      answer(
        groupsIn(request, scope.version).map((group) => fetchGroup(group, request.requireStable, scope)),
        scope.version,
      ),
    (request, errorCode, { version }) =>
      answer(
        groupsIn(request, version).map((group) => refusedGroup(group, errorCode, version)),
        version,
      ),
  ),
];
