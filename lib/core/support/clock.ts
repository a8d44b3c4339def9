import { onAbort } from './on-abort.js';

/** A timer that was asked of a {@link Clock}; cancelling one that has fired does nothing. */
export interface Timer {
  cancel(): void;
}

/**
 * Time as the core sees it: nothing below the top level touches `Date`, `performance` or `setTimeout`,
 * so that a simulated clock can drive a whole client.
 */
export interface Clock {
  /** Wall clock, milliseconds since the epoch: record timestamps only. */
  now(): number;
  /** Milliseconds that never go backwards, with a fraction: every duration and deadline. */
  monotonic(): number;
  /** Calls `callback` once after `delayMs`, however long; never, when that is Infinity. The timer keeps the process alive unless it is `background`. */
  setTimer(delayMs: number, callback: () => void, background?: boolean): Timer;
  /** Calls `callback` when the current turn of the event loop has done its work. */
  endOfTurn(callback: () => void): void;
}

/** The longest delay, in milliseconds, that a timer of the machine takes, nearly 25 days: of a longer one it makes 1. */
export const LONGEST_MS: number = 2 ** 31 - 1;

class SystemTimer implements Timer {
  #timeout: NodeJS.Timeout | undefined;

  constructor(delayMs: number, callback: () => void, background: boolean) {
    this.#set(delayMs, callback, background);
  }

  #set(delayMs: number, callback: () => void, background: boolean): void {
    this.#timeout =
      delayMs > LONGEST_MS
        ? setTimeout(() => this.#set(delayMs - LONGEST_MS, callback, background), LONGEST_MS)
        : setTimeout(callback, delayMs);
    if (background) this.#timeout.unref();
  }

  cancel(): void {
    clearTimeout(this.#timeout);
  }
}

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer: (delayMs, callback, background = false) => new SystemTimer(delayMs, callback, background),
  endOfTurn: (callback) => void setImmediate(callback),
};

/** Resolves after `delayMs`, or rejects with the signal's reason as soon as it aborts. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason as Error);
      return;
    }
    const timer = clock.setTimer(delayMs, () => {
      stopHearing?.();
      resolve();
    });
    const stopHearing =
      signal &&
      onAbort(signal, (reason) => {
        stopHearing?.();
        timer.cancel();
        reject(reason);
      });
  });
}
