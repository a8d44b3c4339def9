import { BaseRpcContext } from '@nestjs/microservices';
import type { Consumer } from '../../core/consumer/index.js';
import type { Producer } from '../../core/producer/index.js';
import type { ConsumerRecord } from '../../core/protocol/index.js';
import type { Tenure } from './delivery.js';
import { viewOf, type ContextDelivery, type KafkaMessageView } from './krafka-context.js';
import { commitFor, delayOf } from './record-acts.js';

/** What `@Ctx()` gives the handler of a `@BatchPattern`: the records of one partition, in order. */
export class KrafkaBatchContext extends BaseRpcContext {
  /** The records as they came, at least one. Use `detach()` to keep one longer than the handler runs. */
  readonly records: readonly ConsumerRecord[];
  /** Which call of the handler with these records it is: 1, then one more with every retry. */
  readonly attempt: number;
  readonly #delivery: ContextDelivery;
  readonly #partition: Tenure;
  #messages: readonly KafkaMessageView[] | undefined;
  #nackedMs: number | undefined;

  constructor(delivery: ContextDelivery, records: readonly ConsumerRecord[], partition: Tenure, attempt: number) {
    super([]);
    this.#delivery = delivery;
    this.records = records;
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

  /** How long the batch is put off, in milliseconds, once it is. */
  get nackedMs(): number | undefined {
    return this.#nackedMs;
  }

  getTopic(): string {
    return this.#first.topic;
  }

  getPartition(): number {
    return this.#first.partition;
  }

  /** The records as Nest's transport shows them. */
  getMessages(): readonly KafkaMessageView[] {
    return (this.#messages ??= this.records.map(viewOf));
  }

  /** The consumer the records came from, of this library's core. */
  getConsumer(): Consumer {
    return this.#delivery.consumer;
  }

  /** The producer that the application's servers and clients share, of this library's core. */
  getProducer(): Producer {
    return this.#delivery.producer;
  }

  /** A function that need not be called: heartbeats don't depend on handlers. */
  getHeartbeat(): () => Promise<void> {
    return () => Promise.resolve();
  }

  /**
   * Commits the records up to and including `last`, by default all of the batch. For `@CommitMode('manual')`.
   *
   * @throws KrafkaError `NOT_MANUAL` in the mode 'auto'
   */
  commit(last: ConsumerRecord = this.records[this.records.length - 1] as ConsumerRecord): Promise<void> {
    return commitFor(this.#delivery, this.#partition, last);
  }

  /** Has the handler called again with the whole batch after so many milliseconds; that is no failure, and not bounded. */
  nack(delayMs = 0): void {
    this.#nackedMs = delayOf(delayMs);
  }

  override getArgs(): unknown[] {
    return [this.getMessages(), this.getPartition(), this.getTopic(), this.getConsumer()];
  }

  override getArgByIndex(index: number): unknown {
    return this.getArgs()[index];
  }

  get #first(): ConsumerRecord {
    return this.records[0] as ConsumerRecord;
  }
}
