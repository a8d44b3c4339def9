import type { Clock, Timer } from '../support/index.js';

/**
 * One timer for everything that one connection waits for. It is moved only when something is due earlier than it is
 * set for: a thousand requests of 30 s each cost one timer in 30 s, and a connection that waits for nothing has none.
 */
export class Alarm {
  readonly #clock: Clock;
  readonly #ring: () => void;
  readonly #fire = (): void => {
    this.#timer = undefined;
    this.#setFor = Infinity;
    this.#ring();
  };
  #timer: Timer | undefined;
  #setFor = Infinity;

  /** `ring` looks at what is due and asks again for the rest; it may be early. */
  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock;
    this.#ring = ring;
  }

  /** Rings at `time` of the monotonic clock at the latest. Infinity asks for nothing. */
  by(time: number): void {
    if (time >= this.#setFor) return;
    this.#timer?.cancel();
    this.#setFor = time;
    const delay = Math.ceil(time - this.#clock.monotonic());
    // In the background: what is waited for has a socket that keeps the process alive.
    this.#timer = this.#clock.setTimer(Math.max(0, delay), this.#fire, true);
  }

  cancel(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#setFor = Infinity;
  }
}
