import { ERROR_CODES, Reader, type ErrorName } from '../../core/protocol/index.js';
import type { Clock, Timer } from '../../core/support/index.js';
import {
  ClassicMember,
  NO_BYTES,
  type GroupClient,
  type JoinAnswer,
  type JoinRequest,
  type SyncAnswer,
  type SyncRequest,
} from './classic-member.js';
import type { CommitTerms } from './commit-terms.js';

/** Where a classic group is, in the words of DescribeGroups. */
export type ClassicState = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable' | 'Dead';

/** What the broker's configuration says of classic groups. */
export interface ClassicGroupTimes {
  /** How long the first rebalance of an empty group waits for more members, milliseconds. */
  readonly initialRebalanceDelayMs: number;
}

/** What is written to the offsets topic, and so what a new coordinator knows of the group. */
interface PersistedGroup {
  readonly generation: number;
  readonly protocolName: string | null;
  readonly leaderId: string | undefined;
  readonly members: readonly ClassicMember[];
}

/** The protocol type of consumers. */
const CONSUMER = 'consumer';
/** How long a member may wait in its first JoinGroup, in Kafka five minutes. */
const NEW_MEMBER_JOIN_TIMEOUT_MS = 300_000;
const JOIN_ANSWER_HAS_NULL_PROTOCOL_SINCE = 7;
const SKIPPED_ASSIGNMENT_SINCE = 9;
const MEMBER_ID_REQUIRED_SINCE = 4;

/**
 * A group of the classic protocol: join, sync, heartbeat, leave.
 *
 *            a member joins                all joined, or time is up
 *   Empty ────────────────▶ PreparingRebalance ─────────────▶ CompletingRebalance
 *     ▲                       ▲    ▲                                  │ the leader's sync
 *     └── nobody joined ──────┘    └── joins, leaves, expiries ── Stable ◀┘
 */
export class ClassicGroup {
  readonly kind = 'classic';
  readonly #clock: Clock;
  readonly #times: ClassicGroupTimes;
  readonly #newUuid: () => string;
  readonly #members = new Map<string, ClassicMember>();
  /** Ids that were given out with MEMBER_ID_REQUIRED, until they join or their time is up. */
  readonly #pending = new Map<string, Timer>();
  readonly #pendingSync = new Set<string>();
  #state: ClassicState = 'Empty';
  #beganEmpty = false;
  #memberAdded = false;
  #generation = 0;
  #protocolType: string | null = null;
  #protocolName: string | null = null;
  #leaderId: string | undefined;
  #joinTimer: Timer | undefined;
  #syncTimer: Timer | undefined;
  #persisted: PersistedGroup = { generation: 0, protocolName: null, leaderId: undefined, members: [] };

  constructor(
    readonly id: string,
    clock: Clock,
    times: ClassicGroupTimes,
    newUuid: () => string,
  ) {
    this.#clock = clock;
    this.#times = times;
    this.#newUuid = newUuid;
  }

  get state(): ClassicState {
    return this.#state;
  }

  get generation(): number {
    return this.#generation;
  }

  get protocolType(): string | null {
    return this.#protocolType;
  }

  get protocolName(): string | null {
    return this.#protocolName;
  }

  get members(): readonly ClassicMember[] {
    return [...this.#members.values()];
  }

  get isEmpty(): boolean {
    return this.#members.size === 0 && this.#pending.size === 0;
  }

  /** JoinGroup. The answer may have to wait until everybody has joined. */
  join(request: JoinRequest, client: GroupClient, version: number): JoinAnswer | Promise<JoinAnswer> {
    const { memberId, groupInstanceId: instanceId } = request;
    if (this.#state === 'Dead') return this.#refusedJoin('COORDINATOR_NOT_AVAILABLE', memberId, version);
    if (!this.#supports(request)) return this.#refusedJoin('INCONSISTENT_GROUP_PROTOCOL', memberId, version);
    if (memberId === '') {
      return instanceId === null
        ? this.#joinNewDynamic(request, client, version)
        : this.#joinNewStatic(request, instanceId, client, version);
    }
    const pending = this.#pending.get(memberId);
    if (pending !== undefined) {
      pending.cancel();
      this.#pending.delete(memberId);
      return this.#add(memberId, request, client);
    }
    const problem = this.#memberProblem(memberId, instanceId);
    if (problem !== 'NONE') return this.#refusedJoin(problem, memberId, version);
    return this.#rejoin(this.#member(memberId), request, version);
  }

  /** SyncGroup. The answer may have to wait for the leader's. */
  sync(request: SyncRequest): SyncAnswer | Promise<SyncAnswer> {
    const problem = this.#syncProblem(request);
    if (problem !== 'NONE') return refusedSync(problem);
    const member = this.#member(request.memberId);
    this.#pendingSync.delete(member.id);
    if (this.#state === 'Stable') {
      this.#renewSession(member);
      return this.#assigned(member);
    }
    const answer = new Promise<SyncAnswer>((resolve) => {
      member.awaitingSync = resolve;
    });
    if (member.id === this.#leaderId) this.#takeAssignments(request);
    return answer;
  }

  heartbeat(memberId: string, instanceId: string | null, generation: number): ErrorName {
    if (this.#state === 'Dead') return 'COORDINATOR_NOT_AVAILABLE';
    const problem = this.#memberProblem(memberId, instanceId);
    if (problem !== 'NONE') return problem;
    if (generation !== this.#generation) return 'ILLEGAL_GENERATION';
    if (this.#state === 'Empty') return 'UNKNOWN_MEMBER_ID';
    this.#renewSession(this.#member(memberId));
    return this.#state === 'PreparingRebalance' ? 'REBALANCE_IN_PROGRESS' : 'NONE';
  }

  /** LeaveGroup for one member, by its id or (an operator's removal) by its instance id alone. */
  leave(memberId: string, instanceId: string | null): ErrorName {
    if (this.#state === 'Dead') return 'COORDINATOR_NOT_AVAILABLE';
    if (this.#pending.has(memberId)) {
      this.#forgetPending(memberId);
      return 'NONE';
    }
    let leaving = memberId;
    if (memberId === '' && instanceId !== null) {
      const known = this.#staticMember(instanceId);
      if (known === undefined) return 'UNKNOWN_MEMBER_ID';
      leaving = known.id;
    } else {
      const problem = this.#memberProblem(memberId, instanceId);
      if (problem !== 'NONE') return problem;
    }
    this.#removeThenRebalance(this.#member(leaving));
    return 'NONE';
  }

  /** Whether offsets may be committed by this member at this generation; a member's commit is a sign of life. */
  commitProblem({ memberId, instanceId, generation, transactional }: CommitTerms): ErrorName {
    if (this.#state === 'Dead') return 'COORDINATOR_NOT_AVAILABLE';
    if (generation < 0 && this.#state === 'Empty') return 'NONE';
    if (generation >= 0 || memberId !== '' || instanceId !== null) {
      const problem = this.#memberProblem(memberId, instanceId);
      if (problem !== 'NONE') return problem;
      if (generation !== this.#generation) return 'ILLEGAL_GENERATION';
    } else if (!transactional && this.#state !== 'Empty') {
      return 'UNKNOWN_MEMBER_ID';
    }
    if (!transactional && this.#state === 'CompletingRebalance') return 'REBALANCE_IN_PROGRESS';
    const member = this.#members.get(memberId);
    if (member !== undefined && !transactional) this.#renewSession(member);
    return 'NONE';
  }

  /** Anybody may ask for the group's offsets. */
  fetchProblem(): ErrorName {
    return 'NONE';
  }

  /** Whether single offsets may be deleted: of a group that consumes only those of topics it does not. */
  offsetDeleteProblem(): ErrorName {
    if (this.#state === 'Dead') return 'GROUP_ID_NOT_FOUND';
    return this.#state === 'Empty' || this.#protocolType === CONSUMER ? 'NONE' : 'NON_EMPTY_GROUP';
  }

  /** Whether a member has subscribed to the topic; all that its metadata does not tell counts as yes. */
  subscribesTo(topic: string): boolean {
    if (this.#protocolType !== CONSUMER || this.#members.size === 0) return false;
    const protocol = this.#protocolName;
    if (protocol === null) return true;
    return this.members.some((member) => subscribedTopics(member.metadata(protocol))?.includes(topic) ?? true);
  }

  /** The group is no more: whoever waits is told. */
  die(): void {
    this.#answerWaiting('UNKNOWN_MEMBER_ID');
    this.#cancelTimers();
    this.#members.clear();
    this.#state = 'Dead';
  }

  /** Another node coordinates now: it knows what was persisted, and no more. */
  coordinatorMoved(): void {
    this.#answerWaiting('NOT_COORDINATOR');
    this.#cancelTimers();
    this.#members.clear();
    this.#pendingSync.clear();
    const { generation, protocolName, leaderId, members } = this.#persisted;
    this.#generation = generation;
    this.#protocolName = protocolName;
    this.#leaderId = leaderId;
    this.#state = members.length === 0 ? 'Empty' : 'Stable';
    for (const known of members) {
      const member = known.renamed(known.id);
      this.#members.set(member.id, member);
      this.#renewSession(member);
    }
  }

  /** Ends every timer: the broker closes. */
  close(): void {
    this.#cancelTimers();
  }

  #joinNewDynamic(request: JoinRequest, client: GroupClient, version: number): JoinAnswer | Promise<JoinAnswer> {
    const memberId = `${client.clientId}-${this.#newUuid()}`;
    if (version < MEMBER_ID_REQUIRED_SINCE) return this.#add(memberId, request, client);
    const expiry = this.#clock.setTimer(request.sessionTimeoutMs, () => this.#forgetPending(memberId), true);
    this.#pending.set(memberId, expiry);
    return this.#refusedJoin('MEMBER_ID_REQUIRED', memberId, version);
  }

  #joinNewStatic(
    request: JoinRequest,
    instanceId: string,
    client: GroupClient,
    version: number,
  ): JoinAnswer | Promise<JoinAnswer> {
    const memberId = `${instanceId}-${this.#newUuid()}`;
    const known = this.#staticMember(instanceId);
    if (known === undefined) return this.#add(memberId, request, client);
    return this.#replaceStatic(known, memberId, request, version);
  }

  /** A static member is back under a new id: its former self is fenced, its assignment stays. */
  #replaceStatic(old: ClassicMember, memberId: string, request: JoinRequest, version: number): Promise<JoinAnswer> {
    const formerLeader = this.#leaderId;
    old.session?.cancel();
    old.awaitingJoin?.(this.#refusedJoin('FENCED_INSTANCE_ID', old.id, version));
    old.awaitingSync?.(refusedSync('FENCED_INSTANCE_ID'));
    const member = old.renamed(memberId);
    this.#replaceInPlace(old, member);
    if (this.#leaderId === old.id) this.#leaderId = memberId;
    this.#pendingSync.delete(old.id);
    this.#renewSession(member);
    const answer = this.#awaitJoin(member, request);
    if (this.#state === 'Stable') {
      if (this.#selectProtocol() !== this.#protocolName) {
        this.#prepareRebalance();
      } else {
        this.#persist();
        const isLeader = this.#leaderId === memberId;
        const skips = version >= SKIPPED_ASSIGNMENT_SINCE;
        // Before v9 an old leader is named, so that the returning one does not begin to assign.
        this.#answerJoin(member, {
          leader: (skips ? this.#leaderId : formerLeader) ?? '',
          skipAssignment: skips && isLeader,
          members: skips && isLeader ? this.#membersForLeader() : [],
        });
      }
    } else if (this.#state === 'CompletingRebalance') {
      this.#prepareRebalance();
    } else {
      this.#completeJoinIfAllJoined();
    }
    return answer;
  }

  // A Map keeps the place of a key that is set again, not of one that is replaced by another: the order of members,
  // which leaders see and successors are chosen by, is kept by hand.
  #replaceInPlace(old: ClassicMember, member: ClassicMember): void {
    const members = this.members.map((other) => (other === old ? member : other));
    this.#members.clear();
    for (const other of members) this.#members.set(other.id, other);
  }

  #rejoin(member: ClassicMember, request: JoinRequest, version: number): JoinAnswer | Promise<JoinAnswer> {
    const unchanged = member.offersSame(request.protocols);
    const isLeader = member.id === this.#leaderId;
    switch (this.#state) {
      case 'PreparingRebalance':
        break;
      case 'CompletingRebalance':
        // The answer to its join was lost: it gets it again.
        if (unchanged) return this.#joined(member, isLeader);
        break;
      case 'Stable':
        if (!isLeader && unchanged) return this.#joined(member, false);
        break;
      default:
        return this.#refusedJoin('UNKNOWN_MEMBER_ID', member.id, version);
    }
    const answer = this.#awaitJoin(member, request);
    this.#rebalanceOrCompleteJoin();
    return answer;
  }

  #add(memberId: string, request: JoinRequest, client: GroupClient): Promise<JoinAnswer> {
    const member = new ClassicMember(memberId, request.groupInstanceId, client, request);
    if (this.#members.size === 0) this.#protocolType = request.protocolType;
    this.#members.set(memberId, member);
    this.#leaderId ??= memberId;
    if (this.#state === 'PreparingRebalance' && this.#beganEmpty) this.#memberAdded = true;
    const answer = this.#awaitJoin(member, request);
    this.#expireAfter(member, NEW_MEMBER_JOIN_TIMEOUT_MS);
    this.#rebalanceOrCompleteJoin();
    return answer;
  }

  #awaitJoin(member: ClassicMember, request: JoinRequest): Promise<JoinAnswer> {
    member.protocols = request.protocols;
    member.sessionTimeoutMs = request.sessionTimeoutMs;
    member.rebalanceTimeoutMs = request.rebalanceTimeoutMs;
    return new Promise((resolve) => {
      member.awaitingJoin = resolve;
    });
  }

  #rebalanceOrCompleteJoin(): void {
    if (this.#state === 'PreparingRebalance') this.#completeJoinIfAllJoined();
    else this.#prepareRebalance();
  }

  #prepareRebalance(): void {
    if (this.#state === 'CompletingRebalance') {
      for (const member of this.#members.values()) {
        member.assignment = NO_BYTES;
        this.#answerSync(member, refusedSync('REBALANCE_IN_PROGRESS'));
      }
    }
    this.#syncTimer?.cancel();
    this.#beganEmpty = this.#state === 'Empty';
    this.#memberAdded = false;
    this.#state = 'PreparingRebalance';
    if (this.#beganEmpty) {
      const delay = this.#times.initialRebalanceDelayMs;
      this.#gather(delay, Math.max(this.#rebalanceTimeoutMs - delay, 0));
    } else if (this.#allJoined) {
      this.#completeJoin();
    } else {
      this.#completeJoinAfter(this.#rebalanceTimeoutMs);
    }
  }

  /** The first rebalance gives others a while to come as well, longer if they do. */
  #gather(delayMs: number, remainingMs: number): void {
    this.#joinTimer?.cancel();
    this.#joinTimer = this.#clock.setTimer(
      delayMs,
      () => {
        if (this.#memberAdded && remainingMs !== 0) {
          this.#memberAdded = false;
          const next = Math.min(this.#times.initialRebalanceDelayMs, remainingMs);
          this.#gather(next, Math.max(remainingMs - delayMs, 0));
        } else {
          this.#completeJoin();
        }
      },
      true,
    );
  }

  #completeJoinAfter(delayMs: number): void {
    this.#joinTimer?.cancel();
    this.#joinTimer = this.#clock.setTimer(delayMs, () => this.#completeJoin(), true);
  }

  get #allJoined(): boolean {
    return this.#pending.size === 0 && this.members.every((member) => member.awaitingJoin !== undefined);
  }

  get #rebalanceTimeoutMs(): number {
    return Math.max(0, ...this.members.map((member) => member.rebalanceTimeoutMs));
  }

  #completeJoinIfAllJoined(): void {
    if (this.#state === 'PreparingRebalance' && !this.#beganEmpty && this.#allJoined) this.#completeJoin();
  }

  #completeJoin(): void {
    this.#joinTimer?.cancel();
    for (const member of this.members) {
      if (member.awaitingJoin === undefined && member.instanceId === null) this.#remove(member);
    }
    if (this.#members.size > 0 && !this.#electJoinedLeader()) {
      // Only static members that are away: their sessions decide.
      this.#completeJoinAfter(this.#rebalanceTimeoutMs);
      return;
    }
    this.#generation += 1;
    this.#pendingSync.clear();
    if (this.#members.size === 0) {
      this.#state = 'Empty';
      this.#protocolName = null;
      this.#persist();
      return;
    }
    this.#protocolName = this.#selectProtocol();
    this.#state = 'CompletingRebalance';
    for (const member of this.#members.values()) {
      this.#answerJoin(member);
      member.isNew = false;
      this.#renewSession(member);
      this.#pendingSync.add(member.id);
    }
    const generation = this.#generation;
    this.#syncTimer = this.#clock.setTimer(this.#rebalanceTimeoutMs, () => this.#expireSync(generation), true);
  }

  #electJoinedLeader(): boolean {
    const leader = this.#leaderId === undefined ? undefined : this.#members.get(this.#leaderId);
    if (leader?.awaitingJoin !== undefined) return true;
    const joined = this.members.find((member) => member.awaitingJoin !== undefined);
    if (joined === undefined) return false;
    this.#leaderId = joined.id;
    return true;
  }

  /** The protocol that every member has and most prefer; of equals the one that was voted for first. */
  #selectProtocol(): string {
    const [first, ...others] = this.members;
    const shared = new Set(
      (first?.protocols ?? [])
        .map(({ name }) => name)
        .filter((name) => others.every((member) => member.protocols.some((protocol) => protocol.name === name))),
    );
    const votes = new Map<string, number>();
    for (const member of this.#members.values()) {
      const choice = member.vote(shared);
      if (choice !== undefined) votes.set(choice, (votes.get(choice) ?? 0) + 1);
    }
    let best = '';
    for (const [name, count] of votes) if (count > (votes.get(best) ?? 0)) best = name;
    return best;
  }

  #supports({ protocolType, protocols }: JoinRequest): boolean {
    if (this.#state === 'Empty') return protocolType !== '' && protocols.length > 0;
    return (
      protocolType === this.#protocolType &&
      protocols.some(({ name }) =>
        this.members.every((member) => member.protocols.some((protocol) => protocol.name === name)),
      )
    );
  }

  #takeAssignments(request: SyncRequest): void {
    const assignments = new Map(request.assignments.map(({ memberId, assignment }) => [memberId, assignment]));
    this.#state = 'Stable';
    for (const member of this.#members.values()) {
      member.assignment = Buffer.from(assignments.get(member.id) ?? NO_BYTES);
      if (member.awaitingSync !== undefined) this.#answerSync(member, this.#assigned(member));
      this.#renewSession(member);
    }
    this.#persist();
  }

  #syncProblem(request: SyncRequest): ErrorName {
    if (this.#state === 'Dead') return 'COORDINATOR_NOT_AVAILABLE';
    const problem = this.#memberProblem(request.memberId, request.groupInstanceId);
    if (problem !== 'NONE') return problem;
    if (request.generationId !== this.#generation) return 'ILLEGAL_GENERATION';
    if (differs(request.protocolType, this.#protocolType) || differs(request.protocolName, this.#protocolName)) {
      return 'INCONSISTENT_GROUP_PROTOCOL';
    }
    if (this.#state === 'Empty') return 'UNKNOWN_MEMBER_ID';
    return this.#state === 'PreparingRebalance' ? 'REBALANCE_IN_PROGRESS' : 'NONE';
  }

  #expireSync(generation: number): void {
    if (generation !== this.#generation || this.#pendingSync.size === 0) return;
    if (this.#state !== 'CompletingRebalance' && this.#state !== 'Stable') return;
    for (const id of this.#pendingSync) {
      const member = this.#members.get(id);
      if (member !== undefined) this.#remove(member);
    }
    this.#pendingSync.clear();
    this.#prepareRebalance();
  }

  #renewSession(member: ClassicMember): void {
    this.#expireAfter(member, member.sessionTimeoutMs);
  }

  #expireAfter(member: ClassicMember, delayMs: number): void {
    member.session?.cancel();
    member.session = this.#clock.setTimer(
      delayMs,
      () => {
        const waits = member.awaitingJoin !== undefined || member.awaitingSync !== undefined;
        if (member.isNew || !waits) this.#removeThenRebalance(member);
      },
      true,
    );
  }

  #removeThenRebalance(member: ClassicMember): void {
    this.#remove(member);
    if (this.#state === 'Stable' || this.#state === 'CompletingRebalance') this.#prepareRebalance();
    else this.#completeJoinIfAllJoined();
  }

  #remove(member: ClassicMember): void {
    member.session?.cancel();
    this.#members.delete(member.id);
    this.#pendingSync.delete(member.id);
    if (this.#leaderId === member.id) this.#leaderId = this.#members.keys().next().value;
    this.#refuseWaiting(member, 'UNKNOWN_MEMBER_ID');
  }

  #forgetPending(memberId: string): void {
    this.#pending.get(memberId)?.cancel();
    this.#pending.delete(memberId);
    this.#completeJoinIfAllJoined();
  }

  #memberProblem(memberId: string, instanceId: string | null): ErrorName {
    if (instanceId !== null) {
      const known = this.#staticMember(instanceId);
      if (known === undefined) return 'UNKNOWN_MEMBER_ID';
      if (known.id !== memberId) return 'FENCED_INSTANCE_ID';
    }
    return this.#members.has(memberId) ? 'NONE' : 'UNKNOWN_MEMBER_ID';
  }

  #staticMember(instanceId: string): ClassicMember | undefined {
    return this.members.find((member) => member.instanceId === instanceId);
  }

  #member(id: string): ClassicMember {
    const member = this.#members.get(id);
    if (member === undefined) throw new Error(`group ${this.id} has no member ${id}`);
    return member;
  }

  #joined(member: ClassicMember, withMembers: boolean, special: Partial<JoinAnswer> = {}): JoinAnswer {
    return {
      errorCode: ERROR_CODES.NONE,
      generationId: this.#generation,
      protocolType: this.#protocolType,
      protocolName: this.#protocolName,
      leader: this.#leaderId ?? '',
      memberId: member.id,
      members: withMembers ? this.#membersForLeader() : [],
      ...special,
    };
  }

  #membersForLeader(): JoinAnswer['members'] {
    return this.members.map((member) => ({
      memberId: member.id,
      groupInstanceId: member.instanceId,
      metadata: member.metadata(this.#protocolName ?? ''),
    }));
  }

  #answerJoin(member: ClassicMember, special?: Partial<JoinAnswer>): void {
    const answer = member.awaitingJoin;
    member.awaitingJoin = undefined;
    answer?.(this.#joined(member, member.id === this.#leaderId, special));
  }

  #answerSync(member: ClassicMember, answer: SyncAnswer): void {
    const resolve = member.awaitingSync;
    member.awaitingSync = undefined;
    resolve?.(answer);
  }

  #assigned(member: ClassicMember): SyncAnswer {
    return {
      errorCode: ERROR_CODES.NONE,
      protocolType: this.#protocolType,
      protocolName: this.#protocolName,
      assignment: member.assignment,
    };
  }

  #refusedJoin(error: ErrorName, memberId: string, version: number): JoinAnswer {
    return {
      errorCode: ERROR_CODES[error],
      protocolName: version >= JOIN_ANSWER_HAS_NULL_PROTOCOL_SINCE ? null : '',
      leader: '',
      memberId,
      generationId: -1,
      members: [],
    };
  }

  #refuseWaiting(member: ClassicMember, error: ErrorName): void {
    const join = member.awaitingJoin;
    member.awaitingJoin = undefined;
    // The version only decides how no protocol is written; '' can be read at every one.
    join?.(this.#refusedJoin(error, member.id, 0));
    this.#answerSync(member, refusedSync(error));
  }

  #answerWaiting(error: ErrorName): void {
    for (const member of this.#members.values()) this.#refuseWaiting(member, error);
  }

  #persist(): void {
    this.#persisted = {
      generation: this.#generation,
      protocolName: this.#protocolName,
      leaderId: this.#leaderId,
      members: this.members.map((member) => member.renamed(member.id)),
    };
  }

  #cancelTimers(): void {
    this.#joinTimer?.cancel();
    this.#syncTimer?.cancel();
    for (const member of this.#members.values()) member.session?.cancel();
    for (const expiry of this.#pending.values()) expiry.cancel();
    this.#pending.clear();
  }
}

/** The topics in a consumer's subscription, whose first fields are the same in every version; undefined when it can't be read. */
function subscribedTopics(metadata: Buffer): readonly string[] | undefined {
  try {
    const reader = new Reader(metadata);
    reader.int16();
    const count = reader.arrayLength(reader.int32(), 2);
    return Array.from({ length: count }, () => reader.utf8(reader.int16()));
  } catch {
    return undefined;
  }
}

const differs = (given: string | null, own: string | null): boolean => given !== null && own !== null && given !== own;

export const refusedSync = (error: ErrorName): SyncAnswer => ({ errorCode: ERROR_CODES[error], assignment: NO_BYTES });
