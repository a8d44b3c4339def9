import { BATCH_HEADER_BYTES, NO_STAMP, readBatchHeader } from './index.js';
import { FIELD, writeInt64 } from './batch-header.js';
import { batchOf, place } from './spec-support/batches.js';

const changed = async (change: (batch: Buffer) => unknown): Promise<Buffer> => {
  const batch = await batchOf([{ value: 'v' }], undefined, NO_STAMP);
  change(batch);
  return batch;
};

describe('a batch header', () => {
  it('is read wherever it lies', async () => {
    const batch = await batchOf([{ timestamp: 77 }]);
    expect(readBatchHeader(Buffer.concat([Buffer.alloc(13), batch]), 13)).toEqual(readBatchHeader(batch));
  });

  it.each([
    ['a length that is less than itself', (b: Buffer) => b.writeInt32BE(48, FIELD.batchLength)],
    ['a negative length', (b: Buffer) => b.writeInt32BE(-1, FIELD.batchLength)],
    ['a negative span of offsets', (b: Buffer) => b.writeInt32BE(-1, FIELD.lastOffsetDelta)],
    ['a negative count of records', (b: Buffer) => b.writeInt32BE(-1, FIELD.recordCount)],
    ['an offset that is no safe integer', (b: Buffer) => b.writeBigInt64BE(2n ** 53n, FIELD.baseOffset)],
    ['a next offset that is no safe integer', (b: Buffer) => b.writeBigInt64BE(2n ** 53n - 1n, FIELD.baseOffset)],
    ['a timestamp that is no safe integer', (b: Buffer) => b.writeBigInt64BE(-(2n ** 60n), FIELD.baseTimestamp)],
    ['a producer id that is no safe integer', (b: Buffer) => b.writeBigInt64BE(2n ** 62n, FIELD.producerId)],
    ['a message format that does not exist', (b: Buffer) => b.writeInt8(3, FIELD.magic)],
  ])('with %s is malformed, and the error names the place', async (_name, change) => {
    const batch = await changed(change);
    expect(() => readBatchHeader(batch, 0, place)).toThrow(expect.objectContaining({ code: 'MALFORMED', ...place }));
  });

  it('that is cut off is malformed', async () => {
    const batch = await batchOf([{}]);
    for (let length = 0; length < BATCH_HEADER_BYTES; length++) {
      expect(() => readBatchHeader(batch.subarray(0, length))).toThrow(expect.objectContaining({ code: 'MALFORMED' }));
    }
  });

  it('with a compression that Kafka does not know says so when it is asked', async () => {
    const batch = await changed((b) => b.writeInt16BE(5, FIELD.attributes));
    expect(() => readBatchHeader(batch).compression).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED_COMPRESSION_TYPE' }),
    );
  });

  it('counts sequences around the end of 31 bits', async () => {
    const stamp = { producerId: 1, producerEpoch: 0, baseSequence: 2 ** 31 - 1, transactional: false };
    expect(readBatchHeader(await batchOf([{}, {}, {}], undefined, stamp)).lastSequence).toBe(1);
    expect(readBatchHeader(await batchOf([{}, {}])).lastSequence).toBe(-1);
  });

  it.each([0, 1, -1, 2 ** 31, 2 ** 32, 2 ** 53 - 1, -(2 ** 53) + 1])('keeps the 64-bit number %d', (value) => {
    const buffer = Buffer.alloc(8);
    writeInt64(buffer, 0, value);
    expect(buffer.readBigInt64BE()).toBe(BigInt(value));
  });
});
