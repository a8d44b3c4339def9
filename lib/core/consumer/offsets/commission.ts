import { KrafkaError } from '../../support/index.js';
import type { AssignedPartition } from '../assigned-partition.js';
import { describePartitions, keyOf, type TopicPartitionOffset } from '../topic-partition.js';

/** An offset to be committed, with what the group keeps beside it. */
export interface OffsetToCommit extends TopicPartitionOffset {
  /** Text kept with the offset, at most what the broker's `offset.metadata.max.bytes` allows. */
  readonly metadata?: string | undefined;
  /** The leader epoch of the last record done (KIP-320), where known. */
  readonly leaderEpoch?: number | undefined;
}

/**
 * What one commit is to tell the group, however many tries that takes. Each try asks anew, since partitions may go
 * meanwhile: their next owner commits what is newer, which nothing of this consumer's may land on.
 */
export interface Commission {
  /** What the group has not been told yet, and still may be. */
  outstanding(): readonly OffsetToCommit[];
  /** The group holds one of those now. */
  committed(offset: OffsetToCommit): void;
  /** Partitions that went before the group was told. */
  readonly gone: readonly AssignedPartition[];
}

/** What is done of partitions, as far as it is when it is sent. */
export class DoneOffsets implements Commission {
  readonly gone: AssignedPartition[] = [];
  readonly #left: Set<AssignedPartition>;
  readonly #sent = new Map<OffsetToCommit, AssignedPartition>();

  constructor(partitions: Iterable<AssignedPartition>) {
    this.#left = new Set(partitions);
  }

  outstanding(): readonly OffsetToCommit[] {
    this.#sent.clear();
    for (const assigned of this.#left) {
      const done = assigned.commits.toCommit();
      if (done !== undefined && assigned.owned) {
        this.#sent.set({ topic: assigned.topic, partition: assigned.partition, ...done }, assigned);
        continue;
      }
      this.#left.delete(assigned);
      if (done !== undefined) this.gone.push(assigned);
    }
    return [...this.#sent.keys()];
  }

  committed(offset: OffsetToCommit): void {
    const assigned = this.#sent.get(offset);
    if (assigned === undefined) return;
    assigned.commits.acknowledge(offset.offset);
    this.#left.delete(assigned);
  }
}

/** Offsets as they were given, of partitions that are owned or of others. */
export class GivenOffsets implements Commission {
  readonly gone: AssignedPartition[] = [];
  readonly #left: Set<OffsetToCommit>;
  readonly #owners = new Map<OffsetToCommit, { readonly assigned: AssignedPartition; readonly jumps: number }>();

  constructor(offsets: readonly OffsetToCommit[], partitions: Iterable<AssignedPartition>) {
    this.#left = new Set(offsets);
    const owned = new Map(Array.from(partitions, (partition) => [partition.key, partition]));
    for (const offset of offsets) {
      const assigned = owned.get(keyOf(offset.topic, offset.partition));
      if (assigned !== undefined) this.#owners.set(offset, { assigned, jumps: assigned.commits.jumps });
    }
  }

  outstanding(): readonly OffsetToCommit[] {
    for (const offset of this.#left) {
      const assigned = this.#owners.get(offset)?.assigned;
      if (assigned === undefined || assigned.owned) continue;
      this.#left.delete(offset);
      this.gone.push(assigned);
    }
    return [...this.#left];
  }

  committed(offset: OffsetToCommit): void {
    this.#left.delete(offset);
    const owner = this.#owners.get(offset);
    owner?.assigned.commits.commitByHand(offset.offset, owner.jumps);
  }
}

/** The error of partitions that are another member's by now. */
export const notOursAnyMore = (partitions: Iterable<AssignedPartition>): KrafkaError =>
  new KrafkaError(`${describePartitions(partitions)} is not this consumer's any more`, { code: 'REVOKED' });
