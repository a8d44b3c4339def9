import { describeNumber, KrafkaProtocolError, KrafkaSerializationError } from '../../support/index.js';
import type { ProducerRecord, RecordContent } from '../record.js';

const LONGEST_TOPIC_NAME = 249;
const LEGAL_TOPIC_NAME = /^[a-zA-Z0-9._-]+$/;

/** Refuses a topic name that no broker would take. @throws KrafkaProtocolError INVALID_TOPIC_EXCEPTION */
export function checkTopicName(name: unknown): asserts name is string {
  if (typeof name !== 'string') throw invalidTopic(`a topic's name must be a string, got ${kindOf(name)}`);
  if (name.length > LONGEST_TOPIC_NAME) {
    throw invalidTopic(`a topic's name has ${LONGEST_TOPIC_NAME} characters at most, this one ${name.length}`);
  }
  if (!LEGAL_TOPIC_NAME.test(name) || name === '.' || name === '..') {
    throw invalidTopic(
      `${JSON.stringify(name)} is no topic name: letters, digits, '.', '_' and '-', but not '.' or '..' alone`,
    );
  }
}

/**
 * Refuses what can't be a record, its topic's name and its contents apart.
 *
 * Hot: guarded by `npm run bench -- produce`.
 *
 * @throws KrafkaProtocolError naming the field, KrafkaSerializationError for a value that is missing
 */
export function checkRecord(record: ProducerRecord<unknown, unknown>): void {
  const { partition, timestamp } = record;
  if (partition !== undefined && !(Number.isSafeInteger(partition) && partition >= 0)) {
    throw new KrafkaProtocolError(
      'UNKNOWN_TOPIC_OR_PARTITION',
      `a partition is a whole number from 0, got ${describeNumber(partition)}`,
      { topic: record.topic },
    );
  }
  if (timestamp !== undefined && !(Number.isSafeInteger(timestamp) && timestamp >= 0)) {
    throw new KrafkaProtocolError(
      'INVALID_TIMESTAMP',
      `a timestamp is whole milliseconds since the epoch, got ${describeNumber(timestamp)}`,
      { topic: record.topic },
    );
  }
  if (record.value === undefined) throw wrongContent(record.topic, 'value', undefined);
}

/** Refuses what is not an object at all, before anything of it is looked at. */
export function checkIsRecord(record: unknown): void {
  if (typeof record !== 'object' || record === null) {
    throw new KrafkaSerializationError(`a record must be an object with topic and value, got ${kindOf(record)}`);
  }
}

/** Whether it can be written as it is. */
export function isContent(content: unknown): content is RecordContent {
  return typeof content === 'string' || content === null || content instanceof Uint8Array;
}

/** The error for a key or value that is none. Says what it is, never what is in it. */
export function wrongContent(topic: string, part: 'key' | 'value', content: unknown): KrafkaSerializationError {
  return new KrafkaSerializationError(
    `the ${part} of a record for topic '${topic}' must be a string, a Buffer or null, got ${kindOf(content)}`,
  );
}

function invalidTopic(problem: string): KrafkaProtocolError {
  return new KrafkaProtocolError('INVALID_TOPIC_EXCEPTION', problem);
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'object') return `a ${value.constructor?.name ?? 'object'}`;
  return `a ${typeof value}`;
}
