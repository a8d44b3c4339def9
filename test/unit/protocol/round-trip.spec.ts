import { isDeepStrictEqual } from 'node:util';
import * as fc from 'fast-check';
import type { Arbitrary } from 'fast-check';
import {
  APIS,
  Fetch,
  Metadata,
  OffsetFetch,
  Produce,
  Reader,
  Writer,
  type Api,
  type MessageCodec,
} from '../../../lib/core/protocol/index.js';
import { KrafkaProtocolError } from '../../../lib/core/support/index.js';
import { spoiled, text, valuesOf } from './arbitrary-values.js';
import { tableCodec, type Side } from './wire-vectors.js';

type Codec = MessageCodec<unknown, unknown>;

function bytesOf(codec: Codec, value: unknown, version: number): Buffer {
  const writer = new Writer(8);
  codec.encode(writer, value, version);
  return writer.toBuffer();
}

/** The bytes in hex, or the code of the error that came instead. */
function outcomeOf(codec: Codec, value: unknown, version: number): string {
  try {
    return bytesOf(codec, value, version).toString('hex');
  } catch (error) {
    if (error instanceof KrafkaProtocolError) return error.message;
    throw error;
  }
}

describe('primitives', () => {
  it('read any unsigned varint as it was written, in as few bytes as it takes', () => {
    fc.assert(
      fc.property(fc.oneof(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.nat(300)), (value) => {
        const writer = new Writer(1);
        writer.unsignedVarint(value);
        const bytes = writer.toBuffer();
        expect(bytes.length).toBe(Math.max(1, Math.ceil(value.toString(2).length / 7)));
        expect(new Reader(bytes).unsignedVarint()).toBe(value);
      }),
    );
  });

  it('read any safe integer as it was written, in the bytes of a 64-bit one', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (value) => {
        const writer = new Writer(1);
        writer.int64(value);
        const bytes = writer.toBuffer();
        expect(bytes.readBigInt64BE()).toBe(BigInt(value));
        expect(new Reader(bytes).int64()).toBe(value);
      }),
    );
  });

  it('read any text as it was written, in both forms', () => {
    fc.assert(
      fc.property(text(), fc.boolean(), (value, compact) => {
        const writer = new Writer(1);
        writer.string(value, compact);
        const reader = new Reader(writer.toBuffer());
        expect(reader.string(compact)).toBe(value);
        expect(reader.remaining).toBe(0);
      }),
    );
  });

  it('write half a surrogate pair as the replacement character', () => {
    const writer = new Writer(1);
    writer.string('a\ud800b', true);
    expect(new Reader(writer.toBuffer()).string(true)).toBe('a\ufffdb');
  });
});

/** A version of a message, and a value that it can say. */
function cases(api: Api, side: Side): Arbitrary<readonly [version: number, value: Record<string, unknown>]> {
  const byVersion = Array.from({ length: api.versions.to - api.versions.from + 1 }, (_, index) => {
    const version = api.versions.from + index;
    return valuesOf(api.tables[side], version).map((value) => [version, value] as const);
  });
  return fc.oneof(...byVersion);
}

const sides: readonly Side[] = ['request', 'response'];

describe.each([...APIS.values()].map((api) => [api.name, api] as const))('any %s', (_name, api) => {
  it.each(sides)('is read as it was written, the same by hand and by table: the %s', (side) => {
    const byTable = tableCodec(api, side);
    fc.assert(
      fc.property(cases(api, side), ([version, value]) => {
        const bytes = bytesOf(api[side], value, version);
        const reader = new Reader(bytes);
        const read = api[side].decode(reader, version);
        expect(isDeepStrictEqual(read, value)).toBe(true);
        expect(reader.remaining).toBe(0);
        expect(bytesOf(byTable, value, version).equals(bytes)).toBe(true);
      }),
      { numRuns: 40 },
    );
  });
});

describe.each([Produce, Fetch, Metadata, OffsetFetch].map((api) => [api.name, api as Api] as const))(
  'any %s with a field spoiled',
  (_name, api) => {
    const replacements = [
      undefined,
      null,
      '',
      'text',
      -1,
      1.5,
      2 ** 40,
      Number.NaN,
      true,
      [],
      {},
      [null],
      Buffer.alloc(2),
    ];

    it.each(sides)('is written or refused by name, the same by hand and by table: the %s', (side) => {
      const byTable = tableCodec(api, side);
      const { from, to } = api.versions;
      const spoiledCases = fc.tuple(
        fc.integer({ min: from, max: to }),
        cases(api, side),
        fc.nat(200),
        fc.constantFrom<unknown>(...replacements),
      );
      fc.assert(
        fc.property(spoiledCases, ([version, [, value], at, replacement]) => {
          const wrong = spoiled(value, at, replacement);
          expect(outcomeOf(api[side], wrong, version)).toBe(outcomeOf(byTable, wrong, version));
        }),
        { numRuns: 300 },
      );
    });
  },
);
