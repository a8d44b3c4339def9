import {
  backoffMs,
  KrafkaError,
  onAbort,
  type Backoff,
  type Deadline,
  type Ports,
  type Timer,
} from '../support/index.js';
import { DEFAULT_BACKOFF } from './retrying.js';

/** How long somebody waits for an answer. */
export interface WaitOptions {
  /** The caller's own budget: when it passes, only this caller stops waiting. */
  readonly deadline: Deadline;
  /** Ends this caller's waiting at once; the rejection is the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** The next try counts, and no other: for what is not worth waiting for. */
  readonly once?: boolean | undefined;
}

export interface SharedLookupsOptions<T> {
  /** One try, bounded in time by itself; an error that is not `retriable` ends the lookup for everybody. */
  readonly attempt: (key: string) => Promise<T>;
  /** The error of somebody whose deadline passed; `last` is what the last try failed with. */
  readonly expired: (key: string, deadline: Deadline, last: KrafkaError | undefined) => KrafkaError;
  readonly ports: Pick<Ports, 'clock' | 'random'>;
  /** Between the tries of one key; {@link DEFAULT_BACKOFF} where none is given. */
  readonly backoff?: Backoff;
}

/**
 * Looks things up over the network, by key: all who ask for a key at the same time share one lookup, which is retried
 * with backoff for as long as somebody waits for it. A caller's deadline is the caller's own: it never cuts a request
 * short, for that would cost everybody the connection.
 */
export class SharedLookups<T> {
  readonly #options: SharedLookupsOptions<T>;
  readonly #lookups = new Map<string, Lookup<T>>();

  constructor(options: SharedLookupsOptions<T>) {
    this.#options = options;
  }

  /** What the lookup finds; rejects with its final error, or with that of `expired`. */
  async find(key: string, wait: WaitOptions): Promise<T> {
    wait.signal?.throwIfAborted();
    let lookup = this.#lookups.get(key);
    if (lookup === undefined) {
      lookup = new Lookup<T>();
      this.#lookups.set(key, lookup);
      void this.#run(key, lookup);
    }
    return this.#join(key, lookup, wait);
  }

  /** Ends every lookup with this error. */
  close(error: KrafkaError): void {
    for (const [key, lookup] of this.#lookups) {
      this.#lookups.delete(key);
      lookup.fail(error);
    }
  }

  #join(key: string, lookup: Lookup<T>, { deadline, signal, once = false }: WaitOptions): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const leave = (): void => {
        timer.cancel();
        stopHearing?.();
        lookup.waiters.delete(waiter);
        if (lookup.waiters.size > 0 || this.#lookups.get(key) !== lookup) return;
        this.#lookups.delete(key);
        lookup.wake();
      };
      const stopHearing =
        signal &&
        onAbort(signal, (reason) => {
          leave();
          reject(reason);
        });
      const timer = this.#options.ports.clock.setTimer(deadline.remainingMs, () => {
        leave();
        reject(this.#options.expired(key, deadline, lookup.last));
      });
      const waiter: Waiter<T> = { once, leave, resolve, reject };
      lookup.waiters.add(waiter);
    });
  }

  /** Never rejects: what it comes to is told to the waiters. */
  async #run(key: string, lookup: Lookup<T>): Promise<void> {
    const { attempt, ports, backoff = DEFAULT_BACKOFF } = this.#options;
    for (let failures = 1; this.#lookups.get(key) === lookup; failures++) {
      try {
        const found = await attempt(key);
        if (this.#lookups.get(key) === lookup) this.#lookups.delete(key);
        lookup.succeed(found);
        return;
      } catch (error) {
        if (!(error instanceof KrafkaError) || !error.retriable) {
          if (this.#lookups.get(key) === lookup) this.#lookups.delete(key);
          lookup.fail(error);
          return;
        }
        lookup.last = error;
        lookup.failOnce(error);
      }
      if (this.#lookups.get(key) === lookup) {
        const waitMs = backoffMs(backoff, failures, ports.random);
        await new Promise<void>((resolve) => lookup.pause(ports.clock.setTimer(waitMs, resolve), resolve));
      }
    }
  }
}

interface Waiter<T> {
  readonly once: boolean;
  readonly leave: () => void;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

class Lookup<T> {
  readonly waiters = new Set<Waiter<T>>();
  last: KrafkaError | undefined;
  #wake: () => void = () => undefined;

  succeed(value: T): void {
    for (const waiter of this.waiters) {
      waiter.leave();
      waiter.resolve(value);
    }
  }

  fail(error: unknown): void {
    for (const waiter of this.waiters) {
      waiter.leave();
      waiter.reject(error);
    }
    this.wake();
  }

  /** One try has failed: those leave who wait for no other. */
  failOnce(error: unknown): void {
    for (const waiter of this.waiters) {
      if (!waiter.once) continue;
      waiter.leave();
      waiter.reject(error);
    }
  }

  pause(timer: Timer, resume: () => void): void {
    this.#wake = () => {
      timer.cancel();
      resume();
    };
  }

  /** Ends a pause between two tries early. */
  wake(): void {
    this.#wake();
  }
}
