import { PartitionLog } from '../log/partition-log.js';
import type { ErrorName } from '../../core/protocol/index.js';

/** Called when something that a waiting fetch looks at has changed. */
export type PartitionWatcher = () => void;

/**
 * One partition: who leads it, since which epoch, and its log. Replicas hold no copies of their own: every append is on
 * all in-sync replicas at once, so the high watermark is the end of the log.
 */
export class Partition {
  readonly log: PartitionLog;
  /** Node ids, the preferred leader first. */
  replicas: readonly number[];
  isr: readonly number[];
  /** -1: no replica that may lead is online. */
  leaderId: number;
  leaderEpoch = 0;
  readonly #watchers = new Set<PartitionWatcher>();

  constructor(
    readonly topic: string,
    readonly index: number,
    replicas: readonly number[],
  ) {
    this.replicas = replicas;
    this.isr = replicas;
    this.leaderId = replicas[0] ?? -1;
    this.log = new PartitionLog();
  }

  /** Makes `nodeId` (-1: nobody) the leader, from a new epoch on. */
  lead(nodeId: number): void {
    this.leaderId = nodeId;
    this.leaderEpoch += 1;
    if (nodeId !== -1) this.log.beginEpoch(this.leaderEpoch);
    this.wake();
  }

  /** What node `nodeId` answers to a request of a client that knows the partition at `epoch` (-1: at none). */
  access(nodeId: number, epoch: number): ErrorName {
    if (epoch !== -1) {
      if (epoch < this.leaderEpoch) return 'FENCED_LEADER_EPOCH';
      if (epoch > this.leaderEpoch) return 'UNKNOWN_LEADER_EPOCH';
    }
    return this.leaderId === nodeId ? 'NONE' : 'NOT_LEADER_OR_FOLLOWER';
  }

  watch(watcher: PartitionWatcher): void {
    this.#watchers.add(watcher);
  }

  unwatch(watcher: PartitionWatcher): void {
    this.#watchers.delete(watcher);
  }

  wake(): void {
    if (this.#watchers.size === 0) return;
    for (const watcher of this.#watchers) watcher();
  }
}
