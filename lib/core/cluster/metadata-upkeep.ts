import { backoffMs, KrafkaError, type Ports, type Timer } from '../support/index.js';
import { DEFAULT_BACKOFF } from './retrying.js';

export interface MetadataUpkeepOptions {
  /** Refreshes these topics; the answer tells whether that brought anything new. */
  readonly refresh: (topics: readonly string[]) => Promise<boolean>;
  /** Forgets the topics that are not used any more, and names those that are. */
  readonly endPeriod: () => readonly string[];
  /** Whether any topic is in use: for nobody's sake nothing is tried again. */
  readonly isInUse: () => boolean;
  readonly maxAgeMs: number;
  readonly ports: Ports;
}

/**
 * Keeps metadata true in the background: soon when somebody found it wrong, with backoff while that brings nothing new;
 * and every `maxAgeMs` while a topic is in use. Its timers never keep the process alive, and an unused client has none.
 */
export class MetadataUpkeep {
  readonly #options: MetadataUpkeepOptions;
  readonly #suspected = new Set<string>();
  #soon: Timer | undefined;
  #period: Timer | undefined;
  #refreshing = false;
  #closed = false;
  #inVain = 0;
  #failing = false;
  #lastRefreshAt = -Infinity;

  constructor(options: MetadataUpkeepOptions) {
    this.#options = options;
  }

  /** What is known of these topics, or of the brokers, is wrong: one refresh for all who say so, soon. */
  suspect(topics: readonly string[]): void {
    for (const topic of topics) this.#suspected.add(topic);
    this.#schedule();
  }

  /** A topic is in use: from now on metadata has an age. */
  inUse(): void {
    if (this.#period !== undefined || this.#closed) return;
    const { ports, maxAgeMs } = this.#options;
    this.#period = ports.clock.setTimer(maxAgeMs, () => this.#endPeriod(), true);
  }

  close(): void {
    this.#closed = true;
    this.#soon?.cancel();
    this.#period?.cancel();
  }

  #endPeriod(): void {
    this.#period = undefined;
    const topics = this.#options.endPeriod();
    if (topics.length === 0) return;
    this.inUse();
    this.suspect(topics);
  }

  #schedule(): void {
    if (this.#soon !== undefined || this.#refreshing || this.#closed) return;
    const { clock, random } = this.#options.ports;
    const pauseMs = this.#lastRefreshAt + backoffMs(DEFAULT_BACKOFF, this.#inVain + 1, random) - clock.monotonic();
    this.#soon = clock.setTimer(Math.max(0, pauseMs), () => void this.#run(), true);
  }

  /** Never rejects: a failure is logged, and tried again unless that can't help. */
  async #run(): Promise<void> {
    const { refresh, isInUse, ports } = this.#options;
    const topics = [...this.#suspected];
    this.#suspected.clear();
    this.#soon = undefined;
    this.#refreshing = true;
    let again = false;
    try {
      const news = await refresh(topics);
      this.#inVain = news ? 0 : this.#inVain + 1;
      if (this.#failing) ports.logger.info('refreshing the metadata succeeds again');
      this.#failing = false;
    } catch (error) {
      if (this.#closed) return;
      this.#inVain++;
      again = error instanceof KrafkaError && error.retriable && isInUse();
      // Once for all the tries that follow.
      if (!this.#failing) ports.logger.warn('refreshing the metadata failed', { error, triedAgain: again });
      this.#failing = true;
    } finally {
      this.#refreshing = false;
      this.#lastRefreshAt = ports.clock.monotonic();
    }
    if (again) for (const topic of topics) this.#suspected.add(topic);
    if (again || this.#suspected.size > 0) this.#schedule();
  }
}
