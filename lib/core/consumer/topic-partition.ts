/** One partition of one topic. */
export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** A place in a partition: the next record to be read there. */
export interface TopicPartitionOffset extends TopicPartition {
  readonly offset: number;
}

/** One word for a partition, to key maps with. Topic names hold no slash. */
export const keyOf = (topic: string, partition: number): string => `${topic}/${partition}`;

/** The same partitions in a fixed order: by topic, then by number. */
export function sorted<T extends TopicPartition>(partitions: Iterable<T>): T[] {
  return [...partitions].toSorted((a, b) =>
    a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1,
  );
}

/** The partitions gathered under their topics, as most requests list them. */
export function byTopic<T extends TopicPartition>(partitions: Iterable<T>): Map<string, T[]> {
  const topics = new Map<string, T[]>();
  for (const item of partitions) {
    const there = topics.get(item.topic);
    if (there === undefined) topics.set(item.topic, [item]);
    else there.push(item);
  }
  return topics;
}

/** What goes and what comes when one set of partitions takes another's place. */
export function difference(
  held: readonly TopicPartition[],
  given: readonly TopicPartition[],
): { readonly revoked: TopicPartition[]; readonly added: TopicPartition[] } {
  const heldKeys = new Set(held.map(({ topic, partition }) => keyOf(topic, partition)));
  const givenKeys = new Set(given.map(({ topic, partition }) => keyOf(topic, partition)));
  return {
    revoked: held.filter(({ topic, partition }) => !givenKeys.has(keyOf(topic, partition))),
    added: given.filter(({ topic, partition }) => !heldKeys.has(keyOf(topic, partition))),
  };
}

/** `orders[0,2], payments[1]`: partitions as a log line or an error message names them. */
export function describePartitions(partitions: Iterable<TopicPartition>): string {
  const topics = [...byTopic(sorted(partitions))];
  return topics.map(([topic, items]) => `${topic}[${items.map((item) => item.partition).join(',')}]`).join(', ');
}
