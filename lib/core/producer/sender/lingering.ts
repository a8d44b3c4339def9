import type { ProducerBatch } from '../accumulator/producer-batch.js';

/** Open batches that wait for company, oldest first. Those that went for another reason are passed over. */
export class Lingering {
  readonly #lingerMs: number;
  #batches: ProducerBatch[] = [];

  constructor(lingerMs: number) {
    this.#lingerMs = lingerMs;
  }

  /** Monotonic; when the first of them has lingered. */
  get dueAtMs(): number {
    const [oldest] = this.#batches;
    return oldest === undefined ? Infinity : oldest.createdAtMs + this.#lingerMs;
  }

  add(batch: ProducerBatch): void {
    this.#batches.push(batch);
  }

  /** Makes due, and hands over, each batch that has lingered. */
  end(nowMs: number, over: (batch: ProducerBatch) => void): void {
    let gone = 0;
    for (const batch of this.#batches) {
      if (batch.state === 'open' && !batch.due) {
        if (batch.createdAtMs + this.#lingerMs > nowMs) break;
        batch.due = true;
        over(batch);
      }
      gone++;
    }
    if (gone > 0) this.#batches.splice(0, gone);
  }
}
