import { promisify } from 'node:util';
import type { CompressionCodec } from './codec.js';
import { chunkSize, outputLimit, zlibError } from './node-zlib.js';
import { boundZstdFrame } from './zstd-frame.js';
import { ZSTD_LEVELS } from './zstd-levels.js';

type Callback = (error: Error | null, bytes: Buffer) => void;

/** What Node's zlib has of zstd, from 22.15 on. */
export interface ZlibOfZstd {
  readonly constants: { readonly ZSTD_c_compressionLevel: number };
  zstdCompressSync(records: Buffer, options: object): Buffer;
  zstdCompress(records: Buffer, options: object, callback: Callback): void;
  zstdDecompressSync(compressed: Buffer, options: object): Buffer;
  zstdDecompress(compressed: Buffer, options: object, callback: Callback): void;
}

// Below these a trip to libuv's pool costs the event loop about as much as the work itself.
const COMPRESS_OFF_LOOP_BYTES = 16 * 1024;
const DECOMPRESS_OFF_LOOP_BYTES = 8 * 1024;
const DECOMPRESS_OFF_LOOP_OUTPUT = 256 * 1024;

/** Zstd by Node's own zlib, which bounds the output. */
export function zstdOfNode(zlib: ZlibOfZstd): CompressionCodec {
  const compress = promisify<Buffer, object, Buffer>(zlib.zstdCompress.bind(zlib));
  const decompress = promisify<Buffer, object, Buffer>(zlib.zstdDecompress.bind(zlib));
  return {
    name: 'zstd',
    id: 4,
    levels: ZSTD_LEVELS,

    compress(records, level = ZSTD_LEVELS.default) {
      const options = {
        params: { [zlib.constants.ZSTD_c_compressionLevel]: level },
        pledgedSrcSize: records.length,
        chunkSize: chunkSize(records.length),
      };
      return records.length < COMPRESS_OFF_LOOP_BYTES
        ? zlib.zstdCompressSync(records, options)
        : compress(records, options);
    },

    decompress(compressed, maxBytes) {
      const bound = boundZstdFrame(compressed, maxBytes);
      const options = { maxOutputLength: outputLimit(maxBytes), chunkSize: chunkSize(bound) };
      if (compressed.length >= DECOMPRESS_OFF_LOOP_BYTES || bound > DECOMPRESS_OFF_LOOP_OUTPUT) {
        return decompress(compressed, options).catch((error: unknown) => {
          throw zlibError('zstd', error, maxBytes);
        });
      }
      try {
        return zlib.zstdDecompressSync(compressed, options);
      } catch (error) {
        throw zlibError('zstd', error, maxBytes);
      }
    },
  };
}
