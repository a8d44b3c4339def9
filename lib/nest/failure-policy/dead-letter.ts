import { KafkaHeaders } from '@nestjs/microservices';
import type { ConsumerRecord, RecordHeaders } from '../../core/protocol/index.js';
import { cut, messageOf, nameOf, stackOf } from './describe-error.js';
import type { Letter } from './letter.js';
import { placeOf, type OriginalPlace } from './original-place.js';
import { withoutRetryHeaders } from './retry-letter.js';

/** The topic where a topic's dead letters go (Spring's name, so that tools are shared). */
export const deadLetterTopicOf = (topic: string): string => `${topic}-dlt`;

/** The consumer group whose handler gave the record up; Nest's KafkaHeaders has no name for it. */
export const DLT_ORIGINAL_CONSUMER_GROUP = 'kafka_dlt-original-consumer-group';

/** Where a dead letter comes from, and why. */
export interface DeadLetterCause {
  readonly groupId: string;
  readonly error: unknown;
  /** Where the record was written first, when it has come through retry topics since. */
  readonly place?: OriginalPlace | undefined;
}

/**
 * A record as it goes to its dead-letter topic: the original bytes of key, value and headers, and `kafka_dlt-*` headers, all
 * of them text, that tell where it was and what its handler threw. It is worth keeping without any of those, too: so it is
 * as small as it was in its own topic.
 *
 * `partition` is the one to write to, undefined to let the key decide.
 */
export function deadLetterOf(record: ConsumerRecord, cause: DeadLetterCause, partition: number | undefined): Letter {
  const place = cause.place ?? placeOf(record);
  const stack = stackOf(cause.error);
  return {
    topic: deadLetterTopicOf(place.topic),
    partition,
    key: record.key,
    value: record.value,
    headers: withoutRetryHeaders(record),
    remarks: [
      whereItWas(place),
      { ...whenAndWhose(place, cause.groupId), [KafkaHeaders.DLT_EXCEPTION_FQCN]: nameOf(cause.error) },
      { [KafkaHeaders.DLT_EXCEPTION_MESSAGE]: cut(messageOf(cause.error)) },
      ...(stack === undefined ? [] : [{ [KafkaHeaders.DLT_EXCEPTION_STACKTRACE]: cut(stack) }]),
    ],
  };
}

const whereItWas = (place: OriginalPlace): RecordHeaders => ({
  [KafkaHeaders.DLT_ORIGINAL_TOPIC]: place.topic,
  [KafkaHeaders.DLT_ORIGINAL_PARTITION]: String(place.partition),
  [KafkaHeaders.DLT_ORIGINAL_OFFSET]: String(place.offset),
});

const whenAndWhose = (place: OriginalPlace, groupId: string): RecordHeaders => ({
  [KafkaHeaders.DLT_ORIGINAL_TIMESTAMP]: String(place.timestamp),
  [KafkaHeaders.DLT_ORIGINAL_TIMESTAMP_TYPE]: place.timestampType,
  [DLT_ORIGINAL_CONSUMER_GROUP]: groupId,
});
