import {
  array,
  bytes,
  int32,
  messageCodec,
  parseVersions,
  Reader,
  string,
  Writer,
  type MessageCodec,
} from '../../protocol/index.js';
import { KrafkaProtocolError } from '../../support/index.js';
import { byTopic, sorted, type TopicPartition } from '../topic-partition.js';
import type { GroupSubscription } from './assignor.js';

/** The protocol type that consumers of a classic group share. */
export const PROTOCOL_TYPE = 'consumer';

/** Written always, as the Java client does: members that know less read what they know. */
const VERSION = 3;

const VERSIONS = parseVersions(`0-${VERSION}`);
const NEVER_FLEXIBLE = parseVersions('none');

const topicPartitions = { topic: string('0+'), partitions: array('0+', int32('0+')) };

const Subscription = messageCodec({
  message: 'subscription of a group member',
  versions: VERSIONS,
  flexible: NEVER_FLEXIBLE,
  table: {
    topics: array('0+', string('0+')),
    userData: bytes('0+', { nullable: '0+', default: null }),
    ownedPartitions: array('1+', topicPartitions, { ignorable: true }),
    generationId: int32('2+', { default: -1, ignorable: true }),
    rackId: string('3+', { nullable: '3+', default: null, ignorable: true }),
  },
});

const Assignment = messageCodec({
  message: 'assignment of a group member',
  versions: VERSIONS,
  flexible: NEVER_FLEXIBLE,
  table: {
    assignedPartitions: array('0+', topicPartitions),
    userData: bytes('0+', { nullable: '0+', default: null }),
  },
});

/** What a member says of itself when it joins a classic group. */
export interface MemberSubscription {
  readonly topics: readonly string[];
  readonly userData: Buffer | null;
  readonly ownedPartitions: readonly TopicPartition[];
  readonly generation: number;
  readonly rack: string | null;
}

/** A subscription as it goes into JoinGroup. */
export function encodeSubscription(subscription: MemberSubscription): Buffer {
  return encode(Subscription, {
    topics: [...subscription.topics].toSorted(),
    userData: subscription.userData,
    ownedPartitions: grouped(subscription.ownedPartitions),
    generationId: subscription.generation,
    rackId: subscription.rack,
  });
}

/**
 * A member's subscription as the leader gets it.
 *
 * @throws KrafkaProtocolError MALFORMED: a leader that guessed would leave partitions unread
 */
export function decodeSubscription(
  blob: Buffer,
  member: { readonly memberId: string; readonly groupInstanceId: string | null },
): GroupSubscription {
  const { value, version } = decode(Subscription, blob, `the subscription of member '${member.memberId}'`);
  return {
    memberId: member.memberId,
    groupInstanceId: member.groupInstanceId,
    topics: value.topics,
    ownedPartitions: version === 0 ? null : flat(value.ownedPartitions),
    generation: value.generationId,
    rack: value.rackId,
    userData: value.userData,
  };
}

/** A member's partitions as the leader sends them through SyncGroup. */
export function encodeAssignment(partitions: readonly TopicPartition[]): Buffer {
  return encode(Assignment, { assignedPartitions: grouped(partitions), userData: null });
}

/**
 * A member's partitions as the leader of its classic group gave them; `whose` names the member where it is another.
 *
 * @throws KrafkaProtocolError MALFORMED: an empty or broken assignment is a leader's defect, not "no partitions"
 */
export function decodeAssignment(blob: Buffer, whose?: string): TopicPartition[] {
  const what = whose === undefined ? 'the assignment from the leader of the group' : `the assignment of '${whose}'`;
  return flat(decode(Assignment, blob, what).value.assignedPartitions);
}

function encode<In>(codec: MessageCodec<In, unknown>, value: In): Buffer {
  const writer = new Writer();
  writer.int16(VERSION);
  codec.encode(writer, value, VERSION);
  return writer.toBuffer();
}

function decode<Out>(codec: MessageCodec<never, Out>, blob: Buffer, what: string): { value: Out; version: number } {
  try {
    const reader = new Reader(blob);
    const version = reader.int16();
    if (version < 0) throw new KrafkaProtocolError('MALFORMED', `there is no version ${version}`);
    // Later versions only add fields at the end, so they are read as the last one known.
    return { value: codec.decode(reader, Math.min(version, VERSION)), version };
  } catch (error) {
    throw new KrafkaProtocolError('MALFORMED', `${what} can't be read: ${(error as Error).message}`, { cause: error });
  }
}

const grouped = (partitions: readonly TopicPartition[]): { topic: string; partitions: number[] }[] =>
  [...byTopic(sorted(partitions))].map(([topic, items]) => ({
    topic,
    partitions: items.map(({ partition }) => partition),
  }));

const flat = (topics: readonly { topic: string; partitions: readonly number[] }[]): TopicPartition[] =>
  topics.flatMap(({ topic, partitions }) => partitions.map((partition) => ({ topic, partition })));
