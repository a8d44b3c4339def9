import type { AcquiredRecords } from './acquired-records.js';
import type { ShareLeader } from './share-leader.js';
import { custodyOf, type ShareRecord } from './share-record.js';

const NOTHING: readonly ShareRecord[] = Object.freeze([]);

export interface ShareQueueOptions {
  /** There may be a record to hand out. */
  readonly onReady: () => void;
  /** Something failed that never should. */
  readonly onBroken: (error: unknown) => void;
}

/** Records of all leaders in the order they came: decoded batch by batch, and skipped when their locks have expired. */
export class ShareQueue {
  readonly #options: ShareQueueOptions;
  readonly #waiting: { readonly leader: ShareLeader; readonly records: AcquiredRecords }[] = [];
  #decoded: readonly ShareRecord[] = NOTHING;
  #index = 0;
  #decoding = false;

  constructor(options: ShareQueueOptions) {
    this.#options = options;
  }

  push(leader: ShareLeader, records: AcquiredRecords): void {
    this.#waiting.push({ leader, records });
    this.#options.onReady();
  }

  /** The next record, handed out from now on; undefined when there is none yet. */
  next(): ShareRecord | undefined {
    for (;;) {
      while (this.#index < this.#decoded.length) {
        const record = this.#decoded[this.#index++] as ShareRecord;
        if (!record.isAcquired) continue;
        const custody = custodyOf(record);
        custody.keeper.handOut(custody);
        return record;
      }
      this.#begin(NOTHING);
      const first = this.#waiting[0];
      if (first === undefined || this.#decoding) return undefined;
      const taken = first.leader.take(first.records);
      if (taken === undefined) this.#waiting.shift();
      else if (taken instanceof Promise) void this.#await(taken);
      else this.#begin(taken);
    }
  }

  /** Hands out nothing of what came so far. */
  clear(): void {
    this.#waiting.length = 0;
    this.#begin(NOTHING);
  }

  #begin(records: readonly ShareRecord[]): void {
    this.#decoded = records;
    this.#index = 0;
  }

  /** Waits for a batch that is being decompressed. */
  async #await(taken: Promise<readonly ShareRecord[]>): Promise<void> {
    this.#decoding = true;
    try {
      this.#begin(await taken);
    } catch (error) {
      this.#options.onBroken(error);
    }
    this.#decoding = false;
    this.#options.onReady();
  }
}
