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
  /** Calls `callback` once after `delayMs`. The timer keeps the process alive unless it is `background`. */
  setTimer(delayMs: number, callback: () => void, background?: boolean): Timer;
  /** Calls `callback` when the current turn of the event loop has done its work. */
  endOfTurn(callback: () => void): void;
}

class SystemTimer implements Timer {
  readonly #timeout: NodeJS.Timeout;

  constructor(delayMs: number, callback: () => void, background: boolean) {
    this.#timeout = setTimeout(callback, delayMs);
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
    const onAbort = (): void => {
      timer.cancel();
      reject(signal?.reason as Error);
    };
    const timer = clock.setTimer(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
