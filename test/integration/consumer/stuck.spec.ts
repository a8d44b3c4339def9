import type { Krafka } from '../../../lib/core/index.js';
import { openTestCluster, type TestCluster } from '../../support/test-cluster.js';
import { gate, until } from './tools.js';

const BUFFER_BYTES = 1024 * 1024;

describe('a handler that does not end', () => {
  let cluster: TestCluster;
  let krafka: Krafka;

  beforeAll(async () => {
    cluster = await openTestCluster();
    krafka = cluster.krafka();
  });
  afterAll(() => cluster.close());

  it.each(['partition', 'key'] as const)(
    'stops nobody else by %s, keeps memory within its bounds, and is named',
    async (by) => {
      const topic = await cluster.newTopic(4);
      const producer = krafka.producer();
      const value = 'x'.repeat(4_000);
      const records = (partition: number, count: number) =>
        Array.from({ length: count }, () => ({ topic, partition, key: 'k', value }));
      await producer.sendAll([0, 1, 2, 3].flatMap((partition) => records(partition, 500)));
      const consumer = krafka.consumer({
        groupId: cluster.name('stuck'),
        topics: [topic],
        fromBeginning: true,
        bufferBytes: BUFFER_BYTES,
        stuckAfterMs: 1,
      });
      const lags = new Map<number, number>();
      consumer.events.on('lag', ({ partition, lag }) => lags.set(partition, lag));
      const stuck = gate();
      const seen = [0, 0, 0, 0];
      let most = 0;
      const running = consumer.run({
        concurrency: { by },
        eachRecord: async ({ partition, offset }) => {
          seen[partition] = (seen[partition] ?? 0) + 1;
          most = Math.max(most, consumer.stats().bufferedBytes);
          if (partition === 2 && offset === 10) await stuck.opened;
        },
      });
      await until(() => seen.filter((count) => count === 500).length === 3);
      for (let round = 0; round < 5; round++) {
        const before = seen[0] as number;
        await producer.sendAll([...records(0, 300), ...records(2, 300)]);
        await until(() => seen[0] === before + 300);
      }
      const stats = consumer.stats();
      expect(seen[2]).toBe(11);
      expect(stats.stuck).toEqual([{ topic, partition: 2, offset: 10, handlingMs: expect.any(Number) as number }]);
      expect(most).toBeLessThanOrEqual(BUFFER_BYTES);
      expect(stats.idleRatio).toBeLessThan(1);
      await consumer.commit();
      const committed = new Map((await consumer.committed()).map((kept) => [kept.partition, kept.offset]));
      expect([committed.get(0), committed.get(2)]).toEqual([2_000, 10]);
      await until(() => (lags.get(2) ?? 0) > 0 && lags.get(0) === 0);
      stuck.open();
      await until(() => seen[2] === 2_000);
      expect(consumer.stats().stuck).toEqual([]);
      await consumer.close();
      await Promise.all([running, producer.close()]);
    },
  );
});
