import type { TopicPartition } from '../topic-partition.js';

/** The assignors that come with the consumer. */
export type AssignorName = 'range';

/** A member of a classic group as its leader sees it. */
export interface GroupSubscription {
  readonly memberId: string;
  /** Set on static members (KIP-345), whose place in an assignment survives their restarts. */
  readonly groupInstanceId: string | null;
  readonly topics: readonly string[];
  /** What the member held when it joined; null from members that tell of none. */
  readonly ownedPartitions: readonly TopicPartition[] | null;
  /** The generation `ownedPartitions` are from; -1 when unknown. */
  readonly generation: number;
  readonly rack: string | null;
  readonly userData: Buffer | null;
}

/** Partition counts of the topics that exist, by name. */
export type PartitionCounts = ReadonlyMap<string, number>;

/** How the leader of a classic group gives out partitions: a pure function of the members and the topics. */
export interface Assignor {
  /** The name all members must know, as Java's assignors have theirs: `range`, `roundrobin`, ... */
  readonly name: string;
  /** Eager: members give everything back before they join. Cooperative: they keep what they hold (KIP-429). */
  readonly rebalanceProtocol: 'eager' | 'cooperative';
  /** Who gets what. Every member is in the answer, if with nothing. */
  assign(members: readonly GroupSubscription[], partitions: PartitionCounts): Map<string, TopicPartition[]>;
  /** Bytes of the assignor's own that this member sends along when it joins; default none. */
  userData?(): Buffer | null;
  /** Told what this member was given, in which generation. */
  onAssignment?(assigned: readonly TopicPartition[], generation: number): void;
}

/** Whether a value has the shape of an {@link Assignor}. */
export function isAssignor(value: unknown): value is Assignor {
  if (typeof value !== 'object' || value === null) return false;
  const candidate = value as Partial<Assignor>;
  return (
    typeof candidate.name === 'string' &&
    candidate.name !== '' &&
    typeof candidate.assign === 'function' &&
    (candidate.rebalanceProtocol === 'eager' || candidate.rebalanceProtocol === 'cooperative')
  );
}
