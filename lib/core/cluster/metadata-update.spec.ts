import { ERROR_CODES, type AnswerOf, type Metadata, type ResponseOf } from '../protocol/index.js';
import { ClusterMetadata } from './cluster-metadata.js';
import { applyLeaders, applyMetadata, describeBroker, withBroker, withoutTopics } from './metadata-update.js';
import { topicAnswer, type ScriptedPartition } from './spec-support/scripted-cluster.js';

type Answer = AnswerOf<typeof Metadata>;
const ID = 'AAAAAAAAAAAAAAAAAAAAAQ';
const OTHER_ID = 'AAAAAAAAAAAAAAAAAAAAAg';

const answer = (topics: Answer['topics'], changes: Partial<Answer> = {}): ResponseOf<typeof Metadata> =>
  ({
    throttleTimeMs: 0,
    brokers: [
      { nodeId: 1, host: 'a', port: 9092, rack: null },
      { nodeId: 2, host: 'b', port: 9092, rack: 'r2' },
    ],
    clusterId: 'c',
    controllerId: 1,
    topics,
    clusterAuthorizedOperations: 0,
    errorCode: 0,
    ...changes,
  }) as unknown as ResponseOf<typeof Metadata>;

const after = (...answers: Answer['topics'][]): ClusterMetadata =>
  answers.reduce((known, topics) => applyMetadata(known, answer(topics)).metadata, ClusterMetadata.empty);

const leaders = (metadata: ClusterMetadata, topic = 't'): ScriptedPartition[] | undefined =>
  metadata.topics.get(topic)?.partitions.map(({ leader, leaderEpoch }) => [leader, leaderEpoch] as const);

describe('a metadata response', () => {
  it('tells of brokers, topics and leaders', () => {
    const metadata = after([topicAnswer('t', [[2, 5]], { id: ID })]);
    expect(metadata.clusterId).toBe('c');
    expect(metadata.controllerId).toBe(1);
    expect(metadata.brokers.get(2)).toEqual({ nodeId: 2, host: 'b', port: 9092, rack: 'r2', address: 'b:9092' });
    expect(metadata.leaderOf('t', 0)?.nodeId).toBe(2);
    expect(metadata.leaderOf('t', 1)).toBeUndefined();
    expect(metadata.leaderOf('u', 0)).toBeUndefined();
    expect(metadata.topicNameOf(ID)).toBe('t');
    expect(metadata.topicNameOf(OTHER_ID)).toBeUndefined();
  });

  it('is put in order by partition number', () => {
    const topic = topicAnswer('t', [
      [1, 0],
      [2, 0],
    ]);
    const metadata = after([{ ...topic, partitions: topic.partitions.toReversed() }]);
    expect(metadata.topics.get('t')?.partitions.map(({ partition }) => partition)).toEqual([0, 1]);
  });

  it('leaves topics alone that it does not speak of', () => {
    const metadata = after([topicAnswer('t', [[1, 0]])], [topicAnswer('u', [[1, 0]])]);
    expect([...metadata.topics.keys()]).toEqual(['t', 'u']);
  });

  it('gives the same snapshot back when it says nothing new, and shares what stayed', () => {
    const topics = [topicAnswer('t', [[1, 0]], { id: ID }), topicAnswer('u', [[1, 0]], { id: OTHER_ID })];
    const first = after(topics);
    expect(applyMetadata(first, answer(topics)).metadata).toBe(first);
    const second = applyMetadata(first, answer([topicAnswer('u', [[2, 1]], { id: OTHER_ID })])).metadata;
    expect(second).not.toBe(first);
    expect(second.version).toBe(first.version + 1);
    expect(second.topics.get('t')).toBe(first.topics.get('t'));
    expect(second.brokers).toBe(first.brokers);
  });

  it.each(['UNKNOWN_TOPIC_OR_PARTITION', 'TOPIC_AUTHORIZATION_FAILED', 'INVALID_TOPIC_EXCEPTION'] as const)(
    'drops a topic on %s, and says so',
    (error) => {
      const { metadata, problems } = applyMetadata(
        after([topicAnswer('t', [[1, 0]])]),
        answer([topicAnswer('t', [], { error })]),
      );
      expect(metadata.topics.has('t')).toBe(false);
      expect(problems.get('t')).toBe(ERROR_CODES[error]);
    },
  );

  it('keeps what was known of a topic that the broker can not describe now', () => {
    const before = after([topicAnswer('t', [[1, 0]])]);
    const { metadata, problems } = applyMetadata(
      before,
      answer([topicAnswer('t', [], { error: 'LEADER_NOT_AVAILABLE' })]),
    );
    expect(leaders(metadata)).toEqual([[1, 0]]);
    expect(problems.get('t')).toBe(ERROR_CODES.LEADER_NOT_AVAILABLE);
  });

  it('is not believed where its leader epoch is older than the one known', () => {
    const metadata = after(
      [
        topicAnswer(
          't',
          [
            [1, 7],
            [1, 3],
          ],
          { id: ID },
        ),
      ],
      [
        topicAnswer(
          't',
          [
            [2, 6],
            [2, 4],
          ],
          { id: ID },
        ),
      ],
    );
    expect(leaders(metadata)).toEqual([
      [1, 7],
      [2, 4],
    ]);
  });

  it('is believed at any epoch when the topic was created again', () => {
    const metadata = after([topicAnswer('t', [[1, 7]], { id: ID })], [topicAnswer('t', [[2, 0]], { id: OTHER_ID })]);
    expect(leaders(metadata)).toEqual([[2, 0]]);
    expect(metadata.topics.get('t')?.id).toBe(OTHER_ID);
    expect(metadata.topicNameOf(ID)).toBeUndefined();
  });

  it('is believed at any epoch from brokers that tell no topic ids', () => {
    expect(leaders(after([topicAnswer('t', [[1, 7]])], [topicAnswer('t', [[2, 0]])]))).toEqual([[2, 0]]);
  });

  it('takes over that a partition has no leader', () => {
    const metadata = after([topicAnswer('t', [[1, 7]], { id: ID })], [topicAnswer('t', [[-1, 8]], { id: ID })]);
    expect(leaders(metadata)).toEqual([[-1, 8]]);
    expect(metadata.leaderOf('t', 0)).toBeUndefined();
  });

  it('never takes partitions away within one topic id', () => {
    const grown = [
      topicAnswer(
        't',
        [
          [1, 0],
          [1, 0],
        ],
        { id: ID },
      ),
    ];
    const lagging = [topicAnswer('t', [[1, 0]], { id: ID })];
    expect(leaders(after(grown, lagging))).toHaveLength(2);
    expect(leaders(after(grown, [topicAnswer('t', [[1, 0]], { id: OTHER_ID })]))).toHaveLength(1);
  });

  it.each([
    ['a hole', [0, 2]],
    ['a number below zero', [-1, 0]],
    ['a number twice', [0, 0]],
    ['a number far beyond', [0, 2_000_000_000]],
  ])('with %s among its partitions is a topic that is not there yet', (_what, numbers) => {
    const broken = topicAnswer(
      't',
      numbers.map(() => [1, 0] as const),
      { id: ID },
    );
    const topics = [
      {
        ...broken,
        partitions: broken.partitions.map((partition, index) => ({ ...partition, partitionIndex: numbers[index]! })),
      },
    ];
    expect(leaders(after(topics))).toEqual([]);
    expect(leaders(after([topicAnswer('t', [[1, 0]], { id: ID })], topics))).toEqual([[1, 0]]);
  });

  it('from another cluster makes everything known before void', () => {
    const metadata = applyMetadata(
      after([topicAnswer('t', [[1, 9]], { id: ID })]),
      answer([], { clusterId: 'd' }),
    ).metadata;
    expect(metadata.clusterId).toBe('d');
    expect(metadata.topics.size).toBe(0);
  });

  it('replaces the brokers', () => {
    const brokers = [{ nodeId: 2, host: 'moved', port: 1, rack: null }];
    const metadata = applyMetadata(after([]), answer([], { brokers })).metadata;
    expect([...metadata.brokers.keys()]).toEqual([2]);
    expect(metadata.brokers.get(2)?.address).toBe('moved:1');
  });
});

describe('news of a leader', () => {
  const known = after([
    topicAnswer(
      't',
      [
        [1, 5],
        [1, 5],
      ],
      { id: ID },
    ),
  ]);

  it('takes over a newer epoch', () => {
    const metadata = applyLeaders(known, [{ topic: 't', partition: 1, leaderId: 2, leaderEpoch: 6 }]);
    expect(leaders(metadata)).toEqual([
      [1, 5],
      [2, 6],
    ]);
    expect(leaders(known)).toEqual([
      [1, 5],
      [1, 5],
    ]);
  });

  it.each([5, 4, -1])('changes nothing at epoch %i when 5 is known', (leaderEpoch) => {
    expect(applyLeaders(known, [{ topic: 't', partition: 0, leaderId: 2, leaderEpoch }])).toBe(known);
  });

  it('changes nothing for what is not known: topic, partition, or a broker without its address', () => {
    const changes = [
      { topic: 'u', partition: 0, leaderId: 2, leaderEpoch: 9 },
      { topic: 't', partition: 7, leaderId: 2, leaderEpoch: 9 },
      { topic: 't', partition: 0, leaderId: 3, leaderEpoch: 9 },
    ];
    expect(applyLeaders(known, changes)).toBe(known);
  });

  it('brings the new broker with it', () => {
    const node = { host: 'c', port: 9092 };
    const metadata = applyLeaders(known, [{ topic: 't', partition: 0, leaderId: 3, leaderEpoch: 6, node }]);
    expect(metadata.leaderOf('t', 0)?.address).toBe('c:9092');
    expect(metadata.brokers.size).toBe(3);
  });

  it('of several partitions makes one snapshot', () => {
    const metadata = applyLeaders(known, [
      { topic: 't', partition: 0, leaderId: 2, leaderEpoch: 6 },
      { topic: 't', partition: 1, leaderId: 2, leaderEpoch: 6 },
    ]);
    expect(leaders(metadata)).toEqual([
      [2, 6],
      [2, 6],
    ]);
    expect(metadata.version).toBe(known.version + 1);
  });
});

describe('a snapshot', () => {
  const known = after([topicAnswer('t', [[1, 5]])]);

  it('learns of a broker it does not know, and where one is that it knows; its rack stays', () => {
    const stranger = describeBroker({ nodeId: 9, host: 'z', port: 1, rack: 'r' });
    const learned = withBroker(known, stranger);
    expect(learned.brokers.get(9)).toBe(stranger);
    expect(withBroker(learned, describeBroker({ nodeId: 9, host: 'z', port: 1, rack: null }))).toBe(learned);
    const moved = withBroker(learned, describeBroker({ nodeId: 9, host: 'z', port: 2, rack: null }));
    expect(moved.brokers.get(9)).toEqual(describeBroker({ nodeId: 9, host: 'z', port: 2, rack: 'r' }));
  });

  it('forgets topics', () => {
    expect(withoutTopics(known, ['t']).topics.size).toBe(0);
    expect(withoutTopics(known, ['u'])).toBe(known);
  });
});
