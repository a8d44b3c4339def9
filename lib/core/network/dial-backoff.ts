import { backoffMs, type Backoff, type Clock, type Random } from '../support/index.js';

const no = (): boolean => false;

/** When one address may be dialed again: shared by every connection to it. */
export class DialBackoff {
  readonly #backoff: Backoff;
  readonly #clock: Clock;
  readonly #random: Random;
  #failures = 0;
  #notBefore = -Infinity;
  /** Whether the connection that was opened last has been answered. */
  #answered = no;

  constructor(backoff: Backoff, clock: Clock, random: Random) {
    this.#backoff = backoff;
    this.#clock = clock;
    this.#random = random;
  }

  /** How long to leave the address alone from now on, in milliseconds. */
  get remainingMs(): number {
    return Math.max(0, this.#notBefore - this.#clock.monotonic());
  }

  /** A connection was opened; failures before it count on until `answered` says that it was of use. */
  succeeded(answered: () => boolean): void {
    this.#forgive();
    this.#answered = answered;
    this.#notBefore = -Infinity;
  }

  /** Attempts that fail side by side, while the address is left alone already, count once. */
  failed(): void {
    if (this.remainingMs > 0) return;
    this.#forgive();
    this.#failures++;
    this.#notBefore = this.#clock.monotonic() + backoffMs(this.#backoff, this.#failures, this.#random);
  }

  #forgive(): void {
    if (!this.#answered()) return;
    this.#failures = 0;
    this.#answered = no;
  }
}
