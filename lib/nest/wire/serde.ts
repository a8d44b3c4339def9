import { KrafkaConfigError, KrafkaSerializationError } from '../../core/support/index.js';
import type { ReceivedHeaders, RecordHeaders } from '../../core/protocol/index.js';

/** What a serde may look at besides the value: where it is written to. */
export interface SerializeContext {
  readonly topic: string;
  readonly headers: RecordHeaders;
}

/** What a serde may look at besides the bytes: where they were read from. */
export interface DeserializeContext {
  readonly topic: string;
  readonly headers: ReceivedHeaders;
}

/**
 * Both directions of a payload: values to bytes, bytes to values; either may take its time with a promise, order is kept.
 * Neither is called for null, which is a tombstone on both sides, nor for keys and headers.
 *
 * Throw a KrafkaSerializationError for what can never be read: an event then goes to its dead letters at once. Any other error
 * (a registry that is away) is retried by the failure policy.
 */
export interface KrafkaSerde {
  serialize(value: unknown, context: SerializeContext): Buffer | string | Promise<Buffer | string>;
  deserialize(bytes: Buffer, context: DeserializeContext): unknown;
}

/** Serdes by topic. A topic's holds for the replies to its requests too, unless `<topic>.reply` has its own. */
export interface SerdeOptions {
  /** For topics without a serde of their own. Default: text and JSON by the rules of Nest's Kafka transport. */
  readonly default?: KrafkaSerde | undefined;
  /** By the topic's name. */
  readonly topics?: Readonly<Record<string, KrafkaSerde>> | undefined;
}

/** Bytes in, bytes out: handlers are given a Buffer of their own, and whoever sends gives a Buffer or text. */
export const rawSerde: KrafkaSerde = Object.freeze({
  serialize(value: unknown): Buffer | string {
    if (typeof value === 'string' || Buffer.isBuffer(value)) return value;
    if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    throw new KrafkaSerializationError(`raw payloads are Buffers or text, not ${typeof value}`);
  },
  // Copied, so that keeping it doesn't keep the whole fetch response alive.
  deserialize: (bytes: Buffer): unknown => Buffer.from(bytes),
});

/** JSON and nothing else: payloads that are no JSON are refused, so that their events go to the dead letters at once. */
export const jsonSerde: KrafkaSerde = Object.freeze({
  serialize(value: unknown): string {
    const text = trying("a value can't be written as JSON", () => JSON.stringify(value) as string | undefined);
    if (text === undefined) throw new KrafkaSerializationError(`a ${typeof value} has no form in JSON`);
    return text;
  },
  deserialize: (bytes: Buffer, { topic }: DeserializeContext): unknown =>
    trying(`a payload of '${topic}' is no JSON`, () => JSON.parse(bytes.toString()) as unknown),
});

function trying<T>(problem: string, attempt: () => T): T {
  try {
    return attempt();
  } catch (error) {
    throw new KrafkaSerializationError(`${problem}: ${error instanceof Error ? error.message : String(error)}`, error);
  }
}

const isSerde = (value: unknown): value is KrafkaSerde =>
  typeof value === 'object' &&
  value !== null &&
  typeof (value as KrafkaSerde).serialize === 'function' &&
  typeof (value as KrafkaSerde).deserialize === 'function';

/** Checks the option `serde`: one for all topics, or {@link SerdeOptions}. @throws KrafkaConfigError with the path at fault */
export function checkSerdes(value: unknown, path: string): SerdeOptions {
  if (value === undefined) return {};
  if (isSerde(value)) return { default: value };
  if (typeof value !== 'object' || value === null) throw notASerde(path);
  const { default: fallback, topics = {}, ...others } = value as SerdeOptions;
  for (const name of Object.keys(others)) throw new KrafkaConfigError(`${path}.${name}`, 'is not known');
  if (fallback !== undefined && !isSerde(fallback)) throw notASerde(`${path}.default`);
  for (const [topic, serde] of Object.entries(topics)) if (!isSerde(serde)) throw notASerde(`${path}.topics.${topic}`);
  return { default: fallback, topics };
}

const notASerde = (path: string): KrafkaConfigError =>
  new KrafkaConfigError(path, 'must have serialize() and deserialize()');
