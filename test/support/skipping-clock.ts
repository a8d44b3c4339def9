import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock, type Clock, type Timer } from '../../lib/core/support/index.js';

interface Waiting {
  readonly at: number;
  readonly callback: () => void;
  readonly timer: Timer;
}

/** How much of the machine's time a skip leaves for what it has brought about: answers to come, sockets to be opened. */
const BREATH_MS = 20;

/**
 * The machine's clock, which a test may have skip ahead: what waits for its time to be up is told so at once, while budgets
 * stay as wide as a slow machine may need.
 */
export class SkippingClock implements Clock {
  readonly #waiting = new Set<Waiting>();
  #skipped = 0;

  now(): number {
    return systemClock.now() + this.#skipped;
  }

  monotonic(): number {
    return systemClock.monotonic() + this.#skipped;
  }

  setTimer(delayMs: number, callback: () => void, background?: boolean): Timer {
    const fire = (): void => {
      this.#waiting.delete(waiting);
      callback();
    };
    const timer = systemClock.setTimer(delayMs, fire, background);
    const waiting: Waiting = { at: this.monotonic() + delayMs, callback, timer };
    this.#waiting.add(waiting);
    return {
      cancel: () => {
        this.#waiting.delete(waiting);
        timer.cancel();
      },
    };
  }

  endOfTurn(callback: () => void): void {
    systemClock.endOfTurn(callback);
  }

  /** Lets so much time pass at once: whatever is due by then is called, in order. */
  skip(byMs: number): void {
    this.#skipped += byMs;
    const due = [...this.#waiting].filter(({ at }) => at <= this.monotonic()).toSorted((a, b) => a.at - b.at);
    for (const waiting of due) {
      if (!this.#waiting.delete(waiting)) continue;
      waiting.timer.cancel();
      waiting.callback();
    }
  }

  /** Lets time pass, so much at a time, until the promise is settled; answers as it does. */
  async skipUntilSettled<T>(promise: Promise<T>, stepMs = 5_000): Promise<T> {
    let settled = false;
    const end = (): void => void (settled = true);
    promise.then(end, end);
    for (;;) {
      await sleep(BREATH_MS);
      if (settled) return promise;
      this.skip(stepMs);
    }
  }
}
