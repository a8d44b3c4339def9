import type { TopicPartition } from '../topic-partition.js';
import {
  inMemberOrder,
  subscribersByTopic,
  type Assignor,
  type GroupSubscription,
  type PartitionCounts,
} from './assignor.js';

/**
 * Topic by topic: the partitions in number order are cut into one run for each member in member order; the first
 * members have one more where it does not divide. The Java client's default, with the same result where nobody names a
 * rack: it does not go by racks (KIP-881), so a Java leader of the same members may give out other partitions.
 */
export const rangeAssignor: Assignor = {
  name: 'range',
  rebalanceProtocol: 'eager',
  assign(members: readonly GroupSubscription[], partitions: PartitionCounts): Map<string, TopicPartition[]> {
    const assignment = new Map<string, TopicPartition[]>(members.map(({ memberId }) => [memberId, []]));
    for (const [topic, subscribers] of subscribersByTopic(inMemberOrder(members))) {
      const count = partitions.get(topic) ?? 0;
      const each = Math.floor(count / subscribers.length);
      const withOneMore = count % subscribers.length;
      let partition = 0;
      subscribers.forEach(({ memberId }, index) => {
        const share = assignment.get(memberId) as TopicPartition[];
        for (let left = each + (index < withOneMore ? 1 : 0); left > 0; left--) {
          share.push({ topic, partition: partition++ });
        }
      });
    }
    return assignment;
  },
};
