/** Who stamped a batch: KIP-98's producer id and epoch. */
export interface Identity {
  readonly producerId: number;
  readonly producerEpoch: number;
}

/** The identity of a producer that has none. */
export const NO_IDENTITY: Identity = { producerId: -1, producerEpoch: -1 };

const LAST_SEQUENCE = 0x7fff_ffff;
const NOTHING_ACKNOWLEDGED = -1;

/**
 * After so long without an acknowledgement, monotonic ms, a broker may have forgotten the producer: far less than
 * `producer.id.expiration.ms` is by default, for one batch that goes alone costs next to nothing.
 */
const MAY_BE_FORGOTTEN_MS = 60_000;

/** The sequence `records` after another; after 2^31 - 1 comes 0, as brokers count. */
export function sequenceAfter(sequence: number, records: number): number {
  return (sequence + records) & LAST_SEQUENCE;
}

/**
 * The sequence numbers of one partition (KIP-98), and whether more may be given out.
 *
 * A broker takes the batches of one producer id and epoch only without gaps. So a range that was given out and never
 * acknowledged is a *hole* as long as its fate is unknown: nothing new is stamped behind it. Either a later batch is
 * acknowledged, and the hole turns out to have been written; or the numbers start again from 0 under a new epoch (KIP-360),
 * which fences whatever of the old ones may still be on its way. No range is ever given out twice under one epoch, except
 * one that is certain not to have been written.
 *
 * A broker that knows nothing of a producer takes any sequence for a beginning. So as long as it may know nothing, a batch
 * goes *alone*: with a second one behind it, the refusal of the first would make the second the beginning.
 */
export class PartitionSequences {
  #identity: Identity = NO_IDENTITY;
  #next = 0;
  #lastAcknowledged = NOTHING_ACKNOWLEDGED;
  #hole = false;
  #restartDemanded = false;
  #alone = true;
  #acknowledgedAtMs = -Infinity;

  /** Whose numbers these are. */
  get identity(): Identity {
    return this.#identity;
  }

  /** The sequence that the next new batch would get. */
  get next(): number {
    return this.#next;
  }

  /** True while a range that was given out has left without an acknowledgement. */
  get hasHole(): boolean {
    return this.#hole;
  }

  /**
   * Whether a new batch may be stamped, `unresolved` being how many stamped ones are still to be answered. Not behind a
   * hole; not behind one that goes alone; and under a new identity only once everything of the old one is answered, for it
   * would fence that.
   */
  mayStamp(identity: Identity, unresolved: number): boolean {
    if (this.#hole || this.#restartDemanded) return false;
    return unresolved === 0 || (!this.#alone && sameIdentity(identity, this.#identity));
  }

  /** Gives out the next range: its first sequence. */
  stamp(identity: Identity, records: number, nowMs: number): number {
    if (!sameIdentity(identity, this.#identity)) this.#begin(identity);
    if (nowMs - this.#acknowledgedAtMs > MAY_BE_FORGOTTEN_MS) this.#alone = true;
    const base = this.#next;
    this.#next = sequenceAfter(base, records);
    return base;
  }

  /** Brokers know nothing of the producer here any longer: the topic was made anew. */
  forgotten(): void {
    this.#alone = true;
  }

  /** A broker has the range: what was stamped under a former identity changes nothing. */
  acknowledged(identity: Identity, base: number, records: number, nowMs: number): void {
    if (!sameIdentity(identity, this.#identity)) return;
    this.#alone = false;
    this.#acknowledgedAtMs = nowMs;
    // Only the oldest batch's refusal demands a restart: if it was taken after all, the numbers agree again.
    this.#restartDemanded = false;
    const last = sequenceAfter(base, records - 1);
    if (this.#isAhead(last)) this.#lastAcknowledged = last;
  }

  /**
   * A stamped range leaves without an acknowledgement. One that is certain not to have been written, and behind which
   * nothing was stamped, is given out again; any other leaves a hole.
   */
  abandoned(identity: Identity, base: number, records: number, fate: 'unwritten' | 'unknown'): void {
    if (!sameIdentity(identity, this.#identity)) return;
    const isLast = sequenceAfter(base, records) === this.#next;
    if (fate === 'unwritten' && isLast && !this.#hole) this.#next = base;
    else this.#hole = true;
  }

  /** Whether they are to start again, as soon as nothing of the partition is on the wire. */
  get restartDemanded(): boolean {
    return this.#restartDemanded;
  }

  /** The broker's numbers and ours have parted: nothing is stamped or sent until they start again. */
  demandRestart(): void {
    this.#restartDemanded = true;
  }

  /**
   * Whether the numbers have to start again, asked while nothing of the partition is on the wire. Closes a hole that
   * turns out to have been written.
   */
  mustRestart(unresolved: number): boolean {
    if (this.#restartDemanded) return true;
    if (!this.#hole || unresolved > 0) return false;
    if (this.#next !== this.#expected) return true;
    this.#hole = false;
    return false;
  }

  /** Starts again from 0 under another identity; what is unresolved is stamped anew, in order. */
  restart(identity: Identity): void {
    this.#begin(identity);
    this.#hole = false;
    this.#restartDemanded = false;
  }

  /** The sequence that a broker expects next, as far as it has told us. */
  get #expected(): number {
    return this.#lastAcknowledged === NOTHING_ACKNOWLEDGED ? 0 : sequenceAfter(this.#lastAcknowledged, 1);
  }

  #isAhead(sequence: number): boolean {
    return ((sequence - this.#expected) & LAST_SEQUENCE) < 0x4000_0000;
  }

  #begin(identity: Identity): void {
    this.#identity = identity;
    this.#next = 0;
    this.#lastAcknowledged = NOTHING_ACKNOWLEDGED;
    this.#alone = true;
  }
}

export function sameIdentity(one: Identity, other: Identity): boolean {
  return one.producerId === other.producerId && one.producerEpoch === other.producerEpoch;
}
