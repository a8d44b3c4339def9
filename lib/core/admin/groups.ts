import type { BrokerNode } from '../cluster/index.js';
import { decodeAssignment } from '../consumer/index.js';
import type { BrokerConnection } from '../network/index.js';
import {
  ConsumerGroupDescribe,
  DeleteGroups,
  DescribeGroups,
  ERROR_CODES,
  errorName,
  ListGroups,
  protocolError,
  ShareGroupDescribe,
  type ResponseOf,
} from '../protocol/index.js';
import { aListOf, aString, checkOptions, KrafkaError, KrafkaProtocolError, optional } from '../support/index.js';
import { answerOr, type AdminCall, type Answers } from './admin-call.js';
import { CALL_OPTIONS, type CallOptions } from './call-options.js';
import { allOrThrow, merged } from './settle-each.js';

export interface ListGroupsOptions extends CallOptions {
  /** Only groups in these states, in Kafka's words: `Stable`, `Empty`, ... (KIP-518, brokers since 2.6). Default: any. */
  readonly states?: readonly string[] | undefined;
  /** Only groups of these types: `classic`, `consumer`, `share`, ... (KIP-848, brokers since 3.8). Default: any. */
  readonly types?: readonly string[] | undefined;
}

/** A group in a list. */
export interface GroupListing {
  readonly groupId: string;
  /** `consumer` for groups of consumers; others for Connect and the like. */
  readonly protocolType: string;
  /** In Kafka's words; '' from brokers before 2.6. */
  readonly state: string;
  /** `classic`, `consumer`, `share`, ...; '' from brokers before 3.8. */
  readonly type: string;
}

/** Some partitions of one topic. */
export interface TopicPartitions {
  readonly topic: string;
  readonly partitions: readonly number[];
}

/** What is told of a member of any group. */
export interface MemberDescription {
  readonly memberId: string;
  /** Null for a dynamic member. */
  readonly groupInstanceId: string | null;
  readonly clientId: string;
  readonly host: string;
  /** Empty too when the group's protocol is not that of consumers. */
  readonly assignment: readonly TopicPartitions[];
}

/** A member of a group whose brokers assign (KIP-848). */
export interface ConsumerMemberDescription extends MemberDescription {
  readonly memberEpoch: number;
  readonly rack: string | null;
  readonly subscribedTopics: readonly string[];
  /** Null when it subscribes to none. */
  readonly subscribedRegex: string | null;
  /** What the member is to have when it has given up what it must. */
  readonly targetAssignment: readonly TopicPartitions[];
}

interface AnyGroupDescription {
  readonly groupId: string;
  /** In Kafka's words: `Stable`, `Empty`, `PreparingRebalance`, ... */
  readonly state: string;
  readonly coordinator: BrokerNode;
}

/** A group whose members assign among themselves. */
export interface ClassicGroupDescription extends AnyGroupDescription {
  readonly type: 'classic';
  readonly protocolType: string;
  /** The assignor they agreed on; '' while there is none. */
  readonly assignor: string;
  readonly members: readonly MemberDescription[];
}

/** A group whose broker assigns (KIP-848). */
export interface ConsumerGroupDescription extends AnyGroupDescription {
  readonly type: 'consumer';
  readonly assignor: string;
  readonly groupEpoch: number;
  readonly assignmentEpoch: number;
  readonly members: readonly ConsumerMemberDescription[];
}

/** A member of a share group (KIP-932). Partitions may be several members'. */
export interface ShareMemberDescription extends Omit<MemberDescription, 'groupInstanceId'> {
  readonly memberEpoch: number;
  readonly rack: string | null;
  readonly subscribedTopics: readonly string[];
}

/** A share group (KIP-932). */
export interface ShareGroupDescription extends AnyGroupDescription {
  readonly type: 'share';
  readonly assignor: string;
  readonly groupEpoch: number;
  readonly assignmentEpoch: number;
  readonly members: readonly ShareMemberDescription[];
}

export type GroupDescription = ClassicGroupDescription | ConsumerGroupDescription | ShareGroupDescription;

const CONSUMER_PROTOCOL = 'consumer';

export const checkListGroups = (given: ListGroupsOptions | undefined): ListGroupsOptions =>
  checkOptions<ListGroupsOptions>(
    given,
    { ...CALL_OPTIONS, states: optional(aListOf(aString)), types: optional(aListOf(aString)) },
    'options',
  );

export async function listGroups(call: AdminCall, options: ListGroupsOptions): Promise<GroupListing[]> {
  const { metadata } = await call.one('the brokers of the cluster', () => call.cluster.look([], call.wait));
  const settled = merged(
    await Promise.all(
      Array.from(metadata.brokers.values(), (broker) =>
        call.onBroker(
          broker.nodeId,
          [broker],
          ({ address }) => `the groups of ${address}`,
          async (connection) => {
            const response = await connection.sendRequest(
              ListGroups,
              { statesFilter: options.states ?? [], typesFilter: options.types ?? [] },
              call.wait,
            );
            return new Map([
              [
                broker,
                answerOr(response.errorCode, { api: 'ListGroups', address: broker.address }, () => response.groups),
              ],
            ]);
          },
        ),
      ),
    ),
  );
  // A coordinator that moves while we ask may be listed twice.
  const groups = new Map<string, GroupListing>();
  for (const listed of allOrThrow(settled, 'brokers to list their groups').values()) {
    for (const { groupId, protocolType, groupState, groupType } of listed) {
      groups.set(groupId, { groupId, protocolType, state: groupState, type: groupType.toLowerCase() });
    }
  }
  return [...groups.values()].toSorted((a, b) => (a.groupId < b.groupId ? -1 : 1));
}

export async function describeGroups(call: AdminCall, groupIds: readonly string[]): Promise<GroupDescription[]> {
  const settled = await call.onCoordinators<GroupDescription>(
    new Set(groupIds),
    async (connection, here, coordinator) => {
      let answers: Answers<string, GroupDescription> = new Map();
      // What the newer APIs know nothing of may be a classic group.
      for (const describe of [describeConsumerGroups, describeShareGroups, describeClassicGroups]) {
        const others = here.filter((groupId) => !answers.has(groupId));
        if (others.length === 0) break;
        answers = new Map([...answers, ...(await describe(call, connection, others, coordinator))]);
      }
      return answers;
    },
  );
  const done = allOrThrow(settled, 'groups to be described');
  return groupIds.map((groupId) => done.get(groupId)!);
}

export async function deleteGroups(call: AdminCall, groupIds: readonly string[]): Promise<void> {
  const settled = await call.onCoordinators(new Set(groupIds), async (connection, here) => {
    const response = await connection.sendRequest(DeleteGroups, { groupsNames: here }, call.wait);
    return new Map(
      response.results.map(({ groupId, errorCode }): [string, true | KrafkaError] => [
        groupId,
        answerOr(errorCode, { api: 'DeleteGroups', detail: `group '${groupId}'` }, () => true as const),
      ]),
    );
  });
  allOrThrow(settled, 'groups to be deleted');
}

async function describeConsumerGroups(
  call: AdminCall,
  connection: BrokerConnection,
  groupIds: readonly string[],
  coordinator: BrokerNode,
): Promise<Answers<string, GroupDescription>> {
  if (!connection.supports(ConsumerGroupDescribe)) return new Map();
  const request = { groupIds, includeAuthorizedOperations: false };
  const { groups } = await connection.sendRequest(ConsumerGroupDescribe, request, call.wait);
  return answersOf('ConsumerGroupDescribe', groups, (group) => consumerGroup(group, coordinator));
}

async function describeShareGroups(
  call: AdminCall,
  connection: BrokerConnection,
  groupIds: readonly string[],
  coordinator: BrokerNode,
): Promise<Answers<string, GroupDescription>> {
  if (!connection.supports(ShareGroupDescribe)) return new Map();
  const request = { groupIds, includeAuthorizedOperations: false };
  const { groups } = await connection.sendRequest(ShareGroupDescribe, request, call.wait);
  return answersOf('ShareGroupDescribe', groups, (group) => shareGroup(group, coordinator));
}

/** The answers of an API that describes one kind of groups; those that are of another kind, or not there, have none. */
function answersOf<Group extends ConsumerGroupAnswer | ShareGroupAnswer>(
  api: string,
  groups: readonly Group[],
  describe: (group: Group) => GroupDescription,
): Answers<string, GroupDescription> {
  const answers = new Map<string, GroupDescription | KrafkaError>();
  for (const group of groups) {
    const { groupId, errorCode, errorMessage } = group;
    const name = errorName(errorCode);
    if (name === 'GROUP_ID_NOT_FOUND' || name === 'UNSUPPORTED_VERSION') continue;
    const detail = [`group '${groupId}'`, errorMessage].filter(Boolean).join(': ');
    answers.set(
      groupId,
      answerOr(errorCode, { api, detail }, () => describe(group)),
    );
  }
  return answers;
}

async function describeClassicGroups(
  call: AdminCall,
  connection: BrokerConnection,
  groupIds: readonly string[],
  coordinator: BrokerNode,
): Promise<Answers<string, GroupDescription>> {
  const response = await connection.sendRequest(DescribeGroups, { groups: groupIds }, call.wait);
  return new Map(
    response.groups.map((group): [string, GroupDescription | KrafkaError] => {
      const detail = [`group '${group.groupId}'`, group.errorMessage].filter(Boolean).join(': ');
      // Before version 6 a group that does not exist is a dead one.
      const code =
        group.errorCode === ERROR_CODES.NONE && group.groupState === 'Dead'
          ? ERROR_CODES.GROUP_ID_NOT_FOUND
          : group.errorCode;
      if (code !== ERROR_CODES.NONE) return [group.groupId, protocolError(code, { api: 'DescribeGroups', detail })];
      try {
        return [group.groupId, classicGroup(group, coordinator)];
      } catch (error) {
        if (!(error instanceof KrafkaProtocolError)) throw error;
        return [group.groupId, error];
      }
    }),
  );
}

type ConsumerGroupAnswer = ResponseOf<typeof ConsumerGroupDescribe>['groups'][number];
type ShareGroupAnswer = ResponseOf<typeof ShareGroupDescribe>['groups'][number];
type ClassicGroupAnswer = ResponseOf<typeof DescribeGroups>['groups'][number];

function consumerGroup(group: ConsumerGroupAnswer, coordinator: BrokerNode): ConsumerGroupDescription {
  const { groupId, groupState: state, groupEpoch, assignmentEpoch, assignorName: assignor } = group;
  const members = group.members.map((member): ConsumerMemberDescription => ({
    memberId: member.memberId,
    groupInstanceId: member.instanceId,
    clientId: member.clientId,
    host: member.clientHost,
    memberEpoch: member.memberEpoch,
    rack: member.rackId,
    subscribedTopics: member.subscribedTopicNames,
    subscribedRegex: member.subscribedTopicRegex || null,
    assignment: topicPartitions(member.assignment),
    targetAssignment: topicPartitions(member.targetAssignment),
  }));
  return { type: 'consumer', groupId, state, coordinator, assignor, groupEpoch, assignmentEpoch, members };
}

function shareGroup(group: ShareGroupAnswer, coordinator: BrokerNode): ShareGroupDescription {
  const { groupId, groupState: state, groupEpoch, assignmentEpoch, assignorName: assignor } = group;
  const members = group.members.map((member): ShareMemberDescription => ({
    memberId: member.memberId,
    clientId: member.clientId,
    host: member.clientHost,
    memberEpoch: member.memberEpoch,
    rack: member.rackId,
    subscribedTopics: member.subscribedTopicNames,
    assignment: topicPartitions(member.assignment),
  }));
  return { type: 'share', groupId, state, coordinator, assignor, groupEpoch, assignmentEpoch, members };
}

function classicGroup(group: ClassicGroupAnswer, coordinator: BrokerNode): ClassicGroupDescription {
  const { groupId, groupState: state, protocolType, protocolData: assignor } = group;
  const members = group.members.map((member): MemberDescription => ({
    memberId: member.memberId,
    groupInstanceId: member.groupInstanceId,
    clientId: member.clientId,
    host: member.clientHost,
    assignment:
      protocolType === CONSUMER_PROTOCOL && member.memberAssignment.length > 0
        ? grouped(decodeAssignment(member.memberAssignment, member.memberId))
        : [],
  }));
  return { type: 'classic', groupId, state, coordinator, protocolType, assignor, members };
}

const topicPartitions = (assignment: ShareGroupAnswer['members'][number]['assignment']): TopicPartitions[] =>
  assignment.topicPartitions.map(({ topicName: topic, partitions }) => ({ topic, partitions }));

function grouped(partitions: ReturnType<typeof decodeAssignment>): TopicPartitions[] {
  const topics = new Map<string, number[]>();
  for (const { topic, partition } of partitions) {
    const there = topics.get(topic);
    if (there === undefined) topics.set(topic, [partition]);
    else there.push(partition);
  }
  return Array.from(topics, ([topic, numbers]) => ({ topic, partitions: numbers }));
}
