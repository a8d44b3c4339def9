import { Deferred, KrafkaProtocolError, type KrafkaError } from '../../support/index.js';
import { fakeCodec } from '../spec-support/fake-codec.js';
import { fakeWorld, warmWorld, watch } from '../spec-support/fake-cluster.js';
import { valuesOf } from '../spec-support/fake-broker.js';

const KIB = 1024;

/** What is counted for the caller of a send besides its record. */
const CALLER = 512;
/** A batch of 1 KiB with one record in it, as each of these is. */
const HELD = KIB + CALLER;

/** Room for two batches of 1 KiB, each of which one record of 600 bytes fills. */
const tight = (maxBlockMs = 5_000) => ({
  lingerMs: 0,
  batchSize: KIB,
  accumulator: { bufferMemory: 2 * HELD, maxBlockMs },
});
const record = (mark: string, partition = 0): { topic: string; partition: number; value: string } => ({
  topic: 't',
  partition,
  value: mark.padEnd(600, '.'),
});

describe('waiting for metadata', () => {
  it('asks once for all who wait for a topic, and sends in their order', async () => {
    const { clock, cluster, producer, broker } = fakeWorld({ lingerMs: 0 });
    for (const value of ['a', 'b', 'c']) void producer.send({ topic: 'new', partition: 0, value });
    await clock.settle();
    expect(cluster.topicCalls).toBe(1);
    expect(producer.stats().waitingSends).toBe(3);
    cluster.topicHas('new', [1]);
    await clock.settle();
    expect(await valuesOf(broker.onWire[0]!.batches[0]!)).toEqual(['a', 'b', 'c']);
    expect(producer.stats().waitingSends).toBe(0);
  });

  it.each([{ key: 'k' }, { partition: 0 }, {}])(
    'goes on for a topic that has no partitions yet, whatever its records ask for: %j',
    async (place) => {
      const { clock, cluster, producer, broker } = fakeWorld({ lingerMs: 0 });
      const before = watch(producer.send({ topic: 'new', value: 'a', ...place }));
      await clock.settle();
      cluster.topicHas('new', []);
      const after = watch(producer.send({ topic: 'new', value: 'b', ...place }));
      await clock.settle();
      cluster.topicHas('new', [1]);
      await clock.settle();
      broker.onWire[0]?.answer();
      await clock.settle();
      expect([before, after]).toMatchObject([{ value: { partition: 0 } }, { value: { partition: 0 } }]);
    },
  );

  it('no topic waits for the metadata of another', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0 });
    const stuck = watch(producer.send({ topic: 'missing', value: 'x' }));
    const sent = watch(producer.send(record('a')));
    await clock.settle();
    broker.onWire[0]?.answer();
    await clock.settle();
    expect([stuck.state, sent.state]).toEqual(['pending', 'fulfilled']);
  });

  it('a topic that does not exist is a typed error when maxBlockMs has passed, for each by its own budget', async () => {
    const { clock, producer } = fakeWorld({ lingerMs: 0, accumulator: { maxBlockMs: 1_000 } });
    const first = watch(producer.send({ topic: 'missing', value: 'x' }));
    await clock.advance(600);
    const second = watch(producer.send({ topic: 'missing', value: 'y' }));
    await clock.advance(400);
    expect(first.reason).toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION', topic: 'missing' });
    expect(second.state).toBe('pending');
    await clock.advance(600);
    expect(second.reason).toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION', topic: 'missing' });
    expect(clock.timersWaiting).toBe(0);
  });

  it('a final refusal fails all who wait for that topic at once, and only them', async () => {
    const { clock, cluster, producer } = fakeWorld({ lingerMs: 0 });
    const secret = [
      watch(producer.send({ topic: 'secret', value: 'x' })),
      watch(producer.send({ topic: 'secret', value: 'y' })),
    ];
    const other = watch(producer.send({ topic: 'other', value: 'z' }));
    await clock.settle();
    cluster.refuseTopic('secret', new KrafkaProtocolError('TOPIC_AUTHORIZATION_FAILED', 'no', { topic: 'secret' }));
    await clock.settle();
    expect(secret.map(({ reason }) => reason)).toMatchObject([
      { code: 'TOPIC_AUTHORIZATION_FAILED' },
      { code: 'TOPIC_AUTHORIZATION_FAILED' },
    ]);
    expect(other.state).toBe('pending');
  });

  it('looks once for a partition that may be new, then refuses it by name', async () => {
    const { clock, cluster, producer, broker } = fakeWorld({ lingerMs: 0 });
    const missing = watch(producer.send(record('a', 9)));
    const behind = watch(producer.send(record('b', 0)));
    await clock.settle();
    broker.onWire[0]?.answer();
    await clock.settle();
    expect(cluster.refreshCalls).toBe(1);
    expect(missing.reason).toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION', topic: 't', partition: 9 });
    expect(behind.state).toBe('fulfilled');
  });

  it('takes a partition that turns out to be new', async () => {
    const { clock, cluster, producer, broker } = fakeWorld({ lingerMs: 0 });
    cluster.refresh = () => {
      cluster.topicHas('t', [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
      return Promise.resolve(cluster.metadata);
    };
    void producer.send(record('a', 9));
    await clock.settle();
    expect(broker.onWire[0]?.batches[0]?.partition).toBe(9);
  });

  it('has all who send to a partition that may be new wait for the answer, whatever moves meanwhile', async () => {
    const { clock, cluster, producer, broker } = fakeWorld({ lingerMs: 0 });
    const answer = new Deferred<void>();
    const refresh = cluster.refresh.bind(cluster);
    cluster.refresh = async (topics, wait) => {
      await answer.promise;
      return refresh(topics, wait);
    };
    const abort = new AbortController();
    const given = watch(producer.send(record('given up', 6), { signal: abort.signal }));
    const sent = ['a', 'b', 'c'].map((mark) => watch(producer.send(record(mark, 6))));
    const missing = [7, 8].map((partition) => watch(producer.send(record('x', partition))));
    await clock.settle();
    abort.abort();
    await clock.settle();
    expect([...sent, ...missing].map(({ state }) => state)).toEqual(Array(5).fill('pending'));
    cluster.topicHas('t', [1, 1, 1, 1, 1, 1, 1]);
    answer.resolve();
    broker.onProduce = (produce) => produce.answer();
    await clock.settle();
    expect(given.state).toBe('rejected');
    expect(sent.map(({ state }) => state)).toEqual(Array(3).fill('fulfilled'));
    expect(missing.map(({ reason }) => (reason as KrafkaError).code)).toEqual(
      Array(2).fill('UNKNOWN_TOPIC_OR_PARTITION'),
    );
    // By the first of all, and by those together who came while that was asked and still know no better.
    expect(cluster.refreshCalls).toBe(2);
  });

  it('a partition of which nobody could say whether it is there is a timeout, for each by its own budget', async () => {
    const { clock, cluster, producer, broker } = fakeWorld({ lingerMs: 0, accumulator: { maxBlockMs: 1_000 } });
    cluster.refresh = (_topics, { deadline }) =>
      new Promise((_resolve, reject) => {
        clock.setTimer(deadline.remainingMs, () => reject(deadline.error('metadata')));
      });
    const first = watch(producer.send(record('a', 9)));
    await clock.advance(600);
    const second = watch(producer.send(record('b', 9)));
    const behind = watch(producer.send(record('c', 0)));
    await clock.advance(400);
    expect(first.reason).toMatchObject({ code: 'TIMEOUT', budget: 'maxBlockMs' });
    expect(second.state).toBe('pending');
    broker.onProduce = (produce) => produce.answer();
    await clock.advance(600);
    expect(second.reason).toMatchObject({ code: 'TIMEOUT', budget: 'maxBlockMs' });
    expect(behind.state).toBe('fulfilled');
  });

  it('asks again for a topic that the cluster has dropped', async () => {
    const { clock, cluster, producer, broker } = fakeWorld({ lingerMs: 0 });
    broker.onProduce = (produce) => produce.answer();
    const before = watch(producer.send(record('a')));
    await clock.settle();
    cluster.topicIsGone('t');
    const after = watch(producer.send(record('b')));
    await clock.settle();
    expect([before.state, after.state]).toEqual(['fulfilled', 'pending']);
    cluster.topicHas('t', [1]);
    await clock.settle();
    expect(after.state).toBe('fulfilled');
  });
});

describe('waiting for memory', () => {
  it('reserves before it encodes and releases when the batch settles, to the byte', async () => {
    const { clock, producer, broker } = fakeWorld(tight());
    const total = 2 * HELD;
    expect(producer.stats().buffer).toEqual({ total, used: 0, peak: 0, pooled: 0 });
    void producer.send(record('a'));
    expect(producer.stats().buffer.used).toBe(HELD);
    void producer.send(record('b'));
    expect(producer.stats().buffer.used).toBe(total);
    await clock.settle();
    broker.onWire[0]?.answer();
    await clock.settle();
    expect(producer.stats().buffer).toEqual({ total, used: HELD, peak: total, pooled: KIB });
    broker.onWire[0]?.answer();
    await clock.settle();
    expect(producer.stats().buffer).toEqual({ total, used: 0, peak: total, pooled: 2 * KIB });
  });

  it('counts what the callers of small records take, as well as the records', async () => {
    const { producer } = fakeWorld({ lingerMs: 10_000, deliveryTimeoutMs: 60_000 });
    for (let index = 0; index < 3; index++) void producer.send({ topic: 't', partition: 0, value: 'x' });
    expect(producer.stats().buffer.used).toBe(KIB + 3 * CALLER);
    void producer.sendAll([1, 2].map(() => ({ topic: 't', partition: 0, value: 'x' })));
    expect(producer.stats().buffer.used).toBe(KIB + 3 * CALLER + 2 * 64);
  });

  it('uses the buffers of settled batches again', async () => {
    const { clock, producer, broker } = fakeWorld(tight());
    const seen = new Set<ArrayBufferLike>();
    broker.onProduce = (produce) => {
      for (const { pieces } of produce.batches) seen.add(pieces[0]!.buffer);
      produce.answer();
    };
    for (let index = 0; index < 20; index++) {
      void producer.send(record(`${index}`));
      await clock.settle();
    }
    expect(seen.size).toBe(1);
  });

  it('does not use a buffer again that a lost connection may still be reading', async () => {
    const { clock, cluster, producer, broker } = fakeWorld(tight());
    void producer.send(record('a'));
    await clock.settle();
    broker.cut();
    const next = cluster.bundles.get(1)?.redial();
    await clock.advance(1_000);
    next?.onWire[0]?.answer();
    await clock.settle();
    expect(producer.stats().buffer).toMatchObject({ used: 0, pooled: 0 });
  });

  it('serves those who wait strictly in turn', async () => {
    const { clock, producer, broker } = fakeWorld(tight());
    for (const [mark, partition] of [
      ['a', 0],
      ['b', 1],
      ['c', 2],
      ['d', 3],
      ['e', 0],
    ] as const) {
      void producer.send(record(mark, partition));
    }
    // Small enough for the open batches' last bytes; but others were here before.
    void producer.send({ topic: 't', partition: 1, value: 'small' });
    expect(producer.stats().waitingSends).toBe(4);
    const order: (string | null)[] = [];
    for (let guard = 0; guard < 10; guard++) {
      await clock.settle();
      const [produce] = broker.onWire;
      if (produce === undefined) break;
      for (const batch of produce.batches) order.push(...(await valuesOf(batch)));
      produce.answer();
    }
    expect(order.map((value) => value?.replace(/\.+$/, ''))).toEqual(['a', 'b', 'c', 'd', 'e', 'small']);
  });

  it('lets nothing linger while somebody waits for memory', async () => {
    const { clock, producer, broker } = fakeWorld({ ...tight(), lingerMs: 10_000, deliveryTimeoutMs: 60_000 });
    void producer.send(record('a', 0));
    void producer.send(record('b', 1));
    await clock.settle();
    expect(broker.produced).toHaveLength(0);
    void producer.send(record('c', 2));
    await clock.settle();
    expect(broker.produced[0]?.batches).toHaveLength(2);
  });

  it('a buffer that stays full for maxBlockMs is a typed error, and nothing else is lost', async () => {
    const { clock, producer, broker } = fakeWorld(tight(1_000));
    const held = [watch(producer.send(record('a', 0))), watch(producer.send(record('b', 1)))];
    const late = watch(producer.send(record('c', 2)));
    await clock.advance(999);
    expect(late.state).toBe('pending');
    await clock.advance(1);
    expect(late.reason).toMatchObject({ name: 'KrafkaBufferFullError', code: 'BUFFER_FULL', retriable: true });
    broker.onWire[0]?.answer();
    await clock.settle();
    expect(held.map(({ state }) => state)).toEqual(['fulfilled', 'fulfilled']);
    expect(producer.stats()).toMatchObject({ waitingSends: 0, buffer: { used: 0 } });
  });

  it('maxBlockMs is one budget for metadata and memory together', async () => {
    const { clock, cluster, producer } = fakeWorld(tight(1_000));
    void producer.send(record('a', 0));
    void producer.send(record('b', 1));
    const sent = watch(producer.send({ topic: 'new', value: 'x'.repeat(600) }));
    await clock.advance(700);
    cluster.topicHas('new', [1]);
    await clock.settle();
    expect(sent.state).toBe('pending');
    await clock.advance(299);
    expect(sent.state).toBe('pending');
    await clock.advance(1);
    expect(sent.reason).toMatchObject({ code: 'BUFFER_FULL' });
  });

  it('takes whatever is sent in one turn of the loop', async () => {
    const { clock, producer } = fakeWorld(tight());
    const failures: Error[] = [];
    for (let index = 0; index < 10_000; index++) {
      producer.send(record('x', index % 6)).catch((error: Error) => failures.push(error));
    }
    await clock.settle();
    expect(producer.stats().waitingSends).toBe(9_998);
    expect(failures).toHaveLength(0);
  });

  it('refuses at once when thousands wait for a broker that does not answer, so that they do not fill the memory that is to be spared', async () => {
    const { clock, producer, broker } = fakeWorld(tight());
    const failures: Error[] = [];
    const send = (count: number): void => {
      for (let index = 0; index < count; index++) {
        producer.send(record('x', index % 6)).catch((error: Error) => failures.push(error));
      }
    };
    send(3_000);
    await clock.advance(101);
    send(2_000);
    await clock.settle();
    expect(producer.stats().waitingSends).toBe(4_000);
    expect(failures).toHaveLength(998);
    expect(failures[0]).toMatchObject({ code: 'BUFFER_FULL' });
    // It answers, and whoever comes may wait again.
    broker.onWire[0]?.answer();
    await clock.settle();
    send(1_000);
    await clock.settle();
    expect(failures).toHaveLength(998);
    await clock.advance(5_000);
    expect(producer.stats().waitingSends).toBe(0);
  });

  it('sends what waits for the memory of a batch whose codec throws', async () => {
    const codec = fakeCodec({
      compress: (records: Buffer): Buffer => {
        if (records.includes('poison')) throw new Error('codec broke');
        return Buffer.from(records);
      },
    });
    const accumulator = { bufferMemory: HELD };
    const { clock, producer, broker } = await warmWorld({ ...tight(), accumulator, compression: codec });
    broker.onProduce = (produce) => produce.answer();
    const poisoned = watch(producer.send(record('poison')));
    const waiting = watch(producer.send(record('sound')));
    expect(producer.stats().waitingSends).toBe(1);
    await clock.settle();
    expect(poisoned.reason).toMatchObject({ code: 'COMPRESSION', cause: { message: 'codec broke' } });
    expect(poisoned.reason?.message).toContain("'lz4'");
    expect(waiting.state).toBe('fulfilled');
  });

  it('grows a batch buffer as it fills, counting the growth', async () => {
    const { producer, clock } = fakeWorld({ lingerMs: 1_000, batchSize: 64 * KIB });
    void producer.send({ topic: 't', partition: 0, value: 'x'.repeat(100) });
    expect(producer.stats().buffer.used).toBe(KIB + CALLER);
    for (let index = 0; index < 100; index++) void producer.send({ topic: 't', partition: 0, value: 'x'.repeat(100) });
    expect(producer.stats().buffer.used).toBe(16 * KIB + 101 * CALLER);
    await clock.settle();
  });

  it('a record larger than maxRequestSize or bufferMemory is refused at once, without harm to its neighbours', async () => {
    const { clock, producer, broker } = fakeWorld({
      lingerMs: 0,
      batchSize: KIB,
      maxRequestSize: 100 * KIB,
      accumulator: { bufferMemory: 64 * KIB },
    });
    broker.onProduce = (produce) => produce.answer();
    const before = watch(producer.send(record('a')));
    const big = watch(producer.send({ topic: 't', partition: 0, value: Buffer.alloc(101 * KIB) }));
    const bigger = watch(producer.send({ topic: 't', partition: 0, value: 'x'.repeat(70 * KIB) }));
    const after = watch(producer.send(record('b')));
    await clock.settle();
    expect(big.reason).toMatchObject({ name: 'KrafkaRecordTooLargeError', topic: 't' });
    expect(big.reason?.message).toContain('maxRequestSize');
    expect(bigger.reason?.message).toContain('bufferMemory');
    expect([before.state, after.state]).toEqual(['fulfilled', 'fulfilled']);
  });

  it('a record whose batch would leave no room for its caller is refused at once, and the line goes on', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0, accumulator: { bufferMemory: 256 * KIB } });
    broker.onProduce = (produce) => produce.answer();
    // A buffer for it takes all of bufferMemory.
    const big = watch(producer.send({ topic: 't', partition: 0, value: Buffer.alloc(200 * KIB) }));
    const after = watch(producer.send(record('after')));
    await clock.settle();
    expect(big.reason).toMatchObject({ name: 'KrafkaRecordTooLargeError', topic: 't' });
    expect(after.state).toBe('fulfilled');
  });

  it('begins with a smaller buffer than was filled last time where that would leave no room for a caller', async () => {
    const { clock, producer, broker } = fakeWorld({
      lingerMs: 0,
      batchSize: 8 * KIB,
      accumulator: { bufferMemory: 8 * KIB + 64 },
    });
    broker.onProduce = (produce) => produce.answer();
    // All of the memory, for one of a group.
    const before = watch(producer.sendAll([{ topic: 't', partition: 0, value: 'x'.repeat(5 * KIB) }]));
    await clock.settle();
    expect(before.state).toBe('fulfilled');
    const next = watch(producer.send(record('next')));
    await clock.settle();
    expect(next.state).toBe('fulfilled');
  });

  it('takes a record larger than batchSize in a batch of its own', async () => {
    const { clock, producer, broker } = await warmWorld({ lingerMs: 0, batchSize: KIB });
    const value = 'é'.repeat(5_000);
    void producer.send({ topic: 't', partition: 0, value: 'small' });
    void producer.send({ topic: 't', partition: 0, value });
    await clock.settle();
    expect(await valuesOf(broker.produced[0]!.batches[0]!)).toEqual(['small']);
    expect(await valuesOf(broker.produced[1]!.batches[0]!)).toEqual([value]);
  });
});
