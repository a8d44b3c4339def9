import * as fc from 'fast-check';
import {
  BATCH_HEADER_BYTES,
  codecOf,
  NO_STAMP,
  readBatchHeader,
  RecordBatchBuilder,
  verifyBatch,
  type CompressionCodec,
  type HeaderValue,
} from './index.js';
import { batchOf, builderOf, errorOf, recordsIn, type TestRecord } from './spec-support/batches.js';

const stamp = { producerId: 9, producerEpoch: 2, baseSequence: 40, transactional: false };
const twenty: TestRecord[] = Array.from({ length: 20 }, (_, index) => ({
  timestamp: 50_000 - index * 700,
  key: `key-${index}`,
  value: 'v'.repeat(index * 10),
  headers: index % 3 === 0 ? { n: String(index) } : undefined,
}));

async function contents(bytes: Buffer): Promise<unknown[]> {
  return (await recordsIn(bytes)).map(({ offset, timestamp, keyText, valueText }) => [
    offset,
    timestamp,
    keyText,
    valueText,
  ]);
}

describe('a record batch being filled', () => {
  it('has room for its header from the beginning', () => {
    expect(new RecordBatchBuilder({ maxBytes: 100 })).toMatchObject({
      recordCount: 0,
      sizeInBytes: BATCH_HEADER_BYTES,
      maxTimestamp: -1,
    });
  });

  it('refuses the record that would push it beyond maxBytes, and is as it was before', () => {
    const builder = new RecordBatchBuilder({ maxBytes: 200 });
    while (builder.append(1_000, 'k', 'v'.repeat(30)));
    const { recordCount, sizeInBytes, maxTimestamp } = builder;
    expect(sizeInBytes).toBeLessThanOrEqual(200);
    expect(sizeInBytes + builder.sizeOf(1_000, 'k', 'v'.repeat(30))).toBeGreaterThan(200);
    expect(builder.append(9_000, 'k', 'v'.repeat(30))).toBe(false);
    expect(builder).toMatchObject({ recordCount, sizeInBytes, maxTimestamp });
    expect(builder.append(1_000, null, null)).toBe(sizeInBytes + 7 <= 200);
  });

  it('takes a record that fills it to the last byte, and not one byte more', () => {
    const exact = BATCH_HEADER_BYTES + 2 * RecordBatchBuilder.sizeOf(0, 0, 'key', 'value');
    for (const [maxBytes, fits] of [
      [exact, true],
      [exact - 1, false],
    ] as const) {
      const builder = new RecordBatchBuilder({ maxBytes });
      builder.append(0, 'key', 'value');
      expect(builder.append(0, 'key', 'value')).toBe(fits);
    }
  });

  it('takes a first record of any size', async () => {
    const builder = new RecordBatchBuilder({ maxBytes: 100 });
    expect(builder.append(1_000, null, Buffer.alloc(5_000, 1))).toBe(true);
    expect(builder.append(1_000, null, null)).toBe(false);
    const [record] = await recordsIn(Buffer.concat(builder.seal(NO_STAMP)));
    expect(record?.value?.length).toBe(5_000);
  });

  it.each([
    ['a number', 12],
    ['undefined', undefined],
    ['an array of numbers', [1, 2]],
    ['an object with a length', { length: 3 }],
  ])('refuses %s as key, value or header, and is as it was before', (_name, wrong) => {
    const builder = builderOf([{ key: 'k', value: 'v' }]);
    const before = builder.sizeInBytes;
    const serialization = expect.objectContaining({ code: 'SERIALIZATION' });
    expect(() => builder.append(1, wrong as string, null)).toThrow(serialization);
    expect(() => builder.append(1, null, wrong as string)).toThrow(serialization);
    expect(() => builder.append(1, null, null, { ok: 'x', trace: wrong as string })).toThrow(serialization);
    expect(builder).toMatchObject({ recordCount: 1, sizeInBytes: before });
  });

  it.each([NaN, Infinity, 1.5, -2, 2 ** 53, '5' as unknown as number])('refuses the timestamp %p', (timestamp) => {
    const builder = builderOf([{}]);
    builder.sizeOf(timestamp, null, null); // of no meaning, but it must end
    expect(() => builder.append(timestamp, null, null)).toThrow(expect.objectContaining({ code: 'SERIALIZATION' }));
    expect(builder.recordCount).toBe(1);
  });

  it('takes no record once it is closed', () => {
    const builder = builderOf([{}]);
    builder.close();
    expect(() => builder.append(1, null, null)).toThrow(expect.objectContaining({ code: 'CLOSED' }));
  });

  it('ignores what a header object inherits', async () => {
    const headers = Object.assign(Object.create({ inherited: 'x' }) as Record<string, HeaderValue>, { own: 'y' });
    const [record] = await recordsIn(await batchOf([{ headers }]));
    expect(Object.keys(record?.headers ?? {})).toEqual(['own']);
  });
});

describe('the size of a record', () => {
  const content = fc.option(
    fc.oneof(
      fc.string({ unit: 'binary', maxLength: 80 }),
      fc.constant('x'.repeat(9_000)),
      fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    ),
  );
  const headers = fc.option(
    fc.dictionary(
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.oneof(content, fc.array(content, { maxLength: 3 })),
      {
        maxKeys: 5,
      },
    ),
    { nil: undefined },
  );
  const timestamp = fc.oneof(fc.nat(100_000), fc.integer({ min: -1, max: Number.MAX_SAFE_INTEGER }));

  it('is foretold to the byte, and never more than its bound', () => {
    const records = fc.array(fc.tuple(timestamp, content, content, headers), { minLength: 1, maxLength: 90 });
    fc.assert(
      fc.property(records, (all) => {
        const builder = new RecordBatchBuilder({ maxBytes: Number.MAX_SAFE_INTEGER, initialBytes: 61 });
        for (const record of all) {
          const foretold = builder.sizeOf(...record);
          const bound = RecordBatchBuilder.upperBoundOf(record[1], record[2], record[3]);
          const before = builder.sizeInBytes;
          expect(builder.append(...record)).toBe(true);
          expect(builder.sizeInBytes - before).toBe(foretold);
          expect(foretold).toBeLessThanOrEqual(bound);
        }
      }),
    );
  });
});

describe('a buffer handed to a record batch', () => {
  it('is what the batch is sealed in while it is large enough', () => {
    const buffer = Buffer.alloc(4_096);
    const builder = new RecordBatchBuilder({ maxBytes: 4_096, buffer });
    builder.append(1, 'k', 'v');
    const [sealed] = builder.seal(NO_STAMP);
    expect(sealed?.buffer).toBe(buffer.buffer);
    expect(builder).toMatchObject({ holdsBuffer: true, outgrown: false });
  });

  it('is let go when the batch outgrows it, and is not written to again', () => {
    const buffer = Buffer.alloc(100);
    const builder = new RecordBatchBuilder({ maxBytes: 4_096, buffer });
    builder.append(1, 'k', 'v');
    expect(builder.outgrown).toBe(false);
    const before = Buffer.from(buffer);
    builder.append(1, 'k', 'v'.repeat(100));
    expect(builder).toMatchObject({ holdsBuffer: false, outgrown: true });
    builder.append(1, 'k', 'v');
    builder.seal(stamp);
    expect(buffer).toEqual(before);
  });

  it('is let go when the batch is compressed', async () => {
    const buffer = Buffer.alloc(4_096);
    const builder = new RecordBatchBuilder({ maxBytes: 4_096, buffer });
    builder.append(1, 'k', 'v'.repeat(100));
    await builder.compress(codecOf('lz4'));
    expect(builder).toMatchObject({ holdsBuffer: false, outgrown: false });
    buffer.fill(0);
    expect(await contents(Buffer.concat(builder.seal(NO_STAMP)))).toEqual([[0, 1, 'k', 'v'.repeat(100)]]);
  });

  it('may come later: the batch moves to it and answers the one it leaves', async () => {
    const first = Buffer.alloc(100);
    const builder = new RecordBatchBuilder({ maxBytes: 4_096, buffer: first });
    builder.append(1, 'k', 'v');
    const second = Buffer.alloc(1_000);
    expect(builder.moveTo(second)).toBe(first);
    first.fill(0);
    builder.append(2, 'k', 'w'.repeat(100));
    expect(builder).toMatchObject({ holdsBuffer: true, outgrown: false });
    expect(await contents(Buffer.concat(builder.seal(NO_STAMP)))).toEqual([
      [0, 1, 'k', 'v'],
      [1, 2, 'k', 'w'.repeat(100)],
    ]);
    expect(() => builder.moveTo(Buffer.alloc(1_000))).toThrow(/sealed/);
  });

  it('that is too small to move to is refused', () => {
    expect(() => builderOf(twenty).moveTo(Buffer.alloc(100))).toThrow(RangeError);
  });
});

describe('a record batch being sealed', () => {
  it('carries its stamp, its counts and a checksum', () => {
    const builder = builderOf(twenty);
    const bytes = Buffer.concat(builder.seal({ ...stamp, transactional: true }));
    verifyBatch(bytes);
    expect(readBatchHeader(bytes)).toMatchObject({
      ...{ baseOffset: 0, lastOffsetDelta: 19, recordCount: 20, partitionLeaderEpoch: -1, magic: 2 },
      ...{ producerId: 9, producerEpoch: 2, baseSequence: 40, lastSequence: 59, isTransactional: true },
      ...{ baseTimestamp: 50_000, maxTimestamp: 50_000, compression: 'none', isControl: false },
      ...{ timestampType: 'CreateTime', deleteHorizonMs: undefined, sizeInBytes: bytes.length, nextOffset: 20 },
    });
    expect(bytes.length).toBe(builder.sizeInBytes);
  });

  it('is sealed once', () => {
    const builder = builderOf(twenty);
    builder.seal(stamp);
    const invalid = expect.objectContaining({ code: 'INVALID_STATE' });
    expect(() => builder.seal(stamp)).toThrow(invalid);
    expect(() => builder.compress(codecOf('lz4'))).toThrow(invalid);
  });

  it('is not sealed when it is empty', () => {
    expect(() => builderOf([]).seal(stamp)).toThrow(expect.objectContaining({ code: 'INVALID_STATE' }));
  });

  it.each(['none', 'lz4'] as const)(
    'takes another stamp without touching the bytes already sent (%s)',
    async (name) => {
      const builder = builderOf(twenty);
      await builder.compress(codecOf(name));
      const sent = builder.seal(stamp);
      const before = Buffer.concat(sent);
      const again = Buffer.concat(
        builder.restamp({ producerId: 9, producerEpoch: 3, baseSequence: 0, transactional: true }),
      );
      expect(Buffer.concat(sent)).toEqual(before);
      verifyBatch(again);
      expect(readBatchHeader(again)).toMatchObject({ producerEpoch: 3, baseSequence: 0, isTransactional: true });
      expect(await contents(again)).toEqual(await contents(before));
    },
  );
});

describe('a record batch being compressed', () => {
  it.each(['gzip', 'snappy', 'lz4', 'zstd'] as const)('tells its size before and after (%s)', async (name) => {
    const builder = builderOf(Array.from({ length: 50 }, () => ({ value: 'the same again and again ' })));
    const uncompressed = builder.sizeInBytes;
    await builder.compress(codecOf(name));
    const bytes = Buffer.concat(builder.seal(stamp));
    expect(builder.uncompressedSizeInBytes).toBe(uncompressed);
    expect(builder.sizeInBytes).toBe(bytes.length);
    expect(bytes.length).toBeLessThan(uncompressed);
    expect(readBatchHeader(bytes).compression).toBe(name);
    verifyBatch(bytes);
  });

  it('cannot be sealed or moved before a codec that takes its time has answered', async () => {
    const builder = builderOf(twenty);
    let answer = (_bytes: Buffer): void => undefined;
    const compressed = new Promise<Buffer>((resolve) => (answer = resolve));
    const slow: CompressionCodec = { ...codecOf('lz4'), compress: () => compressed };
    const compressing = builder.compress(slow);
    expect(() => builder.seal(stamp)).toThrow(/compressing/);
    expect(() => builder.moveTo(Buffer.alloc(10_000))).toThrow(/compressing/);
    expect(() => builder.split()).toThrow(/compressing/);
    answer(Buffer.from('whatever'));
    await compressing;
    expect(builder.seal(stamp)[1]?.toString()).toBe('whatever');
  });

  it('is made of Buffers, which a request can take, where a codec answers with other bytes', () => {
    const builder = builderOf(twenty);
    void builder.compress({ ...codecOf('lz4'), compress: () => new Uint8Array([1, 2]) as Buffer });
    expect(builder.seal(stamp).map((piece) => Buffer.isBuffer(piece))).toEqual([true, true]);
  });

  it.each([
    [
      'at once',
      () => {
        throw new Error('no codec today');
      },
    ],
    ['later', () => Promise.reject(new Error('no codec today'))],
    ['by an answer that is no Buffer', () => 'text' as unknown as Buffer],
    ['by an answer that is no Buffer, later', () => Promise.resolve('text' as unknown as Buffer)],
    ['by no answer', () => undefined as unknown as Buffer],
  ])('stays as it was when its codec fails %s', async (_name, compress) => {
    const builder = builderOf(twenty);
    const failing: CompressionCodec = { ...codecOf('lz4'), compress };
    const error = await errorOf(() => builder.compress(failing));
    expect(error).toMatchObject({ code: 'COMPRESSION', message: expect.stringContaining("'lz4'") as string });
    expect(error.cause).toBeInstanceOf(Error);
    await builder.compress(codecOf('gzip'));
    expect(await contents(Buffer.concat(builder.seal(stamp)))).toHaveLength(20);
  });
});

describe('a record batch being split', () => {
  it.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const)(
    'becomes two of about the same size with its records in order (%s)',
    async (name) => {
      const builder = builderOf(twenty);
      await builder.compress(codecOf(name));
      const whole = Buffer.concat(builder.seal(stamp));
      const [first, second] = await builder.split();
      expect(first.recordCount + second.recordCount).toBe(20);
      expect(Math.abs(first.sizeInBytes - second.sizeInBytes)).toBeLessThan(400);
      const [before, one, two] = await Promise.all(
        [whole, Buffer.concat(first.seal(stamp)), Buffer.concat(second.seal(stamp))].map(contents),
      );
      const strip = (records: unknown[] = []): unknown[] => records.map((record) => (record as unknown[]).slice(1));
      expect([...strip(one), ...strip(two)]).toEqual(strip(before));
    },
  );

  it('keeps headers, nulls and timestamps, and makes new deltas', async () => {
    const records: TestRecord[] = [
      { timestamp: 2 ** 41, key: 'a', value: null, headers: { h: ['1', null, '3'] } },
      { timestamp: 0, key: null, value: 'b' },
      { timestamp: 2 ** 53 - 1, key: '', value: '', headers: { '': Buffer.from([0xff]) } },
    ];
    const [first, second] = await builderOf(records).split();
    expect([first.recordCount, second.recordCount]).toEqual([1, 2]);
    expect(Buffer.concat(first.seal(stamp))).toEqual(await batchOf(records.slice(0, 1), undefined, stamp));
    expect(Buffer.concat(second.seal(stamp))).toEqual(await batchOf(records.slice(1), undefined, stamp));
  });

  it.each([
    ['first', [5_000, 1, 1]],
    ['last', [1, 1, 5_000]],
  ])('cuts behind or before a %s record that is larger than all others', async (_name, sizes) => {
    const builder = new RecordBatchBuilder({ maxBytes: 10_000 });
    for (const size of sizes) builder.append(1, null, Buffer.alloc(size));
    const [first, second] = await builder.split();
    expect(Math.min(first.recordCount, second.recordCount)).toBeGreaterThan(0);
    expect(first.recordCount + second.recordCount).toBe(3);
    expect([first.sizeInBytes > 5_000, second.sizeInBytes > 5_000].filter(Boolean)).toHaveLength(1);
  });

  it('down to single records loses none, and one record cannot be split', async () => {
    let parts = [builderOf(twenty)];
    while (parts.some(({ recordCount }) => recordCount > 1)) {
      const next = await Promise.all(parts.map(async (part) => (part.recordCount > 1 ? part.split() : [part])));
      parts = next.flat();
    }
    expect(parts).toHaveLength(20);
    const values = await Promise.all(parts.map(async (part) => (await recordsIn(Buffer.concat(part.seal(stamp))))[0]));
    expect(values.map((record) => record?.valueText)).toEqual(twenty.map(({ value }) => value));
    expect(() => parts[0]?.split()).toThrow(expect.objectContaining({ code: 'INVALID_STATE' }));
  });
});
