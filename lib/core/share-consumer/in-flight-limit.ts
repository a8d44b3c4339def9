/**
 * How many records may be acquired at once. Every acquisition counts as a delivery, and a record that is delivered too
 * often is archived: so records must not be acquired that nobody will look at before their locks expire. When that
 * happens the limit is halved; while everything is handed out in good time it grows again.
 */
export class InFlightLimit {
  readonly #most: number;
  #current: number;

  constructor(most: number) {
    this.#most = most;
    this.#current = most;
  }

  get current(): number {
    return this.#current;
  }

  /** Records expired that nobody had looked at. */
  shrink(): void {
    this.#current = Math.max(1, Math.floor(this.#current / 2));
  }

  /** Everything acquired was handed out with time to spare. */
  grow(): void {
    this.#current = Math.min(this.#most, this.#current * 2);
  }
}
