import type { BrokerConnection } from '../../network/index.js';
import { PartitionSequences } from '../idempotence/partition-sequences.js';
import type { ProducerBatch } from './producer-batch.js';
import type { TopicQueues } from './topic-queues.js';

/**
 * The batches of one partition on their way.
 *
 *     unresolved (sent, oldest first)          waiting (closed)          open
 *     [b1 in flight][b2 in flight][b3 retry] = [b3 retry][b4][b5]  <--   [b6 filling]
 *
 * A retry is in both lists: it waits again, and its fate is not settled. Written by the accumulator (open, waiting) and the
 * sender (the rest).
 */
export class PartitionQueue {
  /** The batch that takes records. */
  open: ProducerBatch | undefined;
  /** Closed batches that are not on the wire, in the order in which they go: retries first. */
  readonly waiting: ProducerBatch[] = [];
  /** Batches that were sent and whose fate with the broker is not settled, in the order of their records. */
  readonly unresolved: ProducerBatch[] = [];
  /** How many of them are on the wire now. */
  onWire = 0;
  /** The connection that they are on: the partition changes to another one only when none is. */
  connection: BrokerConnection | undefined;
  /** Its sequence numbers; unused without idempotence. */
  readonly sequences = new PartitionSequences();
  /** The leader's node id, -1 while there is none, and its epoch. */
  leader = -1;
  leaderEpoch = -1;
  /** Whether others copy it: a request with `acks: 'all'` is not answered before they have. */
  isReplicated = false;
  /** Whether the sender has it on a list of queues to look at. */
  listed = false;
  /** How large its last batch became: what the next one's buffer begins with. */
  expectedBytes = 0;

  constructor(
    readonly topic: TopicQueues,
    readonly partition: number,
    /** Which connection of a bundle carries it, counted round. */
    readonly affinity: number,
  ) {}

  /** Batches not yet sent, the open one included: what the sticky partitioner weighs. */
  get backlog(): number {
    return this.waiting.length + (this.open === undefined ? 0 : 1);
  }

  /** Whether there is anything for the sender to look at. */
  get isIdle(): boolean {
    return this.open === undefined && this.waiting.length === 0;
  }

  /**
   * Whether an attempt whose connection was lost may still reach the broker, which works on what it has read from a
   * connection after that is gone. A batch of which such a ghost is about can't go under other numbers: both could be written.
   */
  isHaunted(nowMs: number): boolean {
    return this.unresolved.some(({ ghostUntilMs }) => ghostUntilMs > nowMs);
  }

  /** A batch is on the wire; from its first time on it is unresolved. */
  sent(batch: ProducerBatch, connection: BrokerConnection): void {
    this.onWire++;
    this.connection = connection;
    batch.onWire = true;
    if (!batch.unresolved) {
      batch.unresolved = true;
      this.unresolved.push(batch);
    }
  }

  /** Its attempt has an outcome. */
  landed(batch: ProducerBatch): void {
    this.onWire--;
    if (this.onWire === 0) this.connection = undefined;
    batch.onWire = false;
  }

  /** Its fate is settled with the broker, or will never be known. */
  resolve(batch: ProducerBatch): void {
    if (!batch.unresolved) return;
    batch.unresolved = false;
    this.unresolved.splice(this.unresolved.indexOf(batch), 1);
  }

  /** Puts a batch that was sent before back to its place: behind the unresolved that came before it, ahead of all else. */
  requeue(batch: ProducerBatch): void {
    const place = this.unresolved.indexOf(batch);
    let at = 0;
    for (; at < this.waiting.length; at++) {
      const other = this.waiting[at] as ProducerBatch;
      if (!other.unresolved || this.unresolved.indexOf(other) > place) break;
    }
    this.waiting.splice(at, 0, batch);
  }

  /** Two batches take the place of an unresolved one that is not on the wire. */
  replace(batch: ProducerBatch, halves: readonly [ProducerBatch, ProducerBatch]): void {
    const place = this.unresolved.indexOf(batch);
    batch.unresolved = false;
    this.unresolved.splice(place, 1, ...halves);
    for (const half of halves) {
      half.unresolved = true;
      this.requeue(half);
    }
  }

  /** Takes a batch out of those that wait. */
  withdraw(batch: ProducerBatch): void {
    const at = this.waiting.indexOf(batch);
    if (at >= 0) this.waiting.splice(at, 1);
  }
}
