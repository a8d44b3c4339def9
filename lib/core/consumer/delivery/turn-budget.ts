import type { Clock } from '../../support/index.js';

/** How long handlers may hold the event loop before sockets and timers get their turn, in milliseconds. */
const SLICE_MS = 1;

/**
 * One slice of time in each turn of the event loop, shared by all lanes. When it is spent, whoever has more to do goes
 * on in the next turn; a handler that only awaits what is settled already would otherwise keep sockets waiting.
 */
export class TurnBudget {
  readonly #clock: Clock;
  #beganAt = -1;
  #waiting: (() => void)[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether this turn's slice is used up: then `later` is the way to go on. */
  get spent(): boolean {
    const now = this.#clock.monotonic();
    if (this.#beganAt < 0) {
      this.#beganAt = now;
      this.#clock.endOfTurn(this.#renew);
      return false;
    }
    return now - this.#beganAt >= SLICE_MS;
  }

  /** Calls back in the next turn, with a new slice. Only after `spent`. */
  later(resume: () => void): void {
    this.#waiting.push(resume);
  }

  readonly #renew = (): void => {
    this.#beganAt = -1;
    const waiting = this.#waiting;
    if (waiting.length === 0) return;
    // Whoever came first had most of the last slice: it goes last now.
    waiting.push(waiting.shift() as () => void);
    this.#waiting = [];
    for (const resume of waiting) resume();
  };
}
