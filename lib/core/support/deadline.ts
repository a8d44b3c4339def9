import type { Clock } from './clock.js';
import { KrafkaTimeoutError } from './errors.js';

/** One budget of time for one piece of work, however many steps it takes. */
export class Deadline {
  readonly #clock: Clock;
  #budgetMs: number;
  #endsAt: number;
  /** Those who wait for it, or count on it, and hear when it comes to end sooner. */
  #hearers: Set<() => void> | undefined;

  /** `budget` is the name of the option that set it, as the timeout error will say. */
  constructor(
    clock: Clock,
    budgetMs: number,
    readonly budget: string,
  ) {
    this.#clock = clock;
    this.#budgetMs = budgetMs;
    this.#endsAt = clock.monotonic() + budgetMs;
  }

  get budgetMs(): number {
    return this.#budgetMs;
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
    const endsAt = (): number => this.#endsAt - Math.min(Math.ceil(this.remainingMs * rest), mostMs);
    const sooner = new Deadline(this.#clock, this.budgetMs, this.budget);
    sooner.#endsAt = endsAt();
    this.onTightened(() => sooner.#end(endsAt(), this.budgetMs));
    return sooner;
  }

  /** Has it end in `budgetMs` from now, unless that is later than it does anyway. */
  tighten(budgetMs: number): void {
    this.#end(this.#clock.monotonic() + budgetMs, budgetMs);
  }

  /** Calls back whenever it comes to end sooner than it was to; what it returns ends that. */
  onTightened(hear: () => void): () => void {
    this.#hearers ??= new Set();
    this.#hearers.add(hear);
    return () => void this.#hearers?.delete(hear);
  }

  /** The error of having run out while waiting for `waitedFor`. */
  error(waitedFor: string, cause?: unknown): KrafkaTimeoutError {
    return new KrafkaTimeoutError({ budget: this.budget, budgetMs: this.budgetMs, waitedFor, cause });
  }

  #end(endsAt: number, budgetMs: number): void {
    if (endsAt >= this.#endsAt) return;
    this.#endsAt = endsAt;
    this.#budgetMs = budgetMs;
    for (const hear of this.#hearers ?? []) hear();
  }
}
