import { KafkaHeaders, type WritePacket } from '@nestjs/microservices';
import type { ProducerRecord } from '../../core/producer/index.js';
import type { ConsumerRecord } from '../../core/protocol/index.js';
import { headerBytes, headerText, parseValue } from './incoming-value.js';
import { toOutgoingRecord, type OutgoingRecord } from './outgoing-record.js';
import { isPromise, type Payloads } from './payloads.js';

/**
 * Beside `kafka_nest-is-disposed`: this record ends the replies and carries none itself. Nest's wire can't tell that from a
 * last reply that is `null`; clients that don't know the header see the `null` they always saw.
 */
export const NO_VALUE_HEADER = 'krafka_no-value';

/** When whoever asks stops waiting, in milliseconds since the epoch: a server need not work on a request after that. */
export const DEADLINE_HEADER = 'krafka_deadline';

/** Where the replies to a request go. */
export interface ReplyAddress {
  /** As it came: it is given back byte by byte. */
  readonly correlationId: Buffer;
  readonly topic: string;
  /** Undefined when the request named none: the producer's partitioner decides. */
  readonly partition: number | undefined;
  /** When whoever asks stops waiting, in milliseconds since the epoch by their clock; undefined when they don't say. */
  readonly deadline: number | undefined;
}

/** One reply on its way: a value, the end of the replies, both, or an error. */
export interface ReplyPacket {
  readonly response?: unknown;
  readonly err?: unknown;
  readonly hasValue: boolean;
  isDisposed: boolean;
}

const DISPOSED = Buffer.alloc(1);

/** Where a request wants its replies; undefined when it is no request: an event names no reply topic. */
export function replyAddressOf(record: ConsumerRecord): ReplyAddress | undefined {
  const correlationId = headerBytes(record.headers, KafkaHeaders.CORRELATION_ID);
  if (correlationId === null || correlationId === undefined || correlationId.length === 0) return undefined;
  const topic = headerText(record.headers, KafkaHeaders.REPLY_TOPIC);
  if (topic === undefined || topic === '') return undefined;
  const partition = Number.parseInt(headerText(record.headers, KafkaHeaders.REPLY_PARTITION) ?? '', 10);
  return {
    // Copied: a stream of replies may outlive the fetch response it came in.
    correlationId: Buffer.from(correlationId),
    topic,
    partition: Number.isNaN(partition) ? undefined : partition,
    deadline: deadlineOf(record),
  };
}

/** When whoever asked stops waiting, in milliseconds since the epoch; undefined when they don't say. */
export function deadlineOf({ headers }: ConsumerRecord): number | undefined {
  const text = headerText(headers, DEADLINE_HEADER);
  const deadline = text === undefined || text === '' ? Number.NaN : Number(text);
  return Number.isFinite(deadline) ? deadline : undefined;
}

/** A reply as a record; a promise where a serializer makes one. @throws KrafkaSerializationError when the value has no form as bytes */
export function encodeReply(
  packet: ReplyPacket,
  address: ReplyAddress,
  payloads: Payloads,
): ProducerRecord | Promise<ProducerRecord> {
  if (!packet.hasValue) return replyRecord(packet, address, toOutgoingRecord(null));
  const outgoing = payloads.encode(address.topic, packet.response);
  return outgoing instanceof Promise
    ? outgoing.then((encoded) => replyRecord(packet, address, encoded))
    : replyRecord(packet, address, outgoing);
}

function replyRecord(packet: ReplyPacket, address: ReplyAddress, outgoing: OutgoingRecord): ProducerRecord {
  const headers = outgoing.headers;
  headers[KafkaHeaders.CORRELATION_ID] = address.correlationId;
  if (packet.err !== undefined) headers[KafkaHeaders.NEST_ERR] = encodeError(packet.err);
  if (packet.isDisposed) {
    headers[KafkaHeaders.NEST_IS_DISPOSED] = DISPOSED;
    if (!packet.hasValue) headers[NO_VALUE_HEADER] = DISPOSED;
  }
  const { key, value, timestamp } = outgoing;
  return { topic: address.topic, partition: address.partition ?? outgoing.partition, key, value, headers, timestamp };
}

/** Which request a reply is for; undefined for what is no reply at all. */
export const correlationIdOf = ({ headers }: ConsumerRecord): string | undefined =>
  headerText(headers, KafkaHeaders.CORRELATION_ID);

/** A reply as Nest's ClientProxy takes it; a promise where a serializer makes one. @throws whatever the serializer throws */
export function decodeReply(record: ConsumerRecord, payloads: Payloads): WritePacket | Promise<WritePacket> {
  const { headers } = record;
  const error = headerBytes(headers, KafkaHeaders.NEST_ERR);
  // An error that says nothing is one all the same.
  if (error !== undefined) return { err: parseValue(error) || UNKNOWN_ERROR, isDisposed: true };
  const isDisposed = headerBytes(headers, KafkaHeaders.NEST_IS_DISPOSED) !== undefined;
  if (isDisposed && headerBytes(headers, NO_VALUE_HEADER) !== undefined) return { isDisposed };
  const response = payloads.decode(record);
  return isPromise(response)
    ? Promise.resolve(response).then((value) => ({ response: value, isDisposed }))
    : { response, isDisposed };
}

/** What a caller is told of an error that says nothing, in Nest's words. */
export const UNKNOWN_ERROR = 'Internal server error';

// JSON for objects and text for the rest, as Nest does; what has no JSON still says that it failed.
function encodeError(error: unknown): string {
  if (typeof error === 'string') return error || UNKNOWN_ERROR;
  if (error === undefined || error === null) return UNKNOWN_ERROR;
  try {
    // JSON shows of an Error what it has beside its message.
    if (error instanceof Error)
      return JSON.stringify(Object.assign({ status: 'error' }, error, { message: error.message }));
    return JSON.stringify(error) ?? UNKNOWN_ERROR;
  } catch {
    return JSON.stringify({ status: 'error', message: UNKNOWN_ERROR });
  }
}

/** The topic where the replies to a topic's requests arrive, as Nest's transport names it. */
export const replyTopicOf = (topic: string): string => `${topic}.reply`;
