import { createRequire } from 'node:module';
import { unsupportedCompression } from './compression-errors.js';

const require = createRequire(import.meta.url);

/** A native module that is loaded at its first use, so that a codec nobody uses need not work on this machine. */
export class NativeModule<T> {
  readonly #name: string;
  readonly #codec: string;
  #loaded: T | undefined;

  constructor(name: string, codec: string) {
    this.#name = name;
    this.#codec = codec;
  }

  /** The module's exports; an `UNSUPPORTED_COMPRESSION_TYPE` error when it cannot be loaded. */
  get(): T {
    if (this.#loaded === undefined) {
      try {
        this.#loaded = require(this.#name) as T;
      } catch (cause) {
        throw nativeUnavailable(this.#name, this.#codec, cause);
      }
    }
    return this.#loaded;
  }
}

/** The error of a codec whose native module does not load here. */
export function nativeUnavailable(name: string, codec: string, cause: unknown): Error {
  return unsupportedCompression(
    `'${codec}' needs the native module '${name}', which does not load on ${process.platform}-${process.arch} ` +
      `with Node ${process.version}: install it (npm leaves optional native packages out with --no-optional), ` +
      `or hand in a codec of your own`,
    cause,
  );
}
