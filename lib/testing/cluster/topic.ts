import { Partition } from './partition.js';
import { TopicConfig } from './topic-config.js';
import { INTERNAL_TOPICS } from './topic-name.js';

/** A topic: its id (KIP-516), configuration and partitions. */
export class Topic {
  readonly partitions: Partition[];
  readonly isInternal: boolean;

  constructor(
    readonly name: string,
    readonly id: string,
    /** The replicas of each partition, the preferred leader first. */
    placement: readonly (readonly number[])[],
    readonly config: TopicConfig = new TopicConfig(),
  ) {
    this.isInternal = INTERNAL_TOPICS.has(name);
    this.partitions = placement.map((replicas, index) => new Partition(name, index, replicas));
  }

  get replicationFactor(): number {
    return this.partitions[0]?.replicas.length ?? 0;
  }

  addPartitions(placement: readonly (readonly number[])[]): void {
    for (const replicas of placement) {
      this.partitions.push(new Partition(this.name, this.partitions.length, replicas));
    }
  }
}
