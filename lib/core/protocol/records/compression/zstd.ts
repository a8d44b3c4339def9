import { isMainThread } from 'node:worker_threads';
import type { Transform } from 'node:stream';
import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import type { CompressionCodec } from './codec.js';
import { decompressionLimit, malformedCompression } from './compression-errors.js';
import { nativeUnavailable } from './native.js';
import { boundZstdFrames } from './zstd-frame.js';

const LEVELS = { least: 1, most: 22, default: 3 };

/** What Node's zlib has of zstd from 22.15 on; the types of Node 20 do not know it. */
interface ZlibZstd {
  readonly constants: { readonly ZSTD_c_compressionLevel: number };
  zstdCompressSync?(records: Buffer, options: object): Buffer;
  zstdCompress(records: Buffer, options: object, callback: (error: Error | null, bytes: Buffer) => void): void;
  zstdDecompressSync(compressed: Buffer, options: object): Buffer;
  zstdDecompress(compressed: Buffer, options: object, callback: (error: Error | null, bytes: Buffer) => void): void;
}

/** What is used of the package `@cloudpss/zstd`, for a Node without zstd. Its wasm twin has no streams. */
interface CloudpssZstd {
  readonly TYPE: 'napi' | 'wasm';
  compress(records: Buffer, level: number): Buffer;
  decompress(compressed: Buffer): Buffer;
  readonly Compressor?: new (level: number) => Transform;
  readonly Decompressor?: new () => Transform;
}

// Below these a trip to libuv's pool costs more than it frees of the event loop.
const COMPRESS_OFF_LOOP_BYTES = 4 * 1024;
const DECOMPRESS_OFF_LOOP_BYTES = 64 * 1024;

const CHUNK_BYTES = { least: 4 * 1024, most: 256 * 1024 };

/** Zstd by Node's own zlib, off the event loop and bounded by it. */
function zstdOfNode(node: ZlibZstd & { zstdCompressSync(records: Buffer, options: object): Buffer }): CompressionCodec {
  const compress = promisify<Buffer, object, Buffer>(node.zstdCompress);
  const decompress = promisify<Buffer, object, Buffer>(node.zstdDecompress);
  return {
    name: 'zstd',
    id: 4,
    levels: LEVELS,
    compress(records, level = LEVELS.default) {
      const options = {
        params: { [node.constants.ZSTD_c_compressionLevel]: level },
        pledgedSrcSize: records.length,
        chunkSize: chunkSize(records.length),
      };
      return records.length < COMPRESS_OFF_LOOP_BYTES
        ? node.zstdCompressSync(records, options)
        : compress(records, options);
    },
    decompress(compressed, maxBytes) {
      const bound = boundZstdFrames(compressed, maxBytes);
      const options = { maxOutputLength: Math.max(1, maxBytes), chunkSize: chunkSize(bound) };
      if (bound >= DECOMPRESS_OFF_LOOP_BYTES) {
        return decompress(compressed, options).catch((error: unknown) => {
          throw named(error, maxBytes);
        });
      }
      try {
        return node.zstdDecompressSync(compressed, options);
      } catch (error) {
        throw named(error, maxBytes);
      }
    },
  };
}

/**
 * Zstd by a native module, on the event loop. The module is an ES module, so its first use answers with a promise.
 *
 * Its one-shot functions share one context among all threads of the process: only the main thread may use them, the
 * others use its streams, which have their own.
 */
function zstdOfModule(load: () => Promise<CloudpssZstd>): CompressionCodec {
  let loaded: CloudpssZstd | undefined;
  const use = (work: (zstd: CloudpssZstd) => Buffer | Promise<Buffer>): Buffer | Promise<Buffer> =>
    loaded === undefined
      ? load().then(
          (zstd) => work((loaded = zstd)),
          (cause: unknown) => {
            throw nativeUnavailable('@cloudpss/zstd', 'zstd', cause);
          },
        )
      : work(loaded);
  return {
    name: 'zstd',
    id: 4,
    levels: LEVELS,
    compress: (records, level = LEVELS.default) =>
      use((zstd) =>
        isMainThread || zstd.Compressor === undefined
          ? zstd.compress(records, level)
          : through(new zstd.Compressor(level), [records], Number.MAX_SAFE_INTEGER),
      ),
    decompress(compressed, maxBytes) {
      const bound = boundZstdFrames(compressed, maxBytes);
      return use((zstd) => {
        if (zstd.Decompressor === undefined || (isMainThread && bound <= maxBytes)) {
          if (bound > maxBytes) throw decompressionLimit('zstd', maxBytes, bound);
          try {
            return zstd.decompress(compressed);
          } catch (error) {
            throw named(error, maxBytes);
          }
        }
        return through(new zstd.Decompressor(), slices(compressed), maxBytes).catch((error: unknown) => {
          throw named(error, maxBytes);
        });
      });
    },
  };
}

// A block of four bytes may stand for 128 KiB: what one write can make must stay small beside the limit.
const SLICE_BYTES = 256;

function* slices(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += SLICE_BYTES) yield bytes.subarray(at, at + SLICE_BYTES);
}

/** Sends pieces through a stream, never keeping more than `maxBytes` of what comes out. */
async function through(stream: Transform, pieces: Iterable<Buffer>, maxBytes: number): Promise<Buffer> {
  const out: Buffer[] = [];
  let total = 0;
  const writing = (async () => {
    for (const piece of pieces) {
      if (stream.destroyed) return;
      if (!stream.write(piece))
        await new Promise<void>((resolve) => stream.once('drain', resolve).once('close', resolve));
    }
    stream.end();
  })();
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    total += chunk.length;
    if (total > maxBytes) throw decompressionLimit('zstd', maxBytes);
    out.push(chunk);
  }
  await writing;
  return Buffer.concat(out, total);
}

function chunkSize(bytes: number): number {
  return Math.min(CHUNK_BYTES.most, Math.max(CHUNK_BYTES.least, bytes));
}

function named(error: unknown, maxBytes: number): Error {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'DECOMPRESSION_LIMIT') return error as Error;
  return code === 'ERR_BUFFER_TOO_LARGE'
    ? decompressionLimit('zstd', maxBytes)
    : malformedCompression('zstd', message, error);
}

const node = zlib as unknown as ZlibZstd;

/** RFC 8878. Levels 1 (fast) to 22 (small), default 3. By Node's zlib from 22.15 on, else by `@cloudpss/zstd`. */
export const zstdCodec: CompressionCodec =
  node.zstdCompressSync === undefined
    ? zstdOfModule(() => import('@cloudpss/zstd') as Promise<unknown> as Promise<CloudpssZstd>)
    : zstdOfNode(node as Required<ZlibZstd>);
