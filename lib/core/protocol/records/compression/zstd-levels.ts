import type { CompressionLevels } from './codec.js';

/** The Java client's levels of zstd, without the negative ones that its module here does not take. */
export const ZSTD_LEVELS: CompressionLevels = { least: 1, most: 22, default: 3 };
