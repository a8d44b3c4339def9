import type { ConsumerRecord } from '../../protocol/index.js';
import type { AssignedPartition } from '../assigned-partition.js';
import type { HandledRecord, RecordHandler } from '../handlers.js';
import type { Ticket } from '../offsets/commit-tracker.js';
import { keyHash } from './key-hash.js';
import { LaneContext } from './lane-context.js';
import { Lane, type LaneSurroundings, type UnderWay } from './lane.js';
import { Nack } from './nack.js';
import { Place, type PlaceOwner } from './place.js';
import { isThenable } from './record-lane.js';

/** How far the lane hands out beyond the first record that is not done: what a crash may bring again. */
const MOST_AHEAD = 10_000;
/** How many records may wait for others of the same key. */
const MOST_WAITING = 1_000;

/**
 * Hands out the records of one partition side by side: those of one key in order, or all as they come. Offsets become
 * committable in order nevertheless, by the tickets of the {@link CommitTracker}.
 *
 *     record ─┬─ key is free ──────────► handler ─┬─ promise: its place is taken until it settles
 *             │                                   └─ done at once
 *             └─ a record of the key is under way: waits behind it, in its place
 *
 * Bounded three ways: handlers under way by the permits, records that wait for their key by {@link MOST_WAITING} and
 * by their bytes, and how far all of it runs ahead of the first that is not done by {@link MOST_AHEAD}. At a bound the
 * lane stands still until something ends.
 */
export class ConcurrentLane extends Lane implements PlaceOwner {
  private readonly handler: RecordHandler;
  private readonly context: LaneContext;
  /** Where each key that is under way is; undefined when records are in no order. */
  private readonly byKey: Map<number, Place> | undefined;
  /** Every place that is taken, in the order in which they were. */
  private readonly taken = new Set<Place>();
  private readonly free: Place[] = [];
  /** Places whose next record waits until the partition may be handed out again. */
  private parked: Place[] = [];
  private timeline = -1;
  /** The ticket of a record whose handler is being called and has no place yet. */
  private calling: { readonly offset: number; readonly ticket: Ticket } | undefined;
  private waiting = 0;
  private waitingBytes = 0;

  constructor(
    partition: AssignedPartition,
    surroundings: LaneSurroundings,
    handler: RecordHandler,
    by: 'key' | 'none',
  ) {
    super(partition, surroundings);
    this.handler = handler;
    this.context = new LaneContext(partition.signal, (record) => this.commit(record));
    this.byKey = by === 'key' ? new Map() : undefined;
  }

  override get underWay(): UnderWay | undefined {
    for (const { record, since, timer } of this.taken) {
      if (timer === undefined) return { offset: record.offset, since };
    }
    return undefined;
  }

  override end(): Promise<void> {
    for (const place of this.taken) place.timer?.cancel();
    return super.end();
  }

  override wake(): void {
    const parked = this.parked;
    if (parked.length > 0 && this.partition.deliverable) {
      this.parked = [];
      for (const place of parked) this.again(place);
    }
    super.wake();
  }

  protected override hand(): boolean {
    const { partition } = this;
    const { commits } = partition;
    if (commits.timeline !== this.timeline) this.restart(commits.timeline);
    if (this.isFull()) return false;
    const record = this.records[this.index++] as ConsumerRecord;
    partition.handedOut(record.offset + 1, record.leaderEpoch);
    const key = this.byKey === undefined ? -1 : keyHash(record.key);
    const before = this.byKey?.get(key);
    const ticket = commits.begin(record.offset + 1, record.leaderEpoch);
    if (before !== undefined) {
      // It may wait for long, and shall not keep the bytes of others that came with it.
      const own = record.detach();
      this.waiting++;
      this.waitingBytes += own.sizeInBytes;
      before.queue({ record: own, ticket, next: undefined });
      return true;
    }
    this.calling = { offset: record.offset, ticket };
    const result = this.call(record);
    this.calling = undefined;
    if (result === undefined) {
      partition.done(ticket);
      return true;
    }
    if (result === FAILED) return false;
    const place = this.free.pop() ?? new Place(this);
    place.record = record;
    place.ticket = ticket;
    place.key = key;
    this.taken.add(place);
    this.byKey?.set(key, place);
    this.follow(place, result);
    return true;
  }

  /** A handler has ended. */
  done(place: Place, verdict: unknown): void {
    this.stopped();
    if (!this.isStale(place)) this.settle(place, verdict);
    this.pump();
    this.surroundings.busy.leave();
  }

  /** A handler has failed. */
  failedAt(place: Place, error: unknown): void {
    this.taken.delete(place);
    this.fail(place.record, error, true);
  }

  private isFull(): boolean {
    return (
      this.partition.commits.outstanding >= MOST_AHEAD ||
      this.waiting >= MOST_WAITING ||
      this.waitingBytes >= this.partition.partitionMaxBytes
    );
  }

  /** The position has jumped: what waits is not wanted any more, and what is under way counts for nothing. */
  private restart(timeline: number): void {
    this.timeline = timeline;
    for (const place of this.taken) place.timer?.cancel();
    this.taken.clear();
    this.byKey?.clear();
    this.parked = [];
    this.waiting = 0;
    this.waitingBytes = 0;
  }

  /** Whether the place is of before the last jump, or of a lane that has ended: it is not used again. */
  private isStale(place: Place): boolean {
    if (this.partition.commits.timeline !== this.timeline) this.restart(this.partition.commits.timeline);
    return !this.taken.has(place);
  }

  /** Waits for what a handler has answered, where that is not done at once. */
  private follow(place: Place, result: unknown): void {
    if (isThenable(result)) {
      place.since = this.surroundings.host.ports.clock.monotonic();
      this.started();
      result.then(place.onDone, place.onFailed);
    } else this.settle(place, result);
  }

  /** What is at the place is done, or to come again; then what waits behind it is handled. */
  private settle(place: Place, verdict: unknown): void {
    if (verdict instanceof Nack) {
      this.comeAgain(place, verdict.delayMs);
      return;
    }
    this.partition.done(place.ticket);
    const next = place.advance();
    if (next === undefined) {
      this.taken.delete(place);
      this.byKey?.delete(place.key);
      if (!this.ended) this.free.push(place);
      return;
    }
    this.waiting--;
    this.waitingBytes -= next.record.sizeInBytes;
    // In the line of those who wait: a key of many records must not keep the permit from others.
    this.taken.delete(place);
    this.taken.add(place);
    this.again(place);
  }

  private comeAgain(place: Place, delayMs: number): void {
    if (this.ended) {
      this.taken.delete(place);
      return;
    }
    place.record = place.record.detach();
    place.timer = this.surroundings.host.ports.clock.setTimer(
      delayMs,
      () => {
        place.timer = undefined;
        if (!this.isStale(place)) this.again(place);
      },
      true,
    );
  }

  /** Handles what is at the place, as soon as there is a permit and the partition may be handed out. */
  private again(place: Place): void {
    const { permits } = this.surroundings;
    if (this.ended) this.taken.delete(place);
    else if (!this.partition.deliverable) this.parked.push(place);
    else if (permits.available) this.handleAt(place);
    else {
      permits.wait(() => {
        if (!this.isStale(place)) this.again(place);
      });
    }
  }

  private handleAt(place: Place): void {
    const result = this.call(place.record);
    if (result === FAILED) this.taken.delete(place);
    else this.follow(place, result);
  }

  private call(record: ConsumerRecord): unknown {
    try {
      return this.handler(record, this.context);
    } catch (error) {
      this.fail(record, error, false);
      return FAILED;
    }
  }

  private async commit(record: HandledRecord): Promise<void> {
    if (this.calling?.offset === record.offset) this.partition.done(this.calling.ticket);
    for (const place of this.taken) {
      if (place.record.offset === record.offset) this.partition.done(place.ticket);
    }
    await this.surroundings.host.commit(this.partition);
  }

  private fail({ offset, leaderEpoch }: ConsumerRecord, cause: unknown, wasUnderWay: boolean): void {
    this.failed({ offset, leaderEpoch, timeline: this.timeline, isReadAhead: false }, cause, wasUnderWay);
  }
}

/** What a call that threw comes to. */
const FAILED = Symbol('failed');
