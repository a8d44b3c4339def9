import { ERROR_CODES, Produce, type CompressionName } from '../../../lib/core/protocol/index.js';
import { aBatch, altered, type GivenBatch, type GivenRecord } from '../../../lib/testing/spec-support/batches.js';
import type { Scenario } from './stage.js';

interface Given extends GivenBatch {
  readonly topic?: string;
  readonly partition?: number;
  readonly acks?: number;
  readonly version?: number;
  readonly bytes?: Buffer;
}

const AT = 1_700_000_000_000;
const INT16 = (at: number, value: number) => (bytes: Buffer) => void bytes.writeInt16BE(value, at);
const INT32 = (at: number, value: number) => (bytes: Buffer) => void bytes.writeInt32BE(value, at);

/** Batches that break a rule each. */
const BROKEN: Readonly<Record<string, (bytes: Buffer) => void>> = {
  'base offset': INT32(4, 5),
  'leader epoch': INT32(12, 5),
  'magic 1': (bytes) => void bytes.writeInt8(1, 16),
  'magic 3': (bytes) => void bytes.writeInt8(3, 16),
  'count 3': INT32(57, 3),
  'count 0': INT32(57, 0),
  'last offset 0': INT32(23, 0),
  control: INT16(21, 0x20),
  transactional: INT16(21, 0x10),
  'compression 5': INT16(21, 5),
  'log append time': INT16(21, 8),
  'producer without sequence': (bytes) => {
    bytes.writeBigInt64BE(5n, 43);
    bytes.writeInt16BE(0, 51);
  },
  'too long': (bytes) => void bytes.writeInt32BE(bytes.length - 7, 8),
  'too short': INT32(8, 20),
  'negative length': INT32(8, -5),
  'record of a negative length': (bytes) => void bytes.writeInt8(0x7f, 61),
  'value longer than its record': (bytes) => void bytes.writeInt8(0x0e, 66),
  'headers fewer than none': (bytes) => void bytes.writeInt8(0x01, 68),
  'count 3 and last offset 2': (bytes) => {
    bytes.writeInt32BE(3, 57);
    bytes.writeInt32BE(2, 23);
  },
};

export const produce: Scenario = async (stage) => {
  const client = await stage.connect();
  const [orders, compacted, timed, small] = ['orders', 'compacted', 'timed', 'small'].map((word) =>
    stage.name(word),
  ) as [string, string, string, string];
  await stage.topic(orders, 2);
  await stage.topic(compacted, 1, { 'cleanup.policy': 'compact' });
  await stage.topic(timed, 1, { 'message.timestamp.type': 'LogAppendTime' });
  await stage.topic(small, 1, { 'max.message.bytes': '200' });

  const send = async (what: string, records: readonly (string | GivenRecord)[], given: Given = {}): Promise<void> => {
    const { topic = orders, partition = 0, acks = -1, version = 9, bytes, ...batch } = given;
    const sent = bytes ?? (await aBatch(records, { timestamp: AT, ...batch }));
    const topicData = [{ name: topic, partitionData: [{ index: partition, records: sent }] }];
    const answer = await client.send(Produce, version, { acks, timeoutMs: 5000, topicData });
    const [one] = answer.responses[0]?.partitionResponses ?? [];
    const appendTime = one?.logAppendTimeMs === -1 || one?.logAppendTimeMs === AT ? one.logAppendTimeMs : 'now';
    // What has not the frame of a batch is refused in words that differ with the field.
    const said = one?.errorCode === ERROR_CODES.CORRUPT_MESSAGE ? undefined : one?.errorMessage;
    const places = one?.recordErrors.map(({ batchIndex }) => batchIndex);
    stage.error(what, one?.errorCode, one?.baseOffset, appendTime, one?.logStartOffset, places, said);
  };

  await send('three', ['a', 'b', 'c']);
  await send('one more', ['d']);
  for (const compression of ['gzip', 'snappy', 'lz4', 'zstd'] satisfies CompressionName[]) {
    await send(compression, ['e', 'f'], { compression, version: 12 });
  }
  await send('unknown topic', ['a'], { topic: stage.name('missing') });
  await send('unknown partition', ['a'], { partition: 9 });
  await send('acks 5', ['a'], { acks: 5 });
  await send('zstd at 6', ['a'], { compression: 'zstd', version: 6 });
  const good = await aBatch(['q', 'r'], { timestamp: AT });
  await send('nothing', [], { bytes: Buffer.alloc(0) });
  await send('two batches', [], { bytes: Buffer.concat([good, good]) });
  await send('half a batch', [], { bytes: good.subarray(0, 40) });
  await send('something behind', [], { bytes: Buffer.concat([good, Buffer.from([1, 2, 3])]) });
  const damaged = Buffer.from(good);
  damaged[damaged.length - 1] = (damaged[damaged.length - 1] as number) ^ 1;
  await send('damaged', [], { bytes: damaged });
  for (const [what, change] of Object.entries(BROKEN)) {
    await send(what, [], { bytes: altered(good, change), partition: 1 });
  }
  const packed = await aBatch(['q', 'r'], { timestamp: AT, compression: 'gzip' });
  await send('not to be unpacked', [], {
    bytes: altered(packed, (bytes) => void bytes.writeInt8(0, 61)),
    partition: 1,
  });
  await send('packed, count 3', [], { bytes: altered(packed, BROKEN['count 3 and last offset 2'] ?? INT32(57, 3)), partition: 1 }); // prettier-ignore
  const topicData = [
    { name: orders, partitionData: [{ index: 1, records: good }] },
    { name: small, partitionData: [] },
    { name: orders, partitionData: [{ index: 1, records: await aBatch(['z'], { timestamp: AT }) }] },
  ];
  const { responses } = await client.send(Produce, 9, { acks: -1, timeoutMs: 5000, topicData });
  stage.answer('a partition twice', responses);
  await stage.topic(stage.name('guarded'), 1, { 'min.insync.replicas': '2' });
  await send('to all of one replica', ['a'], { topic: stage.name('guarded') });
  const now = Date.now();
  await send('two hours early', [{ value: 'x', timestamp: now + 7_200_000 }]);
  await send('half an hour early', [{ value: 'x', timestamp: now + 1_800_000 }]);
  await send('very late', [{ value: 'x', timestamp: 5 }]);
  await send('key to compacted', [{ key: 'k', value: 'v' }], { topic: compacted });
  await send('some keys to compacted', [{ key: 'k', value: 'v' }, { value: 'v' }, { value: 'w' }], {
    topic: compacted,
  });
  await send('to log append time', [{ value: 'x', timestamp: 5 }], { topic: timed });
  await send('small enough', ['x'.repeat(100)], { topic: small });
  await send('too large', ['x'.repeat(200)], { topic: small });
  await send('larger than any', ['x'.repeat(1_100_000)]);
};

export const idempotence: Scenario = async (stage) => {
  const client = await stage.connect();
  const topic = stage.name('idempotent');
  await stage.topic(topic, 2);
  const producerId = 1_000_000 + Math.floor(Math.random() * 1_000_000_000);
  const send = async (
    what: string,
    baseSequence: number,
    count = 1,
    producerEpoch = 0,
    partition = 0,
  ): Promise<void> => {
    const values = Array.from({ length: count }, (_, index) => String(baseSequence + index));
    const records = await aBatch(values, { producerId, producerEpoch, baseSequence, timestamp: AT });
    const topicData = [{ name: topic, partitionData: [{ index: partition, records }] }];
    const answer = await client.send(Produce, 9, { acks: -1, timeoutMs: 5000, topicData });
    const [one] = answer.responses[0]?.partitionResponses ?? [];
    stage.error(what, one?.errorCode, one?.baseOffset, one?.logAppendTimeMs, one?.logStartOffset, one?.errorMessage);
  };
  await send('begins anywhere', 5);
  await send('goes on', 6, 2);
  await send('leaves one out', 9);
  await send('again', 6, 2);
  await send('first again', 5);
  await send('another length', 6, 1);
  for (const sequence of [8, 9, 10, 11]) await send(`goes on ${sequence}`, sequence);
  await send('five ago', 6, 2);
  await send('six ago', 5);
  await send('new epoch, not at 0', 3, 1, 1);
  await send('new epoch', 0, 1, 1);
  await send('old epoch', 12);
  await send('old epoch again', 11);
  await send('epochs on', 0, 1, 7);
  await send('near the end', 2_147_483_646, 1, 0, 1);
  await send('round it', 2_147_483_647, 3, 0, 1);
  await send('after it', 2, 1, 0, 1);
  await send('round it again', 2_147_483_647, 3, 0, 1);
};
