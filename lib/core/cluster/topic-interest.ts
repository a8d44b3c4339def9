import type { ClusterMetadata, TopicMetadata } from './cluster-metadata.js';

interface Entry {
  topic: TopicMetadata | undefined;
  usedIn: number;
  pins: number;
}

/**
 * Which topics are in use, so that only they are kept fresh. A topic is dropped when nobody asked for it during a whole
 * period; when it was last refreshed plays no part. Time is counted in periods, so that a use costs no look at a clock.
 */
export class TopicInterest {
  readonly #entries = new Map<string, Entry>();
  #period = 0;

  /** How many topics are in use. */
  get size(): number {
    return this.#entries.size;
  }

  get names(): string[] {
    return [...this.#entries.keys()];
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  /** The topic as it is known, with at least one partition; counts as a use. */
  use(name: string): TopicMetadata | undefined {
    const entry = this.#entries.get(name);
    if (entry === undefined) return undefined;
    entry.usedIn = this.#period;
    return entry.topic;
  }

  /** Begins to keep the topic. */
  want(name: string, topic: TopicMetadata | undefined): void {
    const entry = this.#entries.get(name);
    if (entry === undefined) this.#entries.set(name, { topic: usable(topic), usedIn: this.#period, pins: 0 });
    else entry.usedIn = this.#period;
  }

  /** Keeps the topics, used or not, until the answer is called; each answer counts once. */
  pin(names: readonly string[], metadata: ClusterMetadata): () => void {
    const pinned = new Set(names);
    for (const name of pinned) {
      this.want(name, metadata.topics.get(name));
      this.#entries.get(name)!.pins++;
    }
    let released = false;
    return () => {
      if (released) return;
      released = true;
      for (const name of pinned) {
        const entry = this.#entries.get(name);
        if (entry === undefined) continue;
        entry.pins--;
        entry.usedIn = this.#period;
      }
    };
  }

  /** Takes over what a new snapshot says of the topics kept. */
  update(metadata: ClusterMetadata): void {
    for (const [name, entry] of this.#entries) entry.topic = usable(metadata.topics.get(name));
  }

  /** Ends a period: forgets the topics that were neither pinned nor used during it, and names them. */
  endPeriod(): string[] {
    const idle: string[] = [];
    for (const [name, entry] of this.#entries) {
      if (entry.pins > 0 || entry.usedIn >= this.#period) continue;
      this.#entries.delete(name);
      idle.push(name);
    }
    this.#period++;
    return idle;
  }
}

const usable = (topic: TopicMetadata | undefined): TopicMetadata | undefined =>
  topic === undefined || topic.partitions.length === 0 ? undefined : topic;
