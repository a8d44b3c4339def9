/** The smallest buffer that is made for a batch. */
const LEAST_BUFFER_BYTES = 1024;
/** Larger buffers are rare (one huge record) and not kept. */
const MOST_POOLED_BYTES = 1024 * 1024;

/**
 * What the owner of a record takes in the heap besides the record: a caller's promise with its two ends, or a place in a
 * group. A buffer of small records that are each awaited would else hold several times its size.
 */
export const OWNER_BYTES = { ofOne: 512, ofMember: 64 } as const;

/**
 * The producer's `bufferMemory`: counts the capacity of every batch buffer from before anything is encoded into it until
 * its batch is settled, with what the owners of its records take, and keeps free buffers for the next batches. What is held and what is kept never add up to more
 * than the total; only an over-commitment that can't be waited for ({@link overcommit}) may pass it.
 *
 * Buffers come in powers of two, so that one fits the next batch as well as the last.
 */
export class BufferMemory {
  readonly #free = new Map<number, Buffer[]>();
  #used = 0;
  #peak = 0;
  #pooled = 0;

  constructor(readonly total: number) {}

  /** Bytes held by batches that are not settled. */
  get used(): number {
    return this.#used;
  }

  /** The most that {@link used} has been. */
  get peak(): number {
    return this.#peak;
  }

  /** Bytes of free buffers kept for the next batches. */
  get pooled(): number {
    return this.#pooled;
  }

  /** What a buffer for at least `bytes` would take: a power of two, or just that where it is larger than what is pooled. */
  static capacityFor(bytes: number): number {
    if (bytes > MOST_POOLED_BYTES) return bytes;
    let capacity = LEAST_BUFFER_BYTES;
    while (capacity < bytes) capacity *= 2;
    return capacity;
  }

  hasRoomFor(bytes: number): boolean {
    return this.#used + bytes <= this.total;
  }

  /**
   * A buffer of {@link capacityFor} `bytes`, its capacity counted; undefined when there is no room for it and for
   * `ownerBytes`, which are not counted yet.
   */
  take(bytes: number, ownerBytes: number): Buffer | undefined {
    return this.hasRoomFor(BufferMemory.capacityFor(bytes) + ownerBytes) ? this.takeAnyway(bytes) : undefined;
  }

  /** As {@link take}, room or no room: for the pieces of a batch that was split while it was under way. */
  takeAnyway(bytes: number): Buffer {
    const capacity = BufferMemory.capacityFor(bytes);
    // Taken off the free ones first, or making room could drop the very buffer that is wanted.
    const free = this.#free.get(capacity)?.pop();
    if (free !== undefined) this.#pooled -= capacity;
    this.overcommit(capacity);
    return free ?? Buffer.allocUnsafeSlow(capacity);
  }

  /** Counts `bytes` more whether or not there is room: what must be held for a batch that is under way already. */
  overcommit(bytes: number): void {
    this.#used += bytes;
    if (this.#used > this.#peak) this.#peak = this.#used;
    if (this.#used + this.#pooled > this.total) this.#dropFree(this.#used + this.#pooled - this.total);
  }

  /** Ends the counting of `bytes`. */
  release(bytes: number): void {
    this.#used -= bytes;
  }

  /** Keeps a buffer that nothing refers to any longer; its bytes must have been released. */
  keep(buffer: Buffer): void {
    const capacity = buffer.length;
    if (capacity !== BufferMemory.capacityFor(capacity) || capacity > MOST_POOLED_BYTES) return;
    if (this.#used + this.#pooled + capacity > this.total) return;
    const free = this.#free.get(capacity);
    if (free === undefined) this.#free.set(capacity, [buffer]);
    else free.push(buffer);
    this.#pooled += capacity;
  }

  #dropFree(bytes: number): void {
    let left = bytes;
    for (const [capacity, free] of this.#free) {
      while (left > 0 && free.pop() !== undefined) {
        this.#pooled -= capacity;
        left -= capacity;
      }
      if (left <= 0) return;
    }
  }
}
