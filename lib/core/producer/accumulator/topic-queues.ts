import type { TopicMetadata } from '../../cluster/index.js';
import type { StickyPartition } from '../partitioner/sticky-partition.js';
import { PartitionQueue } from './partition-queue.js';

/**
 * What the producer keeps of one topic. It stays for as long as the producer does: a partition whose sequence numbers were
 * forgotten could not be written to again.
 */
export class TopicQueues {
  /** By partition, made when first written to. */
  readonly queues: (PartitionQueue | undefined)[] = [];
  #metadata: TopicMetadata | undefined;
  #id: string | undefined;
  /** Whether sends to it wait for metadata or serializers, so that later ones have to wait behind them. */
  blocked = false;
  /** Whether a batch of it was settled since that was last asked for. */
  used = false;
  /** Wire bytes over plain bytes that its next batches are expected to reach: lets them fill up (KIP-126). */
  expectedRatio = 1;

  readonly #nextAffinity: () => number;

  constructor(
    readonly name: string,
    readonly sticky: StickyPartition,
    nextAffinity: () => number,
  ) {
    this.#nextAffinity = nextAffinity;
  }

  /** How many batches of a partition wait to be sent. */
  readonly backlogOf = (partition: number): number => this.queues[partition]?.backlog ?? 0;

  /** Undefined until it is known, and when the cluster has dropped it. Without partitions it is not there yet. */
  get metadata(): TopicMetadata | undefined {
    return this.#metadata;
  }

  set metadata(metadata: TopicMetadata | undefined) {
    this.#metadata = metadata?.partitions.length === 0 ? undefined : metadata;
    if (metadata !== undefined) this.#id = metadata.id;
  }

  /** The id it had when it was last known: another one is another topic of the same name. */
  get id(): string | undefined {
    return this.#id;
  }

  queueOf(partition: number): PartitionQueue {
    return this.queues[partition] ?? this.#begin(partition);
  }

  /** Learns from a batch what compression reaches: worse at once, for a batch must not become too large; better by and by. */
  compressedTo(ratio: number): void {
    const better = ratio < this.expectedRatio;
    this.expectedRatio = better ? this.expectedRatio + (ratio - this.expectedRatio) / 4 : ratio;
  }

  #begin(partition: number): PartitionQueue {
    const queue = new PartitionQueue(this, partition, this.#nextAffinity());
    const known = this.metadata?.partitions[partition];
    if (known !== undefined) {
      queue.leader = known.leader;
      queue.leaderEpoch = known.leaderEpoch;
      queue.isReplicated = known.replicas.length > 1;
    }
    // Partitions come in any order; holes in the array would make every look-up slow.
    while (this.queues.length <= partition) this.queues.push(undefined);
    this.queues[partition] = queue;
    return queue;
  }
}
