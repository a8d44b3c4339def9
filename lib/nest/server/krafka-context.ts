import { KafkaContext as NestKafkaContext, type BaseRpcContext } from '@nestjs/microservices';
import type { Consumer } from '../../core/consumer/index.js';
import type { Producer } from '../../core/producer/index.js';
import type { ConsumerRecord } from '../../core/protocol/index.js';
import { parseHeaders, parseValue, type IncomingValue } from '../wire/incoming-value.js';
import { deadlineOf } from '../wire/reply.js';
import type { Tenure } from './delivery.js';
import type { CommitMode } from './handler-options.js';
import { commitFor, delayOf } from './record-acts.js';

/** A record as Nest's Kafka transport shows it: key, value and headers parsed, offset and timestamp as text. */
export interface KafkaMessageView {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly timestamp: string;
  /** Always 0: what kafkajs has here concerns batches. */
  readonly attributes: number;
  readonly key: IncomingValue;
  readonly value: IncomingValue;
  readonly headers: Record<string, IncomingValue>;
}

/** What of a delivery a {@link KrafkaContext} shows and uses. */
export interface ContextDelivery {
  readonly consumer: Consumer;
  readonly producer: Producer;
  readonly commitMode: CommitMode;
  /** Why offsets of a topic can't be committed by a transaction of one handler, where they can't. */
  offsetObstacle(topic: string): string | undefined;
}

/** What `getArgs()` answers with, in the order of Nest's KafkaContext. */
export type KrafkaContextArgs = [
  message: KafkaMessageView,
  partition: number,
  topic: string,
  consumer: Consumer,
  heartbeat: () => Promise<void>,
  producer: Producer,
];

// Nest's class, so that `instanceof KafkaContext` holds, typed without kafkajs' consumer and producer.
const KafkaContextBase = NestKafkaContext as unknown as abstract new (
  args: KrafkaContextArgs,
) => BaseRpcContext<KrafkaContextArgs>;

const NO_ARGS = [] as unknown as KrafkaContextArgs;

const beat = (): Promise<void> => Promise.resolve();

/**
 * What `@Ctx()` gives a handler: everything Nest's KafkaContext has, and the record itself, the number of the attempt and a
 * signal. One is made for each call of a handler; what it shows is made on first touch.
 */
export class KrafkaContext extends KafkaContextBase {
  /** The record as it came, its key, value and headers as bytes. Use `detach()` to keep it longer than the handler runs. */
  readonly record: ConsumerRecord;
  /** Which call of this handler with this record it is: 1, then one more with every retry, retry topics included. */
  readonly attempt: number;
  readonly #delivery: ContextDelivery;
  readonly #partition: Tenure;
  #message: KafkaMessageView | undefined;
  #nackedMs: number | undefined;

  constructor(delivery: ContextDelivery, record: ConsumerRecord, partition: Tenure, attempt: number) {
    super(NO_ARGS);
    this.#delivery = delivery;
    this.record = record;
    this.#partition = partition;
    this.attempt = attempt;
  }

  /** Aborted when the partition goes to another consumer or the application closes. */
  get signal(): AbortSignal {
    return this.#partition.signal;
  }

  /** Why the offset can't be committed by a transaction, when it can't: others of its partition, or other handlers, may not be done. */
  get offsetObstacle(): string | undefined {
    return this.#delivery.offsetObstacle(this.getTopic());
  }

  /** When whoever asked stops waiting, in milliseconds since the epoch by their clock; undefined when they don't say. */
  get deadline(): number | undefined {
    return deadlineOf(this.record);
  }

  /** How long the record is put off, in milliseconds, once it is. */
  get nackedMs(): number | undefined {
    return this.#nackedMs;
  }

  /**
   * Commits this record, and with it those before it in its partition. For `@CommitMode('manual')`.
   *
   * @throws KrafkaError `NOT_MANUAL` in the mode 'auto', where a record is committed once its handlers have succeeded
   */
  commit(): Promise<void> {
    return commitFor(this.#delivery, this.#partition, this.record);
  }

  /**
   * Has the handler called again with this record after so many milliseconds, however it ends now. That is no failure, so
   * no policy bounds it. Meanwhile the record holds up its partition, or those with its key.
   */
  nack(delayMs = 0): void {
    this.#nackedMs = delayOf(delayMs);
  }

  /** The record as Nest's transport shows it. */
  getMessage(): KafkaMessageView {
    return (this.#message ??= viewOf(this.record));
  }

  getPartition(): number {
    return this.record.partition;
  }

  getTopic(): string {
    return this.record.topic;
  }

  /** The consumer the record came from, of this library's core. */
  getConsumer(): Consumer {
    return this.#delivery.consumer;
  }

  /** The producer that the application's servers and clients share, of this library's core. */
  getProducer(): Producer {
    return this.#delivery.producer;
  }

  /** A function that need not be called: heartbeats don't depend on handlers. */
  getHeartbeat(): () => Promise<void> {
    return beat;
  }

  override getArgs(): KrafkaContextArgs {
    return [
      this.getMessage(),
      this.getPartition(),
      this.getTopic(),
      this.getConsumer(),
      this.getHeartbeat(),
      this.getProducer(),
    ];
  }

  override getArgByIndex(index: number): KrafkaContextArgs[number] | undefined {
    return this.getArgs()[index];
  }
}

/** A record as Nest's transport shows it. */
export const viewOf = (record: ConsumerRecord): KafkaMessageView => ({
  topic: record.topic,
  partition: record.partition,
  offset: String(record.offset),
  timestamp: String(record.timestamp),
  attributes: 0,
  key: parseValue(record.key),
  value: parseValue(record.value),
  headers: parseHeaders(record.headers),
});
