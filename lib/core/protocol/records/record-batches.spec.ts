import { batchesIn, rewriteBaseOffset, verifyBatch } from './index.js';
import { FIELD } from './batch-header.js';
import { batchOf, place } from './spec-support/batches.js';

async function three(): Promise<Buffer[]> {
  return [
    await batchOf([{ value: 'a' }, { value: 'b' }]),
    rewriteBaseOffset(await batchOf([{ value: 'c' }]), 2, 0),
    rewriteBaseOffset(await batchOf([{ value: 'd' }, { value: 'e' }]), 3, 0),
  ];
}

describe('the batches in records', () => {
  it('come one after the other, as views', async () => {
    const parts = await three();
    const records = Buffer.concat(parts);
    const found = [...batchesIn(records)];
    expect(found.map(({ header }) => header.baseOffset)).toEqual([0, 2, 3]);
    expect(found.map(({ bytes }) => bytes)).toEqual(parts);
    for (const { bytes } of found) expect(bytes.buffer).toBe(records.buffer);
  });

  it('leave out one that is cut off at the end, wherever it is cut', async () => {
    const [first, second, third] = (await three()) as [Buffer, Buffer, Buffer];
    const records = Buffer.concat([first, second, third]);
    for (let cut = 0; cut <= records.length; cut++) {
      const whole = cut < first.length ? 0 : cut < first.length + second.length ? 1 : cut < records.length ? 2 : 3;
      expect([...batchesIn(records.subarray(0, cut), place)]).toHaveLength(whole);
    }
  });

  it('are none in no bytes', () => {
    expect([...batchesIn(Buffer.alloc(0))]).toEqual([]);
  });

  it('are malformed when a length cannot be, instead of going round for ever', async () => {
    for (const length of [-12, -13, -(2 ** 31), 0, 48]) {
      const records = Buffer.concat(await three());
      records.writeInt32BE(length, FIELD.batchLength);
      expect(() => [...batchesIn(records, place)]).toThrow(expect.objectContaining({ code: 'MALFORMED', ...place }));
    }
  });
});

describe('the checksum of a batch', () => {
  it('covers everything from the attributes on, and nothing before', async () => {
    const batch = rewriteBaseOffset(await batchOf([{ key: 'k', value: 'v' }]), 9, 4);
    verifyBatch(batch, place);
    for (let at = 0; at < batch.length; at++) {
      const broken = Buffer.from(batch);
      broken[at] = (broken[at] as number) ^ 1;
      const check = (): void => verifyBatch(broken, place);
      if (at < FIELD.magic) expect(check).not.toThrow();
      else if (at === FIELD.magic) expect(check).toThrow(expect.objectContaining({ code: 'MALFORMED' }));
      else expect(check).toThrow(expect.objectContaining({ code: 'CORRUPT_MESSAGE', retriable: true, ...place }));
    }
  });

  it('of a batch that is no batch is malformed', () => {
    expect(() => verifyBatch(Buffer.alloc(10))).toThrow(expect.objectContaining({ code: 'MALFORMED' }));
  });
});
