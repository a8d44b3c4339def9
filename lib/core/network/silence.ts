/** The time during which a broker reads nothing from a connection, because it was asked for too much (KIP-219). */
export class Silence {
  #until = -Infinity;
  #totalMs = 0;

  /** When it ends, on the monotonic clock. */
  get until(): number {
    return this.#until;
  }

  /** How much of it there was so far, in milliseconds. */
  get totalMs(): number {
    return this.#totalMs;
  }

  /** Lasts for `silenceMs` from now on, or as long as it did already; answers what that adds, in milliseconds. */
  extend(now: number, silenceMs: number): number {
    const until = Math.max(this.#until, now + silenceMs);
    const added = until - Math.max(now, this.#until);
    this.#until = until;
    this.#totalMs += added;
    return added;
  }
}
