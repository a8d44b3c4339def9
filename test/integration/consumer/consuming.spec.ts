import { KrafkaHandlerError, type ConsumerRecord, type Krafka } from '../../../lib/core/index.js';
import { openTestCluster, type TestCluster } from '../../support/test-cluster.js';
import { expected, gate, inOrder, produce, take, until, values } from './tools.js';

describe('consuming', () => {
  let cluster: TestCluster;
  let krafka: Krafka;

  beforeAll(async () => {
    cluster = await openTestCluster();
    krafka = cluster.krafka();
  });
  afterAll(() => cluster.close());

  const consumerOf = (topic: string, options: object = {}) =>
    krafka.consumer({ groupId: cluster.name('consuming'), topics: [topic], fromBeginning: true, ...options });

  it('hands out every record of a partition in order, by for await', async () => {
    const topic = await cluster.newTopic(1);
    await produce(krafka, topic, 500, { partition: 0 });
    const consumer = consumerOf(topic);
    const records = await take(consumer, 500);
    expect(values(records)).toEqual(expected(500));
    expect(records.map(({ offset }) => offset)).toEqual(Array.from({ length: 500 }, (_, offset) => offset));
    await consumer.close();
  });

  it('hands out every record of all partitions, each in order, by run', async () => {
    const topic = await cluster.newTopic(5);
    await produce(krafka, topic, 1_000);
    const consumer = consumerOf(topic);
    const seen: ConsumerRecord[] = [];
    const running = consumer.run({ eachRecord: (record) => void seen.push(record) });
    await until(() => seen.length >= 1_000);
    await consumer.close();
    await running;
    expect(inOrder(seen)).toEqual(expected(1_000));
    for (let partition = 0; partition < 5; partition++) {
      const offsets = seen.filter((record) => record.partition === partition).map(({ offset }) => offset);
      expect(offsets).toEqual(offsets.map((_, index) => index));
    }
  });

  it('hands out batches of at most maxRecords, small ones put together', async () => {
    const topic = await cluster.newTopic(1);
    for (let from = 0; from < 30; from += 10) await produce(krafka, topic, 10, { partition: 0, from });
    const consumer = consumerOf(topic);
    const batches: string[][] = [];
    const running = consumer.run({
      maxRecords: 25,
      eachBatch: ({ records }) => void batches.push(values(records) as string[]),
    });
    await until(() => batches.flat().length >= 30);
    await consumer.close();
    await running;
    expect(batches.flat()).toEqual(expected(30));
    expect(Math.max(...batches.map(({ length }) => length))).toBeGreaterThan(10);
    expect(Math.max(...batches.map(({ length }) => length))).toBeLessThanOrEqual(25);
  });

  it.each(['gzip', 'snappy', 'lz4', 'zstd'] as const)('reads what was compressed with %s', async (compression) => {
    const topic = await cluster.newTopic(1);
    await produce(krafka, topic, 200, { partition: 0, compression });
    const consumer = consumerOf(topic);
    expect(values(await take(consumer, 200))).toEqual(expected(200));
    await consumer.close();
  });

  it('hands out keys, headers, timestamps, nulls and tombstones as they were sent', async () => {
    const topic = await cluster.newTopic(1);
    const producer = krafka.producer({ lingerMs: 0 });
    const timestamp = Date.now() - 60_000;
    await producer.send({
      topic,
      key: 'k',
      value: Buffer.from([0, 1, 255]),
      headers: { a: 'x', b: ['1', '2'] },
      timestamp,
    });
    await producer.send({ topic, key: 'gone', value: null });
    await producer.close();
    const consumer = consumerOf(topic);
    const [first, second] = (await take(consumer, 2)) as [ConsumerRecord, ConsumerRecord];
    expect(first.keyText).toBe('k');
    expect([...(first.value as Buffer)]).toEqual([0, 1, 255]);
    expect(String(first.headers['a'])).toBe('x');
    expect((first.headers['b'] as Buffer[]).map(String)).toEqual(['1', '2']);
    expect(first.timestamp).toBe(timestamp);
    expect(second.value).toBeNull();
    await consumer.close();
  });

  it('does not let one slow partition stop the others', async () => {
    const topic = await cluster.newTopic(3);
    for (const partition of [0, 1, 2]) await produce(krafka, topic, 20, { partition });
    const consumer = consumerOf(topic);
    const slow = gate();
    const seen: ConsumerRecord[] = [];
    const running = consumer.run({
      eachRecord: async (record) => {
        if (record.partition === 1) await slow.opened;
        seen.push(record);
      },
    });
    await until(() => seen.length >= 40);
    expect(new Set(seen.map(({ partition }) => partition))).toEqual(new Set([0, 2]));
    const stuck = consumer.stats().partitions.find(({ handlingMs }) => handlingMs !== undefined);
    expect(stuck?.partition).toBe(1);
    slow.open();
    await until(() => seen.length >= 60);
    await consumer.close();
    await running;
  });

  it('keeps to the concurrency that was asked for', async () => {
    const topic = await cluster.newTopic(4);
    for (const partition of [0, 1, 2, 3]) await produce(krafka, topic, 10, { partition });
    const consumer = consumerOf(topic);
    let now = 0;
    let most = 0;
    let handled = 0;
    const running = consumer.run({
      concurrency: 2,
      eachRecord: async () => {
        most = Math.max(most, ++now);
        await new Promise((resolve) => setImmediate(resolve));
        now--;
        handled++;
      },
    });
    await until(() => handled >= 40);
    await consumer.close();
    await running;
    expect(most).toBe(2);
  });

  it('rejects run with the place when a handler fails, and leaves the offset uncommitted', async () => {
    const topic = await cluster.newTopic(1);
    const groupId = cluster.name('failing');
    await produce(krafka, topic, 10, { partition: 0 });
    const consumer = consumerOf(topic, { groupId });
    const fatal: unknown[] = [];
    consumer.events.on('fatal', ({ error }) => fatal.push(error));
    const error: unknown = await consumer
      .run({
        eachRecord: async ({ offset }) => {
          if (offset === 6) throw new Error('no stock');
        },
      })
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(KrafkaHandlerError);
    expect(error).toMatchObject({ topic, partition: 0, offset: 6, code: 'HANDLER_FAILED' });
    expect((error as Error).message).toContain('no stock');
    expect(fatal).toEqual([error]);
    expect(consumer.groupState()).toBe('fatal');
    await consumer.close();
    const next = consumerOf(topic, { groupId });
    expect((await take(next, 1))[0]?.offset).toBe(6);
    await next.close();
  });

  it('commits what a batch handler resolved before it failed', async () => {
    const topic = await cluster.newTopic(1);
    const groupId = cluster.name('resolving');
    await produce(krafka, topic, 10, { partition: 0 });
    const consumer = consumerOf(topic, { groupId });
    await expect(
      consumer.run({
        eachBatch: async ({ resolve }) => {
          resolve(3);
          throw new Error('half way');
        },
      }),
    ).rejects.toMatchObject({ offset: 4 });
    await consumer.close();
    const next = consumerOf(topic, { groupId });
    expect((await take(next, 1))[0]?.offset).toBe(4);
    await next.close();
  });

  it('aborts the signal of a handler when the consumer closes, and waits for it', async () => {
    const topic = await cluster.newTopic(1);
    await produce(krafka, topic, 1, { partition: 0 });
    const consumer = consumerOf(topic);
    const started = gate();
    let ended = false;
    const running = consumer.run({
      eachRecord: async (_record, { signal }) => {
        started.open();
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
        ended = true;
      },
    });
    await started.opened;
    await consumer.close();
    expect(ended).toBe(true);
    await running;
    // It ended in good order, so its work counts as done.
    const next = consumerOf(topic, { groupId: consumer.groupId });
    await next.start();
    expect(next.position({ topic, partition: 0 })).toBe(1);
    await next.close();
  });

  it('names the handlers that had not ended when a close ran out of time, and costs nobody else by them', async () => {
    const topic = await cluster.newTopic(2);
    await produce(krafka, topic, 1, { partition: 0 });
    await produce(krafka, topic, 5, { partition: 1 });
    const consumer = consumerOf(topic, { autoCommitIntervalMs: 3_600_000 });
    const { groupId } = consumer;
    const started = gate();
    const stuck = gate();
    let others = 0;
    const running = consumer.run({
      eachRecord: ({ partition }) => {
        if (partition === 1) return void others++;
        started.open();
        return stuck.opened;
      },
    });
    await started.opened;
    await until(() => others === 5);
    await expect(consumer.close({ timeoutMs: 6_000 })).rejects.toThrow(`the handlers of ${topic}[0]`);
    await running;
    const admin = krafka.admin();
    expect(await admin.describeGroups([groupId as string])).toMatchObject([{ state: 'Empty', members: [] }]);
    const next = consumerOf(topic, { groupId });
    await next.start();
    expect([0, 1].map((partition) => next.position({ topic, partition }))).toEqual([0, 5]);
    await next.close();
    stuck.open();
  });

  it('closes in the time of whoever can wait the least', async () => {
    const topic = await cluster.newTopic(1);
    await produce(krafka, topic, 1, { partition: 0 });
    const consumer = consumerOf(topic);
    const started = gate();
    const stuck = gate();
    const running = consumer.run({
      eachRecord: () => {
        started.open();
        return stuck.opened;
      },
    });
    await started.opened;
    const patient = consumer.close({ timeoutMs: 3_600_000 }).catch((error: unknown) => error);
    await expect(consumer.close({ timeoutMs: 50 })).rejects.toMatchObject({ code: 'TIMEOUT', budgetMs: 50 });
    expect(await patient).toMatchObject({ code: 'TIMEOUT', budgetMs: 50 });
    await running;
    stuck.open();
  });

  it('closes though its rebalance listener does not end, names that, and leaves its group', async () => {
    const topic = await cluster.newTopic(1);
    const told = gate();
    const consumer = consumerOf(topic, { rebalanceListener: { revoked: () => told.opened } });
    await consumer.start();
    await expect(consumer.close({ timeoutMs: 6_000 })).rejects.toThrow("the rebalance listener's 'revoked' to end");
    const [group] = await krafka.admin().describeGroups([consumer.groupId as string]);
    expect(group).toMatchObject({ state: 'Empty', members: [] });
    told.open();
  });

  it('seeks back and forth, to both ends and to a time', async () => {
    const topic = await cluster.newTopic(1);
    const place = { topic, partition: 0 };
    const producer = krafka.producer({ lingerMs: 0 });
    // Not long ago: real brokers take older records for expired.
    const began = Date.now() - 60_000;
    for (let index = 0; index < 10; index++) {
      await producer.send({ ...place, value: `v-${index}`, timestamp: began + 1_000 * index });
    }
    const consumer = consumerOf(topic);
    expect(values(await take(consumer, 3))).toEqual(expected(3));
    await consumer.seek(place, 7);
    expect(values(await take(consumer, 2))).toEqual(['v-7', 'v-8']);
    await consumer.seek(place, 'earliest');
    expect(consumer.position(place)).toBe(0);
    expect(values(await take(consumer, 1))).toEqual(['v-0']);
    await consumer.seek(place, { timestamp: began + 3_500 });
    expect(values(await take(consumer, 1))).toEqual(['v-4']);
    await consumer.seek(place, 'latest');
    expect(consumer.position(place)).toBe(10);
    const next = take(consumer, 1);
    await producer.send({ ...place, value: 'v-10' });
    expect(values(await next)).toEqual(['v-10']);
    await producer.close();
    await consumer.close();
  });

  it('hands out nothing of a paused partition, and all of it once it is resumed', async () => {
    const topic = await cluster.newTopic(2);
    const consumer = consumerOf(topic);
    await consumer.start();
    const seen: ConsumerRecord[] = [];
    const running = consumer.run({ eachRecord: (record) => void seen.push(record) });
    consumer.pause([{ topic, partition: 0 }]);
    expect(consumer.paused()).toEqual([{ topic, partition: 0 }]);
    await produce(krafka, topic, 5, { partition: 0 });
    await produce(krafka, topic, 5, { partition: 1 });
    await until(() => seen.length >= 5);
    expect(new Set(seen.map(({ partition }) => partition))).toEqual(new Set([1]));
    consumer.resume();
    await until(() => seen.length >= 10);
    expect(values(seen.filter(({ partition }) => partition === 0))).toEqual(expected(5));
    await consumer.close();
    await running;
  });

  it.each([
    ['a break', (): boolean => true],
    [
      'an exception',
      (): boolean => {
        throw new Error('the database is down');
      },
    ],
  ])('hands out again in a second loop what the first was left with by %s', async (_how, leave) => {
    const topic = await cluster.newTopic(1);
    await produce(krafka, topic, 6, { partition: 0 });
    const consumer = consumerOf(topic, { autoCommit: false });
    const seen: number[] = [];
    const committed: (number | undefined)[] = [];
    const loop = async (last: number, end: () => boolean): Promise<void> => {
      for await (const { offset } of consumer) {
        seen.push(offset);
        if (offset !== last) continue;
        await consumer.commit();
        committed.push((await consumer.committed([{ topic, partition: 0 }]))[0]?.offset);
        if (end()) break;
      }
    };
    await loop(3, leave).catch(() => undefined);
    await loop(3, () => true);
    expect(seen).toEqual([0, 1, 2, 3, 3]);
    expect(committed).toEqual([3, 3]);
    await loop(5, () => true);
    expect(seen).toEqual([0, 1, 2, 3, 3, 3, 4, 5]);
    expect(committed).toEqual([3, 3, 5]);
    await consumer.close();
  });

  it('tells position and lag', async () => {
    const topic = await cluster.newTopic(1);
    await produce(krafka, topic, 10, { partition: 0 });
    const consumer = consumerOf(topic);
    for await (const { offset } of consumer) {
      if (offset < 3) continue;
      expect(consumer.position({ topic, partition: 0 })).toBe(4);
      expect(consumer.lag({ topic, partition: 0 })).toBe(6);
      break;
    }
    // What the loop was left with comes again.
    expect(consumer.position({ topic, partition: 0 })).toBe(3);
    expect(() => consumer.position({ topic, partition: 9 })).toThrow(/not assigned/);
    await consumer.close();
  });

  it('refuses a second way of consuming while there is one', async () => {
    const topic = await cluster.newTopic(1);
    const consumer = consumerOf(topic);
    const running = consumer.run({ eachRecord: () => undefined });
    await consumer.start();
    await expect(consumer.run({ eachRecord: () => undefined })).rejects.toMatchObject({ code: 'ALREADY_CONSUMED' });
    await expect(consumer[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'ALREADY_CONSUMED' });
    await consumer.close();
    await running;
  });

  it('ends loops and runs when it is closed, and refuses what comes after', async () => {
    const topic = await cluster.newTopic(1);
    const consumer = consumerOf(topic);
    await consumer.start();
    const loop = take(consumer, 1);
    await consumer.close();
    expect(await loop).toEqual([]);
    await expect(consumer.run({ eachRecord: () => undefined })).rejects.toMatchObject({ code: 'CLOSED' });
    await expect(consumer.start()).rejects.toMatchObject({ code: 'CLOSED' });
    await consumer.close();
  });

  it('ends a run in good order that is closed before it has started', async () => {
    const consumer = consumerOf(await cluster.newTopic(1));
    const running = consumer.run({ eachRecord: () => undefined });
    await consumer.close();
    await running;
  });

  it('says which topic does not exist', async () => {
    const topic = cluster.name('missing');
    const consumer = consumerOf(topic, { startTimeoutMs: 2_000 });
    await expect(consumer.start()).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION', topic });
    await expect(consumer.run({ eachRecord: () => undefined })).rejects.toMatchObject({ topic });
    await consumer.close();
  });

  it('waits for a topic that is about to exist', async () => {
    const topic = cluster.name('late');
    const consumer = consumerOf(topic);
    const starting = consumer.start();
    await cluster.newTopic(2, {}, topic);
    await starting;
    expect(consumer.assignment()).toHaveLength(2);
    await consumer.close();
  });

  it('reads a partition that is assigned later at once, though the broker still waits for records of the others', async () => {
    const [silent, added] = [await cluster.newTopic(1), await cluster.newTopic(1)];
    await produce(krafka, added, 1, { partition: 0 });
    const first = { topic: silent, partition: 0, offset: 'earliest' } as const;
    // Longer than this test may take: whoever waits for that answer waits in vain.
    const consumer = krafka.consumer({ assignments: [first], fetchMaxWaitMs: 600_000 });
    const seen: ConsumerRecord[] = [];
    const running = consumer.run({ eachRecord: (record) => void seen.push(record) });
    await consumer.start();
    await until(() => consumer.stats().fetches === 1);
    await consumer.assign([first, { topic: added, partition: 0, offset: 'earliest' }]);
    await until(() => seen.length === 1);
    expect(seen).toMatchObject([{ topic: added, offset: 0 }]);
    expect(consumer.stats().sessionResets).toBe(0);
    await consumer.close();
    await running;
  });
});
