import {
  checkOptions,
  Deadline,
  KrafkaClosedError,
  KrafkaError,
  KrafkaFencedError,
  onAbort,
  Turns,
  type Ports,
  unlessAborted,
} from '../../support/index.js';
import type { PartitionQueue } from '../accumulator/partition-queue.js';
import type { Identity } from '../idempotence/partition-sequences.js';
import type { SequenceAuthority } from '../idempotence/sequence-authority.js';
import type { TransactionGroup, TransactionOffset } from './group-offsets.js';
import { PartitionsInTransaction } from './partitions-in-transaction.js';
import type { TransactionCoordinator, TransactionProtocol } from './transaction-coordinator.js';
import type { TransactionGate } from './transaction-gate.js';
import {
  Transaction,
  TRANSACTION_RULES,
  type TransactionDoer,
  type TransactionOptions,
  type TransactionState,
} from './transaction.js';

/** What transactions need of the rest of the producer. */
export interface TransactionsPorts<Key, Value> extends Pick<TransactionDoer<Key, Value>, 'send' | 'sendAll'> {
  readonly coordinator: TransactionCoordinator;
  readonly transactionalId: string;
  readonly transactionTimeoutMs: number;
  /** How long each request to a coordinator is tried, the `deliveryTimeoutMs`. */
  readonly budgetMs: number;
  readonly ports: Pick<Ports, 'clock' | 'logger'>;
  /** Everything that was sent is settled. */
  readonly flush: () => Promise<void>;
  /** Gives up whatever is not on the wire, and resolves when nothing is. */
  readonly quiesce: (error: KrafkaError) => Promise<void>;
  /** Whether a partition's sequence has a hole: something was stamped whose fate is not known. */
  readonly hasHoles: () => boolean;
  /** The partition may send now. */
  readonly ready: (queue: PartitionQueue) => void;
  /** There is an identity, the first or another. */
  readonly identified: (identity: Identity) => void;
  /** A transaction is in another state. */
  readonly became: (state: TransactionState, previous: TransactionState | undefined) => void;
}

/**
 * Where the producer is with its transactions.
 *
 *     idle --begin--> busy --its end was answered--> idle
 *       ^               '----it was not------------> unsettled --the next begin--> idle
 *
 * `unsettled` stays until the coordinator has said how the last transaction ended; being fenced and being closed stay for good.
 */
type Standing<Key, Value> =
  | { readonly kind: 'idle' }
  | { readonly kind: 'busy'; readonly transaction: Transaction<Key, Value> }
  | { readonly kind: 'unsettled' }
  | { readonly kind: 'closed' };

/**
 * What a coordinator said when it was asked to abort a transaction: it is aborted; it was over before; or nothing is known of
 * the producer. A transactional id is forgotten when nothing was done with it for long (`transactional.id.expiration.ms`,
 * 7 days), never while a transaction is open.
 */
type AbortAnswer = 'aborted' | 'was over' | 'forgotten';

/** The newest version of Produce under protocol 1; the next one would add partitions by itself. */
const LAST_PRODUCE_OF_PROTOCOL_1 = 11;

/**
 * The transactions of one transactional id, one after another (KIP-98, KIP-447, KIP-890).
 *
 * A transaction leaves its open state before it is drained, so no record slips into the next one; and it is ended only when
 * everything in it is settled. After anything that leaves a sequence, a request or an end in doubt, that is cleared up before
 * the next transaction begins, under a new epoch: it fences what may still be on its way.
 */
export class Transactions<Key, Value> implements SequenceAuthority, TransactionGate, TransactionDoer<Key, Value> {
  readonly #ports: TransactionsPorts<Key, Value>;
  readonly #partitions: PartitionsInTransaction;
  readonly #turns: Turns;
  #standing: Standing<Key, Value> = { kind: 'idle' };
  #closing = false;
  #identity: Identity | undefined;
  #protocol: TransactionProtocol = 1;
  /** Whether a new epoch is needed before the next transaction. */
  #renew = false;
  /** Whether a coordinator may know of the transaction. */
  #started = false;
  /** Resolves when the transaction that is busy is over. */
  #over: Promise<void> = Promise.resolve();
  #finish: () => void = () => undefined;
  /** Nothing but its end may end it any more. */
  #unwatch: () => void = () => undefined;

  constructor(ports: TransactionsPorts<Key, Value>) {
    this.#ports = ports;
    this.#turns = new Turns(ports.ports.clock, 1);
    this.#partitions = new PartitionsInTransaction({
      add: (partitions) => {
        this.#started = true;
        return ports.coordinator.addPartitions(this.#identity as Identity, partitions, this.#deadline());
      },
      added: (queue) => ports.ready(queue),
      failed: (error) => {
        if (this.#standing.kind === 'busy') this.#standing.transaction.failed(error);
      },
    });
  }

  get transactionalId(): string {
    return this.#ports.transactionalId;
  }

  /** That another producer has taken over: for good. */
  get fenced(): KrafkaFencedError | undefined {
    return this.#ports.coordinator.fenced;
  }

  get maxProduceVersion(): number | undefined {
    return this.#protocol === 1 ? LAST_PRODUCE_OF_PROTOCOL_1 : undefined;
  }

  /** The identity while there is a transaction whose records it may stamp. */
  get current(): Identity | undefined {
    return this.#standing.kind === 'busy' ? this.#identity : undefined;
  }

  /** A transaction brings its own. */
  ask(): void {}

  /** Within a transaction numbers never start again: it fails instead. */
  raise(): undefined {}

  admits(queue: PartitionQueue): boolean {
    if (this.#standing.kind !== 'busy' || this.#standing.transaction.state === 'aborting') return false;
    if (this.#protocol === 1) return this.#partitions.has(queue);
    // The leader adds the partition by itself when the batch comes.
    this.#started = true;
    return true;
  }

  /**
   * Sees to it that the next transaction can begin: clears up after the last one, and has an identity.
   *
   * @throws as {@link begin}
   */
  async initialize(): Promise<void> {
    const release = await this.#turn(this.#deadline());
    try {
      await this.#prepare(this.#deadline());
    } finally {
      release();
    }
  }

  /**
   * Begins a transaction, when the one before is over.
   *
   * @throws KrafkaConfigError, KrafkaFencedError, KrafkaTimeoutError, KrafkaClosedError; the signal's reason
   */
  async begin(options?: TransactionOptions): Promise<Transaction<Key, Value>> {
    const { signal } = checkOptions<TransactionOptions>(options, TRANSACTION_RULES, 'transaction');
    const deadline = this.#deadline();
    const release = await this.#turn(deadline, signal);
    const prepared = this.#prepare(deadline);
    try {
      await unlessAborted(prepared, signal);
      signal?.throwIfAborted();
    } catch (error) {
      // Whoever gave up waits no longer; the next one's turn comes when what was asked of the coordinator is answered.
      void prepared.then(release, release);
      throw error;
    }
    const transaction = new Transaction<Key, Value>(this);
    this.#standing = { kind: 'busy', transaction };
    this.#ports.became('open', undefined);
    this.#unwatch = this.#watch(transaction, signal);
    this.#over = new Promise((resolve) => {
      this.#finish = (): void => {
        release();
        resolve();
      };
    });
    return transaction;
  }

  send: TransactionDoer<Key, Value>['send'] = (record, options) => this.#ports.send(record, options);

  sendAll: TransactionDoer<Key, Value>['sendAll'] = (records, options) => this.#ports.sendAll(records, options);

  async sendOffsets(offsets: readonly TransactionOffset[], group: TransactionGroup): Promise<void> {
    const { coordinator } = this.#ports;
    const identity = this.#identity as Identity;
    const deadline = this.#deadline();
    this.#started = true;
    if (this.#protocol === 1) await coordinator.addOffsets(identity, group.groupId, deadline);
    await coordinator.commitOffsets(identity, this.#protocol, group, offsets, deadline);
  }

  async commit(transaction: Transaction<Key, Value>): Promise<void> {
    await Promise.all([this.#ports.flush(), transaction.settled()]);
    if (transaction.failure === undefined) {
      await this.#end(transaction, true);
      return;
    }
    try {
      await this.abort(transaction);
    } catch (error) {
      if (error instanceof KrafkaFencedError) throw error;
      // It is not committed, whatever became of the abort: what it failed of says more.
      this.#ports.ports.logger.warn('a failed transaction could not be aborted', { id: this.transactionalId, error });
    }
    throw transaction.failure;
  }

  async abort(transaction: Transaction<Key, Value>): Promise<void> {
    const error = aborted('the transaction was aborted', transaction.failure);
    await Promise.all([this.#ports.quiesce(error), this.#partitions.settled(), transaction.settled()]);
    await this.#end(transaction, false);
  }

  /** What is not sent yet could only be aborted: it is given up at once, rather than wait for what will not come. */
  failed(error: Error): void {
    const reason = error instanceof KrafkaFencedError ? error : aborted('the transaction can only be aborted', error);
    void this.#ports.quiesce(reason);
  }

  became(state: TransactionState, previous: TransactionState): void {
    this.#ports.became(state, previous);
  }

  /** Begins nothing more, aborts what is open, and waits for it to end. */
  async shutDown(): Promise<void> {
    this.#closing = true;
    const standing = this.#standing;
    if (standing.kind === 'busy' && standing.transaction.state === 'open') {
      this.#abortQuietly(standing.transaction, new KrafkaClosedError('the producer'));
    }
    await this.#over;
  }

  close(): void {
    this.#closing = true;
    this.#standing = { kind: 'closed' };
    this.#partitions.close();
    this.#ports.coordinator.close();
  }

  #turn(deadline: Deadline, signal?: AbortSignal): Promise<() => void> {
    this.#assertUsable();
    return this.#turns.take(deadline, 'the transaction before it to end', signal);
  }

  /** Clears up after the last transaction, and has an identity for the next one. */
  async #prepare(deadline: Deadline): Promise<void> {
    this.#assertUsable();
    if (this.#standing.kind === 'unsettled') await this.#settle(deadline);
    if (await this.#needsIdentity(deadline)) await this.#takeIdentity(deadline);
    this.#assertUsable();
  }

  /** Fails the transaction when its time is up, before its coordinator does: that would fence us. Answers what ends that. */
  #watch(transaction: Transaction<Key, Value>, signal: AbortSignal | undefined): () => void {
    const { transactionTimeoutMs, ports } = this.#ports;
    const deadline = new Deadline(ports.clock, transactionTimeoutMs, 'transactionTimeoutMs');
    const expire = (): void => this.#abortQuietly(transaction, deadline.error('the transaction to be committed'));
    const timer = ports.clock.setTimer(transactionTimeoutMs, expire, true);
    const unhear = signal && onAbort(signal, (reason) => this.#abortQuietly(transaction, reason));
    return () => {
      timer.cancel();
      unhear?.();
    };
  }

  /** Fails a transaction on behalf of nobody who awaits that: its holder hears of it from whatever is asked of it next. */
  #abortQuietly(transaction: Transaction<Key, Value>, reason: Error): void {
    transaction.failed(reason);
    if (transaction.state !== 'open') return;
    transaction.abort().catch((error: unknown) => {
      this.#ports.ports.logger.warn('a transaction could not be aborted', { id: this.transactionalId, error });
    });
  }

  async #end(transaction: Transaction<Key, Value>, committed: boolean): Promise<void> {
    const attempts = { doubtful: false };
    this.#unwatch();
    try {
      if (this.fenced !== undefined) throw this.fenced;
      if (this.#started) await this.#endAtCoordinator(transaction, committed, attempts);
      this.#leave('idle');
      transaction.ended(committed ? 'committed' : 'aborted');
    } catch (error) {
      this.#leave('unsettled');
      if (!attempts.doubtful || isRefusal(error)) {
        transaction.ended('aborted');
        throw error;
      }
      transaction.ended('unknown');
      const outcome = committed ? 'committed: it may have been' : 'aborted: it will be, for it was not committed';
      throw new KrafkaError(`nobody told whether the transaction was ${outcome}`, {
        code: 'TRANSACTION_OUTCOME_UNKNOWN',
        cause: error,
      });
    } finally {
      this.#finish();
    }
  }

  async #endAtCoordinator(
    transaction: Transaction<Key, Value>,
    committed: boolean,
    attempts: { doubtful: boolean },
  ): Promise<void> {
    const identity = this.#identity as Identity;
    const { coordinator } = this.#ports;
    if (!committed) {
      await this.#abortAtCoordinator(this.#deadline(), attempts);
      return;
    }
    try {
      this.#became(await coordinator.endTransaction(identity, this.#protocol, true, this.#deadline(), attempts));
    } catch (error) {
      const { code } = error as KrafkaError;
      if (code === 'INVALID_TXN_STATE') throw aborted('its coordinator has aborted the transaction already', error);
      if (code !== 'TRANSACTION_ABORTABLE') throw error;
      transaction.failed(error as Error);
      await this.#abortAtCoordinator(this.#deadline(), attempts);
      throw error;
    }
  }

  async #abortAtCoordinator(deadline: Deadline, attempts?: { doubtful: boolean }): Promise<AbortAnswer> {
    const identity = this.#identity as Identity;
    try {
      const next = await this.#ports.coordinator.endTransaction(identity, this.#protocol, false, deadline, attempts);
      this.#became(next);
      if (next === undefined && this.#protocol === 2) this.#renew = true;
      return 'aborted';
    } catch (error) {
      const { code } = error as KrafkaError;
      if (code !== 'INVALID_TXN_STATE' && code !== 'INVALID_PRODUCER_ID_MAPPING') throw error;
      this.#renew = true;
      return code === 'INVALID_TXN_STATE' ? 'was over' : 'forgotten';
    }
  }

  /**
   * Nobody told how the last transaction ended. What is not committed by now is aborted, so that it will not be committed any
   * more, and nothing is open when the epoch is raised.
   */
  async #settle(deadline: Deadline): Promise<void> {
    const answer = await this.#abortAtCoordinator(deadline);
    if (answer === 'was over' && this.#protocol === 2) {
      // It is committed: the answer that was lost is given again, and with it the identity.
      const identity = this.#identity as Identity;
      this.#became(await this.#ports.coordinator.endTransaction(identity, 2, true, deadline));
    }
    this.#standing = { kind: 'idle' };
  }

  async #needsIdentity(deadline: Deadline): Promise<boolean> {
    if (this.#identity === undefined || this.#renew) return true;
    // A cluster that was upgraded meanwhile: the first transaction by the new protocol needs a new epoch (KIP-890).
    return (await this.#ports.coordinator.protocol(deadline)) !== this.#protocol;
  }

  async #takeIdentity(deadline: Deadline): Promise<void> {
    const { identity, protocol } = await this.#ports.coordinator.initProducerId(this.#identity, deadline);
    this.#protocol = protocol;
    this.#renew = false;
    this.#became(identity);
  }

  #became(identity: Identity | undefined): void {
    if (identity === undefined) return;
    this.#identity = identity;
    this.#ports.identified(identity);
  }

  /** The transaction is over; whether the next one needs a new epoch is decided here. */
  #leave(kind: 'idle' | 'unsettled'): void {
    const { coordinator, hasHoles } = this.#ports;
    const failed = this.#standing.kind === 'busy' && this.#standing.transaction.failure !== undefined;
    // Under protocol 2 the end itself has raised the epoch.
    if (kind === 'unsettled') this.#renew = true;
    else if (this.#protocol === 1 && (failed || coordinator.hasGhosts || hasHoles())) this.#renew = true;
    this.#started = false;
    this.#partitions.clear();
    if (this.#standing.kind === 'busy') this.#standing = { kind };
  }

  #assertUsable(): void {
    if (this.#closing) throw new KrafkaClosedError('the producer');
    if (this.fenced !== undefined) throw this.fenced;
  }

  #deadline(): Deadline {
    return new Deadline(this.#ports.ports.clock, this.#ports.budgetMs, 'deliveryTimeoutMs');
  }
}

/** Whether an answer says for certain that the transaction was not committed by whatever was asked before. */
function isRefusal(error: unknown): boolean {
  const { code } = error as KrafkaError;
  return code === 'TRANSACTION_ABORTED' || code === 'TRANSACTION_ABORTABLE';
}

function aborted(problem: string, cause: unknown): KrafkaError {
  return new KrafkaError(problem, { code: 'TRANSACTION_ABORTED', cause });
}
