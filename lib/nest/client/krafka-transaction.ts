import type { Consumer } from '../../core/consumer/index.js';
import type {
  ProducerRecord,
  RecordMetadata,
  TransactionGroup,
  TransactionOffset,
  TransactionScope,
} from '../../core/producer/index.js';
import type { ConsumerRecord } from '../../core/protocol/index.js';
import { KrafkaError } from '../../core/support/index.js';
import { encodeAll, SendingOrder } from './sending-order.js';

/** What a record of a transaction may be: its value by the rules of payloads. */
export interface TransactionRecord {
  readonly topic: string;
  readonly key?: unknown;
  readonly value: unknown;
  readonly headers?: Readonly<Record<string, unknown>> | undefined;
  readonly partition?: number | undefined;
  readonly timestamp?: number | undefined;
}

/** The context of the handler whose record, or batch, a transaction is about: what `@Ctx()` gives it. */
export type HandledContext = {
  readonly signal: AbortSignal;
  readonly offsetObstacle: string | undefined;
  getConsumer(): Consumer;
} & ({ readonly record: ConsumerRecord } | { readonly records: readonly ConsumerRecord[] });

/** How records of a transaction become bytes. */
export interface TransactionEncoding {
  /** A record for the producer. */
  record(topic: string, data: unknown): ProducerRecord | Promise<ProducerRecord>;
  /** The topic of a pattern. */
  topicOf(pattern: unknown): string;
}

/**
 * What can be done in a transaction of a {@link KrafkaClient}. Nothing of it has to be awaited: records are written in the order
 * in which they are given, and the commit waits for all of it, and happens only when all of it succeeded.
 */
export class KrafkaTransaction {
  readonly #scope: TransactionScope;
  readonly #encoding: TransactionEncoding;
  readonly #order = new SendingOrder();
  readonly #begun: Promise<unknown>[] = [];

  /** @internal */
  constructor(scope: TransactionScope, encoding: TransactionEncoding) {
    this.#scope = scope;
    this.#encoding = encoding;
  }

  /** Sends one record as part of the transaction. */
  send({ topic, ...message }: TransactionRecord): Promise<RecordMetadata> {
    return this.#part(this.#send(topic, message));
  }

  /** Sends several records, in order, as part of the transaction. */
  sendAll(records: readonly TransactionRecord[]): Promise<RecordMetadata[]> {
    return this.#part(this.#sendAll(records));
  }

  /** Tells of an event as `KrafkaClient.emit()` does, as part of the transaction: data may be a payload, a message or a KrafkaRecord. */
  emit(pattern: unknown, data: unknown): Promise<RecordMetadata> {
    return this.#part(this.#send(this.#encoding.topicOf(pattern), data));
  }

  /**
   * Commits what a handler was called with, together with what it sends: both happen or neither. With the handler's context, the
   * record (or the batch) of the handler and all before it in its partition; for a handler that is called in the order of its
   * partition, and is alone on its topic in its group. Else offsets by hand, with `consumer.groupMetadata()`.
   *
   * @throws KrafkaError OFFSETS_NOT_IN_ORDER where that is not so
   */
  sendOffsets(context: HandledContext): Promise<void>;
  sendOffsets(offsets: readonly TransactionOffset[], group: TransactionGroup): Promise<void>;
  sendOffsets(what: HandledContext | readonly TransactionOffset[], group?: TransactionGroup): Promise<void> {
    return this.#part(
      isOffsets(what) ? this.#scope.sendOffsets(what, group as TransactionGroup) : this.#sendOffsetsOf(what),
    );
  }

  /** @internal Resolves when everything in it was handed to the producer's transaction. @throws the first that failed */
  async settled(): Promise<void> {
    // What is begun while others are awaited is awaited too.
    for (let done = 0; done < this.#begun.length; done++) await this.#begun[done];
  }

  async #send(topic: string, data: unknown): Promise<RecordMetadata> {
    const encoding = this.#encoding.record(topic, data);
    return this.#order.isFree && !(encoding instanceof Promise)
      ? this.#scope.send(encoding)
      : this.#order.inTurn(encoding, (record) => this.#scope.send(record));
  }

  async #sendAll(records: readonly TransactionRecord[]): Promise<RecordMetadata[]> {
    const encoding = encodeAll(records, ({ topic, ...message }) => this.#encoding.record(topic, message));
    return this.#order.isFree && !(encoding instanceof Promise)
      ? this.#scope.sendAll(encoding)
      : this.#order.inTurn(encoding, (all) => this.#scope.sendAll(all));
  }

  async #sendOffsetsOf(context: HandledContext): Promise<void> {
    // Another member may have the partition by now, and this one a place in the group that would not be refused.
    context.signal.throwIfAborted();
    const { offsetObstacle } = context;
    if (offsetObstacle !== undefined) {
      throw new KrafkaError(`a transaction can't commit the offset: ${offsetObstacle}`, {
        code: 'OFFSETS_NOT_IN_ORDER',
      });
    }
    const records = 'records' in context ? context.records : [context.record];
    const last = records[records.length - 1];
    if (last === undefined) return;
    const { topic, partition, offset } = last;
    await this.#scope.sendOffsets([{ topic, partition, offset: offset + 1 }], context.getConsumer().groupMetadata());
  }

  #part<T>(work: Promise<T>): Promise<T> {
    this.#begun.push(work);
    // It may be awaited by nobody but the commit.
    work.catch(() => undefined);
    return work;
  }
}

const isOffsets = (what: HandledContext | readonly TransactionOffset[]): what is readonly TransactionOffset[] =>
  Array.isArray(what);
