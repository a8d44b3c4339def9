/** Bytes of a count, or of a length (-1 for null), as a zig-zag varint. */
export function sizeOfLength(length: number): number {
  if (length < 0x40) return 1;
  if (length < 0x2000) return 2;
  if (length < 0x10_0000) return 3;
  return length < 0x800_0000 ? 4 : 5;
}

/** Bytes of a safe integer as a zig-zag varint of 64 bits. */
export function sizeOfVarlong(value: number): number {
  // -2^(7n-1) needs no more bytes than 2^(7n-1) - 1: zig-zag interleaves the two.
  let magnitude = value < 0 ? -(value + 1) : value;
  let bytes = 1;
  for (; magnitude >= 0x40 && bytes < 10; bytes++) magnitude = Math.floor(magnitude / 0x80);
  return bytes;
}

/** Writes an unsigned 32-bit varint; answers the position behind it. */
export function writeVarint(buffer: Buffer, position: number, unsigned: number): number {
  while (unsigned > 0x7f) {
    buffer[position++] = (unsigned & 0x7f) | 0x80;
    unsigned >>>= 7;
  }
  buffer[position++] = unsigned;
  return position;
}

/** Writes a safe integer as a zig-zag varint of 64 bits; answers the position behind it. */
export function writeVarlong(buffer: Buffer, position: number, value: number): number {
  const high = Math.floor(value / 4_294_967_296) | 0;
  const low = value | 0;
  const sign = high >> 31;
  let lowZig = ((low << 1) ^ sign) >>> 0;
  let highZig = (((high << 1) | (low >>> 31)) ^ sign) >>> 0;
  while (highZig !== 0 || lowZig > 0x7f) {
    buffer[position++] = (lowZig & 0x7f) | 0x80;
    lowZig = ((lowZig >>> 7) | (highZig << 25)) >>> 0;
    highZig >>>= 7;
  }
  buffer[position++] = lowZig;
  return position;
}
