import type { GroupState, KrafkaHandlerError, TopicPartition } from '../consumer/index.js';
import type { KrafkaError } from '../support/index.js';
import type { AcknowledgedRange } from './acknowledge-type.js';

/** Offsets of one partition. */
export interface OffsetRange {
  readonly firstOffset: number;
  readonly lastOffset: number;
}

/** What a share consumer tells as it happens. Listeners are not awaited. */
export interface ShareConsumerEvents {
  /** The group state changed. A share group does not rebalance: nothing is ever given up in good order. */
  readonly state: { readonly state: GroupState; readonly previous: GroupState };
  /** The partitions this member reads now, all of them. Other members may read the same ones. */
  readonly assigned: { readonly partitions: readonly TopicPartition[] };
  /** The broker has taken these verdicts. */
  readonly acknowledged: TopicPartition & { readonly ranges: readonly AcknowledgedRange[] };
  /** The broker has not taken these verdicts, or may not have: the records are delivered again. */
  readonly acknowledgeFailed: TopicPartition & {
    readonly ranges: readonly AcknowledgedRange[];
    readonly error: KrafkaError;
  };
  /** No verdict was said in time: the records may be delivered to others. `handedOut`: a handler still has them. */
  readonly lockExpired: TopicPartition & { readonly ranges: readonly OffsetRange[]; readonly handedOut: boolean };
  /** A broker has dropped the share session, and with it every lock: `records` were held. It is opened anew. */
  readonly sessionLost: { readonly broker: number; readonly records: number; readonly error: KrafkaError };
  /** A handler given to `run` failed; what became of the record is the option `onError`. */
  readonly handlerFailed: { readonly error: KrafkaHandlerError };
  /** A batch can't be read (corrupt, or of an unknown codec): its records were released. */
  readonly unreadable: TopicPartition & { readonly ranges: readonly OffsetRange[]; readonly error: KrafkaError };
  /**
   * One partition can't be read, e.g. for lack of the right to. It is tried again, every 30 seconds. Where nobody
   * listens this is fatal to the consumer, so that it is never silent.
   */
  readonly partitionFailed: TopicPartition & { readonly error: KrafkaError };
  /** The consumer can't go on. `run()`, `start()` and iterators reject with the same error. */
  readonly fatal: { readonly error: KrafkaError };
  /** Everything is handed back. */
  readonly closed: Record<never, never>;
}
