import {
  ConsumerGroupDescribe,
  ConsumerGroupHeartbeat,
  DeleteGroups,
  DescribeGroups,
  OffsetCommit,
  OffsetDelete,
  OffsetFetch,
  errorName,
} from '../../../lib/core/protocol/index.js';
import { GroupMember, type GivenJoin } from '../../../lib/testing/spec-support/group-member.js';
import { settled, type Scenario, type Stage } from './stage.js';

/** A member of a classic group that writes down what it is answered. */
class NotedMember {
  private constructor(
    readonly stage: Stage,
    readonly name: string,
    readonly member: GroupMember,
  ) {}

  static async of(stage: Stage, name: string, groupId: string, instanceId: string | null = null): Promise<NotedMember> {
    return new NotedMember(stage, name, new GroupMember(await stage.connect(name), groupId, instanceId));
  }

  joining(given?: GivenJoin): () => Promise<void> {
    const answer = this.member.joining(given);
    return async () => {
      const joined = await answer();
      if (joined.memberId !== '') this.stage.alias(joined.memberId, this.name);
      const members = joined.members.map(({ memberId }) => memberId).toSorted();
      const { generationId, protocolType, protocolName, leader, memberId, skipAssignment } = joined;
      this.stage.error(`${this.name} joins`, joined.errorCode, {
        generationId,
        protocolType,
        protocolName,
        leader,
        memberId,
        members: members.length,
        skipAssignment,
      });
    };
  }
  join(given?: GivenJoin): Promise<void> {
    return this.joining(given)();
  }
  async joinWithId(given?: GivenJoin): Promise<() => Promise<void>> {
    await this.join(given);
    return this.joining(given);
  }
  syncing(...others: readonly NotedMember[]): () => Promise<void> {
    const answer = this.member.syncing(
      Object.fromEntries([this, ...others].map(({ name, member }) => [member.memberId, `for ${name}`])),
    );
    return async () => this.stage.note(`${this.name} syncs`, await answer());
  }
  sync(...others: readonly NotedMember[]): Promise<void> {
    return this.syncing(...others)();
  }
  async beats(generation?: number): Promise<void> {
    this.stage.note(`${this.name} beats`, await this.member.heartbeat(generation));
  }
  async leaves(...as: Parameters<GroupMember['leave']>): Promise<void> {
    this.stage.note(`${this.name} leaves`, await this.member.leave(...as));
  }
  async commits(generation: number, memberId: string): Promise<void> {
    const { client, groupId, instanceId: groupInstanceId } = this.member;
    const topics = [
      {
        name: this.stage.name('orders'),
        partitions: [{ partitionIndex: 0, committedOffset: 5, committedMetadata: '' }],
      },
    ];
    const request = { groupId, generationIdOrMemberEpoch: generation, memberId, groupInstanceId, topics };
    const answer = await client.send(OffsetCommit, 9, request);
    this.stage.error(`${this.name} commits`, answer.topics[0]?.partitions[0]?.errorCode);
  }
  commit(): Promise<void> {
    return this.commits(this.member.generation, this.member.memberId);
  }
}

const describeGroup = async (stage: Stage, groupId: string): Promise<void> => {
  const answer = await (await stage.connect()).send(DescribeGroups, 6, { groups: [groupId] });
  const [group] = answer.groups;
  const members = group?.members.map(
    (one) => `${one.memberId} ${one.groupInstanceId} ${one.memberMetadata.length} ${one.memberAssignment.toString()}`,
  );
  const { groupState, protocolType, protocolData } = group ?? {};
  stage.error('group', group?.errorCode, { groupState, protocolType, protocolData }, members?.toSorted());
};

/** Waits until a member that sent JoinGroup is in the group: another request on its connection would wait behind it. */
const untilPreparing = async (stage: Stage, groupId: string): Promise<void> => {
  const client = await stage.connect();
  await settled(async () => {
    const answer = await client.send(DescribeGroups, 5, { groups: [groupId] });
    return answer.groups[0]?.groupState === 'PreparingRebalance';
  });
};

export const classicGroups: Scenario = async (stage) => {
  const groupId = stage.name('classic');
  await stage.topic(stage.name('orders'), 2);
  await stage.coordinator(groupId, 0);
  const [a, b] = [await NotedMember.of(stage, 'a', groupId), await NotedMember.of(stage, 'b', groupId)];
  await (
    await a.joinWithId()
  )();
  await describeGroup(stage, groupId);
  await a.beats();
  await a.commit();
  await a.sync();
  await describeGroup(stage, groupId);
  await a.commit();
  await a.commits(99, a.member.memberId);
  await a.commits(-1, a.member.memberId);
  await a.commits(a.member.generation, 'stranger');
  await a.commits(-1, '');
  await a.beats(7);
  await b.join();
  await a.beats();
  const bJoins = b.joining();
  await untilPreparing(stage, groupId);
  await a.beats();
  await a.commit();
  await a.sync();
  await a.join({ protocols: ['other'] });
  await a.join();
  await bJoins();
  await describeGroup(stage, groupId);
  await a.beats();
  await a.commit();
  const bSyncs = b.syncing();
  await a.sync(b);
  await bSyncs();
  await a.sync();
  await b.join();
  const bChanges = b.joining({ topics: ['orders', 'more'] });
  await untilPreparing(stage, groupId);
  await a.beats();
  await a.join();
  await bChanges();
  await a.join();
  const waiting = b.syncing();
  await a.leaves();
  await waiting();
  await b.beats();
  await b.join();
  await b.sync();
  await a.beats();
  await b.leaves();
  await b.leaves();
  await describeGroup(stage, groupId);
  await b.beats();
  await b.commits(-1, '');
};

export const staticMembers: Scenario = async (stage) => {
  const groupId = stage.name('static');
  await stage.topic(stage.name('orders'), 2);
  await stage.coordinator(groupId, 0);
  const member = (name: string, instanceId: string) => NotedMember.of(stage, name, groupId, instanceId);
  const [one, two] = [await member('one', 'i1'), await member('two', 'i2')];
  await one.join();
  await one.sync();
  const twoJoins = two.joining();
  await untilPreparing(stage, groupId);
  await one.join();
  await twoJoins();
  const twoSyncs = two.syncing();
  await one.sync(two);
  await twoSyncs();
  const oneAgain = await member('oneAgain', 'i1');
  await oneAgain.join();
  await one.beats();
  await one.commit();
  await one.sync();
  await one.join();
  await oneAgain.sync();
  await describeGroup(stage, groupId);
  const twoAgain = await member('twoAgain', 'i2');
  await twoAgain.join({ version: 5 });
  await twoAgain.sync();
  const oneOnceMore = await member('oneOnceMore', 'i1');
  await oneOnceMore.join({ version: 8 });
  await oneOnceMore.sync();
  await twoAgain.leaves('wrong');
  await twoAgain.leaves('', 'nobody');
  await twoAgain.leaves('', 'i2');
  await oneOnceMore.beats();
  await describeGroup(stage, groupId);
};

export const groupAdmin: Scenario = async (stage) => {
  const topic = stage.name('orders');
  const groupId = stage.name('admin');
  await stage.topic(topic, 2);
  await stage.coordinator(groupId, 0);
  const client = await stage.connect();
  const commit = async (version: number, group: string, generation: number): Promise<void> => {
    const partition = (partitionIndex: number, committedMetadata: string | null) => ({
      partitionIndex,
      committedOffset: 7,
      committedLeaderEpoch: 3,
      committedMetadata,
    });
    const answer = await client.send(OffsetCommit, version, {
      groupId: group,
      generationIdOrMemberEpoch: generation,
      memberId: generation < 0 ? '' : 'm',
      topics: [{ name: topic, partitions: [partition(0, null), partition(1, 'x'.repeat(5000)), partition(9, null)] }],
    });
    const errors = answer.topics[0]?.partitions.map((one) => `${one.partitionIndex} ${errorName(one.errorCode)}`);
    stage.note(`commit v${version} at ${generation}`, errors?.toSorted());
  };
  await commit(9, stage.name('nobody'), 1);
  await commit(8, stage.name('nobody'), 1);
  await commit(9, groupId, -1);
  for (const version of [1, 2, 5, 7]) {
    const topics = [{ name: topic, partitionIndexes: [0, 1, 5] }];
    const answer = await client.send(OffsetFetch, version, { groupId, topics });
    stage.error(`offsets v${version}`, answer.errorCode, answer.topics[0]?.partitions);
  }
  const groups = [{ groupId, topics: null }, { groupId: stage.name('nobody'), topics: [{ name: topic, partitionIndexes: [0] }] }]; // prettier-ignore
  const fetched = await client.send(OffsetFetch, 9, { groups });
  stage.note('offsets v9', fetched.groups);
  await describeGroup(stage, groupId);
  const removed = await client.send(OffsetDelete, 0, {
    groupId,
    topics: [{ name: topic, partitions: [{ partitionIndex: 0 }] }, { name: stage.name('missing'), partitions: [{ partitionIndex: 0 }] }], // prettier-ignore
  });
  stage.error('delete offsets', removed.errorCode, removed.topics.map((one) => `${one.name} ${errorName(one.partitions[0]?.errorCode ?? 0)}`).toSorted()); // prettier-ignore
  const nameless = await client.send(OffsetDelete, 0, { groupId: '', topics: [{ name: topic, partitions: [{ partitionIndex: 0 }] }] }); // prettier-ignore
  stage.error('delete offsets of no name', nameless.errorCode);
  const dead = await client.send(DescribeGroups, 5, { groups: [stage.name('nobody')], includeAuthorizedOperations: true }); // prettier-ignore
  stage.note('dead', dead.groups[0]?.authorizedOperations);
  const twice = await client.send(DeleteGroups, 2, { groupsNames: [stage.name('nobody'), stage.name('nobody')] });
  stage.answer('delete twice', twice.results);
  for (const group of [groupId, groupId]) {
    const { results } = await client.send(DeleteGroups, 2, { groupsNames: [group] });
    stage.error('delete group', results[0]?.errorCode);
  }
};

export const consumerGroups: Scenario = async (stage) => {
  const topic = stage.name('orders');
  const groupId = stage.name('consumer');
  const topicId = await stage.topic(topic, 4);
  await stage.coordinator(groupId, 0);
  const client = await stage.connect();
  const epochs = new Map<string, number>();
  interface Beat {
    readonly epoch?: number;
    readonly owned?: readonly number[];
    readonly topics?: readonly string[] | null;
    readonly timeout?: number;
    readonly instanceId?: string | null;
    readonly assignor?: string;
    readonly group?: string;
  }
  const beat = async (what: string, memberId: string, given: Beat = {}): Promise<void> => {
    const { owned } = given;
    const answer = await client.send(ConsumerGroupHeartbeat, 1, {
      groupId: given.group ?? groupId,
      memberId,
      memberEpoch: given.epoch ?? epochs.get(memberId) ?? 0,
      instanceId: given.instanceId ?? null,
      rebalanceTimeoutMs: given.timeout ?? -1,
      subscribedTopicNames: given.topics ?? null,
      serverAssignor: given.assignor ?? null,
      topicPartitions: owned === undefined ? null : owned.length === 0 ? [] : [{ topicId, partitions: owned }],
    });
    if (answer.errorCode === 0 && answer.memberEpoch >= 0) epochs.set(memberId, answer.memberEpoch);
    const partitions = answer.assignment?.topicPartitions.map((one) => one.partitions.toSorted((x, y) => x - y));
    stage.error(`${memberId} ${what}`, answer.errorCode, answer.memberEpoch, answer.heartbeatIntervalMs, partitions ?? null, answer.errorMessage ?? ''); // prettier-ignore
  };
  const join = (what: string, memberId: string, given: Beat = {}) =>
    beat(what, memberId, { epoch: 0, timeout: 5_000, topics: [topic], owned: [], ...given });
  await join('joins without a timeout', 'a', { timeout: -1 });
  await join('joins without topics', 'a', { topics: null });
  await join('joins with partitions', 'a', { owned: [1] });
  await join('asks for an assignor', 'a', { assignor: 'best' });
  await join('joins without a group', 'a', { group: '' });
  await join('joins a blank group', 'a', { group: ' ' });
  await join('joins', ' ');
  await beat('is of an epoch', 'a', { epoch: -3 });
  await beat('beats', 'a', { epoch: 5 });
  await join('joins', 'a');
  await beat('beats', 'a');
  await beat('is ahead', 'a', { epoch: 3 });
  await beat('is behind', 'a', { epoch: 1 });
  await beat('says all', 'a', { timeout: 5_000, topics: [topic], owned: [0, 1, 2, 3] });
  await beat('beats', 'stranger', { epoch: 2 });
  // A broker may wait a second before it assigns anew.
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  await join('joins', 'b');
  await beat('beats', 'a');
  await beat('has not given up', 'a', { owned: [0, 1, 2, 3] });
  await beat('beats', 'b');
  await beat('has given up', 'a', { owned: [0, 1] });
  await beat('beats', 'b');
  await beat('lost an answer', 'a', { epoch: 2, owned: [0, 1] });
  await beat('has too much for that', 'a', { epoch: 2, owned: [0, 3] });
  await beat('leaves', 'a', { epoch: -1 });
  await beat('leaves again', 'a', { epoch: -1 });
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  await beat('beats', 'b');
  await beat('leaves', 'b', { epoch: -1 });
  await beat('leaves no group', 'b', { epoch: -1, group: stage.name('nobody') });
  const named = (instanceId: string): Beat => ({ instanceId, group: stage.name('named') });
  await stage.coordinator(stage.name('named'), 0);
  await join('joins under a name', 'c', named('i'));
  await join('joins under it again', 'c', named('i'));
  await join('joins under it', 'd', named('i'));
  await beat('has another name', 'c', named('j'));
  await beat('goes', 'c', { ...named('i'), epoch: -2 });
  await join('is back', 'c', named('i'));
  await beat('goes', 'c', { ...named('i'), epoch: -2 });
  await join('takes over', 'd', named('i'));
  await beat('is late', 'c', named('i'));
  // Whose subscription changes has all to give up: it keeps it until it says so.
  await beat('wants nothing', 'd', { ...named('i'), topics: [] });
  const { groups } = await client.send(ConsumerGroupDescribe, 1, { groupIds: [stage.name('named')], includeAuthorizedOperations: false }); // prettier-ignore
  stage.note('described', groups[0]?.members.map(({ assignment }) => assignment.topicPartitions.map((one) => one.partitions.toSorted((x, y) => x - y)))); // prettier-ignore
  const unnamed = await client.send(ConsumerGroupDescribe, 1, { groupIds: [''], includeAuthorizedOperations: false });
  stage.error('described', unnamed.groups[0]?.errorCode, unnamed.groups[0]?.errorMessage);
};
