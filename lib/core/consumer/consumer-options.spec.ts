import { KrafkaConfigError } from '../support/index.js';
import { checkAssignments, checkTopics, consumerSettings, type ConsumerOptions } from './consumer-options.js';

const refusal = (options: unknown): KrafkaConfigError => {
  try {
    consumerSettings(options as ConsumerOptions);
  } catch (error) {
    return error as KrafkaConfigError;
  }
  throw new Error('was not refused');
};

describe('consumerSettings', () => {
  it('has the defaults of the Java client, and of this one where Java has none', () => {
    expect(consumerSettings({ groupId: 'g', topics: ['t'] })).toEqual({
      groupId: 'g',
      topics: ['t'],
      topicPatternIntervalMs: 300_000,
      assignments: [],
      offsetReset: 'latest',
      sessionTimeoutMs: 45_000,
      heartbeatIntervalMs: 3_000,
      rebalanceTimeoutMs: 300_000,
      stuckAfterMs: 300_000,
      groupProtocol: 'classic',
      groupInstanceId: undefined,
      assignors: ['range', 'cooperative-sticky'],
      isolationLevel: 'read_uncommitted',
      autoCommit: true,
      autoCommitIntervalMs: 5_000,
      fetchMinBytes: 1,
      fetchMaxBytes: 52_428_800,
      fetchMaxWaitMs: 500,
      maxPartitionFetchBytes: 1_048_576,
      bufferBytes: 67_108_864,
      maxDecompressedBytes: 104_857_600,
      rack: '',
      requestTimeoutMs: 30_000,
      defaultApiTimeoutMs: 60_000,
      startTimeoutMs: 10_000,
      onUndecodable: 'fail',
      rebalanceListener: {},
    });
  });

  it('freezes what it checked', () => {
    expect(Object.isFrozen(consumerSettings({ groupId: 'g' }))).toBe(true);
  });

  it.each([
    [{ fromBeginning: true }, 'earliest'],
    [{ fromBeginning: false }, 'latest'],
    [{ offsetReset: 'none' }, 'none'],
    [{ offsetReset: { durationMs: 60_000 } }, { durationMs: 60_000 }],
  ])('takes %p for where to begin: %p', (options, offsetReset) => {
    expect(consumerSettings({ groupId: 'g', ...options } as ConsumerOptions).offsetReset).toEqual(offsetReset);
  });

  it.each<[unknown, string]>([
    [{ groupId: 'g', topic: ['t'] }, 'topic'],
    [{ groupId: '' }, 'groupId'],
    [{ groupId: 'g', topics: 't' }, 'topics'],
    [{ groupId: 'g', topics: ['a b'] }, 'topics[0]'],
    [{ groupId: 'g', topics: ['{"cmd":"x"}'] }, 'topics[0]'],
    [{ groupId: 'g', topics: ['t', 't'] }, 'topics'],
    [{ groupId: 'g', fetchMaxWaitMs: '500' }, 'fetchMaxWaitMs'],
    [{ groupId: 'g', fetchMinBytes: 0 }, 'fetchMinBytes'],
    [{ groupId: 'g', isolationLevel: 'read-committed' }, 'isolationLevel'],
    [{ groupId: 'g', offsetReset: 'erliest' }, 'offsetReset'],
    [{ groupId: 'g', offsetReset: { durationMs: 0 } }, 'offsetReset.durationMs'],
    [{ groupId: 'g', assignors: ['rang'] }, 'assignors[0]'],
    [{ groupId: 'g', assignors: [] }, 'assignors'],
    [{ groupId: 'g', rebalanceListener: { assigned: 1 } }, 'rebalanceListener.assigned'],
    [{ assignments: [{ topic: 't', partition: -1 }] }, 'assignments[0].partition'],
    [{ assignments: [{ topic: 't', partition: 0, offset: 'newest' }] }, 'assignments[0].offset'],
  ])('refuses %p, naming %s', (options, option) => {
    expect(refusal(options)).toMatchObject({ code: 'INVALID_CONFIG', option });
  });

  it('names the nearest option that exists', () => {
    expect(refusal({ groupId: 'g', sessionTimeout: 1 }).nearest).toBe('sessionTimeoutMs');
  });

  it.each([
    [{ groupId: 'g', assignments: [{ topic: 't', partition: 0 }] }, 'assignments'],
    [{ topics: ['t'], assignments: [{ topic: 't', partition: 0 }] }, 'assignments'],
    [{ groupId: 'g', fromBeginning: true, offsetReset: 'latest' }, 'fromBeginning'],
    [{ groupId: 'g', heartbeatIntervalMs: 45_000 }, 'heartbeatIntervalMs'],
    [{ groupId: 'g', autoCommit: false, autoCommitIntervalMs: 1 }, 'autoCommitIntervalMs'],
    [
      {
        assignments: [
          { topic: 't', partition: 0 },
          { topic: 't', partition: 0, offset: 5 },
        ],
      },
      'assignments',
    ],
  ])('refuses what contradicts itself: %p', (options, option) => {
    expect(refusal(options).option).toBe(option);
  });

  it.each([
    'topics',
    'sessionTimeoutMs',
    'heartbeatIntervalMs',
    'rebalanceTimeoutMs',
    'groupProtocol',
    'groupInstanceId',
    'assignors',
    'groupRemoteAssignor',
    'autoCommit',
    'autoCommitIntervalMs',
    'rebalanceListener',
  ] as const)('refuses %s without a group, where it would be ignored', (option) => {
    const given: ConsumerOptions = {
      topics: ['t'],
      sessionTimeoutMs: 50_000,
      heartbeatIntervalMs: 1,
      rebalanceTimeoutMs: 1,
      groupProtocol: 'classic',
      groupInstanceId: 'i',
      assignors: ['range'],
      groupRemoteAssignor: 'uniform',
      autoCommit: true,
      autoCommitIntervalMs: 1,
      rebalanceListener: {},
    };
    expect(refusal({ [option]: given[option] })).toMatchObject({ option });
  });

  it.each(['sessionTimeoutMs', 'heartbeatIntervalMs', 'assignors'] as const)(
    'refuses %s under the consumer protocol, and takes it for a wish for a classic group under auto',
    (option) => {
      const given = { sessionTimeoutMs: 50_000, heartbeatIntervalMs: 1, assignors: ['range'] as const };
      const options = { groupId: 'g', [option]: given[option] };
      expect(refusal({ ...options, groupProtocol: 'consumer' })).toMatchObject({ option });
      expect(consumerSettings({ ...options, groupProtocol: 'auto' }).groupProtocol).toBe('classic');
      expect(consumerSettings({ groupId: 'g', groupProtocol: 'auto' }).groupProtocol).toBe('auto');
    },
  );

  it('refuses an assignor of the coordinator where a leader assigns', () => {
    const options: ConsumerOptions = { groupId: 'g', groupRemoteAssignor: 'uniform' };
    for (const classic of [
      {},
      { groupProtocol: 'classic' },
      { groupProtocol: 'auto', sessionTimeoutMs: 50_000 },
    ] as const)
      expect(refusal({ ...options, ...classic })).toMatchObject({ option: 'groupRemoteAssignor' });
    for (const groupProtocol of ['consumer', 'auto'] as const)
      expect(consumerSettings({ ...options, groupProtocol }).groupRemoteAssignor).toBe('uniform');
  });

  it('says where an option is when it is part of another', () => {
    expect(() => consumerSettings({ groupId: '' }, 'consumer')).toThrow(/consumer\.groupId/);
  });
});

describe('what is given later', () => {
  it('is checked like the option of the same name', () => {
    expect(checkTopics(['a', 'b'])).toEqual(['a', 'b']);
    expect(() => checkTopics(['a/b'])).toThrow(KrafkaConfigError);
    expect(checkAssignments([{ topic: 'a', partition: 1 }])).toMatchObject([{ topic: 'a', partition: 1 }]);
    expect(() => checkAssignments([{ topic: 'a', partition: 1.5 }])).toThrow(KrafkaConfigError);
  });
});
