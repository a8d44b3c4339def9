import { KrafkaError } from '../support/index.js';
import type { Verdict } from './acknowledge-type.js';
import type { SharePartition } from './share-partition.js';

/** Whom a record was acquired from: it passes verdicts on. */
export interface CustodyKeeper {
  acknowledge(custody: Custody, verdict: Exclude<Verdict, 'renew' | 'gap'>): void;
  renew(custody: Custody): Promise<void>;
  /** A handler or a loop gets the record. */
  handOut(custody: Custody): void;
}

/**
 * How a record stands with us: `acquired` until a verdict is said (`acknowledged`), its lock runs out (`expired`), or
 * the broker lets go of everything it had given us (`lost`).
 */
export type CustodyState = 'acquired' | 'acknowledged' | 'expired' | 'lost';

const WHY_NOT: Readonly<Record<Exclude<CustodyState, 'acquired'>, string>> = {
  acknowledged: 'it was acknowledged before',
  expired: 'its lock has expired, and another member may have it',
  lost: 'the broker has dropped the share session, and another member may have it',
};

/** This member's hold on one record. Only its keeper changes the state. */
export class Custody {
  state: CustodyState = 'acquired';
  /** Whether it was given to a handler, or to a loop. */
  handedOut = false;
  /** False once the broker has refused to renew the lock. */
  renewable = true;
  /** On the monotonic clock. */
  lockedUntil: number;

  constructor(
    readonly keeper: CustodyKeeper,
    readonly partition: SharePartition,
    readonly offset: number,
    readonly deliveryCount: number,
    lockedUntil: number,
  ) {
    this.lockedUntil = lockedUntil;
  }

  acknowledge(verdict: 'accept' | 'release' | 'reject'): void {
    this.#assertAcquired();
    this.keeper.acknowledge(this, verdict);
  }

  async renew(): Promise<void> {
    this.#assertAcquired();
    await this.keeper.renew(this);
  }

  #assertAcquired(): void {
    if (this.state === 'acquired') return;
    const { topic, partition } = this.partition;
    throw new KrafkaError(
      `the record of topic '${topic}' partition ${partition} offset ${this.offset} can't be acknowledged: ${WHY_NOT[this.state]}`,
      { code: 'NOT_ACQUIRED' },
    );
  }
}
