import { ERROR_CODES, type ErrorName } from '../../core/protocol/index.js';
import type { Clock, Timer } from '../../core/support/index.js';
import { refusedJoin, refusedSync } from './classic-answers.js';
import { NO_BYTES, type ClassicMember, type JoinAnswer, type JoinRequest, type SyncAnswer } from './classic-member.js';
import { ClassicMembers } from './classic-members.js';

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

/** How long a member may wait in its first JoinGroup, in Kafka five minutes. */
const NEW_MEMBER_JOIN_TIMEOUT_MS = 300_000;

/**
 * The turning of a classic group from generation to generation, and the sessions of those in it.
 *
 *            a member joins                all joined, or time is up
 *   Empty ────────────────▶ PreparingRebalance ─────────────▶ CompletingRebalance
 *     ▲                       ▲    ▲                                  │ the leader's sync
 *     └── nobody joined ──────┘    └── joins, leaves, expiries ── Stable ◀┘
 */
export class ClassicRebalance {
  readonly members = new ClassicMembers();
  readonly #clock: Clock;
  readonly #times: ClassicGroupTimes;
  /** Ids that were given out with MEMBER_ID_REQUIRED, until they join or their time is up. */
  readonly #pendingJoin = new Map<string, Timer>();
  readonly #pendingSync = new Set<string>();
  #state: ClassicState = 'Empty';
  #protocolType: string | null = null;
  #protocolName: string | null = null;
  #generation = 0;
  /** The rebalance under way is the first since nobody was there, and somebody came while it waited for more. */
  #beganEmpty = false;
  #memberAdded = false;
  #joinTimer: Timer | undefined;
  #syncTimer: Timer | undefined;
  #persisted: PersistedGroup = { generation: 0, protocolName: null, leaderId: undefined, members: [] };

  constructor(clock: Clock, times: ClassicGroupTimes) {
    this.#clock = clock;
    this.#times = times;
  }

  get state(): ClassicState {
    return this.#state;
  }

  get generation(): number {
    return this.#generation;
  }

  /** What the members are, `consumer` mostly: as the first of them said. */
  get protocolType(): string | null {
    return this.#protocolType;
  }

  get protocolName(): string | null {
    return this.#protocolName;
  }

  get isEmpty(): boolean {
    return this.members.size === 0 && this.#pendingJoin.size === 0;
  }

  /** Keeps an id until its bearer joins, so long as a session lasts. The rebalance waits for it. */
  expect(memberId: string, sessionTimeoutMs: number): void {
    const expiry = this.#clock.setTimer(sessionTimeoutMs, () => this.unexpect(memberId), true);
    this.#pendingJoin.set(memberId, expiry);
  }

  expects(memberId: string): boolean {
    return this.#pendingJoin.has(memberId);
  }

  unexpect(memberId: string): void {
    this.#pendingJoin.get(memberId)?.cancel();
    this.#pendingJoin.delete(memberId);
    this.#completeJoinIfAllJoined();
  }

  /** A new member: it waits in its JoinGroup for the generation to come. */
  add(member: ClassicMember, request: JoinRequest, version: number): Promise<JoinAnswer> {
    this.#pendingJoin.get(member.id)?.cancel();
    this.#pendingJoin.delete(member.id);
    if (this.members.size === 0) this.#protocolType = request.protocolType;
    this.members.add(member);
    if (this.#state === 'PreparingRebalance' && this.#beganEmpty) this.#memberAdded = true;
    const answer = this.#awaitJoin(member, request, version);
    // It can't send heartbeats yet, and a connection that is waited on is not seen to break.
    this.#expireAfter(member, NEW_MEMBER_JOIN_TIMEOUT_MS);
    this.#rebalanceOrCompleteJoin();
    return answer;
  }

  /** A member joins again: it waits for the generation to come. */
  rejoin(member: ClassicMember, request: JoinRequest, version: number): Promise<JoinAnswer> {
    const answer = this.#awaitJoin(member, request, version);
    this.#rebalanceOrCompleteJoin();
    return answer;
  }

  /**
   * A static member is back under another id; its former self is fenced. While the group is stable and its protocol
   * stays the same, `answerNow` says what it is told at once; else it waits for the generation to come.
   */
  replace(
    old: ClassicMember,
    member: ClassicMember,
    request: JoinRequest,
    version: number,
    answerNow: (formerLeaderId: string | undefined) => Partial<JoinAnswer>,
  ): Promise<JoinAnswer> {
    const formerLeaderId = this.members.leaderId;
    old.session?.cancel();
    this.#refuseWaiting(old, 'FENCED_INSTANCE_ID');
    this.members.replace(old, member);
    this.#pendingSync.delete(old.id);
    this.renewSession(member);
    const answer = this.#awaitJoin(member, request, version);
    if (this.#state === 'Stable' && this.members.selectProtocol() === this.#protocolName) {
      this.#persist();
      this.#answerJoin(member, answerNow(formerLeaderId));
    } else {
      this.#rebalanceOrCompleteJoin();
    }
    return answer;
  }

  /** A member waits for the leader's assignments, or gets what the leader has said already. */
  sync(member: ClassicMember): SyncAnswer | Promise<SyncAnswer> {
    this.#pendingSync.delete(member.id);
    if (this.#state === 'Stable') {
      this.renewSession(member);
      return this.#assigned(member);
    }
    return new Promise<SyncAnswer>((resolve) => {
      member.awaitingSync = resolve;
    });
  }

  /** The leader has spoken: everybody gets what is theirs, and the group is stable. */
  assign(assignments: ReadonlyMap<string, Buffer>): void {
    this.#state = 'Stable';
    for (const member of this.members) {
      member.assignment = Buffer.from(assignments.get(member.id) ?? NO_BYTES);
      if (member.awaitingSync !== undefined) this.#answerSync(member, this.#assigned(member));
      this.renewSession(member);
    }
    this.#persist();
  }

  remove(member: ClassicMember): void {
    this.#drop(member);
    if (this.#state === 'Stable' || this.#state === 'CompletingRebalance') this.#prepare();
    else this.#completeJoinIfAllJoined();
  }

  renewSession(member: ClassicMember): void {
    this.#expireAfter(member, member.sessionTimeoutMs);
  }

  /** What a member of the present generation is told; the leader of all members. */
  joined(member: ClassicMember, withMembers: boolean, special: Partial<JoinAnswer> = {}): JoinAnswer {
    return {
      errorCode: ERROR_CODES.NONE,
      generationId: this.#generation,
      protocolType: this.#protocolType,
      protocolName: this.#protocolName,
      leader: this.members.leaderId ?? '',
      memberId: member.id,
      members: withMembers ? this.membersForLeader() : [],
      ...special,
    };
  }

  membersForLeader(): JoinAnswer['members'] {
    return this.members.list().map((member) => ({
      memberId: member.id,
      groupInstanceId: member.instanceId,
      metadata: member.metadata(this.#protocolName ?? ''),
    }));
  }

  /** The group is no more: whoever waits is told. */
  die(): void {
    for (const member of this.members) this.#refuseWaiting(member, 'UNKNOWN_MEMBER_ID');
    this.close();
    this.members.restore([], undefined);
    this.#state = 'Dead';
  }

  /** Another node coordinates now: it knows what was persisted, and no more. */
  restore(): void {
    for (const member of this.members) this.#refuseWaiting(member, 'NOT_COORDINATOR');
    this.close();
    this.#pendingSync.clear();
    const { generation, protocolName, leaderId, members } = this.#persisted;
    this.#generation = generation;
    this.#protocolName = protocolName;
    this.#state = members.length === 0 ? 'Empty' : 'Stable';
    this.members.restore(
      members.map((member) => member.renamed(member.id)),
      leaderId,
    );
    for (const member of this.members) this.renewSession(member);
  }

  /** Ends every timer. */
  close(): void {
    this.#joinTimer?.cancel();
    this.#syncTimer?.cancel();
    for (const member of this.members) member.session?.cancel();
    for (const expiry of this.#pendingJoin.values()) expiry.cancel();
    this.#pendingJoin.clear();
  }

  #awaitJoin(member: ClassicMember, request: JoinRequest, version: number): Promise<JoinAnswer> {
    member.protocols = request.protocols;
    member.sessionTimeoutMs = request.sessionTimeoutMs;
    member.rebalanceTimeoutMs = request.rebalanceTimeoutMs;
    member.joinVersion = version;
    return new Promise((resolve) => {
      member.awaitingJoin = resolve;
    });
  }

  #rebalanceOrCompleteJoin(): void {
    if (this.#state === 'PreparingRebalance') this.#completeJoinIfAllJoined();
    else this.#prepare();
  }

  #prepare(): void {
    if (this.#state === 'CompletingRebalance') {
      for (const member of this.members) {
        member.assignment = NO_BYTES;
        this.#answerSync(member, refusedSync('REBALANCE_IN_PROGRESS'));
      }
    }
    this.#syncTimer?.cancel();
    this.#beganEmpty = this.#state === 'Empty';
    this.#memberAdded = false;
    this.#state = 'PreparingRebalance';
    const patienceMs = this.members.rebalanceTimeoutMs;
    if (this.#beganEmpty) {
      const delayMs = this.#times.initialRebalanceDelayMs;
      this.#gather(delayMs, Math.max(patienceMs - delayMs, 0));
    } else if (this.#allJoined) {
      this.#completeJoin();
    } else {
      this.#completeJoinAfter(patienceMs);
    }
  }

  /** The first rebalance gives others a while to come as well, longer if they do. */
  #gather(delayMs: number, remainingMs: number): void {
    const look = (): void => {
      if (!this.#memberAdded || remainingMs === 0) return this.#completeJoin();
      this.#memberAdded = false;
      const next = Math.min(this.#times.initialRebalanceDelayMs, remainingMs);
      this.#gather(next, Math.max(remainingMs - delayMs, 0));
    };
    this.#joinTimer?.cancel();
    this.#joinTimer = this.#clock.setTimer(delayMs, look, true);
  }

  #completeJoinAfter(delayMs: number): void {
    this.#joinTimer?.cancel();
    this.#joinTimer = this.#clock.setTimer(delayMs, () => this.#completeJoin(), true);
  }

  get #allJoined(): boolean {
    return this.#pendingJoin.size === 0 && this.members.allJoined;
  }

  #completeJoinIfAllJoined(): void {
    if (this.#state === 'PreparingRebalance' && !this.#beganEmpty && this.#allJoined) this.#completeJoin();
  }

  #completeJoin(): void {
    this.#joinTimer?.cancel();
    for (const member of this.members) {
      if (member.awaitingJoin === undefined && member.instanceId === null) this.#drop(member);
    }
    const patienceMs = this.members.rebalanceTimeoutMs;
    // Only static members that are away: their sessions decide.
    if (this.members.size > 0 && !this.members.electJoinedLeader()) return this.#completeJoinAfter(patienceMs);
    this.#generation += 1;
    this.#pendingSync.clear();
    if (this.members.size === 0) {
      this.#state = 'Empty';
      this.#protocolName = null;
      this.#persist();
      return;
    }
    this.#protocolName = this.members.selectProtocol();
    this.#state = 'CompletingRebalance';
    for (const member of this.members) {
      this.#answerJoin(member);
      member.isNew = false;
      this.renewSession(member);
      this.#pendingSync.add(member.id);
    }
    const generation = this.#generation;
    this.#syncTimer = this.#clock.setTimer(patienceMs, () => this.#expireSync(generation), true);
  }

  /** Who has joined but does not sync in time is out. */
  #expireSync(generation: number): void {
    if (generation !== this.#generation || this.#pendingSync.size === 0) return;
    if (this.#state !== 'CompletingRebalance' && this.#state !== 'Stable') return;
    for (const id of this.#pendingSync) this.#drop(this.members.get(id));
    this.#pendingSync.clear();
    this.#prepare();
  }

  #expireAfter(member: ClassicMember, delayMs: number): void {
    const look = (): void => {
      const waits = member.awaitingJoin !== undefined || member.awaitingSync !== undefined;
      if (member.isNew || !waits) this.remove(member);
    };
    member.session?.cancel();
    member.session = this.#clock.setTimer(delayMs, look, true);
  }

  #drop(member: ClassicMember): void {
    member.session?.cancel();
    this.members.remove(member);
    this.#pendingSync.delete(member.id);
    this.#refuseWaiting(member, 'UNKNOWN_MEMBER_ID');
  }

  #answerJoin(member: ClassicMember, special?: Partial<JoinAnswer>): void {
    const resolve = member.awaitingJoin;
    member.awaitingJoin = undefined;
    resolve?.(this.joined(member, member.id === this.members.leaderId, special));
  }

  #answerSync(member: ClassicMember, answer: SyncAnswer): void {
    const resolve = member.awaitingSync;
    member.awaitingSync = undefined;
    resolve?.(answer);
  }

  #refuseWaiting(member: ClassicMember, error: ErrorName): void {
    const resolve = member.awaitingJoin;
    member.awaitingJoin = undefined;
    resolve?.(refusedJoin(error, member.id, member.joinVersion));
    this.#answerSync(member, refusedSync(error));
  }

  #assigned(member: ClassicMember): SyncAnswer {
    return {
      errorCode: ERROR_CODES.NONE,
      protocolType: this.#protocolType,
      protocolName: this.#protocolName,
      assignment: member.assignment,
    };
  }

  #persist(): void {
    this.#persisted = {
      generation: this.#generation,
      protocolName: this.#protocolName,
      leaderId: this.members.leaderId,
      members: this.members.list().map((member) => member.renamed(member.id)),
    };
  }
}
