import type { KrafkaError } from '../support/index.js';
import type { TopicPartition, TopicPartitionOffset } from './topic-partition.js';

/** Where a member of a group stands. A consumer without a group is always `unjoined`. */
export type GroupState = 'unjoined' | 'joining' | 'stable' | 'rebalancing' | 'leaving' | 'left' | 'fatal';

/** What a consumer tells as it happens. Listeners are not awaited: the `rebalanceListener` option is. */
export interface ConsumerEvents {
  /** The group state changed. */
  readonly state: { readonly state: GroupState; readonly previous: GroupState };
  /** A rebalance begins, and why. */
  readonly rebalancing: { readonly reason: string };
  /** Partitions are this consumer's. */
  readonly assigned: { readonly partitions: readonly TopicPartition[] };
  /** Partitions were given up in good order. */
  readonly revoked: { readonly partitions: readonly TopicPartition[] };
  /** Partitions were taken away: another member may have them already. */
  readonly lost: { readonly partitions: readonly TopicPartition[] };
  /**
   * A position was moved by `offsetReset`, or to where a log was cut off: records may be skipped or come again. The
   * commit follows once what handlers have in hand is done.
   */
  readonly reset: TopicPartition & {
    readonly reason: 'no committed offset' | 'out of range' | 'truncated';
    /** The position it had, where it had one. */
    readonly from: number | undefined;
    readonly to: number;
  };
  /** How far a partition's position is behind its end: told once a second while it changes. */
  readonly lag: TopicPartition & { readonly lag: number; readonly endOffset: number };
  /** The group holds these offsets now. */
  readonly committed: { readonly offsets: readonly TopicPartitionOffset[] };
  /** A commit failed; one that is `retriable` is tried again. */
  readonly commitFailed: { readonly error: KrafkaError };
  /**
   * One partition can't be read on (a corrupt batch, no right to read it, an offset out of range with nothing to fall
   * back on) and waits for a `seek()`. Where nobody listens this is fatal to the consumer, so that it is never silent.
   */
  readonly partitionFailed: TopicPartition & { readonly error: KrafkaError };
  /** A key or value that its deserializer can't read; `onUndecodable` says what becomes of the record. */
  readonly undecodable: TopicPartition & { readonly offset: number; readonly error: KrafkaError };
  /** The consumer can't go on. `run()`, `start()` and iterators reject with the same error. */
  readonly fatal: { readonly error: KrafkaError };
  /** Everything is handed back. */
  readonly closed: Record<never, never>;
}
