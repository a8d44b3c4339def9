import type { ConsumerGroupHeartbeat, ErrorName, ReceivedRequestOf } from '../../core/protocol/index.js';
import type { Clock } from '../../core/support/index.js';
import type { Cluster } from '../cluster/cluster.js';
import { partitionKey, topicIdOf, type PartitionKey } from './assignors.js';
import type { GroupClient } from './classic-member.js';
import { AWAY_EPOCH, ConsumerMember } from './consumer-member.js';
import type { CommitTerms } from './commit-terms.js';
import { TargetAssignment, assignorOf } from './target-assignment.js';

type Request = ReceivedRequestOf<typeof ConsumerGroupHeartbeat>;

/** Where the group is, in the words of ConsumerGroupDescribe. */
export type ConsumerGroupState = 'Empty' | 'Assigning' | 'Reconciling' | 'Stable';

/** What the broker's configuration says of groups of the new protocol. */
export interface ConsumerGroupTimes {
  /** Kafka's group.consumer.session.timeout.ms. */
  readonly consumerSessionTimeoutMs: number;
  /** Kafka's group.consumer.heartbeat.interval.ms. */
  readonly consumerHeartbeatIntervalMs: number;
  /** Kafka's group.consumer.assignment.interval.ms: the least time between two assignments. */
  readonly consumerAssignmentIntervalMs: number;
}

/** A heartbeat taken: the member as it now is, and whether the answer tells it what it has; or why it was not taken. */
export type HeartbeatOutcome =
  | { readonly kind: 'taken'; readonly member: ConsumerMember; readonly tellsAssignment: boolean }
  | { readonly kind: 'left'; readonly memberId: string; readonly epoch: number }
  | HeartbeatRefusal;

/** Why a heartbeat was not taken. */
export interface HeartbeatRefusal {
  readonly kind: 'refused';
  readonly error: ErrorName;
  readonly message: string;
}

const JOIN_EPOCH = 0;
const LEAVE_EPOCH = -1;
/** OffsetCommit says GROUP and EPOCH errors of this protocol from here on only. */
const COMMITS_SINCE = 9;

const refuse = (error: ErrorName, message: string): HeartbeatRefusal => ({ kind: 'refused', error, message });

/**
 * A group of the consumer protocol (KIP-848): the coordinator assigns, and every member is brought to what it is meant
 * to have by its own heartbeats, each in its own time.
 */
export class ConsumerGroup {
  readonly kind = 'consumer';
  readonly #cluster: Cluster;
  readonly #clock: Clock;
  readonly #times: ConsumerGroupTimes;
  readonly #newUuid: () => string;
  readonly #members = new Map<string, ConsumerMember>();
  // Kafka's own first epoch of a group with a subscription is 2.
  #epoch = 1;
  readonly #target: TargetAssignment;
  #assignedAtMs = -Infinity;

  constructor(
    readonly id: string,
    cluster: Cluster,
    clock: Clock,
    times: ConsumerGroupTimes,
    newUuid: () => string,
  ) {
    this.#cluster = cluster;
    this.#target = new TargetAssignment(cluster);
    this.#clock = clock;
    this.#times = times;
    this.#newUuid = newUuid;
  }

  get state(): ConsumerGroupState {
    if (this.#members.size === 0) return 'Empty';
    if (this.#epoch > this.#target.epoch) return 'Assigning';
    const settled = this.members.every((member) => member.isReconciledTo(this.#target.epoch));
    return settled ? 'Stable' : 'Reconciling';
  }

  get epoch(): number {
    return this.#epoch;
  }

  get assignmentEpoch(): number {
    return this.#target.epoch;
  }

  get protocolType(): string {
    return 'consumer';
  }

  get members(): readonly ConsumerMember[] {
    return [...this.#members.values()];
  }

  get isEmpty(): boolean {
    return this.#members.size === 0;
  }

  /** The assignor that most members ask for. */
  get assignor(): string {
    return assignorOf(this.members);
  }

  /** What a member is meant to have. */
  targetOf(memberId: string): ReadonlySet<PartitionKey> {
    return this.#target.of(memberId);
  }

  /** ConsumerGroupHeartbeat, its fields already held against the rules. */
  heartbeat(request: Request, client: GroupClient): HeartbeatOutcome {
    const { memberEpoch } = request;
    if (memberEpoch === LEAVE_EPOCH || memberEpoch === AWAY_EPOCH) return this.#leave(request);
    const found = this.#memberOf(request, client);
    if ('kind' in found) return found;
    const owned = ownedIn(request);
    const refusal = epochRefusal(found, memberEpoch, owned);
    if (refusal !== undefined) return refusal;
    const subscribed = this.#update(found, request, client);
    this.#assignIfDue(subscribed);
    this.#target.resolve(this.members);
    const before = found.assigned;
    // Who joins has nothing: it says so by joining.
    const said = memberEpoch === JOIN_EPOCH ? new Set<PartitionKey>() : owned;
    found.reconcile(this.targetOf(found.id), this.#target.epoch, said, (key) => this.#isFree(key));
    this.#renewSession(found);
    this.#watchRevocation(found);
    const isFull =
      (request.subscribedTopicNames !== null || request.subscribedTopicRegex !== null) &&
      request.topicPartitions !== null &&
      request.rebalanceTimeoutMs !== -1;
    const changed = !sameSet(before, found.assigned);
    return { kind: 'taken', member: found, tellsAssignment: memberEpoch === JOIN_EPOCH || isFull || changed };
  }

  commitProblem({ memberId, generation, transactional, version, partitions, instanceId }: CommitTerms): ErrorName {
    if (generation < 0 && this.#members.size === 0) return 'NONE';
    if (transactional && generation === -1 && memberId === '' && instanceId === null) return 'NONE';
    const member = this.#members.get(memberId);
    if (member === undefined) return 'UNKNOWN_MEMBER_ID';
    if (!transactional && version < COMMITS_SINCE) return 'UNSUPPORTED_VERSION';
    if (generation === member.epoch) return 'NONE';
    if (generation > member.epoch) return 'STALE_MEMBER_EPOCH';
    // An older epoch will do for what the member has had since then.
    const since = partitions.every(({ topic, partition }) => {
      const topicId = this.#cluster.topic(topic)?.id ?? '';
      const givenAt = member.assignedAt.get(partitionKey(topicId, partition));
      return givenAt !== undefined && generation >= givenAt;
    });
    return since ? 'NONE' : 'STALE_MEMBER_EPOCH';
  }

  /** Whether a member may ask for the group's offsets at this epoch; who names no member always may. */
  fetchProblem(memberId: string | null, epoch: number): ErrorName {
    if (memberId === null && epoch < 0) return 'NONE';
    const member = this.#members.get(memberId ?? '');
    if (member === undefined) return 'UNKNOWN_MEMBER_ID';
    return member.epoch === epoch ? 'NONE' : 'STALE_MEMBER_EPOCH';
  }

  /** Single offsets may be deleted, of topics that nobody subscribes to. */
  offsetDeleteProblem(): ErrorName {
    return 'NONE';
  }

  subscribesTo(topic: string): boolean {
    return this.members.some((member) => this.#target.topicsOf(member).some(({ name }) => name === topic));
  }

  die(): void {
    this.close();
  }

  /** All there is to know of the group was written down: only the members' time begins anew. */
  coordinatorMoved(): void {
    for (const member of this.#members.values()) this.#renewSession(member);
  }

  close(): void {
    for (const member of this.#members.values()) {
      member.session?.cancel();
      member.revocation?.cancel();
    }
  }

  #memberOf(request: Request, client: GroupClient): ConsumerMember | HeartbeatRefusal {
    const { instanceId, memberEpoch } = request;
    // Only version 0 leaves the id to the coordinator.
    const memberId = request.memberId === '' ? this.#newUuid() : request.memberId;
    const former = instanceId === null ? undefined : this.#staticMember(instanceId);
    const known = this.#members.get(memberId);
    if (instanceId !== null && memberEpoch !== JOIN_EPOCH) {
      if (former === undefined) return refuse('UNKNOWN_MEMBER_ID', `Instance id ${instanceId} is unknown.`);
      if (former.id !== memberId) return fenced(memberId, instanceId, former.id);
    } else if (former !== undefined) {
      // Who joins must have gone first, were it the same one whose answer was lost.
      if (former.epoch !== AWAY_EPOCH) {
        const message = `Static member ${memberId} with instance id ${instanceId} cannot join the group because the instance id is owned by ${former.id} member.`;
        return refuse('UNRELEASED_INSTANCE_ID', message);
      }
      if (former.id !== memberId) return this.#replace(former, new ConsumerMember(memberId, instanceId, client));
    }
    if (known !== undefined) return known;
    if (memberEpoch !== JOIN_EPOCH) {
      return refuse('UNKNOWN_MEMBER_ID', `Member ${memberId} is not a member of group ${this.id}.`);
    }
    const member = new ConsumerMember(memberId, instanceId, client);
    this.#members.set(memberId, member);
    this.#epoch += 1;
    return member;
  }

  #replace(former: ConsumerMember, member: ConsumerMember): ConsumerMember {
    former.session?.cancel();
    former.revocation?.cancel();
    member.succeed(former);
    this.#members.delete(former.id);
    this.#members.set(member.id, member);
    this.#target.rename(former.id, member.id);
    return member;
  }

  #leave({ memberId, memberEpoch, instanceId }: Request): HeartbeatOutcome {
    let member = this.#members.get(memberId);
    if (instanceId !== null) {
      const known = this.#staticMember(instanceId);
      if (known === undefined) return refuse('UNKNOWN_MEMBER_ID', `Instance id ${instanceId} is unknown.`);
      if (known.id !== memberId) return fenced(memberId, instanceId, known.id);
      member = known;
    }
    if (member === undefined) {
      return refuse('UNKNOWN_MEMBER_ID', `Member ${memberId} is not a member of group ${this.id}.`);
    }
    if (memberEpoch === AWAY_EPOCH) {
      // Its partitions stay its own until it is back or its session ends.
      member.previousEpoch = member.epoch;
      member.epoch = AWAY_EPOCH;
      member.revocation?.cancel();
      member.revoking = new Set();
    } else {
      this.#remove(member);
    }
    return { kind: 'left', memberId, epoch: memberEpoch };
  }

  #remove(member: ConsumerMember): void {
    member.session?.cancel();
    member.revocation?.cancel();
    this.#members.delete(member.id);
    this.#target.forget(member.id);
    this.#epoch += 1;
  }

  /** Takes what a member says of itself; true when what it subscribes to is another. */
  #update(member: ConsumerMember, request: Request, client: GroupClient): boolean {
    const before = `${member.topicNames.join()} ${member.topicRegex}`;
    member.client = client;
    if (request.rackId !== null) member.rackId = request.rackId;
    if (request.rebalanceTimeoutMs !== -1) member.rebalanceTimeoutMs = request.rebalanceTimeoutMs;
    if (request.serverAssignor !== null) member.serverAssignor = request.serverAssignor;
    if (request.subscribedTopicNames !== null) member.topicNames = request.subscribedTopicNames.toSorted();
    if (request.subscribedTopicRegex !== null) member.topicRegex = request.subscribedTopicRegex || null;
    return before !== `${member.topicNames.join()} ${member.topicRegex}`;
  }

  /** A new epoch when subscriptions or their topics have changed, a new assignment with every new epoch. */
  #assignIfDue(subscriptionChanged: boolean): void {
    const topicsChanged = this.#target.topicsChanged(this.members);
    if (this.#epoch === this.#target.epoch && (subscriptionChanged || topicsChanged)) this.#epoch += 1;
    if (this.#epoch === this.#target.epoch) return;
    const now = this.#clock.monotonic();
    if (now < this.#assignedAtMs + this.#times.consumerAssignmentIntervalMs) return;
    this.#assignedAtMs = now;
    this.#target.make(this.#epoch, this.members);
  }

  #isFree(key: PartitionKey): boolean {
    if (this.#cluster.topicById(topicIdOf(key)) === undefined) return false;
    return !this.members.some((member) => member.assigned.has(key) || member.revoking.has(key));
  }

  #renewSession(member: ConsumerMember): void {
    member.session?.cancel();
    member.session = this.#clock.setTimer(this.#times.consumerSessionTimeoutMs, () => this.#remove(member), true);
  }

  /** A member that does not give up what it must, within its own rebalance timeout, is out. */
  #watchRevocation(member: ConsumerMember): void {
    if (member.state !== 'unrevoked') {
      member.revocation?.cancel();
      member.revocation = undefined;
    } else {
      member.revocation ??= this.#clock.setTimer(member.rebalanceTimeoutMs, () => this.#remove(member), true);
    }
  }

  #staticMember(instanceId: string): ConsumerMember | undefined {
    return this.members.find((member) => member.instanceId === instanceId);
  }
}

/** What a member says it has; undefined when it did not say. */
function ownedIn({ topicPartitions }: Request): ReadonlySet<PartitionKey> | undefined {
  if (topicPartitions === null) return undefined;
  return new Set(
    topicPartitions.flatMap(({ topicId, partitions }) =>
      partitions.map((partition) => partitionKey(topicId, partition)),
    ),
  );
}

/** Epochs must be equal, but for a member to which the answer with the new one was lost. */
function epochRefusal(
  member: ConsumerMember,
  epoch: number,
  owned: ReadonlySet<PartitionKey> | undefined,
): HeartbeatRefusal | undefined {
  if (epoch === JOIN_EPOCH || epoch === member.epoch) return undefined;
  const isBehind = epoch < member.epoch;
  const missedOne = epoch === member.previousEpoch && owned !== undefined;
  if (isBehind && missedOne && [...owned].every((key) => member.assigned.has(key))) return undefined;
  const message =
    `The consumer group member has a ${isBehind ? 'smaller' : 'greater'} member epoch (${epoch}) than the one known by ` +
    `the group coordinator (${member.epoch}). The member must abandon all its partitions and rejoin.`;
  return refuse('FENCED_MEMBER_EPOCH', message);
}

const fenced = (memberId: string, instanceId: string, by: string): HeartbeatRefusal =>
  refuse('FENCED_INSTANCE_ID', `Static member ${memberId} with instance id ${instanceId} was fenced by member ${by}.`);

const sameSet = (a: ReadonlySet<PartitionKey>, b: ReadonlySet<PartitionKey>): boolean =>
  a.size === b.size && [...a].every((key) => b.has(key));
