import type { TopicMetadata } from '../../cluster/index.js';
import type { Random } from '../../support/index.js';

/**
 * Where a topic's records without a key go: one partition at a time, until its batch is full or a batch's worth of bytes
 * has gone there, then another by chance, the likelier the shorter its queue (KIP-480, KIP-794). Partitions without a
 * leader are passed over as long as one has a leader.
 */
export class StickyPartition {
  readonly #batchSize: number;
  readonly #random: Random;
  #current = -1;
  #bytes = 0;

  constructor(batchSize: number, random: Random) {
    this.#batchSize = batchSize;
    this.#random = random;
  }

  /** The partition of the next record; `backlogOf` tells how many batches of a partition wait to be sent. */
  choose(topic: TopicMetadata, backlogOf: (partition: number) => number): number {
    if (this.#current < 0 || this.#bytes >= this.#batchSize || this.#current >= topic.partitions.length) {
      this.#current = this.#another(topic, backlogOf);
      this.#bytes = 0;
    }
    return this.#current;
  }

  /** Bytes went to the chosen partition. */
  appended(bytes: number): void {
    this.#bytes += bytes;
  }

  /** The chosen partition's batch has no room for a record: the next choice is another. */
  filled(): void {
    this.#bytes = this.#batchSize;
  }

  #another(topic: TopicMetadata, backlogOf: (partition: number) => number): number {
    const { partitions } = topic;
    const led = partitions.filter(({ leader }) => leader >= 0);
    const reachable = led.length === 0 ? partitions : led;
    // The one just filled would make a second batch, which can't travel in the same request as the first.
    const others = reachable.filter(({ partition }) => partition !== this.#current);
    const candidates = others.length === 0 ? reachable : others;
    let longest = 0;
    for (const { partition } of candidates) longest = Math.max(longest, backlogOf(partition));
    let total = 0;
    const upTo = candidates.map(({ partition }) => (total += longest + 1 - backlogOf(partition)));
    const drawn = this.#random.next() * total;
    return candidates[upTo.findIndex((bound) => drawn < bound)]?.partition ?? 0;
  }
}
