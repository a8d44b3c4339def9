import type { Transform } from 'node:stream';
import { KrafkaError } from '../../../support/index.js';
import type { CompressionCodec } from './codec.js';
import { decompressionLimit, malformedCompression } from './compression-errors.js';
import { nativeUnavailable } from './native.js';
import { boundZstdFrame } from './zstd-frame.js';
import { ZSTD_LEVELS } from './zstd-levels.js';

/** What is used of the package `@cloudpss/zstd`. Where its native module does not load, its wasm has no streams. */
export interface CloudpssZstd {
  compress(records: Buffer, level: number): Buffer;
  decompress(compressed: Buffer): Buffer;
  readonly Compressor?: new (level: number) => Transform;
  readonly Decompressor?: new () => Transform;
}

/**
 * Zstd by a native module, on the event loop: it has no threads of its own. It is an ES module, so that its first use
 * answers with a promise.
 *
 * The module's one-shot functions share one context among all threads of the process, so that only `mainThread` may
 * use them; the others use its streams, each of which has its own.
 */
export function zstdOfModule(load: () => Promise<CloudpssZstd>, mainThread: boolean): CompressionCodec {
  let loaded: CloudpssZstd | undefined;

  function use(work: (zstd: CloudpssZstd) => Buffer | Promise<Buffer>): Buffer | Promise<Buffer> {
    if (loaded !== undefined) return work(loaded);
    return load().then(
      (zstd) => {
        loaded = zstd;
        return work(zstd);
      },
      (cause: unknown) => {
        throw nativeUnavailable('@cloudpss/zstd', 'zstd', cause);
      },
    );
  }

  return {
    name: 'zstd',
    id: 4,
    levels: ZSTD_LEVELS,

    compress: (records, level = ZSTD_LEVELS.default) =>
      use((zstd) =>
        mainThread || zstd.Compressor === undefined
          ? zstd.compress(records, level)
          : through(new zstd.Compressor(level), [records], Number.MAX_SAFE_INTEGER),
      ),

    decompress(compressed, maxBytes) {
      const bound = boundZstdFrame(compressed, maxBytes);
      return use((zstd) => {
        if (zstd.Decompressor !== undefined && (!mainThread || bound > maxBytes)) {
          return through(new zstd.Decompressor(), slices(compressed), maxBytes).catch((error: unknown) => {
            throw error instanceof KrafkaError ? error : malformedCompression('zstd', (error as Error).message, error);
          });
        }
        // One-shot output is allocated by the bound: without streams, a frame that may be too large is one that is.
        if (bound > maxBytes) throw decompressionLimit('zstd', maxBytes, bound);
        try {
          return zstd.decompress(compressed);
        } catch (error) {
          throw malformedCompression('zstd', (error as Error).message, error);
        }
      });
    },
  };
}

// A block of four bytes may stand for 128 KiB, and all that one write makes comes before anybody can stop it.
const SLICE_BYTES = 256;

function* slices(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += SLICE_BYTES) yield bytes.subarray(at, at + SLICE_BYTES);
}

/** Sends pieces through a stream; stops it as soon as more than `maxBytes` have come out. */
async function through(stream: Transform, pieces: Iterable<Buffer>, maxBytes: number): Promise<Buffer> {
  const out: Buffer[] = [];
  let total = 0;
  stream.on('data', (bytes: Buffer) => {
    total += bytes.length;
    if (total <= maxBytes) out.push(bytes);
    else stream.destroy(decompressionLimit('zstd', maxBytes));
  });
  const ended = new Promise<void>((resolve, reject) => {
    stream.once('end', resolve);
    stream.once('error', reject);
  });
  // Both of the stream's ends are in this function's hand: it writes no faster than it reads, on one thread.
  for (const piece of pieces) {
    if (stream.destroyed) break;
    if (!stream.write(piece)) await Promise.race([new Promise((resolve) => stream.once('drain', resolve)), ended]);
  }
  stream.end();
  await ended;
  return Buffer.concat(out, total);
}
