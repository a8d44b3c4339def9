import { KafkaHeaders } from '@nestjs/microservices';
import type { ConsumerRecord, HeaderValue, RecordHeaders } from '../../core/protocol/index.js';
import type { ProducerRecord } from '../../core/producer/index.js';

/** The topic where a topic's dead letters go (Spring's name, so that tools are shared). */
export const deadLetterTopicOf = (topic: string): string => `${topic}-dlt`;

/** The consumer group whose handler gave the record up; Nest's KafkaHeaders has no name for it. */
export const DLT_ORIGINAL_CONSUMER_GROUP = 'kafka_dlt-original-consumer-group';

/** Headers are for reading: a stack that is longer is cut. */
const MAX_TEXT_LENGTH = 8 * 1024;

/** Where a dead letter comes from, and why. */
export interface DeadLetterCause {
  readonly groupId: string;
  readonly error: unknown;
}

/**
 * A record as it goes to its dead-letter topic: the original bytes of key, value and headers, and `kafka_dlt-*` headers, all
 * of them text, that tell where it was and what its handler threw.
 *
 * `partition` is the one to write to, undefined to let the key decide.
 */
export function deadLetterOf(
  record: ConsumerRecord,
  cause: DeadLetterCause,
  partition: number | undefined,
): ProducerRecord {
  return {
    topic: deadLetterTopicOf(record.topic),
    partition,
    key: record.key,
    value: record.value,
    headers: { ...originalHeaders(record), ...whereItWas(record, cause.groupId), ...describeError(cause.error) },
  };
}

// Copied entry by entry: a header of the record may be called '__proto__'.
const originalHeaders = (record: ConsumerRecord): RecordHeaders =>
  Object.fromEntries(Object.entries(record.headers) as [string, HeaderValue | readonly HeaderValue[]][]);

const whereItWas = (record: ConsumerRecord, groupId: string): RecordHeaders => ({
  [KafkaHeaders.DLT_ORIGINAL_TOPIC]: record.topic,
  [KafkaHeaders.DLT_ORIGINAL_PARTITION]: String(record.partition),
  [KafkaHeaders.DLT_ORIGINAL_OFFSET]: String(record.offset),
  [KafkaHeaders.DLT_ORIGINAL_TIMESTAMP]: String(record.timestamp),
  [KafkaHeaders.DLT_ORIGINAL_TIMESTAMP_TYPE]: record.timestampType,
  [DLT_ORIGINAL_CONSUMER_GROUP]: groupId,
});

const describeError = (error: unknown): RecordHeaders => ({
  [KafkaHeaders.DLT_EXCEPTION_FQCN]: nameOf(error),
  [KafkaHeaders.DLT_EXCEPTION_MESSAGE]: cut(messageOf(error)),
  ...(error instanceof Error && error.stack !== undefined
    ? { [KafkaHeaders.DLT_EXCEPTION_STACKTRACE]: cut(error.stack) }
    : {}),
});

const nameOf = (error: unknown): string =>
  typeof error === 'object' && error !== null ? (error.constructor?.name ?? 'Object') : typeof error;

/** What an error says, whatever was thrown: an Error's message, text itself, JSON of the rest. */
export function messageOf(error: unknown): string {
  if (error instanceof Error) return error.message;
  if (typeof error === 'string') return error;
  if (typeof error === 'object' && error !== null && 'message' in error && typeof error.message === 'string') {
    return error.message;
  }
  try {
    return JSON.stringify(error) ?? String(error);
  } catch {
    return `${nameOf(error)} (which JSON can't show)`;
  }
}

const cut = (text: string): string => (text.length <= MAX_TEXT_LENGTH ? text : `${text.slice(0, MAX_TEXT_LENGTH)}...`);
