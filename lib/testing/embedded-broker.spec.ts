import { ConsumerGroupHeartbeat, Fetch, Metadata, Produce } from '../core/protocol/index.js';
import { KrafkaConfigError } from '../core/support/index.js';
import { EmbeddedBroker } from './embedded-broker.js';
import { aBatch } from './spec-support/batches.js';
import { GroupMember } from './spec-support/group-member.js';
import { SpecBroker, until } from './spec-support/spec-broker.js';
import { TransactionalProducer } from './spec-support/transactional-producer.js';
import { WireClient } from './spec-support/wire-client.js';

const sockets = (): string[] => process.getActiveResourcesInfo().filter((name) => name.startsWith('TCP'));

describe('EmbeddedBroker', () => {
  let broker: EmbeddedBroker | undefined;

  const start = async (...options: Parameters<typeof EmbeddedBroker.start>): Promise<EmbeddedBroker> => {
    broker = await EmbeddedBroker.start(...options);
    return broker;
  };
  afterEach(async () => {
    await broker?.close();
    broker = undefined;
  });

  const produce = async (client: WireClient, values: readonly string[], partition = 0) => {
    const records = await aBatch(values);
    await client.send(Produce, 9, {
      acks: -1,
      timeoutMs: 1000,
      topicData: [{ name: 'orders', partitionData: [{ index: partition, records }] }],
    });
  };

  it('listens, with the topics it was given, when it has started', async () => {
    const { bootstrap } = await start({ topics: { orders: 3 } });
    expect(bootstrap).toMatch(/^127\.0\.0\.1:\d+$/);
    const client = await WireClient.connect(bootstrap);
    const { topics } = await client.send(Metadata, 9, { topics: null });
    expect(topics.map(({ name, partitions }) => [name, partitions.length])).toEqual([['orders', 3]]);
    await client.close();
  });

  it('shows what it holds, partition by partition', async () => {
    const { bootstrap } = await start({ topics: { orders: 2 } });
    const client = await WireClient.connect(bootstrap);
    await produce(client, ['c'], 1);
    await produce(client, ['a', 'b'], 0);
    const shown = (partition?: number) =>
      broker?.records('orders', partition).map((record) => `${record.partition}/${record.offset} ${record.value}`);
    expect(shown()).toEqual(['0/0 a', '0/1 b', '1/0 c']);
    expect(shown(1)).toEqual(['1/0 c']);
    expect(() => broker?.records('missing')).toThrow(/'missing' does not exist/);
    expect(() => broker?.records('orders', 2)).toThrow(KrafkaConfigError);
    await client.close();
  });

  it('makes topics with configurations, and refuses those that Kafka would', async () => {
    const { bootstrap, ...rest } = await start({ brokers: 2 });
    expect(rest).toBeDefined();
    const made = broker as EmbeddedBroker;
    made.createTopic('plain');
    made.createTopic('wide', 4);
    made.createTopic('special', { partitions: 2, replicationFactor: 1, configs: { 'max.message.bytes': '100' } });
    const client = await WireClient.connect(bootstrap.split(',')[0] ?? '');
    const { topics } = await client.send(Metadata, 9, { topics: null });
    expect(topics.map(({ name, partitions }) => [name, partitions.length, partitions[0]?.replicaNodes.length])).toEqual(
      [
        ['plain', 1, 2],
        ['wide', 4, 2],
        ['special', 2, 1],
      ],
    );
    expect(() => made.createTopic('plain')).toThrow(/exists already/);
    expect(() => made.createTopic('a b')).toThrow(/no topic name/);
    expect(() => made.createTopic('none', 0)).toThrow(/at least 1/);
    expect(() => made.createTopic('many', { replicationFactor: 3 })).toThrow(/from 1 to 2/);
    expect(() => made.createTopic('odd', { configs: { nonsense: '1' } })).toThrow(/Unknown topic config/);
    await client.close();
  });

  it('keeps a record of what it was asked', async () => {
    const { bootstrap, requests } = await start({ topics: { orders: 1 } });
    const client = await WireClient.connect(bootstrap, 'me');
    await client.send(Metadata, 9, { topics: null });
    await client.send(Metadata, 5, { topics: null });
    expect(requests.count('Metadata')).toBe(2);
    expect(requests.count('Fetch')).toBe(0);
    expect(requests.list('Metadata')).toEqual([
      { sequence: 1, api: 'Metadata', version: 9, nodeId: 1, connectionId: 1, clientId: 'me' },
      { sequence: 2, api: 'Metadata', version: 5, nodeId: 1, connectionId: 1, clientId: 'me' },
    ]);
    requests.clear();
    expect([requests.total, requests.list()]).toEqual([0, []]);
    await client.close();
  });

  it.each<[string, object, RegExp]>([
    ['an unknown option', { broker: 1 }, /'broker' is not known; did you mean 'brokers'/],
    ['no brokers', { brokers: 0 }, /'brokers' must be a whole number of brokers, from 1/],
    ['a topic without partitions', { topics: { a: 0 } }, /'topics\.a' must be a whole number of partitions/],
    ['a topic that can’t be named so', { topics: { 'a b': 1 } }, /is no topic name/],
    ['an API there is not', { apiVersions: { Produec: { max: 3 } } }, /did you mean 'Produce'/],
    ['a mechanism there is not', { sasl: { mechanism: 'GSSAPI', users: { a: 'b' } } }, /must be one of PLAIN/],
    ['nobody to authenticate', { sasl: { mechanism: 'PLAIN', users: {} } }, /'sasl\.users' must be/],
    ['a key without certificate', { tls: { key: 'k' } }, /'tls\.cert' must be/],
  ])('does not start with %s', async (_what, options, message) => {
    const before = sockets().length;
    await expect(EmbeddedBroker.start(options)).rejects.toThrow(KrafkaConfigError);
    await expect(EmbeddedBroker.start(options)).rejects.toThrow(message);
    expect(sockets().length).toBeLessThanOrEqual(before);
  });

  it('never shows a password in what it refuses', async () => {
    const options = { sasl: { mechanism: 'PLAIN' as const, users: { ann: 'hunter2' }, extra: 1 } };
    const error = await EmbeddedBroker.start(options).catch((reason: unknown) => reason as Error);
    expect((error as Error).message).not.toContain('hunter2');
  });

  it('leaves nothing behind when it closes, whatever is going on', async () => {
    const before = sockets().length;
    const closing = await start({ topics: { orders: 1 } });
    const waiting = await WireClient.connect(closing.bootstrap);
    waiting.write(Fetch, 12, {
      maxWaitMs: 60_000,
      minBytes: 1,
      sessionEpoch: -1,
      topics: [{ topic: 'orders', partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1 }] }],
    });
    const member = new GroupMember(await WireClient.connect(closing.bootstrap), 'g');
    await (
      await member.joiningWithId()
    )();
    await until(() => closing.requests.count('Fetch') === 1);
    await closing.close();
    await closing.close();
    await waiting.closed();
    await member.client.closed();
    await until(() => sockets().length <= before);
    expect(closing.connections()).toBe(0);
    await expect(closing.restartNode(1)).rejects.toThrow(/closed|running/);
  });

  it('ends every timer when it closes: of sessions, rebalances, transactions and polls', async () => {
    const spec = await SpecBroker.start({ topics: { orders: 1 } });
    const member = new GroupMember(await spec.connect(), 'g');
    await member.joiningWithId();
    const consumer = { groupId: 'c', memberId: 'm', memberEpoch: 0, rebalanceTimeoutMs: 1_000, topicPartitions: [] };
    await (await spec.connect()).send(ConsumerGroupHeartbeat, 1, { ...consumer, subscribedTopicNames: ['orders'] });
    const producer = new TransactionalProducer(await spec.connect(), 't');
    await producer.init();
    await producer.send(0, 'a');
    spec.broker.faults.next('Metadata', { delayMs: 60_000 });
    (await spec.connect()).write(Metadata, 9, { topics: null });
    await spec.received('Metadata', 1);
    expect(spec.clock.pending).toBeGreaterThanOrEqual(4);
    await spec.close();
    expect(spec.clock.pending).toBe(0);
  });

  it('is closed by await using', async () => {
    const disposed = await EmbeddedBroker.start();
    await disposed[Symbol.asyncDispose]();
    await expect(WireClient.connect(disposed.bootstrap)).rejects.toThrow(/ECONNREFUSED/);
  });
});
