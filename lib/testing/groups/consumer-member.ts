import type { Timer } from '../../core/support/index.js';
import type { PartitionKey } from './assignors.js';
import type { GroupClient } from './classic-member.js';

/**
 * How far a member is on its way to what it is meant to have (KIP-848).
 * - `stable`: it has it, as far as the assignment goes that its epoch belongs to.
 * - `unrevoked`: it must give partitions up first, and keeps its epoch until it says that it has.
 * - `unreleased`: it waits for partitions that others have not given up yet.
 */
export type MemberState = 'stable' | 'unrevoked' | 'unreleased';

/** The epoch of a static member that is away and will be back. */
export const AWAY_EPOCH = -2;

/** A member of a group of the new protocol. Written by its group only. */
export class ConsumerMember {
  client: GroupClient;
  rackId: string | null = null;
  rebalanceTimeoutMs = -1;
  serverAssignor: string | null = null;
  topicNames: readonly string[] = [];
  topicRegex: string | null = null;
  epoch = 0;
  previousEpoch = -1;
  state: MemberState = 'stable';
  /** What it has or may take. */
  assigned: Set<PartitionKey> = new Set();
  /** The member epoch at which each of them was given to it. */
  readonly assignedAt = new Map<PartitionKey, number>();
  /** What it must give up. */
  revoking: Set<PartitionKey> = new Set();
  session: Timer | undefined;
  /** Ends its time to give partitions up. */
  revocation: Timer | undefined;

  constructor(
    readonly id: string,
    readonly instanceId: string | null,
    client: GroupClient,
  ) {
    this.client = client;
  }

  /** Whether it has what an assignment of this epoch means it to have. */
  isReconciledTo(assignmentEpoch: number): boolean {
    return this.state === 'stable' && this.epoch === assignmentEpoch;
  }

  /** Takes over from the static member that was away. */
  succeed(former: ConsumerMember): void {
    this.rackId = former.rackId;
    this.serverAssignor = former.serverAssignor;
    this.topicNames = former.topicNames;
    this.topicRegex = former.topicRegex;
    this.assigned = former.assigned;
    for (const [key, epoch] of former.assignedAt) this.assignedAt.set(key, epoch);
  }

  /**
   * Brings the member one step nearer to `target`. `owned` is what it says it has, undefined when it did not say;
   * `isFree` tells of partitions that nobody has any more.
   */
  reconcile(
    target: ReadonlySet<PartitionKey>,
    targetEpoch: number,
    owned: ReadonlySet<PartitionKey> | undefined,
    isFree: (key: PartitionKey) => boolean,
  ): void {
    const owns = (keys: ReadonlySet<PartitionKey>): boolean =>
      owned === undefined || [...keys].some((key) => owned.has(key));
    switch (this.state) {
      case 'stable':
        if (this.epoch === targetEpoch) return;
        return this.#advance(this.epoch, target, targetEpoch, owns, isFree);
      case 'unrevoked':
        if (owns(this.revoking)) return;
        return this.#advance(this.epoch + 1, target, targetEpoch, owns, isFree);
      case 'unreleased':
        return this.#advance(this.epoch, target, targetEpoch, owns, isFree);
    }
  }

  #advance(
    epoch: number,
    target: ReadonlySet<PartitionKey>,
    targetEpoch: number,
    owns: (keys: ReadonlySet<PartitionKey>) => boolean,
    isFree: (key: PartitionKey) => boolean,
  ): void {
    const kept = new Set([...this.assigned].filter((key) => target.has(key)));
    const lost = new Set([...this.assigned].filter((key) => !target.has(key)));
    if (lost.size > 0 && owns(lost)) {
      this.#become('unrevoked', epoch, kept, lost);
      return;
    }
    const wanted = [...target].filter((key) => !kept.has(key));
    const free = wanted.filter(isFree);
    const state = free.length === wanted.length ? 'stable' : 'unreleased';
    this.#become(state, targetEpoch, new Set([...kept, ...free]), new Set());
  }

  #become(state: MemberState, epoch: number, assigned: Set<PartitionKey>, revoking: Set<PartitionKey>): void {
    this.state = state;
    if (epoch !== this.epoch) this.previousEpoch = this.epoch;
    this.epoch = epoch;
    for (const key of this.assignedAt.keys()) if (!assigned.has(key)) this.assignedAt.delete(key);
    for (const key of assigned) if (!this.assignedAt.has(key)) this.assignedAt.set(key, epoch);
    this.assigned = assigned;
    this.revoking = revoking;
  }
}
