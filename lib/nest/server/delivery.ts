import type { Consumer, HandlerContext } from '../../core/consumer/index.js';
import type { Producer } from '../../core/producer/index.js';
import type { ConsumerRecord } from '../../core/protocol/index.js';
import type { Ports } from '../../core/support/index.js';
import type { DeadLetters } from '../failure-policy/dead-letters.js';
import type { Payloads } from '../wire/payloads.js';
import type { CommitMode } from './handler-options.js';
import type { ProcessingHooks } from './processing-hooks.js';
import type { OpenStreams } from './streams.js';

/** What became of deliveries that did not go well. Counts since the server was made. */
export interface DeliveryCounts {
  /** Calls of handlers in place, after a failure. */
  retries: number;
  /** Events that went to a retry topic. */
  retriedLater: number;
  /** Events that a policy left out. */
  skipped: number;
  deadLetters: number;
  /** Requests that were not worked on, or whose streams were ended, because whoever asked waits no longer. */
  lateRequests: number;
  /** Records that no handler of their topic was for. */
  unmatched: number;
}

/** A failure of an event handler, and what was done about it. */
export interface HandlerFailure {
  readonly groupId: string;
  /** The method, e.g. `Orders.placed`. */
  readonly handler: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Which call of the handler with this record it was. */
  readonly attempt: number;
  /** What the handler threw, whatever that is. */
  readonly error: unknown;
  readonly outcome: 'retry' | 'retry-topic' | 'dead-letter' | 'skip' | 'stop';
}

/** What delivering the records of one group to handlers needs. */
export interface Delivery {
  readonly groupId: string;
  readonly consumer: Consumer;
  readonly producer: Producer;
  readonly ports: Ports;
  readonly commitMode: CommitMode;
  /** What becomes of a record that no handler of its topic is for. */
  readonly unmatched: 'skip' | 'dead-letter';
  readonly deadLetters: Pick<DeadLetters, 'publish' | 'retryLater'>;
  readonly counts: DeliveryCounts;
  /** How bytes become what handlers are given, and answers become bytes. */
  readonly payloads: Payloads;
  /** How long after its deadline a request is still worked on; undefined for ever. */
  readonly lateRequestGraceMs: number | undefined;
  /** Told of each failure of an event handler. */
  readonly onFailed: (failure: HandlerFailure) => void;
  /** As they are now: instrumentation may set them late. */
  hooks(): ProcessingHooks;
  /** Keeps work in mind that goes on after its record is done: closing waits for it, within its bound. */
  track(work: Promise<void>): void;
  /** Keeps streams in mind that handlers returned: closing lets them go, once it waits no longer. */
  readonly streams: OpenStreams;
  /** Why offsets of a topic can't be committed by a transaction of one handler, where they can't. */
  offsetObstacle(topic: string): string | undefined;
  /** Whether a handler in another group of this application answers this request. */
  isAnswered(record: ConsumerRecord): boolean;
}

/** How long a partition is this consumer's. */
export type Tenure = Pick<HandlerContext, 'signal'>;

/** How messages name a record. */
export const whereIs = (record: Pick<ConsumerRecord, 'topic' | 'partition' | 'offset'>): string =>
  `${record.topic}[${record.partition}]@${record.offset}`;
