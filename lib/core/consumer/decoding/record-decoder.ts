import type { ConsumerRecord } from '../../protocol/index.js';
import { KrafkaSerializationError } from '../../support/index.js';
import { DecodedRecord } from './decoded-record.js';
import type { Deserializer, UndecodablePolicy } from './deserializer.js';
import { Undecodable } from './undecodable.js';

export interface RecordDecoderOptions {
  readonly keyDeserializer: Deserializer<unknown> | undefined;
  readonly valueDeserializer: Deserializer<unknown> | undefined;
  readonly policy: UndecodablePolicy;
  /** Hears of each record that can't be read. */
  readonly onUndecodable: (record: ConsumerRecord, error: KrafkaSerializationError) => void;
}

/** What became of a key or a value that can't be read. */
class Unread {
  readonly cause: unknown;

  constructor(cause: unknown) {
    this.cause = cause;
  }
}

const isPromise = (value: unknown): value is Promise<unknown> =>
  typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';

/** Reads keys and values by the deserializers a consumer was given, and knows what becomes of what can't be read. */
export class RecordDecoder {
  readonly #options: RecordDecoderOptions;

  constructor(options: RecordDecoderOptions) {
    this.#options = options;
  }

  /**
   * The record as it is handed out; undefined when it is to be skipped. At once, unless a deserializer takes its time.
   *
   * @throws Undecodable where the policy is to fail; a promise rejects with it
   */
  decode(record: ConsumerRecord): DecodedRecord | undefined | Promise<DecodedRecord | undefined> {
    const { keyDeserializer, valueDeserializer } = this.#options;
    // Both are read whatever comes of one: a promise of the other would be left with nobody who hears of its failure.
    const key = keyDeserializer === undefined ? record.key : read(keyDeserializer, record, 'key');
    const value = valueDeserializer === undefined ? record.value : read(valueDeserializer, record, 'value');
    return isPromise(key) || isPromise(value) ? this.#await(record, key, value) : this.#decoded(record, key, value);
  }

  async #await(record: ConsumerRecord, key: unknown, value: unknown): Promise<DecodedRecord | undefined> {
    const [readKey, readValue] = await Promise.allSettled([key, value]);
    return this.#decoded(record, outcomeOf(readKey), outcomeOf(readValue));
  }

  #decoded(record: ConsumerRecord, key: unknown, value: unknown): DecodedRecord | undefined {
    if (key instanceof Unread) return this.#refused(record, 'key', key.cause, null, value);
    if (value instanceof Unread) return this.#refused(record, 'value', value.cause, key, null);
    return new DecodedRecord(record, key, value);
  }

  #refused(
    record: ConsumerRecord,
    part: 'key' | 'value',
    cause: unknown,
    key: unknown,
    value: unknown,
  ): DecodedRecord | undefined {
    const { policy, onUndecodable } = this.#options;
    const { topic, partition, offset } = record;
    const problem = cause instanceof Error ? cause.message : String(cause);
    const error = new KrafkaSerializationError(
      `the ${part} at topic '${topic}' partition ${partition} offset ${offset} can't be deserialized: ${problem}`,
      cause,
    );
    onUndecodable(record, error);
    if (policy === 'fail') throw new Undecodable(error);
    return policy === 'skip'
      ? undefined
      : new DecodedRecord(record, key, value instanceof Unread ? null : value, error);
  }
}

/** What a deserializer makes of a key or a value, or promises to; {@link Unread} where it throws. */
function read(deserializer: Deserializer<unknown>, record: ConsumerRecord, part: 'key' | 'value'): unknown {
  const bytes = record[part];
  if (bytes === null) return null;
  try {
    return deserializer.deserialize(bytes, { topic: record.topic, part, headers: record.headers });
  } catch (error) {
    return new Unread(error);
  }
}

const outcomeOf = (result: PromiseSettledResult<unknown>): unknown =>
  result.status === 'fulfilled' ? result.value : new Unread(result.reason);
