/**
 * One `flush()`: done when everything that was there when it was called is settled. What comes later is not counted, so it
 * neither ends early nor holds anybody up.
 */
export class FlushBarrier {
  readonly #done: () => void;
  #pending = 0;

  constructor(done: () => void) {
    this.#done = done;
  }

  /** One more thing is waited for. */
  expect(): void {
    this.#pending++;
  }

  /** One of them is settled. */
  settled(): void {
    if (--this.#pending === 0) this.#done();
  }
}
