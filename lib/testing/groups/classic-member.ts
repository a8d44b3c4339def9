import type { AnswerOf, JoinGroup, ReceivedRequestOf, SyncGroup } from '../../core/protocol/index.js';
import type { Timer } from '../../core/support/index.js';

export type JoinRequest = ReceivedRequestOf<typeof JoinGroup>;
export type JoinAnswer = AnswerOf<typeof JoinGroup>;
export type SyncRequest = ReceivedRequestOf<typeof SyncGroup>;
export type SyncAnswer = AnswerOf<typeof SyncGroup>;
export type MemberProtocol = JoinRequest['protocols'][number];

/** Who sent a request to a group. */
export interface GroupClient {
  readonly clientId: string;
  readonly clientHost: string;
}

export const NO_BYTES: Buffer = Buffer.alloc(0);

/** What a member asks for with its JoinGroup. */
export interface MemberTerms {
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly protocols: readonly MemberProtocol[];
}

/** A member of a classic group. Written by its group only. */
export class ClassicMember {
  sessionTimeoutMs: number;
  rebalanceTimeoutMs: number;
  protocols: readonly MemberProtocol[];
  assignment: Buffer = NO_BYTES;
  /** Has never been in a generation: it can't send heartbeats yet. */
  isNew = true;
  /** The version of its last JoinGroup. */
  joinVersion = 0;
  /** Answers its JoinGroup, while that waits for the others. */
  awaitingJoin: ((answer: JoinAnswer) => void) | undefined;
  /** Answers its SyncGroup, while that waits for the leader's. */
  awaitingSync: ((answer: SyncAnswer) => void) | undefined;
  /** Ends the member's session. */
  session: Timer | undefined;

  constructor(
    readonly id: string,
    readonly instanceId: string | null,
    readonly client: GroupClient,
    terms: MemberTerms,
  ) {
    this.sessionTimeoutMs = terms.sessionTimeoutMs;
    this.rebalanceTimeoutMs = terms.rebalanceTimeoutMs;
    this.protocols = terms.protocols;
  }

  /** The member under another id: what a static member's restart leaves of it. */
  renamed(id: string): ClassicMember {
    const member = new ClassicMember(id, this.instanceId, this.client, this);
    member.assignment = this.assignment;
    member.isNew = this.isNew;
    return member;
  }

  metadata(protocol: string): Buffer {
    return this.protocols.find(({ name }) => name === protocol)?.metadata ?? NO_BYTES;
  }

  offers(protocol: string): boolean {
    return this.protocols.some(({ name }) => name === protocol);
  }

  /** The first of its protocols that is among `candidates`. */
  vote(candidates: ReadonlySet<string>): string | undefined {
    return this.protocols.find(({ name }) => candidates.has(name))?.name;
  }

  /** Whether it comes with the very protocols that it has. */
  offersSame(protocols: readonly MemberProtocol[]): boolean {
    return (
      protocols.length === this.protocols.length &&
      protocols.every(({ name, metadata }, index) => {
        const own = this.protocols[index];
        return own?.name === name && own.metadata.equals(metadata);
      })
    );
  }
}
