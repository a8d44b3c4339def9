import type { ConsumerOptions, DecodedRecord, Krafka } from '../../../lib/core/index.js';
import { openTestCluster, type TestCluster } from '../../support/test-cluster.js';
import { until } from './tools.js';

const numbers = {
  deserialize: (bytes: Buffer): number => {
    const number = Number(bytes.toString());
    if (Number.isNaN(number)) throw new Error('not a number');
    return number;
  },
};
const later = { deserialize: async (bytes: Buffer): Promise<number> => numbers.deserialize(bytes) };

describe('records deserialized', () => {
  let cluster: TestCluster;
  let krafka: Krafka;

  beforeAll(async () => {
    cluster = await openTestCluster();
    krafka = cluster.krafka();
  });
  afterAll(() => cluster.close());

  /** Partition 0 holds 1, 2, a poison, a tombstone, 5; partition 1 holds 10, 11. */
  const filled = async (): Promise<string> => {
    const topic = await cluster.newTopic(2);
    const producer = krafka.producer();
    await producer.sendAll([
      ...['1', '2', 'poison', null, '5'].map((value) => ({ topic, partition: 0, key: 'k', value })),
      ...['10', '11'].map((value) => ({ topic, partition: 1, key: 'k', value })),
    ]);
    await producer.close();
    return topic;
  };
  const consumerOf = (topic: string, options: Partial<ConsumerOptions> = {}, valueDeserializer = numbers) =>
    krafka.consumer({
      groupId: cluster.name('decoding'),
      topics: [topic],
      fromBeginning: true,
      ...options,
      keyDeserializer: { deserialize: (bytes: Buffer) => bytes.toString() },
      valueDeserializer,
    });
  const seenIn = (records: readonly DecodedRecord[], partition: number) =>
    records.filter((record) => record.partition === partition).map(({ value }) => value);

  it.each([
    ['at once, record by record', numbers, 'eachRecord'],
    ['later, record by record', later as never, 'eachRecord'],
    ['later, by batch', later as never, 'eachBatch'],
    ['later, in a loop', later as never, 'loop'],
  ] as const)('%s: those that cannot be are skipped when it says so, and told of', async (_how, deserializer, way) => {
    const consumer = consumerOf(await filled(), { onUndecodable: 'skip' }, deserializer);
    const told: number[] = [];
    consumer.events.on('undecodable', ({ offset, error }) => {
      expect(error).toMatchObject({ code: 'SERIALIZATION' });
      told.push(offset);
    });
    const seen: DecodedRecord<string, number>[] = [];
    const running =
      way === 'loop'
        ? (async () => {
            for await (const record of consumer) seen.push(record);
          })()
        : consumer.run(
            way === 'eachRecord'
              ? { eachRecord: (record) => void seen.push(record) }
              : { eachBatch: ({ records }) => void seen.push(...records) },
          );
    await until(() => seen.length === 6);
    expect(seenIn(seen, 0)).toEqual([1, 2, null, 5]);
    expect(seenIn(seen, 1)).toEqual([10, 11]);
    expect(seen.every(({ key }) => key === 'k')).toBe(true);
    expect(told).toEqual([2]);
    expect(consumer.stats().undecodable).toBe(1);
    await consumer.close();
    await running;
  });

  it('are handed over with their error when it says so, and the bytes they came as', async () => {
    const consumer = consumerOf(await filled(), { onUndecodable: 'deliver' });
    const seen: DecodedRecord<string, number>[] = [];
    const running = consumer.run({ eachRecord: (record) => void seen.push(record) });
    await until(() => seen.length === 7);
    const poison = seen.find(({ error }) => error !== undefined);
    expect(poison).toMatchObject({ offset: 2, key: 'k', value: null });
    expect(poison?.error?.message).toMatch(/the value at topic .* offset 2 can't be deserialized: not a number/);
    expect(poison?.raw.valueText).toBe('poison');
    await consumer.close();
    await running;
  });

  it.each(['eachRecord', 'eachBatch', 'loop', 'by key'] as const)(
    'fail their partition only where somebody listens, and go on after a seek: %s',
    async (way) => {
      const topic = await filled();
      const consumer = consumerOf(topic);
      const failed: unknown[] = [];
      consumer.events.on('partitionFailed', ({ partition, error }) => failed.push([partition, error.code]));
      const seen: DecodedRecord<string, number>[] = [];
      const take = (record: DecodedRecord<string, number>): void => void seen.push(record);
      const running =
        way === 'loop'
          ? (async () => {
              for await (const record of consumer) take(record);
            })()
          : consumer.run(
              way === 'eachBatch'
                ? { eachBatch: ({ records }) => records.forEach(take) }
                : { eachRecord: take, concurrency: { by: way === 'by key' ? 'key' : 'partition' } },
            );
      await until(() => seen.length === 4 && failed.length > 0);
      expect(failed).toEqual([[0, 'SERIALIZATION']]);
      expect(consumer.position({ topic, partition: 0 })).toBe(2);
      await consumer.commit();
      const committed = async () => (await consumer.committed([{ topic, partition: 0 }])).map(({ offset }) => offset);
      expect(await committed()).toEqual([2]);
      await consumer.seek({ topic, partition: 0 }, 3);
      await until(() => seen.length === 6);
      expect(seenIn(seen, 0)).toEqual([1, 2, null, 5]);
      await consumer.close();
      await running;
    },
  );

  it('end the consumer where nobody listens, and the record is there for the next', async () => {
    const topic = await filled();
    const consumer = consumerOf(topic);
    const seen: unknown[] = [];
    await expect(consumer.run({ eachRecord: ({ value }) => void seen.push(value) })).rejects.toMatchObject({
      code: 'SERIALIZATION',
    });
    const next = krafka.consumer({ groupId: consumer.groupId, topics: [topic] });
    await consumer.close();
    const kept = await next.committed([{ topic, partition: 0 }]);
    expect(kept.map(({ offset }) => offset)).toEqual([2]);
    await next.close();
  });

  it('are refused where nothing deserializes', () => {
    expect(() => krafka.consumer({ groupId: 'g', topics: ['t'], onUndecodable: 'skip' })).toThrow(
      expect.objectContaining({ option: 'onUndecodable' }),
    );
  });
});
