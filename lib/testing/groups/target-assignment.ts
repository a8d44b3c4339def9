import type { Cluster } from '../cluster/cluster.js';
import type { Topic } from '../cluster/topic.js';
import { ASSIGNORS, type Assignment, type PartitionKey } from './assignors.js';
import type { ConsumerMember } from './consumer-member.js';
import { TopicRegexes } from './topic-regex.js';

const DEFAULT_ASSIGNOR = 'uniform';
const NOTHING: ReadonlySet<PartitionKey> = new Set();

/** What each member of a group of the new protocol is meant to have, and at which epoch of the group that was decided. */
export class TargetAssignment {
  readonly #cluster: Cluster;
  #epoch = 0;
  #made: Assignment = new Map();
  readonly #regexes: TopicRegexes;
  #topicsSeen = '';

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    this.#regexes = new TopicRegexes(cluster);
  }

  get epoch(): number {
    return this.#epoch;
  }

  of(memberId: string): ReadonlySet<PartitionKey> {
    return this.#made.get(memberId) ?? NOTHING;
  }

  /** A member goes by another id from now on. */
  rename(from: string, to: string): void {
    this.#made.set(to, this.#made.get(from) ?? new Set());
    this.#made.delete(from);
  }

  forget(memberId: string): void {
    this.#made.delete(memberId);
  }

  /** Whether the topics that are subscribed to are others, or have more partitions, than when this was last asked. */
  topicsChanged(members: readonly ConsumerMember[]): boolean {
    const topics = new Set(members.flatMap((member) => this.topicsOf(member)));
    const seen = [...topics].map(({ id, partitions }) => `${id}:${partitions.length}`).toSorted();
    const before = this.#topicsSeen;
    this.#topicsSeen = seen.join();
    return this.#topicsSeen !== before;
  }

  /** Decides anew, for an epoch of the group. */
  make(epoch: number, members: readonly ConsumerMember[]): void {
    const assign = ASSIGNORS[assignorOf(members)];
    if (assign === undefined) throw new Error('a member asks for an assignor that there is not');
    const topics = new Set(members.flatMap((member) => this.topicsOf(member)));
    this.#made = assign({
      subscriptions: new Map(members.map((member) => [member.id, new Set(this.topicsOf(member).map(({ id }) => id))])),
      topics: new Map([...topics].map(({ id, partitions }) => [id, partitions.length])),
      previous: this.#made,
    });
    this.#epoch = epoch;
  }

  /** Looks for the topics that the members' regular expressions stand for. */
  resolve(members: readonly ConsumerMember[]): void {
    this.#regexes.resolve(members.flatMap(({ topicRegex }) => topicRegex ?? []));
  }

  /** The topics that exist of those a member subscribes to, by name or by what its regular expression was found to fit. */
  topicsOf({ topicNames, topicRegex }: ConsumerMember): readonly Topic[] {
    const found = topicRegex === null ? undefined : this.#regexes.topicsOf(topicRegex);
    return [...this.#cluster.topics.values()].filter(({ name }) => topicNames.includes(name) || found?.has(name));
  }
}

/** The assignor that most members ask for. */
export function assignorOf(members: readonly ConsumerMember[]): string {
  const votes = new Map<string, number>();
  for (const { serverAssignor } of members) {
    if (serverAssignor !== null) votes.set(serverAssignor, (votes.get(serverAssignor) ?? 0) + 1);
  }
  let best = DEFAULT_ASSIGNOR;
  for (const [name, count] of votes) if (count > (votes.get(best) ?? 0)) best = name;
  return best;
}
