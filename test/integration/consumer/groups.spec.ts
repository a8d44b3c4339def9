import type { Consumer, ConsumerOptions, ConsumerRecord, Krafka, TopicPartition } from '../../../lib/core/index.js';
import { openTestCluster, type TestCluster } from '../../support/test-cluster.js';
import { expected, gate, inOrder, produce, take, until, values } from './tools.js';

/** Short, so that tests need not wait for a heartbeat; the least that brokers allow for a session by default. */
const LIVELY = { heartbeatIntervalMs: 50, sessionTimeoutMs: 6_000 };

/** KIP-848: options of classic groups are not for it. */
const BY_COORDINATOR: Partial<ConsumerOptions> = {
  groupProtocol: 'consumer',
  heartbeatIntervalMs: undefined,
  sessionTimeoutMs: undefined,
};

const KINDS: readonly {
  readonly kind: string;
  readonly options: Partial<ConsumerOptions>;
  readonly keepsReading: boolean;
  readonly rounds: number;
}[] = [
  { kind: 'range', options: { assignors: ['range'] }, keepsReading: false, rounds: 3 },
  { kind: 'roundrobin', options: { assignors: ['roundrobin'] }, keepsReading: false, rounds: 1 },
  { kind: 'cooperative-sticky', options: { assignors: ['cooperative-sticky'] }, keepsReading: true, rounds: 3 },
  { kind: 'the coordinator', options: BY_COORDINATOR, keepsReading: true, rounds: 1 },
];

const partitionsOf = (consumer: Consumer): number[] =>
  consumer
    .assignment()
    .map(({ partition }) => partition)
    .toSorted((a, b) => a - b);

describe('a group', () => {
  let cluster: TestCluster;
  let krafka: Krafka;

  beforeAll(async () => {
    cluster = await openTestCluster({ groupConsumerHeartbeatIntervalMs: 250 });
    krafka = cluster.krafka();
  });
  afterAll(() => cluster.close());

  const member = (topic: string, groupId: string, options: Partial<ConsumerOptions> = {}): Consumer =>
    krafka.consumer({ groupId, topics: [topic], fromBeginning: true, ...LIVELY, ...options });

  /** Coordinators before Kafka 4.0 have the consumer protocol switched off: they must be heard to say so. */
  const isRefused = async ({ groupProtocol }: Partial<ConsumerOptions>): Promise<boolean> => {
    if (groupProtocol !== 'consumer') return false;
    const consumer = member(await cluster.newTopic(1), cluster.name('asking'), BY_COORDINATOR);
    try {
      await consumer.start();
      return false;
    } catch (error) {
      expect(error).toMatchObject({ code: 'UNSUPPORTED_VERSION' });
      expect(process.env['KAFKA_VERSION']).toMatch(/^[23]\./);
      return true;
    } finally {
      await consumer.close();
    }
  };

  describe.each(KINDS)('that assigns by $kind', ({ options, keepsReading, rounds }) => {
    it('reads the topics that match a pattern, those that come later too', async () => {
      if (await isRefused(options)) return;
      const word = cluster.name('pattern');
      const consumer = krafka.consumer({
        groupId: cluster.name('matching'),
        topicPattern: new RegExp(`^${word}-[ab]$`, 'g'),
        topicPatternIntervalMs: 100,
        fromBeginning: true,
        ...LIVELY,
        ...options,
      });
      await consumer.start();
      expect(consumer.subscription()).toEqual([]);
      for (const letter of ['a', 'x', 'b']) await cluster.newTopic(1, {}, `${word}-${letter}`);
      await until(() => consumer.assignment().length === 2);
      expect(consumer.subscription()).toEqual([`${word}-a`, `${word}-b`]);
      await consumer.subscribe([`${word}-x`]);
      await until(() => consumer.assignment().some(({ topic }) => topic === `${word}-x`));
      await consumer.close();
      // Kafka's coordinator looks for new topics every 10 seconds.
    }, 60_000);

    it('tells who it is to the group', async () => {
      if (await isRefused(options)) return;
      const consumer = member(await cluster.newTopic(1), cluster.name('telling'), options);
      const { groupId } = consumer;
      expect(consumer.groupMetadata()).toEqual({ groupId, generationId: -1, memberId: '', groupInstanceId: null });
      await consumer.start();
      const { memberId, generationId } = consumer.groupMetadata();
      expect(memberId).not.toBe('');
      expect(generationId).toBeGreaterThan(0);
      await consumer.close();
    });

    it('shares the partitions among its members, and gives them back when one leaves', async () => {
      if (await isRefused(options)) return;
      const topic = await cluster.newTopic(4);
      const groupId = cluster.name('sharing');
      const first = member(topic, groupId, options);
      await first.start();
      // A coordinator that assigns may hear of a new topic a little later than its member.
      await until(() => partitionsOf(first).length === 4);
      const second = member(topic, groupId, options);
      await second.start();
      await until(() => partitionsOf(first).length === 2 && partitionsOf(second).length === 2);
      expect([...partitionsOf(first), ...partitionsOf(second)].toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3]);
      await until(() => first.groupState() === 'stable' && second.groupState() === 'stable');
      await second.close();
      await until(() => partitionsOf(first).length === 4);
      await first.close();
      expect([first.groupState(), second.groupState()]).toEqual(['left', 'left']);
    });

    it('hands each record to one member only while members come and go in good order', async () => {
      if (await isRefused(options)) return;
      const topic = await cluster.newTopic(6);
      const groupId = cluster.name('churn');
      const seen: ConsumerRecord[] = [];
      const running: Promise<void>[] = [];
      const join = (): Consumer => {
        const consumer = member(topic, groupId, options);
        running.push(consumer.run({ eachRecord: async (record) => void seen.push(record) }));
        return consumer;
      };
      const first = join();
      await first.start();
      await until(() => partitionsOf(first).length === 6);
      for (let round = 0; round < rounds; round++) {
        await produce(krafka, topic, 200, { from: round * 400 });
        const guest = join();
        await guest.start();
        await until(() => partitionsOf(guest).length === 3);
        await produce(krafka, topic, 200, { from: round * 400 + 200 });
        await until(() => seen.length >= round * 400 + 300);
        await guest.close();
      }
      await until(() => seen.length >= rounds * 400);
      await first.close();
      await Promise.all(running);
      expect(inOrder(seen)).toEqual(expected(rounds * 400));
    });

    it(`${keepsReading ? 'keeps reading what it keeps' : 'gives everything back'} while others join`, async () => {
      if (await isRefused(options)) return;
      const topic = await cluster.newTopic(4);
      const groupId = cluster.name('keeping');
      const revoked: number[] = [];
      const first = member(topic, groupId, options);
      first.events.on(
        'revoked',
        ({ partitions }) => void revoked.push(...partitions.map(({ partition }) => partition)),
      );
      await first.start();
      await until(() => partitionsOf(first).length === 4);
      const second = member(topic, groupId, options);
      await second.start();
      await until(() => partitionsOf(second).length === 2);
      expect(revoked).toHaveLength(keepsReading ? 2 : 4);
      await Promise.all([second.close(), first.close()]);
    });
  });

  it('goes on where it ended when it is started again', async () => {
    const topic = await cluster.newTopic(1);
    const groupId = cluster.name('resuming');
    await produce(krafka, topic, 10, { partition: 0 });
    const first = member(topic, groupId);
    let count = 0;
    const running = first.run({ eachRecord: () => void count++ });
    await until(() => count === 10);
    await first.close();
    await running;
    await produce(krafka, topic, 5, { partition: 0, from: 10 });
    const second = member(topic, groupId);
    expect((await take(second, 5)).map(({ offset }) => offset)).toEqual([10, 11, 12, 13, 14]);
    await second.close();
  });

  it('keeps its partitions through a handler that takes longer than the session', async () => {
    const topic = await cluster.newTopic(2);
    const groupId = cluster.name('patient');
    await produce(krafka, topic, 1, { partition: 0 });
    const consumer = member(topic, groupId);
    const lost: unknown[] = [];
    consumer.events.on('lost', (event) => lost.push(event));
    consumer.events.on('rebalancing', (event) => lost.push(event));
    let handled = false;
    const running = consumer.run({
      eachRecord: async () => {
        await new Promise((resolve) => setTimeout(resolve, 7_000));
        handled = true;
      },
    });
    await until(() => handled);
    expect(lost).toEqual([]);
    expect(consumer.groupState()).toBe('stable');
    await consumer.commit();
    expect(await consumer.committed([{ topic, partition: 0 }])).toMatchObject([{ offset: 1 }]);
    await consumer.close();
    await running;
  });

  it('makes a rebalance wait for the handler, and commits its work before the partition goes', async () => {
    const topic = await cluster.newTopic(2);
    const groupId = cluster.name('waiting');
    await produce(krafka, topic, 1, { partition: 0 });
    await produce(krafka, topic, 1, { partition: 1 });
    const first = member(topic, groupId);
    const handling = gate();
    const revoked = gate();
    const release = gate();
    const seen: ConsumerRecord[] = [];
    let busy = 0;
    const handler = async (record: ConsumerRecord, { signal }: { signal: AbortSignal }): Promise<void> => {
      if (++busy === 2) handling.open();
      signal.addEventListener('abort', () => revoked.open(), { once: true });
      await release.opened;
      seen.push(record);
    };
    const running = [first.run({ eachRecord: handler })];
    await handling.opened;
    const second = member(topic, groupId);
    running.push(second.run({ eachRecord: handler }));
    await revoked.opened;
    expect(second.groupState()).toBe('joining');
    expect(seen).toHaveLength(0);
    release.open();
    await second.start();
    expect(seen).toHaveLength(2);
    expect(partitionsOf(second)).toHaveLength(1);
    const [mine] = second.assignment() as [TopicPartition];
    expect(second.position(mine)).toBe(1);
    await Promise.all([first.close(), second.close()]);
    await Promise.all(running);
    expect(seen).toHaveLength(2);
  });

  it('calls the rebalance listener one call at a time, each awaited', async () => {
    const topic = await cluster.newTopic(2);
    const groupId = cluster.name('listening');
    const calls: string[] = [];
    let under = 0;
    const note = (word: string) => async (partitions: readonly TopicPartition[]) => {
      if (++under > 1) calls.push('two calls at once');
      await new Promise((resolve) => setTimeout(resolve, 20));
      const numbers = partitions.map(({ partition }) => partition).toSorted((a, b) => a - b);
      calls.push(`${word} ${numbers.join()}`);
      under--;
    };
    const first = member(topic, groupId, {
      rebalanceListener: { assigned: note('assigned'), revoked: note('revoked'), lost: note('lost') },
    });
    await first.start();
    const second = member(topic, groupId);
    await second.start();
    await until(() => partitionsOf(first).length === 1);
    const [kept] = partitionsOf(first);
    await first.close();
    await second.close();
    expect(calls).toEqual(['assigned 0,1', 'revoked 0,1', `assigned ${kept}`, `revoked ${kept}`]);
  });

  it("commits and asks for offsets while it gathers: a join that the coordinator holds stands in nobody's way", async () => {
    const topic = await cluster.newTopic(2);
    const groupId = cluster.name('gathering');
    const sticky: Partial<ConsumerOptions> = { assignors: ['cooperative-sticky'] };
    const first = member(topic, groupId, sticky);
    await first.start();
    const listening = gate();
    const release = gate();
    const second = member(topic, groupId, {
      ...sticky,
      rebalanceListener: {
        assigned: async () => {
          listening.open();
          await release.opened;
        },
      },
    });
    const others = [second.start()];
    await listening.opened;
    await until(() => first.groupState() === 'stable');
    const third = member(topic, groupId, sticky);
    others.push(third.start());
    await until(() => first.groupState() === 'joining');
    const [kept] = first.assignment() as [TopicPartition];
    await first.commit([{ ...kept, offset: 7 }]);
    expect(await first.committed([kept])).toMatchObject([{ offset: 7 }]);
    expect(first.groupState()).toBe('joining');
    release.open();
    await Promise.all(others);
    await until(() => first.groupState() === 'stable');
    await Promise.all([first.close(), second.close(), third.close()]);
  });

  it('counts nobody in who was closed while joining', async () => {
    if (await isRefused(BY_COORDINATOR)) return;
    const topic = await cluster.newTopic(2);
    const gone = async (error: unknown): Promise<[]> => {
      expect(error).toMatchObject({ code: 'GROUP_ID_NOT_FOUND' });
      return [];
    };
    for (let turns = 0; turns < 15; turns++) {
      const groupId = cluster.name('hasty');
      const hasty = member(topic, groupId, BY_COORDINATOR);
      const joining = gate();
      hasty.events.on('state', () => joining.open());
      const started = hasty.start().catch((error: unknown) => error);
      await joining.opened;
      for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
      await hasty.close();
      await started;
      const groups = await krafka.admin().describeGroups([groupId]).catch(gone);
      expect(groups.filter(({ members }) => members.length > 0)).toEqual([]);
    }
  });

  it('has the coordinator assign by the assignor that its members ask for', async () => {
    if (await isRefused(BY_COORDINATOR)) return;
    const topic = await cluster.newTopic(2);
    const consumer = member(topic, cluster.name('remote'), { ...BY_COORDINATOR, groupRemoteAssignor: 'range' });
    await consumer.start();
    const [group] = await krafka.admin().describeGroups([consumer.groupId as string]);
    expect(group).toMatchObject({ assignor: 'range' });
    await consumer.close();
    const odd = member(topic, cluster.name('odd'), { ...BY_COORDINATOR, groupRemoteAssignor: 'odd' });
    await expect(odd.start()).rejects.toMatchObject({ code: 'UNSUPPORTED_ASSIGNOR' });
    await odd.close();
  });

  it('lets a listener seek before the first record', async () => {
    const topic = await cluster.newTopic(1);
    await produce(krafka, topic, 10, { partition: 0 });
    const consumer: Consumer = member(topic, cluster.name('seeking'), {
      rebalanceListener: {
        assigned: async (partitions) => {
          for (const partition of partitions) await consumer.seek(partition, 8);
        },
      },
    });
    expect(values(await take(consumer, 2))).toEqual(['v-8', 'v-9']);
    await consumer.close();
  });

  it('gives partitions that are added to the topic to its members', async () => {
    const topic = await cluster.newTopic(1);
    const consumer = member(topic, cluster.name('growing'));
    await consumer.start();
    await krafka.admin().createPartitions([{ topic, count: 3 }]);
    await krafka.cluster.refresh([topic]);
    await until(() => partitionsOf(consumer).length > 1);
    expect(partitionsOf(consumer)).toEqual([0, 1, 2]);
    await consumer.close();
  });

  it('subscribes to other topics while it runs', async () => {
    const [before, after] = [await cluster.newTopic(1), await cluster.newTopic(2)];
    await produce(krafka, after, 3, { partition: 1 });
    const consumer = member(before, cluster.name('changing'));
    await consumer.start();
    await consumer.subscribe([after]);
    await until(() => consumer.assignment().length === 2);
    expect(consumer.subscription()).toEqual([after]);
    expect(values(await take(consumer, 3))).toEqual(expected(3));
    await consumer.close();
  });

  it('gives a static member its partitions back without a rebalance', async () => {
    const topic = await cluster.newTopic(4);
    const groupId = cluster.name('static');
    const stable = member(topic, groupId, { groupInstanceId: 'a' });
    await stable.start();
    const restarted = member(topic, groupId, { groupInstanceId: 'b' });
    await restarted.start();
    await until(() => partitionsOf(stable).length === 2);
    const held = partitionsOf(restarted);
    const rebalances = stable.stats().rebalances;
    await restarted.close();
    const again = member(topic, groupId, { groupInstanceId: 'b' });
    await again.start();
    expect(partitionsOf(again)).toEqual(held);
    expect(stable.stats().rebalances).toBe(rebalances);
    await again.close();
    await stable.close();
  });

  it('is fenced when another instance takes its place', async () => {
    const topic = await cluster.newTopic(1);
    const groupId = cluster.name('fenced');
    const old = member(topic, groupId, { groupInstanceId: 'a' });
    const running = old.run({ eachRecord: () => undefined });
    await old.start();
    const young = member(topic, groupId, { groupInstanceId: 'a' });
    const joined = young.start();
    await expect(running).rejects.toMatchObject({ code: 'FENCED' });
    expect(old.groupState()).toBe('fatal');
    await joined;
    expect(partitionsOf(young)).toEqual([0]);
    await Promise.all([old.close(), young.close()]);
  });

  it('refuses members that share no way of assigning', async () => {
    const topic = await cluster.newTopic(1);
    const groupId = cluster.name('strangers');
    const first = member(topic, groupId, { assignors: ['range'] });
    await first.start();
    const second = member(topic, groupId, { assignors: ['roundrobin'] });
    await expect(second.start()).rejects.toMatchObject({ code: 'INCONSISTENT_GROUP_PROTOCOL' });
    await second.close();
    expect(first.groupState()).toBe('stable');
    await first.close();
  });
});
