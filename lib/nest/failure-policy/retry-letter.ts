import type { ConsumerRecord, TimestampType } from '../../core/protocol/index.js';
import { headerText } from '../wire/incoming-value.js';
import { cut, messageOf, nameOf } from './describe-error.js';
import type { Letter } from './letter.js';
import { headersOf, placeOf, type OriginalPlace } from './original-place.js';

/** The topics through which the failed records of a topic go (Spring's names, so that tools are shared). */
export const retryTopicOf = (topic: string, hop: number): string => `${topic}-retry-${hop}`;

/** Whether a topic is named like a retry topic, and of which topic. */
export const retriedTopicOf = (topic: string): string | undefined => /^(.+)-retry-\d+$/.exec(topic)?.[1];

/** The headers of a record in a retry topic, all of them text. The first four and their meaning are Spring's. */
const ATTEMPTS = 'retry_topic-attempts';
const DUE = 'retry_topic-backoff-timestamp';
const ORIGINAL = 'kafka_original-';
const EXCEPTION = 'kafka_exception-';
/** Which of the retry topics it is. */
const HOP = 'krafka_retry-hop';
/** Which handler of the topic failed: it alone is called again. */
const HANDLER = 'krafka_retry-handler';

const isRetryHeader = (name: string): boolean =>
  name === ATTEMPTS ||
  name === DUE ||
  name === HOP ||
  name === HANDLER ||
  name.startsWith(ORIGINAL) ||
  name.startsWith(EXCEPTION);

/** A record on its way through the retry topics. */
export interface RetryLetter {
  readonly place: OriginalPlace;
  readonly groupId: string;
  readonly handler: string;
  readonly hop: number;
  /** How often the handler has been called with it. */
  readonly attempts: number;
  /** When it is to be called again, in milliseconds since the epoch. */
  readonly dueAt: number;
}

/** A record as it goes to a retry topic: its own bytes and headers, where it was, what happened, and when it is due. */
export function encodeRetryLetter(
  record: ConsumerRecord,
  letter: RetryLetter,
  error: unknown,
  partition: number | undefined,
): Letter {
  const { place } = letter;
  return {
    topic: retryTopicOf(place.topic, letter.hop),
    partition,
    key: record.key,
    value: record.value,
    headers: {
      ...withoutRetryHeaders(record),
      [ATTEMPTS]: String(letter.attempts),
      [DUE]: String(letter.dueAt),
      [HOP]: String(letter.hop),
      [HANDLER]: letter.handler,
      [`${ORIGINAL}topic`]: place.topic,
      [`${ORIGINAL}partition`]: String(place.partition),
      [`${ORIGINAL}offset`]: String(place.offset),
      [`${ORIGINAL}timestamp`]: String(place.timestamp),
      [`${ORIGINAL}timestamp-type`]: place.timestampType,
      [`${ORIGINAL}consumer-group`]: letter.groupId,
    },
    remarks: [{ [`${EXCEPTION}fqcn`]: nameOf(error) }, { [`${EXCEPTION}message`]: cut(messageOf(error)) }],
  };
}

/** Reads what a record in a retry topic says of itself; undefined when it is none of this library's. */
export function decodeRetryLetter(record: ConsumerRecord): RetryLetter | undefined {
  const text = (name: string): string | undefined => headerText(record.headers, name);
  const topic = text(`${ORIGINAL}topic`);
  const groupId = text(`${ORIGINAL}consumer-group`);
  const handler = text(HANDLER);
  const [hop, attempts, dueAt, partition, offset, timestamp] = [
    text(HOP),
    text(ATTEMPTS),
    text(DUE),
    text(`${ORIGINAL}partition`),
    text(`${ORIGINAL}offset`),
    text(`${ORIGINAL}timestamp`),
  ].map(wholeOf);
  if (topic === undefined || groupId === undefined || handler === undefined) return undefined;
  if (hop === undefined || attempts === undefined || dueAt === undefined) return undefined;
  const here = placeOf(record);
  const timestampType = (text(`${ORIGINAL}timestamp-type`) ?? here.timestampType) as TimestampType;
  return {
    place: {
      topic,
      partition: partition ?? here.partition,
      offset: offset ?? here.offset,
      timestamp: timestamp ?? here.timestamp,
      timestampType,
    },
    groupId,
    handler,
    hop,
    attempts,
    dueAt,
  };
}

/** The headers of a record but for what its way through retry topics added. */
export const withoutRetryHeaders = (record: ConsumerRecord): ReturnType<typeof headersOf> =>
  headersOf(record, isRetryHeader);

function wholeOf(text: string | undefined): number | undefined {
  const number = Number(text);
  return text !== undefined && text !== '' && Number.isSafeInteger(number) ? number : undefined;
}
