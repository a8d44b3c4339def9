import type { CommittedOffset, OffsetToCommit, TopicPartition } from '../consumer/index.js';
import type { BrokerConnection } from '../network/index.js';
import {
  ERROR_CODES,
  OffsetCommit,
  OffsetDelete,
  OffsetFetch,
  protocolError,
  type ResponseOf,
} from '../protocol/index.js';
import {
  aBoolean,
  aListOf,
  aString,
  aWhole,
  checkOptions,
  describe,
  KrafkaConfigError,
  KrafkaError,
  optional,
  type OptionRule,
} from '../support/index.js';
import { answerOr, byTopic, type AdminCall, type Answers } from './admin-call.js';
import { CALL_OPTIONS, withoutRepeats, type CallOptions } from './call-options.js';
import { checkPartitions, matched } from './partition-offsets.js';
import { allOrThrow } from './settle-each.js';

export interface ListGroupOffsetsOptions extends CallOptions {
  /** Only of these partitions. Default: all that the group has an offset of. */
  readonly partitions?: readonly TopicPartition[] | undefined;
  /** Waits until offsets that an undecided transaction may change are decided (KIP-447). Default false. */
  readonly requireStable?: boolean | undefined;
}

// Later versions name topics by id only.
const LAST_BY_NAME = 9;
const SEVERAL_GROUPS_SINCE = 8;
const STABLE_SINCE = 7;
/** Commits of nobody's: accepted while the group has no members. */
const NO_GENERATION = -1;

const aCommit: OptionRule<OffsetToCommit> = (value, path) =>
  checkOptions<OffsetToCommit>(
    value,
    {
      topic: aString,
      partition: aWhole('partition', 0, 2 ** 31 - 1),
      offset: aWhole('offset', 0),
      metadata: optional((text, at) => {
        if (typeof text !== 'string') throw new KrafkaConfigError(at, `must be a string, got ${describe(text)}`);
        return text;
      }),
      leaderEpoch: optional(aWhole('epoch', 0, 2 ** 31 - 1)),
    },
    path,
  );

export const checkCommits = (given: unknown): readonly OffsetToCommit[] =>
  withoutRepeats(aListOf(aCommit)(given, 'offsets'), ({ topic, partition }) => `${topic}/${partition}`, 'offsets');

export const checkListGroupOffsets = (given: ListGroupOffsetsOptions | undefined): ListGroupOffsetsOptions =>
  checkOptions<ListGroupOffsetsOptions>(
    given,
    { ...CALL_OPTIONS, partitions: optional(checkPartitions), requireStable: optional(aBoolean) },
    'options',
  );

export async function listGroupOffsets(
  call: AdminCall,
  groupId: string,
  { partitions, requireStable = false }: ListGroupOffsetsOptions,
): Promise<CommittedOffset[]> {
  const settled = await call.onCoordinators(
    [groupId],
    async (connection): Promise<Answers<string, CommittedOffset[]>> => {
      const answer = await fetchOffsets(call, connection, groupId, partitions, requireStable);
      if (answer instanceof KrafkaError) return new Map([[groupId, answer]]);
      const offsets: CommittedOffset[] = [];
      for (const { name: topic, partitions: told } of answer) {
        for (const { partitionIndex: partition, errorCode, committedOffset, committedLeaderEpoch, metadata } of told) {
          if (errorCode !== ERROR_CODES.NONE) {
            const detail = `group '${groupId}'`;
            return new Map([[groupId, protocolError(errorCode, { api: 'OffsetFetch', topic, partition, detail })]]);
          }
          if (committedOffset < 0) continue;
          offsets.push({
            topic,
            partition,
            offset: committedOffset,
            leaderEpoch: committedLeaderEpoch,
            metadata: metadata ?? '',
          });
        }
      }
      offsets.sort((a, b) => (a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1));
      return new Map([[groupId, offsets]]);
    },
  );
  return allOrThrow(settled, 'groups to list their offsets').get(groupId)!;
}

export async function alterGroupOffsets(
  call: AdminCall,
  groupId: string,
  offsets: readonly OffsetToCommit[],
): Promise<void> {
  await onCoordinator(call, groupId, offsets, async (connection, pending) => {
    const response = await connection.sendRequest(
      OffsetCommit,
      {
        groupId,
        generationIdOrMemberEpoch: NO_GENERATION,
        memberId: '',
        topics: Array.from(byTopic(pending), ([name, partitions]) => ({
          name,
          partitions: partitions.map(({ partition, offset, leaderEpoch, metadata }) => ({
            partitionIndex: partition,
            committedOffset: offset,
            committedLeaderEpoch: leaderEpoch ?? -1,
            committedMetadata: metadata ?? '',
          })),
        })),
      },
      { ...call.wait, maxVersion: LAST_BY_NAME },
    );
    return matched(pending, response.topics, (item, { errorCode }) =>
      partitionAnswer('OffsetCommit', groupId, item, errorCode),
    );
  });
}

export async function deleteGroupOffsets(
  call: AdminCall,
  groupId: string,
  partitions: readonly TopicPartition[],
): Promise<void> {
  await onCoordinator(call, groupId, partitions, async (connection, pending) => {
    const response = await connection.sendRequest(
      OffsetDelete,
      {
        groupId,
        topics: Array.from(byTopic(pending), ([name, here]) => ({
          name,
          partitions: here.map(({ partition }) => ({ partitionIndex: partition })),
        })),
      },
      call.wait,
    );
    if (response.errorCode !== ERROR_CODES.NONE) {
      throw protocolError(response.errorCode, { api: 'OffsetDelete', detail: `group '${groupId}'` });
    }
    return matched(pending, response.topics, (item, { errorCode }) =>
      partitionAnswer('OffsetDelete', groupId, item, errorCode),
    );
  });
}

type FetchedTopics = ResponseOf<typeof OffsetFetch>['topics'];

async function fetchOffsets(
  call: AdminCall,
  connection: BrokerConnection,
  groupId: string,
  wanted: readonly TopicPartition[] | undefined,
  requireStable: boolean,
): Promise<FetchedTopics | KrafkaError> {
  const context = { api: 'OffsetFetch', detail: `group '${groupId}'` };
  const version = Math.min(connection.versionOf(OffsetFetch), LAST_BY_NAME);
  if (requireStable && version < STABLE_SINCE) {
    throw protocolError(ERROR_CODES.UNSUPPORTED_VERSION, { ...context, address: connection.address });
  }
  const topics =
    wanted === undefined
      ? null
      : Array.from(byTopic(wanted), ([name, here]) => ({
          name,
          partitionIndexes: here.map(({ partition }) => partition),
        }));
  const request =
    version >= SEVERAL_GROUPS_SINCE
      ? { groups: [{ groupId, topics }], requireStable }
      : { groupId, topics, requireStable };
  const response = await connection.sendRequest(OffsetFetch, request, { ...call.wait, version });
  if (version < SEVERAL_GROUPS_SINCE) return answerOr(response.errorCode, context, () => response.topics);
  const group = response.groups.find((one) => one.groupId === groupId);
  if (group === undefined) return protocolError(ERROR_CODES.UNKNOWN_SERVER_ERROR, context);
  return answerOr(group.errorCode, context, () => group.topics);
}

/** Asks one group's coordinator about several partitions, each of which may fail on its own. */
async function onCoordinator<P extends TopicPartition>(
  call: AdminCall,
  groupId: string,
  partitions: readonly P[],
  ask: (connection: BrokerConnection, pending: readonly P[]) => Promise<Answers<P, true>>,
): Promise<void> {
  const settled = await call.settle(
    partitions,
    ({ topic, partition }) => `the offset of group '${groupId}' in topic '${topic}' partition ${partition}`,
    (pending) => call.atCoordinator(groupId, (connection) => ask(connection, pending)),
  );
  allOrThrow(settled, 'offsets to be altered');
}

function partitionAnswer(
  api: string,
  groupId: string,
  { topic, partition }: TopicPartition,
  errorCode: number,
): true | KrafkaError {
  // What the coordinator says of a commit from outside while the group has members.
  const taken =
    errorCode === ERROR_CODES.UNKNOWN_MEMBER_ID ? '; its offsets can be altered only while it has no members' : '';
  return answerOr(errorCode, { api, topic, partition, detail: `group '${groupId}'${taken}` }, () => true as const);
}
