import type { PartitionMetadata, TopicMetadata } from '../cluster/index.js';
import { ERROR_CODES, protocolError } from '../protocol/index.js';
import type { KrafkaError } from '../support/index.js';
import type { AdminCall, Answers } from './admin-call.js';
import type { Settled } from './settle-each.js';

/** A topic in the words of an error. */
export const topicNamed = (name: string): string => `topic '${name}'`;

/** Zero partitions is a topic that is not there yet. */
const hasPartitions = ({ partitions }: TopicMetadata): boolean => partitions.length > 0;

/** The topics as some broker knows them. */
export const lookUpTopics = (
  call: AdminCall,
  names: Iterable<string>,
  unknownTries?: number,
): Promise<Settled<string, TopicMetadata>> => lookUntil(call, names, hasPartitions, () => true, unknownTries);

/** The topics, which the controller has: a broker that knows nothing of them has not heard yet, however often it says so. */
export const awaitTopics = (call: AdminCall, names: Iterable<string>): Promise<Settled<string, TopicMetadata>> =>
  lookUpTopics(call, names, Infinity);

/** As {@link awaitTopics}, until each has the partitions it should, and each partition a leader. */
export const awaitLeaders = (
  call: AdminCall,
  names: Iterable<string>,
  isComplete: (topic: TopicMetadata) => boolean = hasPartitions,
): Promise<Settled<string, TopicMetadata>> => lookUntil(call, names, isComplete, ({ leader }) => leader >= 0, Infinity);

function lookUntil(
  call: AdminCall,
  names: Iterable<string>,
  isComplete: (topic: TopicMetadata) => boolean,
  isReady: (partition: PartitionMetadata) => boolean,
  unknownTries: number | undefined,
): Promise<Settled<string, TopicMetadata>> {
  const look = async (pending: readonly string[]): Promise<Answers<string, TopicMetadata>> => {
    const { metadata, problems } = await call.cluster.look(pending, call.wait);
    return new Map(
      pending.map((name): [string, TopicMetadata | KrafkaError] => {
        const topic = metadata.topics.get(name);
        if (topic === undefined) {
          const code = problems.get(name) ?? ERROR_CODES.UNKNOWN_TOPIC_OR_PARTITION;
          return [name, protocolError(code, { api: 'Metadata', topic: name })];
        }
        const partition = topic.partitions.find((one) => !isReady(one))?.partition;
        if (isComplete(topic) && partition === undefined) return [name, topic];
        return [name, protocolError(ERROR_CODES.LEADER_NOT_AVAILABLE, { topic: name, partition })];
      }),
    );
  };
  return call.settle(new Set(names), topicNamed, look, unknownTries);
}
