import { promisify } from 'node:util';
import { gunzip, gunzipSync, gzip, gzipSync, type ZlibOptions } from 'node:zlib';
import type { CompressionCodec } from './codec.js';
import { decompressionLimit, malformedCompression } from './compression-errors.js';

const gzipAsync = promisify<Buffer, ZlibOptions, Buffer>(gzip);
const gunzipAsync = promisify<Buffer, ZlibOptions, Buffer>(gunzip);

// Below these a trip to libuv's pool costs more than it frees of the event loop.
const COMPRESS_OFF_LOOP_BYTES = 2 * 1024;
const DECOMPRESS_OFF_LOOP_BYTES = 8 * 1024;

const CHUNK_BYTES = { least: 4 * 1024, most: 256 * 1024 };

/** RFC 1952, by Node's zlib. Levels 1 (fast) to 9 (small), default 6 as in zlib. */
export const gzipCodec: CompressionCodec = {
  name: 'gzip',
  id: 1,
  levels: { least: 1, most: 9, default: 6 },

  compress(records, level) {
    const options = { level: level ?? 6, chunkSize: chunkSize(records.length) };
    return records.length < COMPRESS_OFF_LOOP_BYTES ? gzipSync(records, options) : gzipAsync(records, options);
  },

  decompress(compressed, maxBytes) {
    const options = { maxOutputLength: Math.max(1, maxBytes), chunkSize: chunkSize(declaredSize(compressed)) };
    if (compressed.length >= DECOMPRESS_OFF_LOOP_BYTES) {
      return gunzipAsync(compressed, options).catch((error: unknown) => {
        throw named(error, maxBytes);
      });
    }
    try {
      return gunzipSync(compressed, options);
    } catch (error) {
      throw named(error, maxBytes);
    }
  },
};

/** The size the trailer claims (modulo 2^32): only a hint for the size of the pieces zlib writes into. */
function declaredSize(compressed: Buffer): number {
  return compressed.length < 18 ? 0 : compressed.readUInt32LE(compressed.length - 4);
}

function chunkSize(bytes: number): number {
  return Math.min(CHUNK_BYTES.most, Math.max(CHUNK_BYTES.least, bytes));
}

function named(error: unknown, maxBytes: number): Error {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === 'ERR_BUFFER_TOO_LARGE'
    ? decompressionLimit('gzip', maxBytes)
    : malformedCompression('gzip', message, error);
}
