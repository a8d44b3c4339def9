import type { Identity } from './partition-sequences.js';

/** Where the identity comes from that batches are stamped with. */
export interface SequenceAuthority {
  /** Undefined while there is none: nothing is stamped. */
  readonly current: Identity | undefined;
  /** Sees to it that there will be one. */
  ask(): void;
  /** The next one, under which a partition's numbers start again; undefined when it is not to be had now. */
  raise(): Identity | undefined;
  close(): void;
}
