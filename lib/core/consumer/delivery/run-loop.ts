import { Deferred, type KrafkaError } from '../../support/index.js';
import type { AssignedPartition } from '../assigned-partition.js';
import { BatchLane } from './batch-lane.js';
import { ConcurrentLane } from './concurrent-lane.js';
import { BusyTime } from './busy-time.js';
import type { Delivery, DeliveryHost } from './delivery.js';
import type { HandlingSettings, RunSettings } from './handling.js';
import type { Lane, LaneSurroundings, UnderWay } from './lane.js';
import { Permits } from './permits.js';
import { RecordLane } from './record-lane.js';
import { TurnBudget } from './turn-budget.js';

/** Calls handlers: a lane for each partition, so that no partition waits for another. */
export class RunLoop implements Delivery {
  readonly #settings: RunSettings;
  readonly #host: DeliveryHost;
  readonly #budget: TurnBudget;
  readonly #busy: BusyTime;
  /** The handlers that may be under way at once, for each handling. */
  readonly #permits = new Map<HandlingSettings, Permits>();
  readonly #lanes = new Map<string, Lane>();
  /** Lanes of partitions that were taken away while a handler of theirs was under way. */
  readonly #ending = new Map<string, Promise<void>>();
  readonly #finished = new Deferred<void>();

  constructor(settings: RunSettings, host: DeliveryHost) {
    this.#settings = settings;
    this.#host = host;
    this.#budget = new TurnBudget(host.ports.clock);
    this.#busy = new BusyTime(host.ports.clock);
    this.#finished.promise.catch(() => undefined);
  }

  /** Resolves when the consumer is closed, rejects when it fails. */
  get finished(): Promise<void> {
    return this.#finished.promise;
  }

  add(partition: AssignedPartition): void {
    const { key } = partition;
    const lane = this.#laneFor(partition);
    this.#lanes.set(key, lane);
    const before = this.#ending.get(key);
    // A partition that came back is not handled by two at once: its last handler from before ends first.
    if (before === undefined) lane.wake();
    else void this.#wakeAfter(before, lane);
  }

  ready(partition: AssignedPartition): void {
    const lane = this.#laneOf(partition);
    if (lane !== undefined && !this.#ending.has(partition.key)) lane.wake();
  }

  async remove(partition: AssignedPartition): Promise<void> {
    const lane = this.#laneOf(partition);
    if (lane === undefined) return;
    const { key } = partition;
    this.#lanes.delete(key);
    const before = this.#ending.get(key);
    const ended = Promise.all([before, lane.end()]).then(() => undefined);
    this.#ending.set(key, ended);
    await ended;
    if (this.#ending.get(key) === ended) this.#ending.delete(key);
  }

  underWay(partition: AssignedPartition): UnderWay | undefined {
    return this.#laneOf(partition)?.underWay;
  }

  get idleRatio(): number {
    return this.#busy.idleRatio;
  }

  /** Hands out nothing more; resolves when no handler is under way. */
  async stop(): Promise<void> {
    await Promise.all(Array.from(this.#lanes.values(), ({ partition }) => this.remove(partition)));
    await Promise.all(this.#ending.values());
  }

  end(error: KrafkaError | undefined): void {
    for (const lane of this.#lanes.values()) void lane.end();
    if (error === undefined) this.#finished.resolve();
    else this.#finished.reject(error);
  }

  async #wakeAfter(before: Promise<void>, lane: Lane): Promise<void> {
    await before;
    lane.wake();
  }

  #laneOf(partition: AssignedPartition): Lane | undefined {
    const lane = this.#lanes.get(partition.key);
    return lane?.partition === partition ? lane : undefined;
  }

  #laneFor(partition: AssignedPartition): Lane {
    const handling = this.#settings.handlingOf(partition.topic);
    let permits = this.#permits.get(handling);
    if (permits === undefined) this.#permits.set(handling, (permits = new Permits(handling.limit)));
    const surroundings: LaneSurroundings = { host: this.#host, budget: this.#budget, permits, busy: this.#busy };
    if (handling.kind === 'batches') return new BatchLane(partition, surroundings, handling.handler, handling);
    return handling.by === 'partition'
      ? new RecordLane(partition, surroundings, handling.handler)
      : new ConcurrentLane(partition, surroundings, handling.handler, handling.by);
  }
}
