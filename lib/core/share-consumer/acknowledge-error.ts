import { KrafkaError } from '../support/index.js';
import type { AcknowledgeFailure } from './acknowledgement-outbox.js';

/** Brokers did not take verdicts, or may not have: the records are delivered again. `failures` names them all. */
export class KrafkaAcknowledgeError extends KrafkaError {
  readonly failures: readonly AcknowledgeFailure[];

  constructor(failures: readonly AcknowledgeFailure[]) {
    const [first] = failures;
    const more = failures.length > 1 ? `, and ${failures.length - 1} more` : '';
    super(`acknowledgements were not taken: ${first?.error.message}${more}`, {
      code: 'ACKNOWLEDGE_FAILED',
      cause: first?.error,
    });
    this.failures = failures;
  }
}
