import { aFunction, aWhole, checkOptions, KrafkaConfigError, optional, type KrafkaError } from '../../support/index.js';
import { Deferred } from '../../support/index.js';
import type { AssignedPartition } from '../assigned-partition.js';
import type { BatchHandler, RecordHandler, RunOptions } from '../handlers.js';
import { BatchLane } from './batch-lane.js';
import type { Delivery, DeliveryHost } from './delivery.js';
import type { Lane, LaneSurroundings } from './lane.js';
import { Permits } from './permits.js';
import { RecordLane } from './record-lane.js';
import { TurnBudget } from './turn-budget.js';

const MAX_RECORDS = 500;

/** {@link RunOptions} as checked. */
interface RunSettings {
  readonly eachRecord: RecordHandler | undefined;
  readonly eachBatch: BatchHandler | undefined;
  readonly concurrency: number | undefined;
  readonly maxRecords: number | undefined;
}

/**
 * Checks what `run` is told.
 *
 * @throws KrafkaConfigError
 */
export function runSettings(options: RunOptions): RunSettings {
  const settings = checkOptions<RunSettings>(
    options,
    {
      eachRecord: optional(aFunction<RecordHandler>),
      eachBatch: optional(aFunction<BatchHandler>),
      concurrency: optional(aWhole('handlers', 1)),
      maxRecords: optional(aWhole('records', 1)),
    },
    '',
  );
  if ((settings.eachRecord === undefined) === (settings.eachBatch === undefined)) {
    throw new KrafkaConfigError('eachRecord', "or 'eachBatch' must be given, and not both");
  }
  if (settings.maxRecords !== undefined && settings.eachBatch === undefined) {
    throw new KrafkaConfigError('maxRecords', "needs 'eachBatch': it would be ignored");
  }
  return settings;
}

/** Calls handlers: a lane for each partition, so that no partition waits for another. */
export class RunLoop implements Delivery {
  readonly #settings: RunSettings;
  readonly #surroundings: LaneSurroundings;
  readonly #lanes = new Map<string, Lane>();
  /** Lanes of partitions that were taken away while a handler of theirs was under way. */
  readonly #ending = new Map<string, Promise<void>>();
  readonly #finished = new Deferred<void>();

  constructor(settings: RunSettings, host: DeliveryHost) {
    this.#settings = settings;
    this.#surroundings = {
      host,
      budget: new TurnBudget(host.ports.clock),
      permits: new Permits(settings.concurrency ?? Infinity),
    };
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
    if (before === undefined) lane.pump();
    else void this.#pumpAfter(before, lane);
  }

  ready(partition: AssignedPartition): void {
    const lane = this.#laneOf(partition);
    if (lane !== undefined && !this.#ending.has(partition.key)) lane.pump();
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

  handlingMs(partition: AssignedPartition): number | undefined {
    return this.#laneOf(partition)?.handlingMs;
  }

  end(error: KrafkaError | undefined): void {
    for (const lane of this.#lanes.values()) void lane.end();
    if (error === undefined) this.#finished.resolve();
    else this.#finished.reject(error);
  }

  async #pumpAfter(before: Promise<void>, lane: Lane): Promise<void> {
    await before;
    lane.pump();
  }

  #laneOf(partition: AssignedPartition): Lane | undefined {
    const lane = this.#lanes.get(partition.key);
    return lane?.partition === partition ? lane : undefined;
  }

  #laneFor(partition: AssignedPartition): Lane {
    const { eachRecord, eachBatch, maxRecords = MAX_RECORDS } = this.#settings;
    return eachRecord === undefined
      ? new BatchLane(partition, this.#surroundings, eachBatch as BatchHandler, maxRecords)
      : new RecordLane(partition, this.#surroundings, eachRecord);
  }
}
