import type { TransactionState } from './transactions/transaction.js';

/** What a producer tells of as it works; the payloads name one batch each unless they say otherwise. */
export interface ProducerEvents {
  /** A batch was acknowledged. */
  readonly delivered: BatchProgress & { readonly baseOffset: number };
  /** A batch will be sent again. */
  readonly retrying: BatchProgress & { readonly error: Error; readonly afterMs: number };
  /** A batch failed for good; each of its senders has been told. */
  readonly failed: BatchProgress & { readonly error: Error };
  /** A broker found a batch too large, and it goes on as several. */
  readonly split: BatchProgress & { readonly into: number };
  /** The idempotent identity is new: the first one, or after its epoch was raised. */
  readonly identity: { readonly producerId: number; readonly producerEpoch: number };
  /** A transaction began (`open`, with no state before), or is in another state. */
  readonly transaction: {
    readonly transactionalId: string;
    readonly state: TransactionState;
    readonly previous: TransactionState | undefined;
  };
}

/** One batch on its way. */
export interface BatchProgress {
  readonly topic: string;
  readonly partition: number;
  readonly records: number;
  /** As it goes over the wire. */
  readonly bytes: number;
  /** How many times it has been sent so far. */
  readonly attempts: number;
}
