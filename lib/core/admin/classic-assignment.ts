import { array, int32, messageCodec, parseVersions, Reader, string } from '../protocol/index.js';
import { KrafkaProtocolError } from '../support/index.js';
import type { TopicPartitions } from './groups.js';

// Every version of Kafka's ConsumerProtocolAssignment begins like this; later ones only add at the end.
const Assignment = messageCodec({
  message: 'assignment of a group member',
  versions: parseVersions('0'),
  flexible: parseVersions('none'),
  table: { assignedPartitions: array('0+', { topic: string('0+'), partitions: array('0+', int32('0+')) }) },
});

/**
 * The partitions that a classic group's leader gave to a member.
 *
 * @throws KrafkaProtocolError MALFORMED: bytes that can't be read are not the same as no partitions
 */
export function readAssignment(blob: Buffer, memberId: string): readonly TopicPartitions[] {
  try {
    const reader = new Reader(blob);
    reader.int16();
    return Assignment.decode(reader, 0).assignedPartitions;
  } catch (error) {
    throw new KrafkaProtocolError('MALFORMED', `the assignment of member '${memberId}' can't be read`, {
      cause: error,
    });
  }
}
