import type { Deadline, Deferred } from '../../support/index.js';
import type { PartitionOwner } from '../group/group-member.js';
import { keyOf, type TopicPartition } from '../topic-partition.js';

/** Says what it owns and keeps what it was told; calls are held when the spec says so. */
export class FakeOwner implements PartitionOwner {
  owned: TopicPartition[] = [];
  readonly calls: string[] = [];
  /** How long each revocation was given, in milliseconds. */
  readonly deadlines: number[] = [];
  holding: Deferred<void> | undefined;
  #under = 0;

  assign(partitions: readonly TopicPartition[]): Promise<void> {
    this.owned.push(...partitions);
    return this.#note('assign', partitions);
  }

  async revoke(partitions: readonly TopicPartition[], deadline: Deadline): Promise<void> {
    this.deadlines.push(deadline.remainingMs);
    await this.#note('revoke', partitions);
    this.#drop(partitions);
  }

  async lose(partitions: readonly TopicPartition[]): Promise<void> {
    await this.#note('lose', partitions);
    this.#drop(partitions);
  }

  async #note(what: string, partitions: readonly TopicPartition[]): Promise<void> {
    if (this.#under++ > 0) throw new Error(`${what} came while another call was under way`);
    this.calls.push(`${what} ${partitions.map(({ partition }) => partition).join(',')}`);
    await this.holding?.promise;
    this.#under--;
  }

  #drop(partitions: readonly TopicPartition[]): void {
    const gone = new Set(partitions.map(({ topic, partition }) => keyOf(topic, partition)));
    this.owned = this.owned.filter(({ topic, partition }) => !gone.has(keyOf(topic, partition)));
  }
}
