import type { Random } from '../../../lib/core/support/index.js';

const below = (random: Random, limit: number): number => Math.floor(random.next() * limit);

// Bytes and lengths at which decoders have gone wrong before.
const EDGES = [0x00, 0x01, 0x02, 0x7f, 0x80, 0xfe, 0xff];
const LENGTHS = [0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffe, 0x00ffffff, 0x00010000, 0, 1];

/** One to four changes of bytes: some that break lengths, some that break values, some that break the end. */
export function mutated(random: Random, original: Buffer, other: Buffer): Buffer {
  let bytes: Buffer = Buffer.from(original);
  for (let left = 1 + below(random, 4); left > 0; left--) bytes = mutatedOnce(random, bytes, other);
  return bytes;
}

function mutatedOnce(random: Random, bytes: Buffer, other: Buffer): Buffer {
  const at = below(random, bytes.length + 1);
  switch (below(random, 8)) {
    case 0:
      if (at < bytes.length) bytes[at] = (bytes[at] as number) ^ (1 << below(random, 8));
      return bytes;
    case 1:
      if (at < bytes.length) bytes[at] = EDGES[below(random, EDGES.length)] as number;
      return bytes;
    case 2:
      if (at + 4 <= bytes.length) bytes.writeUInt32BE(LENGTHS[below(random, LENGTHS.length)] as number, at);
      return bytes;
    case 3:
      return bytes.subarray(0, at);
    case 4:
      return Buffer.concat([bytes.subarray(0, at), random.bytes(1 + below(random, 8)), bytes.subarray(at)]);
    case 5:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.min(bytes.length, at + 1 + below(random, 8)))]);
    case 6: {
      const from = below(random, other.length + 1);
      return Buffer.concat([bytes.subarray(0, at), other.subarray(from, from + below(random, 64))]);
    }
    default:
      return random.bytes(below(random, 64));
  }
}
