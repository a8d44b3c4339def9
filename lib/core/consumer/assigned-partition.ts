import { ZERO_UUID } from '../protocol/index.js';
import type { KrafkaError } from '../support/index.js';
import type { FetchedPartition } from './fetch/fetch-session.js';
import { PartitionBuffer, type TakenBatch } from './fetch/partition-buffer.js';
import { CommitTracker, type Ticket } from './offsets/commit-tracker.js';
import { keyOf } from './topic-partition.js';

/**
 * Where to begin when it is not an offset that is known: an end of the partition, its record with the highest timestamp
 * (KIP-734, brokers since 3.0), or the first record at or after a time, in milliseconds since the epoch.
 */
export type OffsetSpec = 'earliest' | 'latest' | 'max-timestamp' | { readonly timestamp: number };

/**
 * What is going on with an assigned partition.
 *
 *     resolving ──► reading ◄──► validating        any ──► failed ──seek──► reading
 *         ▲            │ out of range, seek to an end
 *         └────────────┘
 */
export type PartitionPhase =
  | { readonly kind: 'resolving'; readonly spec: OffsetSpec | 'committed' }
  | { readonly kind: 'validating' }
  | { readonly kind: 'reading' }
  | { readonly kind: 'failed'; readonly error: KrafkaError };

/** What decides the buffers of a partition. */
export interface PartitionLimits {
  readonly maxDecompressedBytes: number;
}

const READING: PartitionPhase = { kind: 'reading' };
const VALIDATING: PartitionPhase = { kind: 'validating' };

/**
 * One partition that this consumer reads: where it stands, what was read ahead of it and what is done.
 *
 * Three places in it, each ahead of the one before: `commits.committable` is done, `position` is handed out,
 * `fetchOffset` is read ahead. A jump of the position (seek) takes all three along and throws the buffer away; where it is
 * the log that moves it, what was handed out has to be done before `committable` follows.
 */
export class AssignedPartition implements FetchedPartition {
  readonly topic: string;
  readonly partition: number;
  readonly key: string;
  readonly buffer: PartitionBuffer;
  readonly commits = new CommitTracker();
  /** Aborted when the partition is given up or the consumer closes. */
  private readonly controller = new AbortController();
  private readonly onUncommitted: () => void;

  /** As the metadata has it; the fetcher keeps it fresh. */
  topicId: string = ZERO_UUID;
  /** As the metadata has it, -1 when not known; the fetcher keeps it fresh. */
  currentLeaderEpoch = -1;
  /** What it is asked for at once. */
  partitionMaxBytes = 1;
  /** As the last fetch told; -1 before the first. */
  highWatermark = -1;
  lastStableOffset = -1;

  private standing: PartitionPhase;
  private next = -1;
  private nextEpoch = -1;
  private nextFetched = -1;
  private shareBytes = 1;
  private holdsShare = false;
  private isPaused = false;
  private isHeld = false;
  private ownership: 'active' | 'retired' | 'released' = 'active';

  /** `onUncommitted` is called when something is done while all that was done before is committed. */
  constructor(
    topic: string,
    partition: number,
    spec: OffsetSpec | 'committed',
    limits: PartitionLimits,
    onUncommitted: () => void,
  ) {
    this.topic = topic;
    this.partition = partition;
    this.key = keyOf(topic, partition);
    this.buffer = new PartitionBuffer({ topic, partition, maxDecompressedBytes: limits.maxDecompressedBytes });
    this.standing = { kind: 'resolving', spec };
    this.onUncommitted = onUncommitted;
  }

  get phase(): PartitionPhase {
    return this.standing;
  }

  /** Told by the fetcher as partitions come and go: its share of what may be read ahead, and how much of it is `enough`. */
  share(shareBytes: number, enough: number): void {
    this.shareBytes = shareBytes;
    this.partitionMaxBytes = this.holdsShare ? shareBytes : Math.min(enough, shareBytes);
  }

  /** Whoever reads it waits for more than is enough: it holds all of its share from now on. False where it does already. */
  holdShare(): boolean {
    this.holdsShare = true;
    if (this.partitionMaxBytes >= this.shareBytes) return false;
    this.partitionMaxBytes = this.shareBytes;
    return true;
  }

  /**
   * Whether it holds so much that it is not asked for more: more than it is asked for at once. One whole answer does not
   * fill it, so that the broker gets the next one ready while that is handled.
   */
  get isFull(): boolean {
    return this.buffer.bytes > this.partitionMaxBytes;
  }

  /** The next record to be handed out; -1 while it is not known. */
  get position(): number {
    return this.next;
  }

  /** The leader epoch of the record before the position, -1 when not known: what truncation is found by (KIP-320). */
  get positionEpoch(): number {
    return this.nextEpoch;
  }

  /** The next record to be fetched. */
  get fetchOffset(): number {
    return this.nextFetched;
  }

  get paused(): boolean {
    return this.isPaused;
  }

  /** Whether it stands still until a handler gets again what it asked to get again. */
  get held(): boolean {
    return this.isHeld;
  }

  /** False once it is given up: nothing of it may be committed any more. */
  get owned(): boolean {
    return this.ownership !== 'released';
  }

  /** Aborted when the partition is given up or the consumer closes. */
  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** Whether records of it are wanted now. */
  get fetchable(): boolean {
    return this.ownership === 'active' && !this.isPaused && !this.isHeld && this.standing.kind === 'reading';
  }

  /** Whether records of it may be handed out now. */
  get deliverable(): boolean {
    return this.ownership === 'active' && !this.isPaused && !this.isHeld && this.standing.kind !== 'failed';
  }

  /** Sets where to begin: `committed` says that the group holds that very offset. */
  begin(offset: number, leaderEpoch: number, committed: boolean): void {
    this.jump(offset, leaderEpoch, committed);
  }

  /** Goes on elsewhere, since the log does not have what came next. What is in hand has to be done first, before a commit. */
  moveOn(offset: number, leaderEpoch: number): void {
    const { dirty } = this.commits;
    this.commits.move(this.next, offset, leaderEpoch);
    this.place(offset, leaderEpoch);
    if (!dirty && this.commits.dirty) this.onUncommitted();
  }

  /** Goes on elsewhere, as the user says. */
  seek(offset: number): void {
    this.jump(offset, -1, false);
  }

  /** The position is to be asked for: at first, after a seek to an end, when it is out of range. */
  resolve(spec: OffsetSpec): void {
    this.buffer.clear();
    this.standing = { kind: 'resolving', spec };
  }

  /** The question where to go on is dropped: the position stands. */
  unresolve(): void {
    if (this.standing.kind === 'resolving') this.standing = READING;
  }

  /** The leader has changed: what was read must be compared with its log before reading goes on. */
  validate(): void {
    this.buffer.clear();
    this.nextFetched = this.next;
    this.standing = VALIDATING;
  }

  /** The new leader's log agrees with what was read. */
  validated(): void {
    if (this.standing.kind === 'validating') this.standing = READING;
  }

  /** Nothing more can be read until a seek. */
  fail(error: KrafkaError): void {
    this.buffer.clear();
    this.standing = { kind: 'failed', error };
  }

  /** Throws away what was read ahead: it is fetched again, from the position on. */
  refetch(): void {
    this.buffer.clear();
    this.nextFetched = this.next;
  }

  /**
   * Goes back to what was handed out already, and stands still there until `letGo`. What was read ahead is kept when it
   * goes on right behind. Where the log has been cut off before it since, it stands still where it is.
   */
  holdAt(offset: number, leaderEpoch: number, isReadAhead: boolean): void {
    this.isHeld = true;
    this.commits.handBack();
    if (offset < this.next) {
      this.next = offset;
      this.nextEpoch = leaderEpoch;
    }
    if (!isReadAhead) this.refetch();
  }

  /** Goes on after `holdAt`. */
  letGo(): void {
    this.isHeld = false;
  }

  /** Goes back to what is not done, for somebody else to hand it out; what is under way counts for nothing then. */
  goBack(): void {
    const { committable, leaderEpoch } = this.commits;
    if (committable < 0 || this.standing.kind === 'resolving') return;
    this.commits.rewind();
    this.next = committable;
    this.nextEpoch = leaderEpoch;
    this.isHeld = false;
    this.refetch();
  }

  pause(): void {
    if (this.isPaused) return;
    this.isPaused = true;
    this.refetch();
  }

  resume(): void {
    this.isPaused = false;
  }

  /** Begins to give the partition up: nothing more is fetched or handed out, and handlers hear of it. */
  retire(reason: Error): void {
    if (this.ownership === 'active') this.ownership = 'retired';
    this.buffer.clear();
    this.controller.abort(reason);
  }

  /** The partition is given up: what is done from now on is not committed. */
  release(reason: Error): void {
    this.retire(reason);
    this.ownership = 'released';
  }

  /** Takes over what a fetch brought; the next one goes on behind it. */
  fetched(nextOffset: number): void {
    this.nextFetched = nextOffset;
  }

  /** The next batch to be handed out. */
  take(): TakenBatch | Promise<TakenBatch> | undefined {
    return this.buffer.take(this.next);
  }

  /** Notes that everything before `next` was handed out. */
  handedOut(next: number, leaderEpoch: number): void {
    this.next = next;
    this.nextEpoch = leaderEpoch;
  }

  /** Notes that there was nothing to hand out before `next`. */
  passed(next: number): void {
    if (next > this.next) this.next = next;
    const { dirty } = this.commits;
    this.commits.skip(next);
    if (!dirty && this.commits.dirty) this.onUncommitted();
  }

  /** Notes that everything before `next`, handed out on that timeline, is done. */
  doneThrough(timeline: number, next: number, leaderEpoch: number): void {
    const { dirty } = this.commits;
    this.commits.advance(timeline, next, leaderEpoch);
    if (!dirty && this.commits.dirty) this.onUncommitted();
  }

  /** Notes that what a ticket stands for is done. */
  done(ticket: Ticket): void {
    const { dirty } = this.commits;
    this.commits.done(ticket);
    if (!dirty && this.commits.dirty) this.onUncommitted();
  }

  /** Records behind the position, as of the last fetch; undefined before it. */
  lag(committedOnly: boolean): number | undefined {
    const end = committedOnly ? this.lastStableOffset : this.highWatermark;
    return end < 0 || this.next < 0 ? undefined : Math.max(0, end - this.next);
  }

  private jump(offset: number, leaderEpoch: number, committed: boolean): void {
    const { dirty } = this.commits;
    this.commits.restart(offset, leaderEpoch, committed);
    this.isHeld = false;
    this.place(offset, leaderEpoch);
    if (!dirty && this.commits.dirty) this.onUncommitted();
  }

  private place(offset: number, leaderEpoch: number): void {
    this.buffer.clear();
    this.next = offset;
    this.nextEpoch = leaderEpoch;
    this.nextFetched = offset;
    this.standing = READING;
  }
}
