import { snappyCodec } from './snappy.js';
import { errorOf } from '../spec-support/batches.js';

const expand = async (bytes: Buffer, maxBytes = 1 << 20): Promise<Buffer> => snappyCodec.decompress(bytes, maxBytes);

const HEADER = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
/** Raw snappy: the size as a varint, then literals and copies. */
const hello = Buffer.from([5, 4 << 2, ...Buffer.from('hello')]);

function xerial(...blocks: Buffer[]): Buffer {
  return Buffer.concat([
    HEADER,
    ...blocks.flatMap((block) => {
      const length = Buffer.alloc(4);
      length.writeInt32BE(block.length);
      return [length, block];
    }),
  ]);
}

describe('snappy', () => {
  it('is written in the framing of snappy-java, in blocks of at most 32 KiB', async () => {
    const bytes = await snappyCodec.compress(Buffer.alloc(70_000, 'abcdefgh'));
    expect(bytes.subarray(0, 16)).toEqual(HEADER);
    const sizes: number[] = [];
    for (let at = 16; at < bytes.length; at += 4 + bytes.readInt32BE(at)) {
      const [low = 0, middle = 0, high = 0] = bytes.subarray(at + 4);
      sizes.push((low & 0x7f) | ((middle & 0x7f) << 7) | (middle > 0x7f ? high << 14 : 0));
    }
    expect(sizes).toEqual([32_768, 32_768, 4_464]);
  });

  it('is read framed, in as many blocks as there are', async () => {
    expect((await expand(xerial(hello, hello, hello))).toString()).toBe('hellohellohello');
  });

  it('in very many tiny blocks takes no promise for each', () => {
    const bytes = xerial(...Array.from({ length: 40_000 }, () => hello));
    const answer = snappyCodec.decompress(bytes, 1 << 20);
    expect(answer).toBeInstanceOf(Uint8Array);
    expect(answer).toHaveLength(200_000);
  });

  it('is read raw', async () => {
    expect((await expand(hello)).toString()).toBe('hello');
  });

  it('is refused above the limit by what its blocks declare together', async () => {
    expect((await expand(xerial(hello, hello), 10)).length).toBe(10);
    expect(await errorOf(() => expand(xerial(hello, hello), 9))).toMatchObject({ code: 'DECOMPRESSION_LIMIT' });
  });

  it('is refused when a few bytes claim to hold many, before anything is allocated for them', async () => {
    const claim = Buffer.from([0x80, 0x80, 0x80, 0x20, 0, 0x61]); // 64 MiB
    for (const bytes of [claim, xerial(claim)]) {
      const error = await errorOf(() => expand(bytes, 1 << 30));
      expect(error).toMatchObject({ code: 'MALFORMED', message: expect.stringContaining('claims to hold 67108864') });
    }
  });

  it.each([
    ['nothing at all', Buffer.alloc(0)],
    ['a size that never ends', Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff])],
    ['content that is not as long as it says', Buffer.from([6, 4 << 2, ...Buffer.from('hello')])],
    ['a frame cut within its header', HEADER.subarray(0, 12)],
    ['a frame cut within the length of a block', xerial(hello).subarray(0, 18)],
    ['a frame cut within a block', xerial(hello).subarray(0, 25)],
    ['a block of no bytes', xerial(Buffer.alloc(0))],
    ['a block of negative length', Buffer.concat([HEADER, Buffer.from([0xff, 0xff, 0xff, 0xff])])],
    ['a block that leads back to itself', Buffer.concat([HEADER, Buffer.from([0xff, 0xff, 0xff, 0xfc])])],
    ['a frame with bytes behind its last block', Buffer.concat([xerial(hello), Buffer.from([1, 2])])],
  ])('is malformed with %s', async (_name, bytes) => {
    expect(await errorOf(() => expand(bytes))).toMatchObject({ code: 'MALFORMED' });
  });

  it('is malformed later as at once, when it is large enough for another thread', async () => {
    const content = Buffer.alloc(300_000, 'abcdefgh');
    const bytes = Buffer.from(await snappyCodec.compress(content));
    expect((await expand(bytes)).equals(content)).toBe(true);
    bytes.fill(0xff, 40, 60);
    expect(await errorOf(() => expand(bytes))).toMatchObject({ code: 'MALFORMED' });
  });
});
