import { ERROR_CODES, isRetriable, OffsetFetch, protocolError, type ResponseOf } from '../../protocol/index.js';
import { KrafkaError, type Deadline, type Ports } from '../../support/index.js';
import { retrying } from '../../cluster/index.js';
import type { CoordinatorLink } from '../../coordination/index.js';
import type { MemberIdentity } from '../group/group-member.js';
import { byTopic, keyOf, type TopicPartition } from '../topic-partition.js';

/** An offset as the group keeps it. */
export interface KeptOffset extends TopicPartition {
  readonly offset: number;
  /** -1 when it is not known. */
  readonly leaderEpoch: number;
  readonly metadata: string;
}

/** What the group answered when it was asked for offsets. */
export interface KeptOffsets {
  /** By partition; one the group holds none for is not among them. */
  readonly kept: ReadonlyMap<string, KeptOffset>;
  /** By partition: why its offset is not told, and never will be. */
  readonly refused: ReadonlyMap<string, KrafkaError>;
}

export interface CommittedOffsetsOptions {
  readonly coordinator: CoordinatorLink;
  readonly ports: Ports;
  /** Do not answer while a transaction is about to change an offset (KIP-447): what read_committed needs. */
  readonly requireStable: boolean;
  readonly identity: () => MemberIdentity | undefined;
  readonly heed: (errorCode: number, identity: MemberIdentity) => void;
  /** Whether members have epochs rather than generations (KIP-848): such a member must name itself. */
  readonly namesMember: () => boolean;
}

/** Topics go by name up to this version, by id after it. */
const LAST_BY_NAME = 9;
const BY_GROUP_SINCE = 8;

/** Asks the group what it has committed. */
export class CommittedOffsets {
  readonly #options: CommittedOffsetsOptions;

  constructor(options: CommittedOffsetsOptions) {
    this.#options = options;
  }

  /**
   * The offsets of these partitions that the group holds, and those it does not tell: a topic that may not be read is no
   * reason to know nothing of the others. An offset that is unstable, or that the coordinator can't tell yet, is waited for:
   * taken for absent, it would be reset.
   *
   * @throws KrafkaTimeoutError when the deadline passes
   * @throws KrafkaProtocolError when the coordinator refuses for good
   */
  async of(partitions: readonly TopicPartition[], deadline: Deadline, signal?: AbortSignal): Promise<KeptOffsets> {
    if (partitions.length === 0) return { kept: new Map(), refused: new Map() };
    const { ports } = this.#options;
    return retrying({ deadline, ports, signal, waitedFor: 'the committed offsets' }, () =>
      this.#ask(partitions, deadline, signal),
    );
  }

  async #ask(
    partitions: readonly TopicPartition[],
    deadline: Deadline,
    signal: AbortSignal | undefined,
  ): Promise<KeptOffsets> {
    const { coordinator, requireStable, namesMember } = this.#options;
    const { groupId } = coordinator;
    const identity = namesMember() ? this.#options.identity() : undefined;
    const topics = [...byTopic(partitions)].map(([name, items]) => ({
      name,
      partitionIndexes: items.map(({ partition }) => partition),
    }));
    const response = await coordinator.request(
      OffsetFetch,
      (connection) => {
        const version = Math.min(connection.versionOf(OffsetFetch), LAST_BY_NAME);
        if (version < BY_GROUP_SINCE) return { groupId, topics, ...(version >= 7 && { requireStable }) };
        const member = identity && { memberId: identity.memberId, memberEpoch: identity.generation };
        return { groups: [{ groupId, topics, ...member }], requireStable };
      },
      { maxVersion: LAST_BY_NAME, deadline, ...(signal && { signal }) },
    );
    const group = response.groups[0] ?? response;
    if (group.errorCode !== ERROR_CODES.NONE) {
      coordinator.heed(group.errorCode);
      if (identity !== undefined) this.#options.heed(group.errorCode, identity);
      throw refusal(group.errorCode, groupId);
    }
    return offsetsIn(group.topics, groupId);
  }
}

function offsetsIn(topics: ResponseOf<typeof OffsetFetch>['topics'], groupId: string): KeptOffsets {
  const kept = new Map<string, KeptOffset>();
  const refused = new Map<string, KrafkaError>();
  for (const { name: topic, partitions } of topics) {
    for (const {
      partitionIndex: partition,
      errorCode,
      committedOffset,
      committedLeaderEpoch,
      metadata,
    } of partitions) {
      if (errorCode !== ERROR_CODES.NONE) {
        const error = refusal(errorCode, groupId, { topic, partition });
        if (error.retriable) throw error;
        refused.set(keyOf(topic, partition), error);
        continue;
      }
      if (committedOffset < 0) continue;
      kept.set(keyOf(topic, partition), {
        topic,
        partition,
        offset: committedOffset,
        leaderEpoch: committedLeaderEpoch,
        metadata: metadata ?? '',
      });
    }
  }
  return { kept, refused };
}

/**
 * A member that is still joining, or whose epoch just changed, asks again as the member it then is; and a broker that
 * fails in a way it has no name for may not do so the next time.
 */
const MAY_PASS: ReadonlySet<string> = new Set(['STALE_MEMBER_EPOCH', 'UNKNOWN_MEMBER_ID', 'UNKNOWN_SERVER_ERROR']);

function refusal(errorCode: number, groupId: string, place: Partial<TopicPartition> = {}): KrafkaError {
  const error = protocolError(errorCode, { api: 'OffsetFetch', detail: `group '${groupId}'`, ...place });
  if (isRetriable(errorCode) || !MAY_PASS.has(error.code)) return error;
  return new KrafkaError(error.message, { code: error.code, retriable: true, cause: error });
}
