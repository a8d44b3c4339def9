import { Krafka, KrafkaFencedError, type Consumer, type Producer } from '../../../lib/core/index.js';
import { SkippingClock } from '../../support/skipping-clock.js';
import { openTestCluster, type TestCluster } from '../../support/test-cluster.js';
import { committedValues } from './committed-values.js';

let cluster: TestCluster;
let krafka: Krafka;

beforeAll(async () => {
  cluster = await openTestCluster();
  krafka = cluster.krafka({ clientId: 'transactions-tests' });
});
afterAll(() => cluster.close());

const transactional = (transactionalId = cluster.name('txn')): Producer =>
  krafka.producer({ transactionalId, lingerMs: 0, transactionTimeoutMs: 20_000 });

const committedIn = (topic: string): Promise<(string | undefined)[]> => committedValues(krafka, topic);

describe('a transaction', () => {
  it('is read as a whole once it is committed, and leaves nothing when it is aborted', async () => {
    const topic = await cluster.newTopic(2);
    const producer = transactional();
    const first = await producer.beginTransaction();
    await first.sendAll([0, 1].map((partition) => ({ topic, partition, value: 'committed' })));
    await first.commit();
    const second = await producer.beginTransaction();
    await second.send({ topic, partition: 0, value: 'aborted' });
    await second.abort();
    await producer.transaction((tx) => tx.send({ topic, partition: 0, value: 'again' }));
    expect([first.state, second.state]).toEqual(['committed', 'aborted']);
    expect(await committedIn(topic)).toEqual(['committed', 'again']);
    await producer.close();
  });

  it('is committed with what nobody awaited, and answers what the work answers', async () => {
    const topic = await cluster.newTopic(1);
    const producer = transactional();
    const answer = await producer.transaction((tx) => {
      for (let index = 0; index < 200; index++) void tx.send({ topic, value: String(index) });
      return 'done';
    });
    expect(answer).toBe('done');
    expect(await committedIn(topic)).toEqual(Array.from({ length: 200 }, (_, index) => String(index)));
    await producer.close();
  });

  it('is aborted when the work throws, with what it threw', async () => {
    const topic = await cluster.newTopic(1);
    const producer = transactional();
    const work = producer.transaction(async (tx) => {
      await tx.send({ topic, value: 'never' });
      throw new Error('the work failed');
    });
    await expect(work).rejects.toThrow('the work failed');
    await producer.transaction((tx) => tx.send({ topic, value: 'next' }));
    expect(await committedIn(topic)).toEqual(['next']);
    await producer.close();
  });

  it('that had a failing send is aborted by commit, which tells of it though nobody awaited it', async () => {
    const topic = await cluster.newTopic(1);
    const producer = transactional();
    const transaction = await producer.beginTransaction();
    await transaction.send({ topic, value: 'good' });
    void transaction.send({ topic, value: 'x'.repeat(2_000_000) });
    await expect(transaction.commit()).rejects.toMatchObject({ code: 'RECORD_TOO_LARGE' });
    expect(transaction.state).toBe('aborted');
    await producer.transaction((tx) => tx.send({ topic, value: 'next' }));
    expect(await committedIn(topic)).toEqual(['next']);
    await producer.close();
  });

  it('with nothing in it costs nothing', async () => {
    const producer = transactional();
    await producer.transaction(() => undefined);
    const empty = await producer.beginTransaction();
    await empty.abort();
    expect(producer.stats().requests).toBe(0);
    await producer.close();
  });

  it('takes nothing once it has left the open state', async () => {
    const topic = await cluster.newTopic(1);
    const producer = transactional();
    const transaction = await producer.beginTransaction();
    await transaction.send({ topic, value: 'in' });
    const committed = transaction.commit();
    await expect(transaction.send({ topic, value: 'late' })).rejects.toMatchObject({ code: 'INVALID_TXN_STATE' });
    await committed;
    await expect(transaction.abort()).rejects.toMatchObject({ code: 'INVALID_TXN_STATE' });
    await expect(producer.send({ topic, value: 'outside' })).rejects.toMatchObject({ code: 'INVALID_TXN_STATE' });
    expect(await committedIn(topic)).toEqual(['in']);
    await producer.close();
  });

  it('waits for the one before it', async () => {
    const topic = await cluster.newTopic(1);
    const producer = transactional();
    await Promise.all(
      ['a', 'b', 'c'].map((value) =>
        producer.transaction(async (tx) => {
          await tx.send({ topic, value: `${value}1` });
          await tx.send({ topic, value: `${value}2` });
        }),
      ),
    );
    expect(await committedIn(topic)).toEqual(['a1', 'a2', 'b1', 'b2', 'c1', 'c2']);
    await producer.close();
  });

  it('commits a group’s offsets with its records, or neither', async () => {
    const topic = await cluster.newTopic(1);
    const groupId = cluster.name('group');
    const producer = transactional();
    const committed = async (): Promise<number | undefined> => {
      const offsets = await krafka.admin().listGroupOffsets(groupId, { requireStable: true });
      return offsets.find((one) => one.topic === topic)?.offset ?? undefined;
    };
    await producer.transaction(async (tx) => {
      await tx.send({ topic, value: 'out' });
      await tx.sendOffsets([{ topic, partition: 0, offset: 5 }], { groupId });
    });
    expect(await committed()).toBe(5);
    const aborted = await producer.beginTransaction();
    await aborted.sendOffsets([{ topic, partition: 0, offset: 9 }], { groupId });
    await aborted.abort();
    expect(await committed()).toBe(5);
    await producer.close();
  });

  it('of a member that its group does not know can only be aborted', async () => {
    const topic = await cluster.newTopic(1);
    const producer = transactional();
    const transaction = await producer.beginTransaction();
    await transaction.send({ topic, value: 'never' });
    const stale = { groupId: cluster.name('group'), generationId: 7, memberId: 'gone' };
    await expect(transaction.sendOffsets([{ topic, partition: 0, offset: 1 }], stale)).rejects.toMatchObject({
      code: expect.stringMatching(/UNKNOWN_MEMBER_ID|ILLEGAL_GENERATION/) as string,
    });
    await expect(transaction.commit()).rejects.toMatchObject({ retriable: false });
    expect(transaction.state).toBe('aborted');
    await producer.transaction((tx) => tx.send({ topic, value: 'next' }));
    expect(await committedIn(topic)).toEqual(['next']);
    await producer.close();
  });

  it('of an older producer of the same transactional id is fenced, for good', async () => {
    const topic = await cluster.newTopic(1);
    const transactionalId = cluster.name('txn');
    const older = transactional(transactionalId);
    const newer = transactional(transactionalId);
    const lost = await older.beginTransaction();
    await lost.send({ topic, value: 'lost' });
    await newer.transaction((tx) => tx.send({ topic, value: 'kept' }));
    await expect(lost.commit()).rejects.toBeInstanceOf(KrafkaFencedError);
    await expect(older.beginTransaction()).rejects.toBeInstanceOf(KrafkaFencedError);
    expect(await committedIn(topic)).toEqual(['kept']);
    await Promise.all([older.close(), newer.close()]);
  });

  it('that is open when its producer closes is aborted', async () => {
    const topic = await cluster.newTopic(1);
    const producer = transactional();
    const transaction = await producer.beginTransaction();
    await transaction.send({ topic, value: 'never' });
    await producer.close();
    expect(transaction.state).toBe('aborted');
    expect(await committedIn(topic)).toEqual([]);
  });

  it('is aborted when its time is up, before its coordinator would, and the next one goes on', async () => {
    const topic = await cluster.newTopic(1);
    const time = new SkippingClock();
    const { bootstrap: brokers, connection } = cluster;
    const own = new Krafka({ brokers, connection }, { clock: time });
    const producer = own.producer({ transactionalId: cluster.name('txn'), lingerMs: 0, transactionTimeoutMs: 60_000 });
    const slow = await producer.beginTransaction();
    await slow.send({ topic, value: 'slow' });
    const states: string[] = [];
    const aborted = new Promise<void>((resolve) => {
      producer.events.on('transaction', ({ state }) => {
        states.push(state);
        if (state === 'aborted') resolve();
      });
    });
    // To the coordinator, whose clock is another, its time is not up.
    time.skip(60_000);
    await aborted;
    expect(states).toEqual(['aborting', 'aborted']);
    await expect(slow.commit()).rejects.toMatchObject({ code: 'TIMEOUT', budget: 'transactionTimeoutMs' });
    await expect(slow.abort()).resolves.toBeUndefined();
    await producer.transaction((tx) => tx.send({ topic, value: 'next' }));
    expect(await committedIn(topic)).toEqual(['next']);
    expect(producer.stats().transactions).toEqual({ committed: 1, aborted: 1, unknown: 0 });
    await own.close();
  });

  it('is aborted by its signal, and one that waits for its turn is not begun', async () => {
    const topic = await cluster.newTopic(1);
    const producer = transactional();
    const abort = new AbortController();
    const first = producer.transaction(
      async (tx) => {
        await tx.send({ topic, value: 'never' });
        abort.abort(new Error('enough'));
        await expect(tx.send({ topic, value: 'never' })).rejects.toMatchObject({ code: 'INVALID_TXN_STATE' });
      },
      { signal: abort.signal },
    );
    const second = producer.transaction(() => 'never', { signal: abort.signal });
    await expect(first).rejects.toThrow('enough');
    await expect(second).rejects.toThrow('enough');
    expect(await producer.transaction(() => 'on')).toBe('on');
    expect(await committedIn(topic)).toEqual([]);
    await producer.close();
  });

  it.each([
    [{ timeoutMs: 5 }, 'transaction.timeoutMs'],
    [{ signal: 'x' }, 'transaction.signal'],
    [null, 'transaction'],
  ])('refuses the options %j by name, and goes on', async (options, option) => {
    const producer = transactional();
    await expect(producer.beginTransaction(options as never)).rejects.toMatchObject({ code: 'INVALID_CONFIG', option });
    await expect(producer.transaction(() => 1, options as never)).rejects.toMatchObject({ option });
    expect(await producer.transaction(() => 'on')).toBe('on');
    await producer.close();
  });

  it('needs a transactional id', async () => {
    const producer = krafka.producer();
    await expect(producer.beginTransaction()).rejects.toMatchObject({ code: 'INVALID_TXN_STATE' });
    await expect(producer.initTransactions()).rejects.toMatchObject({ code: 'INVALID_TXN_STATE' });
    await producer.close();
    expect(() => krafka.producer({ transactionTimeoutMs: 5 })).toThrow(/transactionTimeoutMs/);
    expect(() => krafka.producer({ transactionalId: 't', acks: 1 })).toThrow(/transactionalId/);
  });

  it('takes over its id before it is needed', async () => {
    const transactionalId = cluster.name('txn');
    const older = transactional(transactionalId);
    await older.initTransactions();
    await older.transaction(() => undefined);
    const newer = transactional(transactionalId);
    await newer.initTransactions();
    const topic = await cluster.newTopic(1);
    const late = older.transaction((tx) => tx.send({ topic, value: 'late' }));
    await expect(late).rejects.toBeInstanceOf(KrafkaFencedError);
    await newer.transaction((tx) => tx.send({ topic, value: 'kept' }));
    expect(await committedIn(topic)).toEqual(['kept']);
    await Promise.all([older.close(), newer.close()]);
  });
});

describe('krafka.transaction', () => {
  it('commits what its function sent, and answers what it answers', async () => {
    const topic = await cluster.newTopic(1);
    const answer = await krafka.transaction(async (tx) => {
      await tx.send({ topic, value: 'one' });
      void tx.sendAll([
        { topic, value: 'two' },
        { topic, value: 'three' },
      ]);
      return 7;
    });
    expect(answer).toBe(7);
    expect(await committedIn(topic)).toEqual(['one', 'two', 'three']);
  });

  it('aborts when its function rejects', async () => {
    const topic = await cluster.newTopic(1);
    const work = krafka.transaction(async (tx) => {
      await tx.send({ topic, value: 'never' });
      throw new RangeError('no');
    });
    await expect(work).rejects.toBeInstanceOf(RangeError);
    expect(await committedIn(topic)).toEqual([]);
  });

  it('lets several go on side by side, but not more than it may', async () => {
    const topic = await cluster.newTopic(1);
    const narrow = cluster.krafka({ transactions: { maxConcurrent: 2 } });
    let now = 0;
    let most = 0;
    await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        narrow.transaction(async (tx) => {
          most = Math.max(most, ++now);
          await tx.send({ topic, value: String(index) });
          now--;
        }),
      ),
    );
    expect(most).toBe(2);
    expect(new Set(await committedIn(topic))).toEqual(new Set(Array.from({ length: 8 }, (_, index) => String(index))));
  });

  it('keeps to the transactional id it is given, of which the newest client is the owner', async () => {
    const topic = await cluster.newTopic(1);
    const transactionalId = cluster.name('txn');
    const send = (client: Krafka, value: string): Promise<unknown> =>
      client.transaction((tx) => tx.send({ topic, value }), { transactionalId });
    const older = cluster.krafka();
    await send(older, 'a');
    await send(krafka, 'b');
    await expect(send(older, 'c')).rejects.toBeInstanceOf(KrafkaFencedError);
    await expect(send(older, 'd')).rejects.toBeInstanceOf(KrafkaFencedError);
    expect(await committedIn(topic)).toEqual(['a', 'b']);
  });

  it.each(['with that', 'with something else'])(
    'replaces a producer under an id of its own that was fenced, when the work fails %s',
    async (what) => {
      const topic = await cluster.newTopic(1);
      const clientId = cluster.name('client');
      const random = { next: () => 0.5, bytes: (length: number) => Buffer.alloc(length) };
      const twin = (): Krafka =>
        new Krafka({ brokers: cluster.bootstrap, clientId, connection: cluster.connection }, { random });
      const [one, other] = [twin(), twin()];
      const send = (client: Krafka, value: string): Promise<unknown> =>
        client.transaction((tx) => tx.send({ topic, value }));
      await send(one, 'a');
      await send(other, 'b');
      const failing = one.transaction(async (tx) => {
        await tx.send({ topic, value: 'c' }).catch(() => undefined);
        if (what === 'with something else') throw new TypeError('at fault');
      });
      await expect(failing).rejects.toBeInstanceOf(what === 'with that' ? KrafkaFencedError : TypeError);
      await send(one, 'd');
      expect(await committedIn(topic)).toEqual(['a', 'b', 'd']);
      await Promise.all([one.close(), other.close()]);
    },
  );

  it('refuses options that it does not know, or would not heed', async () => {
    await expect(krafka.transaction(() => 1, { transactionId: 'x' } as never)).rejects.toMatchObject({
      option: 'transaction.transactionId',
      nearest: 'transactionalId',
    });
    const options = { transactions: { producer: { acks: 1 } } };
    expect(() => cluster.krafka(options as never)).toThrow(/transactions\.producer\.acks/);
    const misspelt = { transactions: { producer: { lingerMz: 1 } } };
    expect(() => cluster.krafka(misspelt as never)).toThrow(/transactions\.producer\.lingerMz.*lingerMs/);
    await expect(krafka.transaction('x' as never)).rejects.toMatchObject({ option: 'transaction.work' });
  });

  it('moves a group on with what its records became, all or nothing', async () => {
    const [source, target] = [await cluster.newTopic(1), await cluster.newTopic(1)];
    const groupId = cluster.name('group');
    await krafka.producer({ lingerMs: 0 }).sendAll(['a', 'b', 'c'].map((value) => ({ topic: source, value })));
    // It waits for offsets whose transaction is not decided.
    const isolationLevel = 'read_committed';
    const options = { groupId, topics: [source], isolationLevel, fromBeginning: true, autoCommit: false } as const;
    const consumer = krafka.consumer(options);
    const early = krafka.transaction((tx) =>
      tx.sendOffsets([{ topic: source, partition: 0, offset: 1 }], consumer.groupMetadata()),
    );
    await expect(early).rejects.toMatchObject({ code: 'NOT_A_MEMBER' });
    let refusals = 0;
    for await (const record of consumer) {
      const group = consumer.groupMetadata();
      const { topic, partition, offset } = record;
      const value = String(record.value);
      if (value === 'b' && refusals++ === 0) {
        const stale = { ...group, generationId: group.generationId + 1 };
        const work = krafka.transaction(async (tx) => {
          await tx.send({ topic: target, value: 'B, never' });
          await tx.sendOffsets([{ topic, partition, offset: offset + 1 }], stale);
        });
        await expect(work).rejects.toMatchObject({ code: expect.stringMatching(/GENERATION|EPOCH/) as string });
      }
      await krafka.transaction(async (tx) => {
        void tx.send({ topic: target, value: value.toUpperCase() });
        await tx.sendOffsets([{ topic, partition, offset: offset + 1 }], group);
      });
      if (value === 'c') break;
    }
    expect(await committedIn(target)).toEqual(['A', 'B', 'C']);
    expect(await consumer.committed([{ topic: source, partition: 0 }])).toMatchObject([{ offset: 3 }]);
    await consumer.close();
  });

  it('a rebalance turns commit into abort: offsets of the place of before are refused, and nothing is committed', async () => {
    const [source, target] = [await cluster.newTopic(2), await cluster.newTopic(1)];
    const groupId = cluster.name('group');
    const member = (): Consumer =>
      krafka.consumer({
        groupId,
        topics: [source],
        autoCommit: false,
        heartbeatIntervalMs: 50,
        sessionTimeoutMs: 6_000,
      });
    const [one, other] = [member(), member()];
    await one.start();
    const group = one.groupMetadata();
    const work = krafka.transaction(async (tx) => {
      await tx.send({ topic: target, value: 'never' });
      await other.start();
      while (one.groupMetadata().generationId === group.generationId) await new Promise((go) => setTimeout(go, 10));
      // Not awaited: the commit hears of it all the same.
      void tx.sendOffsets([{ topic: source, partition: 0, offset: 0 }], group);
    });
    await expect(work).rejects.toMatchObject({ code: expect.stringMatching(/GENERATION|EPOCH/) as string });
    await krafka.transaction(async (tx) => {
      await tx.send({ topic: target, value: 'next' });
      // What is left to it comes with the generation, or a moment later.
      while (one.assignment().length !== 1) await new Promise((go) => setTimeout(go, 10));
      const { partition } = one.assignment()[0] as { partition: number };
      await tx.sendOffsets([{ topic: source, partition, offset: 0 }], one.groupMetadata());
    });
    expect(await committedIn(target)).toEqual(['next']);
    await Promise.all([one.close(), other.close()]);
  });
});
