import type { CompressionCodec } from './codec.js';
import { malformedCompression } from './compression-errors.js';
import { boundLz4Frame } from './lz4-frame.js';
import { NativeModule } from './native.js';

/** What is used of the package `lz4-napi`: the LZ4 frame format. */
interface Lz4 {
  compressFrameSync(input: Buffer): Buffer;
  compressFrame(input: Buffer): Promise<Buffer>;
  decompressFrameSync(input: Buffer): Buffer;
  decompressFrame(input: Buffer): Promise<Buffer>;
}

const native = new NativeModule<Lz4>('lz4-napi', 'lz4');

// LZ4 runs at 500 MB/s and more: below these a trip to libuv's pool costs the event loop about as much as the
// work itself.
const COMPRESS_OFF_LOOP_BYTES = 32 * 1024;
const DECOMPRESS_OFF_LOOP_BYTES = 128 * 1024;

/**
 * The LZ4 frame format with independent blocks, as the Java client reads and writes it. It has no levels here.
 *
 * The native decoder neither bounds its output nor minds a frame that is cut off or followed by something, so the
 * frame is walked before it gets there.
 */
export const lz4Codec: CompressionCodec = {
  name: 'lz4',
  id: 3,

  compress(records) {
    const lz4 = native.get();
    return records.length < COMPRESS_OFF_LOOP_BYTES ? lz4.compressFrameSync(records) : lz4.compressFrame(records);
  },

  decompress(compressed, maxBytes) {
    const bound = boundLz4Frame(compressed, maxBytes);
    const lz4 = native.get();
    if (bound >= DECOMPRESS_OFF_LOOP_BYTES) return lz4.decompressFrame(compressed).catch(refused);
    try {
      return lz4.decompressFrameSync(compressed);
    } catch (error) {
      return refused(error);
    }
  },
};

function refused(error: unknown): never {
  throw malformedCompression('lz4', (error as Error).message, error);
}
