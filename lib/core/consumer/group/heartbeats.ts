import { backoffMs, type Backoff, type Ports, type Timer } from '../../support/index.js';

export interface HeartbeatsOptions {
  readonly intervalMs: number;
  /** Sends one heartbeat; a rejection means that none arrived. */
  readonly beat: () => Promise<void>;
  readonly ports: Ports;
}

/** After a heartbeat that did not arrive the next one comes sooner: the coordinator may just have moved. */
const BACKOFF: Backoff = { baseMs: 100, capMs: 1_000 };

/**
 * Beats once an interval from start to stop, one heartbeat at a time, on a timer of its own: nothing that handlers or
 * listeners do holds it up, short of blocking the event loop.
 */
export class Heartbeats {
  readonly #options: HeartbeatsOptions;
  #timer: Timer | undefined;
  /** Changes with every start and stop: a heartbeat under way then schedules nothing. */
  #run = 0;
  #failures = 0;

  constructor(options: HeartbeatsOptions) {
    this.#options = options;
  }

  start(): void {
    this.stop();
    this.#failures = 0;
    this.#schedule(this.#options.intervalMs, this.#run);
  }

  stop(): void {
    this.#run++;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #schedule(delayMs: number, run: number): void {
    this.#timer = this.#options.ports.clock.setTimer(delayMs, () => void this.#beat(run), true);
  }

  async #beat(run: number): Promise<void> {
    const { intervalMs, beat, ports } = this.#options;
    const began = ports.clock.monotonic();
    let nextIn: number;
    try {
      await beat();
      this.#failures = 0;
      nextIn = Math.max(0, intervalMs - (ports.clock.monotonic() - began));
    } catch (error) {
      this.#failures++;
      nextIn = Math.min(intervalMs, backoffMs(BACKOFF, this.#failures, ports.random));
      if (run === this.#run) ports.logger.warn('a heartbeat did not arrive', { error, failures: this.#failures });
    }
    if (run === this.#run) this.#schedule(nextIn, run);
  }
}
