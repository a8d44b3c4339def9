import type { TopicPartition } from '../topic-partition.js';

/** The assignors that come with the consumer. */
export type AssignorName = 'range' | 'roundrobin' | 'cooperative-sticky';

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

/**
 * The order in which Java's assignors go through members: static ones first by instance id, so that their share
 * survives a restart under another member id, then the others by member id.
 */
export function inMemberOrder(members: readonly GroupSubscription[]): GroupSubscription[] {
  return [...members].toSorted((a, b) => {
    if (a.groupInstanceId !== null && b.groupInstanceId !== null) return compare(a.groupInstanceId, b.groupInstanceId);
    if (a.groupInstanceId !== null) return -1;
    if (b.groupInstanceId !== null) return 1;
    return compare(a.memberId, b.memberId);
  });
}

/** Who subscribes to each topic, members in the order given, topics by name. */
export function subscribersByTopic(members: readonly GroupSubscription[]): Map<string, GroupSubscription[]> {
  const topics = new Map<string, GroupSubscription[]>();
  for (const member of members) {
    for (const topic of new Set(member.topics)) {
      const there = topics.get(topic);
      if (there === undefined) topics.set(topic, [member]);
      else there.push(member);
    }
  }
  return new Map([...topics].toSorted(([a], [b]) => compare(a, b)));
}

// By UTF-16 code unit, as Java's String.compareTo.
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
