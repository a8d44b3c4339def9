import type { GroupState } from './consumer-events.js';
import type { TopicPartition } from './topic-partition.js';

/** One assigned partition at a glance. */
export interface PartitionStats extends TopicPartition {
  /** `resolving`: where to begin is being asked; `failed`: waits for a `seek()`. */
  readonly state: 'resolving' | 'validating' | 'reading' | 'failed';
  readonly paused: boolean;
  /** A handler answered with a `nack`: the partition stands still until its record comes again. */
  readonly held: boolean;
  /** The next record to be handed out; undefined while `resolving`. */
  readonly position: number | undefined;
  /** How many records there are behind the position; undefined before the first fetch. */
  readonly lag: number | undefined;
  /** Bytes read ahead. */
  readonly bufferedBytes: number;
  /** How long the handler that is under way has taken so far, the longest of them; undefined when there is none. */
  readonly handlingMs: number | undefined;
  /** The offset that handler was called with. */
  readonly handlingOffset: number | undefined;
}

/** A handler that has been called long ago and has not ended. */
export interface StuckHandler extends TopicPartition {
  /** The record it was called with, or the first of its batch that is not resolved. */
  readonly offset: number;
  readonly handlingMs: number;
}

/** A consumer's numbers at one moment. Counters grow from the start of the consumer. */
export interface ConsumerStats {
  readonly groupState: GroupState;
  readonly partitions: readonly PartitionStats[];
  /** Handlers that have taken longer than `stuckAfterMs`. Other partitions go on meanwhile. */
  readonly stuck: readonly StuckHandler[];
  /**
   * The share of the time in which no handler was under way and no record was there to be handed out, from 0 to 1: near
   * 0 says that handlers are what holds this consumer up. 1 while nobody consumes.
   */
  readonly idleRatio: number;
  /** Records whose key or value a deserializer could not read. */
  readonly undecodable: number;
  /** Bytes read ahead, of all partitions. */
  readonly bufferedBytes: number;
  /** Fetch requests sent. */
  readonly fetches: number;
  /** Of those, how many named only what had changed (KIP-227). */
  readonly incrementalFetches: number;
  /** How often a broker had forgotten a fetch session, or a fetch failed, and all was named anew. */
  readonly sessionResets: number;
  /** Partition entries in all fetch requests: what incremental sessions save. */
  readonly fetchedEntries: number;
  /** Bytes of all fetch requests: a steady one is some 60, however many partitions there are. */
  readonly requestBytes: number;
  /** Bytes of record batches received. */
  readonly receivedBytes: number;
  /** ListOffsets requests sent. */
  readonly offsetLookups: number;
  /** OffsetCommit requests sent. */
  readonly commits: number;
  /** Rebalances this member took part in. */
  readonly rebalances: number;
}
