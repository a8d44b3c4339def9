/** Descriptors of LZ4 frames with independent blocks and no checksums, each with the check byte that belongs to it. */
export const LZ4_HEADERS = {
  blocksOf64KiB: [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82],
  blocksOf4MiB: [0x04, 0x22, 0x4d, 0x18, 0x60, 0x70, 0x73],
} as const;

const END_MARK = Buffer.alloc(4);

/** A frame of these blocks; one given as text is stored as it is. */
export function lz4Frame(header: readonly number[], blocks: readonly (Buffer | string)[]): Buffer {
  const pieces = blocks.flatMap((block) => {
    const bytes = Buffer.from(block as string);
    const size = Buffer.alloc(4);
    size.writeUInt32LE(typeof block === 'string' ? bytes.length + 0x8000_0000 : bytes.length);
    return [size, bytes];
  });
  return Buffer.concat([Buffer.from(header), ...pieces, END_MARK]);
}

/** A block of `size` equal bytes, as small as LZ4 can make it: one byte in it stands for 255. */
export function lz4Repeated(byte: number, size: number): Buffer {
  const tail = 5; // the last five bytes of a block are always literal
  let match = size - 1 - tail - 4 - 15;
  const lengths: number[] = [];
  for (; match >= 255; match -= 255) lengths.push(255);
  lengths.push(match);
  return Buffer.from([0x1f, byte, 1, 0, ...lengths, tail << 4, ...Array.from({ length: tail }, () => byte)]);
}
