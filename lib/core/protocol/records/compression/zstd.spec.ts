import * as zlib from 'node:zlib';
import { errorOf } from '../spec-support/batches.js';
import { unsupportedCompression } from './compression-errors.js';
import { boundZstdFrame } from './zstd-frame.js';
import { zstdOfModule, type CloudpssZstd } from './zstd-of-module.js';
import { zstdOfNode, type ZlibOfZstd } from './zstd-of-node.js';

const load = (): Promise<CloudpssZstd> => import('@cloudpss/zstd') as Promise<unknown> as Promise<CloudpssZstd>;
/** What the package itself answers where its native module does not load. */
async function loadWasm(): Promise<CloudpssZstd> {
  const wasm = await import('@cloudpss/zstd/wasm');
  return {
    compress: (bytes, level) => Buffer.from(wasm.compress(bytes, level)),
    decompress: (bytes) => Buffer.from(wasm.decompress(bytes)),
  };
}

const MAGIC = [0x28, 0xb5, 0x2f, 0xfd];
const KiB = 1024;

/** A block: the last one or not, of bytes as they are, or of one byte repeated. */
function block(last: boolean, content: Buffer | { readonly repeated: number; readonly times: number }): Buffer {
  const raw = content instanceof Uint8Array;
  const header = Buffer.alloc(3);
  header.writeUIntLE(((raw ? content.length : content.times) << 3) | (raw ? 0 : 0b10) | (last ? 1 : 0), 0, 3);
  return Buffer.concat([header, raw ? content : Buffer.from([content.repeated])]);
}

/** A frame that declares no size, with a window of 128 KiB: as the Java client's streaming writer makes them. */
function streamed(...blocks: Buffer[]): Buffer {
  return Buffer.concat([Buffer.from([...MAGIC, 0, 7 << 3]), ...blocks]);
}

/** A frame in one segment that declares its size in four bytes. */
function declared(size: number, ...blocks: Buffer[]): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(size);
  return Buffer.concat([Buffer.from([...MAGIC, 0b1010_0000]), bytes, ...blocks]);
}

const zeros = (count: number): Buffer[] =>
  Array.from({ length: count }, (_, index) => block(index === count - 1, { repeated: 0, times: 128 * KiB }));

const implementations = [
  ['the native module, on the main thread', zstdOfModule(load, true)],
  ['the native module, on another thread', zstdOfModule(load, false)],
  ['the wasm module', zstdOfModule(loadWasm, true)],
  ...('zstdCompressSync' in zlib ? [['Node', zstdOfNode(zlib as unknown as ZlibOfZstd)] as const] : []),
] as const;

describe.each(implementations)('zstd by %s', (_name, zstd) => {
  const expand = async (bytes: Buffer, maxBytes = 1 << 20): Promise<Buffer> => zstd.decompress(bytes, maxBytes);

  it.each([0, 1, 100, 3_000, 40_000, 300_000])('reads the %d bytes that it has written', async (size) => {
    const content = Buffer.from(Array.from({ length: size }, (_, index) => (index * index) >>> 7));
    expect((await expand(await zstd.compress(content))).equals(content)).toBe(true);
  });

  it('reads what declares its size and what does not', async () => {
    const blocks = [block(false, { repeated: 7, times: 70 }), block(true, Buffer.from('abc'))];
    const expected = Buffer.concat([Buffer.alloc(70, 7), Buffer.from('abc')]);
    expect(await expand(streamed(...blocks))).toEqual(expected);
    expect(await expand(declared(73, ...blocks))).toEqual(expected);
  });

  it('reads a frame with a checksum, and refuses one whose checksum differs', async () => {
    const frame = Buffer.from('28b52ffd2417b90000636865636b65642062792069747320636865636b73756df65206db', 'hex');
    expect((await expand(frame)).toString()).toBe('checked by its checksum');
    frame.writeUInt8(0xdc, frame.length - 1);
    expect(await errorOf(() => expand(frame))).toMatchObject({ code: 'MALFORMED' });
  });

  it('refuses a declared size above the limit', async () => {
    const frame = declared(256 * KiB, ...zeros(2));
    expect((await expand(frame)).length).toBe(256 * KiB);
    expect(await errorOf(() => expand(frame, 256 * KiB - 1))).toMatchObject({ code: 'DECOMPRESSION_LIMIT' });
  });

  it('refuses a bomb that declares no size', async () => {
    const bomb = streamed(...zeros(4_000)); // 16 KB for 500 MiB
    expect(await errorOf(() => expand(bomb, 1 << 20))).toMatchObject({ code: 'DECOMPRESSION_LIMIT' });
  });

  it('is malformed when it is cut off, wherever', async () => {
    const frame = Buffer.from(await zstd.compress(Buffer.from('some text, some text, some text')));
    for (let length = 0; length < frame.length; length++) {
      expect(await errorOf(() => expand(frame.subarray(0, length)))).toMatchObject({ code: 'MALFORMED' });
    }
  });

  it('is malformed when something follows the frame, or another frame', async () => {
    const frame = streamed(block(true, Buffer.from('abc')));
    for (const more of [Buffer.from([0]), frame, Buffer.from([0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0])]) {
      expect(await errorOf(() => expand(Buffer.concat([frame, more])))).toMatchObject({ code: 'MALFORMED' });
    }
  });

  it('is malformed when its blocks make no sense', async () => {
    const broken = streamed(Buffer.from([0x25, 0, 0, 0xff, 0xff, 0xff, 0xff])); // compressed, of four bytes
    expect(await errorOf(() => expand(broken))).toMatchObject({ code: 'MALFORMED' });
  });

  it('compresses better at a higher level', async () => {
    const content = Buffer.from(Array.from({ length: 20_000 }, (_, index) => ((index * index) >>> 3) % 61));
    const [fast, small] = await Promise.all([zstd.compress(content, 1), zstd.compress(content, 19)]);
    expect(small.length).toBeLessThan(fast.length);
    expect((await expand(small)).equals(content)).toBe(true);
  });
});

describe('zstd of the module with streams', () => {
  it('reads what might be above the limit by its blocks, and is not', async () => {
    const frame = streamed(...Array.from({ length: 40 }, (_, index) => block(index === 39, Buffer.from('few bytes '))));
    expect(boundZstdFrame(frame, 1 << 20)).toBeGreaterThan(1 << 20);
    const zstd = zstdOfModule(load, true);
    expect((await zstd.decompress(frame, 1 << 20)).toString()).toBe('few bytes '.repeat(40));
    expect(await errorOf(() => zstd.decompress(frame, 399))).toMatchObject({ code: 'DECOMPRESSION_LIMIT' });
  });
});

describe('zstd whose module does not load', () => {
  it('says so by name', async () => {
    const zstd = zstdOfModule(() => Promise.reject(new Error('no such binary')), true);
    const error = await errorOf(() => zstd.compress(Buffer.from('abc')));
    expect(error).toMatchObject({ code: unsupportedCompression('').code, cause: { message: 'no such binary' } });
    expect(error.message).toContain('@cloudpss/zstd');
  });
});

describe('the bound of a zstd frame', () => {
  const malformed = expect.objectContaining({ code: 'MALFORMED' });

  it('is what it declares, else what its blocks may hold', () => {
    expect(boundZstdFrame(declared(3, block(true, Buffer.from('abc'))), 10)).toBe(3);
    expect(boundZstdFrame(streamed(block(false, Buffer.from('a')), block(true, Buffer.from('b'))), 10)).toBe(256 * KiB);
    expect(() => boundZstdFrame(declared(11, block(true, Buffer.alloc(11))), 10)).toThrow(
      expect.objectContaining({ code: 'DECOMPRESSION_LIMIT' }),
    );
  });

  it.each([
    ['a reserved bit', Buffer.from([...MAGIC, 0b1000, 0, 1, 0, 0])],
    ['a dictionary', Buffer.from([...MAGIC, 0b0001, 0, 9, 1, 0, 0])],
    ['a block of the reserved type', streamed(Buffer.from([0b111, 0, 0]))],
    [
      'a block larger than the window',
      Buffer.concat([Buffer.from([...MAGIC, 0, 0]), block(true, Buffer.alloc(1_025))]),
    ],
    ['more declared than its blocks can hold', declared(1 << 20, block(true, Buffer.from('abc')))],
  ])('is none with %s', (_name, frame) => {
    expect(() => boundZstdFrame(frame, 1 << 30)).toThrow(malformed);
  });
});
