import type { Consumer, ConsumerOptions, Krafka } from '../../../lib/core/index.js';
import { openTestCluster, type TestCluster } from '../../support/test-cluster.js';
import { gate, produce, take, until } from './tools.js';

const committedOf = async (consumer: Consumer, topic: string): Promise<number | undefined> =>
  (await consumer.committed([{ topic, partition: 0 }]))[0]?.offset;

describe('commits', () => {
  let cluster: TestCluster;
  let krafka: Krafka;

  beforeAll(async () => {
    cluster = await openTestCluster();
    krafka = cluster.krafka();
  });
  afterAll(() => cluster.close());

  const member = (topic: string, options: Partial<ConsumerOptions> = {}): Consumer =>
    krafka.consumer({ groupId: cluster.name('commits'), topics: [topic], fromBeginning: true, ...options });
  it('follow the processing: what a handler is busy with is not committed', async () => {
    const topic = await cluster.newTopic(1);
    await produce(krafka, topic, 5, { partition: 0 });
    const consumer = member(topic);
    const third = gate();
    const go = gate();
    const running = consumer.run({
      eachRecord: async ({ offset }) => {
        if (offset !== 2) return;
        third.open();
        await go.opened;
      },
    });
    await third.opened;
    await consumer.commit();
    expect(await committedOf(consumer, topic)).toBe(2);
    go.open();
    await until(() => consumer.position({ topic, partition: 0 }) === 5);
    await consumer.commit();
    expect(await committedOf(consumer, topic)).toBe(5);
    await consumer.close();
    await running;
  });

  it('follow the asking in a loop: the record at hand is not committed', async () => {
    const topic = await cluster.newTopic(1);
    await produce(krafka, topic, 5, { partition: 0 });
    const consumer = member(topic);
    const offsets: (number | undefined)[] = [];
    for await (const record of consumer) {
      await consumer.commit();
      offsets.push(await committedOf(consumer, topic));
      if (record.offset === 3) break;
    }
    expect(offsets).toEqual([0, 1, 2, 3]);
    await consumer.close();
    const next = krafka.consumer({ groupId: consumer.groupId, topics: [topic] });
    expect((await take(next, 1))[0]?.offset).toBe(3);
    await next.close();
  });

  it('happen by themselves, many records in one request', async () => {
    const topic = await cluster.newTopic(1);
    await produce(krafka, topic, 300, { partition: 0 });
    const consumer = member(topic, { autoCommitIntervalMs: 50 });
    const running = consumer.run({ eachRecord: () => undefined });
    await until(async () => (await committedOf(consumer, topic)) === 300);
    expect(consumer.stats().commits).toBeLessThan(20);
    await consumer.close();
    await running;
  });

  it('are left to the user where autoCommit is off', async () => {
    const topic = await cluster.newTopic(1);
    await produce(krafka, topic, 5, { partition: 0 });
    const consumer = member(topic, { autoCommit: false });
    await take(consumer, 4);
    await consumer.commit([{ topic, partition: 0, offset: 2, metadata: 'by hand' }]);
    expect(await consumer.committed()).toMatchObject([{ offset: 2, metadata: 'by hand' }]);
    await consumer.close();
    const next = krafka.consumer({ groupId: consumer.groupId, topics: [topic] });
    await next.start();
    expect(next.position({ topic, partition: 0 })).toBe(2);
    await next.close();
  });

  it('made by hand are not undone by those that happen by themselves', async () => {
    const topic = await cluster.newTopic(1);
    await produce(krafka, topic, 5, { partition: 0 });
    const consumer = member(topic);
    for await (const record of consumer) {
      if (record.offset !== 2) continue;
      await consumer.commit([{ topic, partition: 0, offset: 3 }]);
      break;
    }
    await consumer.commit();
    expect(await committedOf(consumer, topic)).toBe(3);
    await consumer.close();
    const next = krafka.consumer({ groupId: consumer.groupId, topics: [topic] });
    expect((await take(next, 1))[0]?.offset).toBe(3);
    await next.close();
  });

  it('keep where a new group began, so that nothing produced before its first record is missed', async () => {
    const topic = await cluster.newTopic(1);
    await produce(krafka, topic, 5, { partition: 0 });
    const consumer = member(topic, { fromBeginning: false });
    await consumer.start();
    expect(consumer.position({ topic, partition: 0 })).toBe(5);
    await consumer.close();
    await produce(krafka, topic, 1, { partition: 0, from: 5 });
    const next = krafka.consumer({ groupId: consumer.groupId, topics: [topic] });
    expect((await take(next, 1))[0]?.offset).toBe(5);
    await next.close();
  });

  it('follow a seek, and are not moved by a handler from before it', async () => {
    const topic = await cluster.newTopic(1);
    await produce(krafka, topic, 10, { partition: 0 });
    const consumer = member(topic);
    const busy = gate();
    const go = gate();
    let after = 0;
    const running = consumer.run({
      eachRecord: async ({ offset }) => {
        if (offset === 3) {
          busy.open();
          await go.opened;
        } else if (offset >= 8) after++;
      },
    });
    await busy.opened;
    await consumer.seek({ topic, partition: 0 }, 8);
    await consumer.commit();
    expect(await committedOf(consumer, topic)).toBe(8);
    go.open();
    await until(() => after === 2);
    await consumer.commit();
    expect(await committedOf(consumer, topic)).toBe(10);
    await consumer.close();
    await running;
  });

  it('are refused without a group, by name', async () => {
    const topic = await cluster.newTopic(1);
    const consumer = krafka.consumer({ assignments: [{ topic, partition: 0, offset: 'earliest' }] });
    await expect(consumer.commit()).rejects.toMatchObject({ code: 'INVALID_CONFIG', option: 'groupId' });
    await consumer.close();
  });
});
