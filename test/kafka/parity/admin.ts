import {
  CreatePartitions,
  CreateTopics,
  DeleteTopics,
  DescribeCluster,
  FindCoordinator,
  IncrementalAlterConfigs,
  Metadata,
} from '../../../lib/core/protocol/index.js';
import type { Scenario } from './stage.js';

interface GivenTopic {
  readonly name: string;
  readonly numPartitions?: number;
  readonly replicationFactor?: number;
  readonly assignments?: readonly { readonly partitionIndex: number; readonly brokerIds: readonly number[] }[];
  readonly configs?: readonly (readonly [name: string, value: string | null])[];
}

export const creations: Scenario = async (stage) => {
  const client = await stage.connect();
  const name = (word: string): string => stage.name(word);
  const create = async (what: string, given: readonly GivenTopic[], validateOnly = false): Promise<void> => {
    const topics = given.map(({ configs = [], ...topic }) => ({
      numPartitions: 1,
      replicationFactor: 1,
      assignments: [],
      ...topic,
      configs: configs.map(([config, value]) => ({ name: config, value })),
    }));
    const answer = await client.send(CreateTopics, 7, { topics, timeoutMs: 5_000, validateOnly });
    stage.answer(
      what,
      answer.topics.map(({ configs: _all, ...topic }) => topic),
    );
  };
  await create('none', []);
  await create('one', [{ name: name('one') }]);
  await create('one again', [{ name: name('one') }]);
  await create('one twice', [{ name: name('twice') }, { name: name('other') }, { name: name('twice') }]);
  await create('tried', [{ name: name('tried') }], true);
  await create('by default', [{ name: name('default'), numPartitions: -1, replicationFactor: -1 }]);
  for (const numPartitions of [0, -2, 10_001]) await create('partitions', [{ name: name('odd'), numPartitions }]);
  await create('too many together', [{ name: name('much'), numPartitions: 10_000 }, { name: name('more') }]); // prettier-ignore
  for (const replicationFactor of [0, -2, 2]) await create('replicas', [{ name: name('odd'), replicationFactor }]);
  for (const illegal of ['', '.', '..', 'a b', 'x'.repeat(250), '__cluster_metadata']) {
    await create('name', [{ name: illegal }]);
  }
  await create('alike at once', [{ name: name('a.b') }, { name: name('a_b') }]);
  await create('alike later', [{ name: name('a_b.c') }]);
  await create('alike later', [{ name: name('a.b_c') }]);
  const placed = (...places: readonly (readonly [index: number, ...ids: number[]])[]): GivenTopic => ({
    name: name('placed'),
    numPartitions: -1,
    replicationFactor: -1,
    assignments: places.map(([partitionIndex, ...brokerIds]) => ({ partitionIndex, brokerIds })),
  });
  for (const places of [
    [[0]],
    [[0, 7]],
    [[0, 1, 1]],
    [
      [0, 1],
      [1, 1, 2],
    ],
    [
      [0, 1],
      [0, 1],
    ],
    [[1, 1]],
    [[-1, 1]],
  ] as const) {
    await create('placed', [placed(...places)]);
  }
  await create('placed and counted', [{ ...placed([0, 1]), numPartitions: 1 }]);
  for (const config of [
    ['cleanup.policy', 'delete,burn'],
    ['cleanup.policy', ' compact , delete'],
    ['retention.ms', '9223372036854775807'],
    ['retention.ms', '9223372036854775808'],
    ['retention.ms', '-2'],
    ['retention.ms', ' 5 '],
    ['retention.ms', null],
    ['retention.bytes', '-2'],
    ['max.message.bytes', '2147483648'],
    ['compression.gzip.level', '0'],
    ['compression.gzip.level', '-1'],
    ['compression.lz4.level', '18'],
    ['compression.zstd.level', '23'],
    ['compression.zstd.level', '-131073'],
    ['leader.replication.throttled.replicas', 'x'],
    ['leader.replication.throttled.replicas', '0:1,1:2'],
    ['follower.replication.throttled.replicas', '*'],
    ['remote.storage.enable', 'true'],
    ['no.such', '1'],
  ] as const) {
    await create(`configured ${config.join(' ')}`, [{ name: name(`configured${config.join()}`.replaceAll(/\W/g, '')), configs: [config] }]); // prettier-ignore
  }
  await create('configured twice wrong', [{ name: name('wrong'), configs: [['retention.ms', 'x'], ['no.such', '1']] }]); // prettier-ignore
  await create('compacted never', [{ name: name('never'), configs: [['min.compaction.lag.ms', '10'], ['max.compaction.lag.ms', '5']] }]); // prettier-ignore

  const grow = async (what: string, given: readonly (readonly [word: string, count: number])[]): Promise<void> => {
    const topics = given.map(([word, count]) => ({ name: name(word), count, assignments: null }));
    const answer = await client.send(CreatePartitions, 3, { topics, timeoutMs: 5_000, validateOnly: false });
    stage.answer(what, answer.results);
  };
  await grow('grow', [['one', 2]]);
  await grow('grow twice', [['other', 2], ['one', 3], ['one', 4]]); // prettier-ignore
  await grow('shrink', [['one', 1]]);
};

export const deletions: Scenario = async (stage) => {
  const client = await stage.connect();
  const [a, b, c] = [stage.name('a'), stage.name('b'), stage.name('c')];
  const [idOfA, idOfB] = [await stage.topic(a, 1), await stage.topic(b, 1)];
  await stage.topic(c, 1);
  const remove = async (what: string, topics: readonly { name: string | null; topicId?: string }[]): Promise<void> => {
    const answer = await client.send(DeleteTopics, 6, { topics, timeoutMs: 5_000 });
    // Kafka shuffles them.
    stage.answer(
      what,
      answer.responses.toSorted((x, y) => (JSON.stringify(x) < JSON.stringify(y) ? -1 : 1)),
    );
  };
  const byId = (topicId: string) => ({ name: null, topicId });
  await remove('none', []);
  await remove('unknown', [{ name: stage.name('no') }]);
  await remove('unknown id', [byId('AAAAAAAAAAAAAAAAAAAAAg')]);
  await remove('nothing', [{ name: null }]);
  await remove('both', [{ name: a, topicId: idOfA }]);
  await remove('twice', [{ name: a }, { name: a }, { name: stage.name('no') }]);
  await remove('twice by id', [byId(idOfA), byId(idOfA)]);
  await remove('by name and id', [{ name: a }, byId(idOfA)]);
  await remove('still there', [{ name: a }, byId(idOfB)]);
  await remove('gone', [{ name: a }, byId(idOfB)]);
  const older = await client.send(DeleteTopics, 5, { topicNames: [c, c], timeoutMs: 5_000 });
  stage.answer('twice before ids', older.responses);
};

export const alterations: Scenario = async (stage) => {
  const client = await stage.connect();
  const topic = stage.name('altered');
  await stage.topic(topic, 1, { 'cleanup.policy': 'compact' });
  const [set, remove, append, subtract] = [0, 1, 2, 3] as const;
  type Change = readonly [operation: number, name: string, value: string | null];
  const alter = async (what: string, changes: readonly Change[], type = 2, resourceName = topic): Promise<void> => {
    const configs = changes.map(([configOperation, name, value]) => ({ name, configOperation, value }));
    const resources = [{ resourceType: type, resourceName, configs }];
    const answer = await client.send(IncrementalAlterConfigs, 1, { resources, validateOnly: false });
    stage.answer(what, answer.responses);
  };
  const missing = stage.name('missing');
  await alter('append', [[append, 'cleanup.policy', 'delete']]);
  await alter('append a stranger', [[append, 'cleanup.policy', 'burn']]);
  await alter('subtract', [[subtract, 'cleanup.policy', 'compact']]);
  await alter('to less than the other', [[set, 'max.compaction.lag.ms', '5']]);
  await alter('to more than the other', [[set, 'min.compaction.lag.ms', '10']]);
  await alter('both', [[set, 'min.compaction.lag.ms', '10'], [remove, 'max.compaction.lag.ms', null]]); // prettier-ignore
  await alter('a missing topic', [[set, 'retention.ms', '5']], 2, missing);
  await alter('a missing topic to nonsense', [[set, 'retention.ms', 'x']], 2, missing);
  await alter('an illegal topic', [[set, 'retention.ms', '5']], 2, 'a b');
  await alter('no topic', [[set, 'retention.ms', '5']], 2, '');
  await alter('another broker', [[set, 'num.partitions', '5']], 4, '9');
  await alter('no broker', [[set, 'num.partitions', '5']], 4, 'x');
};

export const metadataOf: Scenario = async (stage) => {
  const client = await stage.connect();
  const [a, b] = [stage.name('a'), stage.name('b')];
  const idOfA = await stage.topic(a, 2);
  await stage.topic(b, 1);
  const ask = async (
    what: string,
    topics: readonly { name: string | null; topicId?: string }[],
    version = 12,
  ): Promise<void> => {
    const answer = await client.send(Metadata, version, { topics, allowAutoTopicCreation: false });
    stage.answer(`${what} v${version}`, answer);
  };
  const missing = stage.name('missing');
  for (const version of [4, 7, 12]) await ask('known', [{ name: a }], version);
  await ask('twice', [{ name: a }, { name: a }, { name: missing }, { name: missing }]);
  await ask('known first', [{ name: missing }, { name: b }, { name: 'a b' }, { name: a }]);
  for (const version of [10, 11, 12]) await ask('by id', [{ name: null, topicId: idOfA }], version);
  await ask('by id with a name', [{ name: missing, topicId: idOfA }], 12);
  await ask('by id with a name', [{ name: a, topicId: idOfA }], 11);
  await ask('by id and by name', [{ name: b }, { name: null, topicId: idOfA }]);
  await ask('by an unknown id', [{ name: null, topicId: 'AAAAAAAAAAAAAAAAAAAAAg' }, { name: null, topicId: idOfA }]); // prettier-ignore
  await ask('by nothing', [{ name: null }]);
  for (const endpointType of [1, 2, 0, 7]) {
    stage.answer(
      `endpoints ${endpointType}`,
      await client.send(DescribeCluster, 1, { endpointType, includeClusterAuthorizedOperations: false }),
    );
  }
  const key = stage.name('key');
  await stage.coordinator(key, 0);
  for (const keyType of [0, 9]) {
    stage.answer(`coordinator ${keyType}`, await client.send(FindCoordinator, 3, { key, keyType }));
    stage.answer(`coordinator ${keyType}`, await client.send(FindCoordinator, 6, { keyType, coordinatorKeys: [key] }));
  }
};
