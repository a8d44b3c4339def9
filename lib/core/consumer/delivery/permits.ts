/** How many handlers may be under way at once; whoever comes later waits in line. */
export class Permits {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  get available(): boolean {
    return this.#free > 0;
  }

  take(): void {
    this.#free--;
  }

  give(): void {
    this.#free++;
    // Whoever waited may have nothing left to do: then the next one gets its chance.
    while (this.#free > 0 && this.#waiting.length > 0) this.#waiting.shift()?.();
  }

  /** Calls back when one is free. */
  wait(resume: () => void): void {
    this.#waiting.push(resume);
  }
}
