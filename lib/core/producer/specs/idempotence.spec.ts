import { ERROR_CODES, type ErrorName } from '../../protocol/index.js';
import { Deferred, KrafkaConnectionError, KrafkaProtocolError } from '../../support/index.js';
import { valuesOf, type ProduceOnWire } from '../spec-support/fake-broker.js';
import { fakeWorld, warmWorld, watch } from '../spec-support/fake-cluster.js';

const record = (value: string, partition = 0): { topic: string; partition: number; value: string } => ({
  topic: 't',
  partition,
  value,
});

/** The stamp of a request's only batch: producer id, epoch, base sequence. */
const stampOf = (produce: ProduceOnWire | undefined): string => {
  const { producerId, producerEpoch, baseSequence } = produce!.batches[0]!.header;
  return `${producerId}/${producerEpoch}/${baseSequence}`;
};

const stampsOf = (produces: readonly ProduceOnWire[]): string[] => produces.map(stampOf);

describe('an idempotent producer', () => {
  it('asks for one producer id, and numbers the records of each partition from 0', async () => {
    const { clock, cluster, producer, broker } = fakeWorld({ lingerMs: 0 });
    broker.onProduce = (produce) => produce.answer();
    void producer.sendAll([record('a'), record('b')]);
    await clock.settle();
    void producer.send(record('c'));
    await clock.settle();
    void producer.send(record('d', 1));
    await clock.settle();
    expect(stampsOf(broker.produced)).toEqual(['7/0/0', '7/0/2', '7/0/0']);
    expect(cluster.broker().initProducerIds).toBe(1);
  });

  it('sends nothing behind its first batch of a partition, which a broker that knows nothing of it could take for the first', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0 });
    for (const value of ['a', 'b', 'c']) {
      void producer.send(record(value));
      await clock.settle();
    }
    expect(stampsOf(broker.onWire)).toEqual(['7/0/0']);
    broker.onWire[0]?.answer('NOT_ENOUGH_REPLICAS');
    await clock.advance(200);
    expect(stampsOf(broker.onWire)).toEqual(['7/0/0']);
    broker.onWire[0]?.answer();
    await clock.settle();
    expect(await valuesOf(broker.onWire[0]!.batches[0]!)).toEqual(['b', 'c']);
  });

  it('goes alone again to a topic that was made anew', async () => {
    const { clock, cluster, producer, broker } = await warmWorld({ lingerMs: 0 });
    cluster.topicIsGone('t');
    cluster.topicHas('t', [1], { id: 'another-topic-id......' });
    for (const value of ['a', 'b']) {
      void producer.send(record(value));
      await clock.settle();
    }
    expect(stampsOf(broker.onWire)).toEqual(['7/0/1']);
    broker.onWire[0]?.answer();
    await clock.settle();
    expect(stampsOf(broker.onWire)).toEqual(['7/0/2']);
  });

  it('without idempotence stamps nothing and asks for no id', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0, idempotent: false });
    void producer.send(record('a'));
    await clock.settle();
    expect(stampsOf(broker.produced)).toEqual(['-1/-1/-1']);
    expect(broker.initProducerIds).toBe(0);
  });

  it('stamps a batch once: a retry carries the same numbers', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0 });
    void producer.send(record('a'));
    await clock.settle();
    broker.onWire[0]?.answer('NOT_ENOUGH_REPLICAS_AFTER_APPEND');
    await clock.advance(200);
    expect(stampsOf(broker.produced)).toEqual(['7/0/0', '7/0/0']);
  });

  it('has five batches of a partition in flight at most, and no more while one is to be retried', async () => {
    const { clock, producer, broker } = await warmWorld({ lingerMs: 0 });
    for (let index = 0; index < 8; index++) {
      void producer.send(record(`${index}`));
      await clock.settle();
    }
    expect(stampsOf(broker.onWire)).toEqual(['7/0/1', '7/0/2', '7/0/3', '7/0/4', '7/0/5']);
    for (const produce of [...broker.onWire]) produce.answer('NOT_ENOUGH_REPLICAS');
    await clock.advance(200);
    expect(stampsOf(broker.onWire)).toEqual(['7/0/1']);
    broker.onWire[0]?.answer();
    await clock.settle();
    expect(stampsOf(broker.onWire)).toEqual(['7/0/2']);
    broker.onProduce = (produce) => produce.answer();
    broker.onWire[0]?.answer();
    await clock.settle();
    // The last three records joined one batch while they waited.
    expect(stampsOf(broker.produced.slice(-4))).toEqual(['7/0/3', '7/0/4', '7/0/5', '7/0/6']);
    expect(broker.produced.at(-1)?.batches[0]?.header.recordCount).toBe(3);
  });

  it('sends nothing new past a batch that is sent again: the broker remembers five, and must not forget that one', async () => {
    const { clock, producer, broker } = await warmWorld({ lingerMs: 0 });
    void producer.send(record('a'));
    await clock.settle();
    broker.onWire[0]?.answer('NOT_ENOUGH_REPLICAS_AFTER_APPEND');
    await clock.advance(200);
    for (const value of ['b', 'c']) {
      void producer.send(record(value));
      await clock.settle();
    }
    expect(stampsOf(broker.onWire)).toEqual(['7/0/1']);
    broker.onWire[0]?.answer();
    await clock.settle();
    expect(stampsOf(broker.onWire)).toEqual(['7/0/2']);
  });

  it('takes OUT_OF_ORDER_SEQUENCE behind a batch that is still to come for what it is: it sends both again, in order', async () => {
    const { clock, producer, broker } = await warmWorld({ lingerMs: 0 });
    const sent = ['a', 'b'].map((value) => watch(producer.send(record(value))));
    await clock.settle();
    // Two batches: the second joined none.
    const more = watch(producer.send(record('c')));
    await clock.settle();
    const [first, second] = broker.onWire;
    first?.answer('NOT_ENOUGH_REPLICAS');
    second?.answer('OUT_OF_ORDER_SEQUENCE_NUMBER');
    await clock.advance(200);
    broker.onProduce = (produce) => produce.answer();
    for (const produce of [...broker.onWire]) produce.answer();
    await clock.advance(200);
    expect(stampsOf(broker.produced)).toEqual(['7/0/1', '7/0/3', '7/0/1', '7/0/3']);
    expect([...sent, more].map(({ state }) => state)).toEqual(['fulfilled', 'fulfilled', 'fulfilled']);
    expect(producer.stats().epochBumps).toBe(0);
  });

  it('takes DUPLICATE_SEQUENCE for success, at an offset that nobody knows', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0 });
    const sent = watch(producer.send(record('a')));
    await clock.settle();
    broker.onWire[0]?.answer('DUPLICATE_SEQUENCE_NUMBER');
    await clock.settle();
    expect(sent.value).toMatchObject({ offset: -1 });
    expect(producer.stats().duplicates).toBe(1);
  });

  it.each<ErrorName>(['OUT_OF_ORDER_SEQUENCE_NUMBER', 'UNKNOWN_PRODUCER_ID', 'INVALID_PRODUCER_EPOCH'])(
    'never answers %s with a new producer id: the oldest batch goes again under the next epoch, the same id, once nothing is on the wire',
    async (error) => {
      const { clock, producer, broker } = fakeWorld({ lingerMs: 0 });
      const before = watch(producer.send(record('acknowledged')));
      await clock.settle();
      broker.onWire[0]?.answer();
      await clock.settle();
      const sent = [watch(producer.send(record('a')))];
      await clock.settle();
      sent.push(watch(producer.send(record('b'))));
      await clock.settle();
      const [first, second] = broker.onWire;
      first?.answer(error);
      await clock.advance(1_000);
      expect(broker.onWire.map((produce) => produce === second)).toEqual([true]);
      second?.answer('OUT_OF_ORDER_SEQUENCE_NUMBER');
      broker.onProduce = (produce) => produce.answer();
      await clock.advance(1_000);
      expect(stampsOf(broker.produced.slice(-2))).toEqual(['7/1/0', '7/1/1']);
      expect([before, ...sent].map(({ state }) => state)).toEqual(['fulfilled', 'fulfilled', 'fulfilled']);
      expect(broker.initProducerIds).toBe(1);
      expect(producer.stats().epochBumps).toBe(1);
    },
  );

  it('does not send again under a new epoch what INVALID_PRODUCER_EPOCH leaves in doubt', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0 });
    const sent = watch(producer.send(record('a')));
    await clock.settle();
    broker.onWire[0]?.answer('REQUEST_TIMED_OUT');
    await clock.advance(200);
    broker.onWire[0]?.answer('INVALID_PRODUCER_EPOCH');
    await clock.advance(200);
    expect(sent.reason).toMatchObject({ code: 'OUTCOME_UNKNOWN', cause: { code: 'INVALID_PRODUCER_EPOCH' } });
    expect(broker.produced).toHaveLength(2);
    void producer.send(record('b'));
    await clock.settle();
    expect(stampOf(broker.onWire[0])).toBe('7/1/0');
  });

  it('leaves the other partitions their epoch until their own batches are answered', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0 });
    void producer.send(record('a', 0));
    await clock.settle();
    void producer.send(record('b', 1));
    await clock.settle();
    const [a, b] = broker.onWire;
    a?.answer('OUT_OF_ORDER_SEQUENCE_NUMBER');
    await clock.advance(200);
    expect(stampOf(broker.onWire.at(-1))).toBe('7/1/0');
    void producer.send(record('c', 1));
    await clock.settle();
    expect(broker.onWire).toHaveLength(2);
    b?.answer();
    await clock.settle();
    expect(broker.onWire.at(-1)?.batches[0]).toMatchObject({ partition: 1 });
    expect(stampOf(broker.onWire.at(-1))).toBe('7/1/0');
  });

  describe('a batch whose fate is unknown', () => {
    const options = { lingerMs: 0, requestTimeoutMs: 500, deliveryTimeoutMs: 1_000 };

    it('never has its sequence range reused: once nothing stamped is unresolved, what comes later goes under the next epoch', async () => {
      const { clock, producer, broker } = fakeWorld(options);
      broker.onProduce = (produce) => produce.answer('REQUEST_TIMED_OUT');
      const lost = watch(producer.send(record('lost')));
      await clock.advance(1_000);
      expect(lost.reason).toMatchObject({ code: 'TIMEOUT' });
      broker.onProduce = () => undefined;
      void producer.send(record('later'));
      await clock.settle();
      expect(stampsOf(broker.onWire)).toEqual(['7/1/0']);
    });

    it('has nothing stamped behind it while a batch of its partition is unresolved', async () => {
      const { clock, producer, broker } = await warmWorld(options);
      watch(producer.send(record('lost')));
      await clock.advance(400);
      void producer.send(record('next'));
      await clock.settle();
      const [first, next] = broker.onWire;
      broker.onProduce = (produce) => produce.answer('REQUEST_TIMED_OUT');
      first?.answer('REQUEST_TIMED_OUT');
      await clock.advance(600);
      void producer.send(record('later'));
      await clock.settle();
      expect(broker.onWire.map((produce) => produce === next)).toEqual([true]);
    });

    it('while it is on the wire is behind nothing new: that may go, and finds out', async () => {
      const { clock, producer, broker } = await warmWorld(options);
      watch(producer.send(record('lost')));
      await clock.advance(1_000);
      const later = watch(producer.send(record('later')));
      await clock.settle();
      const [lost, next] = broker.onWire;
      expect(stampOf(next)).toBe('7/0/2');
      lost?.fail();
      next?.answer('OUT_OF_ORDER_SEQUENCE_NUMBER');
      await clock.advance(200);
      expect(stampsOf(broker.onWire)).toEqual(['7/1/0']);
      broker.onWire[0]?.answer();
      await clock.settle();
      expect(later.state).toBe('fulfilled');
    });

    it('whose answer comes after all needs no new epoch', async () => {
      const { clock, producer, broker } = fakeWorld(options);
      watch(producer.send(record('lost')));
      await clock.advance(1_000);
      broker.onWire[0]?.answer();
      void producer.send(record('later'));
      await clock.settle();
      expect(stampsOf(broker.onWire)).toEqual(['7/0/1']);
      expect(producer.stats().epochBumps).toBe(0);
    });

    it('turns out to have been written when the next one is acknowledged', async () => {
      const { clock, producer, broker } = await warmWorld(options);
      const lost = watch(producer.send(record('lost')));
      await clock.advance(400);
      const next = watch(producer.send(record('next')));
      await clock.settle();
      const [first, second] = broker.onWire;
      first?.answer('REQUEST_TIMED_OUT');
      broker.onProduce = (produce) => produce.answer('REQUEST_TIMED_OUT');
      await clock.advance(600);
      expect(lost.state).toBe('rejected');
      second?.answer();
      await clock.settle();
      expect(next.state).toBe('fulfilled');
      broker.onProduce = () => undefined;
      void producer.send(record('later'));
      await clock.settle();
      expect(stampOf(broker.onWire[0])).toBe('7/0/3');
    });

    it('turns out not to have been written when the next one is out of order: that goes under the next epoch', async () => {
      const { clock, producer, broker } = await warmWorld(options);
      watch(producer.send(record('lost')));
      await clock.advance(400);
      const next = watch(producer.send(record('next')));
      await clock.settle();
      const [first, second] = broker.onWire;
      first?.answer('REQUEST_TIMED_OUT');
      broker.onProduce = (produce) => produce.answer('REQUEST_TIMED_OUT');
      await clock.advance(600);
      broker.onProduce = () => undefined;
      second?.answer('OUT_OF_ORDER_SEQUENCE_NUMBER');
      await clock.advance(200);
      expect(stampsOf(broker.onWire)).toEqual(['7/1/0']);
      expect(await valuesOf(broker.onWire[0]!.batches[0]!)).toEqual(['next']);
      broker.onWire[0]?.answer();
      await clock.settle();
      expect(next.state).toBe('fulfilled');
    });
  });

  it('gives the numbers of a batch that was refused for good to the next one', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0 });
    watch(producer.send(record('a')));
    await clock.settle();
    broker.onWire[0]?.answer('TOPIC_AUTHORIZATION_FAILED');
    await clock.settle();
    void producer.send(record('b'));
    await clock.settle();
    expect(stampOf(broker.onWire[0])).toBe('7/0/0');
    expect(producer.stats().epochBumps).toBe(0);
  });

  it('starts again when a batch was refused for good with others behind it', async () => {
    const { clock, producer, broker } = await warmWorld({ lingerMs: 0 });
    const refused = watch(producer.send(record('a')));
    await clock.settle();
    const behind = watch(producer.send(record('b')));
    await clock.settle();
    const [first, second] = broker.onWire;
    first?.answer('INVALID_RECORD');
    second?.answer('OUT_OF_ORDER_SEQUENCE_NUMBER');
    await clock.advance(200);
    expect(stampsOf(broker.onWire)).toEqual(['7/1/0']);
    broker.onWire[0]?.answer();
    await clock.settle();
    expect([refused.state, behind.state]).toEqual(['rejected', 'fulfilled']);
  });

  it('asks for another id when the epochs are used up', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0 });
    let ids = 0;
    broker.onInitProducerId = () =>
      Promise.resolve(
        ids++ === 0
          ? { producerId: 7, producerEpoch: 0x7fff, errorCode: 0 }
          : { producerId: 8, producerEpoch: 0, errorCode: 0 },
      );
    void producer.send(record('a'));
    await clock.settle();
    expect(stampOf(broker.onWire[0])).toBe('7/32767/0');
    broker.onWire[0]?.answer('OUT_OF_ORDER_SEQUENCE_NUMBER');
    await clock.advance(200);
    expect(stampsOf(broker.onWire)).toEqual(['8/0/0']);
  });

  it('sends what came while the epochs are used up as soon as there is another id, and nothing without a stamp', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0, requestTimeoutMs: 500, deliveryTimeoutMs: 1_000 });
    broker.onInitProducerId = () => Promise.resolve({ producerId: 7, producerEpoch: 0x7fff, errorCode: 0 });
    const lost = watch(producer.send(record('lost')));
    await clock.advance(1_000);
    expect(lost.state).toBe('rejected');
    broker.onWire[0]?.answer('REQUEST_TIMED_OUT');
    const id = new Deferred<{ producerId: number; producerEpoch: number; errorCode: number }>();
    broker.onInitProducerId = () => id.promise;
    const sent = [watch(producer.send(record('a', 0))), watch(producer.send(record('b', 1)))];
    await clock.settle();
    sent.push(watch(producer.send(record('c', 0))));
    await clock.settle();
    expect(broker.onWire).toHaveLength(0);
    id.resolve({ producerId: 8, producerEpoch: 0, errorCode: 0 });
    await clock.settle();
    const [wave] = broker.onWire;
    expect(wave?.batches.map(({ partition, header }) => [partition, header.producerId, header.baseSequence])).toEqual([
      [0, 8, 0],
      [1, 8, 0],
    ]);
    wave?.answer();
    await clock.settle();
    expect(sent.map(({ state }) => state)).toEqual(['fulfilled', 'fulfilled', 'fulfilled']);
  });

  it('tries on for an id that can not be had at the moment', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0 });
    let tries = 0;
    broker.onInitProducerId = () =>
      tries++ < 2
        ? Promise.resolve({ producerId: -1, producerEpoch: -1, errorCode: ERROR_CODES.COORDINATOR_LOAD_IN_PROGRESS })
        : Promise.resolve({ producerId: 9, producerEpoch: 0, errorCode: 0 });
    const identities: unknown[] = [];
    producer.events.on('identity', (identity) => identities.push(identity));
    void producer.send(record('a'));
    await clock.settle();
    expect(broker.produced).toHaveLength(0);
    await clock.advance(1_000);
    expect(stampsOf(broker.onWire)).toEqual(['9/0/0']);
    expect(identities).toEqual([{ producerId: 9, producerEpoch: 0 }]);
  });

  it('gives each batch its own time while no id can be had, tells what was in the way, and asks no more when none waits', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0, requestTimeoutMs: 1_000, deliveryTimeoutMs: 3_000 });
    broker.onInitProducerId = () =>
      Promise.resolve({ producerId: -1, producerEpoch: -1, errorCode: ERROR_CODES.COORDINATOR_LOAD_IN_PROGRESS });
    const first = watch(producer.send(record('a')));
    await clock.advance(2_700);
    const second = watch(producer.send(record('b', 1)));
    await clock.advance(300);
    expect(first.reason).toMatchObject({ code: 'TIMEOUT', budget: 'deliveryTimeoutMs' });
    expect(first.reason?.cause).toMatchObject({ cause: { code: 'COORDINATOR_LOAD_IN_PROGRESS' } });
    await clock.advance(2_699);
    expect(second.state).toBe('pending');
    await clock.advance(1);
    expect(second.reason).toMatchObject({ code: 'TIMEOUT', budget: 'deliveryTimeoutMs' });
    await clock.advance(2_000);
    const asked = broker.initProducerIds;
    await clock.advance(60_000);
    expect(broker.initProducerIds).toBe(asked);
    expect(clock.timersWaiting).toBe(0);
  });

  it('fails what waits when it is refused one, and asks again for what comes later', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0 });
    broker.onInitProducerId = () =>
      Promise.resolve({ producerId: -1, producerEpoch: -1, errorCode: ERROR_CODES.CLUSTER_AUTHORIZATION_FAILED });
    const refused = watch(producer.send(record('a')));
    await clock.settle();
    expect(refused.reason).toBeInstanceOf(KrafkaProtocolError);
    expect(refused.reason).toMatchObject({ code: 'CLUSTER_AUTHORIZATION_FAILED' });
    broker.onInitProducerId = () => Promise.resolve({ producerId: 9, producerEpoch: 0, errorCode: 0 });
    void producer.send(record('b'));
    await clock.advance(1_000);
    expect(stampsOf(broker.onWire)).toEqual(['9/0/0']);
  });

  it('ends its asking when it is closed', async () => {
    const { clock, cluster, producer } = fakeWorld({ lingerMs: 0 });
    cluster.connect = () => Promise.reject(new KrafkaConnectionError('broker-1:9092', 'refused'));
    const sent = watch(producer.send(record('a')));
    const closed = watch(producer.close({ timeoutMs: 100 }));
    await clock.advance(100);
    expect([sent.state, closed.state]).toEqual(['rejected', 'fulfilled']);
    expect(clock.timersWaiting).toBe(0);
  });
});
