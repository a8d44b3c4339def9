// What the two codecs of Node's zlib, gzip and zstd, have in common.
import { decompressionLimit, malformedCompression } from './compression-errors.js';

const LEAST_CHUNK = 4 * 1024;
const MOST_CHUNK = 256 * 1024;

/** What zlib answers when it is asked for `info`: how much of the input it used tells whether something followed. */
export interface ZlibResult {
  readonly buffer: Buffer;
  readonly engine: { readonly bytesWritten: number };
}

/** The size of the pieces that zlib writes into: one that holds everything saves putting pieces together. */
export function chunkSize(expectedBytes: number): number {
  return Math.min(MOST_CHUNK, Math.max(LEAST_CHUNK, expectedBytes));
}

/** Zlib refuses a limit of zero. */
export function outputLimit(maxBytes: number): number {
  return Math.max(1, maxBytes);
}

/** The output, when it used up its input: zlib takes no offence at what follows. */
export function whole(codec: string, { buffer, engine }: ZlibResult, compressed: Buffer): Buffer {
  const rest = compressed.length - engine.bytesWritten;
  if (rest !== 0) throw malformedCompression(codec, `${rest} bytes follow the compressed records`);
  return buffer;
}

/** An error of zlib by the name it has here. */
export function zlibError(codec: string, error: unknown, maxBytes: number): Error {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === 'ERR_BUFFER_TOO_LARGE'
    ? decompressionLimit(codec, maxBytes)
    : malformedCompression(codec, message, error);
}
