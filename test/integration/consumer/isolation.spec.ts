import type { Consumer, ConsumerRecord, Krafka } from '../../../lib/core/index.js';
import { openTestCluster, type TestCluster } from '../../support/test-cluster.js';
import { RawTransactions } from './raw-transaction.js';
import { produce, take, until, values } from './tools.js';

describe('isolation', () => {
  let cluster: TestCluster;
  let krafka: Krafka;

  beforeAll(async () => {
    cluster = await openTestCluster();
    krafka = cluster.krafka();
  });
  afterAll(() => cluster.close());

  const reader = (topic: string, isolationLevel: 'read_committed' | 'read_uncommitted'): Consumer =>
    krafka.consumer({ groupId: cluster.name('isolation'), topics: [topic], fromBeginning: true, isolationLevel });

  it('read_committed sees what was committed, read_uncommitted everything, neither of them markers', async () => {
    const topic = await cluster.newTopic(1);
    const transactions = await RawTransactions.open(krafka, cluster.name('tx'));
    await transactions.write(topic, ['a1', 'a2']);
    await transactions.end('commit');
    await transactions.write(topic, ['b1']);
    await transactions.end('abort');
    await produce(krafka, topic, 1, { partition: 0, word: 'plain' });
    await transactions.write(topic, ['c1']);
    await transactions.end('abort');
    await transactions.write(topic, ['d1']);
    await transactions.end('commit');
    const committed = reader(topic, 'read_committed');
    expect(values(await take(committed, 4))).toEqual(['a1', 'a2', 'plain-0', 'd1']);
    await committed.close();
    const all = reader(topic, 'read_uncommitted');
    expect(values(await take(all, 6))).toEqual(['a1', 'a2', 'b1', 'plain-0', 'c1', 'd1']);
    await all.close();
  });

  it('read_committed waits at a transaction that is open, and goes on when it ends', async () => {
    const topic = await cluster.newTopic(1);
    const place = { topic, partition: 0 };
    const transactions = await RawTransactions.open(krafka, cluster.name('tx'));
    await produce(krafka, topic, 2, { partition: 0 });
    await transactions.write(topic, ['open']);
    await produce(krafka, topic, 1, { partition: 0, word: 'behind' });
    const committed = reader(topic, 'read_committed');
    const seen: ConsumerRecord[] = [];
    const running = committed.run({ eachRecord: (record) => void seen.push(record) });
    // The end, for such a reader, is the last stable offset: it is not behind though there are records it can't see.
    await until(() => seen.length === 2 && committed.lag(place) === 0);
    expect(committed.position(place)).toBe(2);
    await transactions.end('commit');
    await until(() => seen.length === 4);
    expect(values(seen)).toEqual(['v-0', 'v-1', 'open', 'behind-0']);
    await committed.close();
    await running;
  });

  it('positions and commits move over markers and aborted records at the end', async () => {
    const topic = await cluster.newTopic(1);
    const place = { topic, partition: 0 };
    const transactions = await RawTransactions.open(krafka, cluster.name('tx'));
    await transactions.write(topic, ['a']);
    await transactions.end('commit');
    await transactions.write(topic, ['b']);
    await transactions.end('abort');
    const committed = reader(topic, 'read_committed');
    const seen: unknown[] = [];
    const running = committed.run({ eachRecord: (record) => void seen.push(record.valueText) });
    await until(() => seen.length === 1 && committed.lag(place) === 0);
    expect(committed.position(place)).toBe(4);
    await committed.commit();
    expect(await committed.committed()).toMatchObject([{ offset: 4 }]);
    await committed.close();
    await running;
    expect(seen).toEqual(['a']);
  });
});
