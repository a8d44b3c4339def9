import type { ConsumerRecord } from '../../protocol/index.js';
import type { Timer } from '../../support/index.js';
import type { Ticket } from '../offsets/commit-tracker.js';

/** A record that waits for one of the same key. */
export interface Waiting {
  readonly record: ConsumerRecord;
  readonly ticket: Ticket;
  next: Waiting | undefined;
}

/** What a {@link Place} tells its lane. */
export interface PlaceOwner {
  done(place: Place, verdict: unknown): void;
  failedAt(place: Place, error: unknown): void;
}

/**
 * Where one record at a time is handled, and where those wait that must come after it. Places are used again, with the
 * two functions they were made with: no closure for a record.
 */
export class Place {
  readonly #owner: PlaceOwner;
  record!: ConsumerRecord;
  ticket!: Ticket;
  /** What the records here have in common; -1 when that is nothing. */
  key = -1;
  since = 0;
  /** Set while the record is to come again later. */
  timer: Timer | undefined;
  #first: Waiting | undefined;
  #last: Waiting | undefined;

  constructor(owner: PlaceOwner) {
    this.#owner = owner;
  }

  readonly onDone = (verdict: unknown): void => this.#owner.done(this, verdict);
  readonly onFailed = (error: unknown): void => this.#owner.failedAt(this, error);

  queue(waiting: Waiting): void {
    if (this.#last === undefined) this.#first = waiting;
    else this.#last.next = waiting;
    this.#last = waiting;
  }

  /** Takes up the record that waits longest; answers it, or undefined when none does. */
  advance(): Waiting | undefined {
    const first = this.#first;
    if (first === undefined) return undefined;
    this.#first = first.next;
    if (this.#first === undefined) this.#last = undefined;
    this.record = first.record;
    this.ticket = first.ticket;
    return first;
  }
}
