import { apis, Deadline, type KrafkaError, type Krafka, systemClock } from '../../../lib/core/index.js';
import { openTestCluster, type TestCluster } from '../../support/test-cluster.js';

const within = (budgetMs = 20_000): Deadline => new Deadline(systemClock, budgetMs, 'testMs');
const failureOf = (promise: Promise<unknown>): Promise<KrafkaError> =>
  promise.then(
    () => Promise.reject(new Error('it succeeded')),
    (error: unknown) => error as KrafkaError,
  );

describe('the cluster', () => {
  let cluster: TestCluster;
  let krafka: Krafka;
  beforeAll(async () => {
    cluster = await openTestCluster();
    krafka = cluster.krafka({ allowAutoTopicCreation: false });
  });
  afterAll(() => cluster.close());

  it('tells of a topic, with its id, partitions and leaders', async () => {
    const name = await cluster.newTopic(3);
    const topic = await krafka.cluster.topic(name, within());
    expect(topic.id).toMatch(/^[\w-]{22}$/);
    expect(topic.partitions.map(({ partition }) => partition)).toEqual([0, 1, 2]);
    const { metadata } = krafka.cluster;
    for (const { partition, leader } of topic.partitions) {
      expect(metadata.leaderOf(name, partition)?.nodeId).toBe(leader);
    }
    expect(metadata.topicNameOf(topic.id)).toBe(name);
    expect(krafka.cluster.cachedTopic(name)).toBe(topic);
  });

  it('tells of a topic that comes into being while somebody waits for it', async () => {
    const name = cluster.name('later');
    const waiting = krafka.cluster.topic(name, within());
    await failureOf(krafka.cluster.topic(name, within(150)));
    await cluster.newTopic(1, {}, name);
    await expect(waiting).resolves.toMatchObject({ name });
  });

  it('names the topic that never comes', async () => {
    const name = cluster.name('nowhere');
    expect(await failureOf(krafka.cluster.topic(name, within(2_000)))).toMatchObject({
      code: 'UNKNOWN_TOPIC_OR_PARTITION',
      topic: name,
    });
  });

  it('refuses a topic name that can not be at once', async () => {
    expect(await failureOf(krafka.cluster.topic('not a topic!', within()))).toMatchObject({
      code: 'INVALID_TOPIC_EXCEPTION',
      topic: 'not a topic!',
    });
  });

  it('notices a topic that was created again under its old name', async () => {
    const name = await cluster.newTopic(1);
    const before = await krafka.cluster.topic(name, within());
    const admin = krafka.admin();
    await admin.deleteTopics([name]);
    await admin.createTopics([{ name, partitions: 2 }]);
    await krafka.cluster.refresh([name]);
    const after = await krafka.cluster.topic(name, within());
    expect(after.id).not.toBe(before.id);
    expect(after.partitions).toHaveLength(2);
  });

  it('finds coordinators of groups and transactional ids, and a connection to them', async () => {
    const keys = [cluster.name('a'), cluster.name('b'), cluster.name('c')];
    for (const type of ['group', 'transaction'] as const) {
      const nodes = await Promise.all(keys.map((key) => krafka.cluster.coordinator(type, key, { deadline: within() })));
      for (const node of nodes) expect(krafka.cluster.metadata.brokers.get(node.nodeId)?.address).toBe(node.address);
      const [first] = nodes;
      const connection = await krafka.cluster.connection(first!.nodeId, 'coordination:test', { deadline: within() });
      expect(krafka.cluster.readyConnection(first!.nodeId, 'coordination:test')).toBe(connection);
    }
    await krafka.pool.release('coordination:test');
  });

  it('has a connection that any request of the protocol can be sent on', async () => {
    const connection = await krafka.cluster.anyConnection({ deadline: within() });
    const response = await connection.sendRequest(apis.Metadata, { topics: [] });
    expect(response.brokers.length).toBeGreaterThan(0);
    expect(response.clusterId).toBe(krafka.cluster.metadata.clusterId);
  });

  it('tells the features that the brokers agreed on', async () => {
    const features = await krafka.cluster.features({ deadline: within() });
    expect(features).toBeInstanceOf(Map);
  });
});
