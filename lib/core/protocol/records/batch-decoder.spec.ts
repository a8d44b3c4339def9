import {
  codecOf,
  codecs,
  controlBatch,
  decodeBatch,
  DEFAULT_MAX_DECOMPRESSED_BYTES,
  readControlRecord,
  rewriteBaseOffset,
  type CompressionCodec,
} from './index.js';
import { BATCH_HEADER_BYTES, FIELD } from './batch-header.js';
import { batchOf, errorOf, onlyBatchIn, place, recordsIn } from './spec-support/batches.js';

/** A batch whose records are these bytes, said to be `count`. */
async function batchAround(records: number[] | Buffer, count: number, attributes = 0): Promise<Buffer> {
  const batch = Buffer.concat([(await batchOf([{}])).subarray(0, BATCH_HEADER_BYTES), Buffer.from(records)]);
  batch.writeInt32BE(batch.length - 12, FIELD.batchLength);
  batch.writeInt32BE(count, FIELD.recordCount);
  batch.writeInt32BE(Math.max(0, count - 1), FIELD.lastOffsetDelta);
  batch.writeInt16BE(attributes, FIELD.attributes);
  return batch;
}

const LZ4 = 3;

describe('decoding a batch', () => {
  it('answers at once when nothing is compressed, or little', async () => {
    expect(decodeBatch(onlyBatchIn(await batchOf([{ value: 'a' }])), place)).toBeInstanceOf(Array);
    expect(decodeBatch(onlyBatchIn(await batchOf([{ value: 'a' }], codecOf('lz4'))), place)).toBeInstanceOf(Array);
  });

  it('makes no copy of what is not compressed', async () => {
    const bytes = await batchOf([{ key: 'k', value: 'v' }]);
    const [record] = await recordsIn(bytes);
    expect(record?.value?.buffer).toBe(bytes.buffer);
  });

  it('counts offsets from where the batch was appended', async () => {
    const bytes = rewriteBaseOffset(await batchOf([{}, {}, {}]), 2 ** 40, 7);
    expect((await recordsIn(bytes)).map(({ offset, leaderEpoch }) => [offset, leaderEpoch])).toEqual([
      [2 ** 40, 7],
      [2 ** 40 + 1, 7],
      [2 ** 40 + 2, 7],
    ]);
  });

  it('of control finds no record for a user, and a batch of records no marker', async () => {
    const marker = onlyBatchIn(
      controlBatch('abort', { producerId: 4, producerEpoch: 1, coordinatorEpoch: 9, timestamp: 5 }),
    );
    expect(decodeBatch(marker, place)).toEqual([]);
    expect(readControlRecord(marker)).toMatchObject({ kind: 'abort', producerId: 4, coordinatorEpoch: 9 });
    const records = onlyBatchIn(await batchOf([{}]));
    expect(() => readControlRecord(records, place)).toThrow(expect.objectContaining({ code: 'MALFORMED', ...place }));
  });

  it('of a marker that compaction has emptied finds none', async () => {
    expect(readControlRecord(onlyBatchIn(await batchAround([], 0, 0b110000)))).toBeUndefined();
  });

  it('of control whose record has no type is malformed', async () => {
    const bytes = await batchAround([0x0e, 0, 0, 0, 0x02, 9, 1, 0], 1, 0b110000);
    expect(() => readControlRecord(onlyBatchIn(bytes), place)).toThrow(expect.objectContaining({ code: 'MALFORMED' }));
  });

  // length, attributes, timestamp delta, offset delta, key length, value length, headers
  it.each<[string, number[], number, RegExp?]>([
    ['more records than its bytes can hold', [0x0c, 0, 0, 0, 1, 1, 0], 2],
    ['a count of records that would fill memory', [0x0c, 0, 0, 0, 1, 1, 0], 0x7fff_ffff],
    ['bytes behind its last record', [0x0c, 0, 0, 0, 1, 1, 0, 0], 1],
    ['a record longer than what is left', [0x10, 0, 0, 0, 1, 1, 0], 1, /of 8 bytes does not fit/],
    ['a record of negative length', [0x0b, 0, 0, 0, 1, 1, 0], 1, /of -6 bytes does not fit/],
    ['a record shorter than any can be', [0x0a, 0, 0, 0, 1, 1, 0], 1, /of 5 bytes does not fit/],
    ['a record that ends before its length', [0x0e, 0, 0, 0, 1, 1, 0, 0], 1],
    ['a record that ends within the one before', [0x0e, 0, 0, 0, 1, 1, 0, 0x0c, 0, 0, 0x02, 1, 1, 0], 2],
    ['a key that reaches beyond its record', [0x0c, 0, 0, 0, 0x04, 1, 0], 1, /has 2 bytes of key or value/],
    ['a key of negative length that is not null', [0x0c, 0, 0, 0, 0x03, 1, 0], 1],
    ['a value that reaches beyond its record', [0x0c, 0, 0, 0, 1, 0x7e, 0], 1],
    ['a value of two gigabytes', [0x14, 0, 0, 0, 1, 0xfe, 0xff, 0xff, 0xff, 0x0f, 0], 1],
    ['a value whose length never ends', [0x18, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0], 1],
    ['a negative offset delta', [0x0c, 0, 0, 0x01, 1, 1, 0], 1],
    ['an offset delta beyond its span', [0x0c, 0, 0, 0x02, 1, 1, 0], 1],
    ['offset deltas that repeat', [0x0c, 0, 0, 0, 1, 1, 0, 0x0c, 0, 0, 0, 1, 1, 0], 2],
    ['a negative count of headers', [0x0c, 0, 0, 0, 1, 1, 0x01], 1],
    ['more headers than bytes', [0x0e, 0, 0, 0, 1, 1, 0x02, 0], 1],
    ['a count of headers that would fill memory', [0x14, 0, 0, 0, 1, 1, 0xfe, 0xff, 0xff, 0xff, 0x0f], 1],
    ['a header without a name', [0x10, 0, 0, 0, 1, 1, 0x02, 0x01, 0x01], 1],
    ['a header that reaches beyond its record', [0x10, 0, 0, 0, 1, 1, 0x02, 0x00, 0x06], 1],
    ['a record that is cut off within its timestamp', [0x0c, 0, 0xff, 0xff, 0xff, 0xff, 0xff], 1],
  ])('with %s is malformed, and the error names the place', async (_name, records, count, message = /./) => {
    const bytes = await batchAround(records, count);
    const error = await errorOf(() => recordsIn(bytes));
    expect(error).toMatchObject({ name: 'KrafkaProtocolError', code: 'MALFORMED', ...place });
    expect(error.message).toMatch(message);
    const compressed = await batchAround(await codecOf('lz4').compress(Buffer.from(records)), count, LZ4);
    await expect(recordsIn(compressed)).rejects.toMatchObject({ code: 'MALFORMED', ...place });
  });

  it.each<[string, number[], number, RegExp]>([
    ['records', [0x0c, 0, 0, 0, 1, 1, 0], 1 << 25, /33554432 records in 7 bytes/],
    ['headers', [0x14, 0, 0, 0, 1, 1, 0x80, 0x80, 0x80, 0x20, 0], 1, /33554432 headers in 1 bytes/],
  ])('with more %s than its bytes can hold is refused before there is room made for them', async (...given) => {
    const [, records, count, message] = given;
    expect((await errorOf(async () => recordsIn(await batchAround(records, count)))).message).toMatch(message);
  });

  it('whose timestamps leave the safe integers is malformed', async () => {
    const bytes = await batchOf([{ timestamp: 2 ** 53 - 1 }, { timestamp: 5 }]);
    bytes.writeBigInt64BE(-(2n ** 52n) - 2n ** 51n, FIELD.baseTimestamp);
    await expect(recordsIn(bytes)).rejects.toMatchObject({ code: 'MALFORMED', ...place });
  });

  it('takes the gaps that compaction leaves', async () => {
    const bytes = await batchAround([0x0c, 0, 0, 0x06, 1, 1, 0, 0x0c, 0, 0, 0x0e, 1, 1, 0], 2);
    bytes.writeInt32BE(9, FIELD.lastOffsetDelta);
    expect((await recordsIn(bytes)).map(({ offset }) => offset)).toEqual([3, 7]);
  });
});

describe('decoding a compressed batch', () => {
  it.each(['gzip', 'snappy', 'lz4', 'zstd'] as const)('beyond the limit is refused by name (%s)', async (name) => {
    const bytes = await batchOf([{ value: 'x'.repeat(100_000) }], codecOf(name));
    const error = await errorOf(() => recordsIn(bytes, { maxDecompressedBytes: 50_000 }));
    expect(error).toMatchObject({ code: 'DECOMPRESSION_LIMIT', retriable: false, ...place });
    expect(error.message).toContain('maxDecompressedBytes');
    expect(await recordsIn(bytes, { maxDecompressedBytes: 101_000 })).toHaveLength(1);
  });

  it('has a limit by default', () => {
    expect(DEFAULT_MAX_DECOMPRESSED_BYTES).toBe(104_857_600);
  });

  it.each([5, 6, 7])('of the unknown kind %d is refused by name', async (id) => {
    await expect(recordsIn(await batchAround([1, 2, 3], 1, id))).rejects.toMatchObject({
      code: 'UNSUPPORTED_COMPRESSION_TYPE',
      ...place,
    });
  });

  it.each([1, 2, 3, 4])('whose bytes are no such thing is malformed (kind %d)', async (id) => {
    const bytes = await batchAround(Buffer.from('this is neither compressed nor meant to be'), 1, id);
    await expect(recordsIn(bytes)).rejects.toMatchObject({ code: 'MALFORMED', ...place });
  });

  it('goes through the codec of yours, at once or in its own time', async () => {
    const flip = (bytes: Buffer): Buffer => Buffer.from(bytes.map((byte) => byte ^ 0xff));
    const atOnce: CompressionCodec = { name: 'zstd', id: 4, compress: flip, decompress: flip };
    const later: CompressionCodec = {
      ...atOnce,
      compress: async (bytes) => flip(bytes),
      decompress: async (bytes) => flip(bytes),
    };
    for (const codec of [atOnce, later]) {
      const bytes = await batchOf([{ value: 'mine' }], codec);
      const [record] = await recordsIn(bytes, { codecs: codecs.with([codec]) });
      expect(record?.valueText).toBe('mine');
    }
  });

  it.each<[string, (bytes: Uint8Array) => unknown]>([
    ['at once', (bytes) => bytes],
    ['later', async (bytes) => bytes],
  ])('takes bytes that are no Buffer from a codec of yours, %s', async (_when, answer) => {
    const plain = ((bytes: Buffer) => answer(new Uint8Array(bytes))) as CompressionCodec['compress'];
    const codec: CompressionCodec = { name: 'zstd', id: 4, compress: plain, decompress: plain };
    const bytes = await batchOf([{ key: 'k', value: 'mine', headers: { h: 'x' } }], codec);
    const [record] = await recordsIn(bytes, { codecs: codecs.with([codec]) });
    expect([record?.key?.toString(), record?.valueText, String(record?.headers['h'])]).toEqual(['k', 'mine', 'x']);
  });

  it.each<[string, () => unknown, RegExp]>([
    ['text', () => 'text', /answered with a string/],
    ['text, later', async () => 'text', /answered with a string/],
    ['nothing', () => undefined, /answered with nothing/],
    ['nothing, later', async () => undefined, /answered with nothing/],
  ])('names the place when a codec of yours answers with %s', async (_what, decompress, message) => {
    const codec = {
      name: 'zstd',
      id: 4,
      compress: (bytes: Buffer) => bytes,
      decompress,
    } as unknown as CompressionCodec;
    const bytes = await batchOf([{ value: 'mine' }], codec);
    const error = await errorOf(() => recordsIn(bytes, { codecs: codecs.with([codec]) }));
    expect(error).toMatchObject({ code: 'MALFORMED', ...place, message: expect.stringMatching(message) });
  });

  it.each([
    [
      'at once',
      () => {
        throw new Error('the dictionary is missing');
      },
    ],
    ['later', () => Promise.reject(new Error('the dictionary is missing'))],
  ])('names the place and the cause when a codec of yours fails %s', async (_name, decompress) => {
    const broken: CompressionCodec = { name: 'zstd', id: 4, compress: (bytes) => bytes, decompress };
    const bytes = await batchOf([{ value: 'mine' }], broken);
    const error = await errorOf(() => recordsIn(bytes, { codecs: codecs.with([broken]) }));
    expect(error).toMatchObject({ code: 'MALFORMED', ...place, cause: { message: 'the dictionary is missing' } });
  });
});
