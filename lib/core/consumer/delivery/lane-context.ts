import type { HandledRecord, HandlerContext } from '../handlers.js';

/** What the lane of a partition gives its handler along with every record. */
export class LaneContext implements HandlerContext {
  readonly signal: AbortSignal;
  readonly #commit: (record: HandledRecord) => Promise<void>;

  constructor(signal: AbortSignal, commit: (record: HandledRecord) => Promise<void>) {
    this.signal = signal;
    this.#commit = commit;
  }

  /** An own function, so that it may be taken out of the context. */
  readonly commit = (record: HandledRecord): Promise<void> => this.#commit(record);
}
