import type { PartitionQueue } from '../accumulator/partition-queue.js';
import type { ProducerBatch } from '../accumulator/producer-batch.js';

/**
 * Where open batches wait for company, the oldest batch first. Queues are kept, not batches: one that went for another reason
 * would be held here, with its bytes, behind one that still waits.
 */
export class Lingering {
  readonly #lingerMs: number;
  readonly #queues = new Set<PartitionQueue>();

  constructor(lingerMs: number) {
    this.#lingerMs = lingerMs;
  }

  /** Monotonic; when the first of them has lingered. */
  get dueAtMs(): number {
    for (const { open } of this.#queues) if (waits(open)) return open.createdAtMs + this.#lingerMs;
    return Infinity;
  }

  /** The open batch of its queue, begun just now. */
  add({ queue }: ProducerBatch): void {
    // The place of the batch before is not its own.
    this.#queues.delete(queue);
    this.#queues.add(queue);
  }

  /** Makes due, and hands over, each batch that has lingered. */
  end(nowMs: number, over: (batch: ProducerBatch) => void): void {
    for (const queue of this.#queues) {
      const { open } = queue;
      if (waits(open)) {
        if (open.createdAtMs + this.#lingerMs > nowMs) return;
        open.due = true;
        over(open);
      }
      this.#queues.delete(queue);
    }
  }
}

const waits = (open: ProducerBatch | undefined): open is ProducerBatch => open !== undefined && !open.due;
