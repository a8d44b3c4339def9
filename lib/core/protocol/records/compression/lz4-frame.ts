import { decompressionLimit, malformedCompression } from './compression-errors.js';

const MAGIC = 0x184d2204;
const VERSION_MASK = 0b1100_0000;
const VERSION = 0b0100_0000;
const BLOCK_CHECKSUMS = 1 << 4;
const CONTENT_SIZE = 1 << 3;
const CONTENT_CHECKSUM = 1 << 2;
const DICTIONARY = 1 << 0;
const UNCOMPRESSED = 0x8000_0000;
const BLOCK_BYTES: Readonly<Record<number, number>> = { 4: 1 << 16, 5: 1 << 18, 6: 1 << 20, 7: 1 << 22 };

/** One byte of a block stands for at most this many. */
const MOST_EXPANSION = 255;

/**
 * Walks an LZ4 frame from block to block and answers how much it can decompress to at most, which is never more than
 * `maxBytes`: a frame that holds more is refused. So is one that is cut off, followed by anything, or not a frame.
 *
 *     magic | FLG BD [content size 8] [dictionary 4] HC | { block size 4, block, [checksum 4] } ... 0 | [checksum 4]
 */
export function boundLz4Frame(frame: Buffer, maxBytes: number): number {
  if (frame.length < 7 || frame.readUInt32LE(0) !== MAGIC)
    throw malformed('it does not begin with the magic of a frame');
  const flags = frame[4] as number;
  if ((flags & VERSION_MASK) !== VERSION) throw malformed(`frame version ${flags >>> 6} is not known`);
  const blockBytes = BLOCK_BYTES[((frame[5] as number) >>> 4) & 0b111];
  if (blockBytes === undefined) throw malformed('the largest block size is none of the four that exist');
  if ((flags & DICTIONARY) !== 0) throw malformed('the frame wants a dictionary');
  let at = 6;
  if ((flags & CONTENT_SIZE) !== 0) {
    if (frame.length < at + 9) throw malformed('the frame ends within its header');
    const declared = frame.readUInt32LE(at) + frame.readUInt32LE(at + 4) * 4_294_967_296;
    if (declared > maxBytes) throw decompressionLimit('lz4', maxBytes, declared);
    at += 8;
  }
  at += 1;

  const start = at;
  const checksum = (flags & BLOCK_CHECKSUMS) === 0 ? 0 : 4;
  let bound = 0;
  for (;;) {
    if (frame.length - at < 4) throw malformed('the frame ends before its end mark');
    const word = frame.readUInt32LE(at);
    at += 4;
    if (word === 0) break;
    const size = word & 0x7fff_ffff;
    if (size > blockBytes) throw malformed(`a block of ${size} bytes in a frame of blocks of up to ${blockBytes}`);
    if (frame.length - at < size + checksum) throw malformed(`a block of ${size} bytes, ${frame.length - at} left`);
    bound += word >= UNCOMPRESSED ? size : Math.min(blockBytes, size * MOST_EXPANSION);
    at += size + checksum;
  }
  if ((flags & CONTENT_CHECKSUM) !== 0) at += 4;
  if (at > frame.length) throw malformed('the frame ends within its checksum');
  if (at < frame.length) throw malformed(`${frame.length - at} bytes follow the frame`);
  return bound <= maxBytes ? bound : measureBlocks(frame, start, blockBytes, checksum, maxBytes);
}

/** The exact size of the content, for a frame whose block headers alone would allow more than `maxBytes`. */
function measureBlocks(frame: Buffer, start: number, blockBytes: number, checksum: number, maxBytes: number): number {
  let total = 0;
  let at = start;
  for (;;) {
    const word = frame.readUInt32LE(at);
    at += 4;
    if (word === 0) return total;
    const size = word & 0x7fff_ffff;
    const content = word >= UNCOMPRESSED ? size : measureBlock(frame, at, at + size);
    if (content > blockBytes)
      throw malformed(`a block holds ${content} bytes in a frame of blocks of up to ${blockBytes}`);
    total += content;
    if (total > maxBytes) throw decompressionLimit('lz4', maxBytes);
    at += size + checksum;
  }
}

/** Adds up the literals and matches of one block without copying them. */
function measureBlock(frame: Buffer, start: number, end: number): number {
  let size = 0;
  let at = start;
  while (at < end) {
    const token = frame[at++] as number;
    let literals = token >>> 4;
    if (literals === 15) {
      let more: number;
      do {
        if (at >= end) throw malformed('a block ends within a length');
        more = frame[at++] as number;
        literals += more;
      } while (more === 255);
    }
    at += literals;
    size += literals;
    if (at >= end) break;
    at += 2;
    let match = token & 0b1111;
    if (match === 15) {
      let more: number;
      do {
        if (at >= end) throw malformed('a block ends within a length');
        more = frame[at++] as number;
        match += more;
      } while (more === 255);
    }
    size += match + 4;
  }
  if (at > end) throw malformed('a block ends within its literals');
  return size;
}

function malformed(problem: string): Error {
  return malformedCompression('lz4', problem);
}
