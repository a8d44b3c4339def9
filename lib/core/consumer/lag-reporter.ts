import type { Clock, Timer, TypedEvents } from '../support/index.js';
import type { AssignedPartition } from './assigned-partition.js';
import type { ConsumerEvents } from './consumer-events.js';

export interface LagReporterOptions {
  readonly events: TypedEvents<ConsumerEvents>;
  readonly clock: Clock;
  readonly partitions: () => Iterable<AssignedPartition>;
  /** Whether only committed records count, as under `read_committed`. */
  readonly committedOnly: boolean;
}

const EVERY_MS = 1_000;

/** Tells of lags that have changed, once a second while any does and somebody listens: an idle consumer has no timer. */
export class LagReporter {
  readonly #options: LagReporterOptions;
  readonly #told = new WeakMap<AssignedPartition, number>();
  #timer: Timer | undefined;
  #closed = false;

  constructor(options: LagReporterOptions) {
    this.#options = options;
  }

  /** Something has arrived, so that lags may change. Hot: called for each partition of a fetch. */
  arm(): void {
    if (this.#timer !== undefined || this.#closed || !this.#options.events.has('lag')) return;
    this.#timer = this.#options.clock.setTimer(EVERY_MS, () => this.#tell(), false);
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #tell(): void {
    const { events, partitions, committedOnly } = this.#options;
    this.#timer = undefined;
    let isBehind = false;
    for (const assigned of partitions()) {
      const lag = assigned.lag(committedOnly);
      if (lag === undefined) continue;
      isBehind ||= lag > 0;
      if (lag === this.#told.get(assigned)) continue;
      this.#told.set(assigned, lag);
      const endOffset = committedOnly ? assigned.lastStableOffset : assigned.highWatermark;
      events.emit('lag', { topic: assigned.topic, partition: assigned.partition, lag, endOffset });
    }
    if (isBehind) this.arm();
  }
}
