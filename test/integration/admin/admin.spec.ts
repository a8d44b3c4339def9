import { KrafkaAggregateError, type Admin, type Krafka, type KrafkaError } from '../../../lib/core/index.js';
import { openTestCluster, type TestCluster } from '../../support/test-cluster.js';

const failureOf = (promise: Promise<unknown>): Promise<KrafkaError> =>
  promise.then(
    () => Promise.reject(new Error('it succeeded')),
    (error: unknown) => error as KrafkaError,
  );

/** For records that say they are of 1970: Kafka deletes what is older than a topic's retention whenever it looks. */
const KEPT = { 'retention.ms': '-1' };

describe('the admin', () => {
  let cluster: TestCluster;
  let krafka: Krafka;
  let admin: Admin;
  beforeAll(async () => {
    cluster = await openTestCluster();
    krafka = cluster.krafka({ allowAutoTopicCreation: false });
    admin = krafka.admin();
  });
  afterAll(() => cluster.close());

  /** Values one to `count`, one batch each, in partition 0. */
  async function filled(topic: string, count: number, timestamp = 1_000): Promise<void> {
    const producer = krafka.producer({ lingerMs: 0 });
    for (let index = 0; index < count; index++) {
      await producer.send({ topic, partition: 0, value: `${index}`, timestamp: timestamp + index });
    }
    await producer.close();
  }

  it('describes the cluster', async () => {
    const { clusterId, brokers, controllerId } = await admin.describeCluster();
    expect(clusterId).toEqual(expect.any(String));
    expect(brokers.map(({ address }) => address).join()).toMatch(/:\d+/);
    expect(brokers.map(({ nodeId }) => nodeId)).toContain(controllerId);
  });

  it('creates topics whose partitions have leaders, lists, describes and deletes them', async () => {
    const [a, b] = [cluster.name('a'), cluster.name('b')];
    const created = await admin.createTopics([
      { name: a, partitions: 3, configs: { 'retention.ms': '123456' } },
      { name: b },
    ]);
    expect(created).toMatchObject([
      { name: a, partitions: 3, created: true },
      { name: b, created: true },
    ]);
    const described = await admin.describeTopics([b, a]);
    expect(described.map(({ name }) => name)).toEqual([b, a]);
    expect(described[1]!.partitions.every(({ leader }) => leader >= 0)).toBe(true);
    expect((await admin.listTopics()).map(({ name }) => name)).toEqual(expect.arrayContaining([a, b]));
    await admin.deleteTopics([a, b]);
    // The controller has deleted them; brokers hear of it a moment later.
    while ((await admin.listTopics()).some(({ name }) => name === a || name === b));
    expect(await failureOf(admin.deleteTopics([a]))).toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION', topic: a });
    await admin.deleteTopics([a], { missing: 'ignore' });
  });

  it('does not create a topic twice, nor change one that is there', async () => {
    const name = await cluster.newTopic(2);
    expect(await failureOf(admin.createTopics([{ name }]))).toMatchObject({
      code: 'TOPIC_ALREADY_EXISTS',
      topic: name,
    });
    await expect(admin.createTopics([{ name, partitions: 5 }], { existing: 'ignore' })).resolves.toMatchObject([
      { name, partitions: 2, created: false },
    ]);
  });

  it('tells of each topic that could not be created, and creates the others', async () => {
    const [good, copies, config] = [cluster.name('good'), cluster.name('copies'), cluster.name('config')];
    const error = await failureOf(
      admin.createTopics([
        { name: good },
        { name: copies, replicationFactor: 99 },
        { name: config, configs: { 'no.such.config': '1' } },
        { name: 'not a topic!' },
      ]),
    );
    expect(error).toBeInstanceOf(KrafkaAggregateError);
    expect((error as KrafkaAggregateError).errors.map(({ code }) => code)).toEqual([
      'INVALID_REPLICATION_FACTOR',
      'INVALID_CONFIG',
      'INVALID_TOPIC_EXCEPTION',
    ]);
    await expect(admin.describeTopics([good])).resolves.toHaveLength(1);
  });

  it('only validates when asked to', async () => {
    const name = cluster.name('never');
    await expect(admin.createTopics([{ name, partitions: 2 }], { validateOnly: true })).resolves.toMatchObject([
      { name, created: false },
    ]);
    expect(await failureOf(admin.describeTopics([name]))).toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION' });
  });

  it('adds partitions, but never takes them away', async () => {
    const topic = await cluster.newTopic(1);
    await admin.createPartitions([{ topic, count: 3 }]);
    expect((await admin.describeTopics([topic]))[0]!.partitions).toHaveLength(3);
    expect(await failureOf(admin.createPartitions([{ topic, count: 2 }]))).toMatchObject({
      code: 'INVALID_PARTITIONS',
      topic,
    });
  });

  it('reads and alters configurations', async () => {
    const topic = await cluster.newTopic(1, { 'retention.ms': '123456' });
    const read = async (): Promise<Record<string, string | null>> => {
      const [told] = await admin.describeConfigs([
        { type: 'topic', name: topic, keys: ['retention.ms', 'cleanup.policy', 'max.message.bytes'] },
      ]);
      return Object.fromEntries(told!.entries.map(({ name, value }) => [name, value]));
    };
    await expect(read()).resolves.toMatchObject({ 'retention.ms': '123456', 'cleanup.policy': 'delete' });
    await admin.incrementalAlterConfigs([
      {
        type: 'topic',
        name: topic,
        set: { 'max.message.bytes': '2000' },
        unset: ['retention.ms'],
        append: { 'cleanup.policy': 'compact' },
      },
    ]);
    // The controller has it; brokers hear of it a moment later.
    while ((await read())['max.message.bytes'] !== '2000');
    await expect(read()).resolves.toMatchObject({
      'retention.ms': '604800000',
      'cleanup.policy': 'delete,compact',
      'max.message.bytes': '2000',
    });
    expect(
      await failureOf(
        admin.incrementalAlterConfigs([{ type: 'topic', name: topic, set: { 'cleanup.policy': 'rubbish' } }]),
      ),
    ).toMatchObject({ code: 'INVALID_CONFIG', topic });
  });

  it('finds offsets by place and by time', async () => {
    const topic = await cluster.newTopic(2, KEPT);
    await filled(topic, 5);
    const at = (partition: number, point: Parameters<Admin['listOffsets']>[0][number]['at']) => ({
      topic,
      partition,
      at: point,
    });
    const offsets = await admin.listOffsets([
      at(0, 'earliest'),
      at(0, 'latest'),
      at(0, { timestamp: 1_003 }),
      at(0, { timestamp: 9_999 }),
      at(0, 'max-timestamp'),
      at(1, 'latest'),
    ]);
    expect(offsets.map(({ offset }) => offset)).toEqual([0, 5, 3, -1, 4, 0]);
    expect((await admin.listOffsets([{ topic, at: 'latest' }])).map(({ offset }) => offset)).toEqual([5, 0]);
    expect(await failureOf(admin.listOffsets([at(7, 'latest')]))).toMatchObject({
      code: 'UNKNOWN_TOPIC_OR_PARTITION',
      topic,
      partition: 7,
    });
  });

  it('deletes records before an offset', async () => {
    const topic = await cluster.newTopic(1, KEPT);
    await filled(topic, 5);
    await expect(admin.deleteRecords([{ topic, partition: 0, offset: 3 }])).resolves.toEqual([
      { topic, partition: 0, offset: 3 },
    ]);
    await expect(admin.listOffsets([{ topic, at: 'earliest' }])).resolves.toMatchObject([{ offset: 3 }]);
    expect(await failureOf(admin.deleteRecords([{ topic, partition: 0, offset: 99 }]))).toMatchObject({
      code: 'OFFSET_OUT_OF_RANGE',
      topic,
      partition: 0,
    });
  });

  it('keeps the offsets of a group that nobody is in', async () => {
    const topic = await cluster.newTopic(2, KEPT);
    const group = cluster.name('group');
    await filled(topic, 5);
    await expect(admin.listGroupOffsets(group)).resolves.toEqual([]);
    await admin.alterGroupOffsets(group, [
      { topic, partition: 0, offset: 4, metadata: 'note' },
      { topic, partition: 1, offset: 0 },
    ]);
    await expect(admin.listGroupOffsets(group)).resolves.toMatchObject([
      { topic, partition: 0, offset: 4, metadata: 'note' },
      { topic, partition: 1, offset: 0 },
    ]);
    await expect(
      admin.listGroupOffsets(group, { partitions: [{ topic, partition: 0 }], requireStable: true }),
    ).resolves.toHaveLength(1);

    const plan = await admin.resetOffsets(group, { to: { shiftBy: -3 }, dryRun: true });
    expect(plan.map(({ previous, offset }) => [previous, offset])).toEqual([
      [4, 1],
      [0, 0],
    ]);
    await expect(admin.listGroupOffsets(group)).resolves.toMatchObject([{ offset: 4 }, { offset: 0 }]);
    await admin.resetOffsets(group, { to: { timestamp: 1_002 }, topics: [topic] });
    await expect(admin.listGroupOffsets(group)).resolves.toMatchObject([{ offset: 2 }, { offset: 0 }]);

    await admin.deleteGroupOffsets(group, [{ topic, partition: 1 }]);
    await expect(admin.listGroupOffsets(group)).resolves.toMatchObject([{ partition: 0 }]);
    await admin.deleteGroups([group]);
    expect(await failureOf(admin.describeGroups([group]))).toMatchObject({ code: 'GROUP_ID_NOT_FOUND' });
    expect(await failureOf(admin.deleteGroups([group]))).toMatchObject({ code: 'GROUP_ID_NOT_FOUND' });
  });

  it('describes a group with its members, and leaves a busy one alone', async () => {
    const topic = await cluster.newTopic(2);
    const group = cluster.name('busy');
    const consumer = krafka.consumer({ groupId: group, topics: [topic], groupInstanceId: 'one' });
    await consumer.start();
    const [described] = await admin.describeGroups([group]);
    expect(described).toMatchObject({
      groupId: group,
      state: 'Stable',
      members: [{ groupInstanceId: 'one', clientId: 'krafka-tests', assignment: [{ topic, partitions: [0, 1] }] }],
    });
    expect((await admin.listGroups()).map(({ groupId }) => groupId)).toContain(group);
    expect((await admin.listGroups({ states: ['Empty'] })).map(({ groupId }) => groupId)).not.toContain(group);
    expect(await failureOf(admin.deleteGroups([group]))).toMatchObject({ code: 'NON_EMPTY_GROUP' });
    const altered = await failureOf(admin.alterGroupOffsets(group, [{ topic, partition: 0, offset: 0 }]));
    expect(altered).toMatchObject({ code: 'UNKNOWN_MEMBER_ID' });
    expect(altered.message).toContain('only while it has no members');
    await consumer.close();
  });
});
