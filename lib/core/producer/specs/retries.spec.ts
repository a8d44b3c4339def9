import type { ErrorName } from '../../protocol/index.js';
import {
  KrafkaAuthenticationError,
  KrafkaConnectionError,
  KrafkaProtocolError,
  KrafkaTimeoutError,
} from '../../support/index.js';
import { recordsOf, valuesOf, type ProduceOnWire } from '../spec-support/fake-broker.js';
import { fakeCodec } from '../spec-support/fake-codec.js';
import { fakeWorld, warmWorld, watch } from '../spec-support/fake-cluster.js';
import type { HandClock } from '../spec-support/hand-clock.js';

const record = (value: string, partition = 0): { topic: string; partition: number; value: string } => ({
  topic: 't',
  partition,
  value,
});

describe('a retry', () => {
  it.each<ErrorName>([
    'NOT_ENOUGH_REPLICAS',
    'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
    'REQUEST_TIMED_OUT',
    'LEADER_NOT_AVAILABLE',
    'NOT_LEADER_OR_FOLLOWER',
    'UNKNOWN_TOPIC_OR_PARTITION',
    'UNKNOWN_TOPIC_ID',
    'CORRUPT_MESSAGE',
    'KAFKA_STORAGE_ERROR',
    'THROTTLING_QUOTA_EXCEEDED',
  ])('follows %s', async (error) => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0 });
    const sent = watch(producer.send(record('a')));
    await clock.settle();
    broker.onWire[0]?.answer(error);
    await clock.advance(200);
    expect(sent.state).toBe('pending');
    expect(broker.onWire).toHaveLength(1);
    broker.onWire[0]?.answer({ baseOffset: 9 });
    await clock.settle();
    expect(sent.value).toMatchObject({ offset: 9 });
    expect(producer.stats().retries).toBe(1);
  });

  it.each<ErrorName>([
    'TOPIC_AUTHORIZATION_FAILED',
    'INVALID_RECORD',
    'INVALID_TIMESTAMP',
    'INVALID_REQUIRED_ACKS',
    'UNSUPPORTED_COMPRESSION_TYPE',
    'POLICY_VIOLATION',
  ])('does not follow %s', async (error) => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0 });
    const sent = watch(producer.send(record('a')));
    await clock.settle();
    broker.onWire[0]?.answer(error);
    await clock.settle();
    expect(sent.reason).toBeInstanceOf(KrafkaProtocolError);
    expect(sent.reason).toMatchObject({ code: error, topic: 't', partition: 0 });
    await clock.advance(10_000);
    expect(broker.produced).toHaveLength(1);
  });

  it('reuses the encoded bytes', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0 });
    void producer.send(record('a'));
    await clock.settle();
    broker.onWire[0]?.answer('NOT_ENOUGH_REPLICAS');
    await clock.advance(200);
    const [first, second] = broker.produced.map(({ batches }) => batches[0]!.pieces);
    expect(second).toBe(first);
  });

  it('goes ahead of what came later, in order', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0, idempotent: false });
    for (const value of ['a', 'b', 'c']) {
      void producer.send(record(value));
      await clock.settle();
    }
    void producer.send(record('d'));
    const [a, b, c] = broker.onWire;
    b?.answer('NOT_ENOUGH_REPLICAS');
    c?.answer('NOT_ENOUGH_REPLICAS');
    a?.answer('NOT_ENOUGH_REPLICAS');
    const order: (string | null)[] = [];
    broker.onProduce = (produce) => {
      void valuesOf(produce.batches[0]!).then((values) => order.push(...values));
      produce.answer();
    };
    await clock.advance(1_000);
    expect(order).toEqual(['a', 'b', 'c', 'd']);
  });

  it('waits 100 ms at first, then twice as long each time, but never more than a second', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0 });
    const waits: number[] = [];
    producer.events.on('retrying', ({ afterMs }) => waits.push(afterMs));
    broker.onProduce = (produce) => produce.answer('NOT_ENOUGH_REPLICAS');
    watch(producer.send(record('a')));
    await clock.advance(8_000);
    const expected = [100, 200, 400, 800, 1_000, 1_000, 1_000];
    for (const [index, about] of expected.entries()) {
      expect(waits[index]).toBeGreaterThanOrEqual(about * 0.8);
      expect(waits[index]).toBeLessThanOrEqual(Math.min(1_000, about * 1.2));
    }
  });

  it('does not hold back other partitions', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0 });
    const sent = [watch(producer.send(record('a', 0))), watch(producer.send(record('b', 1)))];
    await clock.settle();
    broker.onWire[0]?.answer(({ partition }) => (partition === 0 ? 'NOT_ENOUGH_REPLICAS' : {}));
    const next = watch(producer.send(record('c', 1)));
    await clock.settle();
    broker.onWire[0]?.answer();
    await clock.settle();
    expect([sent[0]?.state, sent[1]?.state, next.state]).toEqual(['pending', 'fulfilled', 'fulfilled']);
  });

  it('follows a connection that was lost, on the next one', async () => {
    const { clock, cluster, producer, broker } = fakeWorld({ lingerMs: 0 });
    const sent = watch(producer.send(record('a')));
    await clock.settle();
    broker.cut();
    const next = cluster.bundles.get(1)!.redial();
    await clock.advance(1_000);
    expect(sent.state).toBe('pending');
    next.onWire[0]?.answer({ baseOffset: 2 });
    await clock.settle();
    expect(sent.value).toMatchObject({ offset: 2 });
    expect(cluster.suspected).toContain('t/0');
  });

  it('follows an answer that can not be read, and one that leaves the batch out', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0 });
    const sent = watch(producer.send(record('a')));
    await clock.settle();
    broker.onWire[0]?.fail(new KrafkaProtocolError('MALFORMED', 'not an answer'));
    await clock.advance(1_000);
    broker.onWire[0]?.answer(() => undefined);
    await clock.advance(1_000);
    broker.onWire[0]?.answer();
    await clock.settle();
    expect(sent.state).toBe('fulfilled');
    expect(broker.produced).toHaveLength(3);
  });

  it('does not follow what no retry can mend', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0 });
    const sent = watch(producer.send(record('a')));
    await clock.settle();
    broker.onWire[0]?.fail(new KrafkaProtocolError('UNSUPPORTED_VERSION', 'no common version'));
    await clock.settle();
    expect(sent.reason).toMatchObject({ code: 'UNSUPPORTED_VERSION' });
  });
});

describe('a batch of which an attempt may have been written', () => {
  it.each<ErrorName>(['TOPIC_AUTHORIZATION_FAILED', 'INVALID_TIMESTAMP', 'MESSAGE_TOO_LARGE', 'POLICY_VIOLATION'])(
    'fails with OUTCOME_UNKNOWN when the next one comes to %s, which says nothing of the first',
    async (error) => {
      const { clock, producer, broker } = fakeWorld({ lingerMs: 0 });
      const failed: Error[] = [];
      producer.events.on('failed', (batch) => failed.push(batch.error));
      const sent = watch(producer.send(record('a')));
      await clock.settle();
      broker.onWire[0]?.fail();
      await clock.advance(200);
      broker.onWire[0]?.answer(error);
      await clock.settle();
      const code = error === 'MESSAGE_TOO_LARGE' ? 'RECORD_TOO_LARGE' : error;
      expect(sent.reason).toMatchObject({ code: 'OUTCOME_UNKNOWN', retriable: false, cause: { code } });
      expect(failed).toEqual([sent.reason]);
    },
  );

  it('because the broker ran into trouble that it has no name for fails with OUTCOME_UNKNOWN at once', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0 });
    const sent = watch(producer.send(record('a')));
    await clock.settle();
    broker.onWire[0]?.answer('UNKNOWN_SERVER_ERROR');
    await clock.settle();
    expect(sent.reason).toMatchObject({ code: 'OUTCOME_UNKNOWN', cause: { code: 'UNKNOWN_SERVER_ERROR' } });
    await clock.advance(10_000);
    expect(broker.produced).toHaveLength(1);
  });

  it('fails with OUTCOME_UNKNOWN when its broker then refuses who we are', async () => {
    const { clock, cluster, producer, broker } = fakeWorld({ lingerMs: 0 });
    const sent = watch(producer.send(record('a')));
    await clock.settle();
    cluster.connect = () => Promise.reject(new KrafkaAuthenticationError('broker-1:9092', 'wrong password'));
    broker.cut();
    const unsent = watch(producer.send(record('b')));
    await clock.advance(1_000);
    expect(sent.reason).toMatchObject({ code: 'OUTCOME_UNKNOWN', cause: { code: 'AUTHENTICATION' } });
    expect(unsent.reason).toMatchObject({ code: 'AUTHENTICATION' });
  });

  it('is none when its request never left: what follows takes its numbers', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0 });
    const sent = watch(producer.send(record('a')));
    await clock.settle();
    broker.onWire[0]?.fail(new KrafkaProtocolError('UNSUPPORTED_VERSION', 'no common version'));
    void producer.send(record('b'));
    await clock.settle();
    expect(sent.reason).toMatchObject({ code: 'UNSUPPORTED_VERSION' });
    expect(broker.onWire[0]?.batches[0]?.header).toMatchObject({ producerEpoch: 0, baseSequence: 0 });
  });
});

describe('the delivery timeout', () => {
  const options = { lingerMs: 0, requestTimeoutMs: 500, deliveryTimeoutMs: 1_000 };

  it('ends the wait of a batch in flight', async () => {
    const { clock, producer, broker } = fakeWorld(options);
    const sent = watch(producer.send(record('a')));
    await clock.advance(999);
    expect(sent.state).toBe('pending');
    await clock.advance(1);
    expect(sent.reason).toBeInstanceOf(KrafkaTimeoutError);
    expect(sent.reason).toMatchObject({ budget: 'deliveryTimeoutMs', budgetMs: 1_000 });
    expect(sent.reason?.message).toContain("topic 't' partition 0, sent 1 time");
    expect(producer.stats()).toMatchObject({ incompleteBatches: 0, buffer: { used: 0 } });
    broker.onWire[0]?.answer();
    await clock.settle();
    expect(clock.timersWaiting).toBe(0);
  });

  it('ends the wait of a batch that is retried, with the last error as its cause', async () => {
    const { clock, producer, broker } = fakeWorld(options);
    broker.onProduce = (produce) => produce.answer('NOT_ENOUGH_REPLICAS');
    const sent = watch(producer.send(record('a')));
    await clock.advance(1_000);
    expect(sent.reason).toMatchObject({ code: 'TIMEOUT', cause: { code: 'NOT_ENOUGH_REPLICAS' } });
    const tries = broker.produced.length;
    await clock.advance(10_000);
    expect(broker.produced).toHaveLength(tries);
  });

  it('ends the wait of a batch that can not be sent: no leader, no connection, a window that stays full', async () => {
    const { clock, cluster, producer, broker } = fakeWorld(
      { ...options, maxInFlight: 1 },
      { brokers: 2, leaders: [-1, 2, 1] },
    );
    cluster.connect = (nodeId) =>
      nodeId === 2 ? Promise.reject(new KrafkaConnectionError('broker-2:9092', 'refused')) : Promise.resolve();
    cluster.bundles.get(2)!.members[0]!.usable = false;
    const full = watch(producer.send(record('in flight', 2)));
    await clock.settle();
    const sent = [0, 1, 2].map((partition) => watch(producer.send(record('x', partition))));
    await clock.advance(1_000);
    expect(sent.map(({ reason }) => (reason as KrafkaTimeoutError).budget)).toEqual(Array(3).fill('deliveryTimeoutMs'));
    expect(sent[1]?.reason?.cause).toMatchObject({ code: 'CONNECTION' });
    expect(sent[2]?.reason?.message).toContain('never sent');
    expect(full.state).toBe('rejected');
    expect(broker.produced).toHaveLength(1);
  });

  it('ends the wait of a batch that is being compressed', async () => {
    const codec = fakeCodec({
      compress: () => new Promise<Buffer>(() => undefined),
    });
    const { clock, producer } = fakeWorld({ ...options, compression: codec });
    const sent = watch(producer.send(record('a')));
    await clock.advance(1_000);
    expect(sent.reason).toMatchObject({ code: 'TIMEOUT' });
    expect(producer.stats().buffer).toMatchObject({ used: 0, pooled: 0 });
  });

  it('counts from the first record of the batch', async () => {
    const { clock, producer } = fakeWorld({ ...options, lingerMs: 400 });
    const first = watch(producer.send(record('a')));
    await clock.advance(300);
    const second = watch(producer.send(record('b')));
    await clock.advance(700);
    expect([first.state, second.state]).toEqual(['rejected', 'rejected']);
  });

  it('an answer that comes too late changes nothing for the caller', async () => {
    const { clock, producer, broker } = fakeWorld(options);
    const sent = watch(producer.send(record('a')));
    await clock.advance(1_000);
    broker.onWire[0]?.answer({ baseOffset: 5 });
    await clock.settle();
    expect(sent.state).toBe('rejected');
    expect(producer.stats()).toMatchObject({ records: 0, failedRecords: 1 });
  });
});

describe('a topic', () => {
  it('in constant production is never forgotten: one send after another, in every period', async () => {
    const { clock, cluster, producer, broker } = fakeWorld({ lingerMs: 0 });
    for (let period = 0; period < 4; period++) {
      const sent = watch(producer.send(record('a')));
      await clock.settle();
      broker.onWire[0]?.answer();
      await clock.settle();
      expect(sent.state).toBe('fulfilled');
      cluster.periodEnds();
      expect(cluster.metadata.topics.has('t')).toBe(true);
    }
    expect(cluster.topicCalls).toBe(0);
  });

  it.each<[string, (clock: HandClock) => Promise<void>]>([
    ['lingers', async () => {}],
    ['is on the wire', (clock) => clock.advance(50)],
  ])('is not forgotten while a batch of it %s, however many periods end', async (_what, comeToThat) => {
    const { clock, cluster, producer, broker } = fakeWorld({ lingerMs: 50 });
    const sent = watch(producer.send(record('a')));
    await comeToThat(clock);
    for (let period = 0; period < 4; period++) cluster.periodEnds();
    await clock.advance(50);
    broker.onWire[0]?.answer();
    await clock.settle();
    expect(sent.state).toBe('fulfilled');
  });

  it('in whose last period a batch was only settled was in use, for that record may have come late', async () => {
    const { clock, cluster, producer, broker } = fakeWorld({ lingerMs: 50 });
    void producer.send(record('a'));
    cluster.periodEnds();
    void producer.send(record('b'));
    await clock.advance(50);
    broker.onWire[0]?.answer();
    await clock.settle();
    cluster.periodEnds();
    expect(cluster.metadata.topics.has('t')).toBe(true);
  });

  it('to which nothing was sent for a whole period is forgotten, and asked for when something is', async () => {
    const { clock, cluster, producer, broker } = await warmWorld({ lingerMs: 0 });
    cluster.periodEnds();
    cluster.periodEnds();
    expect(cluster.metadata.topics.has('t')).toBe(false);
    const sent = watch(producer.send(record('a')));
    await clock.settle();
    expect([cluster.topicCalls, broker.onWire.length]).toEqual([1, 0]);
    cluster.topicHas('t', [1, 1, 1, 1, 1, 1]);
    await clock.settle();
    broker.onWire[0]?.answer();
    await clock.settle();
    expect(sent.state).toBe('fulfilled');
  });

  it("of a producer that was closed is nobody's any more", async () => {
    const { cluster, producer } = await warmWorld({ lingerMs: 0 });
    await producer.close();
    cluster.periodEnds();
    cluster.periodEnds();
    expect(cluster.metadata.topics.has('t')).toBe(false);
  });
});

describe('a leader that moved', () => {
  it('is taken from the Produce response at once, without waiting (KIP-951)', async () => {
    const { clock, cluster, producer } = fakeWorld({ lingerMs: 0 }, { brokers: 2 });
    const sent = watch(producer.send(record('a')));
    await clock.settle();
    cluster
      .broker(1)
      .onWire[0]?.answer({ errorCode: 6, currentLeader: { leaderId: 2, leaderEpoch: 5 } }, [
        { nodeId: 2, host: 'broker-2', port: 9092, rack: null },
      ]);
    await clock.settle();
    expect(cluster.broker(2).onWire).toHaveLength(1);
    expect(cluster.suspected).toEqual([]);
    cluster.broker(2).onWire[0]?.answer();
    await clock.settle();
    expect(sent.state).toBe('fulfilled');
  });

  it('and is told to a batch that was sent before that was known has it sent again at once', async () => {
    const { clock, cluster, producer } = fakeWorld({ lingerMs: 0 }, { brokers: 2 });
    void producer.send(record('a'));
    await clock.settle();
    cluster.topicHas('t', [2, 1, 1, 1, 1, 1], { epoch: 5 });
    cluster.broker(1).onWire[0]?.answer({ errorCode: 6, currentLeader: { leaderId: 2, leaderEpoch: 5 } });
    await clock.settle();
    expect(cluster.broker(2).onWire).toHaveLength(1);
  });

  it('has not, though it is told: the leader is asked for, and the batch sent again after a while, ever longer', async () => {
    const { clock, cluster, producer } = fakeWorld({ lingerMs: 0 });
    const waits: number[] = [];
    producer.events.on('retrying', ({ afterMs }) => waits.push(afterMs));
    // What a broker says that is to lead, and does not host the partition yet.
    const refuse = (produce: ProduceOnWire): void =>
      produce.answer({ errorCode: 6, currentLeader: { leaderId: 1, leaderEpoch: 1 } });
    watch(producer.send(record('a')));
    await clock.settle();
    for (let round = 0; round < 5; round++) {
      for (const produce of cluster.onWire) refuse(produce);
      await clock.advance(1_000);
    }
    for (const [index, about] of [100, 200, 400, 800, 1_000].entries()) {
      expect(waits[index]).toBeGreaterThanOrEqual(about * 0.8);
    }
    expect(cluster.suspected).toEqual(Array(5).fill('t/0'));
  });

  it('is asked for when the response does not tell, and the retry goes as soon as it is known', async () => {
    const { clock, cluster, producer } = fakeWorld({ lingerMs: 0 }, { brokers: 2 });
    void producer.send(record('a'));
    await clock.settle();
    cluster.broker(1).onWire[0]?.answer('NOT_LEADER_OR_FOLLOWER');
    await clock.settle();
    expect(cluster.suspected).toEqual(['t/0']);
    expect(cluster.onWire).toHaveLength(0);
    cluster.topicHas('t', [2, 1, 1, 1, 1, 1], { epoch: 2 });
    await clock.settle();
    expect(cluster.broker(2).onWire).toHaveLength(1);
  });

  it('takes over nothing while the old one has a batch in flight: a partition never changes its connection under way', async () => {
    const { clock, cluster, producer } = fakeWorld({ lingerMs: 0 }, { brokers: 2 });
    void producer.send(record('a'));
    await clock.settle();
    cluster.topicHas('t', [2, 1, 1, 1, 1, 1], { epoch: 2 });
    void producer.send(record('b'));
    await clock.settle();
    expect(cluster.broker(2).produced).toHaveLength(0);
    cluster.broker(1).onWire[0]?.answer('NOT_LEADER_OR_FOLLOWER');
    await clock.advance(1_000);
    expect(await valuesOf(cluster.broker(2).produced[0]!.batches[0]!)).toEqual(['a']);
  });

  it('that is missing is asked for again and again, ever less often, until there is one', async () => {
    const { clock, cluster, producer } = fakeWorld({ lingerMs: 0 }, { leaders: [-1] });
    const sent = watch(producer.send(record('a')));
    await clock.advance(5_000);
    expect(sent.state).toBe('pending');
    expect(cluster.suspected.length).toBeGreaterThan(5);
    expect(cluster.suspected.length).toBeLessThan(15);
    cluster.topicHas('t', [1], { epoch: 2 });
    await clock.settle();
    cluster.broker(1).onWire[0]?.answer();
    await clock.settle();
    expect(sent.state).toBe('fulfilled');
    const asked = cluster.suspected.length;
    await clock.advance(10_000);
    expect(cluster.suspected).toHaveLength(asked);
  });
});

describe('a broker that can not be reached', () => {
  it('is tried again with backoff, and delays no other', async () => {
    const { clock, cluster, producer } = fakeWorld({ lingerMs: 0 }, { brokers: 2, leaders: [1, 2] });
    const bundle = cluster.bundles.get(2)!;
    bundle.members[0]!.usable = false;
    const stuck = watch(producer.send(record('a', 1)));
    const sent = watch(producer.send(record('b', 0)));
    await clock.settle();
    cluster.broker(1).onWire[0]?.answer();
    await clock.settle();
    expect([stuck.state, sent.state]).toEqual(['pending', 'fulfilled']);
    await clock.advance(3_000);
    expect(cluster.connectCalls).toBeGreaterThan(3);
    expect(cluster.connectCalls).toBeLessThan(10);
    const back = bundle.redial();
    await clock.advance(1_000);
    back.onWire[0]?.answer();
    await clock.settle();
    expect(stuck.state).toBe('fulfilled');
  });

  it('because it refuses who we are fails what waits for it at once', async () => {
    const { clock, cluster, producer } = fakeWorld({ lingerMs: 0, idempotent: false });
    cluster.bundles.get(1)!.members[0]!.usable = false;
    cluster.connect = () => Promise.reject(new KrafkaAuthenticationError('broker-1:9092', 'wrong password'));
    const sent = watch(producer.send(record('a')));
    await clock.settle();
    expect(sent.reason).toBeInstanceOf(KrafkaAuthenticationError);
  });
});

describe('a bundle of connections', () => {
  it('carries each partition on its own connection, always the same', async () => {
    const { clock, cluster, producer } = fakeWorld({ lingerMs: 0 }, { connectionsPerBroker: 3 });
    const seen = new Map<number, Set<number>>();
    for (const connection of cluster.connections) {
      connection.onProduce = (produce) => {
        for (const { partition } of produce.batches) {
          seen.set(partition, (seen.get(partition) ?? new Set()).add(connection.place));
        }
        produce.answer();
      };
    }
    for (let round = 0; round < 4; round++) {
      for (let partition = 0; partition < 6; partition++) void producer.send(record('x', partition));
      await clock.settle();
    }
    expect([0, 1, 2, 3, 4, 5].map((partition) => [...(seen.get(partition) ?? [])])).toEqual([
      [0],
      [1],
      [2],
      [0],
      [1],
      [2],
    ]);
  });

  it('has a window for each connection', async () => {
    const { clock, cluster, producer } = await warmWorld({ lingerMs: 0, maxInFlight: 2 }, { connectionsPerBroker: 2 });
    for (let round = 0; round < 4; round++) {
      for (const partition of [0, 1]) void producer.send(record('x', partition));
      await clock.settle();
    }
    expect(cluster.connections.map(({ onWire }) => onWire.length)).toEqual([2, 2]);
  });

  it('lends another member to a partition whose own is gone, and keeps it there while it has a batch in flight', async () => {
    const { clock, cluster, producer } = await warmWorld({ lingerMs: 0 }, { connectionsPerBroker: 2 });
    const bundle = cluster.bundles.get(1)!;
    bundle.members[0]!.usable = false;
    void producer.send(record('a', 0));
    await clock.settle();
    expect(bundle.members[1]!.onWire).toHaveLength(1);
    const own = bundle.redial(0);
    void producer.send(record('b', 0));
    await clock.settle();
    expect(own.produced).toHaveLength(0);
    expect(bundle.members[1]!.onWire).toHaveLength(2);
    for (const produce of [...bundle.members[1]!.onWire]) produce.answer();
    void producer.send(record('c', 0));
    await clock.settle();
    expect(own.onWire).toHaveLength(1);
  });
});

describe('a batch that is too large for the broker', () => {
  it('is split until it fits, and its records keep their order, sequences and owners', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0 });
    broker.onProduce = (produce) => {
      const [batch] = produce.batches;
      const { recordCount, baseSequence } = batch!.header;
      produce.answer(recordCount > 2 ? 'MESSAGE_TOO_LARGE' : { baseOffset: 100 + baseSequence });
    };
    const sent = watch(producer.sendAll(['a', 'b', 'c', 'd', 'e'].map((value) => record(value))));
    const flushed = watch(producer.flush());
    for (let round = 0; round < 10; round++) await clock.settle();
    expect(sent.value?.map(({ offset }) => offset)).toEqual([100, 101, 102, 103, 104]);
    expect(flushed.state).toBe('fulfilled');
    const written = broker.produced.map(({ batches }) => batches[0]!).filter(({ header }) => header.recordCount <= 2);
    expect((await Promise.all(written.map(valuesOf))).flat()).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(written.map(({ header }) => header.baseSequence)[0]).toBe(0);
    expect(producer.stats()).toMatchObject({ splits: 2, records: 5, incompleteBatches: 0, buffer: { used: 0 } });
  });

  it('keeps keys, headers and timestamps in its pieces', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0, compression: 'gzip' });
    broker.onProduce = (produce) =>
      produce.answer(produce.batches[0]!.header.recordCount > 1 ? 'MESSAGE_TOO_LARGE' : {});
    const headers = { a: ['1', '2'], b: null };
    const sent = watch(
      producer.sendAll([
        { topic: 't', partition: 0, key: 'k', value: 'v', headers, timestamp: 1_000 },
        { topic: 't', partition: 0, key: null, value: null, timestamp: 2_000 + 2 ** 33 },
      ]),
    );
    for (let round = 0; round < 20 && sent.state === 'pending'; round++) await clock.settle();
    expect(sent.state).toBe('fulfilled');
    const pieces = await Promise.all(broker.produced.slice(1).map(async ({ batches }) => recordsOf(batches[0]!)));
    const [first, second] = pieces.flat();
    expect(first).toMatchObject({ timestamp: 1_000 });
    expect([first?.key?.toString(), first?.value?.toString(), Object.keys(first!.headers)]).toEqual([
      'k',
      'v',
      ['a', 'b'],
    ]);
    expect([second?.key, second?.value, second?.timestamp]).toEqual([null, null, 2_000 + 2 ** 33]);
  });

  it('lets nothing of its partition overtake while it is split', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0 });
    void producer.sendAll(['a', 'b'].map((value) => record(value)));
    await clock.settle();
    broker.onWire[0]?.answer('MESSAGE_TOO_LARGE');
    void producer.send(record('c'));
    const order: (string | null)[] = [];
    broker.onProduce = (produce) => {
      void valuesOf(produce.batches[0]!).then((values) => order.push(...values));
      produce.answer();
    };
    for (let round = 0; round < 5; round++) await clock.settle();
    expect(order).toEqual(['a', 'b', 'c']);
  });

  it('and has one record is a KrafkaRecordTooLargeError', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0 });
    const sent = watch(producer.send(record('a')));
    await clock.settle();
    broker.onWire[0]?.answer('MESSAGE_TOO_LARGE');
    await clock.settle();
    expect(sent.reason).toMatchObject({ name: 'KrafkaRecordTooLargeError', topic: 't' });
  });

  it('and may have been written whole is not sent again under other numbers when a broker does not expect its pieces', async () => {
    const { clock, producer, broker } = await warmWorld({ lingerMs: 0 });
    const sent = watch(producer.sendAllSettled(['a', 'b', 'c', 'd'].map((value) => record(value))));
    await clock.settle();
    broker.onWire[0]?.fail();
    await clock.advance(200);
    broker.onWire[0]?.answer('MESSAGE_TOO_LARGE');
    broker.onProduce = (produce) =>
      produce.answer(produce.batches[0]!.header.producerEpoch === 0 ? 'OUT_OF_ORDER_SEQUENCE_NUMBER' : {});
    await clock.advance(60_000);
    expect(sent.value?.map((outcome) => outcome.status === 'rejected' && outcome.reason)).toEqual(
      Array(4).fill(expect.objectContaining({ code: 'OUTCOME_UNKNOWN' })),
    );
    expect(broker.produced.map(({ batches }) => batches[0]!.header.producerEpoch)).not.toContain(1);
    const next = watch(producer.send(record('e')));
    await clock.settle();
    expect(next.state).toBe('fulfilled');
    expect(broker.produced.at(-1)?.batches[0]?.header).toMatchObject({ producerEpoch: 1, baseSequence: 0 });
  });

  it('and turns out not to have been written whole goes on as its pieces', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0 });
    const sent = watch(producer.sendAll(['a', 'b'].map((value) => record(value))));
    await clock.settle();
    broker.onWire[0]?.fail();
    await clock.advance(200);
    broker.onProduce = (produce) => produce.answer({ baseOffset: produce.batches[0]!.header.baseSequence });
    broker.onWire[0]?.answer('MESSAGE_TOO_LARGE');
    await clock.settle();
    expect(sent.value?.map(({ offset }) => offset)).toEqual([0, 1]);
  });

  it('and can not be split gives its memory to those who wait for it', async () => {
    const codec = fakeCodec({ decompress: () => Promise.reject(new Error('not what it was')) });
    const { clock, producer, broker } = fakeWorld({
      lingerMs: 0,
      compression: codec,
      batchSize: 1024,
      accumulator: { bufferMemory: 2048 },
    });
    const sent = watch(producer.sendAll(['a'.repeat(400), 'b'.repeat(400)].map((value) => record(value))));
    await clock.settle();
    const waiting = watch(producer.send(record('c'.repeat(400))));
    await clock.settle();
    expect(producer.stats().waitingSends).toBe(1);
    broker.onProduce = (produce) => produce.answer();
    broker.onWire[0]?.answer('MESSAGE_TOO_LARGE');
    await clock.settle();
    expect([sent.state, waiting.state]).toEqual(['rejected', 'fulfilled']);
  });

  it('is never split for a failure on this side', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0 });
    void producer.sendAll(['a', 'b'].map((value) => record(value)));
    await clock.settle();
    broker.onWire[0]?.fail(new KrafkaProtocolError('MALFORMED', 'longer than maxResponseSize'));
    await clock.advance(1_000);
    expect(broker.onWire[0]?.batches[0]?.header.recordCount).toBe(2);
    expect(producer.stats().splits).toBe(0);
  });

  it('that runs out of time while it is split fails once', async () => {
    const codec = fakeCodec({
      decompress: () => new Promise<Buffer>(() => undefined),
    });
    const { clock, producer, broker } = fakeWorld({
      lingerMs: 0,
      compression: codec,
      requestTimeoutMs: 500,
      deliveryTimeoutMs: 1_000,
    });
    const sent = watch(producer.sendAll(['a', 'b'].map((value) => record(value))));
    await clock.settle();
    broker.onWire[0]?.answer('MESSAGE_TOO_LARGE');
    await clock.advance(1_000);
    expect(sent.reason).toMatchObject({ code: 'TIMEOUT', cause: { code: 'RECORD_TOO_LARGE' } });
    expect(producer.stats()).toMatchObject({ incompleteBatches: 0, buffer: { used: 0 } });
  });
});

describe('a refusal of single records (KIP-467)', () => {
  it('tells each owner whether its record was to blame', async () => {
    const { clock, producer, broker } = fakeWorld({ lingerMs: 0 });
    const sent = watch(producer.sendAllSettled(['a', 'b'].map((value) => record(value))));
    await clock.settle();
    broker.onWire[0]?.answer({
      errorCode: 87,
      errorMessage: 'one or more records were rejected',
      recordErrors: [{ batchIndex: 1, batchIndexErrorMessage: 'no key in a compacted topic' }],
    });
    await clock.settle();
    const reasons = sent.value?.map((outcome) => (outcome.status === 'rejected' ? outcome.reason.message : ''));
    expect(reasons?.[0]).toContain('not because of this record');
    expect(reasons?.[1]).toContain('no key in a compacted topic');
  });
});
