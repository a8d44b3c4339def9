import {
  Heartbeat,
  JoinGroup,
  LeaveGroup,
  OffsetCommit,
  SyncGroup,
  Writer,
  errorName,
  type ErrorName,
  type ResponseOf,
} from '../../core/protocol/index.js';
import type { WireClient } from './wire-client.js';

/** How a member joins; everything has a default. */
export interface GivenJoin {
  readonly memberId?: string;
  readonly protocols?: readonly string[];
  readonly protocolType?: string;
  readonly topics?: readonly string[];
  readonly sessionTimeoutMs?: number;
  readonly rebalanceTimeoutMs?: number;
  readonly version?: number;
}

type Joined = ResponseOf<typeof JoinGroup>;

/** The subscription of a consumer, version 0. */
export function subscription(topics: readonly string[]): Buffer {
  const writer = new Writer(64);
  writer.int16(0);
  writer.int32(topics.length);
  for (const topic of topics) {
    const bytes = Buffer.from(topic);
    writer.int16(bytes.length);
    writer.raw(bytes);
  }
  writer.int32(-1);
  return writer.toBuffer();
}

/** A member of a classic group as a client would be one, a request at a time. */
export class GroupMember {
  memberId = '';
  generation = -1;
  protocol = '';

  constructor(
    readonly client: WireClient,
    readonly groupId: string,
    readonly instanceId: string | null = null,
  ) {}

  /** Sends JoinGroup; what it returns waits for the answer. */
  joining(given: GivenJoin = {}): () => Promise<Joined> {
    const { version = 9, protocols = ['range'], topics = ['orders'] } = given;
    const correlationId = this.client.write(JoinGroup, version, {
      groupId: this.groupId,
      sessionTimeoutMs: given.sessionTimeoutMs ?? 10_000,
      rebalanceTimeoutMs: given.rebalanceTimeoutMs ?? 30_000,
      memberId: given.memberId ?? this.memberId,
      groupInstanceId: this.instanceId,
      protocolType: given.protocolType ?? 'consumer',
      protocols: protocols.map((name) => ({ name, metadata: subscription(topics) })),
    });
    return async () => {
      const answer = await this.client.answer(JoinGroup, version, correlationId);
      if (answer.memberId !== '') this.memberId = answer.memberId;
      if (answer.errorCode === 0) {
        this.generation = answer.generationId;
        this.protocol = answer.protocolName ?? '';
      }
      return answer;
    };
  }

  async join(given: GivenJoin = {}): Promise<Joined> {
    return this.joining(given)();
  }

  /** Joins with the id that the first JoinGroup is answered with; what it returns waits for the answer to the second. */
  async joiningWithId(given: GivenJoin = {}): Promise<() => Promise<Joined>> {
    await this.join(given);
    return this.joining(given);
  }

  /** Sends SyncGroup; what it returns waits for the answer. */
  syncing(assignments: Readonly<Record<string, string>> = {}): () => Promise<{ error: ErrorName; assignment: string }> {
    const correlationId = this.client.write(SyncGroup, 5, {
      groupId: this.groupId,
      generationId: this.generation,
      memberId: this.memberId,
      groupInstanceId: this.instanceId,
      protocolType: 'consumer',
      protocolName: this.protocol,
      assignments: Object.entries(assignments).map(([memberId, text]) => ({ memberId, assignment: Buffer.from(text) })),
    });
    return async () => {
      const { errorCode, assignment } = await this.client.answer(SyncGroup, 5, correlationId);
      return { error: errorName(errorCode), assignment: assignment.toString() };
    };
  }

  async sync(assignments: Readonly<Record<string, string>> = {}): Promise<{ error: ErrorName; assignment: string }> {
    return this.syncing(assignments)();
  }

  async heartbeat(generation = this.generation): Promise<ErrorName> {
    const { groupId, memberId, instanceId: groupInstanceId } = this;
    const request = { groupId, memberId, groupInstanceId, generationId: generation };
    return errorName((await this.client.send(Heartbeat, 4, request)).errorCode);
  }

  async leave(memberId = this.memberId, groupInstanceId = this.instanceId): Promise<ErrorName> {
    const { groupId } = this;
    const answer = await this.client.send(LeaveGroup, 5, { groupId, members: [{ memberId, groupInstanceId }] });
    return errorName(answer.members[0]?.errorCode ?? answer.errorCode);
  }

  async commit(offset: number, given: { generation?: number; memberId?: string } = {}): Promise<ErrorName> {
    const answer = await this.client.send(OffsetCommit, 9, {
      groupId: this.groupId,
      generationIdOrMemberEpoch: given.generation ?? this.generation,
      memberId: given.memberId ?? this.memberId,
      groupInstanceId: this.instanceId,
      topics: [
        { name: 'orders', partitions: [{ partitionIndex: 0, committedOffset: offset, committedMetadata: null }] },
      ],
    });
    return errorName(answer.topics[0]?.partitions[0]?.errorCode ?? 0);
  }
}
