import {
  checkCompressionLevel,
  codecOf,
  codecs,
  COMPRESSION_NAMES,
  type CompressionCodec,
  type CompressionName,
} from '../protocol/index.js';
import {
  aBoolean,
  aDuration,
  aFunction,
  aListOf,
  anObjectWith,
  aString,
  aWhole,
  checkOptions,
  KrafkaConfigError,
  oneOf,
  optional,
  withDefault,
  type OptionRule,
} from '../support/index.js';
import type { ProducerInterceptor } from './interceptor.js';
import type { Partitioner, PartitionerName, PartitionFunction } from './partitioner/partitioner.js';
import type { RecordContent } from './record.js';
import type { Serializer } from './serializer.js';

/** How much a producer holds that is not yet acknowledged, and how long a send waits for room. */
export interface AccumulatorConfig {
  /**
   * Bytes that records not yet acknowledged may take: their batches' buffers, and what the callers who await them take (512 a
   * `send`, 64 a record of a `sendAll`). Default 32 MiB.
   */
  readonly bufferMemory?: number;
  /** One budget for everything `send()` waits for before its record is in a batch: metadata and memory. Default 5,000 ms. */
  readonly maxBlockMs?: number;
}

/** How a producer works. Every option has a default; the whole is checked once, and unknown keys are refused. */
export interface ProducerOptions<Key = RecordContent, Value = RecordContent> {
  /** Who must have a batch before it counts as written: all in-sync replicas, the leader (1), or nobody (0). Default 'all'. */
  readonly acks?: 'all' | 1 | 0;
  /**
   * Whether the broker sorts out repeats and order by producer id and sequence (KIP-98). Needs `acks: 'all'`. Default: true
   * with `acks: 'all'`, else false.
   */
  readonly idempotent?: boolean;
  /** Bytes at which a batch is full. Default 64 KiB. */
  readonly batchSize?: number;
  /** How long a batch that is not full waits for company. 0: until the end of the turn of the event loop. Default 5 ms. */
  readonly lingerMs?: number;
  /** The name of a codec, or one of yours in place of the built-in one of its name. Default 'none'. */
  readonly compression?: CompressionName | CompressionCodec;
  /** On the codec's own scale; refused where the codec has none. Default: the codec's. */
  readonly compressionLevel?: number;
  /** From `send()` being accepted to its outcome, retries included. Default 120,000 ms. */
  readonly deliveryTimeoutMs?: number;
  /** How long one Produce request waits for its answer. Default 30,000 ms. */
  readonly requestTimeoutMs?: number;
  /** The most bytes in one Produce request, and so in one record. Default 1 MiB. */
  readonly maxRequestSize?: number;
  /**
   * Produce requests under way at once on one connection; 5 at most when idempotent, and no more than the connection's own
   * `maxInFlight`. Default 5.
   */
  readonly maxInFlight?: number;
  /** Wait before the first retry, doubling up to a second (KIP-580). Default 100 ms. */
  readonly retryBackoffMs?: number;
  /**
   * The name under which this producer does transactions, of which only one producer is the owner at a time: a newer one fences
   * the older. Default: no transactions.
   */
  readonly transactionalId?: string;
  /** How long a transaction may be open before its coordinator aborts it. Only with `transactionalId`. Default 60,000 ms. */
  readonly transactionTimeoutMs?: number;
  /** Default 'default'. */
  readonly partitioner?: PartitionerName | Partitioner | PartitionFunction;
  /** Default: keys are strings, Buffers or null. */
  readonly keySerializer?: Serializer<Key>;
  /** Default: values are strings, Buffers or null. */
  readonly valueSerializer?: Serializer<Value>;
  /** Called around each record, in order. Default: none. */
  readonly interceptors?: readonly ProducerInterceptor<Key, Value>[];
  /** Memory for what is not yet acknowledged, and how long a send may wait for it. */
  readonly accumulator?: AccumulatorConfig;
}

/** {@link ProducerOptions} checked and complete. */
export interface ProducerConfig<Key = RecordContent, Value = RecordContent> {
  readonly acks: 'all' | 1 | 0;
  readonly idempotent: boolean;
  readonly batchSize: number;
  readonly lingerMs: number;
  /** Undefined: batches are not compressed. */
  readonly codec: CompressionCodec | undefined;
  readonly compressionLevel: number | undefined;
  readonly deliveryTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly maxRequestSize: number;
  readonly maxInFlight: number;
  readonly retryBackoffMs: number;
  readonly transactionalId: string | undefined;
  readonly transactionTimeoutMs: number;
  readonly partitioner: PartitionerName | Partitioner | PartitionFunction;
  readonly keySerializer: Serializer<Key> | undefined;
  readonly valueSerializer: Serializer<Value> | undefined;
  readonly interceptors: readonly ProducerInterceptor<Key, Value>[];
  readonly accumulator: Readonly<Required<AccumulatorConfig>>;
}

/** The part of it that has nothing to do with what is sent. */
export type SendingConfig = Omit<ProducerConfig, 'partitioner' | 'keySerializer' | 'valueSerializer' | 'interceptors'>;

/** The most idempotent batches of a partition that a broker remembers, and so the most in flight (KIP-98). */
const MAX_IDEMPOTENT_IN_FLIGHT = 5;

/** The largest a retry's wait grows to. */
export const MAX_RETRY_BACKOFF_MS = 1_000;

const TRANSACTION_TIMEOUT_MS = 60_000;

const KIB = 1024;
const MIB = 1024 * KIB;

/** The last record batch's size must fit the protocol's signed 32-bit lengths, with room for what is around it. */
const MOST_BYTES = 1024 * MIB;

/** Checks the options of a producer as a whole. @throws KrafkaConfigError naming the option, `path` in front */
export function checkProducerOptions<Key, Value>(
  given: ProducerOptions<Key, Value> | undefined,
  path = 'producer',
): ProducerConfig<Key, Value> {
  const { compression, ...config } = checkOptions<GivenConfig<Key, Value>>(
    given,
    {
      acks: withDefault(oneOf<'all' | 1 | 0>('all', 1, 0), 'all'),
      idempotent: optional(aBoolean),
      batchSize: withDefault(aWhole('bytes', 1, MOST_BYTES), 64 * KIB),
      lingerMs: withDefault(aDuration(0), 5),
      compression: withDefault(aCodec, undefined),
      compressionLevel: optional(aWhole('compression level', 0)),
      deliveryTimeoutMs: withDefault(aDuration(1), 120_000),
      requestTimeoutMs: withDefault(aDuration(1), 30_000),
      maxRequestSize: withDefault(aWhole('bytes', 1, MOST_BYTES), MIB),
      maxInFlight: withDefault(aWhole('requests', 1), 5),
      retryBackoffMs: withDefault(aDuration(1, MAX_RETRY_BACKOFF_MS), 100),
      transactionalId: optional(aString),
      transactionTimeoutMs: optional(aDuration(1)),
      partitioner: withDefault(aPartitioner, 'default'),
      keySerializer: optional(anObjectWith<Serializer<Key>>('serialize')),
      valueSerializer: optional(anObjectWith<Serializer<Value>>('serialize')),
      interceptors: withDefault(aListOf(anInterceptor<Key, Value>), []),
      accumulator: (value, at) =>
        checkOptions<Required<AccumulatorConfig>>(
          value,
          {
            bufferMemory: withDefault(aWhole('bytes', 1), 32 * MIB),
            maxBlockMs: withDefault(aDuration(0), 5_000),
          },
          at,
        ),
    },
    path,
  );
  const option = (name: keyof ProducerOptions): string => (path === '' ? name : `${path}.${name}`);

  if (config.idempotent === true && config.acks !== 'all') {
    throw new KrafkaConfigError(option('idempotent'), `needs acks 'all', not ${config.acks}`);
  }
  const idempotent = config.idempotent ?? config.acks === 'all';
  if (config.transactionalId !== undefined && !idempotent) {
    throw new KrafkaConfigError(option('transactionalId'), `needs acks 'all' and an idempotent producer`);
  }
  if (config.transactionTimeoutMs !== undefined && config.transactionalId === undefined) {
    throw new KrafkaConfigError(option('transactionTimeoutMs'), 'has no meaning without transactionalId');
  }
  if (idempotent && config.maxInFlight > MAX_IDEMPOTENT_IN_FLIGHT) {
    throw new KrafkaConfigError(option('maxInFlight'), `must be at most ${MAX_IDEMPOTENT_IN_FLIGHT} when idempotent`);
  }
  if (config.deliveryTimeoutMs < config.lingerMs + config.requestTimeoutMs) {
    throw new KrafkaConfigError(
      option('deliveryTimeoutMs'),
      `of ${config.deliveryTimeoutMs} must be at least lingerMs + the producer's own requestTimeoutMs, ${config.lingerMs} + ${config.requestTimeoutMs}`,
    );
  }
  if (config.batchSize > config.maxRequestSize) {
    throw new KrafkaConfigError(
      option('batchSize'),
      `of ${config.batchSize} can't be more than maxRequestSize, ${config.maxRequestSize}`,
    );
  }
  if (config.batchSize > config.accumulator.bufferMemory) {
    throw new KrafkaConfigError(
      option('batchSize'),
      `of ${config.batchSize} can't be more than accumulator.bufferMemory, ${config.accumulator.bufferMemory}`,
    );
  }
  if (config.compressionLevel !== undefined) {
    checkCompressionLevel(compression ?? codecOf('none'), config.compressionLevel, option('compressionLevel'));
  }
  const transactionTimeoutMs = config.transactionTimeoutMs ?? TRANSACTION_TIMEOUT_MS;
  return Object.freeze({ ...config, idempotent, transactionTimeoutMs, codec: compression });
}

/** The options as they were given, each checked by itself. */
interface GivenConfig<Key, Value> extends Omit<
  ProducerConfig<Key, Value>,
  'idempotent' | 'codec' | 'transactionTimeoutMs'
> {
  readonly transactionTimeoutMs: number | undefined;
  readonly idempotent: boolean | undefined;
  readonly compression: CompressionCodec | undefined;
}

const aCodec: OptionRule<CompressionCodec | undefined> = (value, path) => {
  if (typeof value === 'object' && value !== null) {
    const codec = anObjectWith<CompressionCodec>('compress', 'decompress')(value, path);
    return codecs.with([codec], path).of(codec.id);
  }
  const name = oneOf(...COMPRESSION_NAMES)(value, path);
  return name === 'none' ? undefined : codecOf(name);
};

const PARTITIONERS = ['default', 'uniform-sticky', 'round-robin'] as const;

const aPartitioner: OptionRule<PartitionerName | Partitioner | PartitionFunction> = (value, path) => {
  if (typeof value === 'function') return aFunction<PartitionFunction>(value, path);
  if (typeof value === 'object') return anObjectWith<Partitioner>('partition')(value, path);
  return oneOf(...PARTITIONERS)(aString(value, path), path);
};

function anInterceptor<Key, Value>(value: unknown, path: string): ProducerInterceptor<Key, Value> {
  if (typeof value !== 'object' || value === null) throw new KrafkaConfigError(path, 'must be an object');
  const interceptor = value as ProducerInterceptor<Key, Value>;
  for (const method of ['onSend', 'onAcknowledgement'] as const) {
    if (interceptor[method] !== undefined) aFunction(interceptor[method], `${path}.${method}`);
  }
  if (interceptor.onSend === undefined && interceptor.onAcknowledgement === undefined) {
    throw new KrafkaConfigError(path, 'must have onSend or onAcknowledgement');
  }
  return interceptor;
}
