import {
  ConsumerGroupDescribe,
  ConsumerGroupHeartbeat,
  CreateTopics,
  Heartbeat,
  JoinGroup,
  OffsetCommit,
  OffsetFetch,
  errorName,
  type ErrorName,
} from '../../core/protocol/index.js';
import { SpecBroker } from '../spec-support/spec-broker.js';
import type { WireClient } from '../spec-support/wire-client.js';

interface Beat {
  readonly epoch?: number;
  readonly topics?: readonly string[];
  readonly regex?: string;
  /** Partitions of orders; undefined: it does not say. */
  readonly owned?: readonly number[];
  readonly rebalanceTimeoutMs?: number;
  readonly assignor?: string;
  readonly memberId?: string;
  readonly groupId?: string;
  readonly version?: number;
}

interface Answer {
  readonly error: ErrorName;
  readonly epoch: number;
  /** Partitions of every topic together; undefined: it was not told. */
  readonly partitions: readonly number[] | undefined;
}

describe('a group of the new protocol', () => {
  let spec: SpecBroker;
  let client: WireClient;
  let topicId: string;

  beforeEach(async () => {
    spec = await SpecBroker.start();
    client = await spec.connect();
    const topic = { name: 'orders', numPartitions: 4, replicationFactor: 1, assignments: [], configs: [] };
    topicId = (await client.send(CreateTopics, 7, { topics: [topic] })).topics[0]?.topicId ?? '';
  });
  afterEach(() => spec.close());

  class Member {
    epoch = 0;
    constructor(
      readonly id: string,
      readonly instanceId: string | null = null,
    ) {}

    async beat(given: Beat = {}): Promise<Answer> {
      const { owned } = given;
      const answer = await client.send(ConsumerGroupHeartbeat, given.version ?? 1, {
        groupId: given.groupId ?? 'g',
        memberId: given.memberId ?? this.id,
        memberEpoch: given.epoch ?? this.epoch,
        instanceId: this.instanceId,
        rebalanceTimeoutMs: given.rebalanceTimeoutMs ?? -1,
        subscribedTopicNames: given.topics ?? null,
        ...(given.regex === undefined ? {} : { subscribedTopicRegex: given.regex }),
        serverAssignor: given.assignor ?? null,
        topicPartitions: owned === undefined ? null : owned.length === 0 ? [] : [{ topicId, partitions: owned }],
      });
      if (answer.errorCode === 0 && answer.memberEpoch >= 0) this.epoch = answer.memberEpoch;
      return {
        error: errorName(answer.errorCode),
        epoch: answer.memberEpoch,
        partitions: answer.assignment?.topicPartitions.flatMap(({ partitions }) => partitions),
      };
    }

    join(given: Beat = {}): Promise<Answer> {
      return this.beat({ epoch: 0, topics: ['orders'], owned: [], rebalanceTimeoutMs: 5_000, ...given });
    }

    async commit(
      given: { epoch?: number; partition?: number; version?: number; memberId?: string } = {},
    ): Promise<ErrorName> {
      const answer = await client.send(OffsetCommit, given.version ?? 9, {
        groupId: 'g',
        generationIdOrMemberEpoch: given.epoch ?? this.epoch,
        memberId: given.memberId ?? this.id,
        topics: [
          {
            name: 'orders',
            partitions: [{ partitionIndex: given.partition ?? 0, committedOffset: 1, committedMetadata: null }],
          },
        ],
      });
      return errorName(answer.topics[0]?.partitions[0]?.errorCode ?? 0);
    }
  }

  const describeGroup = async () => {
    const answer = await client.send(ConsumerGroupDescribe, 1, { groupIds: ['g'], includeAuthorizedOperations: false });
    return answer.groups[0];
  };

  it('assigns everything to one that is alone, and says so once', async () => {
    const one = new Member('a');
    expect(await one.join()).toEqual({ error: 'NONE', epoch: 2, partitions: [0, 1, 2, 3] });
    expect(await one.beat()).toEqual({ error: 'NONE', epoch: 2, partitions: undefined });
    expect(await describeGroup()).toMatchObject({ groupState: 'Stable', groupEpoch: 2, assignmentEpoch: 2 });
  });

  it('tells a member all it has when it says all it has', async () => {
    const one = new Member('a');
    await one.join();
    const full = { topics: ['orders'], owned: [0, 1, 2, 3], rebalanceTimeoutMs: 5_000 };
    expect(await one.beat(full)).toMatchObject({ partitions: [0, 1, 2, 3] });
  });

  it('gives a newcomer nothing that another has not given up yet', async () => {
    const [one, two] = [new Member('a'), new Member('b')];
    await one.join();
    expect(await two.join()).toEqual({ error: 'NONE', epoch: 3, partitions: [] });
    expect((await describeGroup())?.groupState).toBe('Reconciling');
    expect(await one.beat()).toEqual({ error: 'NONE', epoch: 2, partitions: [0, 1] });
    expect(await one.beat()).toEqual({ error: 'NONE', epoch: 2, partitions: undefined });
    expect(await one.beat({ owned: [0, 1, 2, 3] })).toMatchObject({ epoch: 2 });
    expect(await two.beat()).toMatchObject({ partitions: undefined });
    expect(await one.beat({ owned: [0, 1] })).toEqual({ error: 'NONE', epoch: 3, partitions: undefined });
    expect(await two.beat()).toEqual({ error: 'NONE', epoch: 3, partitions: [2, 3] });
    expect((await describeGroup())?.groupState).toBe('Stable');
  });

  it('puts out a member that does not give up in time', async () => {
    const [one, two] = [new Member('a'), new Member('b')];
    await one.join({ rebalanceTimeoutMs: 5_000 });
    await two.join();
    await one.beat();
    spec.clock.advance(4_999);
    expect((await one.beat()).error).toBe('NONE');
    spec.clock.advance(1);
    expect((await one.beat()).error).toBe('UNKNOWN_MEMBER_ID');
    expect(await two.beat()).toMatchObject({ partitions: [0, 1, 2, 3] });
  });

  it('puts out a member that is silent for a session', async () => {
    const [one, two] = [new Member('a'), new Member('b')];
    await one.join();
    await two.join();
    spec.clock.advance(30_000);
    await two.beat();
    spec.clock.advance(20_000);
    expect((await one.beat()).error).toBe('UNKNOWN_MEMBER_ID');
    expect(await two.beat()).toMatchObject({ partitions: [0, 1, 2, 3] });
  });

  it('fences a member at another epoch than its own', async () => {
    const one = new Member('a');
    await one.join();
    expect((await one.beat({ epoch: 3 })).error).toBe('FENCED_MEMBER_EPOCH');
    expect((await one.beat({ epoch: 1 })).error).toBe('FENCED_MEMBER_EPOCH');
    expect((await one.join()).error).toBe('NONE');
  });

  it('bears with a member to which the last answer was lost, as long as it has no more than it may', async () => {
    const [one, two] = [new Member('a'), new Member('b')];
    await one.join();
    await two.join();
    await one.beat();
    await one.beat({ owned: [0, 1] });
    expect(one.epoch).toBe(3);
    expect(await one.beat({ epoch: 2, owned: [0, 1] })).toMatchObject({ error: 'NONE', epoch: 3 });
    expect((await one.beat({ epoch: 2, owned: [0, 2] })).error).toBe('FENCED_MEMBER_EPOCH');
    expect((await one.beat({ epoch: 2 })).error).toBe('FENCED_MEMBER_EPOCH');
  });

  it('begins a new epoch when a subscription changes, or a topic that is subscribed to', async () => {
    const one = new Member('a');
    await one.join({ topics: ['orders', 'later'] });
    spec.broker.createTopic('elsewhere');
    expect(await one.beat()).toMatchObject({ epoch: 2, partitions: undefined });
    spec.broker.createTopic('later', 1);
    expect(await one.beat()).toMatchObject({ epoch: 3, partitions: [0, 1, 2, 3, 0] });
    expect(await one.beat({ topics: ['later'] })).toMatchObject({ epoch: 3, partitions: [0] });
  });

  it('takes topics by a regular expression, and looks for them after it has answered', async () => {
    const one = new Member('a');
    const join = { epoch: 0, owned: [], rebalanceTimeoutMs: 5_000 };
    expect(await one.beat({ ...join, regex: 'ord.*' })).toMatchObject({ partitions: [] });
    expect(await one.beat()).toMatchObject({ partitions: [0, 1, 2, 3] });
    // No part of a name will do.
    expect(await one.beat({ regex: 'rder' })).toMatchObject({ partitions: [] });
    expect((await one.beat({ owned: [] })).partitions ?? []).toEqual([]);
    expect((await describeGroup())?.members[0]?.subscribedTopicRegex).toBe('rder');
    await one.beat({ regex: '' });
    expect((await describeGroup())?.members[0]?.subscribedTopicRegex).toBe('');
  });

  it('gives out topics that come to fit the regular expression later, internal ones too', async () => {
    const one = new Member('a');
    await one.beat({ epoch: 0, regex: '(?i)__CONSUMER_(?P<what>offsets|y)', owned: [], rebalanceTimeoutMs: 5_000 });
    const topic = { numPartitions: 2, replicationFactor: 1, assignments: [], configs: [] };
    await client.send(CreateTopics, 7, { topics: [{ ...topic, name: '__consumer_offsets' }] });
    await one.beat();
    expect(await one.beat()).toMatchObject({ partitions: [0, 1] });
  });

  it.each(['[', 'a(?=b)', 'a(?!b)', '(?<=a)b', '(?<!a)b', '(a)\\1', '(?<a>a)\\k<a>'])(
    'refuses %s, as RE2 does',
    async (regex) => {
      const answer = await new Member('b').beat({ epoch: 0, regex, owned: [], rebalanceTimeoutMs: 1 });
      expect(answer.error).toBe('INVALID_REGULAR_EXPRESSION');
    },
  );

  it('assigns as most of its members ask for', async () => {
    const [one, two] = [new Member('a'), new Member('b')];
    await one.join({ assignor: 'range' });
    await two.join({ assignor: 'range' });
    expect((await describeGroup())?.assignorName).toBe('range');
    expect((await new Member('c').join({ assignor: 'best' })).error).toBe('UNSUPPORTED_ASSIGNOR');
  });

  it('assigns no more often than it is told to', async () => {
    await spec.close();
    spec = await SpecBroker.start({ topics: { orders: 4 }, groupConsumerAssignmentIntervalMs: 1_000 });
    client = await spec.connect();
    const [one, two] = [new Member('a'), new Member('b')];
    await one.join();
    expect(await two.join()).toMatchObject({ epoch: 2, partitions: [] });
    expect((await describeGroup())?.groupState).toBe('Assigning');
    spec.clock.advance(1_000);
    expect(await two.beat()).toMatchObject({ epoch: 3 });
  });

  describe('with static members', () => {
    it('keeps what one has while it is away', async () => {
      const [one, other] = [new Member('a', 'i'), new Member('b', 'i')];
      await one.join();
      expect((await other.join()).error).toBe('UNRELEASED_INSTANCE_ID');
      expect((await other.beat({ epoch: one.epoch })).error).toBe('FENCED_INSTANCE_ID');
      expect(await one.beat({ epoch: -2 })).toMatchObject({ error: 'NONE', epoch: -2 });
      expect(await other.join()).toEqual({ error: 'NONE', epoch: 2, partitions: [0, 1, 2, 3] });
      expect((await one.beat()).error).toBe('FENCED_INSTANCE_ID');
      expect((await describeGroup())?.groupEpoch).toBe(2);
    });

    it('has one join under a name only when the one before is away, itself included', async () => {
      const one = new Member('a', 'i1');
      const joining: Beat = { epoch: 0, topics: ['orders'], owned: [], rebalanceTimeoutMs: 5_000 };
      expect(await one.beat(joining)).toMatchObject({ error: 'NONE' });
      expect(await one.beat(joining)).toMatchObject({ error: 'UNRELEASED_INSTANCE_ID' });
      expect(await new Member('b', 'i1').beat(joining)).toMatchObject({ error: 'UNRELEASED_INSTANCE_ID' });
      await one.beat({ epoch: -2 });
      expect(await one.beat(joining)).toMatchObject({ error: 'NONE', partitions: [0, 1, 2, 3] });
    });

    it('knows nobody by a name that has not joined', async () => {
      const one = new Member('a', 'i1');
      await one.beat({ epoch: 0, topics: ['orders'], owned: [], rebalanceTimeoutMs: 5_000 });
      const renamed = new Member('a', 'i2');
      expect(await renamed.beat({ epoch: one.epoch })).toMatchObject({ error: 'UNKNOWN_MEMBER_ID' });
    });

    it('does not keep it for ever', async () => {
      const [one, two] = [new Member('a', 'i'), new Member('b')];
      await one.join();
      await one.beat({ epoch: -2 });
      spec.clock.advance(45_000);
      expect(await two.join()).toMatchObject({ partitions: [0, 1, 2, 3] });
    });
  });

  it('takes commits of its members alone, and at an epoch since which they have had the partition', async () => {
    const [one, two] = [new Member('a'), new Member('b')];
    await one.join();
    expect(await one.commit()).toBe('NONE');
    expect(await one.commit({ epoch: 1 })).toBe('STALE_MEMBER_EPOCH');
    expect(await one.commit({ epoch: 3 })).toBe('STALE_MEMBER_EPOCH');
    expect(await one.commit({ memberId: 'stranger' })).toBe('UNKNOWN_MEMBER_ID');
    expect(await one.commit({ memberId: '', epoch: -1 })).toBe('UNKNOWN_MEMBER_ID');
    expect(await one.commit({ version: 8 })).toBe('UNSUPPORTED_VERSION');
    await two.join();
    await one.beat();
    await one.beat({ owned: [0, 1] });
    expect(await one.commit({ epoch: 2, partition: 0 })).toBe('NONE');
    expect(await one.commit({ epoch: 2, partition: 2 })).toBe('STALE_MEMBER_EPOCH');
    await two.beat();
    expect(await two.commit({ epoch: 2, partition: 2 })).toBe('STALE_MEMBER_EPOCH');
  });

  it('tells its offsets to its members at their epoch, and to whoever is none', async () => {
    const one = new Member('a');
    await one.join();
    await one.commit();
    const offsets = async (memberId: string | null, memberEpoch: number) => {
      const groups = [{ groupId: 'g', memberId, memberEpoch, topics: [{ name: 'orders', partitionIndexes: [0] }] }];
      const answer = await client.send(OffsetFetch, 9, { groups });
      return [errorName(answer.groups[0]?.errorCode ?? 0), answer.groups[0]?.topics[0]?.partitions[0]?.committedOffset];
    };
    expect(await offsets('a', 2)).toEqual(['NONE', 1]);
    expect(await offsets(null, -1)).toEqual(['NONE', 1]);
    expect(await offsets('a', 9)).toEqual(['STALE_MEMBER_EPOCH', undefined]);
    expect(await offsets('stranger', 2)).toEqual(['UNKNOWN_MEMBER_ID', undefined]);
  });

  it('is left, and known no more to who left', async () => {
    const one = new Member('a');
    await one.join();
    expect(await one.beat({ epoch: -1 })).toMatchObject({ error: 'NONE', epoch: -1 });
    expect((await one.beat({ epoch: -1 })).error).toBe('UNKNOWN_MEMBER_ID');
    expect((await one.beat()).error).toBe('UNKNOWN_MEMBER_ID');
    expect(await describeGroup()).toMatchObject({ groupState: 'Empty', groupEpoch: 3 });
  });

  it('shares no members with the classic protocol, and changes to it when it is empty', async () => {
    const one = new Member('a');
    await one.join();
    const join = async () => {
      const answer = await client.send(JoinGroup, 9, {
        groupId: 'g',
        sessionTimeoutMs: 10_000,
        memberId: '',
        protocolType: 'consumer',
        protocols: [{ name: 'range', metadata: Buffer.alloc(0) }],
      });
      return errorName(answer.errorCode);
    };
    expect(await join()).toBe('INCONSISTENT_GROUP_PROTOCOL');
    const heartbeat = await client.send(Heartbeat, 4, { groupId: 'g', generationId: 2, memberId: 'a' });
    expect(errorName(heartbeat.errorCode)).toBe('UNKNOWN_MEMBER_ID');
    await one.beat({ epoch: -1 });
    expect(await join()).toBe('MEMBER_ID_REQUIRED');
    expect((await one.join()).error).toBe('GROUP_ID_NOT_FOUND');
  });

  it.each<[string, Beat, ErrorName]>([
    ['without a group', { groupId: '' }, 'INVALID_REQUEST'],
    ['without an id', { memberId: '' }, 'INVALID_REQUEST'],
    ['without a rebalance timeout', { rebalanceTimeoutMs: -1 }, 'INVALID_REQUEST'],
    ['without topics', { topics: undefined }, 'INVALID_REQUEST'],
    ['with partitions', { owned: [1] }, 'INVALID_REQUEST'],
    ['at an epoch there is not', { epoch: -3 }, 'INVALID_REQUEST'],
    ['as a static member that is none', { epoch: -2 }, 'INVALID_REQUEST'],
    ['as a member of a group there is not', { epoch: 1 }, 'GROUP_ID_NOT_FOUND'],
  ])('is not joined %s', async (_how, given, error) => {
    expect((await new Member('a').join(given)).error).toBe(error);
  });

  it('has a name, and members have ids, of more than blanks', async () => {
    const joining: Beat = { epoch: 0, topics: ['orders'], owned: [], rebalanceTimeoutMs: 5_000 };
    expect(await new Member(' ').beat(joining)).toMatchObject({ error: 'INVALID_REQUEST' });
    expect(await new Member('a').beat({ ...joining, groupId: ' ' })).toMatchObject({ error: 'INVALID_REQUEST' });
    const { groups } = await client.send(ConsumerGroupDescribe, 1, {
      groupIds: [''],
      includeAuthorizedOperations: false,
    });
    expect(groups.map(({ errorCode }) => errorName(errorCode))).toEqual(['INVALID_GROUP_ID']);
  });

  it('shows what a member has still to give up as its own', async () => {
    const one = new Member('a');
    await one.beat({ epoch: 0, topics: ['orders'], owned: [], rebalanceTimeoutMs: 5_000 });
    await one.beat({ topics: ['other'] });
    const { groups } = await client.send(ConsumerGroupDescribe, 1, {
      groupIds: ['g'],
      includeAuthorizedOperations: false,
    });
    const [member] = groups[0]?.members ?? [];
    expect(member?.assignment.topicPartitions.map(({ partitions }) => partitions)).toEqual([[0, 1, 2, 3]]);
    expect(member?.targetAssignment.topicPartitions).toEqual([]);
  });

  it('gives a member its id, in version 0 only', async () => {
    const joins = (version: number) => new Member('').join({ version });
    expect(await joins(0)).toMatchObject({ error: 'NONE', partitions: [0, 1, 2, 3] });
    expect((await joins(1)).error).toBe('INVALID_REQUEST');
  });
});
