import { KrafkaConfigError, nearestOf } from '../../../support/index.js';
import { COMPRESSION_NAMES, type CompressionCodec, type CompressionName } from './codec.js';
import { unsupportedCompression } from './compression-errors.js';
import { gzipCodec } from './gzip.js';
import { lz4Codec } from './lz4.js';
import { noneCodec } from './none.js';
import { snappyCodec } from './snappy.js';
import { zstdCodec } from './zstd.js';

/** The name of a compression id; one that Kafka does not know is an `UNSUPPORTED_COMPRESSION_TYPE` error. */
export function compressionNameOf(id: number): CompressionName {
  const name = COMPRESSION_NAMES[id];
  if (name === undefined) throw unsupportedCompression(`there is no compression type ${id}`);
  return name;
}

/** The codec of each name. Immutable: {@link with} answers a set of its own. */
export class CompressionCodecs {
  readonly #byId: readonly CompressionCodec[];

  constructor(codecs: readonly CompressionCodec[]) {
    const byId: CompressionCodec[] = [];
    for (const codec of codecs) byId[codec.id] = codec;
    this.#byId = byId;
  }

  /** The codec of a name or an id; an `UNSUPPORTED_COMPRESSION_TYPE` error when there is none. */
  of(nameOrId: CompressionName | number): CompressionCodec {
    const codec = this.#byId[typeof nameOrId === 'number' ? nameOrId : COMPRESSION_NAMES.indexOf(nameOrId)];
    if (codec === undefined) throw unsupportedCompression(`there is no compression type '${nameOrId}'`);
    return codec;
  }

  /** A set in which the codecs given take the place of those of the same name; `option` names them in errors. */
  with(custom: readonly CompressionCodec[], option = 'codecs'): CompressionCodecs {
    for (const codec of custom) {
      if (COMPRESSION_NAMES[codec.id] !== codec.name || codec.id === 0) {
        throw new KrafkaConfigError(
          option,
          `has a codec '${codec.name}' with id ${codec.id}; Kafka knows gzip 1, snappy 2, lz4 3 and zstd 4`,
          nearestOf(codec.name, COMPRESSION_NAMES),
        );
      }
    }
    return new CompressionCodecs([...this.#byId, ...custom]);
  }
}

/** The built-in codecs. Native modules behind them are loaded at their first use. */
export const codecs = new CompressionCodecs([noneCodec, gzipCodec, snappyCodec, lz4Codec, zstdCodec]);

/** The built-in codec of a name or an id. */
export function codecOf(nameOrId: CompressionName | number): CompressionCodec {
  return codecs.of(nameOrId);
}

/**
 * Holds a compression level against what the codec takes and answers it, or undefined where none was given.
 * A level for a codec that has none is a `KrafkaConfigError`, not ignored; `option` names it there.
 */
export function checkCompressionLevel(
  codec: CompressionCodec,
  level: number | undefined,
  option = 'compressionLevel',
): number | undefined {
  if (level === undefined) return undefined;
  const levels = codec.levels;
  if (levels === undefined) throw new KrafkaConfigError(option, `cannot be given: '${codec.name}' has no levels`);
  if (!Number.isInteger(level) || level < levels.least || level > levels.most) {
    throw new KrafkaConfigError(
      option,
      `must be a whole number from ${levels.least} to ${levels.most} with '${codec.name}'`,
    );
  }
  return level;
}
