import type { Clock, Timer } from '../../support/index.js';

interface HandTimer {
  readonly atMs: number;
  readonly callback: () => void;
}

/** A clock that is wound by hand: neither time nor the loop goes on unless the test says so. */
export class HandClock implements Clock {
  /** How many timers were ever set. */
  timersSet = 0;
  /** How often the end of a turn was asked for. */
  turnsAsked = 0;
  #nowMs = 1_000;
  #timers: HandTimer[] = [];
  #endOfTurn: (() => void)[] = [];

  /** How many timers are set now. */
  get timersWaiting(): number {
    return this.#timers.length;
  }

  /** In how many milliseconds each timer rings, soonest first. */
  get timerDelays(): number[] {
    return this.#timers.map(({ atMs }) => atMs - this.#nowMs).toSorted((a, b) => a - b);
  }

  now(): number {
    return 1_700_000_000_000 + this.#nowMs;
  }

  monotonic(): number {
    return this.#nowMs;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const timer = { atMs: this.#nowMs + delayMs, callback };
    this.timersSet++;
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((one) => one !== timer);
      },
    };
  }

  endOfTurn(callback: () => void): void {
    this.turnsAsked++;
    this.#endOfTurn.push(callback);
  }

  /** Ends turns of the loop until nothing is left to do at this moment. */
  async settle(): Promise<void> {
    await microtasks();
    while (this.#endOfTurn.length > 0) {
      for (const callback of this.#endOfTurn.splice(0)) callback();
      await microtasks();
    }
  }

  /** Goes on by `ms`, timer by timer. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await this.settle();
    for (;;) {
      const next = this.#timers.filter(({ atMs }) => atMs <= endMs).toSorted((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((one) => one !== next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.callback();
      await this.settle();
    }
    this.#nowMs = endMs;
  }
}

/** Lets promises that are under way run to where they wait for something else. */
export async function microtasks(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
