import type { Ports, Timer } from '../support/index.js';
import type { AcquiredRecords, TakenRecords } from './acquired-records.js';
import type { Custody } from './custody.js';
import type { InFlightLimit } from './in-flight-limit.js';
import { PendingAcknowledgements } from './pending-acknowledgements.js';
import type { OffsetRange } from './share-consumer-events.js';
import type { SharePartition } from './share-partition.js';
import { custodyOf } from './share-record.js';

export interface HoldingsOptions {
  readonly ports: Ports;
  readonly limit: InFlightLimit;
  /** Whether locks of records that were handed out are renewed before they expire. */
  readonly renewLocks: boolean;
  readonly onExpired: (partition: SharePartition, ranges: readonly OffsetRange[], handedOut: boolean) => void;
  /** A lock is to be renewed. */
  readonly onRenewalDue: (custody: Custody) => void;
  /** Locks have expired: there may be room for more. */
  readonly onSwept: () => void;
}

const NOTHING: TakenRecords = { records: [], verdicts: [] };

/**
 * The records that one broker has given us and on which no verdict was said: as they came, decoded, or handed out. It
 * watches their locks, with one timer: what is not decided in time is not ours any more.
 */
export class Holdings {
  readonly #options: HoldingsOptions;
  /** Batches not decoded yet. */
  readonly #unread = new Set<AcquiredRecords>();
  readonly #custodies = new Set<Custody>();
  /** Offsets in batches that are being decompressed. */
  #decoding = 0;
  /** Changes when all is forgotten. */
  #life = 0;
  #lockMs = 0;
  /** When the newest records expire, until somebody has asked whether they were handed out in good time. */
  #newest: number | undefined;
  #timer: { readonly at: number; readonly timer: Timer } | undefined;
  #stopped = false;

  constructor(options: HoldingsOptions) {
    this.#options = options;
  }

  /** How many records are held. */
  get count(): number {
    return this.#custodies.size + this.#unreadCount();
  }

  /** Of those, how many were not handed out. */
  get buffered(): number {
    let count = this.#unreadCount();
    for (const { handedOut } of this.#custodies) if (!handedOut) count++;
    return count;
  }

  get bufferedBytes(): number {
    let bytes = 0;
    for (const records of this.#unread) bytes += records.bytes;
    return bytes;
  }

  /** How long a lock lasts, in milliseconds, as the broker told last; 0 before. */
  get lockMs(): number {
    return this.#lockMs;
  }

  set lockMs(lockMs: number) {
    if (lockMs > 0) this.#lockMs = lockMs;
  }

  /** When a lock expires that begins now. A broker that does not say how long locks last is not second-guessed. */
  get lockEnd(): number {
    return this.#lockMs === 0 ? Infinity : this.#options.ports.clock.monotonic() + this.#lockMs;
  }

  add(records: AcquiredRecords): void {
    this.#unread.add(records);
    this.#newest = records.lockedUntil;
    this.#watch(this.#attentionAt(records));
  }

  /** Decodes the next batch of what came; undefined when there is none left in it. */
  take(records: AcquiredRecords): TakenRecords | Promise<TakenRecords> | undefined {
    const life = this.#life;
    const before = records.count;
    const taken = records.take();
    if (records.count === 0) this.#unread.delete(records);
    if (!(taken instanceof Promise)) return taken === undefined ? undefined : this.#hold(taken, life);
    const offsets = before - records.count;
    this.#decoding += offsets;
    return taken
      .then((decoded) => this.#hold(decoded, life))
      .finally(() => {
        this.#decoding -= offsets;
      });
  }

  handOut(custody: Custody): void {
    custody.handedOut = true;
    if (this.#isRenewalDue(custody, this.#options.ports.clock.monotonic())) this.#options.onRenewalDue(custody);
  }

  /** A verdict was said. */
  letGo(custody: Custody): void {
    custody.state = 'acknowledged';
    this.#custodies.delete(custody);
  }

  /** The broker has renewed locks. */
  renewed(custodies: readonly Custody[]): void {
    const { lockEnd } = this;
    for (const custody of custodies) {
      custody.lockedUntil = lockEnd;
      this.#watch(this.#attentionAt(custody));
    }
  }

  /** What handlers, or a loop, still have. */
  handedOut(): readonly Custody[] {
    return [...this.#custodies].filter((custody) => custody.handedOut);
  }

  /** Nothing is ours any more. Answers with how much that was. */
  forget(): number {
    const { count } = this;
    this.#life++;
    for (const custody of this.#custodies) custody.state = 'lost';
    this.#custodies.clear();
    for (const records of this.#unread) records.drop();
    this.#unread.clear();
    this.#newest = undefined;
    return count;
  }

  /** Lets the limit grow when all that came last was handed out with half of its time to spare. */
  growLimit(): void {
    if (this.#newest === undefined || this.buffered > 0) return;
    const { limit, ports } = this.#options;
    if (this.#newest - ports.clock.monotonic() > this.#lockMs / 2) limit.grow();
    this.#newest = undefined;
  }

  /** Watches no locks any more. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.timer.cancel();
  }

  #unreadCount(): number {
    let count = this.#decoding;
    for (const records of this.#unread) count += records.count;
    return count;
  }

  #hold(taken: TakenRecords, life: number): TakenRecords {
    if (life !== this.#life) {
      for (const record of taken.records) custodyOf(record).state = 'lost';
      return NOTHING;
    }
    for (const record of taken.records) this.#custodies.add(custodyOf(record));
    return taken;
  }

  /** When a lock has to be looked at: when it expires, or when it may have to be renewed, with a third of it left. */
  #attentionAt({ lockedUntil }: { readonly lockedUntil: number }): number {
    return this.#options.renewLocks ? lockedUntil - this.#lockMs / 3 : lockedUntil;
  }

  #isRenewalDue(custody: Custody, now: number): boolean {
    return this.#options.renewLocks && custody.handedOut && custody.renewable && this.#attentionAt(custody) <= now;
  }

  #watch(at: number): void {
    if (at === Infinity || this.#stopped) return;
    if (this.#timer !== undefined && this.#timer.at <= at) return;
    this.#timer?.timer.cancel();
    const { clock } = this.#options.ports;
    const fire = (): void => {
      this.#timer = undefined;
      this.#sweep();
    };
    this.#timer = { at, timer: clock.setTimer(Math.max(0, at - clock.monotonic()), fire, true) };
  }

  #sweep(): void {
    const { limit, onRenewalDue, onSwept, ports } = this.#options;
    const now = ports.clock.monotonic();
    const handed = new PendingAcknowledgements();
    const unseen = new PendingAcknowledgements();
    let next = Infinity;
    const look = (locked: { readonly lockedUntil: number }): void => {
      const at = this.#attentionAt(locked);
      next = Math.min(next, at > now ? at : locked.lockedUntil);
    };
    for (const custody of this.#custodies) {
      const { handedOut, lockedUntil, offset, partition } = custody;
      if (lockedUntil <= now) {
        custody.state = 'expired';
        this.#custodies.delete(custody);
        (handedOut ? handed : unseen).add(partition, offset, offset, 'release');
        continue;
      }
      look(custody);
      if (this.#isRenewalDue(custody, now)) onRenewalDue(custody);
    }
    for (const records of this.#unread) {
      if (records.lockedUntil > now) {
        look(records);
        continue;
      }
      for (const { firstOffset, lastOffset } of records.ranges) {
        unseen.add(records.partition, firstOffset, lastOffset, 'release');
      }
      records.drop();
      this.#unread.delete(records);
    }
    if (!unseen.isEmpty) limit.shrink();
    this.#tell(handed, true);
    this.#tell(unseen, false);
    this.#watch(next);
    onSwept();
  }

  #tell(expired: PendingAcknowledgements, handedOut: boolean): void {
    for (const { partition, ranges } of expired.take()) {
      const offsets = ranges.map(({ firstOffset, lastOffset }) => ({ firstOffset, lastOffset }));
      this.#options.onExpired(partition, offsets, handedOut);
    }
  }
}
