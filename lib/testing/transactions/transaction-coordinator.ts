import { controlBatch, readBatchHeader, type ErrorName } from '../../core/protocol/index.js';
import type { Clock } from '../../core/support/index.js';
import type { Cluster } from '../cluster/cluster.js';
import type { GroupCoordinator } from '../groups/group-coordinator.js';
import { LAST_EPOCH, NO_PRODUCER, Transaction, type ProducerIdentity } from './transaction.js';

/** Kafka's transaction.max.timeout.ms. */
const MAX_TIMEOUT_MS = 900_000;
const COORDINATOR_EPOCH = 0;

/** Who a producer is from now on, or why it may not be. */
export type Identification = { readonly error: ErrorName } & ProducerIdentity;

const refused = (error: ErrorName): Identification => ({ error, ...NO_PRODUCER });

/**
 * Producer ids and transactions (KIP-98), the epochs that fence producers (KIP-360), and the second version of the
 * protocol, in which every transaction ends with a new epoch (KIP-890). Markers are written in the same turn.
 */
export class TransactionCoordinator {
  readonly #cluster: Cluster;
  readonly #groups: GroupCoordinator;
  readonly #clock: Clock;
  readonly #transactions = new Map<string, Transaction>();
  #nextProducerId = 0;

  constructor(cluster: Cluster, groups: GroupCoordinator, clock: Clock) {
    this.#cluster = cluster;
    this.#groups = groups;
    this.#clock = clock;
  }

  get all(): readonly Transaction[] {
    return [...this.#transactions.values()];
  }

  find(transactionalId: string): Transaction | undefined {
    return this.#transactions.get(transactionalId);
  }

  /** An id of its own for a producer without transactions. */
  newProducer(): ProducerIdentity {
    return { producerId: this.#nextProducerId++, producerEpoch: 0 };
  }

  /** InitProducerId: a new epoch for the transactional id; an open transaction is aborted, its producer fenced, first. */
  initialize(transactionalId: string, timeoutMs: number, expected: ProducerIdentity): Identification {
    const hasExpected = expected.producerId !== -1;
    if (transactionalId === '' || hasExpected !== (expected.producerEpoch !== -1)) return refused('INVALID_REQUEST');
    if (timeoutMs <= 0 || timeoutMs > MAX_TIMEOUT_MS) return refused('INVALID_TRANSACTION_TIMEOUT');
    let transaction = this.#transactions.get(transactionalId);
    if (transaction === undefined) {
      transaction = new Transaction(transactionalId, this.#nextProducerId++, timeoutMs);
      this.#transactions.set(transactionalId, transaction);
    }
    if (hasExpected && !mayContinue(transaction, expected)) return refused('PRODUCER_FENCED');
    if (transaction.state === 'Ongoing') {
      this.#fence(transaction);
      return refused('CONCURRENT_TRANSACTIONS');
    }
    transaction.timeoutMs = timeoutMs;
    if (transaction.isExhausted && (!hasExpected || expected.producerEpoch === transaction.epoch)) {
      this.#rotate(transaction, hasExpected ? expected.producerEpoch : -1);
    } else if (!hasExpected) {
      transaction.lastEpoch = -1;
      transaction.epoch += 1;
    } else if (transaction.epoch === -1 || expected.producerEpoch === transaction.epoch) {
      transaction.lastEpoch = transaction.epoch;
      transaction.epoch += 1;
    } else if (expected.producerEpoch !== transaction.lastEpoch) {
      return refused('PRODUCER_FENCED');
    }
    transaction.state = 'Empty';
    transaction.startedAt = -1;
    return { error: 'NONE', ...transaction.identity };
  }

  /** Whether the producer may add to its transaction, as AddPartitionsToTxn and AddOffsetsToTxn ask. */
  problem(transactionalId: string, producer: ProducerIdentity): ErrorName {
    if (transactionalId === '') return 'INVALID_REQUEST';
    const transaction = this.#transactions.get(transactionalId);
    if (transaction === undefined || transaction.producerId !== producer.producerId)
      return 'INVALID_PRODUCER_ID_MAPPING';
    return transaction.epoch === producer.producerEpoch ? 'NONE' : 'PRODUCER_FENCED';
  }

  /** Takes a partition into the transaction, which begins with its first. {@link problem} was asked before. */
  addPartition(transactionalId: string, topic: string, partition: number): void {
    this.#begin(transactionalId).partitions.set(`${topic}/${partition}`, { topic, partition });
  }

  /** Takes a group's offsets into the transaction. {@link problem} was asked before. */
  addGroup(transactionalId: string, groupId: string): void {
    this.#begin(transactionalId).groups.add(groupId);
  }

  /** EndTxn. In version 2 of the protocol the answer bears the producer's next epoch, or id. */
  end(transactionalId: string, producer: ProducerIdentity, committed: boolean, version: 0 | 2): Identification {
    if (transactionalId === '') return refused('INVALID_REQUEST');
    const transaction = this.#transactions.get(transactionalId);
    if (transaction === undefined) return refused('INVALID_PRODUCER_ID_MAPPING');
    return version === 2
      ? this.#endWithBump(transaction, producer, committed)
      : this.#endPlain(transaction, producer, committed);
  }

  close(): void {
    for (const transaction of this.#transactions.values()) transaction.expiry?.cancel();
  }

  #endPlain(transaction: Transaction, producer: ProducerIdentity, committed: boolean): Identification {
    if (transaction.producerId !== producer.producerId) return refused('INVALID_PRODUCER_ID_MAPPING');
    if (transaction.epoch !== producer.producerEpoch) return refused('PRODUCER_FENCED');
    if (transaction.state === 'Ongoing') {
      this.#complete(transaction, committed, transaction.epoch);
      return { error: 'NONE', ...NO_PRODUCER };
    }
    return refused(
      transaction.state === (committed ? 'CompleteCommit' : 'CompleteAbort') ? 'NONE' : 'INVALID_TXN_STATE',
    );
  }

  #endWithBump(transaction: Transaction, producer: ProducerIdentity, committed: boolean): Identification {
    const { producerId, producerEpoch } = producer;
    const rotated =
      transaction.previousProducerId === producerId && producerEpoch === LAST_EPOCH && transaction.epoch === 0;
    if (transaction.producerId !== producerId && !rotated) return refused('INVALID_PRODUCER_ID_MAPPING');
    const open = transaction.state === 'Ongoing' || transaction.state === 'Empty';
    const isRetry = !open && (rotated || transaction.epoch === producerEpoch + 1);
    if (!isRetry && transaction.epoch !== producerEpoch) return refused('PRODUCER_FENCED');
    if (isRetry) {
      if (transaction.state !== (committed ? 'CompleteCommit' : 'CompleteAbort')) return refused('INVALID_TXN_STATE');
      return { error: 'NONE', ...transaction.identity };
    }
    // There is nothing to commit; an abort of nothing still makes a new epoch.
    if (transaction.state !== 'Ongoing' && committed) return refused('INVALID_TXN_STATE');
    this.#complete(transaction, committed, producerEpoch + 1);
    if (producerEpoch >= LAST_EPOCH) {
      this.#rotate(transaction, producerEpoch);
    } else {
      transaction.lastEpoch = producerEpoch;
      transaction.epoch = producerEpoch + 1;
    }
    return { error: 'NONE', ...transaction.identity };
  }

  #begin(transactionalId: string): Transaction {
    const transaction = this.#transactions.get(transactionalId);
    if (transaction === undefined) throw new Error(`there is no transactional id ${transactionalId}`);
    if (transaction.state !== 'Ongoing') {
      transaction.state = 'Ongoing';
      transaction.startedAt = this.#clock.now();
      transaction.expiry?.cancel();
      transaction.expiry = this.#clock.setTimer(transaction.timeoutMs, () => this.#fence(transaction), true);
    }
    return transaction;
  }

  /** Aborts what is open under an epoch that its producer does not have: it can't go on. */
  #fence(transaction: Transaction): void {
    if (transaction.state !== 'Ongoing') return;
    transaction.epoch = Math.min(transaction.epoch + 1, LAST_EPOCH + 1);
    transaction.lastEpoch = -1;
    this.#complete(transaction, false, transaction.epoch);
  }

  #rotate(transaction: Transaction, lastEpoch: number): void {
    transaction.previousProducerId = transaction.producerId;
    transaction.producerId = this.#nextProducerId++;
    transaction.epoch = 0;
    transaction.lastEpoch = lastEpoch;
  }

  /** Writes the markers and settles the offsets. */
  #complete(transaction: Transaction, committed: boolean, producerEpoch: number): void {
    transaction.expiry?.cancel();
    const { producerId } = transaction;
    for (const { topic, partition: index } of transaction.partitions.values()) {
      const partition = this.#cluster.partition(topic, index);
      if (partition === undefined) continue;
      const bytes = controlBatch(committed ? 'commit' : 'abort', {
        producerId,
        producerEpoch,
        coordinatorEpoch: COORDINATOR_EPOCH,
        timestamp: this.#clock.now(),
      });
      const marker = { committed, coordinatorEpoch: COORDINATOR_EPOCH };
      partition.log.appendMarker(readBatchHeader(bytes), bytes, partition.leaderEpoch, marker);
      partition.wake();
    }
    for (const groupId of transaction.groups) this.#groups.offsets(groupId).settle(producerId, committed);
    transaction.partitions.clear();
    transaction.groups.clear();
    transaction.state = committed ? 'CompleteCommit' : 'CompleteAbort';
  }
}

/** Whether a producer that says who it was may get the next epoch; the epoch itself is compared later. */
function mayContinue(transaction: Transaction, expected: ProducerIdentity): boolean {
  return (
    transaction.epoch === -1 ||
    expected.producerId === transaction.producerId ||
    (expected.producerId === transaction.previousProducerId && expected.producerEpoch >= LAST_EPOCH)
  );
}
