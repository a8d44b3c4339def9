import {
  CreatePartitions,
  CreateTopics,
  DeleteGroups,
  DeleteRecords,
  DeleteTopics,
  DescribeConfigs,
  DescribeGroups,
  DescribeTopicPartitions,
  Fetch,
  IncrementalAlterConfigs,
  ListGroups,
  OffsetCommit,
  OffsetDelete,
  Produce,
  errorName,
  type ErrorName,
} from '../../core/protocol/index.js';
import { aBatch } from '../spec-support/batches.js';
import { GroupMember } from '../spec-support/group-member.js';
import { SpecBroker } from '../spec-support/spec-broker.js';
import type { WireClient } from '../spec-support/wire-client.js';

interface GivenTopic {
  readonly name?: string;
  readonly partitions?: number;
  readonly replicas?: number;
  readonly configs?: Readonly<Record<string, string | null>>;
  readonly assignments?: readonly (readonly number[])[];
}

describe('an operator', () => {
  let spec: SpecBroker;
  let client: WireClient;

  beforeEach(async () => {
    spec = await SpecBroker.start({ brokers: 2, topics: { orders: 2 } });
    for (const group of ['g', 'no']) spec.broker.moveCoordinator('group', group, 1);
    spec.broker.moveLeader('orders', 0, 1);
    client = await spec.connect();
  });
  afterEach(() => spec.close());

  const create = async (given: GivenTopic, validateOnly = false): Promise<[ErrorName, string | null]> => {
    const { name = 'new', configs = {}, assignments = [] } = given;
    const chosen = assignments.length > 0;
    const answer = await client.send(CreateTopics, 7, {
      topics: [
        {
          name,
          numPartitions: given.partitions ?? (chosen ? -1 : 1),
          replicationFactor: given.replicas ?? (chosen ? -1 : 1),
          assignments: assignments.map((brokerIds, partitionIndex) => ({ partitionIndex, brokerIds })),
          configs: Object.entries(configs).map(([config, value]) => ({ name: config, value })),
        },
      ],
      validateOnly,
    });
    const [one] = answer.topics;
    return [errorName(one?.errorCode ?? 0), one?.errorMessage ?? null];
  };

  it('creates topics, on the nodes of choice or of the cluster’s', async () => {
    expect(await create({ partitions: 4, replicas: 2 })).toEqual(['NONE', null]);
    expect(await create({ name: 'placed', assignments: [[2], [2], [1]] })).toEqual(['NONE', null]);
    expect([0, 1, 2].map((partition) => spec.broker.leaderOf('placed', partition))).toEqual([2, 2, 1]);
    expect(await create({ name: 'default', partitions: -1, replicas: -1 })).toEqual(['NONE', null]);
    expect(spec.broker.records('default')).toEqual([]);
  });

  it('tries without doing it', async () => {
    expect(await create({ name: 'tried' }, true)).toEqual(['NONE', null]);
    expect(() => spec.broker.records('tried')).toThrow(/does not exist/);
  });

  it.each<[string, GivenTopic, ErrorName]>([
    ['that exists', { name: 'orders' }, 'TOPIC_ALREADY_EXISTS'],
    ['without a name', { name: '' }, 'INVALID_TOPIC_EXCEPTION'],
    ['called ..', { name: '..' }, 'INVALID_TOPIC_EXCEPTION'],
    ['with a space in its name', { name: 'a b' }, 'INVALID_TOPIC_EXCEPTION'],
    ['with a name of 250 letters', { name: 'x'.repeat(250) }, 'INVALID_TOPIC_EXCEPTION'],
    ['without partitions', { partitions: 0 }, 'INVALID_PARTITIONS'],
    ['without replicas', { replicas: 0 }, 'INVALID_REPLICATION_FACTOR'],
    ['on more nodes than there are', { replicas: 3 }, 'INVALID_REPLICATION_FACTOR'],
    ['on a node there is not', { assignments: [[9]] }, 'INVALID_REPLICA_ASSIGNMENT'],
    ['twice on one node', { assignments: [[1, 1]] }, 'INVALID_REPLICA_ASSIGNMENT'],
    ['on no node', { assignments: [[]] }, 'INVALID_REPLICA_ASSIGNMENT'],
    ['on one node and on two', { assignments: [[1], [1, 2]] }, 'INVALID_REPLICA_ASSIGNMENT'],
    ['on nodes of choice and by number', { assignments: [[1]], partitions: 1 }, 'INVALID_REQUEST'],
    ['with a configuration there is not', { configs: { nonsense: '1' } }, 'INVALID_CONFIG'],
    ['with a value there is not', { configs: { 'retention.ms': 'long' } }, 'INVALID_CONFIG'],
    ['with a value out of range', { configs: { 'retention.ms': '-2' } }, 'INVALID_CONFIG'],
    ['with a word there is not', { configs: { 'cleanup.policy': 'burn' } }, 'INVALID_CONFIG'],
    ['with a number that is no 64 bits', { configs: { 'retention.ms': '9223372036854775808' } }, 'INVALID_CONFIG'],
    ['with a number that is no 32 bits', { configs: { 'max.message.bytes': '2147483648' } }, 'INVALID_CONFIG'],
    ['with a level that gzip has not', { configs: { 'compression.gzip.level': '0' } }, 'INVALID_CONFIG'],
    ['with a level that lz4 has not', { configs: { 'compression.lz4.level': '18' } }, 'INVALID_CONFIG'],
    ['with a level that zstd has not', { configs: { 'compression.zstd.level': '23' } }, 'INVALID_CONFIG'],
    ['with throttled nonsense', { configs: { 'leader.replication.throttled.replicas': 'x' } }, 'INVALID_CONFIG'],
    ['kept elsewhere', { configs: { 'remote.storage.enable': 'true' } }, 'INVALID_CONFIG'],
    ['compacted never', { configs: { 'min.compaction.lag.ms': '10', 'max.compaction.lag.ms': '5' } }, 'INVALID_CONFIG'],
    ['with no value', { configs: { 'retention.ms': null } }, 'INVALID_CONFIG'],
  ])('can’t create a topic %s', async (_what, given, error) => {
    expect((await create(given))[0]).toBe(error);
  });

  it('says which of a topic’s configurations is wrong: names before values', async () => {
    expect(await create({ configs: { 'retention.ms': 'x', 'no.such': '1' } })).toEqual([
      'INVALID_CONFIG',
      'Unknown topic config name: no.such',
    ]);
    expect(await create({ configs: { 'cleanup.policy': 'delete,burn' } })).toEqual([
      'INVALID_CONFIG',
      'Invalid value burn for configuration cleanup.policy: String must be one of: compact, delete',
    ]);
    expect(
      await create({ configs: { 'retention.bytes': '-2', 'leader.replication.throttled.replicas': '*' } }),
    ).toEqual(['NONE', null]);
  });

  it('can’t create two topics that differ by a dot and a line', async () => {
    await create({ name: 'a.b' });
    expect(await create({ name: 'a_b' })).toEqual([
      'INVALID_TOPIC_EXCEPTION',
      "Topic 'a_b' collides with existing topic: a.b",
    ]);
  });

  it('adds partitions, and takes none away', async () => {
    const grow = async (count: number, assignments: readonly { brokerIds: readonly number[] }[] | null = null) => {
      const topics = [{ name: 'orders', count, assignments }];
      const answer = await client.send(CreatePartitions, 3, { topics, timeoutMs: 1000, validateOnly: false });
      return errorName(answer.results[0]?.errorCode ?? 0);
    };
    expect(await grow(2)).toBe('INVALID_PARTITIONS');
    expect(await grow(1)).toBe('INVALID_PARTITIONS');
    expect(await grow(3, [])).toBe('INVALID_REPLICA_ASSIGNMENT');
    expect(await grow(3, [{ brokerIds: [2, 1] }])).toBe('NONE');
    expect(spec.broker.leaderOf('orders', 2)).toBe(2);
    expect(await grow(5)).toBe('NONE');
  });

  it('deletes topics with everything in them, offsets included', async () => {
    await client.send(OffsetCommit, 8, {
      groupId: 'g',
      topics: [{ name: 'orders', partitions: [{ partitionIndex: 0, committedOffset: 1, committedMetadata: null }] }],
    });
    const remove = async (topics: readonly { name: string | null; topicId?: string }[]) =>
      (await client.send(DeleteTopics, 6, { topics, timeoutMs: 1000 })).responses.map((one) =>
        errorName(one.errorCode),
      );
    const unknown = { name: null, topicId: 'AAAAAAAAAAAAAAAAAAAAAg' };
    expect(await remove([{ name: 'orders' }, { name: 'missing' }, unknown])).toEqual([
      'NONE',
      'UNKNOWN_TOPIC_OR_PARTITION',
      'UNKNOWN_TOPIC_ID',
    ]);
    expect(spec.broker.committed('g', 'orders', 0)).toBeUndefined();
  });

  it('deletes records up to an offset', async () => {
    for (const value of ['a', 'b', 'c']) {
      const records = await aBatch([value, value], { timestamp: spec.clock.now() });
      const topicData = [{ name: 'orders', partitionData: [{ index: 0, records }] }];
      await client.send(Produce, 9, { acks: -1, timeoutMs: 1000, topicData });
    }
    const remove = async (offset: number) => {
      const topics = [{ name: 'orders', partitions: [{ partitionIndex: 0, offset }] }];
      const [one] = (await client.send(DeleteRecords, 2, { topics, timeoutMs: 1000 })).topics[0]?.partitions ?? [];
      return [errorName(one?.errorCode ?? 0), one?.lowWatermark];
    };
    const errorAt = async (fetchOffset: number) => {
      const partitions = [{ partition: 0, fetchOffset, partitionMaxBytes: 1000 }];
      const topics = [{ topic: 'orders', partitions }];
      const answer = await client.send(Fetch, 11, { maxWaitMs: 0, minBytes: 0, sessionEpoch: -1, topics });
      return errorName(answer.responses[0]?.partitions[0]?.errorCode ?? 0);
    };
    expect(await remove(3)).toEqual(['NONE', 3]);
    expect(spec.broker.records('orders').map(({ offset }) => offset)).toEqual([3, 4, 5]);
    expect([await errorAt(2), await errorAt(3)]).toEqual(['OFFSET_OUT_OF_RANGE', 'NONE']);
    expect(await remove(1)).toEqual(['NONE', 3]);
    expect(await remove(7)).toEqual(['OFFSET_OUT_OF_RANGE', -1]);
    expect(await remove(-1)).toEqual(['NONE', 6]);
    spec.broker.createTopic('kept', { configs: { 'cleanup.policy': 'compact' } });
    spec.broker.moveLeader('kept', 0, 1);
    const kept = [{ name: 'kept', partitions: [{ partitionIndex: 0, offset: 0 }] }];
    const answer = await client.send(DeleteRecords, 2, { topics: kept, timeoutMs: 1000 });
    expect(errorName(answer.topics[0]?.partitions[0]?.errorCode ?? 0)).toBe('POLICY_VIOLATION');
  });

  describe('with configurations', () => {
    const alter = async (configs: readonly [string, number, string | null][], resourceName = 'orders') => {
      const resource = { resourceType: 2, resourceName };
      const answer = await client.send(IncrementalAlterConfigs, 1, {
        resources: [
          { ...resource, configs: configs.map(([name, configOperation, value]) => ({ name, configOperation, value })) },
        ],
        validateOnly: false,
      });
      return errorName(answer.responses[0]?.errorCode ?? 0);
    };
    const value = async (name: string) => {
      const resources = [{ resourceType: 2, resourceName: 'orders', configurationKeys: [name] }];
      const [one] = (await client.send(DescribeConfigs, 4, { resources })).results[0]?.configs ?? [];
      return [one?.value, one?.configSource];
    };

    it('sets, unsets, adds to and takes from them', async () => {
      expect(await value('retention.ms')).toEqual(['604800000', 5]);
      expect(await alter([['retention.ms', 0, '1000']])).toBe('NONE');
      expect(await value('retention.ms')).toEqual(['1000', 1]);
      expect(await alter([['retention.ms', 1, null]])).toBe('NONE');
      expect(await value('retention.ms')).toEqual(['604800000', 5]);
      expect(await alter([['cleanup.policy', 2, 'compact']])).toBe('NONE');
      expect(await value('cleanup.policy')).toEqual(['delete,compact', 1]);
      expect(await alter([['cleanup.policy', 3, 'delete']])).toBe('NONE');
      expect(await value('cleanup.policy')).toEqual(['compact', 1]);
    });

    it('changes all that is asked for or nothing', async () => {
      expect(
        await alter([
          ['retention.ms', 0, '1000'],
          ['nonsense', 0, '1'],
        ]),
      ).toBe('INVALID_CONFIG');
      expect(await value('retention.ms')).toEqual(['604800000', 5]);
      expect(await alter([['retention.ms', 2, '1']])).toBe('INVALID_CONFIG');
      expect(await alter([['retention.ms', 0, null]])).toBe('INVALID_REQUEST');
      expect(await alter([], 'missing')).toBe('UNKNOWN_TOPIC_OR_PARTITION');
    });

    it('is obeyed at once', async () => {
      await alter([['max.message.bytes', 0, '70']]);
      const records = await aBatch(['x'.repeat(100)], { timestamp: spec.clock.now() });
      const topicData = [{ name: 'orders', partitionData: [{ index: 0, records }] }];
      const answer = await client.send(Produce, 9, { acks: -1, timeoutMs: 1000, topicData });
      expect(errorName(answer.responses[0]?.partitionResponses[0]?.errorCode ?? 0)).toBe('MESSAGE_TOO_LARGE');
    });

    it('sees those of the node that is asked, and of no other', async () => {
      const errorOf = async (resourceName: string) => {
        const resources = [{ resourceType: 4, resourceName, configurationKeys: null }];
        return errorName((await client.send(DescribeConfigs, 4, { resources })).results[0]?.errorCode ?? 0);
      };
      expect([await errorOf('1'), await errorOf('2'), await errorOf('x'), await errorOf('')]).toEqual([
        'NONE',
        'INVALID_REQUEST',
        'INVALID_REQUEST',
        'NONE',
      ]);
    });
  });

  describe('with groups', () => {
    const join = async (): Promise<GroupMember> => {
      const member = new GroupMember(await spec.connect(), 'g');
      const joined = await member.joiningWithId();
      await spec.received('JoinGroup', 2);
      spec.clock.advance(0);
      await joined();
      await member.sync({ [member.memberId]: 'all' });
      return member;
    };
    const remove = async () =>
      errorName((await client.send(DeleteGroups, 2, { groupsNames: ['g'] })).results[0]?.errorCode ?? 0);

    it('sees their members once they are stable', async () => {
      const member = await join();
      const [group] = (await client.send(DescribeGroups, 6, { groups: ['g'] })).groups;
      expect(group).toMatchObject({ groupState: 'Stable', protocolType: 'consumer', protocolData: 'range' });
      expect(group?.members[0]).toMatchObject({
        memberId: member.memberId,
        clientId: 'spec',
        clientHost: '/127.0.0.1',
      });
      expect(group?.members[0]?.memberAssignment.toString()).toBe('all');
    });

    it('is told of one there is not, as its version can say it', async () => {
      const describeAt = async (version: number) => {
        const [one] = (await client.send(DescribeGroups, version, { groups: ['g'] })).groups;
        return [errorName(one?.errorCode ?? 0), one?.groupState];
      };
      expect([await describeAt(5), await describeAt(6)]).toEqual([
        ['NONE', 'Dead'],
        ['GROUP_ID_NOT_FOUND', 'Dead'],
      ]);
    });

    it('lists them by state and type', async () => {
      await join();
      const list = async (statesFilter: string[], typesFilter: string[]) =>
        (await client.send(ListGroups, 5, { statesFilter, typesFilter })).groups.map(({ groupId }) => groupId);
      expect(await list([], [])).toEqual(['g']);
      expect(await list(['stable'], ['Classic'])).toEqual(['g']);
      expect(await list(['Empty'], [])).toEqual([]);
      expect(await list([], ['consumer'])).toEqual([]);
      const elsewhere = await (await spec.connect(2)).send(ListGroups, 5, {});
      expect(elsewhere.groups).toEqual([]);
    });

    it('deletes those that are empty', async () => {
      expect(await remove()).toBe('GROUP_ID_NOT_FOUND');
      const member = await join();
      await member.commit(5);
      expect(await remove()).toBe('NON_EMPTY_GROUP');
      await member.leave();
      expect(await remove()).toBe('NONE');
      expect(spec.broker.committed('g', 'orders', 0)).toBeUndefined();
      expect(await remove()).toBe('GROUP_ID_NOT_FOUND');
    });

    it('deletes offsets of topics that nobody subscribes to', async () => {
      const removeOffset = async (name: string) => {
        const topics = [{ name, partitions: [{ partitionIndex: 0 }] }];
        const answer = await client.send(OffsetDelete, 0, { groupId: 'g', topics });
        return errorName(answer.topics[0]?.partitions[0]?.errorCode ?? answer.errorCode);
      };
      expect(await removeOffset('orders')).toBe('GROUP_ID_NOT_FOUND');
      const member = await join();
      await member.commit(5);
      expect(await removeOffset('orders')).toBe('GROUP_SUBSCRIBED_TO_TOPIC');
      expect(await removeOffset('missing')).toBe('UNKNOWN_TOPIC_OR_PARTITION');
      await member.leave();
      expect(await removeOffset('orders')).toBe('NONE');
      expect(spec.broker.committed('g', 'orders', 0)).toBeUndefined();
    });
  });

  it('can’t delete offsets of a group without a name, and is told once of a group named twice', async () => {
    const topics = [{ name: 'orders', partitions: [{ partitionIndex: 0 }] }];
    expect(errorName((await client.send(OffsetDelete, 0, { groupId: '', topics })).errorCode)).toBe('INVALID_GROUP_ID');
    const { results } = await client.send(DeleteGroups, 2, { groupsNames: ['no', 'no'] });
    expect(results.map(({ errorCode }) => errorName(errorCode))).toEqual(['GROUP_ID_NOT_FOUND']);
  });

  it('may do with a group that there is not what may be done with any', async () => {
    const answer = await client.send(DescribeGroups, 5, { groups: ['no'], includeAuthorizedOperations: true });
    expect(answer.groups[0]).toMatchObject({ groupState: 'Dead', authorizedOperations: 3_400 });
  });

  it('reads topics a page at a time', async () => {
    await create({ name: 'more', partitions: 3 });
    const page = async (cursor: { topicName: string; partitionIndex: number } | null) => {
      const answer = await client.send(DescribeTopicPartitions, 0, { topics: [], responsePartitionLimit: 2, cursor });
      const partitions = answer.topics.flatMap((topic) =>
        topic.partitions.map(({ partitionIndex }) => `${topic.name ?? ''}-${partitionIndex}`),
      );
      return [partitions, answer.nextCursor] as const;
    };
    const [first, next] = await page(null);
    const [second, then] = await page(next);
    const [third, end] = await page(then);
    expect([...first, ...second, ...third]).toEqual(['more-0', 'more-1', 'more-2', 'orders-0', 'orders-1']);
    expect([next, then, end]).toEqual([
      { topicName: 'more', partitionIndex: 2 },
      { topicName: 'orders', partitionIndex: 1 },
      null,
    ]);
  });
});
