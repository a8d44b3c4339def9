/** A payload with what Kafka has beside it, as {@link KrafkaRecordBuilder} makes it; `send()` and `emit()` take it as data. */
export class KrafkaRecord<Value = unknown> {
  /** Serialized like any payload. */
  readonly value: Value;
  readonly key: unknown;
  readonly headers: Readonly<Record<string, unknown>> | undefined;
  readonly partition: number | undefined;
  readonly timestamp: number | undefined;
  /** The deadline of this one request in milliseconds; 0 for none. */
  readonly timeoutMs: number | undefined;
  /** Ends the waiting for this one request, or for the acknowledgement of this one event. */
  readonly signal: AbortSignal | undefined;

  constructor(parts: {
    value: Value;
    key?: unknown;
    headers?: Readonly<Record<string, unknown>> | undefined;
    partition?: number | undefined;
    timestamp?: number | undefined;
    timeoutMs?: number | undefined;
    signal?: AbortSignal | undefined;
  }) {
    this.value = parts.value;
    this.key = parts.key;
    this.headers = parts.headers;
    this.partition = parts.partition;
    this.timestamp = parts.timestamp;
    this.timeoutMs = parts.timeoutMs;
    this.signal = parts.signal;
  }
}

/**
 * Builds a {@link KrafkaRecord}, in the manner of Nest's own record builders.
 *
 * ```ts
 * client.send('orders.price', new KrafkaRecordBuilder({ sku }).setKey(sku).setHeaders({ tenant: 'a' }).setTimeout(2_000).build());
 * ```
 */
export class KrafkaRecordBuilder<Value = unknown> {
  #value: Value;
  #key: unknown;
  #headers: Readonly<Record<string, unknown>> | undefined;
  #partition: number | undefined;
  #timestamp: number | undefined;
  #timeoutMs: number | undefined;
  #signal: AbortSignal | undefined;

  constructor(value: Value) {
    this.#value = value;
  }

  /** The payload. */
  setValue(value: Value): this {
    this.#value = value;
    return this;
  }

  /** Decides the partition, and by that the order: records with the same key stay in line. Default none. */
  setKey(key: unknown): this {
    this.#key = key;
    return this;
  }

  /** Headers; an array repeats its name. */
  setHeaders(headers: Readonly<Record<string, unknown>>): this {
    this.#headers = headers;
    return this;
  }

  /** The partition to write to. Default: what the producer's partitioner says. */
  setPartition(partition: number): this {
    this.#partition = partition;
    return this;
  }

  /** Milliseconds since the epoch. Default: now. */
  setTimestamp(timestamp: number): this {
    this.#timestamp = timestamp;
    return this;
  }

  /** The deadline of this one request in milliseconds, in place of `requestTimeoutMs`; 0 for none. Not for `emit()`. */
  setTimeout(timeoutMs: number): this {
    this.#timeoutMs = timeoutMs;
    return this;
  }

  /** Ends this one `send()` with the signal's reason; for `emit()`, an event that has not left yet is not sent. */
  setSignal(signal: AbortSignal): this {
    this.#signal = signal;
    return this;
  }

  build(): KrafkaRecord<Value> {
    return new KrafkaRecord({
      value: this.#value,
      key: this.#key,
      headers: this.#headers,
      partition: this.#partition,
      timestamp: this.#timestamp,
      timeoutMs: this.#timeoutMs,
      signal: this.#signal,
    });
  }
}
