import { keyOf, type TopicPartition } from '../topic-partition.js';
import {
  inMemberOrder,
  subscribersByTopic,
  type Assignor,
  type GroupSubscription,
  type PartitionCounts,
} from './assignor.js';

interface Share {
  readonly member: GroupSubscription;
  readonly partitions: TopicPartition[];
}

/**
 * As balanced as subscriptions allow, and with that as little moved as can be: members keep what they hold, what nobody
 * holds goes to whoever has least, and then partitions move from who has two or more than another that could read them.
 * Members keep reading meanwhile (KIP-429); a partition that moves is given out one generation later.
 *
 * It shares its name, and what members tell of themselves, with the Java client's `CooperativeStickyAssignor`.
 */
export class CooperativeStickyAssignor implements Assignor {
  readonly name = 'cooperative-sticky';
  readonly rebalanceProtocol = 'cooperative';
  #generation = -1;

  /** The generation of what is owned, for leaders that know only subscriptions before version 2. */
  userData(): Buffer {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32BE(this.#generation);
    return bytes;
  }

  onAssignment(_assigned: readonly TopicPartition[], generation: number): void {
    this.#generation = generation;
  }

  assign(members: readonly GroupSubscription[], partitions: PartitionCounts): Map<string, TopicPartition[]> {
    const ordered = inMemberOrder(members);
    const shares = new Map<string, Share>(ordered.map((member) => [member.memberId, { member, partitions: [] }]));
    const readers = new Map(
      Array.from(subscribersByTopic(ordered), ([topic, subscribers]): [string, Share[]] => [
        topic,
        subscribers.map(({ memberId }) => shares.get(memberId) as Share),
      ]),
    );
    const owners = ownersOf(ordered);
    const free: TopicPartition[] = [];
    for (const [topic, able] of readers) {
      for (let partition = 0; partition < (partitions.get(topic) ?? 0); partition++) {
        const owner = shares.get(owners.get(keyOf(topic, partition)) ?? '');
        if (owner !== undefined && able.includes(owner)) owner.partitions.push({ topic, partition });
        else free.push({ topic, partition });
      }
    }
    for (const one of free) leastOf(readers.get(one.topic) as Share[]).partitions.push(one);
    balance([...shares.values()], readers);
    return new Map(Array.from(shares, ([memberId, share]) => [memberId, share.partitions]));
  }
}

/** Who holds what: the claim of the newest generation counts, and of two equal ones none. */
function ownersOf(members: readonly GroupSubscription[]): Map<string, string> {
  const claims = new Map<string, { memberId: string; generation: number }>();
  for (const member of members) {
    const generation = generationOf(member);
    for (const { topic, partition } of member.ownedPartitions ?? []) {
      const key = keyOf(topic, partition);
      const other = claims.get(key);
      if (other === undefined || generation > other.generation)
        claims.set(key, { memberId: member.memberId, generation });
      else if (generation === other.generation) claims.set(key, { memberId: '', generation });
    }
  }
  return new Map(Array.from(claims, ([key, { memberId }]) => [key, memberId]));
}

const generationOf = ({ generation, userData }: GroupSubscription): number =>
  generation >= 0 || userData === null || userData.length < 4 ? generation : userData.readInt32BE(0);

/** Whoever has least; the first of equals. There is always somebody. */
function leastOf(shares: readonly Share[]): Share {
  let least = shares[0] as Share;
  for (const share of shares) if (share.partitions.length < least.partitions.length) least = share;
  return least;
}

/** Moves partitions until nobody has two more than somebody who could read one of them. Each move evens out: it ends. */
function balance(shares: Share[], readers: ReadonlyMap<string, readonly Share[]>): void {
  // Always from whoever has most: who gives too early gives more than it must.
  while (shares.toSorted(byLoad).some((share) => moveOne(share, readers))) continue;
}

const byLoad = (a: Share, b: Share): number => b.partitions.length - a.partitions.length;

function moveOne(share: Share, readers: ReadonlyMap<string, readonly Share[]>): boolean {
  const { partitions } = share;
  const least = new Map<string, Share>();
  for (let index = partitions.length - 1; index >= 0; index--) {
    const one = partitions[index] as TopicPartition;
    let to = least.get(one.topic);
    if (to === undefined) least.set(one.topic, (to = leastOf(readers.get(one.topic) as Share[])));
    if (partitions.length - to.partitions.length < 2) continue;
    partitions.splice(index, 1);
    to.partitions.push(one);
    return true;
  }
  return false;
}
