import type { KrafkaError } from '../support/index.js';

/** A way of consuming: hands records out, and says what becomes of those on which nothing was said. */
export interface ShareDelivery {
  /** There may be a record to hand out. */
  ready(): void;
  /** Hands out nothing more. */
  stop(): void;
  /** Resolves when nothing is being handled. */
  drained(): Promise<void>;
  /** The consumer is closed, or has failed with this error. The first word stands. */
  finish(error: KrafkaError | undefined): void;
  /** Nobody asks any more: another way of consuming may take this one's place. */
  readonly isLeft: boolean;
}
