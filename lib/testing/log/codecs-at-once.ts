import { createRequire } from 'node:module';
import * as zlib from 'node:zlib';
import {
  codecs,
  codecOf,
  type CompressionCodec,
  type CompressionCodecs,
  type CompressionName,
} from '../../core/protocol/index.js';
import { KrafkaError } from '../../core/support/index.js';

const require = createRequire(import.meta.url);

interface Snappy {
  uncompressSync(input: Buffer): Buffer;
}
interface Lz4 {
  decompressFrameSync(input: Buffer): Buffer;
}
interface Zstd {
  decompress(input: Buffer): Buffer;
}
type NodeZstd = typeof zlib & { readonly zstdDecompressSync?: (input: Buffer, options: zlib.ZlibOptions) => Buffer };

const XERIAL_MAGIC = Buffer.from('\x82SNAPPY\0', 'latin1');
const XERIAL_HEADER_BYTES = 16;

function unsnappy(compressed: Buffer): Buffer {
  const snappy = require('snappy') as Snappy;
  if (compressed.compare(XERIAL_MAGIC, 0, XERIAL_MAGIC.length, 0, XERIAL_MAGIC.length) !== 0) {
    return snappy.uncompressSync(compressed);
  }
  const blocks: Buffer[] = [];
  for (let at = XERIAL_HEADER_BYTES; at < compressed.length;) {
    const length = compressed.readInt32BE(at);
    blocks.push(snappy.uncompressSync(compressed.subarray(at + 4, at + 4 + length)));
    at += 4 + length;
  }
  return Buffer.concat(blocks);
}

const { zstdDecompressSync } = zlib as NodeZstd;
let zstdModule: Zstd | undefined;

/** Loads what can only be loaded with a wait: zstd, where this Node has none of its own. */
export async function loadCodecs(): Promise<void> {
  if (zstdDecompressSync !== undefined || zstdModule !== undefined) return;
  try {
    zstdModule = (await import('@cloudpss/zstd')) as unknown as Zstd;
  } catch {
    // Without it zstd can be stored and handed out all the same; only a look at the records says that it is missing.
  }
}

function unzstd(compressed: Buffer, maxOutputLength: number): Buffer {
  if (zstdDecompressSync !== undefined) return zstdDecompressSync(compressed, { maxOutputLength });
  if (zstdModule === undefined) {
    throw new KrafkaError("to look at zstd records '@cloudpss/zstd' must be installed, or Node be 22.15 or newer", {
      code: 'UNSUPPORTED_COMPRESSION_TYPE',
    });
  }
  return zstdModule.decompress(compressed);
}

const UNPACK: Readonly<Partial<Record<CompressionName, (compressed: Buffer, maxBytes: number) => Buffer>>> = {
  gzip: (compressed, maxOutputLength) => zlib.gunzipSync(compressed, { maxOutputLength }),
  snappy: unsnappy,
  lz4: (compressed) => (require('lz4-napi') as Lz4).decompressFrameSync(compressed),
  zstd: unzstd,
};

const withUnpack = (name: CompressionName): CompressionCodec => {
  const codec = codecOf(name);
  const decompress = UNPACK[name] as CompressionCodec['decompress'];
  return { name, id: codec.id, compress: (records, level) => codec.compress(records, level), decompress };
};

let made: CompressionCodecs | undefined;

/**
 * Codecs that never answer with a promise, so that a test can look at a topic's records in one line. They do not
 * bound what they unpack as the client's do: what they read is what the test itself wrote.
 */
export function codecsAtOnce(): CompressionCodecs {
  made ??= codecs.with((Object.keys(UNPACK) as CompressionName[]).map(withUnpack));
  return made;
}
