import { Reader } from './reader.js';

const reading = (hex: string): Reader => new Reader(Buffer.from(hex, 'hex'));

const hex = (...fields: string[]): string => fields.join('');
const malformed: unknown = expect.objectContaining({ code: 'MALFORMED', retriable: false });

describe('Reader', () => {
  it('keeps to its part of the buffer', () => {
    const reader = new Reader(Buffer.from('0102030405', 'hex'), 1, 3);
    expect(reader.int16()).toBe(0x0203);
    expect(reader.remaining).toBe(0);
    expect(() => reader.int8()).toThrow(malformed as Error);
  });

  it('is not made for a part that the buffer does not have', () => {
    expect(() => new Reader(Buffer.alloc(2), 0, 3)).toThrow(RangeError);
    expect(() => new Reader(Buffer.alloc(2), 3)).toThrow(RangeError);
  });

  it.each(['int8', 'int16', 'uint16', 'int32', 'uint32', 'int64', 'float64', 'uuid', 'unsignedVarint'] as const)(
    'finds a frame that ends within its %s malformed',
    (kind) => {
      expect(() => reading('')[kind]()).toThrow(malformed as Error);
    },
  );

  it('does not read a varint past the end of its part', () => {
    const buffer = Buffer.from('8001', 'hex');
    expect(() => new Reader(buffer, 0, 1).unsignedVarint()).toThrow(malformed as Error);
    expect(() => new Reader(buffer, 1, 1).unsignedVarint()).toThrow(malformed as Error);
  });

  it('finds a varint of more than 32 bits malformed', () => {
    expect(reading('ffffffff0f').unsignedVarint()).toBe(0xffff_ffff);
    expect(() => reading('ffffffff10').unsignedVarint()).toThrow(malformed as Error);
    expect(() => reading('ffffffffff00').unsignedVarint()).toThrow(malformed as Error);
  });

  it('takes a varint that is written longer than need be', () => {
    expect(reading('8000').unsignedVarint()).toBe(0);
  });

  it('finds a 64-bit number that is no safe integer malformed', () => {
    expect(reading('001fffffffffffff').int64()).toBe(Number.MAX_SAFE_INTEGER);
    expect(() => reading('0020000000000000').int64()).toThrow(malformed as Error);
    expect(() => reading('8000000000000000').int64()).toThrow(malformed as Error);
  });

  it('finds negative lengths malformed, -1 excepted, which is null', () => {
    expect(reading('ffff').string(false)).toBeNull();
    expect(() => reading('fffe').string(false)).toThrow(malformed as Error);
    expect(reading('ffffffff').bytes(false)).toBeNull();
    expect(() => reading('fffffffe').bytes(false)).toThrow(malformed as Error);
    expect(reading('ffffffff').count(false, 1)).toBe(-1);
    expect(() => reading('80000000').count(false, 1)).toThrow(malformed as Error);
    expect(() => reading('00').view(-1)).toThrow(malformed as Error);
    expect(() => reading('00').arrayLength(-1, 1)).toThrow(malformed as Error);
  });

  it('finds lengths beyond what is left malformed', () => {
    expect(() => reading('000361').string(false)).toThrow(malformed as Error);
    expect(() => reading('ffffffff0f61').string(true)).toThrow(malformed as Error);
    expect(() => reading('7fffffff00').bytes(false)).toThrow(malformed as Error);
    expect(() => reading('0000000200').count(false, 1)).toThrow(malformed as Error);
  });

  it('finds an array whose elements could not be left malformed, before anything is made of it', () => {
    expect(reading(hex('00000002', '00'.repeat(8))).count(false, 4)).toBe(2);
    expect(() => reading(hex('00000003', '00'.repeat(8))).count(false, 4)).toThrow(malformed as Error);
  });

  it('finds text longer than the protocol has it malformed', () => {
    const text = Buffer.concat([Buffer.from('818002', 'hex'), Buffer.alloc(32_768, 'a')]);
    expect(() => new Reader(text).string(true)).toThrow(malformed as Error);
  });

  it('hands out views of the frame', () => {
    const buffer = Buffer.from('00000002abcd', 'hex');
    const view = new Reader(buffer).bytes(false);
    buffer[4] = 0;
    expect(view?.toString('hex')).toBe('00cd');
  });

  it('skips tagged fields, and finds those that do not end malformed', () => {
    const reader = reading(hex('02', '0001ff', '8001', '00', 'ee'));
    reader.skipTags();
    expect(reader.remaining).toBe(1);
    expect(() => reading(hex('01', '00', '05', 'ff')).skipTags()).toThrow(malformed as Error);
    expect(() => reading('ffffffff0f').skipTags()).toThrow(malformed as Error);
  });
});
