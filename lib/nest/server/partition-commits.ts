import type { Consumer, OffsetToCommit } from '../../core/consumer/index.js';
import type { ConsumerRecord } from '../../core/protocol/index.js';
import type { Tenure } from './delivery.js';

/**
 * How far handlers that commit by themselves have come in one partition, while this consumer has it. A record that was left
 * out, because nobody is for it or it was given up, is done: it goes with the next commit of a handler, or by itself where
 * everything before it is committed. So nothing is committed past what a handler has handled and not committed.
 *
 * ```
 *   offset    0        1        2        3         4        5
 *           handled  commits  left out  handled  left out  ...      committed: 0-2, since nothing between 1 and 2 is a handler's
 * ```
 */
export class PartitionCommits {
  static readonly #ofTenures = new WeakMap<AbortSignal, PartitionCommits>();
  /** The last record that a handler has handled. */
  #handled = -1;
  /** The last record that was committed. */
  #committed = -1;
  /** Where those end that were left out since the last one that was handled. */
  #leftOut: OffsetToCommit | undefined;
  /** Commits of handlers that have not been answered. */
  #underWay = 0;

  /** A partition that comes back later is another tenure: what counts then is what the group has. */
  static of({ signal }: Tenure): PartitionCommits {
    let commits = PartitionCommits.#ofTenures.get(signal);
    if (commits === undefined) PartitionCommits.#ofTenures.set(signal, (commits = new PartitionCommits()));
    return commits;
  }

  /** A handler has handled the record, and says by itself when it is done. */
  handled({ offset }: ConsumerRecord): void {
    this.#handled = offset;
    this.#leftOut = undefined;
  }

  /** The record is done without a handler. */
  leftOut(record: ConsumerRecord): void {
    this.#leftOut = positionAfter(record);
  }

  /** Commits, on behalf of a handler, the record and those before it. */
  async commit(consumer: Pick<Consumer, 'commit'>, record: ConsumerRecord): Promise<void> {
    this.#underWay += 1;
    try {
      await consumer.commit([positionAfter(record)]);
      this.#committed = record.offset;
    } finally {
      this.#underWay -= 1;
    }
    await this.settle(consumer);
  }

  /** Commits what was left out, where that commits nothing else. Never rejects. */
  async settle(consumer: Pick<Consumer, 'commit'>): Promise<void> {
    const position = this.#leftOut;
    // It must not overtake a commit of a handler, nor take one back.
    if (position === undefined || this.#underWay > 0) return;
    if (this.#handled > this.#committed || position.offset <= this.#committed) return;
    this.#leftOut = undefined;
    try {
      await consumer.commit([position]);
      this.#committed = Math.max(this.#committed, position.offset - 1);
    } catch {
      // Then it goes with the next commit: the group that did not take it gives the partition to somebody, or is asked again.
      this.#leftOut ??= position;
    }
  }
}

const positionAfter = ({ topic, partition, offset, leaderEpoch }: ConsumerRecord): OffsetToCommit => ({
  topic,
  partition,
  offset: offset + 1,
  ...(leaderEpoch < 0 ? {} : { leaderEpoch }),
});
