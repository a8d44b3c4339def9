import { gzipSync } from 'node:zlib';
import { Krafka, KrafkaRecordTooLargeError, type Producer, type RecordMetadata } from '../../../lib/core/index.js';
import { openTestCluster, type TestCluster } from '../../support/test-cluster.js';
import { SkippingClock } from '../../support/skipping-clock.js';
import { FlakyDialer } from './flaky-dialer.js';
import { writtenTo } from './written-records.js';

let cluster: TestCluster;
let krafka: Krafka;

beforeAll(async () => {
  cluster = await openTestCluster();
  krafka = cluster.krafka({ clientId: 'producer-tests' });
});
afterAll(() => cluster.close());

const numbered = (
  topic: string,
  count: number,
  partitions = 1,
): { topic: string; partition: number; value: string }[] =>
  Array.from({ length: count }, (_, index) => ({ topic, partition: index % partitions, value: String(index) }));

describe('a producer on a broker', () => {
  it('writes a record as it was given, and tells where', async () => {
    const topic = await cluster.newTopic(3, { 'retention.ms': '-1' });
    const producer = krafka.producer({ lingerMs: 0 });
    const metadata = await producer.send({
      topic,
      partition: 2,
      key: 'clé',
      value: 'value',
      headers: { one: '1', two: ['a', 'b'], none: null },
      timestamp: 1_700_000_000_123,
    });
    expect(metadata).toEqual({ topic, partition: 2, offset: 0, timestamp: 1_700_000_000_123 });
    const [written] = await writtenTo(krafka, topic);
    expect(written).toMatchObject({
      partition: 2,
      offset: 0,
      key: 'clé',
      value: 'value',
      timestamp: 1_700_000_000_123,
    });
    expect(Object.keys(written!.headers)).toEqual(['one', 'two', 'none']);
    expect(String(written!.headers['one'])).toBe('1');
    await producer.close();
  });

  it('never loses sight of a topic it writes to, however often its metadata comes of age', async () => {
    const topic = await cluster.newTopic(1);
    const time = new SkippingClock();
    const metadataMaxAgeMs = 1_000;
    const options = { clientId: 'aging', brokers: cluster.bootstrap, connection: cluster.connection };
    const aging = new Krafka({ ...options, metadataMaxAgeMs }, { clock: time });
    const producer = aging.producer();
    await producer.send({ topic, value: 'first' });
    let losses = 0;
    aging.cluster.events.on('metadata', ({ topics }) => void (topics.has(topic) || losses++));
    for (let period = 1; period <= 6; period++) {
      const sent = producer.send({ topic, value: String(period) });
      time.skip(metadataMaxAgeMs);
      expect(await sent).toMatchObject({ offset: period });
    }
    expect(losses).toBe(0);
    await aging.close();
  });

  it('writes tombstones and timestamps that lie months apart in one batch', async () => {
    const topic = await cluster.newTopic(1);
    const producer = krafka.producer({ lingerMs: 0 });
    const months = 90 * 86_400_000;
    const timestamp = Date.now() - months;
    await producer.sendAll([
      { topic, key: 'k', value: null, timestamp },
      { topic, key: 'k', value: 'v', timestamp: timestamp + months },
    ]);
    expect(await writtenTo(krafka, topic)).toMatchObject([
      { value: null, timestamp },
      { value: 'v', timestamp: timestamp + months },
    ]);
    await producer.close();
  });

  it('keeps the order of each partition over many batches in flight', async () => {
    const topic = await cluster.newTopic(4);
    const producer = krafka.producer({ lingerMs: 0, batchSize: 500 });
    const sent = await Promise.all(numbered(topic, 4_000, 4).map((record) => producer.send(record)));
    const written = await writtenTo(krafka, topic);
    expect(written).toHaveLength(4_000);
    for (let partition = 0; partition < 4; partition++) {
      const values = written.filter((record) => record.partition === partition).map(({ value }) => Number(value));
      expect(values).toEqual(Array.from({ length: 1_000 }, (_, index) => index * 4 + partition));
    }
    const at = new Map(written.map(({ partition, offset, value }) => [`${partition}@${offset}`, value]));
    sent.forEach(({ partition, offset }, index) => expect(at.get(`${partition}@${offset}`)).toBe(String(index)));
    expect(producer.stats()).toMatchObject({ retries: 0, epochBumps: 0, buffer: { used: 0 } });
    await producer.close();
  });

  it.each(['gzip', 'snappy', 'lz4', 'zstd', 'none'] as const)(
    'writes batches compressed with %s',
    async (compression) => {
      const topic = await cluster.newTopic(2);
      const producer = krafka.producer({ lingerMs: 0, compression });
      const records = numbered(topic, 500, 2).map((record) => ({
        ...record,
        value: `${record.value} ${'same '.repeat(20)}`,
      }));
      await producer.sendAll(records);
      const written = await writtenTo(krafka, topic);
      expect(written.map(({ value }) => String(value)).toSorted()).toEqual(
        records.map(({ value }) => value).toSorted(),
      );
      expect(new Set(written.map((record) => record.compression))).toEqual(new Set([compression]));
      const { compressionRatio } = producer.stats();
      if (compression === 'none') expect(compressionRatio).toBe(1);
      else expect(compressionRatio).toBeLessThan(0.5);
      await producer.close();
    },
  );

  it('writes with a codec of the user’s own', async () => {
    const topic = await cluster.newTopic(1);
    const compression = {
      name: 'gzip' as const,
      id: 1,
      compress: (records: Buffer): Promise<Buffer> => Promise.resolve(gzipSync(records)),
      decompress: (): Buffer => Buffer.alloc(0),
    };
    const producer = krafka.producer({ lingerMs: 0, compression });
    await producer.sendAll(numbered(topic, 10));
    expect((await writtenTo(krafka, topic)).map(({ value }) => value)).toEqual(
      numbered(topic, 10).map(({ value }) => value),
    );
    await producer.close();
  });

  it.each([
    ['all', true],
    ['all', false],
    [1, false],
  ] as const)('is acknowledged with acks %s, idempotent %s', async (acks, idempotent) => {
    const topic = await cluster.newTopic(1);
    const producer = krafka.producer({ lingerMs: 0, acks, idempotent });
    const sent = await producer.sendAll(numbered(topic, 100));
    expect(sent.map(({ offset }) => offset)).toEqual(Array.from({ length: 100 }, (_, index) => index));
    await producer.close();
  });

  it('with acks 0 waits for nobody', async () => {
    const topic = await cluster.newTopic(1);
    const producer = krafka.producer({ lingerMs: 0, acks: 0 });
    const sent = await producer.sendAll(numbered(topic, 100));
    expect(new Set(sent.map(({ offset }) => offset))).toEqual(new Set([-1]));
    // Behind them on the same connection, and answered: they have arrived.
    const witness = krafka.producer({ lingerMs: 0, acks: 1 });
    await witness.send({ topic, value: 'last' });
    expect(await writtenTo(krafka, topic)).toHaveLength(101);
    await Promise.all([producer.close(), witness.close()]);
  });

  it('writes to two hundred topics at once', async () => {
    const topics = Array.from({ length: 200 }, () => cluster.name('wide'));
    await krafka.admin().createTopics(topics.map((name) => ({ name, partitions: 2 })));
    const producer = krafka.producer({ lingerMs: 0 });
    const sent = await Promise.all(
      topics.flatMap((topic) => [0, 1].map((partition) => producer.send({ topic, partition, value: topic }))),
    );
    expect(sent).toHaveLength(400);
    expect(sent.every(({ offset }) => offset === 0)).toBe(true);
    await producer.close();
  });

  it('spreads keyless records over partitions, and keeps a key on its own', async () => {
    const topic = await cluster.newTopic(6);
    const producer = krafka.producer({ lingerMs: 0, batchSize: 1_000 });
    // So many batches that chance leaves no partition out.
    const keyless = await producer.sendAll(Array.from({ length: 2_000 }, () => ({ topic, value: 'x'.repeat(100) })));
    expect(new Set(keyless.map(({ partition }) => partition)).size).toBe(6);
    const keyed = await producer.sendAll(
      Array.from({ length: 20 }, () => ({ topic, key: 'order-1000001', value: 'v' })),
    );
    // Where the Java client puts this key among six partitions.
    expect(new Set(keyed.map(({ partition }) => partition))).toEqual(new Set([4]));
    await producer.close();
  });

  it('splits a bundle’s work by partition', async () => {
    const topic = await cluster.newTopic(8);
    const wide = cluster.krafka({ connection: { connectionsPerBroker: 4 } });
    const producer = wide.producer({ lingerMs: 0, batchSize: 2_000 });
    for (let round = 0; round < 5; round++) await producer.sendAll(numbered(topic, 800, 8));
    const written = await writtenTo(krafka, topic);
    expect(written).toHaveLength(4_000);
    for (let partition = 0; partition < 8; partition++) {
      const values = written.filter((record) => record.partition === partition).map(({ value }) => Number(value));
      const round = Array.from({ length: 100 }, (_, index) => index * 8 + partition);
      expect(values).toEqual([round, round, round, round, round].flat());
    }
    await producer.close();
  });
});

describe('bad input', () => {
  let producer: Producer;
  beforeAll(() => {
    producer = krafka.producer({ lingerMs: 0 });
  });
  afterAll(() => producer.close());

  it('an unknown topic is a typed error within maxBlockMs, and harms nobody', async () => {
    const topic = await cluster.newTopic(1);
    const missing = cluster.name('missing');
    const hasty = krafka.producer({ lingerMs: 0, accumulator: { maxBlockMs: 3_000 } });
    const [unknown, known] = await Promise.allSettled([
      hasty.send({ topic: missing, value: 'x' }),
      hasty.send({ topic, value: 'x' }),
    ]);
    expect(unknown).toMatchObject({ reason: { code: 'UNKNOWN_TOPIC_OR_PARTITION', topic: missing } });
    expect(known).toMatchObject({ status: 'fulfilled' });
    await hasty.close();
  });

  it('a partition that is not there is a typed error', async () => {
    const topic = await cluster.newTopic(2);
    await expect(producer.send({ topic, partition: 9, value: 'x' })).rejects.toMatchObject({
      code: 'UNKNOWN_TOPIC_OR_PARTITION',
      topic,
      partition: 9,
    });
  });

  it('a record over maxRequestSize is refused here, one over max.message.bytes by the broker; neighbours are written', async () => {
    const topic = await cluster.newTopic(1, { 'max.message.bytes': '20000' });
    const records = ['a', 'x'.repeat(1_100_000), 'b', 'y'.repeat(30_000), 'c'];
    const outcomes = await producer.sendAllSettled(records.map((value) => ({ topic, value })));
    expect(outcomes.map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
      'rejected',
      'fulfilled',
    ]);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(KrafkaRecordTooLargeError);
    }
    expect((await writtenTo(krafka, topic)).map(({ value }) => value)).toEqual(['a', 'b', 'c']);
  });

  it('batches over max.message.bytes are split, in order', async () => {
    const topic = await cluster.newTopic(1, { 'max.message.bytes': '5000' });
    const records = numbered(topic, 300).map((record) => ({ ...record, value: record.value.padStart(100, '0') }));
    await producer.sendAll(records);
    expect(producer.stats().splits).toBeGreaterThan(0);
    expect((await writtenTo(krafka, topic)).map(({ value }) => value)).toEqual(records.map(({ value }) => value));
  });

  it('a compacted topic’s refusal of a record without key is told to its sender', async () => {
    const topic = await cluster.newTopic(1, { 'cleanup.policy': 'compact' });
    await expect(producer.send({ topic, value: 'x' })).rejects.toMatchObject({ code: 'INVALID_RECORD', topic });
    await expect(producer.send({ topic, key: 'k', value: 'x' })).resolves.toMatchObject({ offset: 0 });
  });
});

describe('trouble on the wire', () => {
  it.each([
    ['cut', false],
    ['cut after answers were lost', true],
  ] as const)(
    'sockets that are %s mid-traffic lose no acknowledged record, repeat none, and every send settles',
    async (_how, swallow) => {
      const topic = await cluster.newTopic(4);
      const dialer = new FlakyDialer();
      const { connection } = cluster;
      const flaky = new Krafka({ brokers: cluster.bootstrap, clientId: 'flaky', connection }, { dialer });
      const producer = flaky.producer({ lingerMs: 0, batchSize: 2_000 });
      const sent: Promise<RecordMetadata>[] = [producer.send({ topic, partition: 0, value: '0' })];
      await sent[0];
      for (let round = 0; round < 10; round++) {
        const troubled = round % 3 === 1;
        dialer.swallowing = troubled && swallow;
        for (let index = 0; index < 400; index++) {
          sent.push(producer.send({ topic, partition: index % 4, value: String(sent.length) }));
        }
        while (producer.stats().inFlight === 0) await new Promise((resolve) => setImmediate(resolve));
        // Long enough for a broker to have written what it will not be heard to answer.
        if (dialer.swallowing) await new Promise((resolve) => setTimeout(resolve, 50));
        if (troubled) dialer.cut();
      }
      const outcomes = await Promise.all(sent);
      const written = await writtenTo(krafka, topic);
      const at = new Map(written.map(({ partition, offset, value }) => [`${partition}@${offset}`, value]));
      outcomes.forEach(({ partition, offset }, index) => expect(at.get(`${partition}@${offset}`)).toBe(String(index)));
      expect(written).toHaveLength(sent.length);
      for (let partition = 0; partition < 4; partition++) {
        const values = written.filter((record) => record.partition === partition).map(({ value }) => Number(value));
        expect(values).toEqual(values.toSorted((a, b) => a - b));
      }
      expect(producer.stats().retries).toBeGreaterThan(0);
      await producer.close();
      await flaky.close();
    },
  );

  it('a topic that is deleted and made anew is produced to again', async () => {
    const topic = await cluster.newTopic(2);
    const producer = krafka.producer({ lingerMs: 0 });
    await producer.sendAll(numbered(topic, 10, 2));
    const admin = krafka.admin();
    await admin.deleteTopics([topic]);
    // The controller has deleted it; its leader may hear of that a moment later.
    while ((await admin.listTopics()).some(({ name }) => name === topic));
    const meanwhile = producer.send({ topic, partition: 0, value: 'meanwhile' });
    await new Promise((resolve) => setTimeout(resolve, 200));
    await cluster.newTopic(2, {}, topic);
    await expect(meanwhile).resolves.toMatchObject({ partition: 0, offset: 0 });
    await expect(producer.send({ topic, partition: 0, value: 'after' })).resolves.toMatchObject({ offset: 1 });
    await producer.close();
  });

  it('a producer that was idle, or whose broker closed every socket, goes on', async () => {
    const topic = await cluster.newTopic(1);
    const dialer = new FlakyDialer();
    const flaky = new Krafka({ brokers: cluster.bootstrap, connection: cluster.connection }, { dialer });
    const producer = flaky.producer({ lingerMs: 0 });
    for (let round = 0; round < 3; round++) {
      await expect(producer.send({ topic, value: 'x' })).resolves.toMatchObject({ offset: round });
      dialer.cut();
    }
    await flaky.close();
  });
});

describe('closing', () => {
  it('delivers what lingers, and refuses what comes later', async () => {
    const topic = await cluster.newTopic(1);
    const producer = krafka.producer({ lingerMs: 10_000 });
    const sent = producer.sendAll(numbered(topic, 50));
    await producer.close();
    expect(await sent).toHaveLength(50);
    await expect(producer.send({ topic, value: 'late' })).rejects.toMatchObject({ code: 'CLOSED' });
  });

  it('flush waits for what was sent before it', async () => {
    const topic = await cluster.newTopic(2);
    const producer = krafka.producer({ lingerMs: 10_000 });
    let settled = 0;
    for (const record of numbered(topic, 100, 2)) void producer.send(record).then(() => settled++);
    await producer.flush();
    expect(settled).toBe(100);
    await producer.close();
  });
});
