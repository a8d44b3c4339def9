import type { BrokerConnection, BrokerConnectionBundle } from '../../network/index.js';
import type { PartitionQueue } from '../accumulator/partition-queue.js';
import { ProduceWave } from './produce-wave.js';

/** One connection of a broker's bundle as the sender uses it. */
export class Lane {
  /** Produce requests on it that are not answered. */
  inFlight = 0;
  /** What goes out next on it, while a wave is being made up. */
  wave: ProduceWave | undefined;
  /** Bytes that wait to go out on it, as {@link BrokerOutbox.weigh} last found them. */
  waitingBytes = 0;

  constructor(readonly connection: BrokerConnection) {}

  /** The wave that goes out next, begun if need be. */
  nextWave(maxBytes: number): ProduceWave {
    this.wave ??= new ProduceWave(maxBytes);
    return this.wave;
  }
}

/** What waits to be sent to one broker. */
export class BrokerOutbox {
  /** Queues to look at, in turn. */
  queues: PartitionQueue[] = [];
  /** Whether a connection is being made. */
  connecting = false;
  /** Monotonic; no connection is tried before. */
  retryAtMs = 0;
  /** Failed tries to connect in a row. */
  failures = 0;
  #lanes: Lane[] = [];

  constructor(readonly nodeId: number) {}

  get lanes(): readonly Lane[] {
    return this.#lanes;
  }

  /** Adds a queue to those that are looked at. */
  list(queue: PartitionQueue): void {
    queue.listed = true;
    this.queues.push(queue);
  }

  /** Takes off those that have nothing to be sent any longer. */
  dropIdle(): void {
    if (!this.queues.some(isIdle)) return;
    this.queues = this.queues.filter((queue) => {
      queue.listed = !isIdle(queue);
      return queue.listed;
    });
  }

  /**
   * The lane of a partition: the one that its batches are on, else that of its own place in the bundle, else of any usable
   * member. Undefined when it has to wait.
   */
  laneOf(queue: PartitionQueue, bundle: BrokerConnectionBundle): Lane | undefined {
    if (queue.connection !== undefined) {
      return queue.connection.usable ? this.#find(queue.connection) : undefined;
    }
    const own = bundle.get(queue.affinity % bundle.length);
    if (own !== undefined) return this.#lane(own);
    return bundle.usableCount === 0 ? undefined : this.#lane(bundle.select());
  }

  /** Sums up what waits for each lane that has something in flight. */
  weigh(bundle: BrokerConnectionBundle): void {
    for (const lane of this.#lanes) lane.waitingBytes = 0;
    if (!this.#lanes.some(({ inFlight }) => inFlight > 0)) return;
    for (const queue of this.queues) {
      const lane = this.laneOf(queue, bundle);
      if (lane === undefined) continue;
      lane.waitingBytes += queue.open?.sizeInBytes ?? 0;
      for (const batch of queue.waiting) lane.waitingBytes += batch.sizeInBytes;
    }
  }

  /** Forgets lanes whose connection is gone, once everything on them has landed. */
  prune(): void {
    if (this.#lanes.some(isOver)) this.#lanes = this.#lanes.filter((lane) => !isOver(lane));
  }

  #find(connection: BrokerConnection): Lane | undefined {
    return this.#lanes.find((lane) => lane.connection === connection);
  }

  #lane(connection: BrokerConnection): Lane {
    let lane = this.#find(connection);
    if (lane === undefined) {
      lane = new Lane(connection);
      this.#lanes.push(lane);
    }
    return lane;
  }
}

const isIdle = (queue: PartitionQueue): boolean => queue.isIdle;

const isOver = (lane: Lane): boolean => lane.inFlight === 0 && !lane.connection.usable;
