import { RequestPriority } from './request-priority.js';

/** What stands in a {@link RequestQueue}. The links are the queue's own: no two queues may hold the same entry. */
export interface QueueEntry {
  readonly priority: RequestPriority;
  previous: QueueEntry | undefined;
  next: QueueEntry | undefined;
}

/**
 * The two channels of a connection. High leaves before normal, always; within a channel first come, first served.
 *
 * A channel is the first `capacity` places of one line. Whoever comes when they are taken waits behind them, in order,
 * and moves up when a place comes free; leaving the line early is possible from anywhere in it, at no cost.
 *
 * ```
 *   leaves ◄── [ 1 ][ 2 ][ 3 ] ... [capacity] │ waiting ◄ waiting ◄ ── comes
 * ```
 */
export class RequestQueue<Entry extends QueueEntry> {
  readonly #high: Line;
  readonly #normal: Line;

  constructor(highCapacity: number, normalCapacity: number) {
    this.#high = new Line(highCapacity);
    this.#normal = new Line(normalCapacity);
  }

  get isEmpty(): boolean {
    return this.#high.length === 0 && this.#normal.length === 0;
  }

  /** How many stand in the two channels. */
  get queued(): number {
    return this.#high.queued + this.#normal.queued;
  }

  /** How many wait for a place in a full channel. */
  get waiting(): number {
    return this.#high.length + this.#normal.length - this.queued;
  }

  /** How many places a channel has. */
  capacityOf(priority: RequestPriority): number {
    return this.#lineOf(priority).capacity;
  }

  /** True when the channel's places are all taken. */
  isFull(priority: RequestPriority): boolean {
    const line = this.#lineOf(priority);
    return line.length >= line.capacity;
  }

  push(entry: Entry): void {
    this.#lineOf(entry.priority).append(entry);
  }

  /** Who leaves next; undefined when nobody is there. */
  peek(): Entry | undefined {
    return (this.#high.first ?? this.#normal.first) as Entry | undefined;
  }

  /** Takes an entry out, wherever it stands. It must be in this queue. */
  remove(entry: Entry): void {
    this.#lineOf(entry.priority).remove(entry);
  }

  /** Everybody in the order of leaving. The entry at hand may be removed meanwhile, others not. */
  *[Symbol.iterator](): Iterator<Entry> {
    for (const line of [this.#high, this.#normal]) {
      let entry = line.first;
      while (entry !== undefined) {
        const { next } = entry;
        yield entry as Entry;
        entry = next;
      }
    }
  }

  #lineOf(priority: RequestPriority): Line {
    return priority === RequestPriority.High ? this.#high : this.#normal;
  }
}

/** A doubly linked list through the entries themselves. */
class Line {
  readonly capacity: number;
  first: QueueEntry | undefined;
  #last: QueueEntry | undefined;
  length = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  get queued(): number {
    return Math.min(this.length, this.capacity);
  }

  append(entry: QueueEntry): void {
    entry.previous = this.#last;
    entry.next = undefined;
    if (this.#last === undefined) this.first = entry;
    else this.#last.next = entry;
    this.#last = entry;
    this.length++;
  }

  remove(entry: QueueEntry): void {
    if (entry.previous === undefined) this.first = entry.next;
    else entry.previous.next = entry.next;
    if (entry.next === undefined) this.#last = entry.previous;
    else entry.next.previous = entry.previous;
    entry.previous = undefined;
    entry.next = undefined;
    this.length--;
  }
}
