import type { Cluster } from '../../cluster/index.js';
import { GroupCoordinator } from '../../coordination/index.js';
import type { ErrorName } from '../../protocol/index.js';
import { KrafkaError, type Deadline, type Ports, type TypedEvents } from '../../support/index.js';
import type { AssignedPartition } from '../assigned-partition.js';
import type { ConsumerEvents, GroupState } from '../consumer-events.js';
import type { ConsumerSettings } from '../consumer-options.js';
import { CommittedOffsets, type KeptOffsets } from '../offsets/committed-offsets.js';
import { OffsetCommitter, type OffsetToCommit } from '../offsets/offset-committer.js';
import type { TopicPartition } from '../topic-partition.js';
import { assignorsOf } from './assignors.js';
import { ClassicMember } from './classic-member.js';
import { ConsumerMember } from './consumer-member.js';
import type { GroupMember, MemberIdentity, MemberListener, PartitionOwner } from './group-member.js';

export interface MembershipOptions {
  readonly cluster: Cluster;
  readonly groupId: string;
  readonly settings: ConsumerSettings;
  /** The consumer's own, for the connections that are its alone. */
  readonly id: string;
  readonly owner: PartitionOwner;
  readonly partitions: () => Iterable<AssignedPartition>;
  readonly events: TypedEvents<ConsumerEvents>;
  readonly ports: Ports;
  readonly onFatal: (error: KrafkaError) => void;
  /** Nobody in the cluster matches the pattern, and why: nothing is joined before {@link Membership.subscribe} names topics. */
  readonly onUnmatched: (because: KrafkaError) => void;
}

/** The consumer's dealings with its group: the membership, and the offsets that the group keeps. */
export class Membership {
  readonly #options: MembershipOptions;
  readonly #coordinator: GroupCoordinator;
  #member: GroupMember;
  #topics: readonly string[];
  /** What the coordinator is to find the topics by, in place of names. */
  #pattern: string | undefined;
  /** The classic protocol is fallen back to, which needs names first. */
  #awaitsTopics = false;
  /** The state that was told last: a change of protocol in the middle of joining is none. */
  #told: GroupState = 'unjoined';
  readonly #committer: OffsetCommitter;
  readonly #committed: CommittedOffsets;

  constructor(options: MembershipOptions) {
    this.#options = options;
    const { cluster, groupId, settings, id, events, ports, partitions } = options;
    const coordinator = new GroupCoordinator({
      cluster,
      groupId,
      purpose: `coordination:${id}`,
      requestTimeoutMs: settings.requestTimeoutMs,
      ports,
    });
    this.#coordinator = coordinator;
    this.#topics = settings.topics;
    this.#member = settings.groupProtocol === 'classic' ? this.#classicMember() : this.#consumerMember();
    const identity = (): MemberIdentity | undefined => this.#member.identity;
    const heed = (errorCode: number, as: MemberIdentity): void => this.#member.heed(errorCode, as);
    this.#committer = new OffsetCommitter({
      coordinator,
      ports,
      requestTimeoutMs: settings.requestTimeoutMs,
      intervalMs: settings.autoCommit ? settings.autoCommitIntervalMs : undefined,
      partitions,
      identity,
      heed,
      onCommitted: (offsets) => events.emit('committed', { offsets }),
      onFailed: (error) => this.#commitFailed(error),
    });
    this.#committed = new CommittedOffsets({
      coordinator,
      ports,
      requireStable: settings.isolationLevel === 'read_committed',
      identity,
      heed,
      namesMember: () => this.#member instanceof ConsumerMember,
    });
  }

  readonly #listener: MemberListener = {
    onState: (state) => {
      const previous = this.#told;
      this.#told = state;
      if (state !== previous) this.#options.events.emit('state', { state, previous });
    },
    onRebalance: (reason) => {
      const { ports, groupId, events } = this.#options;
      ports.logger.info('the group rebalances', { group: groupId, reason });
      events.emit('rebalancing', { reason });
    },
    onFatal: (error) => this.#options.onFatal(error),
  };

  get state(): GroupState {
    return this.#member.state;
  }

  get identity(): MemberIdentity | undefined {
    return this.#member.identity;
  }

  /** OffsetCommit requests sent so far. */
  get commits(): number {
    return this.#committer.commits;
  }

  get rebalances(): number {
    return this.#member.rebalances;
  }

  start(): void {
    this.#member.start();
  }

  subscribe(topics: readonly string[]): void {
    this.#topics = topics;
    this.#pattern = undefined;
    if (this.#awaitsTopics) this.#joinByClassic();
    else this.#member.subscribe(topics);
  }

  /** Has the coordinator find the topics, by a pattern as it understands it, in place of those before. */
  match(pattern: string): void {
    this.#topics = [];
    this.#pattern = pattern;
    if (this.#member instanceof ConsumerMember) return this.#member.match(pattern);
    this.#options.onUnmatched(new KrafkaError('classic groups know no patterns', { code: 'UNSUPPORTED_VERSION' }));
  }

  metadataChanged(): void {
    this.#member.metadataChanged();
  }

  /** Something is done that is not committed. */
  armCommits(): void {
    this.#committer.arm();
  }

  commitDone(partitions: Iterable<AssignedPartition>, deadline: Deadline): Promise<void> {
    return this.#committer.commitDone(partitions, deadline);
  }

  commit(offsets: readonly OffsetToCommit[], deadline: Deadline): Promise<void> {
    return this.#committer.commit(offsets, deadline);
  }

  committed(partitions: readonly TopicPartition[], deadline: Deadline, signal?: AbortSignal): Promise<KeptOffsets> {
    return this.#committed.of(partitions, deadline, signal);
  }

  /** Assigns and revokes nothing any more; heartbeats and commits go on. */
  async halt(deadline: Deadline): Promise<void> {
    this.#committer.close();
    await this.#member.halt(deadline);
  }

  async leave(deadline: Deadline): Promise<void> {
    await this.#member.leave(deadline);
  }

  #classicMember(): ClassicMember {
    const { cluster, settings, owner, ports } = this.#options;
    return new ClassicMember({
      coordinator: this.#coordinator,
      cluster,
      settings,
      assignors: assignorsOf(settings.assignors),
      topics: this.#topics,
      owner,
      listener: this.#listener,
      ports,
    });
  }

  #consumerMember(): ConsumerMember {
    const { cluster, settings, owner, ports } = this.#options;
    return new ConsumerMember({
      coordinator: this.#coordinator,
      cluster,
      settings,
      topics: this.#topics,
      owner,
      listener: this.#listener,
      ports,
      onUnsupported: settings.groupProtocol === 'auto' ? (error) => this.#fallBack(error) : undefined,
      onUnmatched: (error) => this.#options.onUnmatched(error),
    });
  }

  /** The brokers, or the group, only know classic members: so this one is, and stays. */
  #fallBack(error: KrafkaError): void {
    const { ports, groupId } = this.#options;
    ports.logger.info('the group is joined by the classic protocol', { group: groupId, because: error.message });
    if (this.#member instanceof ConsumerMember) this.#member.abandon();
    this.#awaitsTopics = this.#pattern !== undefined;
    if (this.#awaitsTopics) this.#options.onUnmatched(error);
    else this.#joinByClassic();
  }

  #joinByClassic(): void {
    this.#awaitsTopics = false;
    this.#member = this.#classicMember();
    this.#member.start();
  }

  /** A commit that was made by itself failed. It is made again with the next one, unless nobody may commit to the group. */
  #commitFailed(error: KrafkaError): void {
    const { events, ports, onFatal, groupId } = this.#options;
    if (OF_A_REBALANCE.has(error.code) && this.identity !== undefined) {
      ports.logger.debug('offsets are committed after the rebalance', { group: groupId, error });
      return;
    }
    ports.logger.warn('offsets could not be committed', { group: groupId, error });
    events.emit('commitFailed', { error });
    if (FATAL.has(error.code)) onFatal(error);
  }
}

/** A member that keeps its partitions through a rebalance commits them with its next generation. */
const OF_A_REBALANCE: ReadonlySet<string> = new Set<ErrorName>(['REBALANCE_IN_PROGRESS', 'ILLEGAL_GENERATION']);

/**
 * No later commit will be taken. A topic that may not be committed to is no such reason: that of other topics goes on.
 * What concerns the member (its generation is over, another took its place) its own loop deals with.
 */
const FATAL: ReadonlySet<string> = new Set<ErrorName>(['GROUP_AUTHORIZATION_FAILED', 'INVALID_GROUP_ID']);
