import { valuesOf } from '../spec-support/fake-broker.js';
import { fakeCodec } from '../spec-support/fake-codec.js';
import { fakeWorld, warmWorld, watch } from '../spec-support/fake-cluster.js';

const record = (value: string, partition = 0): { topic: string; partition: number; value: string } => ({
  topic: 't',
  partition,
  value,
});

describe('batching', () => {
  it('sends a record and tells where it is', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0 });
    const sent = watch(producer.send({ topic: 't', partition: 2, key: 'k', value: 'v', timestamp: 5 }));
    await clock.settle();
    const [produce] = broker.onWire;
    expect(produce?.batches).toMatchObject([{ topic: 't', partition: 2 }]);
    expect(await valuesOf(produce!.batches[0]!)).toEqual(['v']);
    expect(sent.state).toBe('pending');
    produce?.answer({ baseOffset: 41 });
    await clock.settle();
    expect(sent).toMatchObject({ state: 'fulfilled', value: { topic: 't', partition: 2, offset: 41, timestamp: 5 } });
  });

  it('numbers the records of a batch from its base offset', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0 });
    const sent = watch(producer.sendAll([record('a'), record('b'), record('c')]));
    await clock.settle();
    broker.onWire[0]?.answer({ baseOffset: 10 });
    await clock.settle();
    expect(sent.value?.map(({ offset }) => offset)).toEqual([10, 11, 12]);
  });

  it('tells the time of the broker where the topic has LogAppendTime', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0 });
    const sent = watch(producer.sendAll([record('a'), { ...record('b'), timestamp: 3 }]));
    await clock.settle();
    broker.onWire[0]?.answer({ logAppendTimeMs: 99 });
    await clock.settle();
    expect(sent.value?.map(({ timestamp }) => timestamp)).toEqual([99, 99]);
  });

  it('linger 0 means "do not wait", not "do not batch": what one turn sends goes in one batch, with no timer', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0 });
    for (const value of ['a', 'b', 'c']) void producer.send(record(value));
    expect(broker.produced).toHaveLength(0);
    await clock.settle();
    expect(broker.produced).toHaveLength(1);
    expect(await valuesOf(broker.produced[0]!.batches[0]!)).toEqual(['a', 'b', 'c']);
  });

  it('lets records join the waiting batch while the window is full', async () => {
    const { clock, producer, broker } = await warmWorld({ lingerMs: 0, maxInFlight: 2 });
    for (const value of ['a', 'b']) {
      void producer.send(record(value));
      await clock.settle();
    }
    expect(broker.onWire).toHaveLength(2);
    for (const value of ['c', 'd', 'e']) {
      void producer.send(record(value));
      await clock.settle();
    }
    expect(broker.onWire).toHaveLength(2);
    broker.onWire[0]?.answer();
    await clock.settle();
    expect(broker.produced).toHaveLength(3);
    expect(await valuesOf(broker.produced[2]!.batches[0]!)).toEqual(['c', 'd', 'e']);
  });

  describe('of partitions that others copy', () => {
    const replicated = async (options: Parameters<typeof warmWorld>[0]): ReturnType<typeof warmWorld> => {
      const world = await warmWorld({ lingerMs: 0, ...options });
      world.cluster.topicHas('t', [1, 1, 1, 1, 1, 1], { replicas: [1, 2, 3] });
      return world;
    };

    it('lets little wait for the answer before it, behind which it would only wait at the broker', async () => {
      const { clock, producer, broker } = await replicated({});
      for (const value of ['a', 'b', 'c']) {
        void producer.send(record(value));
        await clock.settle();
      }
      expect(broker.produced).toHaveLength(1);
      broker.onWire[0]?.answer();
      await clock.settle();
      expect(broker.produced).toHaveLength(2);
      expect(await valuesOf(broker.produced[1]!.batches[0]!)).toEqual(['b', 'c']);
    });

    it('lets it wait for a moment only', async () => {
      const { clock, producer, broker } = await replicated({});
      void producer.send(record('a'));
      await clock.settle();
      void producer.send(record('b'));
      await clock.advance(4);
      expect(broker.produced).toHaveLength(1);
      await clock.advance(1);
      expect(broker.produced).toHaveLength(2);
      expect(broker.onWire).toHaveLength(2);
    });

    it('sends what is worth a request of its own at once', async () => {
      const { clock, producer, broker } = await replicated({});
      void producer.send(record('a'));
      await clock.settle();
      const large = Buffer.alloc(22 * 1024);
      for (const partition of [0, 1, 2]) void producer.send({ topic: 't', partition, value: large });
      await clock.settle();
      expect(broker.produced.map(({ batches }) => batches.length)).toEqual([1, 3]);
    });

    it('holds nothing back that need not wait for the copies', async () => {
      const { clock, producer, broker } = await replicated({ acks: 1 });
      for (const value of ['a', 'b']) {
        void producer.send(record(value));
        await clock.settle();
      }
      expect(broker.produced).toHaveLength(2);
    });
  });

  it('holds a batch that is not full for lingerMs', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 20 });
    void producer.send(record('a'));
    await clock.advance(19);
    void producer.send(record('b'));
    await clock.settle();
    expect(broker.produced).toHaveLength(0);
    await clock.advance(1);
    expect(broker.produced).toHaveLength(1);
    expect(await valuesOf(broker.produced[0]!.batches[0]!)).toEqual(['a', 'b']);
  });

  it('sends a full batch without waiting for its linger', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 1_000, batchSize: 1_000 });
    for (let index = 0; index < 3; index++) void producer.send(record('x'.repeat(400)));
    await clock.settle();
    expect(broker.produced).toHaveLength(1);
    expect(broker.produced[0]?.batches[0]?.header.recordCount).toBe(2);
    expect(broker.produced[0]?.batches[0]?.bytes.length).toBeLessThanOrEqual(1_000);
  });

  it('an immediate send never lingers, and takes its batch along', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 1_000 });
    void producer.send(record('waits'));
    void producer.send(record('elsewhere', 1));
    await clock.settle();
    expect(broker.produced).toHaveLength(0);
    void producer.send(record('now'), { immediate: true });
    await clock.settle();
    expect(broker.produced).toHaveLength(1);
    expect(broker.produced[0]?.batches).toHaveLength(1);
    expect(await valuesOf(broker.produced[0]!.batches[0]!)).toEqual(['waits', 'now']);
  });

  it('sends one coalesced Produce per broker per wave', async () => {
    const { clock, producer, cluster } = fakeWorld({ lingerMs: 0 }, { brokers: 2, leaders: [1, 2, 1, 2] });
    cluster.topicHas('u', [1, 2]);
    for (const topic of ['t', 'u']) {
      for (const partition of [0, 1]) void producer.send({ topic, partition, value: `${topic}${partition}` });
    }
    void producer.send({ topic: 't', partition: 2, value: 'x' });
    await clock.settle();
    expect(cluster.broker(1).produced).toHaveLength(1);
    expect(cluster.broker(2).produced).toHaveLength(1);
    expect(cluster.broker(1).produced[0]?.batches.map(({ topic, partition }) => `${topic}${partition}`)).toEqual([
      't0',
      't2',
      'u0',
    ]);
  });

  it('has several requests in flight, but never two batches of a partition in one', async () => {
    const { clock, producer, broker } = await warmWorld({ lingerMs: 0, batchSize: 500 });
    for (let index = 0; index < 12; index++) void producer.send(record('x'.repeat(400), index % 2));
    await clock.settle();
    expect(broker.onWire).toHaveLength(5);
    for (const { batches } of broker.onWire) expect(batches.map(({ partition }) => partition)).toEqual([0, 1]);
  });

  it('keeps a request within maxRequestSize, and lets everybody have a turn', async () => {
    const { clock, producer, broker } = fakeWorld({
      lingerMs: 0,
      batchSize: 1_000,
      maxRequestSize: 3_000,
      maxInFlight: 1,
    });
    for (let round = 0; round < 3; round++) {
      for (let partition = 0; partition < 6; partition++) void producer.send(record('x'.repeat(800), partition));
    }
    const seen: number[][] = [];
    for (;;) {
      await clock.settle();
      const [produce] = broker.onWire;
      if (produce === undefined) break;
      expect(produce.batches.reduce((sum, { bytes }) => sum + bytes.length, 0)).toBeLessThanOrEqual(3_000);
      seen.push(produce.batches.map(({ partition }) => partition));
      produce.answer();
    }
    expect(seen).toEqual([
      [0, 1],
      [2, 3],
      [4, 5],
      [0, 1],
      [2, 3],
      [4, 5],
      [0, 1],
      [2, 3],
      [4, 5],
    ]);
  });

  it('names the topic by id, and by name alone where there is none', async () => {
    const { clock, producer, cluster, broker } = fakeWorld({ lingerMs: 0 });
    void producer.send(record('a'));
    await clock.settle();
    expect(broker.produced[0]?.options.maxVersion).toBeUndefined();
    cluster.topicHas('old', [1], { id: 'AAAAAAAAAAAAAAAAAAAAAA' });
    void producer.send({ topic: 'old', value: 'b' });
    await clock.settle();
    expect(broker.produced[1]?.options.maxVersion).toBe(12);
  });

  it('compresses a batch once it is closed, and keeps the order of a partition meanwhile', async () => {
    const order: string[] = [];
    const pending: (() => void)[] = [];
    const codec = fakeCodec({
      compress: (records: Buffer): Promise<Buffer> =>
        new Promise((resolve) => pending.push(() => resolve(Buffer.from(records)))),
    });
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0, batchSize: 500, compression: codec });
    broker.onProduce = (produce) => {
      for (const { header } of produce.batches) order.push(`${header.compression} ${header.baseSequence}`);
      produce.answer();
    };
    for (let index = 0; index < 3; index++) void producer.send(record('x'.repeat(400)));
    await clock.settle();
    expect(pending).toHaveLength(2);
    pending[1]?.();
    await clock.settle();
    expect(order).toEqual([]);
    pending[0]?.();
    await clock.settle();
    expect(order).toEqual(['lz4 0', 'lz4 1']);
  });

  it('lets batches grow by what compression is seen to save, so that they fill', async () => {
    const codec = fakeCodec({
      compress: (records: Buffer): Buffer => records.subarray(0, records.length / 5),
    });
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0, batchSize: 1_000, compression: codec });
    broker.onProduce = (produce) => produce.answer();
    for (let index = 0; index < 1_000; index++) void producer.send(record('x'.repeat(90)));
    await clock.settle();
    const sizes = broker.produced.flatMap(({ batches }) => batches.map(({ bytes }) => bytes.length));
    expect(sizes[0]).toBeLessThan(300);
    expect(Math.max(...sizes)).toBeGreaterThan(800);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(1_100);
    expect(producer.stats().compressionRatio).toBeLessThan(0.4);
  });

  it.each<[string, () => Promise<Buffer>]>([
    ['fails', () => Promise.reject(new Error('codec broke'))],
    ['answers with no Buffer', () => Promise.resolve('text' as unknown as Buffer)],
  ])('fails a batch whose codec %s, and no other', async (_name, poisoning) => {
    const codec = fakeCodec({
      compress: (records: Buffer): Promise<Buffer> =>
        records.includes('poison') ? poisoning() : Promise.resolve(Buffer.from(records)),
    });
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0, compression: codec });
    broker.onProduce = (produce) => produce.answer();
    const poisoned = watch(producer.send(record('poison', 0)));
    const sound = watch(producer.send(record('sound', 1)));
    await clock.settle();
    const later = watch(producer.send(record('later', 0)));
    await clock.settle();
    expect(poisoned.reason).toMatchObject({ name: 'KrafkaError', code: 'COMPRESSION' });
    expect([sound.state, later.state]).toEqual(['fulfilled', 'fulfilled']);
  });

  it('acks 0 settles with an unknown offset when the bytes have left', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0, acks: 0 });
    const sent = watch(producer.send(record('a')));
    await clock.settle();
    expect(broker.onWire[0]?.options.awaitResponse).toBe(false);
    expect(broker.onWire[0]?.request.acks).toBe(0);
    expect(broker.onWire[0]?.batches[0]?.header).toMatchObject({ producerId: -1, baseSequence: -1 });
    broker.onWire[0]?.resolve(undefined);
    await clock.settle();
    expect(sent.value).toMatchObject({ offset: -1, partition: 0 });
  });

  it.each([
    ['all', -1],
    [1, 1],
  ] as const)('asks for acks %s on the wire as %d', async (acks, onWire) => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0, acks });
    void producer.send(record('a'));
    await clock.settle();
    expect(broker.onWire[0]?.request.acks).toBe(onWire);
  });

  it('an idle producer has no timer', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 5 });
    expect(clock.timersSet).toBe(0);
    const sent = watch(producer.send(record('a')));
    await clock.advance(5);
    expect(clock.timersWaiting).toBe(1);
    broker.onWire[0]?.answer();
    await clock.settle();
    expect(sent.state).toBe('fulfilled');
    expect(clock.timersWaiting).toBe(0);
  });

  it('takes one turn of the loop for each of many sends that are awaited in turn, and one timer for all', async () => {
    const { clock, producer, broker } = await warmWorld({ lingerMs: 0 });
    const { turnsAsked, timersSet } = clock;
    for (let sends = 1; sends <= 3; sends++) {
      const sent = producer.send(record('a'));
      await clock.settle();
      expect([clock.turnsAsked - turnsAsked, clock.timersSet - timersSet]).toEqual([sends, 1]);
      broker.onWire[0]?.answer();
      await sent;
    }
  });

  it('has one timer at most, however much it waits for', async () => {
    const { clock, producer } = fakeWorld({ lingerMs: 50 });
    for (let partition = 0; partition < 6; partition++) {
      void producer.send(record('a', partition)).catch(() => undefined);
      await clock.advance(3);
      expect(clock.timersWaiting).toBe(1);
    }
  });

  it('tells what it did', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0 });
    const delivered: unknown[] = [];
    producer.events.on('delivered', (progress) => delivered.push(progress));
    void producer.sendAll([record('a'), record('b'), record('c', 1)]);
    expect(producer.stats()).toMatchObject({ incompleteBatches: 2, inFlight: 0 });
    await clock.advance(4);
    expect(producer.stats()).toMatchObject({ incompleteBatches: 2, inFlight: 1, requests: 1, records: 0 });
    broker.onWire[0]?.answer({ baseOffset: 4 });
    await clock.settle();
    const bytes = broker.produced[0]!.batches.reduce((sum, batch) => sum + batch.bytes.length, 0);
    expect(producer.stats()).toMatchObject({
      records: 3,
      batches: 2,
      recordsPerBatch: 1.5,
      bytes,
      compressionRatio: 1,
      incompleteBatches: 0,
      inFlight: 0,
      retries: 0,
    });
    expect(delivered).toMatchObject([
      { topic: 't', partition: 0, records: 2, attempts: 1, baseOffset: 4 },
      { topic: 't', partition: 1, records: 1, attempts: 1, baseOffset: 4 },
    ]);
  });
});
