import type { Deadline } from '../../support/index.js';
import type { FlushBarrier } from '../accumulator/flush-barrier.js';
import type { ProducerBatch } from '../accumulator/producer-batch.js';
import type { TopicQueues } from '../accumulator/topic-queues.js';
import type { EncodableRecord } from './encoder.js';
import type { Owner } from './owner.js';

/**
 * What a send waits for.
 *
 *     serializing --> metadata --> memory --> over
 */
export type WaitingStage = 'serializing' | 'metadata' | 'memory' | 'over';

/** A send that could not be encoded at once. */
export class WaitingSend {
  stage: WaitingStage = 'serializing';
  /** Set when its serializers are done. */
  record: EncodableRecord | undefined;
  /** Asked for, or chosen once: a partitioner is not asked twice about one record. */
  partition: number | undefined;
  /** Whether metadata that was asked for because its partition was not known has come. */
  refreshed = false;
  #barriers: FlushBarrier[] | undefined;

  constructor(
    readonly topic: TopicQueues,
    readonly owner: Owner,
    readonly immediate: boolean,
    /** `maxBlockMs`, for all it waits for together. */
    readonly deadline: Deadline,
    /** Monotonic; when that is over. */
    readonly dueAtMs: number,
  ) {}

  /** A flush waits for it, and then for its batch. */
  waitedForBy(barrier: FlushBarrier): void {
    barrier.expect();
    if (this.#barriers === undefined) this.#barriers = [barrier];
    else this.#barriers.push(barrier);
  }

  /** It is in a batch. Answers whether a flush waits for it there. */
  joined(batch: ProducerBatch): boolean {
    this.stage = 'over';
    this.owner.joined(batch, (this.record as EncodableRecord).timestamp);
    const barriers = this.#barriers;
    if (barriers === undefined) return false;
    for (const barrier of barriers) {
      batch.waitedForBy(barrier);
      barrier.settled();
    }
    return true;
  }

  failed(error: Error): void {
    if (this.stage === 'over') return;
    this.stage = 'over';
    this.owner.failed(error);
    for (const barrier of this.#barriers ?? []) barrier.settled();
  }
}
