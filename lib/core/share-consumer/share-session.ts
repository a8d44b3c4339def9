import { byTopicId, keyOf, type SharePartition } from './share-partition.js';

/** What a ShareFetch says of its session. */
export interface SharePlan {
  readonly epoch: number;
  /** Every partition is named: the session begins anew. */
  readonly full: boolean;
  readonly added: readonly SharePartition[];
  readonly forgotten: readonly SharePartition[];
}

/** Opens a session. */
const INITIAL_EPOCH = 0;
/** Closes it, and gives back whatever the member still holds. */
export const FINAL_EPOCH = -1;
const MAX_EPOCH = 2_147_483_647;

/**
 * A share session with one broker (KIP-932): the broker remembers the partitions, and requests say what changes. Every
 * request that the broker has taken counts the epoch up by one, ShareFetch and ShareAcknowledge alike.
 */
export class ShareSession {
  #epoch = INITIAL_EPOCH;
  #partitions = new Map<string, SharePartition>();

  /** Whether the broker remembers anything of us. */
  get isOpen(): boolean {
    return this.#epoch !== INITIAL_EPOCH;
  }

  /** The epoch of the next request. */
  get epoch(): number {
    return this.#epoch;
  }

  get size(): number {
    return this.#partitions.size;
  }

  has({ topicId, partition }: SharePartition): boolean {
    return this.#partitions.has(keyOf(topicId, partition));
  }

  find(topicId: string, partition: number): SharePartition | undefined {
    return this.#partitions.get(keyOf(topicId, partition));
  }

  /** The topic's name, where a partition of it is in the session. */
  nameOf(topicId: string): string | undefined {
    for (const partition of this.#partitions.values()) if (partition.topicId === topicId) return partition.topic;
    return undefined;
  }

  /** What to say so that the broker reads these partitions and no others. */
  plan(wanted: readonly SharePartition[]): SharePlan {
    const next = new Map(wanted.map((partition) => [keyOf(partition.topicId, partition.partition), partition]));
    const full = !this.isOpen;
    const added = [...next].filter(([key]) => full || !this.#partitions.has(key)).map(([, partition]) => partition);
    const forgotten = full
      ? []
      : [...this.#partitions].filter(([key]) => !next.has(key)).map(([, partition]) => partition);
    this.#partitions = next;
    return { epoch: this.#epoch, full, added, forgotten };
  }

  /** The broker has taken a request. */
  advance(): void {
    this.#epoch = this.#epoch === MAX_EPOCH ? INITIAL_EPOCH + 1 : this.#epoch + 1;
  }

  /** The broker has forgotten the session, or may have: the next fetch names everything. */
  reset(): void {
    this.#epoch = INITIAL_EPOCH;
    this.#partitions = new Map();
  }
}

/** Forgotten partitions as a request has them. */
export const forgottenTopics = (partitions: readonly SharePartition[]) =>
  byTopicId(partitions, ({ partition }) => partition);
