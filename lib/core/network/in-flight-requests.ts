import type { PendingRequest } from './pending-request.js';
import { RequestPriority } from './request-priority.js';

/**
 * High-priority requests that may be in flight beside the window of normal ones, so that a heartbeat never waits for
 * data to be answered before it may leave.
 */
export const HIGH_PRIORITY_RESERVE = 5;

/** What was written and not yet answered, in the order in which the broker will answer it. */
export class InFlightRequests implements Iterable<PendingRequest> {
  readonly #window: number;
  readonly #requests: PendingRequest[] = [];
  #highCount = 0;

  /** `window` is how many normal-priority requests may be in flight. */
  constructor(window: number) {
    this.#window = window;
  }

  get length(): number {
    return this.#requests.length;
  }

  hasRoomFor(priority: RequestPriority): boolean {
    return priority === RequestPriority.High
      ? this.#highCount < HIGH_PRIORITY_RESERVE
      : this.#requests.length - this.#highCount < this.#window;
  }

  push(request: PendingRequest): void {
    if (request.priority === RequestPriority.High) this.#highCount++;
    this.#requests.push(request);
  }

  /** Takes the oldest: the one whose answer comes next. */
  shift(): PendingRequest | undefined {
    const oldest = this.#requests.shift();
    if (oldest?.priority === RequestPriority.High) this.#highCount--;
    return oldest;
  }

  [Symbol.iterator](): Iterator<PendingRequest> {
    return this.#requests[Symbol.iterator]();
  }
}
