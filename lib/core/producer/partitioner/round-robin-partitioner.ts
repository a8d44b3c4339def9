import type { TopicMetadata } from '../../cluster/index.js';
import type { PartitionableRecord, Partitioner } from './partitioner.js';

/** The next partition of the topic for each record, whatever its key; those without a leader are passed over. */
export class RoundRobinPartitioner implements Partitioner {
  readonly #last = new Map<string, number>();

  partition(record: PartitionableRecord, topic: TopicMetadata): number {
    const { partitions } = topic;
    const last = this.#last.get(record.topic) ?? -1;
    let chosen = (last + 1) % partitions.length;
    for (let step = 0; step < partitions.length; step++) {
      const candidate = (last + 1 + step) % partitions.length;
      if ((partitions[candidate]?.leader ?? -1) >= 0) {
        chosen = candidate;
        break;
      }
    }
    this.#last.set(record.topic, chosen);
    return chosen;
  }
}
