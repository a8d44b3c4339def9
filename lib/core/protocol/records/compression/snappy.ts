import type { CompressionCodec } from './codec.js';
import { decompressionLimit, malformedCompression } from './compression-errors.js';
import { NativeModule } from './native.js';

/** What is used of the package `snappy`: the raw format, without framing. */
interface Snappy {
  compressSync(input: Buffer): Buffer;
  compress(input: Buffer): Promise<Buffer>;
  uncompressSync(input: Buffer): Buffer;
  uncompress(input: Buffer): Promise<Buffer>;
}

const native = new NativeModule<Snappy>('snappy', 'snappy');

// Snappy runs at some 500 MB/s: below these a trip to libuv's pool costs the event loop about as much as the
// work itself.
const COMPRESS_OFF_LOOP_BYTES = 32 * 1024;
const DECOMPRESS_OFF_LOOP_BYTES = 128 * 1024;
const LEAST_BLOCK_OFF_LOOP = 4 * 1024;

/**
 * Snappy in the framing of xerial's snappy-java, which is what the Java client writes and expects:
 *
 *     82 'SNAPPY' 00 | version 1 | least version 1 | { length, raw snappy of up to 32 KiB } ...
 *
 * Raw snappy, which other clients write, is read too.
 */
export const snappyCodec: CompressionCodec = {
  name: 'snappy',
  id: 2,

  compress(records) {
    const snappy = native.get();
    const blocks: Buffer[] = [];
    for (let at = 0; at < records.length; at += BLOCK_BYTES) blocks.push(records.subarray(at, at + BLOCK_BYTES));
    if (records.length < COMPRESS_OFF_LOOP_BYTES) return framed(blocks.map((block) => snappy.compressSync(block)));
    return Promise.all(blocks.map((block) => snappy.compress(block))).then(framed);
  },

  decompress(compressed, maxBytes) {
    const blocks = blocksOf(compressed);
    let size = 0;
    for (const block of blocks) size += sizeOfBlock(block);
    if (size > maxBytes) throw decompressionLimit('snappy', maxBytes, size);
    const snappy = native.get();
    // Tiny blocks, however many, are not worth a promise and a trip each.
    if (size < DECOMPRESS_OFF_LOOP_BYTES || size < blocks.length * LEAST_BLOCK_OFF_LOOP) {
      try {
        return joined(blocks.map((block) => snappy.uncompressSync(block)));
      } catch (error) {
        throw malformedCompression('snappy', (error as Error).message, error);
      }
    }
    return Promise.all(blocks.map((block) => snappy.uncompress(block))).then(joined, (error: unknown) => {
      throw malformedCompression('snappy', (error as Error).message, error);
    });
  },
};

const XERIAL_MAGIC = Buffer.from('\x82SNAPPY\0', 'latin1');
const XERIAL_HEADER = Buffer.concat([XERIAL_MAGIC, Buffer.from([0, 0, 0, 1, 0, 0, 0, 1])]);

/** As large a block as snappy-java writes, whose readers keep a buffer of that size. */
const BLOCK_BYTES = 32 * 1024;

// A copy of 64 bytes takes three: no block of real snappy grows more than this.
const MOST_EXPANSION = 22;

function framed(blocks: readonly Buffer[]): Buffer {
  const pieces: Buffer[] = [XERIAL_HEADER];
  for (const block of blocks) {
    const length = Buffer.allocUnsafe(4);
    length.writeInt32BE(block.length);
    pieces.push(length, block);
  }
  return Buffer.concat(pieces);
}

function blocksOf(compressed: Buffer): Buffer[] {
  if (!compressed.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) return [compressed];
  if (compressed.length < XERIAL_HEADER.length)
    throw malformedCompression('snappy', 'the frame ends within its header');
  const blocks: Buffer[] = [];
  let at = XERIAL_HEADER.length;
  while (at < compressed.length) {
    if (compressed.length - at < 4) throw malformedCompression('snappy', 'the frame ends within the length of a block');
    const length = compressed.readInt32BE(at);
    at += 4;
    if (length <= 0 || length > compressed.length - at) {
      throw malformedCompression('snappy', `a block of ${length} bytes, ${compressed.length - at} left`);
    }
    blocks.push(compressed.subarray(at, at + length));
    at += length;
  }
  return blocks;
}

/** The decompressed size that a raw block declares at its beginning. */
function sizeOfBlock(block: Buffer): number {
  let size = 0;
  for (let at = 0; at < 5; at++) {
    const byte = block[at];
    if (byte === undefined) break;
    size += (byte & 0x7f) * 2 ** (7 * at);
    if (byte < 0x80) {
      if (size > block.length * MOST_EXPANSION) {
        throw malformedCompression('snappy', `a block of ${block.length} bytes claims to hold ${size}`);
      }
      return size;
    }
  }
  throw malformedCompression('snappy', 'a block does not begin with its size');
}

function joined(blocks: readonly Buffer[]): Buffer {
  return blocks.length === 1 && blocks[0] !== undefined ? blocks[0] : Buffer.concat(blocks);
}
