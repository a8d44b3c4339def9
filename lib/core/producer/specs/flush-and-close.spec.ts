import { KrafkaClosedError } from '../../support/index.js';
import { fakeWorld, watch } from '../spec-support/fake-cluster.js';

const record = (value: string, partition = 0): { topic: string; partition: number; value: string } => ({
  topic: 't',
  partition,
  value,
});

describe('flush', () => {
  it('with nothing under way is done at once', async () => {
    const { producer } = fakeWorld();
    await producer.flush();
  });

  it('is a barrier for what was sent before it: it does not end early', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 10_000, deliveryTimeoutMs: 60_000 });
    const sent = [0, 1].map((partition) => watch(producer.send(record('a', partition))));
    const flushed = watch(producer.flush());
    await clock.settle();
    expect(broker.onWire[0]?.batches).toHaveLength(2);
    broker.onWire[0]?.answer(({ partition }) => (partition === 0 ? {} : 'NOT_ENOUGH_REPLICAS'));
    await clock.settle();
    expect([sent[0]?.state, flushed.state]).toEqual(['fulfilled', 'pending']);
    await clock.advance(200);
    broker.onWire[0]?.answer();
    await clock.settle();
    expect([sent[1]?.state, flushed.state]).toEqual(['fulfilled', 'fulfilled']);
  });

  it('neither waits for later sends nor holds them up, and they linger as ever', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 1_000 });
    void producer.send(record('a'));
    const flushed = watch(producer.flush());
    await clock.settle();
    const later = watch(producer.send(record('b')));
    await clock.settle();
    expect(broker.produced).toHaveLength(1);
    broker.onWire[0]?.answer();
    await clock.settle();
    expect([flushed.state, later.state]).toEqual(['fulfilled', 'pending']);
    await clock.advance(1_000);
    expect(broker.produced).toHaveLength(2);
  });

  it('waits for sends that wait for metadata, and then for their batches', async () => {
    const { clock, cluster, producer, broker } = fakeWorld({ lingerMs: 10_000, deliveryTimeoutMs: 60_000 });
    void producer.send({ topic: 'new', value: 'a' });
    const flushed = watch(producer.flush());
    await clock.settle();
    cluster.topicHas('new', [1]);
    await clock.settle();
    expect(flushed.state).toBe('pending');
    expect(broker.onWire).toHaveLength(1);
    broker.onWire[0]?.answer();
    await clock.settle();
    expect(flushed.state).toBe('fulfilled');
  });

  it('waits for sends that wait for memory', async () => {
    const { clock, producer, broker } = fakeWorld({
      lingerMs: 0,
      batchSize: 1_024,
      accumulator: { bufferMemory: 1_024 + 512 },
    });
    for (let index = 0; index < 3; index++) void producer.send(record('x'.repeat(600)));
    const flushed = watch(producer.flush());
    for (let round = 0; round < 3; round++) {
      await clock.settle();
      expect(flushed.state).toBe('pending');
      broker.onWire[0]?.answer();
    }
    await clock.settle();
    expect(flushed.state).toBe('fulfilled');
  });

  it('is done when what it waited for has failed, too', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0, accumulator: { maxBlockMs: 500 } });
    watch(producer.send(record('a')));
    watch(producer.send({ topic: 'missing', value: 'b' }));
    const flushed = watch(producer.flush());
    await clock.settle();
    broker.onWire[0]?.answer('INVALID_RECORD');
    await clock.settle();
    expect(flushed.state).toBe('pending');
    await clock.advance(500);
    expect(flushed.state).toBe('fulfilled');
  });

  it('several at once each wait for their own', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0, maxInFlight: 1 });
    void producer.send(record('a'));
    const first = watch(producer.flush());
    await clock.settle();
    void producer.send(record('b'));
    const second = watch(producer.flush());
    broker.onWire[0]?.answer();
    await clock.settle();
    expect([first.state, second.state]).toEqual(['fulfilled', 'pending']);
    broker.onWire[0]?.answer();
    await clock.settle();
    expect(second.state).toBe('fulfilled');
  });
});

describe('close', () => {
  it('stops intake, sends what lingers, and waits for what is under way', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 10_000, deliveryTimeoutMs: 60_000 });
    const sent = watch(producer.send(record('a')));
    const closed = watch(producer.close());
    const refused = watch(producer.send(record('b')));
    await clock.settle();
    expect(refused.reason).toBeInstanceOf(KrafkaClosedError);
    expect(closed.state).toBe('pending');
    broker.onWire[0]?.answer();
    await clock.settle();
    expect([sent.state, closed.state]).toEqual(['fulfilled', 'fulfilled']);
    expect(clock.timersWaiting).toBe(0);
  });

  it('absorbs sends that still wait', async () => {
    const { clock, cluster, producer, broker } = fakeWorld({ lingerMs: 0 });
    const sent = watch(producer.send({ topic: 'new', value: 'a' }));
    const closed = watch(producer.close());
    await clock.settle();
    cluster.topicHas('new', [1]);
    await clock.settle();
    broker.onWire[0]?.answer();
    await clock.settle();
    expect([sent.state, closed.state]).toEqual(['fulfilled', 'fulfilled']);
  });

  it('is bounded: what is left by timeoutMs fails with a typed error, wherever it is', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0, maxInFlight: 1 });
    const inFlight = watch(producer.send(record('a')));
    await clock.settle();
    const queued = watch(producer.send(record('b')));
    const waiting = watch(producer.send({ topic: 'missing', value: 'c' }));
    const closed = watch(producer.close({ timeoutMs: 1_000 }));
    await clock.advance(999);
    expect(closed.state).toBe('pending');
    await clock.advance(1);
    expect(closed.state).toBe('fulfilled');
    for (const { reason } of [inFlight, queued, waiting]) {
      expect(reason).toBeInstanceOf(KrafkaClosedError);
      expect(reason?.cause).toMatchObject({ budget: 'timeoutMs', budgetMs: 1_000 });
    }
    expect(producer.stats()).toMatchObject({ incompleteBatches: 0, waitingSends: 0, buffer: { used: 0 } });
    broker.onWire[0]?.answer();
    await clock.advance(200_000);
    expect(broker.produced).toHaveLength(1);
    expect(clock.timersWaiting).toBe(0);
  });

  it('is done once, however often it is asked for', async () => {
    const { producer } = fakeWorld();
    const first = producer.close();
    expect(producer.close({ timeoutMs: 1 })).toBe(first);
    await first;
  });
});
