import { backoffMs, type Backoff, type Ports, type Timer } from '../support/index.js';

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
  readonly #beat: () => Promise<void>;
  readonly #ports: Ports;
  #intervalMs: number;
  #timer: Timer | undefined;
  /** Changes with every start and stop: a heartbeat under way then schedules nothing. */
  #run = 0;
  #running = false;
  #underWay = false;
  /** Another one is wanted right after the one that is under way. */
  #again = false;
  #failures = 0;

  constructor({ intervalMs, beat, ports }: HeartbeatsOptions) {
    this.#intervalMs = intervalMs;
    this.#beat = beat;
    this.#ports = ports;
  }

  /** How often from the next heartbeat on: the coordinator decides where groups are its own business (KIP-848). */
  set intervalMs(intervalMs: number) {
    this.#intervalMs = intervalMs;
  }

  /** The first one comes after an interval, or `at once`. */
  start(first: 'after an interval' | 'at once' = 'after an interval'): void {
    this.stop();
    this.#running = true;
    this.#failures = 0;
    if (first === 'at once') void this.#fire(this.#run);
    else this.#schedule(this.#intervalMs, this.#run);
  }

  stop(): void {
    this.#run++;
    this.#running = false;
    this.#underWay = false;
    this.#again = false;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** There is something to tell that should not wait for the interval. */
  soon(): void {
    if (!this.#running) return;
    if (this.#underWay) {
      this.#again = true;
      return;
    }
    this.#timer?.cancel();
    void this.#fire(this.#run);
  }

  #schedule(delayMs: number, run: number): void {
    this.#timer = this.#ports.clock.setTimer(delayMs, () => void this.#fire(run), true);
  }

  async #fire(run: number): Promise<void> {
    const { clock, logger, random } = this.#ports;
    const began = clock.monotonic();
    this.#underWay = true;
    let nextIn: number;
    try {
      await this.#beat();
      this.#failures = 0;
      nextIn = Math.max(0, this.#intervalMs - (clock.monotonic() - began));
    } catch (error) {
      this.#failures++;
      nextIn = Math.min(this.#intervalMs, backoffMs(BACKOFF, this.#failures, random));
      if (run === this.#run) logger.warn('a heartbeat did not arrive', { error, failures: this.#failures });
    }
    if (run !== this.#run) return;
    this.#underWay = false;
    const again = this.#again;
    this.#again = false;
    this.#schedule(again && this.#failures === 0 ? 0 : nextIn, run);
  }
}
