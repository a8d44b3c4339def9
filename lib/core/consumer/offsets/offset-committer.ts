import { retrying } from '../../cluster/index.js';
import type { CoordinatorLink } from '../../coordination/index.js';
import { ERROR_CODES, errorName, isRetriable, OffsetCommit, protocolError } from '../../protocol/index.js';
import { Deadline, KrafkaError, KrafkaProtocolError, type Ports, type Timer } from '../../support/index.js';
import type { AssignedPartition } from '../assigned-partition.js';
import type { MemberIdentity } from '../group/group-member.js';
import { byTopic, type TopicPartitionOffset } from '../topic-partition.js';
import { within } from '../within.js';

/** An offset to be committed, with what the group keeps beside it. */
export interface OffsetToCommit extends TopicPartitionOffset {
  /** Text kept with the offset, at most what the broker's `offset.metadata.max.bytes` allows. */
  readonly metadata?: string | undefined;
  /** The leader epoch of the last record done (KIP-320), where known. */
  readonly leaderEpoch?: number | undefined;
}

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
    const wanted = [...partitions];
    await this.#inLine(deadline, () => this.#commitPartitions(wanted, deadline));
  }

  /** Commits offsets as they are given. */
  async commit(offsets: readonly OffsetToCommit[], deadline: Deadline): Promise<void> {
    if (offsets.length === 0) return;
    await this.#inLine(deadline, () => this.#send(offsets, deadline));
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
    for (const { commits } of partitions()) {
      if (commits.dirty) {
        this.arm();
        return;
      }
    }
  }

  async #commitPartitions(partitions: readonly AssignedPartition[], deadline: Deadline): Promise<void> {
    // What is done is looked at only now, when the commits before this one have ended.
    const behind = new Map<OffsetToCommit, AssignedPartition>();
    for (const assigned of partitions) {
      const done = assigned.owned ? assigned.commits.toCommit() : undefined;
      if (done !== undefined) behind.set({ topic: assigned.topic, partition: assigned.partition, ...done }, assigned);
    }
    if (behind.size === 0) return;
    await this.#send([...behind.keys()], deadline, (offset) => behind.get(offset)?.commits.acknowledge(offset.offset));
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

  async #send(
    offsets: readonly OffsetToCommit[],
    deadline: Deadline,
    acknowledge: (offset: OffsetToCommit) => void = () => undefined,
  ): Promise<void> {
    const { ports, onCommitted } = this.#options;
    let left = offsets;
    await retrying({ deadline, ports, waitedFor: WAITED_FOR }, async (attempt) => {
      const { failed, error } = await this.#try(left, deadline);
      const committed = left.filter((offset) => !failed.includes(offset));
      committed.forEach(acknowledge);
      if (committed.length > 0) onCommitted(committed);
      left = failed;
      if (error === undefined) return;
      // What was read from must be known, unless it was deleted: then nobody will ever want the offset.
      const unknown = error instanceof KrafkaProtocolError && error.code === 'UNKNOWN_TOPIC_OR_PARTITION';
      if (!unknown || attempt < UNKNOWN_TRIES) throw error;
      const { topic, partition } = error;
      throw new KrafkaProtocolError(error.code, 'the topic has been deleted', { topic, partition, cause: error });
    });
  }

  /** One OffsetCommit. What failed, and the error that weighs most: a final one before one that may pass. */
  async #try(
    offsets: readonly OffsetToCommit[],
    deadline: Deadline,
  ): Promise<{ failed: readonly OffsetToCommit[]; error: KrafkaError | undefined }> {
    const { coordinator, identity, heed } = this.#options;
    const { groupId } = coordinator;
    const self = identity();
    if (self === undefined) throw protocolError(ERROR_CODES.REBALANCE_IN_PROGRESS, { api: 'OffsetCommit' });
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
