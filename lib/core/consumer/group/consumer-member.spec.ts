import { RequestPriority } from '../../network/index.js';
import { ERROR_CODES, type ErrorName } from '../../protocol/index.js';
import {
  Deadline,
  Deferred,
  KrafkaConnectionError,
  KrafkaProtocolError,
  type KrafkaError,
} from '../../support/index.js';
import { settled } from '../spec-support/fake-clock.js';
import { FakeOwner } from '../spec-support/fake-owner.js';
import { fakePorts } from '../spec-support/ports.js';
import { idOf, ScriptedCluster } from '../spec-support/scripted-cluster.js';
import { ScriptedCoordinator } from '../spec-support/scripted-coordinator.js';
import { ConsumerMember } from './consumer-member.js';

/** An answer to a heartbeat; `partitions` of topic t, none when nothing has changed. */
const answer = (memberEpoch: number, partitions?: number[]) => ({
  errorCode: 0,
  errorMessage: null,
  memberEpoch,
  heartbeatIntervalMs: 5_000,
  assignment:
    partitions === undefined
      ? null
      : { topicPartitions: partitions.length === 0 ? [] : [{ topicId: idOf('t'), partitions }] },
});
const refusal = (name: ErrorName) => ({ ...answer(0), errorCode: ERROR_CODES[name], errorMessage: 'says the broker' });

function setUp(options: { settings?: object; fallsBack?: boolean } = {}) {
  const ports = fakePorts();
  const coordinator = new ScriptedCoordinator().always(
    'ConsumerGroupHeartbeat',
    ({ memberEpoch }: { memberEpoch: number }) => answer(Math.max(1, memberEpoch)),
  );
  const cluster = new ScriptedCluster();
  cluster.lead({ t: [1, 1, 1, 1] });
  const owner = new FakeOwner();
  const states: string[] = [];
  const reasons: string[] = [];
  const fatal: KrafkaError[] = [];
  const unsupported: KrafkaError[] = [];
  const unmatched: KrafkaError[] = [];
  const looked: (readonly string[])[] = [];
  const tracked = new Set<readonly string[]>();
  const member = new ConsumerMember({
    coordinator,
    cluster: Object.assign(cluster, {
      refreshById: (ids: readonly string[]) => {
        looked.push(ids);
        return Promise.resolve(cluster.metadata);
      },
      track: (topics: readonly string[]) => {
        tracked.add(topics);
        return () => void tracked.delete(topics);
      },
    }),
    settings: {
      rebalanceTimeoutMs: 60_000,
      requestTimeoutMs: 30_000,
      groupInstanceId: undefined,
      groupRemoteAssignor: undefined,
      rack: '',
      ...options.settings,
    },
    topics: ['t'],
    owner,
    listener: {
      onState: (state) => states.push(state),
      onRebalance: (reason) => reasons.push(reason),
      onFatal: (error) => fatal.push(error),
    },
    ports,
    onUnmatched: (error) => unmatched.push(error),
    onUnsupported: options.fallsBack === true ? (error) => unsupported.push(error) : undefined,
  });
  const beats = () => coordinator.requests('ConsumerGroupHeartbeat').map(({ body }) => body);
  return {
    member,
    coordinator,
    cluster,
    owner,
    states,
    reasons,
    fatal,
    unsupported,
    unmatched,
    looked,
    tracked,
    beats,
    ...ports,
  };
}

/** A member with these partitions, which the coordinator has been told. */
async function stable(partitions: number[] = [0, 1], options: Parameters<typeof setUp>[0] = {}) {
  const all = setUp(options);
  all.coordinator.next('ConsumerGroupHeartbeat', answer(1, partitions));
  all.member.start();
  await settled();
  expect(all.member.state).toBe('stable');
  return all;
}

async function leave({ member, clock }: Awaited<ReturnType<typeof stable>>): Promise<void> {
  const deadline = new Deadline(clock, 1_000, 'close timeoutMs');
  await member.halt(deadline);
  await member.leave(deadline);
}

describe('ConsumerMember', () => {
  it('joins by a heartbeat that says everything, and takes what it is given', async () => {
    const { member, owner, states, beats, coordinator } = await stable([0, 1], { settings: { rack: 'r' } });
    expect(states).toEqual(['joining', 'stable']);
    expect(owner.calls).toEqual(['assign 0,1']);
    const { memberId } = beats()[0];
    expect(Buffer.from(memberId, 'base64url')).toHaveLength(16);
    expect(beats()[0]).toEqual({
      groupId: 'g',
      memberId,
      memberEpoch: 0,
      instanceId: null,
      rackId: 'r',
      rebalanceTimeoutMs: 60_000,
      subscribedTopicNames: ['t'],
      subscribedTopicRegex: '',
      serverAssignor: null,
      topicPartitions: [],
    });
    expect(coordinator.requests('ConsumerGroupHeartbeat')[0]?.options.priority).toBe(RequestPriority.High);
    expect(member.identity).toEqual({ memberId, generation: 1, groupInstanceId: null, life: 0 });
  });

  it('tells at once what it has taken, and then only what has changed', async () => {
    const { beats, clock } = await stable();
    expect(beats()).toHaveLength(2);
    expect(beats()[1]).toMatchObject({
      memberEpoch: 1,
      rackId: null,
      rebalanceTimeoutMs: -1,
      subscribedTopicNames: null,
      topicPartitions: [{ topicId: idOf('t'), partitions: [0, 1] }],
    });
    await clock.advance(5_000);
    expect(beats()[2]).toMatchObject({ rebalanceTimeoutMs: -1, subscribedTopicNames: null, topicPartitions: null });
  });

  it('says by which assignor it would be given partitions with all else, and not again', async () => {
    const { beats } = await stable([0], { settings: { groupRemoteAssignor: 'range' } });
    expect(beats().map(({ serverAssignor }) => serverAssignor)).toEqual(['range', null]);
  });

  it('beats as often as the coordinator says, whatever the owner is busy with', async () => {
    const { beats, coordinator, owner, clock } = await stable();
    coordinator.always('ConsumerGroupHeartbeat', { ...answer(1), heartbeatIntervalMs: 1_000 });
    await clock.advance(5_000);
    const before = beats().length;
    owner.holding = new Deferred();
    coordinator.next('ConsumerGroupHeartbeat', { ...answer(2, [0]), heartbeatIntervalMs: 1_000 });
    await clock.advance(10_000);
    expect(owner.calls).toContain('revoke 1');
    expect(beats().length - before).toBe(10);
    owner.holding.resolve();
  });

  it('gives back what is not its own any more before it takes what is new, and tells both', async () => {
    const { coordinator, owner, states, beats, clock, member } = await stable();
    coordinator.next('ConsumerGroupHeartbeat', answer(2, [1, 2]));
    await clock.advance(5_000);
    expect(owner.calls).toEqual(['assign 0,1', 'revoke 0', 'assign 2']);
    expect(states).toEqual(['joining', 'stable', 'rebalancing', 'stable']);
    const told = beats()
      .map(({ topicPartitions }) => topicPartitions?.[0]?.partitions)
      .filter((partitions) => partitions !== undefined);
    expect(told).toEqual([[0, 1], [1], [1, 2]]);
    expect(member.identity?.generation).toBe(2);
  });

  it('gives handlers the rebalance timeout, less a heartbeat in which the coordinator is told', async () => {
    const { coordinator, owner, clock } = await stable();
    coordinator.next('ConsumerGroupHeartbeat', answer(2, [0]));
    await clock.advance(5_000);
    expect(owner.deadlines).toEqual([55_000]);
  });

  it('counts that from when it heard of the assignment: what a listener takes of it is gone', async () => {
    const { member, coordinator, owner, clock } = setUp({ settings: { rebalanceTimeoutMs: 20_000 } });
    owner.holding = new Deferred();
    coordinator.next('ConsumerGroupHeartbeat', answer(1, [0, 1, 2]));
    coordinator.next('ConsumerGroupHeartbeat', answer(2, [0, 1]));
    member.start();
    await clock.advance(5_000);
    await clock.advance(10_000);
    owner.holding.resolve();
    owner.holding = new Deferred();
    await settled();
    expect(owner.calls).toEqual(['assign 0,1,2', 'revoke 2']);
    coordinator.next('ConsumerGroupHeartbeat', answer(3, [0]));
    await clock.advance(30_000);
    owner.holding.resolve();
    owner.holding = undefined;
    await settled();
    expect(owner.calls).toContain('revoke 1');
    expect(owner.deadlines).toEqual([5_000, 2_500]);
  });

  it('is a member with its new epoch while it gives back: commits need that', async () => {
    const { coordinator, owner, clock, member } = await stable();
    owner.holding = new Deferred();
    coordinator.next('ConsumerGroupHeartbeat', answer(2, [1]));
    await clock.advance(5_000);
    expect(member.identity?.generation).toBe(2);
    owner.holding.resolve();
  });

  it('follows the newest assignment when one comes while it follows another', async () => {
    const { coordinator, owner, clock } = await stable([0, 1]);
    owner.holding = new Deferred();
    coordinator.next('ConsumerGroupHeartbeat', answer(2, [0]));
    await clock.advance(5_000);
    coordinator.next('ConsumerGroupHeartbeat', answer(3, [0, 3]));
    await clock.advance(5_000);
    owner.holding.resolve();
    owner.holding = undefined;
    await settled();
    expect(owner.calls).toEqual(['assign 0,1', 'revoke 1', 'assign 3']);
    expect(owner.owned.map(({ partition }) => partition)).toEqual([0, 3]);
  });

  it('does nothing about an assignment that it has already', async () => {
    const { coordinator, owner, clock, states } = await stable();
    coordinator.next('ConsumerGroupHeartbeat', answer(1, [0, 1]));
    await clock.advance(5_000);
    expect(owner.calls).toEqual(['assign 0,1']);
    expect(states).toEqual(['joining', 'stable']);
  });

  it('waits until it knows the name of a topic that it is given', async () => {
    const { member, coordinator, cluster, owner, clock, looked } = setUp();
    cluster.lead({});
    coordinator.next('ConsumerGroupHeartbeat', answer(1, [0]));
    member.start();
    await clock.advance(2_000);
    expect(owner.calls).toEqual([]);
    expect(looked[0]).toEqual([idOf('t')]);
    cluster.lead({ t: [1] });
    await clock.advance(1_000);
    expect(owner.calls).toEqual(['assign 0']);
  });

  it('says everything anew after a heartbeat that had no answer', async () => {
    const { coordinator, beats, clock } = await stable();
    coordinator.next('ConsumerGroupHeartbeat', () => Promise.reject(new KrafkaConnectionError('b:1', 'reset')));
    await clock.advance(5_000);
    await clock.advance(200);
    expect(beats().at(-1)).toMatchObject({
      memberEpoch: 1,
      rebalanceTimeoutMs: 60_000,
      subscribedTopicNames: ['t'],
      topicPartitions: [{ partitions: [0, 1] }],
    });
  });

  it.each(['COORDINATOR_LOAD_IN_PROGRESS', 'NOT_COORDINATOR', 'COORDINATOR_NOT_AVAILABLE'] as const)(
    'tries again with backoff after %s, and heeds it',
    async (name) => {
      const { member, coordinator, beats, clock } = setUp();
      coordinator.next('ConsumerGroupHeartbeat', refusal(name)).next('ConsumerGroupHeartbeat', answer(1, [0]));
      member.start();
      await settled();
      expect(beats()).toHaveLength(1);
      await clock.advance(200);
      expect(member.state).toBe('stable');
      expect(coordinator.heeded).toContain(ERROR_CODES[name]);
    },
  );

  it.each(['UNKNOWN_MEMBER_ID', 'FENCED_MEMBER_EPOCH', 'GROUP_ID_NOT_FOUND'] as const)(
    'by %s loses its partitions, which are not revoked, and joins again as the same member',
    async (name) => {
      const { coordinator, owner, beats, clock, states, member } = await stable();
      coordinator.next('ConsumerGroupHeartbeat', refusal(name)).next('ConsumerGroupHeartbeat', answer(7, [2]));
      await clock.advance(5_000);
      expect(owner.calls).toEqual(['assign 0,1', 'lose 0,1', 'assign 2']);
      const rejoined = beats().filter(({ memberEpoch }) => memberEpoch === 0);
      expect(rejoined).toHaveLength(2);
      expect(rejoined[1]).toMatchObject({ memberId: beats()[0].memberId, topicPartitions: [] });
      expect(states).toEqual(['joining', 'stable', 'joining', 'stable']);
      expect(member.identity).toMatchObject({ generation: 7, life: 1 });
    },
  );

  it('does not storm a coordinator that contradicts itself', async () => {
    const { member, coordinator, beats, clock } = setUp();
    // A storm would never let the clock go on: it is left without an answer.
    coordinator.always('ConsumerGroupHeartbeat', () =>
      beats().length < 20 ? refusal('UNKNOWN_MEMBER_ID') : new Promise(() => undefined),
    );
    member.start();
    await clock.advance(1_000);
    expect(beats().length).toBeLessThan(8);
    coordinator.always('ConsumerGroupHeartbeat', answer(1, [0]));
    await clock.advance(1_000);
    expect(member.state).toBe('stable');
  });

  it('is nobody to commit as while it is lost', async () => {
    const { coordinator, owner, clock, member } = await stable();
    owner.holding = new Deferred();
    coordinator.next('ConsumerGroupHeartbeat', refusal('FENCED_MEMBER_EPOCH'));
    await clock.advance(5_000);
    expect(owner.calls.at(-1)).toBe('lose 0,1');
    expect(member.identity).toBeUndefined();
  });

  it('heeds a commit that tells it is lost, but not one from an earlier epoch', async () => {
    const { coordinator, owner, member } = await stable();
    const { identity } = member;
    member.heed(ERROR_CODES.UNKNOWN_MEMBER_ID, { memberId: 'x', generation: 0, groupInstanceId: null, life: 0 });
    member.heed(ERROR_CODES.STALE_MEMBER_EPOCH, identity as never);
    await settled();
    expect(owner.calls).toEqual(['assign 0,1']);
    coordinator.next('ConsumerGroupHeartbeat', answer(2, []));
    member.heed(ERROR_CODES.UNKNOWN_MEMBER_ID, identity as never);
    await settled();
    expect(owner.calls).toEqual(['assign 0,1', 'lose 0,1', 'assign ']);
  });

  it.each([
    'GROUP_AUTHORIZATION_FAILED',
    'UNRELEASED_INSTANCE_ID',
    'GROUP_MAX_SIZE_REACHED',
    'INVALID_REQUEST',
  ] as const)('ends for good with %s, in the words of the broker', async (name) => {
    const { member, coordinator, fatal, clock } = setUp();
    coordinator.next('ConsumerGroupHeartbeat', refusal(name));
    member.start();
    await settled();
    expect(fatal).toMatchObject([{ code: name }]);
    expect(fatal[0]?.message).toContain('says the broker');
    expect(clock.timers).toEqual([]);
  });

  describe('whose instance id the coordinator holds', () => {
    const settings = { groupInstanceId: 'i' };
    const cut = () => Promise.reject(new KrafkaConnectionError('b:1', 'reset'));
    const epochs = (beats: { memberEpoch: number }[]) => beats.map(({ memberEpoch }) => memberEpoch);

    it.each([
      ['gave it back', answer(-2)],
      ['was forgotten meanwhile', refusal('UNKNOWN_MEMBER_ID')],
    ])('for a join that was not answered leaves as who it was, and joins again when that %s', async (_what, left) => {
      const { member, coordinator, beats, clock, fatal } = setUp({ settings });
      coordinator
        .next('ConsumerGroupHeartbeat', cut)
        .next('ConsumerGroupHeartbeat', refusal('UNRELEASED_INSTANCE_ID'))
        .next('ConsumerGroupHeartbeat', left)
        .next('ConsumerGroupHeartbeat', answer(3, [0]));
      member.start();
      await clock.advance(2_000);
      expect(fatal).toEqual([]);
      expect(epochs(beats()).slice(0, 4)).toEqual([0, 0, -2, 0]);
      expect(beats()[2]).toMatchObject({ memberId: beats()[0].memberId, instanceId: 'i' });
      expect(member.state).toBe('stable');
    });

    it('for the membership that it has lost leaves as who it was, and joins again', async () => {
      const { member, coordinator, beats, clock } = await stable([0], { settings });
      const before = beats().length;
      coordinator
        .next('ConsumerGroupHeartbeat', refusal('FENCED_MEMBER_EPOCH'))
        .next('ConsumerGroupHeartbeat', refusal('UNRELEASED_INSTANCE_ID'))
        .next('ConsumerGroupHeartbeat', answer(-2))
        .next('ConsumerGroupHeartbeat', answer(7, [0]));
      await clock.advance(6_000);
      expect(epochs(beats()).slice(before, before + 4)).toEqual([1, 0, -2, 0]);
      expect(member.identity).toMatchObject({ generation: 7 });
    });

    it('for somebody else ends for good, in the words of the broker', async () => {
      const { member, coordinator, clock, fatal } = setUp({ settings });
      coordinator
        .next('ConsumerGroupHeartbeat', cut)
        .next('ConsumerGroupHeartbeat', refusal('UNRELEASED_INSTANCE_ID'))
        .next('ConsumerGroupHeartbeat', refusal('FENCED_INSTANCE_ID'));
      member.start();
      await clock.advance(2_000);
      expect(fatal).toMatchObject([{ code: 'UNRELEASED_INSTANCE_ID' }]);
    });
  });

  it('tells of other topics at once', async () => {
    const { member, beats } = await stable();
    member.subscribe(['t', 'u']);
    await settled();
    expect(beats().at(-1)).toMatchObject({ subscribedTopicNames: ['t', 'u'], topicPartitions: null });
  });

  describe('with a pattern', () => {
    /** The start of a member whose topics the coordinator is to find. */
    function matching(options: Parameters<typeof setUp>[0] = {}) {
      const all = setUp(options);
      all.member.match('t.*');
      return all;
    }

    it('sends it in place of names, once', async () => {
      const { member, beats, coordinator, clock } = matching();
      coordinator.next('ConsumerGroupHeartbeat', answer(1, [0]));
      member.start();
      await settled();
      await clock.advance(5_000);
      expect(beats()[0]).toMatchObject({ subscribedTopicNames: [], subscribedTopicRegex: 't.*' });
      expect(beats().length).toBeGreaterThan(2);
      for (const beat of beats().slice(1)) {
        expect(beat).toMatchObject({ subscribedTopicNames: null });
        expect(beat).not.toHaveProperty('subscribedTopicRegex');
      }
    });

    it('asks again soon while it is given nothing: the coordinator may not have looked yet', async () => {
      const { member, owner, coordinator, clock, states } = matching();
      coordinator.next('ConsumerGroupHeartbeat', answer(1, []));
      coordinator.next('ConsumerGroupHeartbeat', answer(1));
      coordinator.next('ConsumerGroupHeartbeat', answer(2, [0]));
      member.start();
      await clock.advance(300);
      expect(owner.calls).toEqual(['assign 0']);
      expect(states).toEqual(['joining', 'stable']);
    });

    it('is content with nothing when that stays so', async () => {
      const { member, owner, coordinator, clock, beats } = matching();
      coordinator.next('ConsumerGroupHeartbeat', answer(1, []));
      member.start();
      await clock.advance(2_500);
      expect(owner.calls).toEqual(['assign ']);
      expect(member.state).toBe('stable');
      const before = beats().length;
      await clock.advance(15_000);
      expect(beats().length - before).toBe(3);
    });

    it('has the topics it is given kept fresh until it leaves', async () => {
      const all = matching();
      const { member, coordinator, clock, tracked } = all;
      coordinator.next('ConsumerGroupHeartbeat', answer(1, [0, 1]));
      member.start();
      await settled();
      expect([...tracked].map((topics) => [...new Set(topics)])).toEqual([['t']]);
      coordinator.next('ConsumerGroupHeartbeat', answer(2, []));
      await clock.advance(5_000);
      expect(tracked.size).toBe(0);
      coordinator.next('ConsumerGroupHeartbeat', answer(3, [0]));
      await clock.advance(5_000);
      expect(tracked.size).toBe(1);
      await leave(all);
      expect(tracked.size).toBe(0);
    });

    it('changes from names to a pattern and back, and clears the other', async () => {
      const { member, beats } = await stable();
      member.match('u|v');
      await settled();
      expect(beats().at(-1)).toMatchObject({ subscribedTopicNames: [], subscribedTopicRegex: 'u|v' });
      member.subscribe(['t']);
      await settled();
      expect(beats().at(-1)).toMatchObject({ subscribedTopicNames: ['t'], subscribedTopicRegex: '' });
    });

    it('says it anew when it joins again', async () => {
      const { member, beats, coordinator, clock } = matching();
      coordinator.next('ConsumerGroupHeartbeat', answer(1, [0]));
      member.start();
      await settled();
      coordinator.next('ConsumerGroupHeartbeat', refusal('FENCED_MEMBER_EPOCH'));
      coordinator.next('ConsumerGroupHeartbeat', answer(7, [0]));
      await clock.advance(5_000);
      expect(beats().filter(({ memberEpoch }) => memberEpoch === 0)).toHaveLength(2);
      expect(beats().filter(({ subscribedTopicRegex }) => subscribedTopicRegex === 't.*')).toHaveLength(2);
    });

    it('is silent after a coordinator that is too old for it, until topics are named', async () => {
      const { member, beats, coordinator, unmatched, fatal, clock } = matching();
      coordinator.version = 0;
      member.start();
      await clock.advance(20_000);
      expect(beats()).toEqual([]);
      expect(unmatched).toMatchObject([{ message: expect.stringContaining('matches no patterns') }]);
      member.subscribe(['t']);
      await settled();
      expect(beats()[0]).toMatchObject({ subscribedTopicNames: ['t'] });
      expect(beats()[0]).not.toHaveProperty('subscribedTopicRegex');
      expect(fatal).toEqual([]);
    });

    it('is silent after a coordinator that refuses it, until topics are named', async () => {
      const { member, beats, coordinator, unmatched, fatal, owner, clock } = matching({ fallsBack: true });
      coordinator.next('ConsumerGroupHeartbeat', refusal('INVALID_REGULAR_EXPRESSION'));
      member.start();
      await clock.advance(20_000);
      expect(beats()).toHaveLength(1);
      expect(unmatched).toMatchObject([{ code: 'INVALID_REGULAR_EXPRESSION' }]);
      coordinator.next('ConsumerGroupHeartbeat', answer(1, [0]));
      member.subscribe(['t']);
      await settled();
      expect(beats()[1]).toMatchObject({ memberEpoch: 0, subscribedTopicNames: ['t'], subscribedTopicRegex: '' });
      expect(owner.calls).toEqual(['assign 0']);
      expect(fatal).toEqual([]);
    });

    it('that is refused when names have taken its place already ends nothing', async () => {
      const { member, beats, coordinator, unmatched, fatal, clock } = matching();
      coordinator.next('ConsumerGroupHeartbeat', async () => {
        member.subscribe(['t']);
        return refusal('INVALID_REGULAR_EXPRESSION');
      });
      member.start();
      await clock.advance(1);
      expect(beats().at(-1)).toMatchObject({ memberEpoch: 0, subscribedTopicNames: ['t'], subscribedTopicRegex: '' });
      expect([...unmatched, ...fatal]).toEqual([]);
    });
  });

  describe('where the broker does not know the protocol', () => {
    const unknown = new KrafkaProtocolError('UNSUPPORTED_VERSION', 'not spoken here');

    it('hands over to a classic member, and is heard of no more', async () => {
      const { member, coordinator, unsupported, fatal, clock } = setUp({ fallsBack: true });
      coordinator.next('ConsumerGroupHeartbeat', () => Promise.reject(unknown));
      member.start();
      await settled();
      expect(unsupported).toEqual([unknown]);
      member.abandon();
      await clock.advance(60_000);
      expect(coordinator.sent).toHaveLength(1);
      expect(fatal).toEqual([]);
    });

    it.each(['UNSUPPORTED_VERSION', 'GROUP_ID_NOT_FOUND'] as const)(
      'hands over when the coordinator says %s to a first heartbeat',
      async (name) => {
        const { member, coordinator, unsupported } = setUp({ fallsBack: true });
        coordinator.next('ConsumerGroupHeartbeat', refusal(name));
        member.start();
        await settled();
        expect(unsupported).toMatchObject([{ code: name }]);
      },
    );

    it('ends for good when it may not hand over', async () => {
      const { member, coordinator, fatal } = setUp();
      coordinator.next('ConsumerGroupHeartbeat', () => Promise.reject(unknown));
      member.start();
      await settled();
      expect(fatal).toEqual([unknown]);
    });
  });

  describe('leaving', () => {
    it('says goodbye for good', async () => {
      const all = await stable();
      await leave(all);
      expect(all.beats().at(-1)).toMatchObject({ memberEpoch: -1, instanceId: null });
      expect(all.coordinator.sent.at(-1)?.options.once).toBe(true);
      expect(all.member.state).toBe('left');
      expect(all.clock.timers).toEqual([]);
    });

    it('as a static member says that it will be back', async () => {
      const all = await stable([0], { settings: { groupInstanceId: 'i' } });
      await leave(all);
      expect(all.beats().at(-1)).toMatchObject({ memberEpoch: -2, instanceId: 'i' });
    });

    it('goes on with heartbeats until it says goodbye', async () => {
      const all = await stable();
      await all.member.halt(new Deadline(all.clock, 1_000, 'close timeoutMs'));
      const before = all.beats().length;
      await all.clock.advance(10_000);
      expect(all.beats().length - before).toBe(2);
      expect(all.member.identity).toBeDefined();
      expect(all.member.state).toBe('leaving');
    });

    it('before its join is answered says goodbye all the same: it may be counted in', async () => {
      const all = setUp();
      all.coordinator.next('ConsumerGroupHeartbeat', () => new Promise(() => undefined));
      all.coordinator.next('ConsumerGroupHeartbeat', refusal('UNKNOWN_MEMBER_ID'));
      all.member.start();
      await settled();
      await leave(all);
      expect(all.beats().map(({ memberEpoch }) => memberEpoch)).toEqual([0, -1]);
      expect(all.beats()[1].memberId).toBe(all.beats()[0].memberId);
    });

    it('before it has reached the coordinator sends nothing, and no join afterwards', async () => {
      const all = setUp();
      const connected = new Deferred<void>();
      all.coordinator.connecting = connected.promise;
      all.member.start();
      await leave(all);
      connected.resolve();
      await settled();
      expect(all.beats()).toEqual([]);
      expect(all.fatal).toEqual([]);
    });

    it('after its join was refused says nothing: nobody counts it in', async () => {
      const all = setUp();
      all.coordinator.next('ConsumerGroupHeartbeat', refusal('GROUP_MAX_SIZE_REACHED'));
      all.member.start();
      await settled();
      await leave(all);
      expect(all.beats()).toHaveLength(1);
    });

    it('before it ever was a member says nothing', async () => {
      const all = setUp();
      await leave(all);
      expect(all.coordinator.sent).toEqual([]);
    });
  });
});
