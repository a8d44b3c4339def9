import type { PartitionQueue } from '../accumulator/partition-queue.js';
import type { TopicPartition } from './transaction-coordinator.js';

/** The partitions that a transaction's coordinator knows it writes to: protocol 1. Added together, one request at a time. */
export class PartitionsInTransaction {
  readonly #add: (partitions: readonly TopicPartition[]) => Promise<void>;
  readonly #onAdded: (queue: PartitionQueue) => void;
  readonly #onFailed: (error: Error) => void;
  readonly #added = new Set<PartitionQueue>();
  readonly #wanted = new Set<PartitionQueue>();
  readonly #asked = new Set<PartitionQueue>();
  #adding: Promise<void> | undefined;
  #closed = false;

  constructor(options: {
    readonly add: (partitions: readonly TopicPartition[]) => Promise<void>;
    readonly added: (queue: PartitionQueue) => void;
    readonly failed: (error: Error) => void;
  }) {
    this.#add = options.add;
    this.#onAdded = options.added;
    this.#onFailed = options.failed;
  }

  /** Whether the coordinator knows the partition; if not, it will be told, with whatever else is asked for in this turn. */
  has(queue: PartitionQueue): boolean {
    if (this.#added.has(queue)) return true;
    if (!this.#asked.has(queue)) this.#wanted.add(queue);
    this.#adding ??= Promise.resolve().then(() => this.#addWanted());
    return false;
  }

  /** Resolves when no request is under way. */
  async settled(): Promise<void> {
    await this.#adding;
  }

  /** The transaction is over. */
  clear(): void {
    this.#added.clear();
    this.#wanted.clear();
  }

  close(): void {
    this.#closed = true;
    this.clear();
  }

  async #addWanted(): Promise<void> {
    while (this.#wanted.size > 0 && !this.#closed) {
      const queues = [...this.#wanted];
      this.#wanted.clear();
      for (const queue of queues) this.#asked.add(queue);
      try {
        await this.#add(queues.map(({ topic, partition }) => ({ topic: topic.name, partition })));
      } catch (error) {
        this.#wanted.clear();
        this.#onFailed(error as Error);
        break;
      } finally {
        this.#asked.clear();
      }
      for (const queue of queues) {
        this.#added.add(queue);
        this.#onAdded(queue);
      }
    }
    this.#adding = undefined;
  }
}
