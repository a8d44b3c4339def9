import {
  ERROR_CODES,
  Heartbeat,
  JoinGroup,
  LeaveGroup,
  SyncGroup,
  errorName,
  type AnswerOf,
  type ErrorName,
  type ReceivedRequestOf,
} from '../../core/protocol/index.js';
import type { ClassicGroup } from '../groups/classic-group.js';
import { refusedJoin, refusedSync } from '../groups/classic-answers.js';
import { coordinationProblem } from './coordinated.js';
import { serve, type RequestScope, type ServedApi } from './served-api.js';

type JoinRequest = ReceivedRequestOf<typeof JoinGroup>;
type LeaveRequest = ReceivedRequestOf<typeof LeaveGroup>;
type LeaveAnswer = AnswerOf<typeof LeaveGroup>;

/** From this SyncGroup on the protocol must be named. */
const NAMES_PROTOCOL_SINCE = 5;
const LEAVES_IN_BATCHES_SINCE = 3;

function joinProblem(request: JoinRequest, scope: RequestScope): ErrorName {
  const { groupId, sessionTimeoutMs } = request;
  const { minSessionTimeoutMs, maxSessionTimeoutMs } = scope.groups.settings;
  if (groupId === '') return 'INVALID_GROUP_ID';
  if (sessionTimeoutMs < minSessionTimeoutMs || sessionTimeoutMs > maxSessionTimeoutMs)
    return 'INVALID_SESSION_TIMEOUT';
  return coordinationProblem(scope, 'group', groupId);
}

/** The group, if the node coordinates it and it exists; else why there is none to speak of. */
function groupOf(groupId: string, scope: RequestScope): ClassicGroup | ErrorName {
  if (groupId === '') return 'INVALID_GROUP_ID';
  const problem = coordinationProblem(scope, 'group', groupId);
  if (problem !== 'NONE') return problem;
  return scope.groups.classicGroup(groupId, false) ?? 'UNKNOWN_MEMBER_ID';
}

function leave(request: LeaveRequest, scope: RequestScope): LeaveAnswer {
  const leaving =
    scope.version >= LEAVES_IN_BATCHES_SINCE
      ? request.members
      : [{ memberId: request.memberId, groupInstanceId: null, reason: null }];
  const group = groupOf(request.groupId, scope);
  if (typeof group === 'string' && group !== 'UNKNOWN_MEMBER_ID') return { errorCode: ERROR_CODES[group] };
  const members = leaving.map(({ memberId, groupInstanceId }) => ({
    memberId,
    groupInstanceId,
    errorCode: ERROR_CODES[typeof group === 'string' ? 'UNKNOWN_MEMBER_ID' : group.leave(memberId, groupInstanceId)],
  }));
  if (scope.version >= LEAVES_IN_BATCHES_SINCE) return { errorCode: ERROR_CODES.NONE, members };
  return { errorCode: members[0]?.errorCode ?? ERROR_CODES.NONE };
}

export const classicGroups: readonly ServedApi[] = [
  serve(
    JoinGroup,
    [0, 9],
    (request, scope) => {
      const problem = joinProblem(request, scope);
      if (problem !== 'NONE') return refusedJoin(problem, request.memberId, scope.version);
      const isNew = request.memberId === '';
      const group = scope.groups.classicGroup(request.groupId, isNew);
      if (group === undefined) {
        // Members of the new protocol and of the classic one do not share a group here.
        return refusedJoin(
          isNew ? 'INCONSISTENT_GROUP_PROTOCOL' : 'UNKNOWN_MEMBER_ID',
          request.memberId,
          scope.version,
        );
      }
      const { clientId, clientHost, version } = scope;
      // Version 0 has no rebalance timeout of its own.
      const rebalanceTimeoutMs = version === 0 ? request.sessionTimeoutMs : request.rebalanceTimeoutMs;
      return group.join({ ...request, rebalanceTimeoutMs }, { clientId, clientHost }, version);
    },
    (request, error, { version }) => refusedJoin(errorName(error), request.memberId, version),
  ),
  serve(
    SyncGroup,
    [0, 5],
    (request, scope) => {
      if (scope.version >= NAMES_PROTOCOL_SINCE && (request.protocolType === null || request.protocolName === null)) {
        return refusedSync('INCONSISTENT_GROUP_PROTOCOL');
      }
      const group = groupOf(request.groupId, scope);
      return typeof group === 'string' ? refusedSync(group) : group.sync(request);
    },
    (_request, error) => refusedSync(errorName(error)),
  ),
  serve(
    Heartbeat,
    [0, 4],
    (request, scope) => {
      const group = groupOf(request.groupId, scope);
      const error =
        typeof group === 'string'
          ? group
          : group.heartbeat(request.memberId, request.groupInstanceId, request.generationId);
      return { errorCode: ERROR_CODES[error] };
    },
    (_request, errorCode) => ({ errorCode }),
  ),
  serve(LeaveGroup, [0, 5], leave, (_request, errorCode) => ({ errorCode })),
];
