import {
  DeleteGroups,
  DescribeGroups,
  ERROR_CODES,
  ListGroups,
  OffsetDelete,
  type AnswerOf,
  type ErrorName,
  type ReceivedRequestOf,
} from '../../core/protocol/index.js';
import { NO_BYTES } from '../groups/classic-member.js';
import { coordinationProblem } from './coordinated.js';
import { GROUP_OPERATIONS, OPERATIONS_UNASKED } from './operations.js';
import { serve, type RequestScope, type ServedApi } from './served-api.js';

type Described = AnswerOf<typeof DescribeGroups>['groups'][number];
type DeleteRequest = ReceivedRequestOf<typeof OffsetDelete>;

const UNKNOWN_IS_AN_ERROR_SINCE = 6;

const undescribed = (
  groupId: string,
  error: ErrorName,
  errorMessage: string | null,
  groupState: string,
): Described => ({
  errorCode: ERROR_CODES[error],
  errorMessage,
  groupId,
  groupState,
  protocolType: '',
  protocolData: '',
  members: [],
});

function describe(groupId: string, operations: boolean, scope: RequestScope): Described {
  const moved = coordinationProblem(scope, 'group', groupId);
  if (moved !== 'NONE') return undescribed(groupId, moved, null, '');
  const group = scope.groups.find(groupId);
  if (group?.kind !== 'classic') {
    if (scope.version < UNKNOWN_IS_AN_ERROR_SINCE) {
      const authorizedOperations = operations ? GROUP_OPERATIONS : OPERATIONS_UNASKED;
      return { ...undescribed(groupId, 'NONE', null, 'Dead'), authorizedOperations };
    }
    const why = group === undefined ? `Group ${groupId} not found.` : `Group ${groupId} is not a classic group.`;
    return undescribed(groupId, 'GROUP_ID_NOT_FOUND', why, 'Dead');
  }
  const stable = group.state === 'Stable';
  const protocol = stable ? (group.protocolName ?? '') : '';
  return {
    errorCode: ERROR_CODES.NONE,
    groupId,
    groupState: group.state,
    protocolType: group.protocolType ?? '',
    protocolData: protocol,
    members: group.members.map((member) => ({
      memberId: member.id,
      groupInstanceId: member.instanceId,
      clientId: member.client.clientId,
      clientHost: member.client.clientHost,
      // Which protocol's metadata counts is only settled once the group is stable.
      memberMetadata: stable ? member.metadata(protocol) : NO_BYTES,
      memberAssignment: member.assignment,
    })),
    authorizedOperations: operations ? GROUP_OPERATIONS : OPERATIONS_UNASKED,
  };
}

function list(request: ReceivedRequestOf<typeof ListGroups>, scope: RequestScope): AnswerOf<typeof ListGroups> {
  const states = request.statesFilter.map((state) => state.toLowerCase());
  const types = request.typesFilter.map((type) => type.toLowerCase());
  const groups = scope.groups.all
    .filter((group) => coordinationProblem(scope, 'group', group.id) === 'NONE')
    .filter((group) => states.length === 0 || states.includes(group.state.toLowerCase()))
    .filter((group) => types.length === 0 || types.includes(group.kind))
    .map((group) => ({
      groupId: group.id,
      protocolType: group.protocolType ?? '',
      groupState: group.state,
      groupType: group.kind,
    }));
  return { errorCode: ERROR_CODES.NONE, groups };
}

function remove(groupId: string, scope: RequestScope): ErrorName {
  const moved = coordinationProblem(scope, 'group', groupId);
  return moved === 'NONE' ? scope.groups.delete(groupId) : moved;
}

function removeOffsets(request: DeleteRequest, scope: RequestScope): AnswerOf<typeof OffsetDelete> {
  const { groupId } = request;
  if (groupId === '') return { errorCode: ERROR_CODES.INVALID_GROUP_ID, throttleTimeMs: 0, topics: [] };
  const moved = coordinationProblem(scope, 'group', groupId);
  const group = scope.groups.find(groupId);
  const problem = moved !== 'NONE' ? moved : group === undefined ? 'GROUP_ID_NOT_FOUND' : group.offsetDeleteProblem();
  if (group === undefined || problem !== 'NONE')
    return { errorCode: ERROR_CODES[problem], throttleTimeMs: 0, topics: [] };
  const offsets = scope.groups.offsets(groupId);
  const topics = request.topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex }) => {
      let error: ErrorName = 'NONE';
      if (scope.cluster.partition(name, partitionIndex) === undefined) error = 'UNKNOWN_TOPIC_OR_PARTITION';
      else if (group.subscribesTo(name)) error = 'GROUP_SUBSCRIBED_TO_TOPIC';
      else offsets.delete(name, partitionIndex);
      return { partitionIndex, errorCode: ERROR_CODES[error] };
    }),
  }));
  return { errorCode: ERROR_CODES.NONE, throttleTimeMs: 0, topics };
}

export const groupAdmin: readonly ServedApi[] = [
  serve(
    DescribeGroups,
    [0, 6],
    (request, scope) => ({
      groups: request.groups.map((id) => describe(id, request.includeAuthorizedOperations, scope)),
    }),
    (request, errorCode) => ({
      groups: request.groups.map((id) => ({ ...undescribed(id, 'NONE', null, ''), errorCode })),
    }),
  ),
  serve(ListGroups, [0, 5], list, (_request, errorCode) => ({ errorCode, groups: [] })),
  serve(
    DeleteGroups,
    [0, 2],
    (request, scope) => ({
      throttleTimeMs: 0,
      results: [...new Set(request.groupsNames)].map((groupId) => ({
        groupId,
        errorCode: ERROR_CODES[remove(groupId, scope)],
      })),
    }),
    (request, errorCode) => ({
      throttleTimeMs: 0,
      results: request.groupsNames.map((groupId) => ({ groupId, errorCode })),
    }),
  ),
  serve(OffsetDelete, [0, 0], removeOffsets, (_request, errorCode) => ({ errorCode, throttleTimeMs: 0, topics: [] })),
];
