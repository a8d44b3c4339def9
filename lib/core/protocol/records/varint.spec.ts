import * as fc from 'fast-check';
import { RecordReader } from './record-reader.js';
import { sizeOfLength, sizeOfVarlong, writeVarint, writeVarlong } from './varint.js';

/** The definition, by the arithmetic that the hot path avoids. */
function zigZag(value: bigint): number[] {
  let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
  const bytes: number[] = [];
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
  return bytes;
}

const edges = [
  0,
  1,
  63,
  64,
  8191,
  8192,
  2 ** 20,
  2 ** 27,
  2 ** 30,
  2 ** 31,
  2 ** 32,
  2 ** 34,
  2 ** 41,
  2 ** 48,
  2 ** 53,
]
  .flatMap((edge) => [edge - 1, edge, edge + 1])
  .flatMap((edge) => [edge, -edge])
  .filter(Number.isSafeInteger);
const anyInteger = fc.oneof(fc.maxSafeInteger(), fc.integer(), fc.constantFrom(...edges));

describe('a zig-zag varint of 64 bits', () => {
  it('is written as defined, in as many bytes as foretold, and read again', () => {
    fc.assert(
      fc.property(anyInteger, (value) => {
        const buffer = Buffer.alloc(12, 0xee);
        const end = writeVarlong(buffer, 1, value);
        expect([...buffer.subarray(1, end)]).toEqual(zigZag(BigInt(value)));
        expect(sizeOfVarlong(value)).toBe(end - 1);
        const reader = new RecordReader(buffer, 1, end);
        expect(reader.varlong()).toBe(value + 0);
        expect(reader.position).toBe(end);
      }),
      { numRuns: 1_000 },
    );
  });

  it('that is no safe integer, or longer than 64 bits, or cut off, is malformed', () => {
    const read = (bytes: number[]) => () => new RecordReader(Buffer.from(bytes), 0, bytes.length).varlong();
    const malformed = expect.objectContaining({ code: 'MALFORMED' });
    expect(read(zigZag(2n ** 53n))).toThrow(malformed);
    expect(read(zigZag(-(2n ** 63n)))).toThrow(malformed);
    expect(read([...Array.from({ length: 9 }, () => 0x80), 2])).toThrow(malformed);
    expect(read(Array.from({ length: 11 }, () => 0x80))).toThrow(malformed);
    expect(read([0x80, 0x80])).toThrow(malformed);
    expect(read([])).toThrow(malformed);
  });
});

describe('a zig-zag varint of 32 bits', () => {
  it('is written as defined, in as many bytes as foretold, and read again', () => {
    fc.assert(
      fc.property(fc.oneof(fc.nat(), fc.constantFrom(-1, 0, 63, 64, 8191, 8192, 2 ** 27, 2 ** 31 - 1)), (length) => {
        const buffer = Buffer.alloc(6);
        const end = writeVarint(buffer, 0, length < 0 ? 1 : length * 2);
        expect([...buffer.subarray(0, end)]).toEqual(zigZag(BigInt(length)));
        expect(sizeOfLength(length)).toBe(end);
        expect(new RecordReader(buffer, 0, end).varint()).toBe(length);
      }),
    );
  });

  it('of more than 32 bits, or cut off, is malformed', () => {
    const read = (bytes: number[]) => () => new RecordReader(Buffer.from(bytes), 0, bytes.length).varint();
    const malformed = expect.objectContaining({ code: 'MALFORMED' });
    expect(read([0x80, 0x80, 0x80, 0x80, 0x10])).toThrow(malformed);
    expect(read([0x80, 0x80, 0x80, 0x80, 0x80, 0])).toThrow(malformed);
    expect(read([0xff])).toThrow(malformed);
    expect(() => new RecordReader(Buffer.from([0x80, 0x01]), 0, 1).varint()).toThrow(malformed);
    expect(read([0xff, 0xff, 0xff, 0xff, 0x0f])()).toBe(-(2 ** 31));
  });
});
