import type { Clock, Timer } from '../../support/index.js';

/** A clock that stands still until it is told to go on. */
export class FakeClock implements Clock {
  #time = 1_000;
  #timers: { readonly at: number; readonly callback: () => void }[] = [];
  /** How many timers were ever asked for. */
  timersSet = 0;

  /** How many timers wait to fire. */
  get timersWaiting(): number {
    return this.#timers.length;
  }

  now(): number {
    return this.#time;
  }

  monotonic(): number {
    return this.#time;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const timer = { at: this.#time + delayMs, callback };
    this.#timers.push(timer);
    this.timersSet++;
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((one) => one !== timer);
      },
    };
  }

  endOfTurn(callback: () => void): void {
    setImmediate(callback);
  }

  /** Goes on by `ms`: timers fire in order, and whatever they start is let run before the next. */
  async advance(ms: number): Promise<void> {
    const end = this.#time + ms;
    await settled();
    for (;;) {
      const next = this.#timers.filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((one) => one !== next);
      this.#time = Math.max(this.#time, next.at);
      next.callback();
      await settled();
    }
    this.#time = end;
    await settled();
  }
}

/** Resolves when promises and turns of the loop that are under way have done their work. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
}
