import { Krafka, type Consumer, type ConsumerOptions } from '../../../lib/core/index.js';
import type { ErrorName } from '../../../lib/core/protocol/index.js';
import { EmbeddedBroker, type EmbeddedBrokerOptions } from '../../../lib/testing/index.js';
import { openTestCluster, type TestCluster } from '../../support/test-cluster.js';
import { expected, produce, take, until, values } from './tools.js';

/** Kafka looks for new topics of a group's patterns every 10 seconds at most, and members hear of it every 5. */
const LONG = 60_000;

const topicsOf = (consumer: Consumer): string[] =>
  [...new Set(consumer.assignment().map(({ topic }) => topic))].toSorted();

describe('a pattern whose topics the coordinator finds (KIP-848)', () => {
  let cluster: TestCluster;
  let krafka: Krafka;
  let isOld = false;
  /** How often the embedded broker was asked for all topics there are. */
  let looks = 0;

  beforeAll(async () => {
    cluster = await openTestCluster({ groupConsumerHeartbeatIntervalMs: 50 });
    krafka = cluster.krafka();
    const atAll = ({ request }: { request: Readonly<Record<string, unknown>> }): boolean => {
      if (request['topics'] === null) looks++;
      return false;
    };
    cluster.embedded?.faults.add({ api: 'Metadata', fault: { delayMs: 1 }, when: atAll, times: Infinity });
    // Coordinators before Kafka 4.0 have the protocol switched off.
    isOld = /^[23]\./.test(process.env['KAFKA_VERSION'] ?? '4');
  });
  afterAll(() => cluster.close());

  const member = (topicPattern: RegExp, options: Partial<ConsumerOptions> = {}): Consumer =>
    krafka.consumer({
      groupId: cluster.name('matching'),
      topicPattern,
      fromBeginning: true,
      groupProtocol: 'consumer',
      ...options,
    });
  const regexesOf = async (groupId: string): Promise<(string | null)[]> => {
    const [group] = await krafka.admin().describeGroups([groupId]);
    if (group?.type !== 'consumer') throw new Error('it is no group of the consumer protocol');
    return group.members.map(({ subscribedRegex }) => subscribedRegex);
  };
  it(
    'is read from the start, with what comes later and without what goes, and nobody looks at all topics',
    async () => {
      if (isOld) return;
      const word = cluster.name('finding');
      await cluster.newTopic(2, {}, `${word}.a`);
      await produce(krafka, `${word}.a`, 3, { partition: 1 });
      const before = looks;
      const groupId = cluster.name('matching');
      const consumer = member(new RegExp(`${word.slice(1)}\\.[ab]$`), { groupId });
      await consumer.start();
      expect(topicsOf(consumer)).toEqual([`${word}.a`]);
      expect(consumer.subscription()).toEqual([`${word}.a`]);
      expect(values(await take(consumer, 3))).toEqual(expected(3));
      expect(await regexesOf(groupId)).toEqual([`.*${word.slice(1)}\\.[ab]`]);
      await cluster.newTopic(1, {}, `${word}.x`);
      await cluster.newTopic(1, {}, `${word}.b`);
      await until(() => consumer.assignment().length === 3);
      expect(topicsOf(consumer)).toEqual([`${word}.a`, `${word}.b`]);
      await krafka.admin().deleteTopics([`${word}.a`]);
      await until(() => consumer.assignment().length === 1);
      expect(topicsOf(consumer)).toEqual([`${word}.b`]);
      expect(looks).toBe(before);
      await consumer.close();
    },
    LONG,
  );

  it(
    'is shared by the members of the group',
    async () => {
      if (isOld) return;
      const word = cluster.name('sharing');
      for (const letter of ['a', 'b']) await cluster.newTopic(2, {}, `${word}-${letter}`);
      const groupId = cluster.name('matching');
      const [first, second] = [0, 1].map(() => member(new RegExp(`^${word}-`), { groupId })) as [Consumer, Consumer];
      await first.start();
      await until(() => first.assignment().length === 4);
      await second.start();
      await until(() => first.assignment().length === 2 && second.assignment().length === 2);
      const shared = [...first.assignment(), ...second.assignment()].map(
        ({ topic, partition }) => `${topic} ${partition}`,
      );
      expect(new Set(shared).size).toBe(4);
      await first.close();
      await until(() => second.assignment().length === 4);
      await second.close();
    },
    LONG,
  );

  it(
    'may find nothing yet',
    async () => {
      if (isOld) return;
      const word = cluster.name('waiting');
      const consumer = member(new RegExp(`^${word}$`));
      await consumer.start();
      expect(consumer.groupState()).toBe('stable');
      expect(consumer.subscription()).toEqual([]);
      await cluster.newTopic(1, {}, word);
      await produce(krafka, word, 2, { partition: 0 });
      expect(values(await take(consumer, 2))).toEqual(expected(2));
      await consumer.close();
    },
    LONG,
  );

  it(
    'gives way to names and to other patterns',
    async () => {
      if (isOld) return;
      const word = cluster.name('changing');
      for (const letter of ['a', 'b', 'c']) await cluster.newTopic(1, {}, `${word}-${letter}`);
      const groupId = cluster.name('matching');
      const consumer = member(new RegExp(`^${word}-a`), { groupId });
      await consumer.start();
      expect(topicsOf(consumer)).toEqual([`${word}-a`]);
      await consumer.subscribe([`${word}-b`]);
      expect(consumer.subscription()).toEqual([`${word}-b`]);
      await until(() => topicsOf(consumer).join() === `${word}-b`);
      expect(await regexesOf(groupId)).toEqual([null]);
      await consumer.subscribe(new RegExp(`^${word}-[ac]$`));
      await until(() => topicsOf(consumer).join() === `${word}-a,${word}-c`);
      expect(consumer.subscription()).toEqual([`${word}-a`, `${word}-c`]);
      expect(await regexesOf(groupId)).toEqual([`${word}-[ac]`]);
      await consumer.close();
    },
    LONG,
  );

  it(
    'finds what RegExp.test finds, however it is written',
    async () => {
      if (isOld) return;
      const word = `p${Math.random().toString(36).slice(2, 8)}`;
      const names = ['a', 'B', 'ab', 'a.b', 'a-b_c', 'aab', 'k', 'S', '1', '12', '2024-01', 'xx', '-', 'u'].map(
        (rest) => `${word}.${rest}`,
      );
      for (const name of names) await cluster.newTopic(1, {}, name);
      const sources: readonly (readonly [source: string, flags?: string])[] = [
        ...([['a'], ['a$'], ['A', 'i'], ['[^\\d]$'], ['a|b$'], ['(?:a|b)+$'], ['(?<x>a)b?$'], ['', 'g']] as const),
        ...([
          ['\\w\\.\\w$'],
          ['\\W\\b'],
          ['\\B-'],
          ['\\d{2,}', 'y'],
          ['[\\w-]+$'],
          ['.b', 's'],
          ['[]|x{2}'],
          ['(a|)b$'],
        ] as const),
        ...([
          ['\\p{Lu}', 'u'],
          ['\\u{61}$', 'u'],
          ['\\u212a', 'iu'],
          ['\\u017f', 'iu'],
          ['\\u017f|a$', 'i'],
          ['[[a-z]--[ab]]$', 'v'],
        ] as const),
        ...([['(?:\\x61|\\cA|\\0){1,2}?\\b'], ['x{,2}|u'], ['(a*)*b$'], ['[.\\-_]']] as const),
      ];
      const patterns = sources.map(([source, flags]) => new RegExp(`^${word}\\.(?:${source})`, flags));
      const consumers = patterns.map((pattern) => member(pattern));
      await Promise.all(consumers.map((consumer) => consumer.start()));
      const found = consumers.map((consumer, index) => [String(patterns[index]), consumer.subscription()]);
      const wanted = patterns.map((pattern) => {
        const plain = new RegExp(pattern.source, pattern.flags.replaceAll(/[gy]/g, ''));
        return [String(pattern), names.filter((name) => plain.test(name)).toSorted()];
      });
      expect(found).toEqual(wanted);
      const groups = await krafka.admin().describeGroups(consumers.map(({ groupId }) => groupId as string));
      for (const group of groups) {
        expect(group.type === 'consumer' && group.members[0]?.subscribedRegex).toEqual(expect.any(String));
      }
      await Promise.all(consumers.map((consumer) => consumer.close()));
    },
    LONG,
  );

  it(
    'is matched by the member where RE2 has no equal for it',
    async () => {
      if (isOld) return;
      const word = cluster.name('looking');
      await cluster.newTopic(1, {}, `${word}-a`);
      const groupId = cluster.name('matching');
      const consumer = member(new RegExp(`^${word}-(?!b)`), { groupId, topicPatternIntervalMs: 100 });
      await consumer.start();
      for (const letter of ['b', 'c']) await cluster.newTopic(1, {}, `${word}-${letter}`);
      await until(() => topicsOf(consumer).length === 2);
      expect(consumer.subscription()).toEqual([`${word}-a`, `${word}-c`]);
      expect(await regexesOf(groupId)).toEqual([null]);
      await consumer.close();
    },
    LONG,
  );

  it('never brings internal topics', async () => {
    if (isOld) return;
    const consumer = member(/^__consumer_offsets$/);
    await consumer.start();
    expect(consumer.assignment()).toEqual([]);
    expect(await regexesOf(consumer.groupId as string)).toEqual([null]);
    await consumer.close();
  });

  it(
    'is matched by the member of a classic group, where the brokers know no other',
    async () => {
      const word = cluster.name('falling');
      await cluster.newTopic(1, {}, `${word}-a`);
      const consumer = member(new RegExp(`^${word}-[ab]`), { groupProtocol: 'auto', topicPatternIntervalMs: 100 });
      await consumer.start();
      await until(() => consumer.assignment().length === 1);
      await cluster.newTopic(1, {}, `${word}-b`);
      await until(() => consumer.assignment().length === 2);
      expect(consumer.subscription()).toEqual([`${word}-a`, `${word}-b`]);
      await consumer.close();
    },
    LONG,
  );
});

describe('a pattern that the coordinator does not match', () => {
  const broken: readonly {
    readonly broker: string;
    readonly offers?: EmbeddedBrokerOptions['apiVersions'];
    /** What it says, to any such heartbeat or to those with a pattern. */
    readonly says?: { readonly error: ErrorName; readonly to: 'any' | 'patterns' };
    readonly groupProtocol: ConsumerOptions['groupProtocol'];
  }[] = [
    { broker: 'that is too old for it', offers: { ConsumerGroupHeartbeat: { max: 0 } }, groupProtocol: 'consumer' },
    {
      broker: 'that is too old and has the protocol switched off',
      offers: { ConsumerGroupHeartbeat: { max: 0 } },
      says: { error: 'UNSUPPORTED_VERSION', to: 'any' },
      groupProtocol: 'auto',
    },
    {
      broker: 'that has the protocol switched off',
      says: { error: 'UNSUPPORTED_VERSION', to: 'any' },
      groupProtocol: 'auto',
    },
    { broker: 'that knows classic groups only', offers: { ConsumerGroupHeartbeat: false }, groupProtocol: 'auto' },
    {
      broker: 'that takes it for none',
      says: { error: 'INVALID_REGULAR_EXPRESSION', to: 'patterns' },
      groupProtocol: 'consumer',
    },
  ];

  it.each(broken)('for a broker $broker is matched by the member', async ({ offers, says, groupProtocol }) => {
    const broker = await EmbeddedBroker.start({
      topics: { 'orders-a': 1, other: 1 },
      apiVersions: offers ?? {},
      groupConsumerHeartbeatIntervalMs: 50,
    });
    if (says !== undefined) {
      broker.faults.add({
        api: 'ConsumerGroupHeartbeat',
        fault: { error: says.error },
        when: ({ request }) => says.to === 'any' || Boolean(request['subscribedTopicRegex']),
        times: Infinity,
      });
    }
    const krafka = new Krafka({ brokers: broker.bootstrap });
    const consumer = krafka.consumer({
      groupId: 'g',
      topicPattern: /^orders-/,
      groupProtocol,
      topicPatternIntervalMs: 50,
    });
    await consumer.start();
    expect(consumer.subscription()).toEqual(['orders-a']);
    expect(topicsOf(consumer)).toEqual(['orders-a']);
    await krafka.admin().createTopics([{ name: 'orders-b', partitions: 1 }]);
    await until(() => topicsOf(consumer).length === 2);
    // And so are other patterns, once it is known.
    await consumer.subscribe(/^oth/);
    await until(() => topicsOf(consumer).join() === 'other');
    await krafka.close();
    await broker.close();
  });
});
