import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  BATCH_HEADER_BYTES,
  batchesIn,
  codecOf,
  controlBatch,
  decodeBatch,
  readBatchHeader,
  readControlRecord,
  RecordBatchBuilder,
  rewriteBaseOffset,
  verifyBatch,
  type CompressionName,
  type ConsumerRecord,
  type HeaderValue,
  type RecordBatch,
} from './index.js';

interface JavaRecord {
  readonly offset: number;
  readonly timestamp: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: readonly [name: string, value: string | null][];
}

interface JavaBatch {
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly partitionLeaderEpoch: number;
  readonly compression: CompressionName;
  readonly timestampType: string;
  readonly baseTimestamp: number;
  readonly maxTimestamp: number;
  readonly deleteHorizonMs: number | null;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly lastSequence: number;
  readonly isTransactional: boolean;
  readonly isControl: boolean;
  readonly recordCount: number;
  readonly crc: number;
  readonly records: readonly JavaRecord[];
}

interface JavaVector {
  readonly name: string;
  readonly batch: JavaBatch;
  readonly bytes: string;
  /** How many records of {@link severalBlocks} it has, when they are not spelt out. */
  readonly generated?: number;
  readonly sha256?: string;
  /** Of a legacy batch. */
  readonly magic?: number;
}

const path = new URL('../../../../test/vectors/records/java-batches.json', import.meta.url);
const vectors = JSON.parse(readFileSync(path, 'utf8')) as readonly JavaVector[];
const place = { topic: 'orders', partition: 3 };

const spelt = vectors.filter(({ batch, generated }) => batch !== undefined && generated === undefined);
const generated = vectors.filter((vector) => vector.generated !== undefined);

function named(name: string): JavaVector {
  const vector = vectors.find((one) => one.name === name);
  if (vector === undefined) throw new Error(`no vector '${name}'`);
  return vector;
}

function onlyBatchIn(bytes: Buffer): RecordBatch {
  const [batch, ...more] = batchesIn(bytes, place);
  if (batch === undefined || more.length > 0) throw new Error('not exactly one batch');
  return batch;
}

const base64 = (bytes: Buffer | null): string | null => bytes?.toString('base64') ?? null;
const unbase64 = (text: string | null): Buffer | null => (text === null ? null : Buffer.from(text, 'base64'));

function asJava(record: ConsumerRecord): JavaRecord {
  const headers = Object.entries(record.headers).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((one: Buffer | null): [string, string | null] => [name, base64(one)]),
  );
  const { offset, timestamp, key, value } = record;
  return { offset, timestamp, key: base64(key), value: base64(value), headers };
}

/** Headers of one name come together here; the Java client leaves them where they were. */
function grouped({ headers, ...rest }: JavaRecord): JavaRecord {
  const names = [...new Set(headers.map(([name]) => name))];
  return { ...rest, headers: names.flatMap((name) => headers.filter((header) => header[0] === name)) };
}

function severalBlocks(count: number): JavaRecord[] {
  return Array.from({ length: count }, (_, i) => ({
    offset: i,
    timestamp: 1_750_000_000_000 + i,
    key: Buffer.from(`key-${i}`).toString('base64'),
    value: Buffer.from(`value ${i % 97} `.repeat(60 + (i % 120))).toString('base64'),
    headers: [],
  }));
}

function builderOf(records: readonly JavaRecord[], text: boolean): RecordBatchBuilder {
  const content = (encoded: string | null): string | Buffer | null => {
    const bytes = unbase64(encoded);
    return text && bytes !== null && Buffer.from(bytes.toString()).equals(bytes) ? bytes.toString() : bytes;
  };
  const builder = new RecordBatchBuilder({ maxBytes: 1_000_000 });
  for (const { timestamp, key, value, headers } of records) {
    const own: Record<string, HeaderValue[]> = {};
    for (const [name, one] of headers) (own[name] ??= []).push(content(one));
    builder.append(timestamp, content(key), content(value), own);
  }
  return builder;
}

describe('record batches that the Java client wrote', () => {
  it.each(spelt.map(({ name }) => name))('are read to the same header: %s', (name) => {
    const { batch, bytes } = named(name);
    const { header } = onlyBatchIn(Buffer.from(bytes, 'base64'));
    const { records: _records, deleteHorizonMs, ...fields } = batch;
    expect(header).toMatchObject(fields);
    expect(header.deleteHorizonMs ?? null).toBe(deleteHorizonMs);
  });

  it.each(spelt.map(({ name }) => name))(
    'pass the check of their checksum, and fail it with one bit turned: %s',
    (name) => {
      const bytes = Buffer.from(named(name).bytes, 'base64');
      verifyBatch(bytes, place);
      for (let at = 21; at < bytes.length; at += 37) {
        const broken = Buffer.from(bytes);
        broken.writeUInt8(broken.readUInt8(at) ^ 0x10, at);
        expect(() => verifyBatch(broken, place)).toThrow(
          expect.objectContaining({ code: expect.stringMatching(/CORRUPT_MESSAGE|MALFORMED/), partition: 3 }),
        );
      }
    },
  );

  it.each(spelt.filter(({ batch }) => !batch.isControl).map(({ name }) => name))(
    'are read to the same records: %s',
    async (name) => {
      const { batch, bytes } = named(name);
      const records = await decodeBatch(onlyBatchIn(Buffer.from(bytes, 'base64')), place);
      expect(records.map(asJava)).toEqual(batch.records.map(grouped));
      for (const record of records) {
        expect(record).toMatchObject({ ...place, leaderEpoch: batch.partitionLeaderEpoch });
        expect(record.timestampType).toBe(batch.timestampType);
      }
    },
  );

  it.each(generated.filter(({ bytes }) => bytes !== undefined).map(({ name }) => name))(
    'are read to the same records: %s',
    async (name) => {
      const { generated: count = 0, bytes } = named(name);
      const records = await decodeBatch(onlyBatchIn(Buffer.from(bytes, 'base64')), place);
      expect(records.map(asJava)).toEqual(severalBlocks(count));
    },
  );

  it('of a transaction marker tell how the transaction ended', () => {
    const read = (name: string): unknown => readControlRecord(onlyBatchIn(Buffer.from(named(name).bytes, 'base64')));
    const marker = { producerId: 7000, producerEpoch: 3, coordinatorEpoch: 15 };
    expect(read('end of a transaction: commit')).toEqual({ kind: 'commit', type: 1, ...marker });
    expect(read('end of a transaction: abort')).toEqual({ kind: 'abort', type: 0, ...marker });
    expect(read('a control record that is no marker')).toMatchObject({ kind: 'other', type: 2 });
  });

  it('of control hand no record to a user', () => {
    for (const { bytes, batch } of spelt) {
      if (batch.isControl) expect(decodeBatch(onlyBatchIn(Buffer.from(bytes, 'base64')), place)).toEqual([]);
    }
  });

  it('of message format 0 and 1 are refused by name', () => {
    for (const { bytes, magic } of vectors.filter((vector) => vector.magic !== undefined)) {
      expect(() => [...batchesIn(Buffer.from(bytes, 'base64'), place)]).toThrow(
        expect.objectContaining({
          code: 'UNSUPPORTED_FOR_MESSAGE_FORMAT',
          topic: 'orders',
          partition: 3,
          message: expect.stringContaining(`format ${magic}`),
        }),
      );
    }
  });
});

describe('record batches written here', () => {
  const uncompressed = spelt.filter(
    ({ batch }) =>
      batch.compression === 'none' &&
      batch.partitionLeaderEpoch === -1 &&
      batch.records.every((record) => JSON.stringify(grouped(record)) === JSON.stringify(record)),
  );

  it.each(uncompressed.map(({ name }) => name))('are the bytes that the Java client writes: %s', (name) => {
    const { batch, bytes } = named(name);
    const stamp = { ...batch, transactional: batch.isTransactional };
    for (const text of [false, true]) {
      expect(Buffer.concat(builderOf(batch.records, text).seal(stamp)).toString('base64')).toBe(bytes);
    }
  });

  it('are the bytes that the Java client writes: several blocks, none', () => {
    const { batch, generated: count = 0, sha256 } = named('several blocks, none');
    const [bytes = Buffer.alloc(0)] = builderOf(severalBlocks(count), true).seal({ ...batch, transactional: false });
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(sha256);
  });

  it.each(['lz4', 'gzip', 'snappy', 'zstd'] as const)(
    'decompress to the records that the Java client wrote: %s',
    async (codec) => {
      const ours = builderOf(named(`every kind of content, ${codec}`).batch.records, true);
      await ours.compress(codecOf(codec));
      const [, records = Buffer.alloc(0)] = ours.seal({
        ...named('every kind of content, none').batch,
        transactional: false,
      });
      const plain = Buffer.from(named('every kind of content, none').bytes, 'base64').subarray(BATCH_HEADER_BYTES);
      expect(await codecOf(codec).decompress(records, plain.length)).toEqual(plain);
    },
  );

  it('that end a transaction are the bytes that the Java broker writes', () => {
    for (const kind of ['commit', 'abort'] as const) {
      const { bytes, batch } = named(`end of a transaction: ${kind}`);
      const ours = controlBatch(kind, {
        producerId: batch.producerId,
        producerEpoch: batch.producerEpoch,
        coordinatorEpoch: 15,
        timestamp: batch.maxTimestamp,
        baseOffset: batch.baseOffset,
        partitionLeaderEpoch: batch.partitionLeaderEpoch,
      });
      expect(ours.toString('base64')).toBe(bytes);
    }
  });

  it("take the broker's timestamp, and a new checksum, when they are appended with log append time", async () => {
    const { batch } = named('log append time, none');
    const sent = named('every kind of content, none');
    const bytes = Buffer.from(sent.bytes, 'base64');
    const before = Buffer.from(bytes);
    const appended = rewriteBaseOffset(bytes, batch.baseOffset, batch.partitionLeaderEpoch, batch.maxTimestamp);
    expect(bytes).toEqual(before);
    verifyBatch(appended);
    const records = await decodeBatch(onlyBatchIn(appended), place);
    expect(records.map(asJava)).toEqual(batch.records.map(grouped));
    expect(records[0]).toMatchObject({ timestampType: 'LogAppendTime', leaderEpoch: 17 });
  });

  it("keep their checksum when they are appended with the producer's timestamps", () => {
    const bytes = Buffer.from(named('every kind of content, lz4').bytes, 'base64');
    const appended = rewriteBaseOffset(bytes, 2 ** 40, 5);
    verifyBatch(appended);
    expect(readBatchHeader(appended)).toMatchObject({ baseOffset: 2 ** 40, partitionLeaderEpoch: 5 });
    expect(appended.subarray(16)).toEqual(bytes.subarray(16));
  });
});
