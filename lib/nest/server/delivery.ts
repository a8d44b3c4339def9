import type { Consumer } from '../../core/consumer/index.js';
import type { Producer } from '../../core/producer/index.js';
import type { Ports } from '../../core/support/index.js';
import type { DeadLetters } from '../failure-policy/dead-letters.js';
import type { FailurePolicy } from '../failure-policy/failure-policy.js';
import type { Payloads } from '../wire/payloads.js';
import type { ProcessingHooks } from './processing-hooks.js';

/** What became of deliveries that did not go well. Counts since the server was made. */
export interface DeliveryCounts {
  retries: number;
  skipped: number;
  deadLetters: number;
  /** Requests that were not worked on, or whose streams were ended, because whoever asked waits no longer. */
  lateRequests: number;
}

/** What delivering the records of one group to handlers needs. */
export interface Delivery {
  readonly groupId: string;
  readonly consumer: Consumer;
  readonly producer: Producer;
  readonly ports: Ports;
  /** What holds where a handler has no policy of its own. */
  readonly onFailure: FailurePolicy;
  readonly deadLetters: Pick<DeadLetters, 'publish'>;
  readonly counts: DeliveryCounts;
  /** How bytes become what handlers are given, and answers become bytes. */
  readonly payloads: Payloads;
  /** How long after its deadline a request is still worked on; undefined for ever. */
  readonly lateRequestGraceMs: number | undefined;
  /** As they are now: instrumentation may set them late. */
  hooks(): ProcessingHooks;
  /** Keeps work in mind that goes on after its record is done: closing waits for it, within its bound. */
  track(work: Promise<void>): void;
}
