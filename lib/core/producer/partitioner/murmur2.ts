import type { RecordContent } from '../record.js';

/**
 * The 32-bit murmur2 of a key, bit for bit as the Java client computes it, so that every client puts a key on the same
 * partition. Text is hashed as its UTF-8 bytes; ASCII text, which is most keys, without making them.
 *
 * Hot: guarded by `npm run bench -- produce`.
 */
export function murmur2(key: string | Buffer): number {
  if (typeof key !== 'string') return murmur2OfBytes(key);
  const length = key.length;
  let hash = SEED ^ length;
  let seen = 0;
  let index = 0;
  for (const last = length - 3; index < last; index += 4) {
    const a = key.charCodeAt(index);
    const b = key.charCodeAt(index + 1);
    const c = key.charCodeAt(index + 2);
    const d = key.charCodeAt(index + 3);
    seen |= a | b | c | d;
    hash = Math.imul(hash, M) ^ scramble(a | (b << 8) | (c << 16) | (d << 24));
  }
  const left = length - index;
  if (left > 0) {
    const a = key.charCodeAt(index);
    const b = left > 1 ? key.charCodeAt(index + 1) : 0;
    const c = left > 2 ? key.charCodeAt(index + 2) : 0;
    seen |= a | b | c;
    hash = Math.imul(hash ^ (a | (b << 8) | (c << 16)), M);
  }
  // A character beyond ASCII takes more than one byte: what was computed is of no use.
  return seen > 0x7f ? murmur2OfBytes(Buffer.from(key)) : finish(hash);
}

/** The partition of a key: the hash's low 31 bits, as Java's `toPositive` takes them. Not `>>> 0`, which differs. */
export function partitionOfKey(key: NonNullable<RecordContent>, partitionCount: number): number {
  return (murmur2(key) & 0x7fff_ffff) % partitionCount;
}

const SEED = 0x9747_b28c;
const M = 0x5bd1_e995;

function murmur2OfBytes(bytes: Buffer): number {
  const length = bytes.length;
  let hash = SEED ^ length;
  let index = 0;
  for (const last = length - 3; index < last; index += 4) {
    hash =
      Math.imul(hash, M) ^
      scramble(
        (bytes[index] as number) |
          ((bytes[index + 1] as number) << 8) |
          ((bytes[index + 2] as number) << 16) |
          ((bytes[index + 3] as number) << 24),
      );
  }
  const left = length - index;
  if (left > 0) {
    let tail = bytes[index] as number;
    if (left > 1) tail |= (bytes[index + 1] as number) << 8;
    if (left > 2) tail |= (bytes[index + 2] as number) << 16;
    hash = Math.imul(hash ^ tail, M);
  }
  return finish(hash);
}

function scramble(word: number): number {
  const mixed = Math.imul(word, M);
  return Math.imul(mixed ^ (mixed >>> 24), M);
}

function finish(hash: number): number {
  const mixed = Math.imul(hash ^ (hash >>> 13), M);
  return mixed ^ (mixed >>> 15);
}
