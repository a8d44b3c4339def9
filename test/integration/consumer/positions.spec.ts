import type { ConsumerOptions, Krafka } from '../../../lib/core/index.js';
import { openTestCluster, type TestCluster } from '../../support/test-cluster.js';
import { take, until, values } from './tools.js';

const MANY = 1_000;

describe('positions', () => {
  let cluster: TestCluster;
  let krafka: Krafka;

  beforeAll(async () => {
    cluster = await openTestCluster({ brokers: 3 });
    krafka = cluster.krafka();
  });
  afterAll(() => cluster.close());

  /** Records of an hour ago, half an hour ago, the newest, and one that came late and is older. */
  const dated = async (): Promise<{ topic: string; now: number }> => {
    const topic = await cluster.newTopic(1);
    const producer = krafka.producer();
    const now = Date.now();
    const minute = 60_000;
    await producer.sendAll(
      [
        ['old', 60],
        ['half', 30],
        ['newest', 1],
        ['late', 10],
      ].map(([value, age]) => ({
        topic,
        partition: 0,
        value: String(value),
        timestamp: now - Number(age) * minute,
      })),
    );
    await producer.close();
    return { topic, now };
  };

  it.each([
    ['earliest', () => 'earliest', 'old'],
    ['a time', (now: number) => ({ timestamp: now - 40 * 60_000 }), 'half'],
    ['an age', () => ({ durationMs: 20 * 60_000 }), 'newest'],
    ['the highest timestamp', () => 'max-timestamp', 'newest'],
  ] as const)('of a group without offsets are where offsetReset says: %s', async (_what, reset, first) => {
    const { topic, now } = await dated();
    const consumer = krafka.consumer({
      groupId: cluster.name('positions'),
      topics: [topic],
      offsetReset: reset(now) as ConsumerOptions['offsetReset'],
    });
    expect(values(await take(consumer, 1))).toEqual([first]);
    await consumer.close();
  });

  it('are at the end where no record is as young as offsetReset says', async () => {
    const { topic } = await dated();
    const consumer = krafka.consumer({
      groupId: cluster.name('positions'),
      topics: [topic],
      offsetReset: { durationMs: 1_000 },
    });
    await consumer.start();
    await until(() => consumer.assignment().length === 1 && consumer.position({ topic, partition: 0 }) === 4);
    await consumer.close();
  });

  it('may be sought and assigned by time', async () => {
    const { topic, now } = await dated();
    const half = { timestamp: now - 40 * 60_000 };
    const consumer = krafka.consumer({ assignments: [{ topic, partition: 0, offset: half }] });
    expect(values(await take(consumer, 1))).toEqual(['half']);
    await consumer.seek({ topic, partition: 0 }, 'max-timestamp');
    expect(consumer.position({ topic, partition: 0 })).toBe(2);
    await consumer.close();
  });

  it('are the newest ones asked for: an answer that is overtaken by a seek counts for nothing', async () => {
    const { topic } = await dated();
    const place = { topic, partition: 0 };
    const consumer = krafka.consumer({ assignments: [{ ...place, offset: 'earliest' }] });
    await consumer.start();
    const latest = consumer.seek(place, 'latest');
    const earliest = consumer.seek(place, 'earliest');
    await Promise.all([latest, earliest]);
    expect(consumer.position(place)).toBe(0);
    const overtaken = consumer.seek(place, 'latest');
    await consumer.seek(place, 2);
    await overtaken;
    expect(consumer.position(place)).toBe(2);
    expect(values(await take(consumer, 2))).toEqual(['newest', 'late']);
    await consumer.close();
  });

  it(`of ${MANY} partitions are found by one ListOffsets for each leader, and fetched by requests that name nothing`, async () => {
    const topic = await cluster.newTopic(MANY);
    // Brokers take a while to lead so many: what is not led yet would be asked for again.
    await krafka
      .admin()
      .listOffsets(Array.from({ length: MANY }, (_, partition) => ({ topic, partition, at: 'latest' as const })));
    const consumer = krafka.consumer({
      groupId: cluster.name('positions'),
      topics: [topic],
      fetchMaxWaitMs: 50,
    });
    await consumer.start();
    await until(() => consumer.assignment().length === MANY);
    const { partitions } = krafka.cluster.metadata.topics.get(topic) as { partitions: readonly { leader: number }[] };
    const leaders = new Set(partitions.map(({ leader }) => leader)).size;
    if (cluster.kind === 'embedded') expect(leaders).toBe(3);
    expect(consumer.stats()).toMatchObject({ offsetLookups: leaders });
    await until(() => consumer.stats().incrementalFetches >= 2 * leaders);
    const before = consumer.stats();
    await until(() => consumer.stats().incrementalFetches >= before.incrementalFetches + 3 * leaders);
    const after = consumer.stats();
    expect(after.fetchedEntries - before.fetchedEntries).toBe(0);
    const each = (after.requestBytes - before.requestBytes) / (after.fetches - before.fetches);
    expect(each).toBeLessThanOrEqual(60);
    await consumer.close();
  });
});
