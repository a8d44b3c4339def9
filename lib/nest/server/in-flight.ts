import { sleep, type Clock } from '../../core/support/index.js';

/** Work that nobody awaits, kept in mind so that closing can. */
export class InFlight {
  readonly #work = new Set<Promise<void>>();

  get size(): number {
    return this.#work.size;
  }

  /** Keeps the work in mind until it settles. It must not reject. */
  track(work: Promise<void>): void {
    this.#work.add(work);
    void work.then(() => this.#work.delete(work));
  }

  /** Waits for what is under way, `timeoutMs` at most, and answers with how much is left. */
  async drain(clock: Clock, timeoutMs: number): Promise<number> {
    if (this.#work.size === 0) return 0;
    const bound = new AbortController();
    const tooLong = sleep(clock, timeoutMs, bound.signal).catch(() => undefined);
    await Promise.race([this.#allDone(), tooLong]);
    bound.abort();
    return this.#work.size;
  }

  async #allDone(): Promise<void> {
    while (this.#work.size > 0) await Promise.allSettled(this.#work);
  }
}
