import { DescribeGroups, OffsetFetch, errorName } from '../../core/protocol/index.js';
import { GroupMember } from '../spec-support/group-member.js';
import { SpecBroker } from '../spec-support/spec-broker.js';

describe('a classic group', () => {
  let spec: SpecBroker;

  beforeEach(async () => {
    spec = await SpecBroker.start({ brokers: 2, topics: { orders: 2 } });
    spec.broker.moveCoordinator('group', 'g', 1);
  });
  afterEach(() => spec.close());

  const member = async (instanceId: string | null = null): Promise<GroupMember> =>
    new GroupMember(await spec.connect(), 'g', instanceId);

  /** A member that is alone in a stable group. */
  const lonely = async (instanceId: string | null = null): Promise<GroupMember> => {
    const one = await member(instanceId);
    const joined = instanceId === null ? await one.joiningWithId() : one.joining();
    await spec.received('JoinGroup', instanceId === null ? 2 : 1);
    spec.clock.advance(0);
    await joined();
    await one.sync({ [one.memberId]: 'all' });
    return one;
  };

  /** Two members of a stable group, the leader first. */
  const pair = async (): Promise<[GroupMember, GroupMember]> => {
    const leader = await lonely();
    const follower = await member();
    const followerJoins = await follower.joiningWithId();
    await spec.received('JoinGroup', 4);
    const leaderJoins = leader.joining();
    await followerJoins();
    await leaderJoins();
    const followerSyncs = follower.syncing();
    await leader.sync({ [leader.memberId]: 'p0', [follower.memberId]: 'p1' });
    await followerSyncs();
    return [leader, follower];
  };

  const stateOf = async (): Promise<string> => {
    const answer = await (await spec.connect()).send(DescribeGroups, 6, { groups: ['g'] });
    return answer.groups[0]?.groupState ?? '';
  };

  it('sends a new member away for an id first, from version 4 on', async () => {
    const one = await member();
    const first = await one.join();
    expect(errorName(first.errorCode)).toBe('MEMBER_ID_REQUIRED');
    expect(first.memberId).toMatch(/^spec-/);
    const answer = one.joining();
    await spec.received('JoinGroup', 2);
    spec.clock.advance(0);
    expect(await answer()).toMatchObject({ errorCode: 0, generationId: 1, memberId: first.memberId });
  });

  it('takes a new member at once before version 4', async () => {
    const one = await member();
    const answer = one.joining({ version: 3 });
    await spec.received('JoinGroup', 1);
    spec.clock.advance(0);
    expect(await answer()).toMatchObject({ errorCode: 0, generationId: 1 });
  });

  it('tells the leader, and nobody else, who the members are', async () => {
    const leader = await lonely();
    const follower = await member();
    const followerJoins = await follower.joiningWithId();
    await spec.received('JoinGroup', 4);
    const leaderJoins = leader.joining();
    const toFollower = await followerJoins();
    const toLeader = await leaderJoins();
    expect(toLeader.members.map(({ memberId }) => memberId)).toEqual([leader.memberId, follower.memberId]);
    expect(toFollower.members).toEqual([]);
    expect(toFollower.leader).toBe(leader.memberId);
  });

  it('hands everybody what the leader assigned', async () => {
    const [leader, follower] = await pair();
    expect(await follower.sync()).toEqual({ error: 'NONE', assignment: 'p1' });
    expect(await leader.sync()).toEqual({ error: 'NONE', assignment: 'p0' });
    expect(await stateOf()).toBe('Stable');
  });

  it('holds a follower until the leader has assigned, and takes its heartbeats meanwhile', async () => {
    const leader = await lonely();
    const follower = await member();
    const followerJoins = await follower.joiningWithId();
    await spec.received('JoinGroup', 4);
    const leaderJoins = leader.joining();
    await followerJoins();
    await leaderJoins();
    const followerSyncs = follower.syncing();
    await spec.received('SyncGroup', 2);
    expect(await leader.heartbeat()).toBe('NONE');
    expect(await leader.commit(1)).toBe('REBALANCE_IN_PROGRESS');
    await leader.sync({ [follower.memberId]: 'late' });
    expect(await followerSyncs()).toEqual({ error: 'NONE', assignment: 'late' });
  });

  it('tells of a rebalance with the next heartbeat, and takes commits until everybody has joined', async () => {
    const leader = await lonely();
    const other = await member();
    const otherJoins = await other.joiningWithId();
    await spec.received('JoinGroup', 4);
    expect(await leader.heartbeat()).toBe('REBALANCE_IN_PROGRESS');
    expect(await leader.commit(7)).toBe('NONE');
    expect((await leader.sync()).error).toBe('REBALANCE_IN_PROGRESS');
    await leader.join();
    expect(await otherJoins()).toMatchObject({ errorCode: 0, generationId: 2 });
  });

  it('refuses a commit from a member of an older generation', async () => {
    const one = await lonely();
    expect(await one.commit(1, { generation: one.generation - 1 })).toBe('ILLEGAL_GENERATION');
    expect(await one.commit(1, { generation: one.generation + 1 })).toBe('ILLEGAL_GENERATION');
    expect(await one.commit(1)).toBe('NONE');
    expect(spec.broker.committed('g', 'orders', 0)).toBe(1);
  });

  it('refuses commits and heartbeats of strangers', async () => {
    const one = await lonely();
    expect(await one.commit(1, { memberId: 'stranger' })).toBe('UNKNOWN_MEMBER_ID');
    expect(await one.commit(1, { memberId: '', generation: -1 })).toBe('UNKNOWN_MEMBER_ID');
    one.memberId = 'stranger';
    expect(await one.heartbeat()).toBe('UNKNOWN_MEMBER_ID');
    expect(spec.broker.committed('g', 'orders', 0)).toBeUndefined();
  });

  it('takes commits without a member while nobody is in it', async () => {
    const nobody = await member();
    expect(await nobody.commit(3, { memberId: '', generation: -1 })).toBe('NONE');
    expect(await nobody.commit(4, { memberId: 'm', generation: 1 })).toBe('UNKNOWN_MEMBER_ID');
    const answer = await nobody.client.send(OffsetFetch, 8, {
      groups: [{ groupId: 'g', topics: [{ name: 'orders', partitionIndexes: [0, 1] }] }],
    });
    expect(answer.groups[0]?.topics[0]?.partitions.map(({ committedOffset }) => committedOffset)).toEqual([3, -1]);
  });

  it('answers a follower that joins again unchanged with the present generation, and rebalances for a changed one', async () => {
    const [leader, follower] = await pair();
    expect(await follower.join()).toMatchObject({ errorCode: 0, generationId: 2 });
    expect(await leader.heartbeat()).toBe('NONE');
    const changed = follower.joining({ topics: ['orders', 'more'] });
    await spec.received('JoinGroup', 7);
    expect(await leader.heartbeat()).toBe('REBALANCE_IN_PROGRESS');
    await leader.join();
    expect(await changed()).toMatchObject({ errorCode: 0, generationId: 3 });
  });

  it('chooses the protocol that all have and most prefer', async () => {
    const one = await member();
    const joins = await one.joiningWithId({ protocols: ['range', 'sticky'] });
    await spec.received('JoinGroup', 2);
    spec.clock.advance(0);
    expect(await joins()).toMatchObject({ protocolName: 'range' });
    await one.sync();
    const two = await member();
    const twoJoins = await two.joiningWithId({ protocols: ['sticky', 'other'] });
    await spec.received('JoinGroup', 4);
    expect(await one.join({ protocols: ['range', 'sticky'] })).toMatchObject({ protocolName: 'sticky' });
    expect(await twoJoins()).toMatchObject({ protocolName: 'sticky' });
  });

  it('refuses a member that shares no protocol, or is of another kind', async () => {
    await lonely();
    const other = await member();
    const code = async (given: object) => errorName((await other.join(given)).errorCode);
    expect(await code({ protocols: ['sticky'] })).toBe('INCONSISTENT_GROUP_PROTOCOL');
    expect(await code({ protocolType: 'connect' })).toBe('INCONSISTENT_GROUP_PROTOCOL');
    expect(await code({ protocols: [] })).toBe('INCONSISTENT_GROUP_PROTOCOL');
  });

  it('refuses a session timeout outside of what is allowed', async () => {
    const one = await member();
    const code = async (sessionTimeoutMs: number) => errorName((await one.join({ sessionTimeoutMs })).errorCode);
    expect(await code(5_999)).toBe('INVALID_SESSION_TIMEOUT');
    expect(await code(1_800_001)).toBe('INVALID_SESSION_TIMEOUT');
    expect(await code(6_000)).toBe('MEMBER_ID_REQUIRED');
  });

  it('removes a member whose session has ended, and rebalances', async () => {
    const [leader, follower] = await pair();
    spec.clock.advance(9_000);
    expect(await leader.heartbeat()).toBe('NONE');
    spec.clock.advance(2_000);
    expect(await leader.heartbeat()).toBe('REBALANCE_IN_PROGRESS');
    expect(await follower.heartbeat()).toBe('UNKNOWN_MEMBER_ID');
    expect((await leader.join()).members).toHaveLength(1);
  });

  it('does not end the session of a member that waits in a join', async () => {
    const [leader, follower] = await pair();
    const followerJoins = follower.joining({ topics: ['more'] });
    await spec.received('JoinGroup', 6);
    for (let turn = 0; turn < 3; turn++) {
      spec.clock.advance(6_000);
      expect(await leader.heartbeat()).toBe('REBALANCE_IN_PROGRESS');
    }
    expect((await leader.join()).members).toHaveLength(2);
    expect(await followerJoins()).toMatchObject({ errorCode: 0, generationId: 3 });
  });

  it('answers a join again, when the answer was lost and the leader has not assigned yet', async () => {
    const [leader, follower] = await pair();
    const followerJoins = follower.joining({ topics: ['more'] });
    await spec.received('JoinGroup', 6);
    const first = await leader.join();
    await followerJoins();
    expect(await leader.join()).toEqual(first);
    expect(await follower.join({ topics: ['more'] })).toMatchObject({ errorCode: 0, generationId: 3, members: [] });
    expect(await leader.heartbeat()).toBe('NONE');
  });

  it('goes on without those who do not join within the rebalance timeout', async () => {
    const leader = await lonely();
    const other = await member();
    const otherJoins = await other.joiningWithId({ rebalanceTimeoutMs: 5_000 });
    await spec.received('JoinGroup', 4);
    for (let second = 0; second < 29; second++) {
      spec.clock.advance(1_000);
      expect(await leader.heartbeat()).toBe('REBALANCE_IN_PROGRESS');
    }
    spec.clock.advance(1_000);
    expect(await otherJoins()).toMatchObject({ errorCode: 0, generationId: 2, leader: other.memberId });
    expect(await leader.heartbeat()).toBe('UNKNOWN_MEMBER_ID');
  });

  it('removes those who join and do not sync', async () => {
    const [leader, follower] = await pair();
    const followerJoins = follower.joining({ topics: ['more'], rebalanceTimeoutMs: 7_000 });
    await spec.received('JoinGroup', 6);
    await leader.join({ rebalanceTimeoutMs: 7_000 });
    await followerJoins();
    const leaderSyncs = leader.syncing({ [leader.memberId]: 'all' });
    expect((await leaderSyncs()).assignment).toBe('all');
    spec.clock.advance(7_000);
    expect(await leader.heartbeat()).toBe('REBALANCE_IN_PROGRESS');
    expect(await follower.heartbeat()).toBe('UNKNOWN_MEMBER_ID');
  });

  it('forgets an id that nobody joins with', async () => {
    const one = await member();
    await one.join();
    spec.clock.advance(10_000);
    expect(errorName((await one.join()).errorCode)).toBe('UNKNOWN_MEMBER_ID');
  });

  it('waits for more members at first, for as long as they come', async () => {
    await spec.close();
    spec = await SpecBroker.start({ topics: { orders: 2 }, groupInitialRebalanceDelayMs: 3_000 });
    const one = await member();
    const oneJoins = await one.joiningWithId();
    await spec.received('JoinGroup', 2);
    spec.clock.advance(2_000);
    const two = await member();
    const twoJoins = await two.joiningWithId();
    await spec.received('JoinGroup', 4);
    spec.clock.advance(1_000);
    const three = await member();
    const threeJoins = await three.joiningWithId();
    await spec.received('JoinGroup', 6);
    spec.clock.advance(6_000);
    expect((await oneJoins()).members).toHaveLength(3);
    expect([(await twoJoins()).generationId, (await threeJoins()).generationId]).toEqual([1, 1]);
  });

  it('passes the lead on, and the group on to the others, when a member leaves', async () => {
    const [leader, follower] = await pair();
    expect(await leader.leave()).toBe('NONE');
    expect(await leader.heartbeat()).toBe('UNKNOWN_MEMBER_ID');
    expect(await follower.heartbeat()).toBe('REBALANCE_IN_PROGRESS');
    expect(await follower.join()).toMatchObject({ generationId: 3, leader: follower.memberId });
    expect(await follower.leave()).toBe('NONE');
    expect(await follower.leave()).toBe('UNKNOWN_MEMBER_ID');
    expect(await stateOf()).toBe('Empty');
  });

  describe('with static members', () => {
    it('gives one that returns its assignment back without a rebalance, and fences its former self', async () => {
      const before = await lonely('i1');
      const after = await member('i1');
      expect(await after.join()).toMatchObject({
        errorCode: 0,
        generationId: 1,
        skipAssignment: true,
        leader: after.memberId || expect.any(String),
      });
      expect(after.memberId).not.toBe(before.memberId);
      expect(await after.sync()).toEqual({ error: 'NONE', assignment: 'all' });
      expect(await before.heartbeat()).toBe('FENCED_INSTANCE_ID');
      expect(await before.commit(1)).toBe('FENCED_INSTANCE_ID');
      expect(await after.heartbeat()).toBe('NONE');
    });

    it('names the former leader to one that returns with an old version', async () => {
      const before = await lonely('i1');
      const after = await member('i1');
      expect(await after.join({ version: 8 })).toMatchObject({ leader: before.memberId, members: [] });
    });

    it('lets an operator remove one by its instance id alone', async () => {
      const one = await lonely('i1');
      expect(await one.leave('', 'i2')).toBe('UNKNOWN_MEMBER_ID');
      expect(await one.leave('wrong', 'i1')).toBe('FENCED_INSTANCE_ID');
      expect(await one.leave('', 'i1')).toBe('NONE');
      expect(await stateOf()).toBe('Empty');
    });
  });

  describe('whose coordinator moves', () => {
    it('is known to the new one as it was last written down, and no longer to the old one', async () => {
      const [leader, follower] = await pair();
      spec.broker.moveCoordinator('group', 'g', 2);
      expect(await leader.heartbeat()).toBe('NOT_COORDINATOR');
      expect(await leader.commit(1)).toBe('NOT_COORDINATOR');
      const moved = new GroupMember(await spec.connect(2), 'g');
      Object.assign(moved, { memberId: follower.memberId, generation: 2, protocol: 'range' });
      expect(await moved.heartbeat()).toBe('NONE');
      expect(await moved.sync()).toEqual({ error: 'NONE', assignment: 'p1' });
    });

    it('loses a rebalance that was under way, and answers those who wait in it', async () => {
      const leader = await lonely();
      const other = await member();
      const otherJoins = await other.joiningWithId();
      await spec.received('JoinGroup', 4);
      spec.broker.moveCoordinator('group', 'g', 2);
      expect(errorName((await otherJoins()).errorCode)).toBe('NOT_COORDINATOR');
      const moved = new GroupMember(await spec.connect(2), 'g');
      Object.assign(moved, { memberId: leader.memberId, generation: 1, protocol: 'range' });
      expect(await moved.heartbeat()).toBe('NONE');
      expect(errorName((await moved.join({ memberId: other.memberId })).errorCode)).toBe('UNKNOWN_MEMBER_ID');
    });
  });
});
