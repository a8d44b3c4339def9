import { decompressionLimit, malformedCompression } from './compression-errors.js';

const MAGIC = 0xfd2f_b528;
const SKIPPABLE_MAGIC = 0x184d_2a50;
const SINGLE_SEGMENT = 1 << 5;
const RESERVED = 1 << 3;
const CHECKSUM = 1 << 2;
const LARGEST_BLOCK = 128 * 1024;
const DICTIONARY_ID_BYTES = [0, 1, 2, 4] as const;
const CONTENT_SIZE_BYTES = [0, 2, 4, 8] as const;
const BLOCK_RLE = 1;
const BLOCK_RESERVED = 3;

/**
 * Walks zstd frames (RFC 8878) from block to block and answers how much they can decompress to at most. A declared
 * size above `maxBytes` is refused, as is anything cut off or not zstd. The Java client's streaming writer declares
 * no size, so the blocks are counted: each holds at most 128 KiB, or the window if that is less.
 */
export function boundZstdFrames(bytes: Buffer, maxBytes: number): number {
  let at = 0;
  let bound = 0;
  do {
    if (bytes.length - at < 8) throw malformed(`${bytes.length - at} bytes are too few for a frame`);
    const magic = bytes.readUInt32LE(at);
    if ((magic & 0xffff_fff0) >>> 0 === SKIPPABLE_MAGIC) {
      at += 8 + bytes.readUInt32LE(at + 4);
      if (at > bytes.length) throw malformed('a skippable frame is cut off');
      continue;
    }
    if (magic !== MAGIC) throw malformed('a frame does not begin with its magic');
    const descriptor = bytes[at + 4] as number;
    if ((descriptor & RESERVED) !== 0) throw malformed('a reserved bit of the frame header is set');
    at += 5;

    const single = (descriptor & SINGLE_SEGMENT) !== 0;
    const window = single ? 0 : windowSize(bytes[at++] as number);
    at += DICTIONARY_ID_BYTES[(descriptor & 0b11) as 0 | 1 | 2 | 3];
    const sizeFlag = (descriptor >>> 6) as 0 | 1 | 2 | 3;
    const sizeBytes = sizeFlag === 0 && single ? 1 : CONTENT_SIZE_BYTES[sizeFlag];
    if (bytes.length - at < sizeBytes) throw malformed('the frame ends within its header');
    const declared = readContentSize(bytes, at, sizeBytes);
    at += sizeBytes;
    if (declared > maxBytes) throw decompressionLimit('zstd', maxBytes, declared);

    const blockBytes = Math.min(LARGEST_BLOCK, single ? declared : window);
    let blocks = 0;
    let last = false;
    while (!last) {
      if (bytes.length - at < 3) throw malformed('the frame ends before its last block');
      const header = bytes.readUIntLE(at, 3);
      at += 3;
      last = (header & 1) === 1;
      const type = (header >>> 1) & 0b11;
      if (type === BLOCK_RESERVED) throw malformed('a block of the reserved type');
      const size = header >>> 3;
      at += type === BLOCK_RLE ? 1 : size;
      if (size > blockBytes && size > 0) throw malformed(`a block of ${size} bytes where ${blockBytes} are the most`);
      if (at > bytes.length) throw malformed('a block is cut off');
      blocks++;
    }
    if ((descriptor & CHECKSUM) !== 0) at += 4;
    if (at > bytes.length) throw malformed('the frame ends within its checksum');
    if (declared > blocks * blockBytes) throw malformed(`a frame of ${blocks} blocks declares ${declared} bytes`);
    bound += declared < 0 ? blocks * blockBytes : declared;
    if (declared >= 0 && bound > maxBytes) throw decompressionLimit('zstd', maxBytes, bound);
  } while (at < bytes.length);
  return bound;
}

function windowSize(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >>> 3));
  return base + (base / 8) * (descriptor & 0b111);
}

/** -1 where the frame declares none. */
function readContentSize(bytes: Buffer, at: number, length: number): number {
  switch (length) {
    case 0:
      return -1;
    case 1:
      return bytes[at] as number;
    case 2:
      return bytes.readUInt16LE(at) + 256;
    case 4:
      return bytes.readUInt32LE(at);
    default:
      return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 4_294_967_296;
  }
}

function malformed(problem: string): Error {
  return malformedCompression('zstd', problem);
}
