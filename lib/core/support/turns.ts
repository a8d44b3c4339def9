import type { Clock } from './clock.js';
import type { Deadline } from './deadline.js';
import { onAbort } from './on-abort.js';

interface Waiting {
  readonly go: (release: () => void) => void;
}

/** Lets so many work at once, and the others wait their turn, in the order in which they came. */
export class Turns {
  readonly #clock: Clock;
  #free: number;
  readonly #waiting = new Set<Waiting>();

  constructor(clock: Clock, atOnce: number) {
    this.#clock = clock;
    this.#free = atOnce;
  }

  /**
   * Waits for a turn; what is answered ends it.
   *
   * @throws KrafkaTimeoutError when the deadline passes, the signal's reason when that aborts
   */
  take(deadline: Deadline, waitedFor: string, signal?: AbortSignal): Promise<() => void> {
    if (signal?.aborted) return Promise.reject(signal.reason as Error);
    if (this.#free > 0) {
      this.#free--;
      return Promise.resolve(this.#end());
    }
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        go: (release) => {
          stop();
          resolve(release);
        },
      };
      const stop = (): void => {
        this.#waiting.delete(waiting);
        timer.cancel();
        stopHearing?.();
      };
      const timer = this.#clock.setTimer(deadline.remainingMs, () => {
        stop();
        reject(deadline.error(waitedFor));
      });
      const stopHearing =
        signal &&
        onAbort(signal, (reason) => {
          stop();
          reject(reason);
        });
      this.#waiting.add(waiting);
    });
  }

  #end(): () => void {
    let over = false;
    return () => {
      if (over) return;
      over = true;
      const [next] = this.#waiting;
      if (next === undefined) this.#free++;
      else next.go(this.#end());
    };
  }
}
