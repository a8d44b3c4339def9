import { decompressionLimit, malformedCompression } from './compression-errors.js';

const MAGIC = 0xfd2f_b528;
const SINGLE_SEGMENT = 1 << 5;
const RESERVED = 1 << 3;
const CHECKSUM = 1 << 2;
const DICTIONARY_ID = 0b11;
const LARGEST_BLOCK = 128 * 1024;
const CONTENT_SIZE_BYTES = [0, 2, 4, 8] as const;
const BLOCK_RLE = 1;
const BLOCK_RESERVED = 3;

/**
 * Walks a zstd frame (RFC 8878) from block to block and answers how much it can decompress to at most. A size that it
 * declares is refused above `maxBytes`; the Java client's streaming writer declares none, so that its blocks are
 * counted, each of which holds at most 128 KiB, or the window if that is less: that alone may be more than `maxBytes`.
 * What is cut off, followed by anything, or not a zstd frame is refused.
 *
 *     magic 4 | descriptor | [window] | [content size] | { header 3: last 1, type 2, size 21; block } ... | [checksum 4]
 */
export function boundZstdFrame(frame: Buffer, maxBytes: number): number {
  if (frame.length < 9 || frame.readUInt32LE(0) !== MAGIC) throw malformed('it does not begin with a frame');
  const descriptor = frame[4] as number;
  if ((descriptor & RESERVED) !== 0) throw malformed('a reserved bit of the frame header is set');
  if ((descriptor & DICTIONARY_ID) !== 0) throw malformed('the frame wants a dictionary');
  let at = 5;
  const single = (descriptor & SINGLE_SEGMENT) !== 0;
  const window = single ? 0 : windowSize(frame[at++] as number);
  const sizeFlag = (descriptor >>> 6) as 0 | 1 | 2 | 3;
  const sizeBytes = sizeFlag === 0 && single ? 1 : CONTENT_SIZE_BYTES[sizeFlag];
  if (frame.length - at < sizeBytes) throw malformed('the frame ends within its header');
  const declared = readContentSize(frame, at, sizeBytes);
  at += sizeBytes;
  if (declared > maxBytes) throw decompressionLimit('zstd', maxBytes, declared);

  const blockBytes = Math.min(LARGEST_BLOCK, single ? declared : window);
  let blocks = 0;
  for (let last = false; !last; blocks++) {
    if (frame.length - at < 3) throw malformed('the frame ends before its last block');
    const header = frame.readUIntLE(at, 3);
    last = (header & 1) === 1;
    const type = (header >>> 1) & 0b11;
    const size = header >>> 3;
    if (type === BLOCK_RESERVED) throw malformed('a block is of the reserved type');
    if (size > blockBytes) throw malformed(`a block of ${size} bytes where ${blockBytes} are the most`);
    at += 3 + (type === BLOCK_RLE ? 1 : size);
  }
  if ((descriptor & CHECKSUM) !== 0) at += 4;
  if (at > frame.length) throw malformed('the frame is cut off');
  if (at < frame.length) throw malformed(`${frame.length - at} bytes follow the frame`);
  if (declared > blocks * blockBytes) throw malformed(`a frame of ${blocks} blocks claims to hold ${declared} bytes`);
  return declared < 0 ? blocks * blockBytes : declared;
}

function windowSize(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >>> 3));
  return base + (base / 8) * (descriptor & 0b111);
}

/** -1 where the frame declares none. */
function readContentSize(frame: Buffer, at: number, bytes: number): number {
  switch (bytes) {
    case 0:
      return -1;
    case 1:
      return frame[at] as number;
    case 2:
      return frame.readUInt16LE(at) + 256;
    case 4:
      return frame.readUInt32LE(at);
    default:
      return frame.readUInt32LE(at) + frame.readUInt32LE(at + 4) * 4_294_967_296;
  }
}

function malformed(problem: string): Error {
  return malformedCompression('zstd', problem);
}
