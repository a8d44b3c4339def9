import { anObjectWith, KrafkaError, KrafkaFencedError, optional, type OptionRules } from '../../support/index.js';
import type { ProducerRecord, RecordContent, RecordMetadata, SendOptions } from '../record.js';
import { checkGroupOffsets, type TransactionGroup, type TransactionOffset } from './group-offsets.js';

/**
 * Where a transaction is.
 *
 *     open --commit()--> committing --> committed | aborted (something in it had failed) | unknown
 *       '----abort()---> aborting   --> aborted | unknown
 *
 * `unknown`: nobody answered the request to end it, and it stays so. After a commit it may have been committed; after an
 * abort it will not be.
 */
export type TransactionState = 'open' | 'committing' | 'aborting' | 'committed' | 'aborted' | 'unknown';

/** How a transaction is done. */
export interface TransactionOptions {
  /** Fails the transaction, or ends the waiting for it to begin, with the signal's reason: it can then only be aborted. */
  readonly signal?: AbortSignal | undefined;
}

/** The rules of {@link TransactionOptions}. */
export const TRANSACTION_RULES: OptionRules<TransactionOptions> = {
  signal: optional(anObjectWith<AbortSignal>('addEventListener', 'removeEventListener')),
};

/** What can be done in a transaction. Nothing of it has to be awaited: the commit waits for all of it. */
export interface TransactionScope<Key = RecordContent, Value = RecordContent> {
  /** As `Producer.send`, as part of the transaction. */
  send(record: ProducerRecord<Key, Value>, options?: SendOptions): Promise<RecordMetadata>;
  /** As `Producer.sendAll`, as part of the transaction. */
  sendAll(records: readonly ProducerRecord<Key, Value>[], options?: SendOptions): Promise<RecordMetadata[]>;
  /**
   * Commits offsets of a consumer's group with the transaction (KIP-447): `group` is `consumer.groupMetadata()`, taken when
   * the records were. When the group has rebalanced since, it refuses them, and the transaction can only be aborted.
   */
  sendOffsets(offsets: readonly TransactionOffset[], group: TransactionGroup): Promise<void>;
}

/** What a transaction needs of its producer. */
export interface TransactionDoer<Key, Value> {
  send(record: ProducerRecord<Key, Value>, options?: SendOptions): Promise<RecordMetadata>;
  sendAll(records: readonly ProducerRecord<Key, Value>[], options?: SendOptions): Promise<RecordMetadata[]>;
  sendOffsets(offsets: readonly TransactionOffset[], group: TransactionGroup): Promise<void>;
  commit(transaction: Transaction<Key, Value>): Promise<void>;
  abort(transaction: Transaction<Key, Value>): Promise<void>;
  /** Something in it failed, for the first time. */
  failed(error: Error): void;
  /** It is in another state. */
  became(state: TransactionState, previous: TransactionState): void;
}

/**
 * One transaction: its records and offsets are read by `read_committed` consumers all, once it is committed, or never.
 *
 * It commits only if everything that was sent in it succeeded, whether or not anybody awaited that.
 */
export class Transaction<Key = RecordContent, Value = RecordContent> implements TransactionScope<Key, Value> {
  readonly #doer: TransactionDoer<Key, Value>;
  #state: TransactionState = 'open';
  #failure: Error | undefined;
  #ending: Promise<void> | undefined;
  #pending = 0;
  #settled: (() => void)[] = [];

  /** @internal */
  constructor(doer: TransactionDoer<Key, Value>) {
    this.#doer = doer;
  }

  get state(): TransactionState {
    return this.#state;
  }

  /** The first thing that failed in it: it can only be aborted. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  send(record: ProducerRecord<Key, Value>, options?: SendOptions): Promise<RecordMetadata> {
    return this.#refusal() ?? this.#part(this.#doer.send(record, options));
  }

  sendAll(records: readonly ProducerRecord<Key, Value>[], options?: SendOptions): Promise<RecordMetadata[]> {
    return this.#refusal() ?? this.#part(this.#doer.sendAll(records, options));
  }

  sendOffsets(offsets: readonly TransactionOffset[], group: TransactionGroup): Promise<void> {
    return this.#refusal() ?? this.#part(this.#sendOffsets(offsets, group));
  }

  /**
   * Waits for everything in it, and commits it.
   *
   * @throws the first thing that failed in it, with the transaction aborted; KrafkaTimeoutError after `transactionTimeoutMs`,
   *   aborted; KrafkaFencedError when another producer has taken over the transactional id; KrafkaError
   *   TRANSACTION_OUTCOME_UNKNOWN when nobody told how it ended
   */
  commit(): Promise<void> {
    if (this.#state !== 'open') return Promise.reject(this.#failure ?? this.#over());
    this.#becomes('committing');
    this.#ending = this.#doer.commit(this);
    return this.#ending;
  }

  /**
   * Takes back what is not sent, and aborts it. Of one that is aborted already it asks nothing more.
   *
   * @throws KrafkaFencedError, KrafkaError TRANSACTION_OUTCOME_UNKNOWN when the coordinator did not answer: it will abort the
   *   transaction by itself
   */
  abort(): Promise<void> {
    if (this.#state === 'aborted') return Promise.resolve();
    if (this.#state === 'aborting') return this.#ending as Promise<void>;
    if (this.#state !== 'open') return Promise.reject(this.#over());
    this.#becomes('aborting');
    this.#ending = this.#doer.abort(this);
    return this.#ending;
  }

  /** @internal Resolves when everything in it is settled. */
  settled(): Promise<void> {
    return this.#pending === 0 ? Promise.resolve() : new Promise((resolve) => this.#settled.push(resolve));
  }

  /** @internal Something in it failed. */
  failed(error: Error): void {
    if (this.#failure !== undefined || this.#isOver) return;
    this.#failure = error;
    this.#doer.failed(error);
  }

  /** @internal It is over. */
  ended(state: 'committed' | 'aborted' | 'unknown'): void {
    this.#becomes(state);
  }

  get #isOver(): boolean {
    return this.#state === 'committed' || this.#state === 'aborted' || this.#state === 'unknown';
  }

  #becomes(state: TransactionState): void {
    const previous = this.#state;
    this.#state = state;
    this.#doer.became(state, previous);
  }

  #over(): KrafkaError {
    return wrongState(`is ${this.#state} and can't be ended again`);
  }

  async #sendOffsets(offsets: readonly TransactionOffset[], group: TransactionGroup): Promise<void> {
    checkGroupOffsets(offsets, group);
    if (offsets.length > 0) await this.#doer.sendOffsets(offsets, group);
  }

  /** Why it takes nothing more; undefined while it does. */
  #refusal(): Promise<never> | undefined {
    if (this.#failure instanceof KrafkaFencedError) return Promise.reject(this.#failure);
    if (this.#failure !== undefined) {
      return Promise.reject(wrongState('can only be aborted, for something in it has failed', this.#failure));
    }
    if (this.#state !== 'open') return Promise.reject(wrongState(`is ${this.#state} and takes nothing more`));
    return undefined;
  }

  /** Whoever awaits it is told as well; the commit tells of its failure in any case. */
  #part<T>(part: Promise<T>): Promise<T> {
    this.#pending++;
    part.then(this.#partDone, this.#partFailed);
    return part;
  }

  readonly #partDone = (): void => {
    if (--this.#pending > 0) return;
    for (const resolve of this.#settled.splice(0)) resolve();
  };

  readonly #partFailed = (error: Error): void => {
    this.failed(error);
    this.#partDone();
  };
}

/** The error of something asked of a transaction, or of its producer, at the wrong time. */
export function wrongState(problem: string, cause?: unknown): KrafkaError {
  return new KrafkaError(`the transaction ${problem}`, { code: 'INVALID_TXN_STATE', cause });
}
