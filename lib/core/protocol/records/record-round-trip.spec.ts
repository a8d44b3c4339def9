import * as fc from 'fast-check';
import { KrafkaError } from '../../support/index.js';
import {
  batchesIn,
  codecOf,
  decodeBatch,
  NO_STAMP,
  verifyBatch,
  type HeaderValue,
  type ReceivedHeaders,
} from './index.js';
import { builderOf, errorOf, place, recordsIn, type TestRecord } from './spec-support/batches.js';

const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 60 }), fc.string({ maxLength: 300 }));
const content = fc.option(
  fc.oneof(
    text,
    fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes)),
  ),
);
const headers = fc.option(fc.dictionary(text, fc.oneof(content, fc.array(content, { maxLength: 3 })), { maxKeys: 4 }), {
  nil: undefined,
});
const timestamp = fc.oneof(fc.integer({ min: 1.7e12, max: 1.7e12 + 5_000 }), fc.integer({ min: -1, max: 2 ** 53 - 1 }));
const records = fc.array(fc.record<TestRecord>({ timestamp, key: content, value: content, headers }), {
  minLength: 1,
  maxLength: 100,
});
const codec = fc.constantFrom('none', 'gzip', 'snappy', 'lz4', 'zstd');

// Jest compares buffers one element after the other, which takes its time.
const hex = (bytes: Buffer | null): string | null => bytes?.toString('hex') ?? null;
const bytesOf = (given: HeaderValue | undefined): Buffer | null =>
  (given ?? null) === null ? null : Buffer.from(given as string);

/** What the headers given become on the wire: text is UTF-8, whatever it was before, and an empty array is nothing. */
function expectedHeaders(given: TestRecord['headers']): Record<string, (Buffer | null)[]> {
  const expected = Object.create(null) as Record<string, (Buffer | null)[]>;
  for (const [name, value] of Object.entries(given ?? {})) {
    const values = (Array.isArray(value) ? value : [value]) as HeaderValue[];
    if (values.length > 0) (expected[Buffer.from(name).toString()] ??= []).push(...values.map(bytesOf));
  }
  return expected;
}

const inHex = (all: ReceivedHeaders): [string, (string | null)[]][] =>
  Object.entries(all).map(([name, value]) => [name, [value].flat().map((one) => hex(one))]);

describe('any records', () => {
  it('come back as they were given, through every codec', async () => {
    await fc.assert(
      fc.asyncProperty(records, codec, async (given, name) => {
        const builder = builderOf(given);
        await builder.compress(codecOf(name));
        const bytes = Buffer.concat(builder.seal(NO_STAMP));
        verifyBatch(bytes);
        const received = await recordsIn(bytes);
        expect(received).toHaveLength(given.length);
        for (const [index, record] of received.entries()) {
          const { timestamp: at, key, value, headers: of } = given[index] as TestRecord;
          expect(record).toMatchObject({ offset: index, timestamp: at });
          expect(hex(record.key)).toBe(hex(bytesOf(key)));
          expect(hex(record.value)).toBe(hex(bytesOf(value)));
          expect(inHex(record.headers)).toEqual(inHex(expectedHeaders(of)));
          expect(inHex(record.detach().headers)).toEqual(inHex(record.headers));
        }
      }),
      { numRuns: 100 },
    );
  });
});

describe('a batch with any of its bytes changed', () => {
  const limit = 1 << 16;
  const change = fc.record({ at: fc.nat(), to: fc.integer({ min: 0, max: 255 }) });
  const changes = fc.array(change, { minLength: 1, maxLength: 4 });
  const cut = fc.option(fc.nat(), { nil: undefined });

  it('is read as something or refused by a typed error, and hands out no more than it holds', async () => {
    await fc.assert(
      fc.asyncProperty(records, codec, changes, cut, async (given, name, mutations, cutAt) => {
        const builder = builderOf(given);
        await builder.compress(codecOf(name));
        const whole = Buffer.concat(builder.seal(NO_STAMP));
        const bytes = Buffer.from(cutAt === undefined ? whole : whole.subarray(0, cutAt % whole.length));
        for (const { at, to } of mutations) if (bytes.length > 0) bytes[at % bytes.length] = to;
        const read = async (): Promise<void> => {
          for (const batch of batchesIn(bytes, place)) {
            const found = await decodeBatch(batch, { ...place, maxDecompressedBytes: limit });
            expect(found.length * 7).toBeLessThanOrEqual(Math.max(limit, bytes.length));
            let total = 0;
            for (const { key, value, headers: all } of found) {
              total += (key?.length ?? 0) + (value?.length ?? 0);
              for (const one of Object.values(all).flat() as (Buffer | null)[]) total += one?.length ?? 0;
            }
            expect(total).toBeLessThanOrEqual(Math.max(limit, bytes.length));
          }
        };
        const outcome = await read().catch((error: unknown) => error);
        if (outcome !== undefined) {
          expect(outcome).toBeInstanceOf(KrafkaError);
          expect(outcome).toMatchObject({
            code: expect.stringMatching(
              /^(MALFORMED|DECOMPRESSION_LIMIT|UNSUPPORTED_COMPRESSION_TYPE|UNSUPPORTED_FOR_MESSAGE_FORMAT)$/,
            ),
          });
        }
      }),
      { numRuns: 400 },
    );
  });

  it('is told by its checksum', async () => {
    await fc.assert(
      fc.asyncProperty(records, fc.nat(), fc.integer({ min: 1, max: 255 }), async (given, at, mask) => {
        const bytes = Buffer.concat(builderOf(given).seal(NO_STAMP));
        const changed = 21 + (at % (bytes.length - 21));
        bytes[changed] = (bytes[changed] as number) ^ mask;
        expect((await errorOf(() => verifyBatch(bytes))).code).toBe('CORRUPT_MESSAGE');
      }),
      { numRuns: 100 },
    );
  });
});
