/** Who waits for one signal, and the one listener that it has for all of them. */
class AbortWatch {
  readonly callbacks = new Set<(reason: Error) => void>();
  readonly #signal: AbortSignal;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener('abort', this.#tell, { once: true });
  }

  end(): void {
    this.#signal.removeEventListener('abort', this.#tell);
  }

  readonly #tell = (): void => {
    for (const callback of [...this.callbacks]) {
      // One that was called before may have ended the waiting of others.
      if (this.callbacks.has(callback)) callback(this.#signal.reason as Error);
    }
  };
}

// By signal, for whoever it is: Node warns of a leak when a signal has more than ten listeners, and thousands of sends may
// share one.
const watches = new WeakMap<AbortSignal, AbortWatch>();

/** Calls back with the reason when the signal aborts, unless the answer is called before. */
export function onAbort(signal: AbortSignal, callback: (reason: Error) => void): () => void {
  const watch = watches.get(signal) ?? new AbortWatch(signal);
  watches.set(signal, watch);
  watch.callbacks.add(callback);
  return () => {
    if (!watch.callbacks.delete(callback) || watch.callbacks.size > 0) return;
    watch.end();
    watches.delete(signal);
  };
}

/** The outcome of work, unless the signal aborts before: then its reason is thrown, and nobody hears how the work ends. */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  work.catch(() => undefined);
  signal.throwIfAborted();
  return new Promise<T>((resolve, reject) => {
    const unhear = onAbort(signal, (reason) => {
      unhear();
      reject(reason);
    });
    void work.then(resolve, reject).then(unhear);
  });
}
