import type { TopicMetadata } from '../../cluster/index.js';
import { seededRandom } from '../../support/index.js';
import { fakeWorld, watch } from '../spec-support/fake-cluster.js';
import type { PartitionableRecord } from './partitioner.js';
import { RoundRobinPartitioner } from './round-robin-partitioner.js';
import { StickyPartition } from './sticky-partition.js';

const topicOf = (leaders: readonly number[]): TopicMetadata => ({
  name: 't',
  id: 'x',
  isInternal: false,
  partitions: leaders.map((leader, partition) => ({
    partition,
    leader,
    leaderEpoch: 1,
    replicas: [],
    isr: [],
    offlineReplicas: [],
  })),
});
const noBacklog = (): number => 0;

describe('StickyPartition (KIP-480, KIP-794)', () => {
  const three = topicOf([1, 1, 1]);

  it('stays until a batch’s worth of bytes has gone there', () => {
    const sticky = new StickyPartition(100, seededRandom(1));
    const first = sticky.choose(three, noBacklog);
    sticky.appended(99);
    expect(sticky.choose(three, noBacklog)).toBe(first);
    sticky.appended(1);
    expect(sticky.choose(three, noBacklog)).not.toBe(first);
  });

  it('goes on when the batch is full, to another partition', () => {
    const sticky = new StickyPartition(100, seededRandom(1));
    for (let round = 0; round < 20; round++) {
      const before = sticky.choose(three, noBacklog);
      sticky.filled();
      expect(sticky.choose(three, noBacklog)).not.toBe(before);
    }
  });

  it('uses every partition about as often', () => {
    const sticky = new StickyPartition(1, seededRandom(1));
    const counts = [0, 0, 0];
    for (let round = 0; round < 3_000; round++) {
      counts[sticky.choose(three, noBacklog)]!++;
      sticky.appended(1);
    }
    for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(100);
  });

  it('prefers partitions whose queue is short', () => {
    const sticky = new StickyPartition(1, seededRandom(1));
    const counts = [0, 0, 0];
    for (let round = 0; round < 3_000; round++) {
      counts[sticky.choose(three, (partition) => (partition === 2 ? 9 : 0))]!++;
      sticky.appended(1);
    }
    expect(counts[2]).toBeLessThan(400);
    expect(counts[2]).toBeGreaterThan(0);
  });

  it('passes over partitions without a leader, as long as one has a leader', () => {
    const sticky = new StickyPartition(1, seededRandom(1));
    for (let round = 0; round < 50; round++) {
      expect(sticky.choose(topicOf([-1, 1, -1]), noBacklog)).toBe(1);
      sticky.appended(1);
    }
    const leaderless = new Set<number>();
    for (let round = 0; round < 50; round++) {
      leaderless.add(sticky.choose(topicOf([-1, -1, -1]), noBacklog));
      sticky.appended(1);
    }
    expect(leaderless.size).toBe(3);
  });
});

describe('RoundRobinPartitioner', () => {
  it('takes the partitions of each topic in turn', () => {
    const partitioner = new RoundRobinPartitioner();
    const record = (topic: string): PartitionableRecord => ({ topic, key: 'same', value: '' });
    const of = (topic: string): number => partitioner.partition(record(topic), topicOf([1, 1, 1]));
    expect([of('a'), of('a'), of('b'), of('a'), of('a'), of('b')]).toEqual([0, 1, 0, 2, 0, 1]);
  });

  it('passes over partitions without a leader', () => {
    const partitioner = new RoundRobinPartitioner();
    const of = (): number => partitioner.partition({ topic: 't', key: null, value: '' }, topicOf([1, -1, 1]));
    expect([of(), of(), of()]).toEqual([0, 2, 0]);
  });
});

describe('a producer’s partitioner', () => {
  const partitionsOf = async (
    world: ReturnType<typeof fakeWorld>,
    keys: readonly (string | null)[],
  ): Promise<(number | undefined)[]> => {
    const { clock, producer, broker } = world;
    broker.onProduce = (produce) => produce.answer();
    const sent = watch(producer.sendAll(keys.map((key) => ({ topic: 't', key, value: 'v' }))));
    await clock.settle();
    return sent.value?.map(({ partition }) => partition) ?? [];
  };

  it('puts a key where Java puts it, and an explicit partition where it says', async () => {
    const world = fakeWorld({ lingerMs: 0 });
    // Of six partitions, by Java's murmur2.
    expect(await partitionsOf(world, ['order-1000001', 'foobar', '日本語', ''])).toEqual([4, 0, 4, 3]);
    const explicit = watch(world.producer.send({ topic: 't', partition: 5, key: 'foobar', value: 'v' }));
    await world.clock.settle();
    expect(explicit.value?.partition).toBe(5);
  });

  it('keeps keyless records together, in batches rather than one by one', async () => {
    const world = fakeWorld({ lingerMs: 0 });
    const partitions = await partitionsOf(
      world,
      Array.from({ length: 50 }, () => null),
    );
    expect(new Set(partitions).size).toBe(1);
    expect(world.broker.produced).toHaveLength(1);
  });

  it('fills the batches of several partitions with one call, so that they travel in one request', async () => {
    const world = fakeWorld({ lingerMs: 0, batchSize: 1_000 });
    world.broker.onProduce = (produce) => produce.answer();
    void world.producer.sendAll(Array.from({ length: 60 }, () => ({ topic: 't', value: 'x'.repeat(50) })));
    await world.clock.settle();
    const [first] = world.broker.produced;
    expect(first?.batches.length).toBeGreaterThan(2);
    for (const { header } of first!.batches.slice(0, -1)) expect(header.recordCount).toBeGreaterThan(10);
  });

  it('uniform-sticky heeds no key', async () => {
    const partitions = await partitionsOf(fakeWorld({ lingerMs: 0, partitioner: 'uniform-sticky' }), ['a', 'b', 'c']);
    expect(new Set(partitions).size).toBe(1);
  });

  it('round-robin heeds no key', async () => {
    const partitions = await partitionsOf(fakeWorld({ lingerMs: 0, partitioner: 'round-robin' }), ['a', 'a', 'a']);
    expect(partitions).toEqual([0, 1, 2]);
  });

  it('may be a function, or an object', async () => {
    const seen: PartitionableRecord[] = [];
    const last = (record: PartitionableRecord, topic: TopicMetadata): number => {
      seen.push(record);
      return topic.partitions.length - 1;
    };
    expect(await partitionsOf(fakeWorld({ lingerMs: 0, partitioner: last }), ['a'])).toEqual([5]);
    expect(await partitionsOf(fakeWorld({ lingerMs: 0, partitioner: { partition: last } }), ['a'])).toEqual([5]);
    expect(seen[0]).toEqual({ topic: 't', key: 'a', value: 'v' });
  });

  it.each([7, -1, 0.5, '1'])('that answers %j is a typed error of that send alone', async (wrong) => {
    const { clock, producer, broker } = fakeWorld({
      lingerMs: 0,
      partitioner: ({ key }) => (key === 'bad' ? (wrong as number) : 0),
    });
    broker.onProduce = (produce) => produce.answer();
    const sent = ['a', 'bad', 'b'].map((key) => watch(producer.send({ topic: 't', key, value: 'v' })));
    await clock.settle();
    expect(sent.map(({ state }) => state)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(sent[1]?.reason).toMatchObject({ code: 'INVALID_PARTITION' });
  });

  it('that throws fails its own send, with what it threw', async () => {
    const { clock, producer } = fakeWorld({
      partitioner: () => {
        throw new Error('boom');
      },
    });
    const sent = watch(producer.send({ topic: 't', value: 'v' }));
    const all = watch(producer.sendAll([{ topic: 't', value: 'v' }]));
    await clock.settle();
    expect([sent.reason, all.reason]).toMatchObject([
      { code: 'INVALID_PARTITION', cause: { message: 'boom' } },
      { code: 'INVALID_PARTITION', cause: { message: 'boom' } },
    ]);
  });
});
