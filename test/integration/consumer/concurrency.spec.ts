import {
  nack,
  type Consumer,
  type ConsumerOptions,
  type ConsumerRecord,
  type Krafka,
} from '../../../lib/core/index.js';
import { openTestCluster, type TestCluster } from '../../support/test-cluster.js';
import { expected, gate, inOrder, produce, take, until, values } from './tools.js';

describe('handlers side by side', () => {
  let cluster: TestCluster;
  let krafka: Krafka;

  beforeAll(async () => {
    cluster = await openTestCluster();
    krafka = cluster.krafka();
  });
  afterAll(() => cluster.close());

  const consumerOf = (topics: string | readonly string[], options: Partial<ConsumerOptions> = {}): Consumer =>
    krafka.consumer({ groupId: cluster.name('handling'), topics: [topics].flat(), fromBeginning: true, ...options });
  /** What follows from an abort at once has followed. */
  const heard = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const committedOf = async (consumer: Consumer, topic: string): Promise<number | undefined> =>
    (await consumer.committed([{ topic, partition: 0 }]))[0]?.offset;

  it('keep the order of each key, let keys overtake one another, and commit no further than the first undone', async () => {
    const topic = await cluster.newTopic(1);
    const producer = krafka.producer();
    await producer.sendAll(
      Array.from({ length: 300 }, (_, index) => ({ topic, partition: 0, key: `k${index % 10}`, value: `v-${index}` })),
    );
    const consumer = consumerOf(topic);
    const seen = new Map<string, number[]>();
    const stuck = gate();
    let busy = 0;
    let most = 0;
    const running = consumer.run({
      concurrency: { by: 'key', limit: 4 },
      eachRecord: async ({ keyText, offset }) => {
        busy++;
        most = Math.max(most, busy);
        await (offset === 7 ? stuck.opened : Promise.resolve());
        seen.set(String(keyText), [...(seen.get(String(keyText)) ?? []), offset]);
        busy--;
      },
    });
    await until(() => [...seen.values()].flat().length === 270);
    expect(seen.has('k7')).toBe(false);
    await consumer.commit();
    expect(await committedOf(consumer, topic)).toBe(7);
    stuck.open();
    await until(() => [...seen.values()].flat().length === 300);
    for (const offsets of seen.values()) expect(offsets).toEqual(offsets.toSorted((a, b) => a - b));
    expect(most).toBe(4);
    await consumer.close();
    await running;
    const next = krafka.consumer({ groupId: consumer.groupId, topics: [topic] });
    expect(await committedOf(next, topic)).toBe(300);
    await Promise.all([next.close(), producer.close()]);
  });

  it('are chosen by topic, with a limit for each', async () => {
    const [quick, slow, batched] = await Promise.all([cluster.newTopic(1), cluster.newTopic(1), cluster.newTopic(1)]);
    for (const topic of [quick, slow, batched]) await produce(krafka, topic, 20, { partition: 0 });
    const consumer = consumerOf([quick, slow, batched]);
    const stuck = gate();
    const seen: string[] = [];
    let held = 0;
    let batch = 0;
    const running = consumer.run({
      byTopic: (topic) => {
        if (topic === batched) return { eachBatch: ({ records }) => void (batch += records.length), maxRecords: 6 };
        if (topic === quick) return { eachRecord: ({ valueText }) => void seen.push(String(valueText)) };
        return {
          concurrency: { by: 'none', limit: 3 },
          eachRecord: async () => {
            held++;
            await stuck.opened;
          },
        };
      },
    });
    await until(() => seen.length === 20 && batch === 20 && held === 3);
    stuck.open();
    await until(() => held === 20);
    await consumer.close();
    await running;
  });

  it('get a record again after the while they ask for, and what follows it after it', async () => {
    const topic = await cluster.newTopic(2);
    await produce(krafka, topic, 5, { partition: 0 });
    await produce(krafka, topic, 5, { partition: 1, word: 'other' });
    const consumer = consumerOf(topic);
    const seen: string[] = [];
    const committed = gate();
    const running = consumer.run({
      eachRecord: async ({ valueText }) => {
        seen.push(String(valueText));
        const calls = seen.filter((value) => value === 'v-2').length;
        if (valueText !== 'v-2' || calls === 3) return undefined;
        if (calls === 2) await committed.opened;
        return nack(50);
      },
    });
    await until(() => seen.includes('v-2'));
    await consumer.commit();
    expect(await committedOf(consumer, topic)).toBe(2);
    committed.open();
    await until(() => seen.length === 12);
    expect(seen.filter((value) => value.startsWith('v'))).toEqual(['v-0', 'v-1', 'v-2', 'v-2', 'v-2', 'v-3', 'v-4']);
    await consumer.close();
    await running;
  });

  it('do not hold up a rebalance while a record of theirs waits to come again', async () => {
    const topic = await cluster.newTopic(1);
    await produce(krafka, topic, 3, { partition: 0 });
    const consumer = consumerOf(topic);
    let calls = 0;
    const running = consumer.run({
      eachRecord: () => {
        calls++;
        return nack(3_600_000);
      },
    });
    await until(() => calls === 1);
    expect(consumer.stats().partitions[0]).toMatchObject({ held: true, position: 0, bufferedBytes: 0 });
    await consumer.seek({ topic, partition: 0 }, 2);
    await until(() => calls === 2);
    await consumer.close();
    await running;
  });

  it('are let go of by a signal: the rest is there for whoever consumes next', async () => {
    const topic = await cluster.newTopic(1);
    await produce(krafka, topic, 10, { partition: 0 });
    const consumer = consumerOf(topic);
    const controller = new AbortController();
    const seen: string[] = [];
    const third = gate();
    const go = gate();
    const running = consumer.run({
      signal: controller.signal,
      eachRecord: async ({ valueText }) => {
        if (valueText === 'v-2') {
          third.open();
          await go.opened;
        }
        seen.push(String(valueText));
      },
    });
    await third.opened;
    controller.abort(new Error('enough'));
    go.open();
    await expect(running).rejects.toThrow('enough');
    expect(seen).toEqual(['v-0', 'v-1', 'v-2']);
    expect(values(await take(consumer, 7))).toEqual(expected(10).slice(3));
    await consumer.close();
  });

  it('are waited for by close() after the run was let go of, and what they did is committed', async () => {
    const topic = await cluster.newTopic(1);
    await produce(krafka, topic, 5, { partition: 0 });
    const consumer = consumerOf(topic);
    const controller = new AbortController();
    const [called, told, go] = [gate(), gate(), gate()];
    const running = consumer.run({
      signal: controller.signal,
      eachRecord: async (_record, { signal }) => {
        signal.addEventListener('abort', () => told.open(), { once: true });
        called.open();
        await go.opened;
      },
    });
    const settled = running.catch(() => undefined);
    await called.opened;
    controller.abort(new Error('enough'));
    await heard();
    let closed = false;
    const closing = consumer.close().then(() => (closed = true));
    await told.opened;
    expect(closed).toBe(false);
    expect(consumer.stats().partitions).toMatchObject([{ handlingOffset: 0 }]);
    go.open();
    await Promise.all([closing, settled]);
    const next = consumerOf(topic, { groupId: consumer.groupId });
    expect(values(await take(next, 1))).toEqual(['v-1']);
    await next.close();
  });

  it('hold up nobody longer than close() waits, though the run was let go of and one never ends', async () => {
    const topic = await cluster.newTopic(1);
    await produce(krafka, topic, 1, { partition: 0 });
    const consumer = consumerOf(topic);
    const controller = new AbortController();
    const [called, never] = [gate(), gate()];
    const running = consumer.run({
      signal: controller.signal,
      eachRecord: () => {
        called.open();
        return never.opened;
      },
    });
    await called.opened;
    controller.abort(new Error('enough'));
    await heard();
    await expect(consumer.close({ timeoutMs: 50 })).rejects.toMatchObject({ code: 'TIMEOUT' });
    await running;
  });

  it('begin with what a loop that was left was busy with', async () => {
    const topic = await cluster.newTopic(1);
    await produce(krafka, topic, 10, { partition: 0 });
    const consumer = consumerOf(topic);
    expect(values(await take(consumer, 4))).toEqual(expected(4));
    const seen: ConsumerRecord[] = [];
    const running = consumer.run({ eachRecord: (record) => void seen.push(record) });
    await until(() => seen.length === 7);
    expect(inOrder(seen)).toEqual(expected(10).slice(3));
    await consumer.close();
    await running;
  });
});
