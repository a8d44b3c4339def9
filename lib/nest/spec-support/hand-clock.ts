import type { Clock, Timer } from '../../core/support/index.js';

interface HandTimer {
  readonly at: number;
  readonly callback: () => void;
}

/** A clock that a test moves by hand. */
export class HandClock implements Clock {
  #now = 0;
  readonly #timers = new Set<HandTimer>();

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const timer = { at: this.#now + delayMs, callback };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  endOfTurn(callback: () => void): void {
    setImmediate(callback);
  }

  /** How long the timers that run now have left, shortest first. */
  get waits(): number[] {
    return [...this.#timers].map(({ at }) => at - this.#now).toSorted((a, b) => a - b);
  }

  /** Lets time pass; what is due is called in its order, with the turns of the loop between that it may need. */
  async pass(ms: number): Promise<void> {
    const until = this.#now + ms;
    await turns();
    for (;;) {
      const [next] = [...this.#timers].filter(({ at }) => at <= until).toSorted((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.#now = next.at;
      this.#timers.delete(next);
      next.callback();
      await turns();
    }
    this.#now = until;
  }
}

/** Lets everything run that waits for nothing but the event loop. */
export async function turns(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}
