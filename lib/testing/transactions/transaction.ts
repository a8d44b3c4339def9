import type { Timer } from '../../core/support/index.js';

/** Where a transactional id is, in the words of DescribeTransactions. Markers are written at once, so nothing is ever seen preparing. */
export type TransactionState = 'Empty' | 'Ongoing' | 'CompleteCommit' | 'CompleteAbort';

/** A producer as it names itself. */
export interface ProducerIdentity {
  readonly producerId: number;
  readonly producerEpoch: number;
}

export const NO_PRODUCER: ProducerIdentity = { producerId: -1, producerEpoch: -1 };

/** The last epoch that a producer may work with: the one after it is kept for fencing it. */
export const LAST_EPOCH = 32_766;

/** What the coordinator knows of one transactional id. Written by the coordinator only. */
export class Transaction {
  producerId: number;
  epoch = -1;
  /** The epoch before the last bump that its producer asked for: what a retry of that request bears. */
  lastEpoch = -1;
  previousProducerId = -1;
  timeoutMs: number;
  state: TransactionState = 'Empty';
  startedAt = -1;
  /** `topic/partition` of every partition that it wrote to. */
  readonly partitions = new Map<string, { readonly topic: string; readonly partition: number }>();
  /** The groups whose offsets it commits. */
  readonly groups = new Set<string>();
  expiry: Timer | undefined;

  constructor(
    readonly id: string,
    producerId: number,
    timeoutMs: number,
  ) {
    this.producerId = producerId;
    this.timeoutMs = timeoutMs;
  }

  get identity(): ProducerIdentity {
    return { producerId: this.producerId, producerEpoch: this.epoch };
  }

  get isExhausted(): boolean {
    return this.epoch >= LAST_EPOCH;
  }

  holds(topic: string, partition: number): boolean {
    return this.partitions.has(`${topic}/${partition}`);
  }
}
