import { KrafkaError } from '../../support/index.js';

/** A handler given to `run` failed. The offset is not committed: whoever gets the partition next is given it again. */
export class KrafkaHandlerError extends KrafkaError {
  readonly topic: string;
  readonly partition: number;
  /** The first offset that is not done. */
  readonly offset: number;

  constructor(place: { readonly topic: string; readonly partition: number; readonly offset: number }, cause: unknown) {
    const problem = cause instanceof Error ? cause.message : String(cause);
    super(
      `the handler failed at topic '${place.topic}' partition ${place.partition} offset ${place.offset}: ${problem}`,
      {
        code: 'HANDLER_FAILED',
        cause,
      },
    );
    this.topic = place.topic;
    this.partition = place.partition;
    this.offset = place.offset;
  }
}
