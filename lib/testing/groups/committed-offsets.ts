/** One committed offset. */
export interface CommittedOffset {
  readonly offset: number;
  readonly leaderEpoch: number;
  readonly metadata: string;
}

/** What a group has committed, and what transactions that are still open would commit (KIP-98). */
export class CommittedOffsets {
  readonly #topics = new Map<string, Map<number, CommittedOffset>>();
  /** By producer id, then by place. */
  readonly #pending = new Map<number, Map<string, PendingOffset>>();

  get isEmpty(): boolean {
    return this.#topics.size === 0 && this.#pending.size === 0;
  }

  get topics(): ReadonlyMap<string, ReadonlyMap<number, CommittedOffset>> {
    return this.#topics;
  }

  get(topic: string, partition: number): CommittedOffset | undefined {
    return this.#topics.get(topic)?.get(partition);
  }

  commit(topic: string, partition: number, committed: CommittedOffset): void {
    let partitions = this.#topics.get(topic);
    if (partitions === undefined) {
      partitions = new Map();
      this.#topics.set(topic, partitions);
    }
    partitions.set(partition, committed);
  }

  delete(topic: string, partition: number): void {
    const partitions = this.#topics.get(topic);
    partitions?.delete(partition);
    if (partitions?.size === 0) this.#topics.delete(topic);
  }

  deleteTopic(topic: string): void {
    this.#topics.delete(topic);
    for (const [producerId, places] of this.#pending) {
      for (const [place, pending] of places) if (pending.topic === topic) places.delete(place);
      if (places.size === 0) this.#pending.delete(producerId);
    }
  }

  /** Whether an open transaction would commit this partition: its offset is not stable (KIP-447). */
  isUnstable(topic: string, partition: number): boolean {
    const place = placeOf(topic, partition);
    for (const places of this.#pending.values()) if (places.has(place)) return true;
    return false;
  }

  /** Keeps an offset until the producer's transaction ends. */
  hold(producerId: number, topic: string, partition: number, committed: CommittedOffset): void {
    let places = this.#pending.get(producerId);
    if (places === undefined) {
      places = new Map();
      this.#pending.set(producerId, places);
    }
    places.set(placeOf(topic, partition), { topic, partition, committed });
  }

  /** The producer's transaction has ended: what it held is committed, or dropped. */
  settle(producerId: number, committed: boolean): void {
    const places = this.#pending.get(producerId);
    this.#pending.delete(producerId);
    if (!committed || places === undefined) return;
    for (const pending of places.values()) this.commit(pending.topic, pending.partition, pending.committed);
  }
}

interface PendingOffset {
  readonly topic: string;
  readonly partition: number;
  readonly committed: CommittedOffset;
}

const placeOf = (topic: string, partition: number): string => `${topic}/${partition}`;
