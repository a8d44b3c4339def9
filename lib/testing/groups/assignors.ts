/** A partition by its topic's id, as sets and maps know it. */
export type PartitionKey = string;

export const partitionKey = (topicId: string, partition: number): PartitionKey => `${topicId}/${partition}`;

/** What a server-side assignor looks at (KIP-848). */
export interface AssignmentProblem {
  /** Member ids, in their order, with the ids of the topics that they subscribe to. */
  readonly subscriptions: ReadonlyMap<string, ReadonlySet<string>>;
  /** Numbers of partitions by topic id. */
  readonly topics: ReadonlyMap<string, number>;
  /** What each member was meant to have so far. */
  readonly previous: ReadonlyMap<string, ReadonlySet<PartitionKey>>;
}

/** Who is meant to have what; every member has an entry. */
export type Assignment = Map<string, Set<PartitionKey>>;

/** Gives every partition that anybody subscribes to to one member who does. */
export type Assignor = (problem: AssignmentProblem) => Assignment;

/** Kafka's names of the assignors, the default first. */
export const ASSIGNORS: Readonly<Record<string, Assignor>> = { uniform, range };

/** As many partitions for each as can be, and as few moved as can be. */
function uniform({ subscriptions, topics, previous }: AssignmentProblem): Assignment {
  const subscribersOf = (topicId: string): readonly string[] =>
    [...subscriptions].filter(([, subscribed]) => subscribed.has(topicId)).map(([member]) => member);
  const assignment: Assignment = new Map([...subscriptions.keys()].map((member) => [member, new Set()]));
  const sizeOf = (member: string): number => assignment.get(member)?.size ?? 0;
  const fewest = (members: readonly string[]): string | undefined =>
    members.reduce<string | undefined>(
      (best, member) => (best === undefined || sizeOf(member) < sizeOf(best) ? member : best),
      undefined,
    );
  for (const [topicId, partitions] of topics) {
    const subscribers = subscribersOf(topicId);
    for (let partition = 0; partition < partitions; partition++) {
      const key = partitionKey(topicId, partition);
      const owner = subscribers.find((member) => previous.get(member)?.has(key)) ?? fewest(subscribers);
      if (owner !== undefined) assignment.get(owner)?.add(key);
    }
  }
  while (moveOne(assignment, subscriptions));
  return assignment;
}

/** Moves a partition from one who has two or more than another who could have it; false when nobody has. */
function moveOne(assignment: Assignment, subscriptions: AssignmentProblem['subscriptions']): boolean {
  const members = [...assignment].toSorted(([, a], [, b]) => a.size - b.size);
  for (const [taker, few] of members) {
    for (const [, many] of members.toReversed()) {
      if (many.size < few.size + 2) break;
      // The last ones go, so that those who stay keep their first.
      const key = [...many].toReversed().find((candidate) => subscriptions.get(taker)?.has(topicIdOf(candidate)));
      if (key === undefined) continue;
      many.delete(key);
      few.add(key);
      return true;
    }
  }
  return false;
}

/** Neighbouring partitions of each topic together, the same places of every topic for the same member. */
function range({ subscriptions, topics }: AssignmentProblem): Assignment {
  const assignment: Assignment = new Map([...subscriptions.keys()].map((member) => [member, new Set()]));
  for (const [topicId, partitions] of topics) {
    const subscribers = [...subscriptions]
      .filter(([, subscribed]) => subscribed.has(topicId))
      .map(([member]) => member);
    subscribers.sort();
    let next = 0;
    subscribers.forEach((member, index) => {
      const share = Math.floor(partitions / subscribers.length) + (index < partitions % subscribers.length ? 1 : 0);
      for (let left = share; left > 0; left--) assignment.get(member)?.add(partitionKey(topicId, next++));
    });
  }
  return assignment;
}

/** The topic id in a key. */
export const topicIdOf = (key: PartitionKey): string => key.slice(0, key.lastIndexOf('/'));
/** The partition in a key. */
export const partitionOf = (key: PartitionKey): number => Number(key.slice(key.lastIndexOf('/') + 1));
