import { Reader } from './reader.js';
import { Writer } from './writer.js';

const written = (write: (writer: Writer) => void): string => {
  const writer = new Writer(1);
  write(writer);
  return writer.toBuffer().toString('hex');
};

describe('Writer', () => {
  it.each([
    ['int8', -128, '80'],
    ['int8', 127, '7f'],
    ['int16', -32_768, '8000'],
    ['uint16', 65_535, 'ffff'],
    ['int32', -2, 'fffffffe'],
    ['int32', 2_147_483_647, '7fffffff'],
    ['uint32', 4_294_967_295, 'ffffffff'],
    ['int64', -1, 'ffffffffffffffff'],
    ['int64', Number.MAX_SAFE_INTEGER, '001fffffffffffff'],
    ['int64', Number.MIN_SAFE_INTEGER, 'ffe0000000000001'],
    ['int64', 4_294_967_296, '0000000100000000'],
    ['float64', 1.5, '3ff8000000000000'],
    ['unsignedVarint', 0, '00'],
    ['unsignedVarint', 127, '7f'],
    ['unsignedVarint', 128, '8001'],
    ['unsignedVarint', 4_294_967_295, 'ffffffff0f'],
  ] as const)('writes the %s %d as %s', (kind, value, hex) => {
    expect(written((writer) => writer[kind](value))).toBe(hex);
    const reader = new Reader(Buffer.from(hex, 'hex'));
    expect(reader[kind]()).toBe(value);
    expect(reader.remaining).toBe(0);
  });

  it.each([
    ['int8', 128],
    ['int8', -129],
    ['int16', 32_768],
    ['uint16', -1],
    ['uint16', 65_536],
    ['int32', 2_147_483_648],
    ['int32', 1.5],
    ['int32', Number.NaN],
    ['uint32', -1],
    ['uint32', 4_294_967_296],
    ['int64', 2 ** 53],
    ['int64', 0.5],
  ] as const)('refuses %s %d', (kind, value) => {
    expect(() => written((writer) => writer[kind](value))).toThrow(RangeError);
  });

  it.each(['int8', 'int16', 'uint16', 'int32', 'uint32', 'int64'] as const)(
    'refuses a %s that is no number',
    (kind) => {
      for (const value of [undefined, null, '1', {}] as unknown as number[]) {
        expect(() => written((writer) => writer[kind](value))).toThrow(RangeError);
      }
    },
  );

  it.each([
    ['plain and short', 'topic'],
    ['empty', ''],
    ['short, and not plain', 'zürich'],
    ['of the longest short length', 'a'.repeat(24)],
    ['longer', 'a'.repeat(25)],
    ['beyond the basic plane', '🧵'.repeat(40)],
    ['long', 'x'.repeat(32_767)],
  ])('writes text that is %s in both forms', (_what, text) => {
    for (const compact of [false, true]) {
      const writer = new Writer(1);
      writer.string(text, compact);
      const bytes = writer.toBuffer();
      const length = Buffer.byteLength(text);
      expect(bytes.subarray(bytes.length - length).toString()).toBe(text);
      const reader = new Reader(bytes);
      expect(reader.string(compact)).toBe(text);
      expect(reader.remaining).toBe(0);
    }
  });

  it('writes text that is not there as null', () => {
    expect(written((writer) => writer.string(null, false))).toBe('ffff');
    expect(written((writer) => writer.string(null, true))).toBe('00');
  });

  it('refuses text that is too long for the protocol', () => {
    expect(() => written((writer) => writer.string('ü'.repeat(16_384), true))).toThrow(/32768 bytes long/);
  });

  it('writes a UUID and refuses what is none', () => {
    const text = 'AAECAwQFBgcICQoLDA0ODw';
    const hex = written((writer) => writer.uuid(text));
    expect(hex).toBe('000102030405060708090a0b0c0d0e0f');
    expect(new Reader(Buffer.from(hex, 'hex')).uuid()).toBe(text);
    for (const none of ['', 'AAECAwQFBgcICQoLDA0ODw==', 'AAECAwQFBgcICQoL DA0OD', 'AAECAwQFBgcICQoLDA0OD*']) {
      expect(() => written((writer) => writer.uuid(none))).toThrow(RangeError);
    }
    expect(() => written((writer) => writer.uuid(undefined as unknown as string))).toThrow(TypeError);
  });

  it('copies small bytes and takes large ones by reference, in order', () => {
    const small = Buffer.alloc(1_023, 1);
    const large = Buffer.alloc(1_024, 2);
    const writer = new Writer(4);
    writer.int32(7);
    writer.reference(small);
    writer.reference(large);
    writer.reference(large);
    writer.int8(3);
    expect(writer.length).toBe(4 + 1_023 + 2 * 1_024 + 1);
    const chunks = writer.chunks();
    expect(chunks.map((chunk) => chunk === large)).toEqual([false, true, true, false]);
    expect(Buffer.concat(chunks)).toEqual(
      Buffer.concat([Buffer.from('00000007', 'hex'), small, large, large, Buffer.from([3])]),
    );
  });

  it('patches the length that leads a frame, before and after its first piece has ended', () => {
    for (const referenced of [Buffer.alloc(0), Buffer.alloc(2_000)]) {
      const writer = new Writer(1);
      writer.int32(0);
      writer.reference(referenced);
      writer.int32(1);
      writer.patchInt32(0, writer.length);
      expect(writer.toBuffer().readInt32BE(0)).toBe(8 + referenced.length);
    }
  });
});
