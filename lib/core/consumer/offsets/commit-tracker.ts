/** Something handed out and not yet done: a record, or the records of a batch. */
export interface Ticket {
  /** Where reading goes on after it. */
  next: number;
  /** The leader epoch of the last record before `next`, -1 when not known. */
  leaderEpoch: number;
  done: boolean;
}

/** An offset ready to be committed. */
export interface Committable {
  readonly offset: number;
  readonly leaderEpoch: number;
}

/** Where reading went on while something without a ticket was in hand. */
interface Detour {
  /** The timeline of what is in hand, and where that ends. */
  readonly timeline: number;
  readonly from: number;
  readonly to: number;
  readonly leaderEpoch: number;
}

/**
 * Knows how far one partition is done without a gap, and how much of that the group has been told.
 *
 * ```
 *   handed out:   10 ✓   11 ✓   12 …   13 ✓   14 …
 *                              └ committable: 12. When 12 is done: 14, since 13 is done already.
 * ```
 * Offsets need not be dense: compaction and transaction markers leave holes, so what counts is the order in which
 * things were handed out and where each says reading goes on. A restart (seek, going back) forgets all tickets, so that
 * a late `done` of something handed out before it moves nothing. Where the log itself makes reading go on elsewhere (out
 * of range, truncated) nobody has said that what is in hand is done, so that is waited for: `move`.
 *
 * Hot: `advance` is called for each record of a serial handler; guarded by `npm run bench -- consume`.
 */
export class CommitTracker {
  #committable = -1;
  #leaderEpoch = -1;
  #committed = -1;
  #timeline = 0;
  #jumps = 0;
  /** What was committed by hand stands until more than that is done; -1 where nothing was. */
  #byHand = -1;
  /** Tickets in the order they were given; those before #head are done. */
  #tickets: Ticket[] = [];
  #head = 0;
  #detour: Detour | undefined;

  /** Everything before this offset is done; -1 while no position is known. */
  get committable(): number {
    return this.#committable;
  }

  /** Of the last record before `committable`; -1 when not known. */
  get leaderEpoch(): number {
    return this.#leaderEpoch;
  }

  /** The last offset that the group is known to hold; -1 when it holds none that we know of. */
  get committed(): number {
    return this.#committed;
  }

  /** True when something is done that the group has not been told. */
  get dirty(): boolean {
    return this.#committable !== this.#committed && this.#committable > this.#byHand;
  }

  /** Changes with each restart: what was handed out on another timeline counts for nothing, unless `counts` says so. */
  get timeline(): number {
    return this.#timeline;
  }

  /** Changes when reading goes on elsewhere, and not when what is not done is handed out anew. */
  get jumps(): number {
    return this.#jumps;
  }

  /** Handed out and not yet done. */
  get outstanding(): number {
    return this.#tickets.length - this.#head;
  }

  /** Notes that something was handed out; reading goes on at `next` after it. */
  begin(next: number, leaderEpoch: number): Ticket {
    const ticket: Ticket = { next, leaderEpoch, done: false };
    this.#tickets.push(ticket);
    return ticket;
  }

  /** Notes that what a ticket stands for is done. Tickets from before a restart count for nothing. */
  done(ticket: Ticket): void {
    ticket.done = true;
    const tickets = this.#tickets;
    let head = this.#head;
    for (let first = tickets[head]; first?.done === true; first = tickets[++head]) {
      this.#committable = first.next;
      this.#leaderEpoch = first.leaderEpoch;
    }
    this.#head = head;
    if (head === tickets.length) {
      tickets.length = 0;
      this.#head = 0;
    } else if (head >= 1024 && head * 2 >= tickets.length) {
      tickets.splice(0, head);
      this.#head = 0;
    }
  }

  /** Begins and ends in one, without a ticket: for what is handed out one after the other. */
  advance(timeline: number, next: number, leaderEpoch: number): void {
    if (timeline !== this.#timeline) {
      this.#advanceInHand(timeline, next, leaderEpoch);
      return;
    }
    this.#committable = next;
    this.#leaderEpoch = leaderEpoch;
  }

  /** Whether what was handed out on that timeline counts: it is this one, or that of what is in hand since a move. */
  counts(timeline: number): boolean {
    return timeline === this.#timeline || timeline === this.#detour?.timeline;
  }

  /** Notes that there is nothing to hand out before `next`: markers, aborted records, holes. */
  skip(next: number): void {
    const last = this.#tickets[this.#tickets.length - 1];
    if (last !== undefined) last.next = Math.max(last.next, next);
    else if (next > this.#committable) this.#committable = next;
  }

  /**
   * Notes that reading goes on at `to`, since the log does not have what came next; everything before `handedOut` was
   * handed out. What of that is before `to` has to be done first; the rest is not in the log any more, and counts for
   * nothing.
   */
  move(handedOut: number, to: number, leaderEpoch: number): void {
    this.#jumped();
    const tickets = this.#tickets;
    const { timeline, from } = this.#detour ?? { timeline: this.#timeline, from: handedOut };
    const hasTickets = this.outstanding > 0;
    while (this.outstanding > 0) {
      const last = tickets[tickets.length - 1] as Ticket;
      if (last.next <= to) {
        last.next = to;
        last.leaderEpoch = leaderEpoch;
        return;
      }
      tickets.pop();
    }
    tickets.length = 0;
    this.#head = 0;
    if (!hasTickets && this.#committable < from) {
      this.#timeline++;
      this.#detour = { timeline, from, to, leaderEpoch };
      if (this.#committable < to) return;
    }
    this.#committable = to;
    this.#leaderEpoch = leaderEpoch;
  }

  /** Notes that what was in hand without a ticket is so no more, and not done: it is to be handed out again. */
  handBack(): void {
    this.#detour = undefined;
  }

  /** Takes a new position. What is before it counts as done; `committed` says that the group holds it already. */
  restart(offset: number, leaderEpoch: number, committed: boolean): void {
    this.rewind();
    this.#jumped();
    this.#committable = offset;
    this.#leaderEpoch = leaderEpoch;
    if (committed) this.#committed = offset;
  }

  /** Forgets what is under way: all that is not done is handed out anew. */
  rewind(): void {
    this.#timeline++;
    this.#tickets = [];
    this.#head = 0;
    this.#detour = undefined;
  }

  /** What the group is to be told; undefined when it knows. */
  toCommit(): Committable | undefined {
    return this.dirty ? { offset: this.#committable, leaderEpoch: this.#leaderEpoch } : undefined;
  }

  /** Notes that the group holds an offset now. */
  acknowledge(offset: number): void {
    this.#committed = offset;
  }

  /**
   * Notes that the group holds an offset now that was chosen by hand when there were so many `jumps`: what is done before
   * it is not to be told any more. A jump since then has precedence.
   */
  commitByHand(offset: number, jumps: number): void {
    this.#committed = offset;
    if (jumps === this.#jumps) this.#byHand = offset;
  }

  /** An offset that was committed by hand is one of another log, or of another place in it. */
  #jumped(): void {
    this.#jumps++;
    this.#byHand = -1;
  }

  /** What was in hand already at a move is done up to `next`: behind its end, and behind its cut, reading went on at `to`. */
  #advanceInHand(timeline: number, next: number, leaderEpoch: number): void {
    const detour = this.#detour;
    if (timeline !== detour?.timeline) return;
    const isDone = next >= detour.from;
    if (isDone) this.#detour = undefined;
    const isBehind = isDone || next >= detour.to;
    this.#committable = isBehind ? detour.to : next;
    this.#leaderEpoch = isBehind ? detour.leaderEpoch : leaderEpoch;
  }
}
