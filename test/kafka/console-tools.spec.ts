import { spawnSync } from 'node:child_process';
import { consoleConsume, consoleProduce, jars, run } from '../support/java-tools.js';
import { openTestCluster, type TestCluster } from '../support/test-cluster.js';

const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;

describe("Kafka's own console tools", () => {
  let cluster: TestCluster;

  beforeAll(async () => {
    if (jars === undefined) throw new Error('KAFKA_JARS is not set: run this through `npm run test:kafka`');
    cluster = await openTestCluster();
  });
  afterAll(() => cluster.close());

  it.each(CODECS)(
    'read what we wrote, %s',
    async (compression) => {
      const topic = await cluster.newTopic(1);
      const producer = cluster.krafka().producer({ compression });
      await producer.sendAll([
        { topic, key: 'k1', value: 'plain' },
        { topic, key: 'ключ', value: 'Grüße, 世界', headers: { trace: 'abc', twice: ['1', '2'] } },
        { topic, key: null, value: 'no key' },
        { topic, key: 'gone', value: null },
        ...Array.from({ length: 200 }, (_, index) => ({ topic, key: `n${index}`, value: 'x'.repeat(index) })),
      ]);
      const lines = await consoleConsume(cluster.bootstrap, topic, 204);
      expect(lines).toHaveLength(204);
      expect(lines.slice(0, 4)).toEqual([
        'NO_HEADERS|k1|plain',
        'trace:abc,twice:1,twice:2|ключ|Grüße, 世界',
        'NO_HEADERS|<null>|no key',
        'NO_HEADERS|gone|<null>',
      ]);
      expect(lines[203]).toBe(`NO_HEADERS|n199|${'x'.repeat(199)}`);
    },
    60_000,
  );

  it.each(CODECS)(
    'write what we read, %s',
    async (codec) => {
      const topic = await cluster.newTopic(1);
      const sent = [
        'k1|plain',
        'ключ|Grüße, 世界',
        ...Array.from({ length: 200 }, (_, index) => `n${index}|${'y'.repeat(index)}`),
      ];
      await consoleProduce(cluster.bootstrap, topic, sent, codec);
      const consumer = cluster
        .krafka()
        .consumer({ groupId: cluster.name('group'), topics: [topic], fromBeginning: true });
      const read: string[] = [];
      for await (const record of consumer) {
        read.push(`${record.key?.toString()}|${record.value?.toString()}`);
        if (read.length === sent.length) break;
      }
      await consumer.close();
      expect(read).toEqual(sent);
    },
    60_000,
  );
});

const kcat = spawnSync('kcat', ['-V']).status === 0;

// kcat is a system package; where it is not installed the Java tools above stand for the outside world.
(kcat ? describe : describe.skip)('kcat (librdkafka)', () => {
  let cluster: TestCluster;
  beforeAll(async () => void (cluster = await openTestCluster()));
  afterAll(() => cluster.close());

  it('reads what we wrote and writes what we read', async () => {
    const topic = await cluster.newTopic(1);
    const krafka = cluster.krafka();
    await krafka.producer({ compression: 'lz4' }).send({ topic, key: 'k', value: 'from us', headers: { h: 'x' } });
    await run('kcat', ['-b', cluster.bootstrap, '-P', '-t', topic, '-K', '|', '-z', 'snappy'], 'q|from kcat\n');
    const seen = await run('kcat', ['-b', cluster.bootstrap, '-C', '-t', topic, '-e', '-q', '-f', '%h|%k|%s\\n']);
    expect(seen.split('\n').slice(0, 2)).toEqual(['h=x|k|from us', '|q|from kcat']);
    const consumer = krafka.consumer({ groupId: cluster.name('group'), topics: [topic], fromBeginning: true });
    const read: string[] = [];
    for await (const record of consumer) {
      read.push(record.value?.toString() ?? '');
      if (read.length === 2) break;
    }
    await consumer.close();
    expect(read).toEqual(['from us', 'from kcat']);
  }, 60_000);
});
