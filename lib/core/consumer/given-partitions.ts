import { aListOf, aString, aWhole, describe, KrafkaConfigError, optional, type OptionRule } from '../support/index.js';
import type { OffsetToCommit } from './offsets/commission.js';
import type { TopicPartition } from './topic-partition.js';

/** The number of a partition. */
export const aPartitionNumber = aWhole('partition numbers', 0, 2 ** 31 - 1);
const anOffset = aWhole('offset', 0);
const aLeaderEpoch = optional(aWhole('epoch', -1, 2 ** 31 - 1));

/** One partition. Its further fields are let be: a record names its partition, too. */
const aPartition: OptionRule<TopicPartition> = (value, path) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new KrafkaConfigError(path, `must be an object with topic and partition, got ${describe(value)}`);
  }
  const { topic, partition } = value as Partial<TopicPartition>;
  aString(topic, `${path}.topic`);
  aPartitionNumber(partition, `${path}.partition`);
  return value as TopicPartition;
};

const anOffsetToCommit: OptionRule<OffsetToCommit> = (value, path) => {
  const { offset, leaderEpoch, metadata } = aPartition(value, path) as Partial<OffsetToCommit>;
  anOffset(offset, `${path}.offset`);
  aLeaderEpoch(leaderEpoch, `${path}.leaderEpoch`);
  if (metadata !== undefined && typeof metadata !== 'string') {
    throw new KrafkaConfigError(`${path}.metadata`, `must be a string, got ${describe(metadata)}`);
  }
  return value as OffsetToCommit;
};

/** Refuses what does not name one partition. @throws KrafkaConfigError */
export const checkPartition = (given: unknown): TopicPartition => aPartition(given, 'partition');

/** Refuses what is no list of partitions. @throws KrafkaConfigError */
export const checkPartitions = (given: unknown): readonly TopicPartition[] => aListOf(aPartition)(given, 'partitions');

/** Refuses what is no list of offsets to be committed. @throws KrafkaConfigError */
export const checkOffsetsToCommit = (given: unknown): readonly OffsetToCommit[] =>
  aListOf(anOffsetToCommit)(given, 'offsets');
