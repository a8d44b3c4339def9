import type { Clock } from './clock.js';
import { KrafkaTimeoutError } from './errors.js';

/** One budget of time for one piece of work, however many steps it takes. */
export class Deadline {
  readonly #clock: Clock;
  #endsAt: number;

  /** `budget` is the name of the option that set it, as the timeout error will say. */
  constructor(
    clock: Clock,
    readonly budgetMs: number,
    readonly budget: string,
  ) {
    this.#clock = clock;
    this.#endsAt = clock.monotonic() + budgetMs;
  }

  get remainingMs(): number {
    return Math.max(0, this.#endsAt - this.#clock.monotonic());
  }

  get expired(): boolean {
    return this.remainingMs === 0;
  }

  /**
   * An earlier end of the same budget, so that what comes after has its turn whatever becomes of this: `rest` (from 0 to
   * 1) of what remains is left to it, but no more than `mostMs`.
   */
  sooner(rest: number, mostMs = Infinity): Deadline {
    const sooner = new Deadline(this.#clock, this.budgetMs, this.budget);
    sooner.#endsAt = this.#endsAt - Math.min(Math.ceil(this.remainingMs * rest), mostMs);
    return sooner;
  }

  /** The error of having run out while waiting for `waitedFor`. */
  error(waitedFor: string, cause?: unknown): KrafkaTimeoutError {
    return new KrafkaTimeoutError({ budget: this.budget, budgetMs: this.budgetMs, waitedFor, cause });
  }
}
