import { KrafkaProtocolError } from '../../support/index.js';
import { Reader, Writer } from '../wire/index.js';
import {
  INT64_MAX,
  ZERO_UUID,
  array,
  bool,
  bytes,
  float64,
  int16,
  int32,
  int64,
  int8,
  records,
  string,
  struct,
  uint16,
  uint32,
  uuid,
  type Decoded,
  type Encodable,
  type FieldTable,
} from './fields.js';
import { messageCodec, type MessageCodec } from './message-codec.js';
import { parseVersions } from './versions.js';

/** The fields of a message in hex, one after another. */
const hex = (...fields: string[]): string => fields.join('');

function codecOf<Table extends FieldTable>(
  table: Table,
  flexible = '2+',
  byHand?: Partial<MessageCodec<Encodable<Table>, Decoded<Table>>>,
) {
  return messageCodec({
    api: 'Metadata',
    message: 'request',
    versions: parseVersions('0-3'),
    flexible: parseVersions(flexible),
    table,
    byHand,
  });
}

function hexOf<In>(codec: MessageCodec<In, unknown>, value: In, version: number): string {
  const writer = new Writer();
  codec.encode(writer, value, version);
  return writer.toBuffer().toString('hex');
}

const valueOf = <Out>(codec: MessageCodec<never, Out>, bytesInHex: string, version: number): Out =>
  codec.decode(new Reader(Buffer.from(bytesInHex, 'hex')), version);

function errorOf(run: () => unknown): KrafkaProtocolError {
  try {
    run();
  } catch (error) {
    if (error instanceof KrafkaProtocolError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('a compiled codec', () => {
  const every = codecOf({
    flag: bool('0+'),
    tiny: int8('0+'),
    small: int16('0+'),
    port: uint16('0+'),
    count: int32('0+'),
    mask: uint32('0+'),
    offset: int64('0+'),
    ratio: float64('0+'),
    name: string('0+'),
    id: uuid('0+'),
    blob: bytes('0+'),
    batches: records('0+', { nullable: '0+' }),
    one: struct('0+', { inner: int8('0+') }),
    many: array('0+', { inner: int8('0+') }),
    plain: array('0+', string('0+')),
  });
  const value = {
    flag: true,
    tiny: -1,
    small: -2,
    port: 65_535,
    count: -3,
    mask: 4_294_967_295,
    offset: -4,
    ratio: 0.25,
    name: 'é',
    id: 'AAECAwQFBgcICQoLDA0ODw',
    blob: Buffer.from('ab', 'hex'),
    batches: Buffer.from('cdef', 'hex'),
    one: { inner: 5 },
    many: [{ inner: 6 }, { inner: 7 }],
    plain: ['x', ''],
  };

  it('writes and reads every kind of field in the old form', () => {
    const written = hexOf(every, value, 0);
    expect(written).toBe(
      hex('01', 'ff', 'fffe', 'ffff', 'fffffffd', 'ffffffff', 'fffffffffffffffc', '3fd0000000000000', '0002c3a9', '000102030405060708090a0b0c0d0e0f', '00000001ab', '00000002cdef', '05', '000000020607', '00000002', '000178', '0000'), // prettier-ignore
    );
    expect(valueOf(every, written, 0)).toEqual(value);
  });

  it('writes and reads every kind of field in the compact form, each struct with its tags', () => {
    const written = hexOf(every, value, 2);
    expect(written.slice(-40)).toBe(
      hex('0d0e0f', '02ab', '03cdef', '0500', '03', '06000700', '03', '0278', '01', '00'),
    );
    expect(valueOf(every, written, 2)).toEqual(value);
  });

  it('takes record batches in pieces', () => {
    const pieces = [Buffer.from('cd', 'hex'), Buffer.from('ef', 'hex')];
    expect(hexOf(every, { ...value, batches: pieces }, 2)).toBe(hexOf(every, value, 2));
  });

  it('reads what lies behind a message no further', () => {
    const reader = new Reader(Buffer.from('0500ff', 'hex'));
    expect(codecOf({ a: int8('0+') }).decode(reader, 2)).toEqual({ a: 5 });
    expect(reader.remaining).toBe(1);
  });
});

describe('null', () => {
  const codec = codecOf({
    name: string('0+', { nullable: '1+' }),
    blob: bytes('0+', { nullable: '1+' }),
    list: array('0+', int8('0+'), { nullable: '1+' }),
    one: struct('0+', { inner: int8('0+') }, { nullable: '1+', default: null }),
  });
  const empty = { name: null, blob: null, list: null, one: null };

  it('is written and read where a version has it', () => {
    expect(hexOf(codec, empty, 1)).toBe(hex('ffff', 'ffffffff', 'ffffffff', 'ff'));
    expect(hexOf(codec, empty, 2)).toBe(hex('00', '00', '00', 'ff', '00'));
    expect(valueOf(codec, 'ffffffffffffffffffffff', 1)).toEqual(empty);
    expect(valueOf(codec, '000000ff00', 2)).toEqual(empty);
  });

  it('leads a nullable struct that is there with 1', () => {
    const full = { name: '', blob: Buffer.alloc(0), list: [], one: { inner: 9 } };
    expect(hexOf(codec, full, 2)).toBe(hex('01', '01', '01', '0109', '00', '00'));
    expect(valueOf(codec, hex('0101010109', '0000'), 2)).toEqual(full);
  });

  it('is refused where a version has it not, when written and when read', () => {
    for (const name of ['name', 'blob', 'list'] as const) {
      const full = { name: '', blob: Buffer.alloc(0), list: [], one: { inner: 9 } };
      const error = errorOf(() => hexOf(codec, { ...full, [name]: null }, 0));
      expect(error).toMatchObject({ code: 'INVALID_REQUEST', api: 'Metadata' });
      expect(error.message).toContain(`'${name}' can't be null`);
    }
    expect(errorOf(() => valueOf(codec, 'ffff', 0)).message).toContain("'name' can't be null");
  });
});

describe('a field of some versions', () => {
  const codec = codecOf({
    always: int8('0+'),
    later: int32('1+', { default: -1 }),
    earlier: string('0-1', { ignorable: true }),
    list: array('1+', { x: int8('1+') }),
    deep: struct('1+', { a: int8('1+', { default: 3 }), b: array('1+', int8('1+')) }, { ignorable: true }),
  });

  it('is read as its default where the version has it not, never the same array twice', () => {
    const one = valueOf(codec, hex('05', '0000'), 0);
    expect(one).toEqual({ always: 5, later: -1, earlier: '', list: [], deep: { a: 3, b: [] } });
    const other = valueOf(codec, hex('05', '0000'), 0);
    expect(other.list).not.toBe(one.list);
    expect(other.deep.b).not.toBe(one.deep.b);
  });

  it('is written as its default when left out', () => {
    expect(hexOf(codec, { always: 5, earlier: 'e' }, 1)).toBe(
      hex('05', 'ffffffff', '000165', '00000000', '03', '00000000'),
    );
  });

  it('is dropped where the version has it not, when it is ignorable or says nothing', () => {
    expect(hexOf(codec, { always: 5, earlier: 'e', deep: { a: 9 } }, 3)).toBe(
      hex('05', 'ffffffff', '01', '0901', '00', '00'),
    );
    expect(hexOf(codec, { always: 5, earlier: 'e', later: -1, list: [] }, 0)).toBe(hex('05', '000165'));
  });

  it('is refused where the version has it not and it says something', () => {
    for (const given of [{ later: 7 }, { list: [{ x: 1 }] }]) {
      const error = errorOf(() => hexOf(codec, { always: 5, earlier: '', ...given }, 0));
      expect(error).toMatchObject({ code: 'UNSUPPORTED_VERSION', api: 'Metadata' });
      expect(error.message).toContain(`'${Object.keys(given)[0]}' can't be said in version 0`);
    }
  });

  it('must be given when every version has it and it has no default', () => {
    const error = errorOf(() => hexOf(codec, { earlier: '' } as never, 0));
    expect(error.message).toContain("'always' is missing");
  });
});

describe('a tagged field', () => {
  const codec = codecOf({
    a: string('2+', { tag: 1, tagged: '2+', nullable: '2+', default: null }),
    b: struct('2+', { x: int32('2+', { default: -1 }) }, { tag: 0, tagged: '2+' }),
    c: array('2+', int8('2+'), { tag: 2, tagged: '2+', nullable: '2+', default: null }),
    d: array('2+', int8('2+'), { tag: 3, tagged: '2+', nullable: '2+' }),
    e: int64('2+', { tag: 300, tagged: '2+', default: INT64_MAX }),
    f: uuid('2+', { tag: 5, tagged: '2+' }),
    g: bytes('2+', { tag: 6, tagged: '2+' }),
  });
  const defaults = { a: null, b: { x: -1 }, c: null, d: [], e: INT64_MAX, f: ZERO_UUID, g: Buffer.alloc(0) };

  it('is not written while it says no more than its default', () => {
    expect(hexOf(codec, {}, 2)).toBe('00');
    expect(hexOf(codec, defaults, 2)).toBe('00');
    expect(hexOf(codec, { b: {} }, 2)).toBe('00');
    expect(valueOf(codec, '00', 2)).toEqual(defaults);
  });

  it('is written in the order of the tags, each with its length', () => {
    const written = hexOf(codec, { a: 'z', b: { x: 1 }, c: [], d: null, e: 5, g: Buffer.from('ff', 'hex') }, 2);
    expect(written).toBe(
      hex(
        '06',
        '0005',
        '0000000100',
        '0102',
        '027a',
        '0201',
        '01',
        '0301',
        '00',
        '0602',
        '02ff',
        'ac0208',
        '0000000000000005',
      ),
    );
    expect(valueOf(codec, written, 2)).toEqual({
      ...defaults,
      a: 'z',
      b: { x: 1 },
      c: [],
      d: null,
      e: 5,
      g: Buffer.from('ff', 'hex'),
    });
  });

  it('that is not known is skipped', () => {
    expect(valueOf(codec, hex('02', '0102', '027a', '6303', 'aabbcc'), 2)).toEqual({ ...defaults, a: 'z' });
  });

  it('that leaves some of its bytes over is malformed', () => {
    const error = errorOf(() => valueOf(codec, hex('01', '0103', '027a', '00'), 2));
    expect(error.code).toBe('MALFORMED');
    expect(error.message).toContain("'a' 1 bytes are left over");
  });

  it('can not reach past its length', () => {
    const error = errorOf(() => valueOf(codec, hex('01', '0101', '05', '7a7a7a7a'), 2));
    expect(error.message).toContain("'a' 4 bytes wanted");
  });

  it('is refused by versions without tags when it says something', () => {
    expect(errorOf(() => hexOf(codec, { b: { x: 1 } }, 1)).code).toBe('UNSUPPORTED_VERSION');
  });
});

describe('the largest 64-bit number as a default', () => {
  const codec = codecOf({ limit: int64('0+', { default: INT64_MAX }), count: int64('0+') });

  it('is Infinity, both ways', () => {
    const written = hexOf(codec, { count: 1 }, 0);
    expect(written).toBe(hex('7fffffffffffffff', '0000000000000001'));
    expect(valueOf(codec, written, 0)).toEqual({ limit: INT64_MAX, count: 1 });
  });

  it('does not let other numbers beyond the safe integers in', () => {
    expect(errorOf(() => valueOf(codec, hex('7ffffffffffffffe', '0000000000000001'), 0)).code).toBe('MALFORMED');
    expect(errorOf(() => valueOf(codec, hex('0000000000000001', '7fffffffffffffff'), 0)).code).toBe('MALFORMED');
    expect(errorOf(() => hexOf(codec, { count: INT64_MAX }, 0)).code).toBe('INVALID_REQUEST');
  });
});

describe('an error', () => {
  const codec = codecOf({
    flag: bool('0+', { default: false }),
    topics: array('0+', {
      name: string('0+'),
      parts: array('0+', int32('0+')),
      blob: bytes('0+', { nullable: '0+', default: null }),
    }),
  });
  const topic = { name: 'a', parts: [1] };
  const problem = (value: unknown): string => errorOf(() => hexOf(codec, value as never, 1)).message;

  it('names the API, the version and the path of the field that can not be written', () => {
    expect(problem({ topics: [topic, { ...topic, parts: [1, 'two'] }] })).toBe(
      "INVALID_REQUEST (Metadata): version 1 of the request: 'topics[1].parts[1]' must be a whole number, -2147483648 to 2147483647, got a string",
    );
  });

  it.each([
    ['a message that is none', null, 'must be an object, got null'],
    ['a field that is missing', { topics: [{ name: 'a' }] }, "'topics[0].parts' is missing"],
    ['a struct that is none', { topics: ['a'] }, "'topics[0]' must be an object, got a string"],
    ['an array that is none', { topics: 'abc' }, "'topics' must be an array, got a string"],
    ['text that is none', { topics: [{ ...topic, name: 5 }] }, "'topics[0].name' must be a string, got a number"],
    [
      'text that is too long',
      { topics: [{ ...topic, name: 'x'.repeat(40_000) }] },
      "'topics[0].name' is 40000 bytes long",
    ],
    [
      'bytes that are none',
      { topics: [{ ...topic, blob: 'secret' }] },
      "'topics[0].blob' must be a Buffer, got a string",
    ],
    ['a flag that is none', { flag: 'no', topics: [] }, "'flag' must be true or false, got a string"],
  ])('tells of %s', (_what, value, words) => {
    expect(problem(value)).toContain(words);
  });

  it('names the path of the field that can not be read', () => {
    const error = errorOf(() =>
      valueOf(codec, hex('00', '00000002', '000161', '00000000', 'ffffffff', '7fff', '00000000000000000000'), 1),
    );
    expect(error.code).toBe('MALFORMED');
    expect(error.message).toContain("version 1 of the request: 'topics[1].name' 32767 bytes wanted at 18, 10 left");
  });

  it('names a version that is not spoken', () => {
    for (const version of [-1, 4, 1.5, Number.NaN]) {
      expect(errorOf(() => hexOf(codec, { topics: [] }, version)).code).toBe('UNSUPPORTED_VERSION');
      expect(errorOf(() => valueOf(codec, '', version)).message).toContain(`no version ${version} here, only 0 to 3`);
    }
  });

  it('of a hand-written codec names the field as well', () => {
    const careless = codecOf({ a: int8('0+'), b: string('0+') }, '2+', {
      encode: () => {
        throw new TypeError('something');
      },
      decode: (reader) => reader.take(1_000) as never,
    });
    expect(errorOf(() => hexOf(careless, { a: 1, b: 2 } as never, 1)).message).toContain("'b' must be a string");
    expect(errorOf(() => valueOf(careless, '01', 1)).message).toContain("'b' 2 bytes wanted");
    expect(errorOf(() => hexOf(careless, { a: 1, b: '' }, 1)).message).toContain('something');
  });
});

describe('an array bomb', () => {
  it('is refused before anything is made of it', () => {
    const codec = codecOf({ list: array('0+', { a: int32('0+'), b: array('0+', int64('0+')) }) });
    const claims = ['7fffffff', '00000002'].map((length) => length + '00'.repeat(15));
    for (const claim of claims) expect(errorOf(() => valueOf(codec, claim, 0)).code).toBe('MALFORMED');
    expect(errorOf(() => valueOf(codec, hex('ffffffff0f', '00'.repeat(16)), 2)).code).toBe('MALFORMED');
  });
});
