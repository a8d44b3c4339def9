/** Kafka's names of the ways to compress a batch (`compression.type`), each at the place of its id. */
export const COMPRESSION_NAMES = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;

/** Kafka's name of a way to compress a batch (`compression.type`). */
export type CompressionName = (typeof COMPRESSION_NAMES)[number];

/** The levels that a codec takes. */
export interface CompressionLevels {
  readonly least: number;
  readonly most: number;
  readonly default: number;
}

/**
 * One way to compress the records of a batch. Built-ins exist for all five names; one of yours takes a built-in's
 * place under its name: brokers and the other clients must be able to read what it writes.
 *
 * Both directions may answer at once or with a promise: small batches are not worth a trip to another thread.
 */
export interface CompressionCodec {
  readonly name: CompressionName;
  /** Kafka's number for it, in the lowest three bits of a batch's attributes. */
  readonly id: number;
  /** The levels it takes; undefined when it has none, and then a level is refused. */
  readonly levels?: CompressionLevels | undefined;
  /** Compresses the records of one batch, which stay in place and unchanged until it has answered. */
  compress(records: Buffer, level?: number): Buffer | Promise<Buffer>;
  /**
   * The opposite. More than `maxBytes` is refused before it is allocated, and bytes that are not exactly one whole
   * piece of the format are an error.
   */
  decompress(compressed: Buffer, maxBytes: number): Buffer | Promise<Buffer>;
}
