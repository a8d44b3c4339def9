import { promisify } from 'node:util';
import { gunzip, gunzipSync, gzip, gzipSync, type ZlibOptions } from 'node:zlib';
import type { CompressionCodec } from './codec.js';
import { chunkSize, outputLimit, whole, zlibError, type ZlibResult } from './node-zlib.js';

const LEVELS = { least: 1, most: 9, default: 6 };

// Below these a trip to libuv's pool costs the event loop about as much as the work itself.
const COMPRESS_OFF_LOOP_BYTES = 4 * 1024;
const DECOMPRESS_OFF_LOOP_BYTES = 8 * 1024;
const DECOMPRESS_OFF_LOOP_OUTPUT = 64 * 1024;

// `info` makes zlib answer with more than its types say.
const gunzipInfo = promisify(gunzip) as unknown as (bytes: Buffer, options: ZlibOptions) => Promise<ZlibResult>;
const gunzipInfoSync = gunzipSync as unknown as (bytes: Buffer, options: ZlibOptions) => ZlibResult;
const gzipAsync = promisify<Buffer, ZlibOptions, Buffer>(gzip);

/** RFC 1952, by Node's zlib, which bounds the output. Levels 1 (fast) to 9 (small), default 6. */
export const gzipCodec: CompressionCodec = {
  name: 'gzip',
  id: 1,
  levels: LEVELS,

  compress(records, level = LEVELS.default) {
    const options = { level, chunkSize: chunkSize(records.length) };
    return records.length < COMPRESS_OFF_LOOP_BYTES ? gzipSync(records, options) : gzipAsync(records, options);
  },

  decompress(compressed, maxBytes) {
    const declared = declaredSize(compressed);
    const options = { info: true, maxOutputLength: outputLimit(maxBytes), chunkSize: chunkSize(declared) };
    if (compressed.length >= DECOMPRESS_OFF_LOOP_BYTES || declared >= DECOMPRESS_OFF_LOOP_OUTPUT) {
      return gunzipInfo(compressed, options).then(
        (result) => whole('gzip', result, compressed),
        (error: unknown) => {
          throw zlibError('gzip', error, maxBytes);
        },
      );
    }
    let result: ZlibResult;
    try {
      result = gunzipInfoSync(compressed, options);
    } catch (error) {
      throw zlibError('gzip', error, maxBytes);
    }
    return whole('gzip', result, compressed);
  },
};

/** The size that the trailer claims, modulo 2^32: only a hint, nothing is allocated by it alone. */
function declaredSize(compressed: Buffer): number {
  return compressed.length < 18 ? 0 : compressed.readUInt32LE(compressed.length - 4);
}
