import type { Clock, Timer } from '../../support/index.js';

/** A clock that stands still until it is told to go on. */
export class FakeClock implements Clock {
  #time = 1_000;
  #timers: { readonly at: number; readonly callback: () => void }[] = [];

  /** In how many milliseconds each waiting timer fires, in order. */
  get timers(): number[] {
    return this.#timers.map(({ at }) => at - this.#time).toSorted((a, b) => a - b);
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
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((one) => one !== timer);
      },
    };
  }

  endOfTurn(callback: () => void): void {
    setImmediate(callback);
  }

  /** Moves the time on without anything being called: a handler that computes. */
  pass(ms: number): void {
    this.#time += ms;
  }

  /** Goes on by `ms`: timers fire in order, and what they start is let run before the next. */
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
    this.#time = Math.max(this.#time, end);
    await settled();
  }
}

/** Resolves when promises and turns of the loop that are under way have done their work. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
}
