import type { ReceivedHeaders } from '../../protocol/index.js';

/** What a deserializer may look at besides the bytes. */
export interface DeserializationContext {
  readonly topic: string;
  readonly part: 'key' | 'value';
  readonly headers: ReceivedHeaders;
}

/**
 * Turns the bytes of a key or a value into what they stand for. May answer with a promise: records of a partition keep
 * their order. It is never called for null. The bytes are a view of what the broker sent: what keeps them keeps all of it.
 */
export interface Deserializer<T> {
  deserialize(bytes: Buffer, context: DeserializationContext): T | Promise<T>;
}

/**
 * What becomes of a record whose key or value its deserializer can't read.
 *
 * - `fail`: its partition stands still, with a `partitionFailed` event, until it is sought; where nobody listens the
 *   consumer ends. Nothing from the record on is committed.
 * - `skip`: it counts as done, with an `undecodable` event and a line in the log.
 * - `deliver`: it is handed over with its `error`, and null for what could not be read: a key that could be is there.
 */
export type UndecodablePolicy = 'fail' | 'skip' | 'deliver';
