import { keyOf, type TopicPartition } from '../topic-partition.js';
import {
  inMemberOrder,
  subscribersByTopic,
  type Assignor,
  type GroupSubscription,
  type PartitionCounts,
} from './assignor.js';

/**
 * All partitions of all topics in order, dealt out one by one round the members; whoever does not subscribe to a topic
 * is passed over. The Java client's `RoundRobinAssignor`, with the same result.
 */
export const roundRobinAssignor: Assignor = {
  name: 'roundrobin',
  rebalanceProtocol: 'eager',
  assign(members: readonly GroupSubscription[], partitions: PartitionCounts): Map<string, TopicPartition[]> {
    const assignment = new Map<string, TopicPartition[]>(members.map(({ memberId }) => [memberId, []]));
    const circle = inMemberOrder(members);
    const subscribed = new Set(
      circle.flatMap(({ memberId, topics }) => topics.map((topic) => keyOf(topic, 0) + memberId)),
    );
    let turn = 0;
    for (const [topic] of subscribersByTopic(circle)) {
      for (let partition = 0; partition < (partitions.get(topic) ?? 0); partition++) {
        for (;;) {
          const { memberId } = circle[turn++ % circle.length] as GroupSubscription;
          if (!subscribed.has(keyOf(topic, 0) + memberId)) continue;
          (assignment.get(memberId) as TopicPartition[]).push({ topic, partition });
          break;
        }
      }
    }
    return assignment;
  },
};
