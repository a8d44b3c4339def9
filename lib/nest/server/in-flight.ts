import { sleep, type Clock } from '../../core/support/index.js';
import type { LetGo, OpenStreams } from './streams.js';

/** Work that nobody awaits, kept in mind so that closing can, and streams that end with it at the latest. */
export class InFlight implements OpenStreams {
  readonly #work = new Set<Promise<void>>();
  readonly #streams = new Set<LetGo>();
  #isOver = false;

  get size(): number {
    return this.#work.size;
  }

  /** Keeps the work in mind until it settles. It must not reject. */
  track(work: Promise<void>): void {
    this.#work.add(work);
    void work.then(() => this.#work.delete(work));
  }

  /** Keeps a stream in mind that a handler returned; one that comes when all is over is let go at once. */
  hold(letGo: LetGo): void {
    if (this.#isOver) letGo();
    else this.#streams.add(letGo);
  }

  /** The stream has ended. */
  release(letGo: LetGo): void {
    this.#streams.delete(letGo);
  }

  /** Waits for what is under way, `timeoutMs` at most, lets streams go, and answers with how much is left. */
  async drain(clock: Clock, timeoutMs: number): Promise<number> {
    if (this.#work.size > 0) {
      const bound = new AbortController();
      const tooLong = sleep(clock, timeoutMs, bound.signal).catch(() => undefined);
      await Promise.race([this.#allDone(), tooLong]);
      bound.abort();
    }
    const left = this.#work.size;
    this.#isOver = true;
    for (const letGo of this.#streams) letGo();
    this.#streams.clear();
    return left;
  }

  async #allDone(): Promise<void> {
    while (this.#work.size > 0) await Promise.allSettled(this.#work);
  }
}
