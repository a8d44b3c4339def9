import type { Clock, Timer } from '../../core/support/index.js';

interface PendingTimer {
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;
}

/** A clock that a spec moves by hand; timers fire in order while it moves. */
export class HandClock implements Clock {
  readonly #timers = new Set<PendingTimer>();
  #nowMs = 1_700_000_000_000;
  #order = 0;

  /** Timers that wait to fire. */
  get pending(): number {
    return this.#timers.size;
  }

  now(): number {
    return this.#nowMs;
  }

  monotonic(): number {
    return this.#nowMs;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const timer = { at: this.#nowMs + delayMs, order: this.#order++, callback };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  endOfTurn(callback: () => void): void {
    setImmediate(callback);
  }

  advance(byMs: number): void {
    const end = this.#nowMs + byMs;
    for (;;) {
      const [next] = [...this.#timers]
        .filter(({ at }) => at <= end)
        .toSorted((a, b) => a.at - b.at || a.order - b.order);
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.at);
      next.callback();
    }
    this.#nowMs = end;
  }
}
