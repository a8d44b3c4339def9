import {
  ConsumerGroupDescribe,
  ConsumerGroupHeartbeat,
  ERROR_CODES,
  type AnswerOf,
  type ErrorName,
  type ReceivedRequestOf,
} from '../../core/protocol/index.js';
import type { Cluster } from '../cluster/cluster.js';
import { ASSIGNORS, partitionOf, topicIdOf, type PartitionKey } from '../groups/assignors.js';
import type { ConsumerMember } from '../groups/consumer-member.js';
import { isTopicRegex } from '../groups/topic-regex.js';
import { coordinationProblem } from './coordinated.js';
import { GROUP_OPERATIONS, OPERATIONS_UNASKED } from './operations.js';
import { serve, type RequestScope, type ServedApi } from './served-api.js';

type Request = ReceivedRequestOf<typeof ConsumerGroupHeartbeat>;
type Answer = AnswerOf<typeof ConsumerGroupHeartbeat>;
type DescribedGroup = AnswerOf<typeof ConsumerGroupDescribe>['groups'][number];

const JOIN_EPOCH = 0;
const LEAVE_EPOCH = -1;
const AWAY_EPOCH = -2;
/** Before this version a member that joins may leave its id to the coordinator. */
const MEMBER_NAMES_ITSELF_SINCE = 1;
/** DescribedMember's type: one of the new protocol. */
const CONSUMER_MEMBER = 1;

interface Refusal {
  readonly error: ErrorName;
  readonly message: string;
}

const invalid = (message: string): Refusal => ({ error: 'INVALID_REQUEST', message });

const isBlank = (word: string | null): boolean => word?.trim() === '';

/** What is wrong with the fields of a heartbeat, whoever sends it. */
function fieldProblem(request: Request, version: number): Refusal | undefined {
  const { groupId, memberId, memberEpoch, instanceId, rackId, serverAssignor } = request;
  if (isBlank(groupId)) return invalid("GroupId can't be empty.");
  if (isBlank(memberId) && (version >= MEMBER_NAMES_ITSELF_SINCE || memberEpoch !== JOIN_EPOCH)) {
    return invalid("MemberId can't be empty.");
  }
  if (isBlank(instanceId)) return invalid("InstanceId can't be empty.");
  if (isBlank(rackId)) return invalid("RackId can't be empty.");
  if (memberEpoch === JOIN_EPOCH) {
    const problem = joinProblem(request);
    if (problem !== undefined) return problem;
  } else if (memberEpoch === AWAY_EPOCH) {
    if (instanceId === null) return invalid("InstanceId can't be null.");
  } else if (memberEpoch < LEAVE_EPOCH) {
    return invalid('MemberEpoch is invalid.');
  }
  if (serverAssignor !== null && !Object.hasOwn(ASSIGNORS, serverAssignor)) {
    const known = Object.keys(ASSIGNORS).join(', ');
    const message = `ServerAssignor ${serverAssignor} is not supported. Supported assignors: ${known}.`;
    return { error: 'UNSUPPORTED_ASSIGNOR', message };
  }
  return regexProblem(request.subscribedTopicRegex);
}

function joinProblem(request: Request): Refusal | undefined {
  if (request.rebalanceTimeoutMs === -1) return invalid('RebalanceTimeoutMs must be provided in first request.');
  if (request.topicPartitions === null || request.topicPartitions.length > 0) {
    return invalid('TopicPartitions must be empty when (re-)joining.');
  }
  if (request.subscribedTopicNames !== null || request.subscribedTopicRegex !== null) return undefined;
  return invalid('Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.');
}

function regexProblem(regex: string | null): Refusal | undefined {
  if (regex === null || isTopicRegex(regex)) return undefined;
  const message = `SubscribedTopicRegex \`${regex}\` is not a valid regular expression.`;
  return { error: 'INVALID_REGULAR_EXPRESSION', message };
}

const refused = (errorCode: number, errorMessage: string | null): Answer => ({
  throttleTimeMs: 0,
  errorCode,
  errorMessage,
  memberId: null,
  memberEpoch: 0,
  heartbeatIntervalMs: 0,
  assignment: null,
});

function heartbeat(request: Request, scope: RequestScope): Answer {
  const refuse = ({ error, message }: Refusal): Answer => refused(ERROR_CODES[error], message);
  const problem = fieldProblem(request, scope.version);
  if (problem !== undefined) return refuse(problem);
  const { groupId, memberEpoch } = request;
  const moved = coordinationProblem(scope, 'group', groupId);
  if (moved !== 'NONE') return refused(ERROR_CODES[moved], null);
  const group = scope.groups.consumerGroup(groupId, memberEpoch === JOIN_EPOCH);
  if (group === undefined) {
    const known = scope.groups.find(groupId) !== undefined;
    const missing = `${memberEpoch < JOIN_EPOCH ? 'Group' : 'Consumer group'} ${groupId} not found.`;
    const message = known ? `Group ${groupId} is not a consumer group.` : missing;
    return refuse({ error: 'GROUP_ID_NOT_FOUND', message });
  }
  const { clientId, clientHost } = scope;
  const outcome = group.heartbeat(request, { clientId, clientHost });
  switch (outcome.kind) {
    case 'refused':
      return refuse(outcome);
    case 'left':
      return { ...refused(ERROR_CODES.NONE, null), memberId: outcome.memberId, memberEpoch: outcome.epoch };
    case 'taken': {
      const { member, tellsAssignment } = outcome;
      return {
        throttleTimeMs: 0,
        errorCode: ERROR_CODES.NONE,
        memberId: member.id,
        memberEpoch: member.epoch,
        heartbeatIntervalMs: scope.groups.settings.consumerHeartbeatIntervalMs,
        assignment: tellsAssignment ? { topicPartitions: byTopic(member.assigned) } : null,
      };
    }
  }
}

function byTopic(keys: ReadonlySet<PartitionKey>): { topicId: string; partitions: number[] }[] {
  const topics = new Map<string, number[]>();
  for (const key of keys) {
    const topicId = topicIdOf(key);
    topics.set(topicId, [...(topics.get(topicId) ?? []), partitionOf(key)]);
  }
  return [...topics].map(([topicId, partitions]) => ({ topicId, partitions: partitions.toSorted((a, b) => a - b) }));
}

const withNames = (keys: ReadonlySet<PartitionKey>, cluster: Cluster) => ({
  topicPartitions: byTopic(keys).map(({ topicId, partitions }) => ({
    topicId,
    topicName: cluster.topicById(topicId)?.name ?? '',
    partitions,
  })),
});

const undescribed = (groupId: string, errorCode: number, errorMessage: string | null = null): DescribedGroup => ({
  errorCode,
  errorMessage,
  groupId,
  groupState: '',
  groupEpoch: 0,
  assignmentEpoch: 0,
  assignorName: '',
  members: [],
});

function describe(groupId: string, operations: boolean, scope: RequestScope): DescribedGroup {
  if (groupId === '') return undescribed(groupId, ERROR_CODES.INVALID_GROUP_ID);
  const moved = coordinationProblem(scope, 'group', groupId);
  if (moved !== 'NONE') return undescribed(groupId, ERROR_CODES[moved]);
  const group = scope.groups.find(groupId);
  if (group?.kind !== 'consumer') {
    const why = group === undefined ? `Group ${groupId} not found.` : `Group ${groupId} is not a consumer group.`;
    return undescribed(groupId, ERROR_CODES.GROUP_ID_NOT_FOUND, why);
  }
  const member = (one: ConsumerMember): DescribedGroup['members'][number] => ({
    memberId: one.id,
    instanceId: one.instanceId,
    rackId: one.rackId,
    memberEpoch: one.epoch,
    clientId: one.client.clientId,
    clientHost: one.client.clientHost,
    subscribedTopicNames: one.topicNames,
    subscribedTopicRegex: one.topicRegex ?? '',
    // What it has still to give up is its own until then.
    assignment: withNames(new Set([...one.assigned, ...one.revoking]), scope.cluster),
    targetAssignment: withNames(group.targetOf(one.id), scope.cluster),
    memberType: CONSUMER_MEMBER,
  });
  return {
    errorCode: ERROR_CODES.NONE,
    groupId,
    groupState: group.state,
    groupEpoch: group.epoch,
    assignmentEpoch: group.assignmentEpoch,
    assignorName: group.assignor,
    members: group.members.map(member),
    authorizedOperations: operations ? GROUP_OPERATIONS : OPERATIONS_UNASKED,
  };
}

export const consumerGroups: readonly ServedApi[] = [
  serve(ConsumerGroupHeartbeat, [0, 1], heartbeat, (_request, errorCode) => refused(errorCode, null)),
  serve(
    ConsumerGroupDescribe,
    [0, 1],
    (request, scope) => ({
      throttleTimeMs: 0,
      groups: request.groupIds.map((id) => describe(id, request.includeAuthorizedOperations, scope)),
    }),
    (request, errorCode) => ({
      throttleTimeMs: 0,
      groups: request.groupIds.map((id) => undescribed(id, errorCode)),
    }),
  ),
];
