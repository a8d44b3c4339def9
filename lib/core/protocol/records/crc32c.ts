import { createRequire } from 'node:module';

/** What is used of the package `@node-rs/crc32`. */
interface NativeCrc {
  crc32c(bytes: Buffer, seed?: number): number;
}

// The call into the native module costs more than the table needs for this many bytes.
const NATIVE_FROM_BYTES = 256;

const TABLES = slicingTables();

let native: NativeCrc | null | undefined;

/**
 * The CRC32C (Castagnoli) of `buffer` from `start` up to `end`. Goes on from `seed`, the checksum of what came
 * before, so that pieces need not be joined. Native where that is faster; a machine without the native module
 * gets the same from a table.
 */
export function crc32c(buffer: Buffer, start = 0, end = buffer.length, seed = 0): number {
  if (end - start >= NATIVE_FROM_BYTES) {
    const module = native === undefined ? loadNative() : native;
    if (module !== null) {
      const whole = start === 0 && end === buffer.length;
      return module.crc32c(whole ? buffer : buffer.subarray(start, end), seed);
    }
  }
  return crc32cByTable(buffer, start, end, seed);
}

/** The same by table lookups of eight bytes at once ("slicing-by-8"). */
export function crc32cByTable(buffer: Buffer, start: number, end: number, seed = 0): number {
  const tables = TABLES;
  let crc = ~seed;
  let at = start;
  for (; at + 8 <= end; at += 8) {
    const first =
      crc ^
      ((buffer[at] as number) |
        ((buffer[at + 1] as number) << 8) |
        ((buffer[at + 2] as number) << 16) |
        ((buffer[at + 3] as number) << 24));
    crc =
      (tables[0x700 | (first & 0xff)] as number) ^
      (tables[0x600 | ((first >>> 8) & 0xff)] as number) ^
      (tables[0x500 | ((first >>> 16) & 0xff)] as number) ^
      (tables[0x400 | (first >>> 24)] as number) ^
      (tables[0x300 | (buffer[at + 4] as number)] as number) ^
      (tables[0x200 | (buffer[at + 5] as number)] as number) ^
      (tables[0x100 | (buffer[at + 6] as number)] as number) ^
      (tables[buffer[at + 7] as number] as number);
  }
  for (; at < end; at++) crc = (tables[(crc ^ (buffer[at] as number)) & 0xff] as number) ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** Table `n` moves a byte on by `n` further bytes; the eight lie one behind the other. */
function slicingTables(): Int32Array {
  const tables = new Int32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ 0x82f6_3b78;
    tables[byte] = crc;
  }
  for (let at = 256; at < tables.length; at++) {
    const before = tables[at - 256] as number;
    tables[at] = (before >>> 8) ^ (tables[before & 0xff] as number);
  }
  return tables;
}

function loadNative(): NativeCrc | null {
  try {
    native = createRequire(import.meta.url)('@node-rs/crc32') as NativeCrc;
  } catch {
    // Not an error: the table gives the same answer, at a quarter of the speed.
    native = null;
  }
  return native;
}
