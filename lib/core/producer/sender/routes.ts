import type { Cluster, ClusterMetadata } from '../../cluster/index.js';
import type { PartitionQueue } from '../accumulator/partition-queue.js';
import type { TopicQueues } from '../accumulator/topic-queues.js';
import { BrokerOutbox } from './broker-outbox.js';

/**
 * Which broker each queue's batches go to: its partition's leader, as the newest metadata has it. Owns the outboxes, and the
 * queues whose partition has no leader, for which it asks until there is one.
 */
export class Routes {
  readonly outboxes = new Map<number, BrokerOutbox>();
  /** Monotonic; when to ask again for the leaders that are missing. */
  dueAtMs = Infinity;
  readonly #cluster: Pick<Cluster, 'suspect'>;
  readonly #backoffMs: (tries: number) => number;
  readonly #leaderless = new Set<PartitionQueue>();
  #tries = 0;

  constructor(cluster: Pick<Cluster, 'suspect'>, backoffMs: (tries: number) => number) {
    this.#cluster = cluster;
    this.#backoffMs = backoffMs;
  }

  /** Adds the queue to those that the sender looks at. */
  list(queue: PartitionQueue): void {
    if (queue.leader >= 0) {
      this.#outbox(queue.leader).list(queue);
      return;
    }
    if (this.#leaderless.size === 0) {
      this.#tries = 0;
      this.dueAtMs = 0;
    }
    queue.listed = true;
    this.#leaderless.add(queue);
  }

  /** Asks for the leaders that are missing, ever less often. */
  seekLeaders(nowMs: number): void {
    if (this.#leaderless.size === 0) {
      this.dueAtMs = Infinity;
      return;
    }
    for (const { topic, partition } of this.#leaderless) this.#cluster.suspect(topic.name, partition);
    this.#tries++;
    this.dueAtMs = nowMs + this.#backoffMs(this.#tries);
  }

  /** Takes over a snapshot. Queues whose leader changed go to the new one, and what they retry goes at once. */
  follow(metadata: ClusterMetadata, topics: Iterable<TopicQueues>): void {
    let moved = false;
    for (const topic of topics) {
      const known = metadata.topics.get(topic.name);
      const isAnother = known !== undefined && known.id !== topic.id;
      topic.metadata = known;
      for (const queue of topic.queues) {
        if (queue === undefined) continue;
        if (isAnother) queue.sequences.forgotten();
        if (followLeader(queue)) moved = true;
      }
    }
    if (!moved) return;
    const listed = [...this.#leaderless];
    this.#leaderless.clear();
    for (const outbox of this.outboxes.values()) listed.push(...outbox.queues.splice(0));
    for (const queue of listed) this.list(queue);
  }

  #outbox(nodeId: number): BrokerOutbox {
    let outbox = this.outboxes.get(nodeId);
    if (outbox === undefined) {
      outbox = new BrokerOutbox(nodeId);
      this.outboxes.set(nodeId, outbox);
    }
    return outbox;
  }
}

function followLeader(queue: PartitionQueue): boolean {
  const known = queue.topic.metadata?.partitions[queue.partition];
  const leader = known?.leader ?? -1;
  const leaderEpoch = known?.leaderEpoch ?? -1;
  if (known !== undefined) queue.isReplicated = known.replicas.length > 1;
  if (leader === queue.leader && leaderEpoch === queue.leaderEpoch) return false;
  queue.leader = leader;
  queue.leaderEpoch = leaderEpoch;
  for (const batch of queue.waiting) batch.retryAtMs = 0;
  return true;
}
