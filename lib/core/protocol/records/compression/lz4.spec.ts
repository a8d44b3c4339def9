import { errorOf } from '../spec-support/batches.js';
import { codecOf } from './index.js';
import { boundLz4Frame } from './lz4-frame.js';
import { LZ4_HEADERS, lz4Frame, lz4Repeated } from './spec-support/lz4-frames.js';

const lz4 = codecOf('lz4');
const MiB = 1 << 20;
const limit = 8 * MiB;
const { blocksOf64KiB, blocksOf4MiB } = LZ4_HEADERS;

const expand = async (frame: Buffer, maxBytes = limit): Promise<Buffer> => lz4.decompress(frame, maxBytes);

describe('lz4', () => {
  it('reads a frame of several blocks, compressed and stored', async () => {
    const frame = lz4Frame(blocksOf64KiB, [lz4Repeated(7, 60_000), 'stored', lz4Repeated(9, 1_000)]);
    const expected = Buffer.concat([Buffer.alloc(60_000, 7), Buffer.from('stored'), Buffer.alloc(1_000, 9)]);
    expect((await expand(frame)).equals(expected)).toBe(true);
  });

  it('reads a frame whose block sizes would allow more than the limit, when what is in them does not', async () => {
    const frame = lz4Frame(
      blocksOf4MiB,
      Array.from({ length: 20 }, () => lz4Repeated(1, 5_000)),
    );
    expect((await expand(frame, 100_000)).length).toBe(100_000);
    expect(await errorOf(() => expand(frame, 99_999))).toMatchObject({ code: 'DECOMPRESSION_LIMIT' });
  });

  it('refuses the bomb of 4 MB that would grow to 1 GB before anything is allocated for it', async () => {
    const block = lz4Repeated(0, 4 * MiB);
    const bomb = lz4Frame(
      blocksOf4MiB,
      Array.from({ length: 256 }, () => block),
    );
    expect(bomb.length).toBeLessThan(4.3 * MiB);
    // The walk alone refuses it: the native decoder is never asked.
    expect(() => boundLz4Frame(bomb, 100 * MiB)).toThrow(expect.objectContaining({ code: 'DECOMPRESSION_LIMIT' }));
    expect(await errorOf(() => expand(bomb, 100 * MiB))).toMatchObject({ code: 'DECOMPRESSION_LIMIT' });
  });

  it('refuses a frame that declares more than the limit', () => {
    const frame = lz4Frame(blocksOf64KiB, ['abc']);
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(limit) + 1n);
    const declaring = Buffer.concat([frame.subarray(0, 6), size, frame.subarray(6)]);
    declaring[4] = 0x68;
    expect(() => boundLz4Frame(declaring, limit)).toThrow(expect.objectContaining({ code: 'DECOMPRESSION_LIMIT' }));
  });

  it('refuses a truncated frame, wherever it is cut', async () => {
    const frame = lz4Frame(blocksOf64KiB, [lz4Repeated(7, 100), 'stored']);
    for (let length = 0; length < frame.length; length++) {
      expect(await errorOf(() => expand(frame.subarray(0, length)))).toMatchObject({ code: 'MALFORMED' });
    }
  });

  it('refuses bytes that follow the frame', async () => {
    const frame = lz4Frame(blocksOf64KiB, ['stored']);
    for (const more of [Buffer.from([0]), Buffer.from('trailing')]) {
      expect(await errorOf(() => expand(Buffer.concat([frame, more])))).toMatchObject({ code: 'MALFORMED' });
    }
  });

  it('refuses a second frame', async () => {
    const frame = lz4Frame(blocksOf64KiB, ['stored']);
    expect(await errorOf(() => expand(Buffer.concat([frame, frame])))).toMatchObject({ code: 'MALFORMED' });
  });

  it.each([
    ['the legacy format', 0, 0x02],
    ['a version that does not exist', 4, 0xa0],
    ['a dictionary', 4, 0x61],
    ['a largest block size that does not exist', 5, 0x30],
    ['a check byte that does not belong to its header', 6, 0x83],
  ])('refuses a frame with %s', async (_name, at, byte) => {
    const frame = lz4Frame(blocksOf64KiB, ['stored']);
    frame[at] = byte;
    expect(await errorOf(() => expand(frame))).toMatchObject({ code: 'MALFORMED' });
    // The check byte is left to the native decoder; all else is refused by the walk.
    if (at < 6) expect(() => boundLz4Frame(frame, limit)).toThrow(expect.objectContaining({ code: 'MALFORMED' }));
  });

  it('refuses a block larger than its frame allows', async () => {
    const block = lz4Repeated(1, 65_537);
    expect(await errorOf(() => expand(lz4Frame(blocksOf64KiB, [block])))).toMatchObject({ code: 'MALFORMED' });
    const stored = lz4Frame(blocksOf64KiB, ['x'.repeat(65_537)]);
    expect(await errorOf(() => expand(stored))).toMatchObject({ code: 'MALFORMED' });
    expect(() => boundLz4Frame(stored, limit)).toThrow(expect.objectContaining({ code: 'MALFORMED' }));
  });

  it('refuses blocks whose lengths lead nowhere', async () => {
    const endless = Buffer.from([0xf0, 255, 255, 255]);
    const halfOffset = Buffer.from([0x1f, 7, 1]);
    const before = Buffer.from([0x10, 7, 9, 0, 0x50, 1, 2, 3, 4, 5]); // a match from before the block's beginning
    for (const block of [endless, halfOffset, before]) {
      const frame = lz4Frame(blocksOf64KiB, [block]);
      expect(await errorOf(() => expand(frame))).toMatchObject({ code: 'MALFORMED' });
      // The walk that measures blocks comes upon them as well.
      const measured = await errorOf(() => expand(lz4Frame(blocksOf4MiB, [lz4Repeated(0, 4 * MiB), block]), MiB));
      expect(measured.code).toMatch(/MALFORMED|DECOMPRESSION_LIMIT/);
    }
  });

  it('has no levels', () => {
    expect(lz4.levels).toBeUndefined();
  });
});
