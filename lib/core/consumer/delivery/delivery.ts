import type { KrafkaError, Ports } from '../../support/index.js';
import type { AssignedPartition } from '../assigned-partition.js';

/** What a way of consuming asks of the consumer. */
export interface DeliveryHost {
  readonly ports: Ports;
  /** A batch was taken from the partition's buffer: there may be room for more. */
  onTaken(partition: AssignedPartition): void;
  /** A batch of the partition can't be read. */
  onCorrupt(partition: AssignedPartition, error: KrafkaError): void;
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
  /** How long the handler of a partition that is under way has taken; undefined when there is none. */
  handlingMs(partition: AssignedPartition): number | undefined;
  /** The consumer is closed, or has failed with this error: nothing more is handed out. The first word stands. */
  end(error: KrafkaError | undefined): void;
}
