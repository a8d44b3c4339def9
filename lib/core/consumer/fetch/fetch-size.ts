/** Asked for to begin with: what a broker nearby sends in a moment, and little to hold while it is worked on. */
const LEAST_BYTES = 1024 * 1024;
/** An answer that takes longer is worth asking for more at once: its way is long, or its broker busy. */
const LONG_MS = 25;

/** What became of one fetch. */
export interface FetchAnswer {
  /** Bytes of records that came. */
  readonly bytes: number;
  /** From asking to the answer. */
  readonly tookMs: number;
  /** Whether nothing that came before was left to work on. */
  readonly starved: boolean;
}

/**
 * How much one fetch asks a broker for: no more than keeps the handlers busy. Answers that are small are worked on
 * while they are still in the processor's caches, and free the memory they came in soon; but over a long way each asking
 * costs a round trip, so it doubles while handlers wait for full answers that take long, and halves once they don't.
 */
export class FetchSize {
  readonly #leastBytes: number;
  readonly #mostBytes: number;
  #bytes: number;

  /** Between a megabyte, or `minBytes` where that is more, and `maxBytes`. */
  constructor(minBytes: number, maxBytes: number) {
    this.#mostBytes = maxBytes;
    this.#leastBytes = Math.min(Math.max(LEAST_BYTES, minBytes), maxBytes);
    this.#bytes = this.#leastBytes;
  }

  /** What the next fetch asks for. */
  get bytes(): number {
    return this.#bytes;
  }

  answered({ bytes, tookMs, starved }: FetchAnswer): void {
    if (!starved) this.#bytes = Math.max(this.#leastBytes, this.#bytes / 2);
    else if (tookMs >= LONG_MS && bytes * 2 >= this.#bytes) this.#bytes = Math.min(this.#mostBytes, this.#bytes * 2);
  }
}
