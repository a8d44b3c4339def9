import type { ErrorName } from '../../core/protocol/index.js';
import type { Clock } from '../../core/support/index.js';
import { refusedJoin, refusedSync } from './classic-answers.js';
import {
  ClassicMember,
  type GroupClient,
  type JoinAnswer,
  type JoinRequest,
  type SyncAnswer,
  type SyncRequest,
} from './classic-member.js';
import { ClassicRebalance, type ClassicGroupTimes, type ClassicState } from './classic-rebalance.js';
import type { CommitTerms } from './commit-terms.js';
import { subscribedTopics } from './consumer-subscription.js';

/** The protocol type of consumers. */
const CONSUMER = 'consumer';
const MEMBER_ID_REQUIRED_SINCE = 4;
const SKIPPED_ASSIGNMENT_SINCE = 9;

/** A group of the classic protocol: who may join, sync, beat, leave and commit, and what they are told. */
export class ClassicGroup {
  readonly kind = 'classic';
  readonly #newUuid: () => string;
  readonly #rebalance: ClassicRebalance;

  constructor(
    readonly id: string,
    clock: Clock,
    times: ClassicGroupTimes,
    newUuid: () => string,
  ) {
    this.#newUuid = newUuid;
    this.#rebalance = new ClassicRebalance(clock, times);
  }

  get state(): ClassicState {
    return this.#rebalance.state;
  }

  get protocolType(): string | null {
    return this.#rebalance.protocolType;
  }

  get protocolName(): string | null {
    return this.#rebalance.protocolName;
  }

  get members(): readonly ClassicMember[] {
    return this.#rebalance.members.list();
  }

  get isEmpty(): boolean {
    return this.#rebalance.isEmpty;
  }

  /** JoinGroup. The answer may have to wait until everybody has joined. */
  join(request: JoinRequest, client: GroupClient, version: number): JoinAnswer | Promise<JoinAnswer> {
    const { memberId, groupInstanceId: instanceId } = request;
    if (this.state === 'Dead') return refusedJoin('COORDINATOR_NOT_AVAILABLE', memberId, version);
    if (!this.#supports(request)) return refusedJoin('INCONSISTENT_GROUP_PROTOCOL', memberId, version);
    if (memberId === '') {
      return instanceId === null
        ? this.#joinNewDynamic(request, client, version)
        : this.#joinNewStatic(request, instanceId, client, version);
    }
    if (this.#rebalance.expects(memberId)) {
      return this.#rebalance.add(new ClassicMember(memberId, instanceId, client, request), request, version);
    }
    const problem = this.#memberProblem(memberId, instanceId);
    if (problem !== 'NONE') return refusedJoin(problem, memberId, version);
    return this.#rejoin(this.#rebalance.members.get(memberId), request, version);
  }

  /** SyncGroup. The answer may have to wait for the leader's. */
  sync(request: SyncRequest): SyncAnswer | Promise<SyncAnswer> {
    const problem = this.#syncProblem(request);
    if (problem !== 'NONE') return refusedSync(problem);
    const { members } = this.#rebalance;
    const wasStable = this.state === 'Stable';
    const answer = this.#rebalance.sync(members.get(request.memberId));
    if (!wasStable && request.memberId === members.leaderId) {
      this.#rebalance.assign(new Map(request.assignments.map(({ memberId, assignment }) => [memberId, assignment])));
    }
    return answer;
  }

  heartbeat(memberId: string, instanceId: string | null, generation: number): ErrorName {
    if (this.state === 'Dead') return 'COORDINATOR_NOT_AVAILABLE';
    const problem = this.#memberProblem(memberId, instanceId);
    if (problem !== 'NONE') return problem;
    if (generation !== this.#rebalance.generation) return 'ILLEGAL_GENERATION';
    if (this.state === 'Empty') return 'UNKNOWN_MEMBER_ID';
    this.#rebalance.renewSession(this.#rebalance.members.get(memberId));
    return this.state === 'PreparingRebalance' ? 'REBALANCE_IN_PROGRESS' : 'NONE';
  }

  /** LeaveGroup for one member, by its id or (an operator's removal) by its instance id alone. */
  leave(memberId: string, instanceId: string | null): ErrorName {
    if (this.state === 'Dead') return 'COORDINATOR_NOT_AVAILABLE';
    if (this.#rebalance.expects(memberId)) {
      this.#rebalance.unexpect(memberId);
      return 'NONE';
    }
    const { members } = this.#rebalance;
    const byInstance = memberId === '' && instanceId !== null ? members.static(instanceId) : undefined;
    if (byInstance === undefined) {
      const problem = memberId === '' ? 'UNKNOWN_MEMBER_ID' : this.#memberProblem(memberId, instanceId);
      if (problem !== 'NONE') return problem;
    }
    this.#rebalance.remove(byInstance ?? members.get(memberId));
    return 'NONE';
  }

  /** Whether offsets may be committed on these terms; a member's commit is a sign of life. */
  commitProblem({ memberId, instanceId, generation, transactional }: CommitTerms): ErrorName {
    if (this.state === 'Dead') return 'COORDINATOR_NOT_AVAILABLE';
    if (generation < 0 && this.state === 'Empty') return 'NONE';
    if (generation >= 0 || memberId !== '' || instanceId !== null) {
      const problem = this.#memberProblem(memberId, instanceId);
      if (problem !== 'NONE') return problem;
      if (generation !== this.#rebalance.generation) return 'ILLEGAL_GENERATION';
    } else if (!transactional && this.state !== 'Empty') {
      return 'UNKNOWN_MEMBER_ID';
    }
    if (!transactional && this.state === 'CompletingRebalance') return 'REBALANCE_IN_PROGRESS';
    const member = this.#rebalance.members.find(memberId);
    if (member !== undefined && !transactional) this.#rebalance.renewSession(member);
    return 'NONE';
  }

  /** Anybody may ask for the group's offsets. */
  fetchProblem(): ErrorName {
    return 'NONE';
  }

  /** Whether single offsets may be deleted: of a group that consumes only those of topics it does not. */
  offsetDeleteProblem(): ErrorName {
    if (this.state === 'Dead') return 'GROUP_ID_NOT_FOUND';
    return this.state === 'Empty' || this.protocolType === CONSUMER ? 'NONE' : 'NON_EMPTY_GROUP';
  }

  /** Whether a member has subscribed to the topic; all that its metadata does not tell counts as yes. */
  subscribesTo(topic: string): boolean {
    if (this.protocolType !== CONSUMER) return false;
    const protocol = this.protocolName;
    return this.members.some(
      (member) => protocol === null || (subscribedTopics(member.metadata(protocol))?.includes(topic) ?? true),
    );
  }

  /** The group is no more: whoever waits is told. */
  die(): void {
    this.#rebalance.die();
  }

  /** Another node coordinates now: it knows what was persisted, and no more. */
  coordinatorMoved(): void {
    this.#rebalance.restore();
  }

  /** Ends every timer. */
  close(): void {
    this.#rebalance.close();
  }

  #joinNewDynamic(request: JoinRequest, client: GroupClient, version: number): JoinAnswer | Promise<JoinAnswer> {
    const memberId = `${client.clientId}-${this.#newUuid()}`;
    if (version < MEMBER_ID_REQUIRED_SINCE) {
      return this.#rebalance.add(new ClassicMember(memberId, null, client, request), request, version);
    }
    this.#rebalance.expect(memberId, request.sessionTimeoutMs);
    return refusedJoin('MEMBER_ID_REQUIRED', memberId, version);
  }

  #joinNewStatic(
    request: JoinRequest,
    instanceId: string,
    client: GroupClient,
    version: number,
  ): JoinAnswer | Promise<JoinAnswer> {
    const memberId = `${instanceId}-${this.#newUuid()}`;
    const { members } = this.#rebalance;
    const former = members.static(instanceId);
    if (former === undefined) {
      return this.#rebalance.add(new ClassicMember(memberId, instanceId, client, request), request, version);
    }
    return this.#rebalance.replace(former, former.renamed(memberId), request, version, (formerLeaderId) => {
      const skips = version >= SKIPPED_ASSIGNMENT_SINCE;
      const leads = skips && members.leaderId === memberId;
      // Before v9 the former leader is named, so that one who returns as leader does not begin to assign.
      return {
        leader: (skips ? members.leaderId : formerLeaderId) ?? '',
        skipAssignment: leads,
        members: leads ? this.#rebalance.membersForLeader() : [],
      };
    });
  }

  #rejoin(member: ClassicMember, request: JoinRequest, version: number): JoinAnswer | Promise<JoinAnswer> {
    const unchanged = member.offersSame(request.protocols);
    const isLeader = member.id === this.#rebalance.members.leaderId;
    switch (this.state) {
      case 'PreparingRebalance':
        break;
      case 'CompletingRebalance':
        // The answer to its join was lost: it gets it again.
        if (unchanged) return this.#rebalance.joined(member, isLeader);
        break;
      case 'Stable':
        if (!isLeader && unchanged) return this.#rebalance.joined(member, false);
        break;
      default:
        return refusedJoin('UNKNOWN_MEMBER_ID', member.id, version);
    }
    return this.#rebalance.rejoin(member, request, version);
  }

  #supports({ protocolType, protocols }: JoinRequest): boolean {
    if (this.state === 'Empty') return protocolType !== '' && protocols.length > 0;
    return protocolType === this.protocolType && this.#rebalance.members.shareOneOf(protocols);
  }

  #syncProblem(request: SyncRequest): ErrorName {
    if (this.state === 'Dead') return 'COORDINATOR_NOT_AVAILABLE';
    const problem = this.#memberProblem(request.memberId, request.groupInstanceId);
    if (problem !== 'NONE') return problem;
    if (request.generationId !== this.#rebalance.generation) return 'ILLEGAL_GENERATION';
    if (differs(request.protocolType, this.protocolType) || differs(request.protocolName, this.protocolName)) {
      return 'INCONSISTENT_GROUP_PROTOCOL';
    }
    if (this.state === 'Empty') return 'UNKNOWN_MEMBER_ID';
    return this.state === 'PreparingRebalance' ? 'REBALANCE_IN_PROGRESS' : 'NONE';
  }

  #memberProblem(memberId: string, instanceId: string | null): ErrorName {
    const { members } = this.#rebalance;
    if (instanceId !== null) {
      const known = members.static(instanceId);
      if (known === undefined) return 'UNKNOWN_MEMBER_ID';
      if (known.id !== memberId) return 'FENCED_INSTANCE_ID';
    }
    return members.has(memberId) ? 'NONE' : 'UNKNOWN_MEMBER_ID';
  }
}

const differs = (given: string | null, own: string | null): boolean => given !== null && own !== null && given !== own;
