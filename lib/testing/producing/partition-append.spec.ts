import { CreateTopics, Produce, errorName, type ErrorName } from '../../core/protocol/index.js';
import { aBatch, altered, type GivenBatch, type GivenRecord } from '../spec-support/batches.js';
import { SpecBroker } from '../spec-support/spec-broker.js';
import type { WireClient } from '../spec-support/wire-client.js';

describe('what is produced', () => {
  let spec: SpecBroker;
  let client: WireClient;

  beforeEach(async () => {
    spec = await SpecBroker.start({ brokers: 2 });
    spec.broker.createTopic('orders', { partitions: 2, replicationFactor: 1 });
    for (const partition of [0, 1]) spec.broker.moveLeader('orders', partition, 1);
    client = await spec.connect();
  });
  afterEach(() => spec.close());

  interface Given extends GivenBatch {
    readonly topic?: string;
    readonly partition?: number;
    readonly acks?: number;
    readonly version?: number;
    readonly bytes?: Buffer | null;
  }
  interface Appended {
    readonly error: ErrorName;
    readonly baseOffset: number;
    readonly logAppendTimeMs: number;
    readonly recordErrors: readonly number[];
  }

  const produce = async (records: readonly (string | GivenRecord)[], given: Given = {}): Promise<Appended> => {
    const { topic = 'orders', partition = 0, acks = -1, version = 9, bytes, ...batch } = given;
    const sent = bytes === undefined ? await aBatch(records, { timestamp: spec.clock.now(), ...batch }) : bytes;
    const answer = await client.send(Produce, version, {
      acks,
      timeoutMs: 1000,
      topicData: [{ name: topic, partitionData: [{ index: partition, records: sent }] }],
    });
    const [one] = answer.responses[0]?.partitionResponses ?? [];
    return {
      error: errorName(one?.errorCode ?? 0),
      baseOffset: one?.baseOffset ?? -1,
      logAppendTimeMs: one?.logAppendTimeMs ?? -1,
      recordErrors: (one?.recordErrors ?? []).map(({ batchIndex }) => batchIndex),
    };
  };
  const errorOf = async (records: readonly (string | GivenRecord)[], given?: Given): Promise<ErrorName> =>
    (await produce(records, given)).error;

  it.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const)(
    'is kept as it came, compressed or not (%s)',
    async (compression) => {
      const value = 'v'.repeat(100_000);
      await produce(
        [
          { key: 'k', value, headers: { a: ['1', '2'], b: null } },
          { key: null, value: null },
        ],
        { compression },
      );
      const [first, second] = spec.broker.records('orders');
      expect(first).toMatchObject({ offset: 0, key: 'k', value, timestamp: spec.clock.now() });
      expect(first?.headers).toEqual({ a: ['1', '2'], b: null });
      expect(first?.valueBytes).toEqual(Buffer.from(value));
      expect(second).toMatchObject({ offset: 1, key: null, value: null, keyBytes: null, valueBytes: null });
    },
  );

  it('must be for a topic and partition that there is', async () => {
    expect(await errorOf(['a'], { topic: 'missing' })).toBe('UNKNOWN_TOPIC_OR_PARTITION');
    expect(await errorOf(['a'], { partition: 2 })).toBe('UNKNOWN_TOPIC_OR_PARTITION');
  });

  it('must ask for acknowledgements that there are', async () => {
    expect(await errorOf(['a'], { acks: 2 })).toBe('INVALID_REQUIRED_ACKS');
  });

  it('must be one batch for a partition, neither more nor less', async () => {
    const batch = await aBatch(['a']);
    expect(await errorOf([], { bytes: Buffer.alloc(0) })).toBe('INVALID_RECORD');
    expect(await errorOf([], { bytes: null })).toBe('INVALID_RECORD');
    expect(await errorOf([], { bytes: batch.subarray(0, -1) })).toBe('INVALID_RECORD');
    expect(await errorOf([], { bytes: Buffer.concat([batch, batch]) })).toBe('INVALID_RECORD');
    expect(spec.broker.records('orders')).toEqual([]);
  });

  const INT16 = (at: number, value: number) => (bytes: Buffer) => void bytes.writeInt16BE(value, at);
  const INT32 = (at: number, value: number) => (bytes: Buffer) => void bytes.writeInt32BE(value, at);

  it.each<[string, ErrorName, (bytes: Buffer) => void]>([
    ['an old message format', 'INVALID_RECORD', (bytes) => void bytes.writeInt8(1, 16)],
    ['a message format there is not', 'CORRUPT_MESSAGE', (bytes) => void bytes.writeInt8(3, 16)],
    ['a length shorter than its header', 'CORRUPT_MESSAGE', INT32(8, 20)],
    ['a base offset', 'INVALID_RECORD', INT32(4, 5)],
    ['a count that is too large', 'INVALID_RECORD', INT32(57, 3)],
    ['a count of nothing', 'INVALID_RECORD', INT32(57, 0)],
    ['a negative count', 'INVALID_RECORD', INT32(57, -1)],
    ['a last offset that is too small', 'INVALID_RECORD', INT32(23, 0)],
    ['a negative last offset', 'INVALID_RECORD', INT32(23, -1)],
    ['control records', 'INVALID_RECORD', INT16(21, 0x20)],
    ['a compression there is not', 'UNKNOWN_SERVER_ERROR', INT16(21, 5)],
  ])('is refused with %s', async (_what, error, change) => {
    const bytes = altered(await aBatch(['a', 'b'], { timestamp: spec.clock.now() }), change);
    expect(await errorOf([], { bytes })).toBe(error);
    expect(spec.broker.records('orders')).toEqual([]);
  });

  it('is refused when its CRC is wrong', async () => {
    const bytes = await aBatch(['a']);
    bytes[bytes.length - 1] = (bytes[bytes.length - 1] as number) ^ 1;
    expect(await errorOf([], { bytes })).toBe('CORRUPT_MESSAGE');
  });

  it.each<[string, (bytes: Buffer) => void]>([
    ['a record of a negative length', (bytes) => void bytes.writeInt8(0x7f, 61)],
    ['a value that is longer than its record', (bytes) => void bytes.writeInt8(0x0e, 66)],
    ['headers that are fewer than none', (bytes) => void bytes.writeInt8(0x01, 68)],
  ])('is refused with %s', async (_what, change) => {
    const bytes = altered(await aBatch(['a', 'b'], { timestamp: spec.clock.now() }), change);
    expect(await errorOf([], { bytes })).toBe('INVALID_RECORD');
  });

  it('is refused with fewer records than it says, or bytes behind them', async () => {
    const batch = await aBatch(['a', 'b'], { timestamp: spec.clock.now() });
    const framed = (bytes: Buffer) => altered(bytes, (copy) => void copy.writeInt32BE(copy.length - 12, 8));
    expect(await errorOf([], { bytes: framed(batch.subarray(0, -2)) })).toBe('INVALID_RECORD');
    expect(await errorOf([], { bytes: framed(Buffer.concat([batch, Buffer.alloc(3)])) })).toBe('INVALID_RECORD');
    const said = (bytes: Buffer) => {
      bytes.writeInt32BE(3, 57);
      bytes.writeInt32BE(2, 23);
    };
    expect(await errorOf([], { bytes: altered(batch, said) })).toBe('INVALID_RECORD');
    const packed = await aBatch(['a', 'b'], { timestamp: spec.clock.now(), compression: 'gzip' });
    expect(await errorOf([], { bytes: altered(packed, said) })).toBe('INVALID_RECORD');
  });

  it('is refused when it can’t be unpacked', async () => {
    const packed = await aBatch(['a', 'b'], { timestamp: spec.clock.now(), compression: 'gzip' });
    const bytes = altered(packed, (copy) => void copy.writeInt8(0, 61));
    expect(await errorOf([], { bytes })).toBe('UNKNOWN_SERVER_ERROR');
  });

  it('is the last one that a request has for the partition', async () => {
    const batch = (value: string) => aBatch([value], { timestamp: spec.clock.now() });
    const topicData = [
      { name: 'orders', partitionData: [{ index: 0, records: await batch('first') }] },
      { name: 'parcels', partitionData: [] },
      { name: 'orders', partitionData: [{ index: 0, records: await batch('last') }] },
    ];
    const { responses } = await client.send(Produce, 9, { acks: -1, timeoutMs: 1000, topicData });
    expect(responses.map(({ name, partitionResponses }) => [name, partitionResponses.length])).toEqual([['orders', 1]]);
    expect(spec.broker.records('orders').map(({ value }) => value)).toEqual(['last']);
  });

  it('may carry zstd from version 7 on', async () => {
    expect(await errorOf(['a'], { compression: 'zstd', version: 6 })).toBe('UNSUPPORTED_COMPRESSION_TYPE');
    expect(await errorOf(['a'], { compression: 'zstd', version: 7 })).toBe('NONE');
  });

  describe('to a topic with a configuration of its own', () => {
    const create = (configs: Readonly<Record<string, string>>, name = 'special', replicationFactor = 1) => {
      spec.broker.createTopic(name, { replicationFactor, configs });
      spec.broker.moveLeader(name, 0, 1);
    };
    const errorThere = (records: readonly (string | GivenRecord)[], given: Given = {}) =>
      errorOf(records, { topic: 'special', ...given });

    it('may be as large as max.message.bytes, to the byte', async () => {
      const { length } = await aBatch(['x'.repeat(500)]);
      create({ 'max.message.bytes': String(length) });
      expect(await errorThere(['x'.repeat(501)])).toBe('MESSAGE_TOO_LARGE');
      expect(await errorThere(['x'.repeat(500)])).toBe('NONE');
    });

    it('takes the time of the broker where the topic says so', async () => {
      create({ 'message.timestamp.type': 'LogAppendTime' });
      const answer = await produce([{ value: 'a', timestamp: 5 }], { topic: 'special' });
      expect(answer.logAppendTimeMs).toBe(spec.clock.now());
      expect(spec.broker.records('special')[0]?.timestamp).toBe(spec.clock.now());
    });

    it('may not come from too far in the future, or the past where that is limited', async () => {
      create({ 'message.timestamp.before.max.ms': '1000' });
      const at = (timestamp: number) => errorThere([{ value: 'a', timestamp }]);
      expect(await at(spec.clock.now() + 3_600_001)).toBe('INVALID_TIMESTAMP');
      expect(await at(spec.clock.now() + 3_600_000)).toBe('NONE');
      expect(await at(spec.clock.now() - 1_001)).toBe('INVALID_TIMESTAMP');
      expect(await at(spec.clock.now() - 1_000)).toBe('NONE');
    });

    it('must have keys where the topic is compacted, and is told which has none', async () => {
      create({ 'cleanup.policy': 'compact' });
      const records = [{ key: 'k', value: 'a' }, { value: 'b' }, { value: 'c' }];
      expect(await produce(records, { topic: 'special', compression: 'lz4' })).toMatchObject({
        error: 'INVALID_RECORD',
        recordErrors: [1, 2],
      });
      expect(await errorThere([{ key: 'k', value: null }])).toBe('NONE');
    });

    it('waits for as many replicas as min.insync.replicas, when all are to acknowledge, but for no more than there are', async () => {
      create({ 'min.insync.replicas': '2' }, 'special', 2);
      create({ 'min.insync.replicas': '2' }, 'alone', 1);
      expect(await errorThere(['a'])).toBe('NONE');
      await spec.broker.stopNode(2);
      expect(await errorThere(['a'])).toBe('NOT_ENOUGH_REPLICAS');
      expect(await errorThere(['a'], { acks: 1 })).toBe('NONE');
      expect(await errorOf(['a'], { topic: 'alone' })).toBe('NONE');
    });

    it('says of each record why it is refused, and of three of them together', async () => {
      create({ 'cleanup.policy': 'compact' });
      const records = await aBatch(['a', 'b', 'c', 'd'], { timestamp: spec.clock.now() });
      const topicData = [{ name: 'special', partitionData: [{ index: 0, records }] }];
      const { responses } = await client.send(Produce, 9, { acks: -1, timeoutMs: 1000, topicData });
      const [one] = responses[0]?.partitionResponses ?? [];
      const why = 'Compacted topic cannot accept message without key in topic partition special-0';
      expect(one?.recordErrors.map(({ batchIndexErrorMessage }) => batchIndexErrorMessage)).toEqual([
        why,
        why,
        why,
        why,
      ]);
      expect(one?.errorMessage).toContain('due to 4 record errors in total');
      expect(one?.errorMessage?.match(/RecordError/g)).toHaveLength(3);
    });
  });

  it('is for the brokers alone where the topic is theirs', async () => {
    const topic = { name: '__consumer_offsets', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] };
    await client.send(CreateTopics, 7, { topics: [topic] });
    expect(await errorOf(['a'], { topic: '__consumer_offsets' })).toBe('INVALID_TOPIC_EXCEPTION');
  });

  describe('by an idempotent producer', () => {
    const send = (baseSequence: number, count = 1, producerEpoch = 0) =>
      produce(
        Array.from({ length: count }, (_, index) => `${baseSequence + index}`),
        { producerId: 7, producerEpoch, baseSequence },
      );

    it('is appended once, and told again where it went, as long as it is among the last five', async () => {
      for (let sequence = 0; sequence < 5; sequence++) await send(sequence);
      expect(await send(0)).toMatchObject({ error: 'NONE', baseOffset: 0 });
      expect(await send(4)).toMatchObject({ error: 'NONE', baseOffset: 4 });
      await send(5);
      expect(await send(0)).toMatchObject({ error: 'OUT_OF_ORDER_SEQUENCE_NUMBER' });
      expect(await send(1)).toMatchObject({ error: 'NONE', baseOffset: 1 });
      expect(spec.broker.records('orders').map(({ value }) => value)).toEqual(['0', '1', '2', '3', '4', '5']);
    });

    it('is refused when something is missing before it', async () => {
      await send(0, 3);
      expect(await send(4)).toMatchObject({ error: 'OUT_OF_ORDER_SEQUENCE_NUMBER' });
      expect(await send(2)).toMatchObject({ error: 'OUT_OF_ORDER_SEQUENCE_NUMBER' });
      expect(await send(0, 2)).toMatchObject({ error: 'OUT_OF_ORDER_SEQUENCE_NUMBER' });
      expect(await send(3)).toMatchObject({ error: 'NONE', baseOffset: 3 });
    });

    it('may begin anywhere where the partition knows nothing of it', async () => {
      expect(await send(41)).toMatchObject({ error: 'NONE' });
      expect(await send(43)).toMatchObject({ error: 'OUT_OF_ORDER_SEQUENCE_NUMBER' });
    });

    it('begins anew with every epoch, and never goes back to an older one', async () => {
      await send(0, 3);
      expect(await send(3, 1, 1)).toMatchObject({ error: 'OUT_OF_ORDER_SEQUENCE_NUMBER' });
      expect(await send(0, 1, 1)).toMatchObject({ error: 'NONE', baseOffset: 3 });
      expect(await send(3, 1, 0)).toMatchObject({ error: 'INVALID_PRODUCER_EPOCH' });
      expect(await send(0, 3, 0)).toMatchObject({ error: 'INVALID_PRODUCER_EPOCH' });
    });

    it('counts its sequence round', async () => {
      await send(2_147_483_646);
      expect(await send(2_147_483_647, 3)).toMatchObject({ error: 'NONE', baseOffset: 1 });
      expect(await send(1)).toMatchObject({ error: 'OUT_OF_ORDER_SEQUENCE_NUMBER' });
      expect(await send(2)).toMatchObject({ error: 'NONE', baseOffset: 4 });
      expect(await send(2_147_483_647, 3)).toMatchObject({ error: 'NONE', baseOffset: 1 });
    });

    it('has a sequence', async () => {
      expect(await errorOf(['a'], { producerId: 7, producerEpoch: 0, baseSequence: -1 })).toBe('INVALID_RECORD');
    });
  });
});
