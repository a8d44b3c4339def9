import { isMainThread } from 'node:worker_threads';
import * as zlib from 'node:zlib';
import type { CompressionCodec } from './codec.js';
import { zstdOfModule, type CloudpssZstd } from './zstd-of-module.js';
import { zstdOfNode, type ZlibOfZstd } from './zstd-of-node.js';

/** RFC 8878. Levels 1 (fast) to 22 (small), default 3. By Node's zlib from 22.15 on, else by `@cloudpss/zstd`. */
export const zstdCodec: CompressionCodec =
  'zstdCompressSync' in zlib
    ? zstdOfNode(zlib as unknown as ZlibOfZstd)
    : zstdOfModule(() => import('@cloudpss/zstd') as Promise<unknown> as Promise<CloudpssZstd>, isMainThread);
