import type { Clock, Timer } from '../../support/index.js';

/** The one timer of a sender: rings at the earliest of what was asked, and is off while there is nothing to wait for. */
export class Wakeup {
  readonly #clock: Clock;
  readonly #ring: () => void;
  #timer: Timer | undefined;
  #atMs = Infinity;

  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock;
    this.#ring = ring;
  }

  /** Rings no later than `atMs` (monotonic). It may ring early, when something was due that has gone since. */
  by(atMs: number, nowMs: number): void {
    if (atMs >= this.#atMs) return;
    this.#timer?.cancel();
    this.#atMs = atMs;
    // Whole milliseconds, upwards: a timer that rings a fraction early would ring twice.
    this.#timer = this.#clock.setTimer(Math.max(0, Math.ceil(atMs - nowMs)), () => {
      this.#timer = undefined;
      this.#atMs = Infinity;
      this.#ring();
    });
  }

  cancel(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#atMs = Infinity;
  }
}
