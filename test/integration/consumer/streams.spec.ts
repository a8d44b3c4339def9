import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Consumer, ConsumerRecord, Krafka } from '../../../lib/core/index.js';
import { openTestCluster, type TestCluster } from '../../support/test-cluster.js';
import { expected, produce, take, until, values } from './tools.js';

describe('a stream of records', () => {
  let cluster: TestCluster;
  let krafka: Krafka;

  beforeAll(async () => {
    cluster = await openTestCluster();
    krafka = cluster.krafka();
  });
  afterAll(() => cluster.close());

  const filled = async (count: number): Promise<{ topic: string; consumer: Consumer }> => {
    const topic = await cluster.newTopic(1);
    await produce(krafka, topic, count, { partition: 0 });
    const consumer = krafka.consumer({ groupId: cluster.name('streams'), topics: [topic], fromBeginning: true });
    return { topic, consumer };
  };
  const committedOf = async (consumer: Consumer, topic: string): Promise<number | undefined> =>
    (await consumer.committed([{ topic, partition: 0 }]))[0]?.offset;

  it('goes through a pipeline in order, stands still at its limit, and commits what is said to be done', async () => {
    const { topic, consumer } = await filled(50);
    const stream = consumer.stream({ limit: 10 });
    const seen: ConsumerRecord[] = [];
    const piping = pipeline(
      stream,
      new Writable({
        objectMode: true,
        write: (record: ConsumerRecord, _encoding, callback) => {
          seen.push(record);
          callback();
        },
      }),
    );
    await until(() => seen.length === 10);
    await consumer.commit();
    expect(await committedOf(consumer, topic)).toBe(0);
    stream.done(seen[1] as ConsumerRecord);
    await until(() => seen.length === 11);
    await consumer.commit();
    expect(await committedOf(consumer, topic)).toBe(0);
    stream.done(seen[0] as ConsumerRecord);
    await until(() => seen.length === 12);
    await consumer.commit();
    expect(await committedOf(consumer, topic)).toBe(2);
    let done = 2;
    while (done < 50) {
      await until(() => seen.length > done);
      stream.done(seen[done++] as ConsumerRecord);
    }
    expect(values(seen)).toEqual(expected(50));
    await consumer.close();
    await piping;
    expect(stream.destroyed).toBe(true);
  });

  it('counts a record as done, in a loop or a generator, when the next one is asked for', async () => {
    const { topic, consumer } = await filled(20);
    const stream = consumer.stream({ limit: 5 });
    const seen: ConsumerRecord[] = [];
    for await (const record of stream) {
      seen.push(record);
      await new Promise((resolve) => setImmediate(resolve));
      await consumer.commit();
      expect(await committedOf(consumer, topic)).toBe(record.offset);
      if (seen.length === 12) break;
    }
    expect(values(seen)).toEqual(expected(12));
    await until(() => stream.closed);
    // The last one was at hand when the loop was left: it comes again.
    expect(values(await take(consumer, 9))).toEqual(expected(20).slice(11));
    await consumer.close();
  });

  it('is destroyed by its signal, and what it held is there for whoever consumes next', async () => {
    const { consumer } = await filled(20);
    const controller = new AbortController();
    const stream = consumer.stream({ limit: 5, signal: controller.signal });
    const ended = new Promise((resolve) => stream.once('error', resolve));
    await until(() => {
      stream.read(0);
      return stream.readableLength === 5;
    });
    controller.abort();
    expect(await ended).toMatchObject({ name: 'AbortError' });
    await until(() => stream.closed);
    expect(values(await take(consumer, 20))).toEqual(expected(20));
    await consumer.close();
  });

  it('is destroyed with what ends the consumer', async () => {
    const topic = cluster.name('missing');
    const consumer = krafka.consumer({ groupId: cluster.name('streams'), topics: [topic], startTimeoutMs: 2_000 });
    await expect(pipeline(consumer.stream(), new Writable({ objectMode: true }))).rejects.toMatchObject({
      code: 'UNKNOWN_TOPIC_OR_PARTITION',
    });
    await consumer.close();
  });

  it('refuses options it does not know', async () => {
    const { consumer } = await filled(1);
    expect(() => consumer.stream({ highWaterMark: 5 } as never)).toThrow(
      expect.objectContaining({ option: 'stream.highWaterMark' }),
    );
    await consumer.close();
  });

  it('and calls that wait end with their signal', async () => {
    const { consumer } = await filled(1);
    const reason = new Error('enough');
    const signal = AbortSignal.abort(reason);
    await expect(consumer.start({ signal })).rejects.toBe(reason);
    await consumer.start();
    await expect(consumer.commit(undefined, { signal })).rejects.toBe(reason);
    await expect(consumer.committed(undefined, { signal })).rejects.toBe(reason);
    await expect(consumer.run({ eachRecord: () => undefined, signal })).rejects.toBe(reason);
    await consumer.close();
  });
});
