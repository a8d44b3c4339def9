import type { PartitionQueue } from '../accumulator/partition-queue.js';
import type { ProducerBatch } from '../accumulator/producer-batch.js';
import type { RecordAccumulator } from '../accumulator/record-accumulator.js';
import type { SequenceAuthority } from '../idempotence/sequence-authority.js';
import { sameIdentity } from '../idempotence/partition-sequences.js';
import type { Meter } from '../meter.js';
import type { TransactionGate } from '../transactions/transaction-gate.js';

/**
 * Which batch of a partition goes next, and whether one may: here is what keeps a partition's records in order and free of
 * repeats, whatever became of the ones before.
 */
export class NextBatch {
  /** Monotonic; when the earliest of the retries that were passed over may go. Whoever looks at the queues resets it. */
  retryDueAtMs = Infinity;
  readonly #accumulator: RecordAccumulator;
  readonly #identity: SequenceAuthority | undefined;
  readonly #gate: TransactionGate | undefined;
  readonly #maxInFlight: number;
  readonly #meter: Meter;

  constructor(options: {
    readonly accumulator: RecordAccumulator;
    /** Undefined without idempotence. */
    readonly identity: SequenceAuthority | undefined;
    /** Undefined without transactions. */
    readonly gate: TransactionGate | undefined;
    readonly maxInFlight: number;
    readonly meter: Meter;
  }) {
    this.#accumulator = options.accumulator;
    this.#identity = options.identity;
    this.#gate = options.gate;
    this.#maxInFlight = options.maxInFlight;
    this.#meter = options.meter;
  }

  /** The batch that a queue may send now: still at the head of those that wait. */
  of(queue: PartitionQueue, nowMs: number): ProducerBatch | undefined {
    if (queue.onWire > 0) {
      if (queue.sequences.restartDemanded) return undefined;
    } else if (queue.sequences.mustRestart(queue.unresolved.length) && !queue.isHaunted(nowMs)) {
      if (!this.#restart(queue, nowMs)) return undefined;
    }
    let head = queue.waiting[0];
    if (head === undefined) {
      if (queue.open?.due !== true || !this.#takesNew(queue)) return undefined;
      this.#accumulator.close(queue);
      head = queue.waiting[0];
    }
    if (head === undefined || head.state !== 'ready') return undefined;
    if (!head.unresolved) return this.#takesNew(queue) ? head : undefined;
    // Retries go one at a time, oldest first: whatever the first attempts came to, order is kept.
    if (head !== queue.unresolved[0]) return undefined;
    if (head.retryAtMs > nowMs) {
      this.retryDueAtMs = Math.min(this.retryDueAtMs, head.retryAtMs);
      return undefined;
    }
    return head;
  }

  /** At once when it is taken: the next queue may raise the epoch, which this batch must not carry. */
  stamp(batch: ProducerBatch, nowMs: number): void {
    const identity = this.#identity?.current;
    if (identity === undefined || batch.baseSequence >= 0) return;
    batch.stamp(identity, batch.queue.sequences.stamp(identity, batch.recordCount, nowMs));
  }

  #takesNew(queue: PartitionQueue): boolean {
    if (this.#gate?.admits(queue) === false) return false;
    const oldest = queue.unresolved[0];
    if (oldest === undefined) return this.#mayStamp(queue);
    // A broker remembers the last five batches of a producer. Past a retry, ever more could go until it forgets whether
    // that one was written.
    if (oldest.attempts > 1) return false;
    return queue.unresolved.length < this.#maxInFlight && this.#mayStamp(queue);
  }

  #mayStamp(queue: PartitionQueue): boolean {
    if (this.#identity === undefined) return true;
    const identity = this.#identity.current;
    return identity !== undefined && queue.sequences.mayStamp(identity, queue.unresolved.length);
  }

  /** Begins the partition's sequence anew under an identity that is not its last one; false while there is none. */
  #restart(queue: PartitionQueue, nowMs: number): boolean {
    const source = this.#identity as SequenceAuthority;
    const { sequences } = queue;
    let identity = source.current;
    if (identity !== undefined && sameIdentity(identity, sequences.identity)) {
      this.#meter.epochBumps++;
      identity = source.raise();
    }
    if (identity === undefined) return false;
    sequences.restart(identity);
    for (const batch of queue.unresolved) {
      batch.stamp(identity, sequences.stamp(identity, batch.recordCount, nowMs));
    }
    return true;
  }
}
