import type { RecordHeaders } from '../protocol/index.js';
import type { RecordContent } from './record.js';

/** What a serializer may look at besides the thing itself. */
export interface SerializationContext {
  readonly topic: string;
  readonly part: 'key' | 'value';
  readonly headers: RecordHeaders | undefined;
}

/**
 * Turns a key or a value into bytes or text. May answer with a promise: records of a topic still keep the order in which
 * they were sent. It is never called for null.
 */
export interface Serializer<T> {
  serialize(content: T, context: SerializationContext): RecordContent | Promise<RecordContent>;
}
