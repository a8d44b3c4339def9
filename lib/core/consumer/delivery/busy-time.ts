import type { Clock } from '../../support/index.js';

/** For how long there was something to do: handlers under way, records being handed out. Whatever overlaps counts once. */
export class BusyTime {
  readonly #clock: Clock;
  readonly #since: number;
  #depth = 0;
  #enteredAt = 0;
  #busyMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#since = clock.monotonic();
  }

  /** The share of the time so far in which there was nothing to do, from 0 to 1. */
  get idleRatio(): number {
    const now = this.#clock.monotonic();
    const busyMs = this.#busyMs + (this.#depth > 0 ? now - this.#enteredAt : 0);
    const totalMs = now - this.#since;
    return totalMs <= 0 ? 1 : Math.max(0, 1 - busyMs / totalMs);
  }

  /** Something begins. Hot: the clock is looked at only when there was nothing before. */
  enter(): void {
    if (this.#depth++ === 0) this.#enteredAt = this.#clock.monotonic();
  }

  /** Something has ended. */
  leave(): void {
    if (--this.#depth === 0) this.#busyMs += this.#clock.monotonic() - this.#enteredAt;
  }
}
