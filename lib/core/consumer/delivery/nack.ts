import { KrafkaConfigError } from '../../support/index.js';

const LONGEST_MS = 2 ** 31 - 1;

/**
 * What a handler returns when what it was given is to come again: see {@link nack}.
 */
export class Nack {
  /** How long to wait before it comes again, in milliseconds. */
  readonly delayMs: number;

  /** @throws KrafkaConfigError when the delay is none */
  constructor(delayMs: number) {
    if (!Number.isFinite(delayMs) || delayMs < 0 || delayMs > LONGEST_MS) {
      throw new KrafkaConfigError('delayMs', `must be milliseconds from 0 to ${LONGEST_MS}`);
    }
    this.delayMs = delayMs;
  }
}

/**
 * The answer of a handler that wants its record again, `delayMs` later: `return nack(5_000)`. It is not an error.
 *
 * With `by: 'partition'` the record's partition stands still meanwhile, and nothing that was read ahead of it is kept;
 * with `by: 'key'` only records of the same key wait, with `by: 'none'` nothing does. A batch handler gets what it did
 * not `resolve` again. No handler is under way meanwhile, so a rebalance does not wait; nothing from the record on is
 * committed.
 */
export const nack = (delayMs: number): Nack => new Nack(delayMs);
