import type { KrafkaError, Ports } from '../../support/index.js';
import type { AssignedPartition } from '../assigned-partition.js';
import type { UnderWay } from './lane.js';

/** A place in a partition that is handed out again, unless the position has been moved since by somebody else. */
export interface Return {
  readonly offset: number;
  readonly leaderEpoch: number;
  /** The one it was handed out on. */
  readonly timeline: number;
  /** What was read ahead goes on right behind the place: it need not be fetched again. */
  readonly isReadAhead: boolean;
}

/** What a way of consuming asks of the consumer. */
export interface DeliveryHost {
  readonly ports: Ports;
  /** A batch was taken from the partition's buffer: there may be room for more. */
  onTaken(partition: AssignedPartition): void;
  /** A batch of the partition can't be read. */
  onCorrupt(partition: AssignedPartition, error: KrafkaError): void;
  /** The partition is to be handed out again from a place on, after a while. */
  onNack(partition: AssignedPartition, from: Return, delayMs: number): void;
  /** The record there can't be read, and its partition not go on: it is where reading would go on after a `seek()`. */
  onUndecodable(partition: AssignedPartition, from: Return, error: KrafkaError): void;
  /** Commits what is done of the partition. */
  commit(partition: AssignedPartition): Promise<void>;
  /** A handler failed: the consumer can't go on. */
  onHandlerFailed(error: KrafkaError): void;
}

/** A way of consuming: hands records out, and notes what is done. */
export interface Delivery {
  /** Hands out records of the partition from now on. */
  add(partition: AssignedPartition): void;
  /** The partition may have something to hand out: data arrived, it was resumed, sought. */
  ready(partition: AssignedPartition): void;
  /** Hands out nothing more of the partition; resolves when nothing of it is being handled. */
  remove(partition: AssignedPartition): Promise<void>;
  /** What of a partition is being handled, the oldest of it where there is more than one. */
  underWay(partition: AssignedPartition): UnderWay | undefined;
  /** The share of the time so far in which there was nothing to hand out and nothing being handled, from 0 to 1. */
  readonly idleRatio: number;
  /** The consumer is closed, or has failed with this error: nothing more is handed out. The first word stands. */
  end(error: KrafkaError | undefined): void;
}
