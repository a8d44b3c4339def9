import { gzipSync } from 'node:zlib';
import { errorOf } from '../spec-support/batches.js';
import { gzipCodec } from './gzip.js';

const expand = async (bytes: Buffer, maxBytes = 1 << 20): Promise<Buffer> => gzipCodec.decompress(bytes, maxBytes);

describe('gzip', () => {
  it.each([100, 300_000])('of %d bytes is refused above the limit, and read up to it', async (size) => {
    const bytes = gzipSync(Buffer.alloc(size));
    expect((await expand(bytes, size)).length).toBe(size);
    expect(await errorOf(() => expand(bytes, size - 1))).toMatchObject({ code: 'DECOMPRESSION_LIMIT' });
  });

  it('is refused above the limit whatever size its trailer claims', async () => {
    const bytes = gzipSync(Buffer.alloc(300_000));
    bytes.writeUInt32LE(7, bytes.length - 4);
    expect(await errorOf(() => expand(bytes, 200_000))).toMatchObject({ code: 'DECOMPRESSION_LIMIT' });
  });

  it.each([30, 30_000])(
    'of %d bytes is malformed when it is cut off, changed or followed by something',
    async (size) => {
      const content = Buffer.from(Array.from({ length: size }, (_, index) => (index * index * 31) >>> 5));
      const bytes = gzipSync(content);
      const changed = Buffer.from(bytes);
      changed[bytes.length - 6] = (changed[bytes.length - 6] as number) ^ 1;
      const zeros = Buffer.concat([bytes, Buffer.alloc(4)]);
      const rest = Buffer.concat([bytes, Buffer.from('rest')]);
      for (const wrong of [bytes.subarray(0, -3), changed, zeros, rest, Buffer.alloc(0)]) {
        expect(await errorOf(() => expand(wrong))).toMatchObject({ code: 'MALFORMED' });
      }
      expect((await expand(bytes)).equals(content)).toBe(true);
    },
  );
});
