import type { Cluster } from '../../cluster/index.js';
import { KrafkaError, KrafkaProtocolError } from '../../support/index.js';
import { keyOf, type TopicPartition } from '../topic-partition.js';
import type { Assignor, GroupSubscription, PartitionCounts } from './assignor.js';
import { decodeSubscription } from './consumer-protocol.js';

/** What JoinGroup tells the leader of a group. */
export interface LedGroup {
  readonly protocolName: string | null;
  /** The members' assignments stand as they are (KIP-814): the leader only watches. */
  readonly skipAssignment: boolean;
  readonly members: readonly {
    readonly memberId: string;
    readonly groupInstanceId: string | null;
    readonly metadata: Buffer;
  }[];
}

/** What one member is given. */
export interface MemberAssignment {
  readonly memberId: string;
  readonly partitions: readonly TopicPartition[];
}

/**
 * The leader's office in a classic group: assigns when the group has gathered, and watches the partition counts of all
 * that the group subscribes to, so that new partitions are given out.
 */
export class GroupLeader {
  readonly #cluster: Pick<Cluster, 'metadata' | 'refresh' | 'track'>;
  readonly #assignors: readonly Assignor[];
  #watched: PartitionCounts | undefined;
  #release: (() => void) | undefined;

  constructor(cluster: Pick<Cluster, 'metadata' | 'refresh' | 'track'>, assignors: readonly Assignor[]) {
    this.#cluster = cluster;
    this.#assignors = assignors;
  }

  /**
   * Who gets what.
   *
   * @throws KrafkaProtocolError MALFORMED when a member's subscription can't be read
   */
  async assign(group: LedGroup): Promise<readonly MemberAssignment[]> {
    const assignor = this.#assignors.find(({ name }) => name === group.protocolName);
    if (assignor === undefined) {
      throw new KrafkaProtocolError('INCONSISTENT_GROUP_PROTOCOL', `the group chose '${String(group.protocolName)}'`);
    }
    const members = group.members.map((member) => decodeSubscription(member.metadata, member));
    const topics = [...new Set(members.flatMap((member) => member.topics))].toSorted();
    const before = this.#release;
    this.#release = this.#cluster.track(topics);
    before?.();
    await this.#cluster.refresh(topics);
    const counts = this.#count(topics);
    this.#watched = counts;
    if (group.skipAssignment) return [];
    const assignment = assignor.assign(members, counts);
    checkAssignment(assignment, members, assignor.name);
    if (assignor.rebalanceProtocol === 'cooperative') withholdWhatMoves(assignment, members);
    return members.map(({ memberId }) => ({ memberId, partitions: assignment.get(memberId) ?? [] }));
  }

  /** Why the group must gather again, in words, when what it subscribes to has changed. */
  changed(): string | undefined {
    if (this.#watched === undefined) return undefined;
    const now = this.#count(this.#watched.keys());
    for (const [topic, count] of this.#watched) {
      if (now.get(topic) !== count) {
        return `topic '${topic}' has ${now.get(topic)} partitions now, it had ${count} when they were given out`;
      }
    }
    return undefined;
  }

  /** Somebody else leads, or nobody. */
  resign(): void {
    this.#watched = undefined;
    this.#release?.();
    this.#release = undefined;
  }

  /** Topics that do not exist count none. */
  #count(topics: Iterable<string>): Map<string, number> {
    const known = this.#cluster.metadata.topics;
    return new Map(Array.from(topics, (topic) => [topic, known.get(topic)?.partitions.length ?? 0]));
  }
}

/**
 * A partition moves between members of a cooperative group in two generations: in the first its owner gives it back,
 * in the second it is given out (KIP-429). So what is owned by somebody else is withheld now.
 */
function withholdWhatMoves(assignment: Map<string, TopicPartition[]>, members: readonly GroupSubscription[]): void {
  const owners = new Map<string, Set<string>>();
  for (const { memberId, ownedPartitions } of members) {
    for (const { topic, partition } of ownedPartitions ?? []) {
      const key = keyOf(topic, partition);
      owners.set(key, (owners.get(key) ?? new Set()).add(memberId));
    }
  }
  for (const [memberId, partitions] of assignment) {
    const free = partitions.filter(
      ({ topic, partition }) => owners.get(keyOf(topic, partition))?.has(memberId) ?? true,
    );
    assignment.set(memberId, free);
  }
}

/** An assignor may be the user's own: what it gives to two members, or to nobody's subscription, is refused. */
function checkAssignment(
  assignment: ReadonlyMap<string, readonly TopicPartition[]>,
  members: readonly GroupSubscription[],
  name: string,
): void {
  const given = new Map<string, string>();
  const byId = new Map(members.map((member) => [member.memberId, member]));
  const refuse = (problem: string): never => {
    throw new KrafkaError(`the assignor '${name}' ${problem}`, { code: 'INVALID_ASSIGNMENT' });
  };
  for (const [memberId, partitions] of assignment) {
    const member = byId.get(memberId) ?? refuse(`gave partitions to '${memberId}', which is no member`);
    for (const { topic, partition } of partitions) {
      const key = keyOf(topic, partition);
      if (!member.topics.includes(topic)) refuse(`gave ${key} to '${memberId}', which does not subscribe to it`);
      if (given.has(key)) refuse(`gave ${key} to '${given.get(key)}' and to '${memberId}'`);
      given.set(key, memberId);
    }
  }
}
