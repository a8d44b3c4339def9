import { KafkaHeaders } from '@nestjs/microservices';
import type { ProducerRecord } from '../../core/producer/index.js';
import type { ConsumerRecord } from '../../core/protocol/index.js';
import { headerText, parseValue, type IncomingValue } from '../wire/incoming-value.js';
import { DLT_ORIGINAL_CONSUMER_GROUP } from './dead-letter.js';
import { headersOf } from './original-place.js';

const PREFIX = 'kafka_dlt-';

/** A record in a dead-letter topic, and what it says of itself. */
export interface DeadLetter {
  /** The dead-letter topic. */
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** When it became a dead letter, in milliseconds since the epoch. */
  readonly timestamp: number;
  /** The record as it is: key, value and headers as bytes. */
  readonly record: ConsumerRecord;
  /** Where the record was written first; undefined when it doesn't say. */
  readonly original:
    { readonly topic: string; readonly partition: number | undefined; readonly offset: number | undefined } | undefined;
  /** The group whose handler gave it up. */
  readonly groupId: string | undefined;
  /** What that handler threw. */
  readonly error: {
    readonly name: string | undefined;
    readonly message: string | undefined;
    readonly stack: string | undefined;
  };
  /** The payload, parsed by the rules of Nest's transport. */
  readonly payload: IncomingValue;
}

/** Reads what a dead letter says of itself. */
export function decodeDeadLetter(record: ConsumerRecord): DeadLetter {
  const text = (name: string): string | undefined => headerText(record.headers, name);
  const topic = text(KafkaHeaders.DLT_ORIGINAL_TOPIC);
  return {
    topic: record.topic,
    partition: record.partition,
    offset: record.offset,
    timestamp: record.timestamp,
    record,
    original:
      topic === undefined
        ? undefined
        : {
            topic,
            partition: wholeOf(text(KafkaHeaders.DLT_ORIGINAL_PARTITION)),
            offset: wholeOf(text(KafkaHeaders.DLT_ORIGINAL_OFFSET)),
          },
    groupId: text(DLT_ORIGINAL_CONSUMER_GROUP),
    error: {
      name: text(KafkaHeaders.DLT_EXCEPTION_FQCN),
      message: text(KafkaHeaders.DLT_EXCEPTION_MESSAGE),
      stack: text(KafkaHeaders.DLT_EXCEPTION_STACKTRACE),
    },
    payload: parseValue(record.value),
  };
}

/** The record that a dead letter was, for a topic of so many partitions. */
export function replayOf({ record, original }: DeadLetter, topic: string, partitions: number): ProducerRecord {
  const partition = original?.partition;
  return {
    topic,
    partition: partition !== undefined && partition < partitions ? partition : undefined,
    key: record.key,
    value: record.value,
    headers: headersOf(record, (name) => name.startsWith(PREFIX)),
  };
}

// Spring writes numbers as bytes: those are not read, and the key decides.
function wholeOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
