import * as fc from 'fast-check';
import {
  checkCompressionLevel,
  codecOf,
  codecs,
  COMPRESSION_NAMES,
  CompressionCodecs,
  compressionNameOf,
  type CompressionCodec,
  type CompressionName,
} from './index.js';
import { NativeModule } from './native.js';

const mine: CompressionCodec = { name: 'lz4', id: 3, compress: (bytes) => bytes, decompress: (bytes) => bytes };

describe('the codecs', () => {
  it('are found by name and by id, and know both', () => {
    for (const [id, name] of COMPRESSION_NAMES.entries()) {
      expect(codecOf(name)).toBe(codecOf(id));
      expect(codecOf(name)).toMatchObject({ name, id });
      expect(compressionNameOf(id)).toBe(name);
    }
  });

  it.each([5, 7, -1, 'brotli' as CompressionName])('of the unknown name or id %p are refused by name', (unknown) => {
    const unsupported = expect.objectContaining({ code: 'UNSUPPORTED_COMPRESSION_TYPE' });
    expect(() => codecOf(unknown)).toThrow(unsupported);
    if (typeof unknown === 'number') expect(() => compressionNameOf(unknown)).toThrow(unsupported);
  });

  it('of yours take the place of the built-in ones in a set of their own', () => {
    const own = codecs.with([mine]);
    expect(own).toBeInstanceOf(CompressionCodecs);
    expect(own.of('lz4')).toBe(mine);
    expect(own.of('gzip')).toBe(codecOf('gzip'));
    expect(codecOf('lz4')).not.toBe(mine);
  });

  it.each([
    [{ ...mine, id: 4 }],
    [{ ...mine, id: 5 }],
    [{ ...mine, name: 'none' as const, id: 0 }],
    [{ ...mine, name: 'lz5' as CompressionName, id: 5 }],
  ])('of yours that Kafka cannot know are refused by option: %p', (codec) => {
    expect(() => codecs.with([codec], 'producer.codecs')).toThrow(
      expect.objectContaining({ code: 'INVALID_CONFIG', option: 'producer.codecs' }),
    );
  });

  it('give back what they were given, whatever it is', async () => {
    const anything = fc.oneof(
      fc.uint8Array({ maxLength: 3_000 }),
      fc
        .tuple(fc.string({ minLength: 1, maxLength: 30 }), fc.integer({ min: 1, max: 2_000 }))
        .map(([text, times]) => Buffer.from(text.repeat(times))),
    );
    await fc.assert(
      fc.asyncProperty(anything, fc.constantFrom(...COMPRESSION_NAMES), async (bytes, name) => {
        const codec = codecOf(name);
        const content = Buffer.from(bytes);
        const back = await codec.decompress(await codec.compress(content), content.length);
        expect(back.equals(content)).toBe(true);
      }),
      { numRuns: 150 },
    );
  });

  it('refuse more than they may make', async () => {
    for (const name of COMPRESSION_NAMES) {
      const codec = codecOf(name);
      const bytes = await codec.compress(Buffer.alloc(50_000, 'x'));
      await expect((async () => codec.decompress(bytes, 49_999))()).rejects.toMatchObject({
        code: 'DECOMPRESSION_LIMIT',
      });
    }
  });
});

describe('a compression level', () => {
  it('is checked against what the codec takes', () => {
    expect(checkCompressionLevel(codecOf('gzip'), 9)).toBe(9);
    expect(checkCompressionLevel(codecOf('zstd'), 22)).toBe(22);
    expect(checkCompressionLevel(codecOf('lz4'), undefined)).toBeUndefined();
  });

  it.each([
    ['gzip', 0],
    ['gzip', 10],
    ['gzip', 1.5],
    ['zstd', 23],
    ['zstd', '3' as unknown as number],
    ['lz4', 1],
    ['snappy', 1],
    ['none', 1],
  ] as const)('that would be ignored or wrong is refused: %s %p', (name, level) => {
    expect(() => checkCompressionLevel(codecOf(name), level, 'producer.compressionLevel')).toThrow(
      expect.objectContaining({ code: 'INVALID_CONFIG', option: 'producer.compressionLevel' }),
    );
  });

  it('changes what gzip makes', async () => {
    const content = Buffer.from(Array.from({ length: 3_000 }, (_, index) => ((index * index) >>> 3) % 61));
    const fast = await codecOf('gzip').compress(content, 1);
    const small = await codecOf('gzip').compress(content, 9);
    expect(small.length).toBeLessThan(fast.length);
  });
});

describe('a native module that does not load', () => {
  it('is named by a typed error, each time it is wanted and not before', () => {
    const missing = new NativeModule('a-native-module-that-nobody-has', 'lz4');
    for (let time = 0; time < 2; time++) {
      expect(() => missing.get()).toThrow(
        expect.objectContaining({
          code: 'UNSUPPORTED_COMPRESSION_TYPE',
          message: expect.stringContaining("'a-native-module-that-nobody-has'"),
          cause: expect.anything(),
        }),
      );
    }
  });
});
