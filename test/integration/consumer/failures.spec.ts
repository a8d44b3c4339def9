import {
  apis,
  Krafka,
  nack,
  systemNetworkPorts,
  type ByteReceiver,
  type ByteStream,
  type Consumer,
  type ConsumerOptions,
  type ConsumerRecord,
  type Dialer,
  type DialTarget,
} from '../../../lib/core/index.js';
import { openTestCluster, type TestCluster } from '../../support/test-cluster.js';
import { expected, gate, inOrder, produce, take, until, values } from './tools.js';

/** Dials as the machine does, and cuts all connections at once when it is told to, as a network does. */
class CuttingDialer implements Dialer {
  readonly #open = new Map<ByteStream, ByteReceiver>();

  async dial(target: DialTarget, receiver: ByteReceiver, signal: AbortSignal): Promise<ByteStream> {
    const stream = await systemNetworkPorts.dialer.dial(target, receiver, signal);
    this.#open.set(stream, receiver);
    return stream;
  }

  cut(): void {
    for (const [stream, receiver] of this.#open) {
      stream.destroy();
      receiver.closed(new Error('cut'));
    }
    this.#open.clear();
  }
}

/** Dials as the machine does, and loses the first answer to one API with its connection: the broker has heeded what was asked. */
class LosingDialer implements Dialer {
  lost = 0;
  readonly #apiKey: number;

  constructor(apiKey: number) {
    this.#apiKey = apiKey;
  }

  async dial(target: DialTarget, receiver: ByteReceiver, signal: AbortSignal): Promise<ByteStream> {
    let losing = false;
    const lose = (): void => {
      losing = false;
      this.lost++;
      stream.destroy();
      receiver.closed(new Error('cut'));
    };
    const stream = await systemNetworkPorts.dialer.dial(
      target,
      {
        space: () => receiver.space(),
        filled: (count) => (losing ? lose() : receiver.filled(count)),
        received: (chunk) => (losing ? lose() : receiver.received(chunk)),
        drained: () => receiver.drained(),
        closed: (error) => receiver.closed(error),
      },
      signal,
    );
    return {
      write: (chunks) => {
        // A request begins with its length.
        losing ||= this.lost === 0 && chunks[0]?.readInt16BE(4) === this.#apiKey;
        return stream.write(chunks);
      },
      destroy: () => stream.destroy(),
    };
  }
}

/** Whether the brokers have no groups by the consumer protocol. */
const isOld = /^[23]\./.test(process.env['KAFKA_VERSION'] ?? '4');

describe('a consumer meets', () => {
  let cluster: TestCluster;
  let krafka: Krafka;

  beforeAll(async () => {
    cluster = await openTestCluster();
    krafka = cluster.krafka();
  });
  afterAll(() => cluster.close());

  const consumerOf = (topic: string, options: Partial<ConsumerOptions> = {}, client = krafka): Consumer =>
    client.consumer({ groupId: cluster.name('failures'), topics: [topic], fromBeginning: true, ...options });

  it('cut sockets: it goes on where it was, nothing is lost and nothing comes twice', async () => {
    const topic = await cluster.newTopic(3);
    const dialer = new CuttingDialer();
    const shaky = new Krafka({ brokers: cluster.bootstrap, connection: cluster.connection }, { dialer });
    const consumer = consumerOf(topic, { heartbeatIntervalMs: 50, autoCommitIntervalMs: 20 }, shaky);
    const fatal: unknown[] = [];
    consumer.events.on('fatal', ({ error }) => fatal.push(error));
    const seen: ConsumerRecord[] = [];
    const running = consumer.run({ eachRecord: async (record) => void seen.push(record) });
    await consumer.start();
    for (let round = 0; round < 5; round++) {
      await produce(krafka, topic, 200, { from: round * 200 });
      dialer.cut();
      await until(() => seen.length >= (round + 1) * 200);
    }
    await consumer.commit();
    expect(inOrder(seen)).toEqual(expected(1_000));
    expect(fatal).toEqual([]);
    await consumer.close();
    await running;
    const next = consumerOf(topic, { groupId: consumer.groupId });
    await next.start();
    const positions = next.assignment().map((partition) => next.position(partition) as number);
    expect(positions.reduce((sum, position) => sum + position, 0)).toBe(1_000);
    await next.close();
    await shaky.close();
  });

  it.each(['classic', 'consumer'] as const)(
    'a lost answer to the join of a static member, in a %s group: it joins again',
    async (groupProtocol) => {
      if (isOld && groupProtocol === 'consumer') return;
      const topic = await cluster.newTopic(1);
      await produce(krafka, topic, 1, { partition: 0 });
      const dialer = new LosingDialer((groupProtocol === 'classic' ? apis.JoinGroup : apis.ConsumerGroupHeartbeat).key);
      const shaky = new Krafka({ brokers: cluster.bootstrap, connection: cluster.connection }, { dialer });
      const consumer = consumerOf(topic, { groupProtocol, groupInstanceId: 'a' }, shaky);
      expect(values(await take(consumer, 1))).toEqual(expected(1));
      expect(dialer.lost).toBe(1);
      await consumer.close();
      await shaky.close();
    },
  );

  it('records that were deleted before it read them: offsetReset decides, and it is told', async () => {
    const topic = await cluster.newTopic(1);
    const place = { topic, partition: 0 };
    await produce(krafka, topic, 10, { partition: 0 });
    await krafka.admin().deleteRecords([{ ...place, offset: 6 }]);
    const consumer = consumerOf(topic);
    const resets: unknown[] = [];
    await consumer.start();
    consumer.events.on('reset', (event) => resets.push(event));
    await consumer.seek(place, 2);
    expect((await take(consumer, 1))[0]?.offset).toBe(6);
    expect(resets).toEqual([{ ...place, reason: 'out of range', from: 2, to: 6 }]);
    await consumer.close();
  });

  it.each(['by partition', 'in no order', 'by batch'] as const)(
    'records that were deleted behind one that is being handled %s: none is committed before that is done',
    async (how) => {
      const topic = await cluster.newTopic(1);
      const place = { topic, partition: 0 };
      await produce(krafka, topic, 2, { partition: 0 });
      const consumer = consumerOf(topic, { autoCommit: false });
      const resets: unknown[] = [];
      consumer.events.on('reset', (event) => event.from !== undefined && resets.push(event));
      const committed = async (): Promise<number | undefined> => {
        await consumer.commit();
        return (await consumer.committed([place]))[0]?.offset;
      };
      const busy = gate();
      const done: number[] = [];
      let called = 0;
      const handle = async ({ offset }: ConsumerRecord): Promise<void> => {
        called++;
        if (offset === 1) await busy.opened;
        done.push(offset);
      };
      const running = consumer.run(
        how === 'by batch'
          ? { maxRecords: 1, eachBatch: ({ records }) => handle(records[0] as ConsumerRecord) }
          : { eachRecord: handle, concurrency: { by: how === 'in no order' ? 'none' : 'partition' } },
      );
      await until(() => called === 2);
      consumer.pause();
      await produce(krafka, topic, 5, { partition: 0, from: 2 });
      await krafka.admin().deleteRecords([{ ...place, offset: 6 }]);
      consumer.resume();
      await until(() => resets.length === 1);
      expect(resets).toEqual([{ ...place, reason: 'out of range', from: 2, to: 6 }]);
      expect(await committed()).toBe(1);
      busy.open();
      await until(() => done.length === 3);
      expect(done.toSorted((a, b) => a - b)).toEqual([0, 1, 6]);
      expect(await committed()).toBe(7);
      await consumer.close();
      await running;
    },
  );

  it.each([
    ['by partition', 'a reset tells of it', [2, 1]],
    ['in no order', 'it does, from the hand', [2]],
  ] as const)('records that were deleted with one that is to come again %s: %s', async (how, _what, from) => {
    const topic = await cluster.newTopic(1);
    const place = { topic, partition: 0 };
    await produce(krafka, topic, 2, { partition: 0 });
    const consumer = consumerOf(topic);
    const resets: (number | undefined)[] = [];
    consumer.events.on('reset', (event) => event.from !== undefined && resets.push(event.from));
    const busy = gate();
    const seen: number[] = [];
    const running = consumer.run({
      concurrency: { by: how === 'by partition' ? 'partition' : 'none' },
      eachRecord: async ({ offset }) => {
        seen.push(offset);
        if (offset !== 1 || seen.filter((one) => one === 1).length > 1) return undefined;
        await busy.opened;
        return nack(1);
      },
    });
    await until(() => seen.length === 2);
    consumer.pause();
    await produce(krafka, topic, 5, { partition: 0, from: 2 });
    await krafka.admin().deleteRecords([{ ...place, offset: 6 }]);
    consumer.resume();
    await until(() => resets.length === 1);
    busy.open();
    await until(() => seen.includes(6) && (how === 'by partition' ? resets.length === 2 : seen.length === 4));
    expect(resets).toEqual(from);
    expect(seen.filter((offset) => offset === 1)).toHaveLength(how === 'by partition' ? 1 : 2);
    await consumer.close();
    await running;
  });

  it('an offset out of range with nothing to fall back on: an error that names the place', async () => {
    const topic = await cluster.newTopic(1);
    const place = { topic, partition: 0 };
    await produce(krafka, topic, 5, { partition: 0 });
    const consumer = krafka.consumer({ assignments: [{ ...place, offset: 99 }], offsetReset: 'none' });
    await expect(take(consumer, 1)).rejects.toMatchObject({ code: 'OFFSET_OUT_OF_RANGE', ...place });
    expect(consumer.groupState()).toBe('fatal');
    await consumer.close();
  });

  it('a group without offsets and offsetReset none: an error that names the place', async () => {
    const topic = await cluster.newTopic(1);
    const consumer = krafka.consumer({ groupId: cluster.name('none'), topics: [topic], offsetReset: 'none' });
    await expect(consumer.start()).rejects.toMatchObject({ code: 'NO_OFFSET', topic, partition: 0 });
    await consumer.close();
  });

  it('a partition that cannot be read, where somebody listens: the others go on, and a seek mends it', async () => {
    const topic = await cluster.newTopic(2);
    for (const partition of [0, 1]) await produce(krafka, topic, 5, { partition });
    const consumer = krafka.consumer({
      assignments: [
        { topic, partition: 0, offset: 99 },
        { topic, partition: 1, offset: 0 },
      ],
      offsetReset: 'none',
    });
    const failed: unknown[] = [];
    consumer.events.on('partitionFailed', ({ partition, error }) => failed.push([partition, error.code]));
    expect(values(await take(consumer, 5))).toEqual(expected(5));
    await until(() => failed.length === 1);
    expect(failed).toEqual([[0, 'OFFSET_OUT_OF_RANGE']]);
    expect(consumer.stats().partitions.map(({ state }) => state)).toEqual(['failed', 'reading']);
    await consumer.seek({ topic, partition: 0 }, 3);
    // Partition 1 has left the loop with its last record, which comes again.
    expect(inOrder(await take(consumer, 3))).toEqual(['v-3', 'v-4', 'v-4']);
    await consumer.close();
  });

  it('a deleted topic: the partitions of the others are read on', async () => {
    const [kept, deleted] = [await cluster.newTopic(1), await cluster.newTopic(1)];
    const consumer = krafka.consumer({
      groupId: cluster.name('deleted'),
      topics: [kept, deleted],
      fromBeginning: true,
    });
    const seen: ConsumerRecord[] = [];
    const running = consumer.run({ eachRecord: (record) => void seen.push(record) });
    await consumer.start();
    await krafka.admin().deleteTopics([deleted]);
    await produce(krafka, kept, 10, { partition: 0 });
    await until(() => seen.length === 10);
    await krafka.cluster.refresh([kept, deleted]);
    await until(() => consumer.assignment().length === 1);
    expect(consumer.assignment()).toEqual([{ topic: kept, partition: 0 }]);
    await produce(krafka, kept, 10, { partition: 0, from: 10 });
    await until(() => seen.length === 20);
    await consumer.close();
    await running;
  });

  it('a batch larger than a partition may fetch: it is read whole', async () => {
    const topic = await cluster.newTopic(1);
    const producer = krafka.producer({ lingerMs: 0 });
    const value = Buffer.alloc(200_000, 7);
    await producer.send({ topic, value });
    await producer.send({ topic, value: 'small' });
    await producer.close();
    const consumer = consumerOf(topic, { maxPartitionFetchBytes: 1_000 });
    const [large, small] = await take(consumer, 2);
    expect(large?.value?.length).toBe(200_000);
    expect(small?.valueText).toBe('small');
    await consumer.close();
  });

  it('a compressed batch that grows beyond maxDecompressedBytes: an error that names the place', async () => {
    const topic = await cluster.newTopic(1);
    const producer = krafka.producer({ lingerMs: 0, compression: 'gzip' });
    await producer.send({ topic, value: Buffer.alloc(500_000) });
    await producer.close();
    const consumer = consumerOf(topic, { maxDecompressedBytes: 100_000 });
    await expect(take(consumer, 1)).rejects.toMatchObject({ code: 'DECOMPRESSION_LIMIT' });
    await consumer.close();
  });
});
