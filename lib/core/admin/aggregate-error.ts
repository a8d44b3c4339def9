import { KrafkaError } from '../support/index.js';

const SEVERAL = 'SEVERAL';

/**
 * Several things went wrong in one call; `errors` has each of them, in the order in which they were asked for. What is
 * not among them succeeded. `code` is theirs when they share one, else `SEVERAL`.
 */
export class KrafkaAggregateError extends KrafkaError {
  readonly errors: readonly KrafkaError[];

  /** `what` says what failed, as in '2 of 3 topics could not be created'. */
  constructor(what: string, errors: readonly KrafkaError[]) {
    super(`${what}: ${errors.map((error) => error.message).join('; ')}`, {
      code: errors.every(({ code }) => code === errors[0]?.code) ? (errors[0]?.code ?? SEVERAL) : SEVERAL,
      retriable: errors.every((error) => error.retriable),
      cause: errors[0],
    });
    this.errors = Object.freeze([...errors]);
  }
}
