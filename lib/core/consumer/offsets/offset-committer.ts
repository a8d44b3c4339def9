import { retrying } from '../../cluster/index.js';
import type { CoordinatorLink } from '../../coordination/index.js';
import { ERROR_CODES, errorName, isRetriable, OffsetCommit, protocolError } from '../../protocol/index.js';
import { Deadline, KrafkaError, KrafkaProtocolError, type Ports, type Timer } from '../../support/index.js';
import type { AssignedPartition } from '../assigned-partition.js';
import type { MemberIdentity } from '../group/group-member.js';
import { byTopic, type TopicPartitionOffset } from '../topic-partition.js';
import { within } from '../within.js';
import { DoneOffsets, GivenOffsets, notOursAnyMore, type Commission, type OffsetToCommit } from './commission.js';

export type { OffsetToCommit } from './commission.js';

export interface OffsetCommitterOptions {
  readonly coordinator: CoordinatorLink;
  readonly ports: Ports;
  readonly requestTimeoutMs: number;
  /** How often what is done is committed by itself; undefined for never. */
  readonly intervalMs: number | undefined;
  /** Every partition that is owned now. */
  readonly partitions: () => Iterable<AssignedPartition>;
  readonly identity: () => MemberIdentity | undefined;
  /** Hears every error code of a commit with the identity it was made with. */
  readonly heed: (errorCode: number, identity: MemberIdentity) => void;
  readonly onCommitted: (offsets: readonly TopicPartitionOffset[]) => void;
  /** A commit that was made by itself failed. */
  readonly onFailed: (error: KrafkaError) => void;
}

/** A coordinator may hear of a new topic a little later than we do, but not later than this many tries. */
const UNKNOWN_TRIES = 3;
const WAITED_FOR = 'the group to take a commit';
/** Topics go by name up to this version, by id after it. */
const LAST_BY_NAME = 9;

/**
 * Tells the group what is done: by itself once an interval while there is something to tell, and when it is asked to.
 * Everything goes in one OffsetCommit at a time, in order, so that an older offset never lands on a newer one.
 */
export class OffsetCommitter {
  readonly #options: OffsetCommitterOptions;
  #timer: Timer | undefined;
  #closed = false;
  #commits = 0;
  /** The end of the line of commits; never rejects. */
  #line: Promise<void> = Promise.resolve();

  constructor(options: OffsetCommitterOptions) {
    this.#options = options;
  }

  /** OffsetCommit requests sent so far. */
  get commits(): number {
    return this.#commits;
  }

  /** There is something to commit. The timer runs only while that is so. */
  arm(): void {
    const { intervalMs, ports } = this.#options;
    if (this.#timer !== undefined || intervalMs === undefined || this.#closed) return;
    this.#timer = ports.clock.setTimer(intervalMs, () => void this.#commitByItself(), true);
  }

  /** Commits what is done of these partitions and is not committed yet. */
  async commitDone(partitions: Iterable<AssignedPartition>, deadline: Deadline): Promise<void> {
    const done = new DoneOffsets(partitions);
    await this.#inLine(deadline, () => this.#send(done, deadline));
  }

  /** Commits offsets as they are given. */
  async commit(offsets: readonly OffsetToCommit[], deadline: Deadline): Promise<void> {
    if (offsets.length === 0) return;
    const given = new GivenOffsets(offsets, this.#options.partitions());
    await this.#inLine(deadline, () => this.#send(given, deadline));
    // They may be behind what is done.
    this.#armWhereDirty();
  }

  /** No more commits by itself. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  async #commitByItself(): Promise<void> {
    const { partitions, ports, requestTimeoutMs, onFailed, identity } = this.#options;
    // While the group gathers there is nobody to commit as: the timer goes on, and what is revoked is committed then.
    if (identity() !== undefined) {
      try {
        await this.commitDone(partitions(), new Deadline(ports.clock, requestTimeoutMs, 'requestTimeoutMs'));
      } catch (error) {
        onFailed(error as KrafkaError);
      }
    }
    this.#timer = undefined;
    this.#armWhereDirty();
  }

  #armWhereDirty(): void {
    for (const { commits } of this.#options.partitions()) if (commits.dirty) return this.arm();
  }

  /** Whoever has run out of time while it waits for its turn goes, and lets it pass when it comes. */
  async #inLine(deadline: Deadline, work: () => Promise<void>): Promise<void> {
    const ahead = this.#line;
    const done = ahead.then(() => {
      if (deadline.expired) throw deadline.error(WAITED_FOR);
      return work();
    });
    this.#line = done.catch(() => undefined);
    if (!(await within(deadline, this.#options.ports.clock, ahead)))
      throw deadline.error('the commits before it to end');
    await done;
  }

  async #send(commission: Commission, deadline: Deadline): Promise<void> {
    const { ports, onCommitted } = this.#options;
    let self: MemberIdentity | undefined;
    await retrying({ deadline, ports, waitedFor: WAITED_FOR }, async (attempt) => {
      const offsets = commission.outstanding();
      if (offsets.length === 0) return;
      self = this.#identity(self);
      const { failed, error } = await this.#try(offsets, self, deadline);
      const committed = offsets.filter((offset) => !failed.includes(offset));
      for (const offset of committed) commission.committed(offset);
      if (committed.length > 0) onCommitted(committed);
      if (error === undefined) return;
      // What was read from must be known, unless it was deleted: then nobody will ever want the offset.
      const unknown = error instanceof KrafkaProtocolError && error.code === 'UNKNOWN_TOPIC_OR_PARTITION';
      if (!unknown || attempt < UNKNOWN_TRIES) throw error;
      const { topic, partition } = error;
      throw new KrafkaProtocolError(error.code, 'the topic has been deleted', { topic, partition, cause: error });
    });
    if (commission.gone.length > 0) throw notOursAnyMore(commission.gone);
  }

  /** Who commits: by a newer generation or epoch where there is one, but in the membership of the tries before only. */
  #identity(before: MemberIdentity | undefined): MemberIdentity {
    const self = this.#options.identity();
    if (self === undefined) throw protocolError(ERROR_CODES.REBALANCE_IN_PROGRESS, { api: 'OffsetCommit' });
    if (before === undefined || (before.memberId === self.memberId && before.life === self.life)) return self;
    const detail = 'the membership in which it was to be committed has ended';
    throw protocolError(ERROR_CODES.UNKNOWN_MEMBER_ID, { api: 'OffsetCommit', detail });
  }

  /** One OffsetCommit. What failed, and the error that weighs most: a final one before one that may pass. */
  async #try(
    offsets: readonly OffsetToCommit[],
    self: MemberIdentity,
    deadline: Deadline,
  ): Promise<{ failed: readonly OffsetToCommit[]; error: KrafkaError | undefined }> {
    const { coordinator, heed } = this.#options;
    const { groupId } = coordinator;
    this.#commits++;
    const response = await coordinator.request(
      OffsetCommit,
      {
        groupId,
        generationIdOrMemberEpoch: self.generation,
        memberId: self.memberId,
        groupInstanceId: self.groupInstanceId,
        topics: [...byTopic(offsets)].map(([name, items]) => ({
          name,
          partitions: items.map(({ partition, offset, leaderEpoch = -1, metadata = '' }) => ({
            partitionIndex: partition,
            committedOffset: offset,
            committedLeaderEpoch: leaderEpoch,
            committedMetadata: metadata,
          })),
        })),
      },
      { maxVersion: LAST_BY_NAME, deadline },
    );
    const failed: OffsetToCommit[] = [];
    let error: KrafkaError | undefined;
    const heeded = new Set<number>();
    for (const { name: topic, partitions } of response.topics) {
      for (const { partitionIndex: partition, errorCode } of partitions) {
        if (errorCode === ERROR_CODES.NONE) continue;
        if (!heeded.has(errorCode)) {
          heeded.add(errorCode);
          heed(errorCode, self);
        }
        failed.push(...offsets.filter((offset) => offset.topic === topic && offset.partition === partition));
        if (error === undefined || error.retriable) error = refusal(errorCode, groupId, topic, partition);
      }
    }
    return { failed, error };
  }
}

function refusal(errorCode: number, groupId: string, topic: string, partition: number): KrafkaError {
  const error = protocolError(errorCode, { api: 'OffsetCommit', topic, partition, detail: `group '${groupId}'` });
  // The member has a newer epoch already (KIP-848): the commit is as good with that one.
  if (isRetriable(errorCode) || errorName(errorCode) !== 'STALE_MEMBER_EPOCH') return error;
  return new KrafkaProtocolError(error.code, error.message, { retriable: true, cause: error });
}
