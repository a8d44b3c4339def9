import { RequestPriority } from '../../network/index.js';
import { ERROR_CODES, type ErrorName } from '../../protocol/index.js';
import { Deadline, Deferred, KrafkaConnectionError, type KrafkaError } from '../../support/index.js';
import { FakeOwner } from '../spec-support/fake-owner.js';
import { fakePorts } from '../spec-support/ports.js';
import { settled } from '../spec-support/fake-clock.js';
import { ScriptedCoordinator, type SentRequest } from '../spec-support/scripted-coordinator.js';
import { keyOf, type TopicPartition } from '../topic-partition.js';
import type { Assignor } from './assignor.js';
import { ClassicMember } from './classic-member.js';
import { decodeAssignment, decodeSubscription, encodeAssignment, encodeSubscription } from './consumer-protocol.js';
import { CooperativeStickyAssignor } from './cooperative-sticky-assignor.js';
import { rangeAssignor } from './range-assignor.js';

const SETTINGS = {
  sessionTimeoutMs: 45_000,
  heartbeatIntervalMs: 3_000,
  rebalanceTimeoutMs: 60_000,
  requestTimeoutMs: 30_000,
  groupInstanceId: undefined,
  rack: '',
};

const t = (partition: number): TopicPartition => ({ topic: 't', partition });

/** A follower's JoinGroup answer in this generation. */
const joined = (generationId: number, changes: object = {}) => ({
  errorCode: 0,
  generationId,
  protocolType: 'consumer',
  protocolName: 'range',
  leader: 'other',
  skipAssignment: false,
  memberId: 'me',
  members: [],
  ...changes,
});
const synced = (...partitions: number[]) => ({ errorCode: 0, assignment: encodeAssignment(partitions.map(t)) });
const error = (name: ErrorName) => ({
  errorCode: ERROR_CODES[name],
  memberId: '',
  members: [],
  assignment: Buffer.alloc(0),
});

function setUp(options: { assignors?: Assignor[]; settings?: object; counts?: Record<string, number> } = {}) {
  const ports = fakePorts();
  const coordinator = new ScriptedCoordinator().always('Heartbeat', { errorCode: 0 });
  const owner = new FakeOwner();
  const states: string[] = [];
  const reasons: string[] = [];
  const fatal: KrafkaError[] = [];
  const counts = options.counts ?? { t: 4 };
  const tracked: string[][] = [];
  const cluster = {
    get metadata() {
      const topics = Object.entries(counts).map(
        ([name, count]) => [name, { partitions: Array.from({ length: count }) }] as const,
      );
      return { topics: new Map(topics) } as never;
    },
    refresh: () => Promise.resolve(undefined as never),
    track: (topics: readonly string[]) => {
      tracked.push([...topics]);
      return () => undefined;
    },
  };
  const member = new ClassicMember({
    coordinator,
    cluster,
    settings: { ...SETTINGS, ...options.settings },
    assignors: options.assignors ?? [rangeAssignor],
    topics: ['t'],
    owner,
    listener: {
      onState: (state) => states.push(state),
      onRebalance: (reason) => reasons.push(reason),
      onFatal: (problem) => fatal.push(problem),
    },
    ports,
  });
  return { member, coordinator, owner, states, reasons, fatal, counts, tracked, ...ports };
}

/** A member that has joined generation 1 as a follower, with these partitions. */
async function stable(partitions: number[] = [0, 1], options: Parameters<typeof setUp>[0] = {}) {
  const all = setUp(options);
  all.coordinator.next('JoinGroup', joined(1)).next('SyncGroup', synced(...partitions));
  all.member.start();
  await settled();
  expect(all.member.state).toBe('stable');
  return all;
}

const subscription = (topics: string[]): Buffer =>
  encodeSubscription({ topics, userData: null, ownedPartitions: [], generation: -1, rack: null });

/** The JoinGroup answer of a leader, with all members' topics. */
const asLeader = (generation: number, others: Record<string, string[]> = { you: ['t', 'u'] }) =>
  joined(generation, {
    leader: 'me',
    members: [
      { memberId: 'me', groupInstanceId: null, metadata: subscription(['t']) },
      ...Object.entries(others).map(([memberId, topics]) => ({
        memberId,
        groupInstanceId: null,
        metadata: subscription(topics),
      })),
    ],
  });

async function leave({ member, clock }: Awaited<ReturnType<typeof stable>>): Promise<void> {
  const deadline = new Deadline(clock, 1_000, 'close timeoutMs');
  await member.halt(deadline);
  await member.leave(deadline);
}

describe('ClassicMember', () => {
  it('joins and takes what it is given', async () => {
    const { member, owner, states, coordinator } = await stable();
    expect(states).toEqual(['joining', 'stable']);
    expect(owner.calls).toEqual(['assign 0,1']);
    expect(member.identity).toEqual({ memberId: 'me', generation: 1, groupInstanceId: null, life: 0 });
    expect(coordinator.requests('JoinGroup')[0]?.body).toMatchObject({
      groupId: 'g',
      sessionTimeoutMs: 45_000,
      rebalanceTimeoutMs: 60_000,
      protocolType: 'consumer',
      protocols: [{ name: 'range' }],
    });
    expect(coordinator.requests('SyncGroup')[0]?.body).toMatchObject({ generationId: 1, protocolName: 'range' });
  });

  it('waits for a join as long as the rebalance may take, and longer than other requests', async () => {
    const { coordinator } = await stable();
    expect(coordinator.requests('JoinGroup')[0]?.options.timeoutMs).toBe(65_000);
  });

  it('joins by a connection of its own, which the coordinator may hold, and lets go of it when it is stable', async () => {
    const { coordinator, clock } = await stable();
    await clock.advance(3_000);
    expect(coordinator.sent.map(({ api, options }) => [api, options.held === true])).toEqual([
      ['JoinGroup', true],
      ['SyncGroup', true],
      ['Heartbeat', false],
    ]);
    expect(coordinator.released).toBe(1);
  });

  it('joins again at once with the id it is given, when it must have one first', async () => {
    const { member, coordinator } = setUp();
    coordinator
      .next('JoinGroup', { ...error('MEMBER_ID_REQUIRED'), memberId: 'given' })
      .next('JoinGroup', joined(1, { memberId: 'given' }))
      .next('SyncGroup', synced(0));
    member.start();
    await settled();
    expect(coordinator.requests('JoinGroup').map(({ body }) => body.memberId)).toEqual(['', 'given']);
    expect(member.state).toBe('stable');
  });

  it('is given nothing and is stable all the same', async () => {
    const { owner } = await stable([]);
    expect(owner.calls).toEqual(['assign ']);
  });

  describe('heartbeats', () => {
    it('go out by themselves, first of all, whatever the owner is busy with', async () => {
      const { member, coordinator, owner, clock } = setUp();
      owner.holding = new Deferred();
      coordinator.next('JoinGroup', joined(1)).next('SyncGroup', synced(0));
      member.start();
      await clock.advance(9_500);
      expect(owner.calls).toEqual(['assign 0']);
      expect(coordinator.requests('Heartbeat')).toHaveLength(3);
      expect(coordinator.requests('Heartbeat')[0]?.options.priority).toBe(RequestPriority.High);
      expect(coordinator.requests('Heartbeat')[0]?.body).toEqual({
        groupId: 'g',
        generationId: 1,
        memberId: 'me',
        groupInstanceId: null,
      });
      owner.holding.resolve();
    });

    it('are the only timer of a stable member', async () => {
      const { clock } = await stable();
      expect(clock.timers).toEqual([3_000]);
    });

    it('go on while partitions are handed back, and stop for the join', async () => {
      const { coordinator, owner, clock } = await stable();
      owner.holding = new Deferred();
      coordinator.next('Heartbeat', error('REBALANCE_IN_PROGRESS'));
      coordinator.next('JoinGroup', () => new Promise(() => undefined));
      await clock.advance(3_000);
      await clock.advance(30_000);
      expect(coordinator.requests('Heartbeat').length).toBeGreaterThan(8);
      owner.holding.resolve();
      await settled();
      expect(coordinator.requests('JoinGroup')).toHaveLength(2);
      const before = coordinator.requests('Heartbeat').length;
      await clock.advance(30_000);
      expect(coordinator.requests('Heartbeat')).toHaveLength(before);
    });

    it('leave half the session for another try elsewhere', async () => {
      const { coordinator, clock } = await stable([0], { settings: { sessionTimeoutMs: 10_000 } });
      await clock.advance(3_000);
      expect(coordinator.requests('Heartbeat')[0]?.options.timeoutMs).toBe(5_000);
    });

    it('that do not arrive come sooner, and end nothing', async () => {
      const { member, coordinator, clock } = await stable();
      const lost = new KrafkaConnectionError('b:1', 'reset');
      for (let times = 0; times < 3; times++) coordinator.next('Heartbeat', () => Promise.reject(lost));
      await clock.advance(3_000);
      await clock.advance(1_000);
      expect(coordinator.requests('Heartbeat').length).toBeGreaterThan(2);
      expect(member.state).toBe('stable');
    });

    it('only leave a note of a rebalance: the loop joins, once', async () => {
      const { coordinator, clock, reasons, owner } = await stable();
      owner.holding = new Deferred();
      coordinator.always('Heartbeat', error('REBALANCE_IN_PROGRESS'));
      coordinator.next('JoinGroup', joined(2)).next('SyncGroup', synced(3));
      await clock.advance(12_000);
      expect(coordinator.requests('JoinGroup')).toHaveLength(1);
      coordinator.always('Heartbeat', { errorCode: 0 });
      owner.holding.resolve();
      await settled();
      expect(coordinator.requests('JoinGroup')).toHaveLength(2);
      expect(reasons).toEqual(['the group is rebalancing']);
      expect(coordinator.requests('JoinGroup')[1]?.body.reason).toBe('the group is rebalancing');
    });
  });

  describe('an eager rebalance', () => {
    it('hands everything back before the join, and takes anew what it is given', async () => {
      const { member, coordinator, owner, states, clock } = await stable();
      coordinator.next('Heartbeat', error('REBALANCE_IN_PROGRESS'));
      coordinator.next('JoinGroup', joined(2)).next('SyncGroup', synced(1, 2));
      await clock.advance(3_000);
      expect(owner.calls).toEqual(['assign 0,1', 'revoke 0,1', 'assign 1,2']);
      expect(states).toEqual(['joining', 'stable', 'rebalancing', 'joining', 'stable']);
      expect(member.identity?.generation).toBe(2);
      const { metadata } = (coordinator.requests('JoinGroup')[1] as SentRequest).body.protocols[0];
      expect(decodeSubscription(metadata, { memberId: 'me', groupInstanceId: null }).ownedPartitions).toEqual([]);
    });

    it('is still a member of the old generation while it hands back: commits need that', async () => {
      const { member, coordinator, owner, clock } = await stable();
      owner.holding = new Deferred();
      coordinator.next('Heartbeat', error('REBALANCE_IN_PROGRESS'));
      await clock.advance(3_000);
      expect(owner.calls.at(-1)).toBe('revoke 0,1');
      expect(member.identity).toMatchObject({ memberId: 'me', generation: 1 });
    });

    it('gives handlers the rebalance timeout, less the heartbeat that told of it', async () => {
      const { coordinator, owner, clock } = await stable();
      coordinator.next('Heartbeat', error('REBALANCE_IN_PROGRESS'));
      coordinator.always('JoinGroup', () => new Promise(() => undefined));
      await clock.advance(3_000);
      expect(owner.deadlines).toEqual([57_000]);
    });
  });

  describe('a cooperative rebalance', () => {
    const sticky: Assignor = { ...rangeAssignor, name: 'sticky', rebalanceProtocol: 'cooperative' };

    it('keeps what it holds, gives back only what goes, and joins again without it', async () => {
      const { coordinator, owner, clock } = await stable([0, 1], { assignors: [sticky] });
      coordinator.next('Heartbeat', error('REBALANCE_IN_PROGRESS'));
      coordinator.next('JoinGroup', joined(2, { protocolName: 'sticky' })).next('SyncGroup', synced(1));
      coordinator.next('JoinGroup', joined(3, { protocolName: 'sticky' })).next('SyncGroup', synced(1, 2));
      await clock.advance(3_000);
      expect(owner.calls).toEqual(['assign 0,1', 'revoke 0', 'assign ', 'assign 2']);
      const told = coordinator.requests('JoinGroup').map(({ body }) => {
        const { ownedPartitions, generation } = decodeSubscription(body.protocols[0].metadata, {
          memberId: 'me',
          groupInstanceId: null,
        });
        return [generation, ownedPartitions?.map(({ partition }) => partition)];
      });
      expect(told).toEqual([
        [-1, []],
        [1, [0, 1]],
        [2, [1]],
      ]);
    });
  });

  describe('losing the membership', () => {
    it.each([
      ['UNKNOWN_MEMBER_ID', ''],
      ['ILLEGAL_GENERATION', 'me'],
    ] as const)('by %s: partitions are lost, not revoked, and it joins as %p', async (name, memberId) => {
      const { member, coordinator, owner, clock } = await stable();
      coordinator.next('Heartbeat', error(name));
      coordinator.next('JoinGroup', joined(5)).next('SyncGroup', synced(0));
      await clock.advance(3_000);
      expect(owner.calls).toEqual(['assign 0,1', 'lose 0,1', 'assign 0']);
      expect(coordinator.requests('JoinGroup')[1]?.body.memberId).toBe(memberId);
      expect(member.identity).toMatchObject({ generation: 5, life: 1 });
    });

    it('leaves nobody to commit as', async () => {
      const { member, coordinator, owner, clock } = await stable();
      owner.holding = new Deferred();
      coordinator.next('Heartbeat', error('UNKNOWN_MEMBER_ID'));
      await clock.advance(3_000);
      expect(owner.calls.at(-1)).toBe('lose 0,1');
      expect(member.identity).toBeUndefined();
    });

    it('is heeded when a commit tells of it, but not when that commit is from an earlier self', async () => {
      const { member, coordinator, owner } = await stable();
      const { identity } = member;
      member.heed(ERROR_CODES.ILLEGAL_GENERATION, { ...(identity as object), generation: 0 } as never);
      await settled();
      expect(owner.calls).toEqual(['assign 0,1']);
      coordinator.next('JoinGroup', joined(2)).next('SyncGroup', synced(0));
      member.heed(ERROR_CODES.ILLEGAL_GENERATION, identity as never);
      await settled();
      expect(owner.calls).toEqual(['assign 0,1', 'lose 0,1', 'assign 0']);
    });

    it('is not what a commit tells that a rebalance has overtaken: the answer to the join says more', async () => {
      const { member, coordinator, owner, clock } = await stable();
      const { identity } = member;
      const joining = new Deferred<object>();
      coordinator.next('Heartbeat', error('REBALANCE_IN_PROGRESS')).next('JoinGroup', () => joining.promise);
      await clock.advance(3_000);
      member.heed(ERROR_CODES.ILLEGAL_GENERATION, identity as never);
      coordinator.next('SyncGroup', synced(0, 1));
      joining.resolve(joined(2));
      await settled();
      expect(owner.calls.some((call) => call.startsWith('lose'))).toBe(false);
      expect(coordinator.requests('JoinGroup')).toHaveLength(2);
      expect(member.state).toBe('stable');
    });

    it('is not what a commit tells between a join that was torn and the next one', async () => {
      const sticky = { assignors: [new CooperativeStickyAssignor()] };
      const { member, coordinator, owner, clock } = await stable([0, 1], sticky);
      const { identity } = member;
      coordinator.next('Heartbeat', error('REBALANCE_IN_PROGRESS'));
      coordinator.next('JoinGroup', () => Promise.reject(new KrafkaConnectionError('b:1', 'reset')));
      await clock.advance(3_000);
      expect(coordinator.requests('JoinGroup')).toHaveLength(2);
      member.heed(ERROR_CODES.ILLEGAL_GENERATION, identity as never);
      expect(member.identity).toEqual(identity);
      coordinator.next('JoinGroup', joined(2)).next('SyncGroup', synced(0, 1));
      await clock.advance(200);
      expect(member.identity?.generation).toBe(2);
      expect(owner.calls.some((call) => call.startsWith('lose'))).toBe(false);
      coordinator.next('JoinGroup', joined(3)).next('SyncGroup', synced(0, 1));
      member.heed(ERROR_CODES.ILLEGAL_GENERATION, member.identity as never);
      await settled();
      expect(owner.calls).toContain('lose 0,1');
    });

    it('by FENCED_INSTANCE_ID is for good', async () => {
      const { member, coordinator, fatal, clock } = await stable([0], { settings: { groupInstanceId: 'i' } });
      coordinator.next('Heartbeat', error('FENCED_INSTANCE_ID'));
      await clock.advance(3_000);
      expect(fatal).toMatchObject([{ code: 'FENCED' }]);
      expect(member.state).toBe('fatal');
      expect(clock.timers).toEqual([]);
    });
  });

  describe('errors on the way in', () => {
    it.each(['COORDINATOR_LOAD_IN_PROGRESS', 'NOT_COORDINATOR', 'COORDINATOR_NOT_AVAILABLE'] as const)(
      '%s: heeded, and tried again with backoff',
      async (name) => {
        const { member, coordinator, clock } = setUp();
        coordinator.next('JoinGroup', error(name)).next('JoinGroup', joined(1));
        coordinator.next('SyncGroup', error(name)).next('JoinGroup', joined(2)).next('SyncGroup', synced(0));
        member.start();
        await settled();
        expect(coordinator.requests('JoinGroup')).toHaveLength(1);
        await clock.advance(2_000);
        expect(member.state).toBe('stable');
        expect(coordinator.heeded.filter((code) => code === ERROR_CODES[name])).toHaveLength(2);
      },
    );

    it('a rebalance during SyncGroup: it joins again', async () => {
      const { member, coordinator, clock } = setUp();
      coordinator.next('JoinGroup', joined(1)).next('SyncGroup', error('REBALANCE_IN_PROGRESS'));
      coordinator.next('JoinGroup', joined(2)).next('SyncGroup', synced(0));
      member.start();
      await clock.advance(1_000);
      expect(member.identity?.generation).toBe(2);
    });

    it('UNKNOWN_MEMBER_ID: it joins as somebody new', async () => {
      const { member, coordinator, clock } = setUp();
      coordinator.next('JoinGroup', joined(1)).next('SyncGroup', error('UNKNOWN_MEMBER_ID'));
      coordinator.next('JoinGroup', joined(2, { memberId: 'new' })).next('SyncGroup', synced(0));
      member.start();
      await clock.advance(1_000);
      expect(coordinator.requests('JoinGroup')[1]?.body.memberId).toBe('');
      expect(member.identity).toMatchObject({ memberId: 'new' });
    });

    it.each(['GROUP_AUTHORIZATION_FAILED', 'INCONSISTENT_GROUP_PROTOCOL', 'INVALID_SESSION_TIMEOUT'] as const)(
      '%s is for good, and named',
      async (name) => {
        const { member, coordinator, fatal } = setUp();
        coordinator.next('JoinGroup', error(name));
        member.start();
        await settled();
        expect(fatal).toMatchObject([{ code: name }]);
        expect(fatal[0]?.message).toContain("'g'");
      },
    );

    it('a malformed assignment is for good: it is not taken for an empty one', async () => {
      const { member, coordinator, fatal, owner } = setUp();
      coordinator.next('JoinGroup', joined(1)).next('SyncGroup', { errorCode: 0, assignment: Buffer.alloc(0) });
      member.start();
      await settled();
      expect(fatal).toMatchObject([{ code: 'MALFORMED' }]);
      expect(owner.calls).toEqual([]);
    });

    it('a listener that throws is for good', async () => {
      const { member, coordinator, fatal, owner } = setUp();
      coordinator.next('JoinGroup', joined(1)).next('SyncGroup', synced(0));
      owner.assign = () => Promise.reject(new TypeError('mine'));
      member.start();
      await settled();
      expect(fatal[0]?.cause).toBeInstanceOf(TypeError);
    });
  });

  describe('as the leader', () => {
    it('assigns what all subscribe to, and keeps track of it', async () => {
      const { member, coordinator, tracked } = setUp({ counts: { t: 4, u: 2 } });
      coordinator.next('JoinGroup', asLeader(1)).next('SyncGroup', synced(0, 1));
      member.start();
      await settled();
      const { assignments } = coordinator.requests('SyncGroup')[0]?.body ?? {};
      const given = Object.fromEntries(
        assignments.map(({ memberId, assignment }: { memberId: string; assignment: Buffer }) => [
          memberId,
          decodeAssignment(assignment).map(({ topic, partition }) => keyOf(topic, partition)),
        ]),
      );
      expect(given).toEqual({ me: ['t/0', 't/1'], you: ['t/2', 't/3', 'u/0', 'u/1'] });
      expect(tracked).toEqual([['t', 'u']]);
    });

    it('gathers the group again when a topic of any member has changed', async () => {
      const { member, coordinator, counts, reasons, owner } = setUp({ counts: { t: 4, u: 2 } });
      coordinator.next('JoinGroup', asLeader(1)).next('SyncGroup', synced(0, 1));
      member.start();
      await settled();
      member.metadataChanged();
      await settled();
      expect(coordinator.requests('JoinGroup')).toHaveLength(1);
      counts['u'] = 3;
      coordinator.next('JoinGroup', asLeader(2)).next('SyncGroup', synced(0, 1));
      member.metadataChanged();
      await settled();
      expect(reasons).toEqual(["topic 'u' has 3 partitions now, it had 2 when they were given out"]);
      expect(owner.calls).toEqual(['assign 0,1', 'revoke 0,1', 'assign 0,1']);
    });

    it('gathers the group again when a topic has changed while what was given out was still being taken', async () => {
      const { member, coordinator, counts, owner, states } = setUp({ counts: { t: 4, u: 2 } });
      owner.holding = new Deferred();
      coordinator.next('JoinGroup', asLeader(1)).next('SyncGroup', synced(0, 1));
      member.start();
      await settled();
      counts['u'] = 3;
      member.metadataChanged();
      coordinator.next('JoinGroup', asLeader(2)).next('SyncGroup', synced(0, 1));
      owner.holding.resolve();
      await settled();
      expect(coordinator.requests('JoinGroup')).toHaveLength(2);
      expect(states.at(-1)).toBe('stable');
    });

    it('fails by name when a subscription is malformed: it does not assign fewer partitions', async () => {
      const { member, coordinator, fatal } = setUp();
      const group = asLeader(1) as { members: object[] };
      group.members[1] = { memberId: 'you', groupInstanceId: null, metadata: Buffer.of(0, 3) };
      coordinator.next('JoinGroup', group);
      member.start();
      await settled();
      expect(fatal).toMatchObject([{ code: 'MALFORMED' }]);
      expect(fatal[0]?.message).toContain("'you'");
      expect(coordinator.requests('SyncGroup')).toEqual([]);
    });

    it('as a follower does not watch', async () => {
      const { member, coordinator, counts } = await stable();
      counts['t'] = 9;
      member.metadataChanged();
      await settled();
      expect(coordinator.requests('JoinGroup')).toHaveLength(1);
    });
  });

  describe('leaving', () => {
    it('says goodbye, and beats no more', async () => {
      const all = await stable();
      all.coordinator.next('LeaveGroup', { errorCode: 0, members: [] });
      await leave(all);
      expect(all.coordinator.requests('LeaveGroup')[0]?.body).toMatchObject({
        groupId: 'g',
        members: [{ memberId: 'me', groupInstanceId: null }],
      });
      expect(all.coordinator.requests('LeaveGroup')[0]?.options.once).toBe(true);
      expect(all.member.state).toBe('left');
      expect(all.clock.timers).toEqual([]);
    });

    it('says it in the words of an old broker', async () => {
      const all = await stable();
      all.coordinator.version = 2;
      all.coordinator.next('LeaveGroup', { errorCode: 0 });
      await leave(all);
      expect(all.coordinator.requests('LeaveGroup')[0]?.body).toEqual({ groupId: 'g', memberId: 'me' });
    });

    it('goes on with heartbeats until it says goodbye, for what is handed back meanwhile', async () => {
      const all = await stable();
      all.coordinator.next('LeaveGroup', { errorCode: 0 });
      await all.member.halt(new Deadline(all.clock, 1_000, 'close timeoutMs'));
      await all.clock.advance(6_000);
      expect(all.coordinator.requests('Heartbeat')).toHaveLength(2);
      expect(all.member.identity).toBeDefined();
    });

    it('as a static member says nothing: its place is kept', async () => {
      const all = await stable([0], { settings: { groupInstanceId: 'i' } });
      await leave(all);
      expect(all.coordinator.requests('LeaveGroup')).toEqual([]);
      expect(all.member.state).toBe('left');
    });

    const sticky = { assignors: [new CooperativeStickyAssignor()] };
    const rejoining = async () => {
      const all = await stable([0, 1], sticky);
      const joining = new Deferred<object>();
      all.coordinator.next('Heartbeat', error('REBALANCE_IN_PROGRESS')).next('JoinGroup', () => joining.promise);
      await all.clock.advance(3_000);
      expect(all.member.state).toBe('joining');
      all.coordinator.released = 0;
      return { ...all, joining };
    };

    it('in the middle of a join waits for it, where work has gone on meanwhile: only then it can be committed', async () => {
      const { member, coordinator, owner, clock, joining } = await rejoining();
      const halting = member.halt(new Deadline(clock, 1_000, 'close timeoutMs'));
      await settled();
      expect(member.identity?.generation).toBe(1);
      coordinator.next('SyncGroup', synced(0));
      joining.resolve(joined(2));
      await halting;
      expect(member.identity?.generation).toBe(2);
      expect(owner.calls).toEqual(['assign 0,1']);
      expect(coordinator.requests('JoinGroup')).toHaveLength(2);
    });

    it('waits no longer for a join than half of its time', async () => {
      const { member, coordinator, clock } = await rejoining();
      const halting = member.halt(new Deadline(clock, 1_000, 'close timeoutMs'));
      await clock.advance(499);
      expect(coordinator.released).toBe(0);
      await clock.advance(1);
      await halting;
      expect(coordinator.released).toBe(1);
    });

    it('in the middle of a join lets go of the connection that the coordinator holds', async () => {
      const all = setUp();
      all.coordinator.next('JoinGroup', { ...error('MEMBER_ID_REQUIRED'), memberId: 'given' });
      all.coordinator.next('JoinGroup', () => new Promise(() => undefined));
      all.coordinator.next('LeaveGroup', { errorCode: 0 });
      all.member.start();
      await settled();
      await leave(all);
      expect(all.coordinator.released).toBe(1);
      expect(all.coordinator.requests('LeaveGroup')[0]?.body.members).toMatchObject([{ memberId: 'given' }]);
    });

    it('before it ever joined says nothing', async () => {
      const all = setUp();
      await leave(all);
      expect(all.coordinator.sent).toEqual([]);
    });

    it('does not wait longer than it may', async () => {
      const all = await stable();
      all.owner.holding = new Deferred();
      all.coordinator.next('Heartbeat', error('REBALANCE_IN_PROGRESS'));
      all.coordinator.next('LeaveGroup', { errorCode: 0 });
      await all.clock.advance(3_000);
      const left = leave(all);
      await all.clock.advance(1_000);
      await left;
      expect(all.member.state).toBe('left');
      all.owner.holding.resolve();
    });
  });
});
