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

/** A lane that hands out nothing more. */
interface EndingLane {
  readonly lane: Lane;
  /** The one of the same partition before it, whose handler was still under way when this one began. */
  readonly before: EndingLane | undefined;
  /** Resolves when no handler of it, nor of those before it, is under way. */
  readonly ended: Promise<void>;
}

/** Calls handlers: a lane for each partition, so that no partition waits for another. */
export class RunLoop implements Delivery {
  readonly #settings: RunSettings;
  readonly #host: DeliveryHost;
  readonly #budget: TurnBudget;
  readonly #busy: BusyTime;
  /** The handlers that may be under way at once, for each handling. */
  readonly #permits = new Map<HandlingSettings, Permits>();
  readonly #lanes = new Map<string, Lane>();
  /** Lanes that hand out nothing more while a handler of theirs may be under way, the last one of each partition. */
  readonly #ending = new Map<string, EndingLane>();
  /** Told to stop: what is assigned from then on is for whoever comes next. */
  #stopped = false;
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
    if (this.#stopped) return;
    const { key } = partition;
    const lane = this.#laneFor(partition);
    this.#lanes.set(key, lane);
    const before = this.#ending.get(key);
    // A partition that came back is not handled by two at once: its last handler from before ends first.
    if (before === undefined) lane.wake();
    else void this.#wakeAfter(before.ended, lane);
  }

  ready(partition: AssignedPartition): void {
    const lane = this.#laneOf(partition);
    if (lane !== undefined && !this.#ending.has(partition.key)) lane.wake();
  }

  async remove(partition: AssignedPartition): Promise<void> {
    const { key } = partition;
    const lane = this.#laneOf(partition);
    const before = this.#ending.get(key);
    // Where the lane has been told to end already, its handler is waited for nevertheless.
    if (lane === undefined) return before?.ended;
    this.#lanes.delete(key);
    const ended = Promise.all([before?.ended, lane.end()]).then(() => undefined);
    const ending: EndingLane = { lane, before, ended };
    this.#ending.set(key, ending);
    await ended;
    if (this.#ending.get(key) === ending) this.#ending.delete(key);
  }

  /** Also what a lane before this one has under way still: it is what the partition waits for. */
  underWay(partition: AssignedPartition): UnderWay | undefined {
    let found = this.#laneOf(partition)?.underWay;
    for (let ending = this.#ending.get(partition.key); ending !== undefined; ending = ending.before) {
      found = ending.lane.underWay ?? found;
    }
    return found;
  }

  get idleRatio(): number {
    return this.#busy.idleRatio;
  }

  /** Hands out nothing more; resolves when no handler is under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(Array.from(this.#lanes.values(), ({ partition }) => this.remove(partition)));
    await Promise.all(Array.from(this.#ending.values(), ({ ended }) => ended));
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
