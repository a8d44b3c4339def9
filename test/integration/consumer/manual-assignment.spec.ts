import type { Krafka } from '../../../lib/core/index.js';
import { openTestCluster, type TestCluster } from '../../support/test-cluster.js';
import { produce, take, values } from './tools.js';

describe('partitions assigned by hand', () => {
  let cluster: TestCluster;
  let krafka: Krafka;

  beforeAll(async () => {
    cluster = await openTestCluster();
    krafka = cluster.krafka();
  });
  afterAll(() => cluster.close());

  it('miss nothing that is produced once the start has resolved', async () => {
    const topic = await cluster.newTopic(2);
    await produce(krafka, topic, 3, { partition: 1, word: 'old' });
    const consumer = krafka.consumer({ assignments: [{ topic, partition: 1, offset: 'latest' }] });
    await consumer.start();
    expect(consumer.groupState()).toBe('unjoined');
    await produce(krafka, topic, 2, { partition: 1, word: 'new' });
    expect(values(await take(consumer, 2))).toEqual(['new-0', 'new-1']);
    await consumer.close();
  });

  it('begin at an offset, at an end, or where offsetReset says', async () => {
    const topic = await cluster.newTopic(3);
    for (const partition of [0, 1, 2]) await produce(krafka, topic, 5, { partition });
    const consumer = krafka.consumer({
      fromBeginning: true,
      assignments: [
        { topic, partition: 0, offset: 3 },
        { topic, partition: 1, offset: 'latest' },
        { topic, partition: 2 },
      ],
    });
    await consumer.start();
    expect([0, 1, 2].map((partition) => consumer.position({ topic, partition }))).toEqual([3, 5, 0]);
    await consumer.close();
  });

  it("are nobody else's when they are given up: they are revoked, not lost", async () => {
    const topic = await cluster.newTopic(2);
    const consumer = krafka.consumer({
      assignments: [0, 1].map((partition) => ({ topic, partition, offset: 'earliest' as const })),
    });
    const heard: [string, number[]][] = [];
    for (const how of ['revoked', 'lost'] as const) {
      consumer.events.on(how, ({ partitions }) => heard.push([how, partitions.map(({ partition }) => partition)]));
    }
    await consumer.start();
    await consumer.assign([{ topic, partition: 0 }]);
    await consumer.close();
    expect(heard).toEqual([
      ['revoked', [1]],
      ['revoked', [0]],
    ]);
  });

  it('can be replaced: what stays is not disturbed', async () => {
    const topic = await cluster.newTopic(3);
    for (const partition of [0, 1, 2]) await produce(krafka, topic, 2, { partition });
    const consumer = krafka.consumer({
      assignments: [
        { topic, partition: 0, offset: 'earliest' },
        { topic, partition: 1, offset: 1 },
      ],
    });
    await consumer.start();
    await consumer.assign([
      { topic, partition: 1, offset: 0 },
      { topic, partition: 2, offset: 'earliest' },
    ]);
    expect(consumer.assignment()).toEqual([
      { topic, partition: 1 },
      { topic, partition: 2 },
    ]);
    expect(consumer.position({ topic, partition: 1 })).toBe(1);
    expect(await take(consumer, 3)).toHaveLength(3);
    await consumer.close();
  });

  it('can be replaced again before that has ended: what was named last is read, and once', async () => {
    const topic = await cluster.newTopic(2);
    await produce(krafka, topic, 2, { partition: 1, word: 'a' });
    const consumer = krafka.consumer({ assignments: [{ topic, partition: 0, offset: 'earliest' }] });
    await consumer.start();
    const both = [0, 1].map((partition) => ({ topic, partition, offset: 'earliest' as const }));
    await Promise.all([consumer.assign(both), consumer.assign(both), consumer.assign(both.slice(1))]);
    expect(consumer.assignment()).toEqual([{ topic, partition: 1 }]);
    const read = take(consumer, 4);
    await produce(krafka, topic, 2, { partition: 1, word: 'b' });
    expect(values(await read)).toEqual(['a-0', 'a-1', 'b-0', 'b-1']);
    await consumer.close();
  });

  it('are shared by any number of consumers, none of them in a group', async () => {
    const topic = await cluster.newTopic(1);
    const consumers = [1, 2, 3].map(() =>
      krafka.consumer({ assignments: [{ topic, partition: 0, offset: 'latest' }] }),
    );
    await Promise.all(consumers.map((consumer) => consumer.start()));
    await produce(krafka, topic, 2, { partition: 0 });
    for (const consumer of consumers) expect(await take(consumer, 2)).toHaveLength(2);
    await Promise.all(consumers.map((consumer) => consumer.close()));
  });

  it('that no topic has are an error that names the place', async () => {
    const topic = await cluster.newTopic(1);
    const consumer = krafka.consumer({
      assignments: [{ topic, partition: 7, offset: 'earliest' }],
      startTimeoutMs: 2_000,
    });
    await expect(consumer.start()).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION', topic, partition: 7 });
    await consumer.close();
  });
});
