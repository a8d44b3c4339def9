import { KrafkaError, KrafkaProtocolError } from '../../../support/index.js';

/** The compressed bytes are not what the codec's format allows. */
export function malformedCompression(codec: string, problem: string, cause?: unknown): KrafkaProtocolError {
  return new KrafkaProtocolError('MALFORMED', `${codec}: ${problem}`, { cause });
}

/** The bytes would grow beyond the limit: a mistake of its writer, or a decompression bomb. */
export function decompressionLimit(codec: string, maxBytes: number, claimed?: number): KrafkaProtocolError {
  const size = claimed === undefined ? 'more' : `${claimed} bytes, more`;
  return new KrafkaProtocolError(
    'DECOMPRESSION_LIMIT',
    `${codec}: the records of one batch decompress to ${size} than the ${maxBytes} bytes of maxDecompressedBytes`,
  );
}

/** No codec, or none that works on this machine, goes by that name or id. */
export function unsupportedCompression(problem: string, cause?: unknown): KrafkaProtocolError {
  return new KrafkaProtocolError('UNSUPPORTED_COMPRESSION_TYPE', problem, { cause });
}

/** The codec could not compress what it was given. What is an error of this library already stays what it is. */
export function compressionFailed(codec: string, cause: unknown): KrafkaError {
  if (cause instanceof KrafkaError) return cause;
  const problem = cause instanceof Error ? cause.message : String(cause);
  return new KrafkaError(`the compression codec '${codec}' failed: ${problem}`, { code: 'COMPRESSION', cause });
}
