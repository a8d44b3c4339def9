import { KrafkaError, KrafkaSerializationError, type Clock, type Logger } from '../../support/index.js';
import type { ProducerInterceptor } from '../interceptor.js';
import type { Meter } from '../meter.js';
import type { ProducerConfig } from '../options.js';
import type { ProducerRecord, RecordContent, RecordMetadata } from '../record.js';
import type { SerializationContext, Serializer } from '../serializer.js';
import type { EncodableRecord } from './encoder.js';
import { isContent, wrongContent } from './record-checks.js';

/** Everything that is the user's own code on a record's way: interceptors and serializers. */
export class Preparation<Key, Value> {
  /** False when a record goes out as it was given: the way without any of this. */
  readonly isNeeded: boolean;
  readonly #interceptors: readonly ProducerInterceptor<Key, Value>[];
  readonly #keySerializer: Serializer<Key> | undefined;
  readonly #valueSerializer: Serializer<Value> | undefined;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #meter: Meter;

  constructor(
    config: Pick<ProducerConfig<Key, Value>, 'interceptors' | 'keySerializer' | 'valueSerializer'>,
    ports: { readonly clock: Clock; readonly logger: Logger },
    meter: Meter,
  ) {
    this.#interceptors = config.interceptors;
    this.#keySerializer = config.keySerializer;
    this.#valueSerializer = config.valueSerializer;
    this.isNeeded =
      config.interceptors.length > 0 || config.keySerializer !== undefined || config.valueSerializer !== undefined;
    this.#clock = ports.clock;
    this.#logger = ports.logger;
    this.#meter = meter;
  }

  /** Whether somebody wants to hear what became of each record. */
  get hearsOutcomes(): boolean {
    return this.#interceptors.some((interceptor) => interceptor.onAcknowledgement !== undefined);
  }

  /** Whether there is anybody to change a record before it is checked. */
  get intercepts(): boolean {
    return this.#interceptors.length > 0;
  }

  /**
   * The record as the interceptors would have it. When one of them throws, those before it hear of that as the outcome.
   *
   * @throws KrafkaError INTERCEPTOR, its cause what one of them threw
   */
  intercept(record: ProducerRecord<Key, Value>): ProducerRecord<Key, Value> {
    let current = record;
    for (const [place, interceptor] of this.#interceptors.entries()) {
      if (interceptor.onSend === undefined) continue;
      let next: ProducerRecord<Key, Value>;
      try {
        next = interceptor.onSend(current);
      } catch (cause) {
        throw this.#brokenOff(place, current, `threw: ${messageOf(cause)}`, cause);
      }
      if (typeof next !== 'object' || next === null) {
        throw this.#brokenOff(place, current, 'answered with no record');
      }
      current = next;
    }
    return current;
  }

  /** Tells the interceptors what became of a record. */
  acknowledge(record: ProducerRecord<Key, Value>, outcome: RecordMetadata | Error): void {
    this.#tell(this.#interceptors, record, outcome);
  }

  #brokenOff(place: number, record: ProducerRecord<Key, Value>, problem: string, cause?: unknown): KrafkaError {
    const error = new KrafkaError(`a producer interceptor ${problem}`, { code: 'INTERCEPTOR', cause });
    this.#tell(this.#interceptors.slice(0, place), record, error);
    return error;
  }

  #tell(
    interceptors: readonly ProducerInterceptor<Key, Value>[],
    record: ProducerRecord<Key, Value>,
    outcome: RecordMetadata | Error,
  ): void {
    for (const interceptor of interceptors) {
      try {
        if (outcome instanceof Error) interceptor.onAcknowledgement?.({ error: outcome }, record);
        else interceptor.onAcknowledgement?.({ metadata: outcome }, record);
      } catch (error) {
        this.#meter.interceptorErrors++;
        this.#logger.warn('a producer interceptor threw on an acknowledgement', { error: messageOf(error) });
      }
    }
  }

  /**
   * The record with its contents serialized; a promise when a serializer takes time.
   *
   * @throws KrafkaSerializationError, its cause what a serializer threw
   */
  serialize(record: ProducerRecord<Key, Value>): EncodableRecord | Promise<EncodableRecord> {
    const { topic, headers } = record;
    const timestamp = record.timestamp ?? this.#clock.now();
    const key = serializeWith(this.#keySerializer, record.key ?? null, { topic, part: 'key', headers });
    let value: RecordContent | Promise<RecordContent>;
    try {
      value = serializeWith(this.#valueSerializer, record.value, { topic, part: 'value', headers });
    } catch (error) {
      // Nobody waits for the key any more, which must not be told to the process as a rejection that nobody handles.
      if (key instanceof Promise) key.catch(() => undefined);
      throw error;
    }
    if (key instanceof Promise || value instanceof Promise) {
      return Promise.all([key, value]).then((contents) => ({
        key: contents[0],
        value: contents[1],
        headers,
        timestamp,
      }));
    }
    return { key, value, headers, timestamp };
  }
}

function serializeWith<T>(
  serializer: Serializer<T> | undefined,
  content: T | null,
  context: SerializationContext,
): RecordContent | Promise<RecordContent> {
  const checked = (serialized: unknown): RecordContent => {
    if (!isContent(serialized)) throw wrongContent(context.topic, context.part, serialized);
    return serialized;
  };
  const failed = (cause: unknown): never => {
    throw new KrafkaSerializationError(
      `the serializer of a ${context.part} for topic '${context.topic}' failed: ${messageOf(cause)}`,
      cause,
    );
  };
  // A null is no content: a tombstone must stay one, whatever the serializer makes of null.
  if (content === null || serializer === undefined) return checked(content);
  let serialized: RecordContent | Promise<RecordContent>;
  try {
    serialized = serializer.serialize(content, context);
  } catch (cause) {
    return failed(cause);
  }
  return isThenable(serialized) ? Promise.resolve(serialized).then(checked, failed) : checked(serialized);
}

function isThenable(value: unknown): value is PromiseLike<RecordContent> {
  return typeof (value as PromiseLike<unknown> | null)?.then === 'function';
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
