import type { ConsumerRecord } from '../../core/protocol/index.js';
import { matches, type TopicPattern } from '../topic-name.js';
import { parseHeaders, parseValue, parseValueOf } from './incoming-value.js';
import { asMessage, toOutgoingRecord, type OutgoingRecord } from './outgoing-record.js';
import type { KrafkaSerde, SerdeOptions } from './serde.js';

/** A serializer as Nest's Kafka transport takes it: payloads to `{ key, value, headers }`. */
export interface NestSerializer {
  serialize(value: unknown, options?: Record<string, unknown>): unknown;
}

/** A deserializer as Nest's Kafka transport takes it: parsed messages to packets, of which `data` or `response` is the payload. */
export interface NestDeserializer {
  deserialize(value: unknown, options?: Record<string, unknown>): unknown;
}

/** How payloads become bytes and are made of them. */
export interface PayloadOptions {
  readonly serde?: SerdeOptions | undefined;
  readonly serializer?: NestSerializer | undefined;
  readonly deserializer?: NestDeserializer | undefined;
}

/** Replies, retries and dead letters of a topic are written as its records are. */
const COMPANION = /^(.+?)(\.reply|-retry-\d+|-dlt)$/;

/**
 * Payloads to and from bytes, for servers and clients alike: by a topic's serde where it has one, by the application's own Nest
 * serializers where there are some, else by the rules of Nest's Kafka transport. A promise is answered only when somebody's
 * serializer makes one.
 */
export class Payloads {
  readonly #byTopic: ReadonlyMap<string, KrafkaSerde>;
  readonly #default: KrafkaSerde | undefined;
  readonly #serializer: NestSerializer | undefined;
  readonly #deserializer: NestDeserializer | undefined;
  readonly #isPlain: boolean;

  constructor({ serde = {}, serializer, deserializer }: PayloadOptions = {}) {
    this.#byTopic = new Map(Object.entries(serde.topics ?? {}));
    this.#default = serde.default;
    this.#serializer = serializer;
    this.#deserializer = deserializer;
    this.#isPlain = this.#byTopic.size === 0 && serde.default === undefined && deserializer === undefined;
  }

  /** The payload of a record; a promise where a serializer makes one. @throws whatever the serializer throws */
  decode(record: ConsumerRecord): unknown {
    if (this.#isPlain) return parseValueOf(record);
    const serde = this.#of(record.topic);
    if (serde !== undefined) {
      const { topic, headers, value } = record;
      return value === null ? null : serde.deserialize(value, { topic, headers });
    }
    if (this.#deserializer === undefined) return parseValueOf(record);
    return then(this.#deserializer.deserialize(viewOf(record), { channel: record.topic }), payloadOf);
  }

  /**
   * What a payload becomes on a topic; a promise where a serializer makes one.
   *
   * @throws KrafkaSerializationError when something in it has no form as bytes, and whatever the serializer throws
   */
  encode(topic: string, data: unknown): OutgoingRecord | Promise<OutgoingRecord> {
    const serde = this.#of(topic);
    if (serde !== undefined) {
      const message = asMessage(data);
      const { value } = message;
      const bare = toOutgoingRecord({ ...message, value: null });
      if (value === null || value === undefined) return bare;
      return then(serde.serialize(value, { topic, headers: bare.headers }), (bytes) => ({
        ...bare,
        value: bytes as Buffer | string,
      }));
    }
    if (this.#serializer === undefined) return toOutgoingRecord(data);
    return then(this.#serializer.serialize(data, { pattern: topic }), toOutgoingRecord);
  }

  /** Whether a serde reads what is in a topic of this pattern: then what its bytes look like tells nothing. */
  isSerdes(pattern: TopicPattern): boolean {
    if (typeof pattern === 'string') return this.#of(pattern) !== undefined;
    return this.#default !== undefined || [...this.#byTopic.keys()].some((topic) => matches(pattern, topic));
  }

  #of(topic: string): KrafkaSerde | undefined {
    if (this.#byTopic.size > 0) {
      const own = this.#byTopic.get(topic) ?? this.#byTopic.get(COMPANION.exec(topic)?.[1] ?? '');
      if (own !== undefined) return own;
    }
    return this.#default;
  }
}

/** True for what has to be awaited. */
export const isPromise = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' && value !== null && typeof (value as PromiseLike<unknown>).then === 'function';

function then<Result>(value: unknown, use: (value: unknown) => Result): Result | Promise<Result> {
  return isPromise(value) ? Promise.resolve(value).then(use) : use(value);
}

const viewOf = ({ topic, partition, offset, timestamp, key, value, headers }: ConsumerRecord): object => ({
  topic,
  partition,
  offset: String(offset),
  timestamp: String(timestamp),
  key: parseValue(key),
  value: parseValue(value),
  headers: parseHeaders(headers),
});

// Nest's packets: `data` of a request or an event, `response` of a reply.
function payloadOf(packet: unknown): unknown {
  if (typeof packet !== 'object' || packet === null) return packet;
  if ('data' in packet) return packet.data;
  return 'response' in packet ? packet.response : packet;
}
