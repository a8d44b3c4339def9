/** What all partitions together are asked for: what a broker nearby sends in a moment, and little to hold meanwhile. */
const TOGETHER_BYTES = 1_536 * 1024;
/** But no partition for less: a batch that is larger than what is asked for comes alone. */
const LEAST_BYTES = 256 * 1024;
/** An answer that takes longer is worth asking for more at once: its way is long, or its broker busy. */
const LONG_MS = 25;

/** What became of one fetch. */
export interface FetchAnswer {
  /** Whether a partition gave most of what it was asked for: there is more to come. */
  readonly full: boolean;
  /** From asking to the answer. */
  readonly tookMs: number;
  /** Whether nothing that came before was left to work on. */
  readonly starved: boolean;
}

/**
 * How much each partition is asked for at once: no more than keeps the handlers busy. What is small is worked on while it
 * is in the processor's caches still, and its memory is free again before V8 takes it for something that lasts. But over a long
 * way each asking costs a round trip, so it doubles while handlers wait for full answers that take long, and halves once
 * they don't.
 */
export class FetchSize {
  readonly #leastBytes: number;
  readonly #mostBytes: number;
  /** How often it has doubled. */
  #doubled = 0;

  /** Never more than `mostBytes`; all of that where the broker waits for more than a little, `minBytes`, to be there. */
  constructor(minBytes: number, mostBytes: number) {
    this.#leastBytes = minBytes > LEAST_BYTES ? mostBytes : LEAST_BYTES;
    this.#mostBytes = mostBytes;
  }

  /** What each of so many partitions is asked for. */
  bytesFor(partitions: number): number {
    const bytes = Math.max(this.#leastBytes, Math.floor(TOGETHER_BYTES / partitions)) * 2 ** this.#doubled;
    return Math.min(this.#mostBytes, bytes);
  }

  /** Whether the size has changed by what became of a fetch. */
  answered({ full, tookMs, starved }: FetchAnswer): boolean {
    const before = this.#doubled;
    if (!starved) this.#doubled = Math.max(0, before - 1);
    else if (full && tookMs >= LONG_MS && this.#leastBytes * 2 ** before < this.#mostBytes) this.#doubled++;
    return this.#doubled !== before;
  }
}
