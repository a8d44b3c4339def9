import type { ConsumerRecord } from '../../protocol/index.js';
import { Deferred, type KrafkaError } from '../../support/index.js';
import type { AssignedPartition } from '../assigned-partition.js';
import type { TakenBatch } from '../fetch/partition-buffer.js';
import { BusyTime } from './busy-time.js';
import type { Delivery, DeliveryHost } from './delivery.js';
import type { UnderWay } from './lane.js';

type Result = IteratorResult<ConsumerRecord, undefined>;

/** What of one partition is being handed out. */
interface Cursor {
  readonly partition: AssignedPartition;
  records: readonly ConsumerRecord[];
  index: number;
  next: number;
  version: number;
}

/** The record that was handed out last: it is done when the next one is asked for. */
interface Held {
  readonly partition: AssignedPartition;
  readonly record: ConsumerRecord;
  readonly timeline: number;
  readonly since: number;
}

const END: Result = Object.freeze({ done: true, value: undefined });
const NOTHING: readonly ConsumerRecord[] = Object.freeze([]);

/**
 * Hands records out one by one to whoever asks: batch after batch, partitions taking turns. A record is done when the
 * next one is asked for, so what a loop was busy with when it was left is handed out again to whoever comes next: whether
 * it was left by a `break` or by an exception nobody tells.
 *
 * Hot: guarded by `npm run bench -- consume`.
 */
export class RecordStream implements Delivery {
  readonly #host: DeliveryHost;
  readonly #cursors = new Map<AssignedPartition, Cursor>();
  /** Partitions that may have something, in the order of their turns. */
  readonly #turns = new Set<Cursor>();
  #current: Cursor | undefined;
  #held: Held | undefined;
  /** The loop was left, or the consumer has ended. */
  #left = false;
  /** Settled when the held record is done, for whoever waits to give its partition back. */
  #letGo: Deferred<void> | undefined;
  #asking: Deferred<Result> | undefined;
  #ended: { readonly error: KrafkaError | undefined } | undefined;
  #decoding = false;
  /** A record is in somebody's hands, or was until just now. */
  #working = false;

  readonly #busy: BusyTime;

  constructor(host: DeliveryHost) {
    this.#host = host;
    this.#busy = new BusyTime(host.ports.clock);
  }

  get idleRatio(): number {
    return this.#busy.idleRatio;
  }

  /** The next record. One at a time: asking again before there is an answer is a mistake, and refused. */
  next(): Promise<Result> {
    if (this.#asking !== undefined) return Promise.reject(new TypeError('next() was called before the last one ended'));
    this.#release();
    this.#left = false;
    const record = this.#nextRecord();
    if (record !== undefined) return Promise.resolve({ done: false, value: record });
    if (this.#ended !== undefined) return this.#end(this.#ended);
    this.#asking = new Deferred();
    this.#rest();
    return this.#asking.promise;
  }

  /** The loop was left: the record it was busy with is not done and comes again, and its partition may go. */
  leave(): void {
    const held = this.#held;
    this.#held = undefined;
    this.#stop();
    const cursor = held && this.#cursors.get(held.partition);
    if (held === undefined || cursor === undefined) return;
    const { offset, leaderEpoch } = held.record;
    const isReadAhead = stepBack(cursor, held.record);
    this.#host.onNack(held.partition, { offset, leaderEpoch, timeline: held.timeline, isReadAhead }, 0);
  }

  /** The record in hand can't be read: it is not done, and its partition does not go on. */
  refuse(error: KrafkaError): void {
    const held = this.#held;
    if (held === undefined) return;
    this.#held = undefined;
    this.#letGo?.resolve();
    this.#letGo = undefined;
    const { offset, leaderEpoch } = held.record;
    const from = { offset, leaderEpoch, timeline: held.timeline, isReadAhead: false };
    this.#host.onUndecodable(held.partition, from, error);
  }

  /** Whether the loop was left: nobody asks any more, unless somebody begins again. */
  get isLeft(): boolean {
    return this.#left;
  }

  add(partition: AssignedPartition): void {
    const cursor = { partition, records: NOTHING, index: 0, next: -1, version: -1 };
    this.#cursors.set(partition, cursor);
    this.ready(partition);
  }

  ready(partition: AssignedPartition): void {
    const cursor = this.#cursors.get(partition);
    if (cursor === undefined) return;
    this.#turns.add(cursor);
    this.#answer();
  }

  async remove(partition: AssignedPartition): Promise<void> {
    const cursor = this.#cursors.get(partition);
    if (cursor === undefined) return;
    this.#cursors.delete(partition);
    this.#turns.delete(cursor);
    if (this.#current === cursor) this.#current = undefined;
    if (this.#held?.partition !== partition || this.#left) return;
    this.#letGo ??= new Deferred();
    await this.#letGo.promise;
  }

  underWay(partition: AssignedPartition): UnderWay | undefined {
    if (this.#held?.partition !== partition || this.#left) return undefined;
    return { offset: this.#held.record.offset, since: this.#held.since };
  }

  end(error: KrafkaError | undefined): void {
    if (this.#ended !== undefined) return;
    this.#ended = { error };
    this.#stop();
    const asking = this.#asking;
    this.#asking = undefined;
    if (asking !== undefined) asking.resolve(this.#end(this.#ended));
  }

  /** Nobody asks any more: no partition is kept for a record in hand. */
  #stop(): void {
    this.#left = true;
    this.#rest();
    this.#letGo?.resolve();
    this.#letGo = undefined;
  }

  /** Nothing is being handled until the next record is handed out. */
  #rest(): void {
    if (this.#working) this.#busy.leave();
    this.#working = false;
  }

  /** The failure is told once; after that there is just nothing more. */
  #end({ error }: { readonly error: KrafkaError | undefined }): Promise<Result> {
    this.#ended = { error: undefined };
    return error === undefined ? Promise.resolve(END) : Promise.reject(error);
  }

  /** Whoever asks for the next record is done with the last one. */
  #release(): void {
    const held = this.#held;
    if (held === undefined) return;
    this.#held = undefined;
    held.partition.doneThrough(held.timeline, held.record.offset + 1, held.record.leaderEpoch);
    this.#letGo?.resolve();
    this.#letGo = undefined;
  }

  #answer(): void {
    if (this.#asking === undefined) return;
    const record = this.#nextRecord();
    if (record === undefined) return;
    const asking = this.#asking;
    this.#asking = undefined;
    asking.resolve({ done: false, value: record });
  }

  #nextRecord(): ConsumerRecord | undefined {
    if (this.#ended !== undefined || this.#decoding) return undefined;
    for (;;) {
      const cursor = this.#current ?? this.#nextTurn();
      if (cursor === undefined) return undefined;
      const { partition } = cursor;
      if (cursor.version !== partition.buffer.version) forget(cursor);
      if (!partition.deliverable) {
        this.#current = undefined;
        continue;
      }
      const record = cursor.records[cursor.index];
      if (record !== undefined) {
        cursor.index++;
        this.#hold(cursor, record);
        return record;
      }
      if (cursor.next >= 0) {
        partition.passed(cursor.next);
        cursor.next = -1;
        cursor.records = NOTHING;
        // The batch is handed out: the next partition's turn, and this one's again after the others.
        this.#current = undefined;
        if (!partition.buffer.isEmpty) this.#turns.add(cursor);
        continue;
      }
      const taken = this.#take(partition);
      if (taken === undefined) this.#current = undefined;
      else if (taken instanceof Promise) {
        void this.#await(cursor, taken);
        return undefined;
      } else begin(cursor, taken);
    }
  }

  #nextTurn(): Cursor | undefined {
    for (const cursor of this.#turns) {
      this.#turns.delete(cursor);
      this.#current = cursor;
      return cursor;
    }
    return undefined;
  }

  #hold({ partition }: Cursor, record: ConsumerRecord): void {
    const { timeline } = partition.commits;
    partition.handedOut(record.offset + 1, record.leaderEpoch);
    if (!this.#working) this.#busy.enter();
    this.#working = true;
    this.#held = { partition, record, timeline, since: this.#host.ports.clock.monotonic() };
  }

  #take(partition: AssignedPartition): TakenBatch | Promise<TakenBatch> | undefined {
    try {
      const taken = partition.take();
      if (taken !== undefined) this.#host.onTaken(partition);
      return taken;
    } catch (error) {
      this.#host.onCorrupt(partition, error as KrafkaError);
      return undefined;
    }
  }

  /** Waits for a batch that is being decompressed; nothing else is handed out meanwhile. */
  async #await(cursor: Cursor, taken: Promise<TakenBatch>): Promise<void> {
    this.#decoding = true;
    const { partition } = cursor;
    const { version } = partition.buffer;
    try {
      const batch = await taken;
      if (version === partition.buffer.version && this.#cursors.get(partition) === cursor) begin(cursor, batch);
    } catch (error) {
      if (version === partition.buffer.version) this.#host.onCorrupt(partition, error as KrafkaError);
    }
    this.#decoding = false;
    this.#answer();
  }
}

function begin(cursor: Cursor, taken: TakenBatch): void {
  cursor.records = taken.records;
  cursor.index = 0;
  cursor.next = taken.nextOffset;
}

/** Takes back the record that was handed out last; false when what was read ahead has been thrown away since. */
function stepBack(cursor: Cursor, record: ConsumerRecord): boolean {
  if (cursor.version !== cursor.partition.buffer.version || cursor.records[cursor.index - 1] !== record) return false;
  cursor.index--;
  return true;
}

/** What was read ahead is not what comes next any more. */
function forget(cursor: Cursor): void {
  cursor.version = cursor.partition.buffer.version;
  cursor.records = NOTHING;
  cursor.index = 0;
  cursor.next = -1;
}
