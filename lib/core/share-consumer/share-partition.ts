import type { TopicPartition } from '../consumer/index.js';

/** A partition that the group has given out: one object for as long as it is the same topic's. */
export interface SharePartition extends TopicPartition {
  readonly topicId: string;
}

/** One word for a partition of one topic, which a topic of the same name made anew does not share. */
export const keyOf = (topicId: string, partition: number): string => `${topicId}/${partition}`;

/** Partitions gathered under the ids of their topics, as requests list them. */
export function byTopicId<T>(
  partitions: Iterable<SharePartition>,
  entryOf: (partition: SharePartition) => T,
): { topicId: string; partitions: T[] }[] {
  const topics = new Map<string, T[]>();
  for (const partition of partitions) {
    const entries = topics.get(partition.topicId);
    if (entries === undefined) topics.set(partition.topicId, [entryOf(partition)]);
    else entries.push(entryOf(partition));
  }
  return Array.from(topics, ([topicId, entries]) => ({ topicId, partitions: entries }));
}
