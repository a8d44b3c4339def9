import { Transport, type MessageHandler } from '@nestjs/microservices';
import type { Consumer, HandlerContext } from '../../core/consumer/index.js';
import type { Producer, ProducerRecord, SendOptions } from '../../core/producer/index.js';
import { seededRandom, type LogDetails, type Logger } from '../../core/support/index.js';
import { DEFAULT_FAILURE_POLICY, failurePolicy, type FailureOptions } from '../failure-policy/failure-policy.js';
import type { RetryLetter } from '../failure-policy/retry-letter.js';
import type { Delivery, HandlerFailure } from '../server/delivery.js';
import type { Handler } from '../server/handler-registry.js';
import { InFlight } from '../server/in-flight.js';
import { Payloads } from '../wire/payloads.js';
import { HandClock } from './hand-clock.js';

/** A producer that keeps what it is given, and fails when told to. */
export class KeepingProducer {
  readonly sent: ProducerRecord[] = [];
  readonly options: (SendOptions | undefined)[] = [];
  /** Called with each record before it is kept; what it throws is the outcome. */
  before: (record: ProducerRecord) => void | Promise<void> = () => undefined;

  async send(record: ProducerRecord, options?: SendOptions): Promise<never> {
    await this.before(record);
    this.sent.push(record);
    this.options.push(options);
    return {
      topic: record.topic,
      partition: record.partition ?? 0,
      offset: this.sent.length - 1,
      timestamp: 0,
    } as never;
  }
}

/** A logger that keeps what it is told, one line each. */
export class KeepingLogger implements Logger {
  readonly lines: string[] = [];
  readonly details: (LogDetails | undefined)[] = [];

  debug = (message: string, details?: LogDetails): void => this.#keep('debug', message, details);
  info = (message: string, details?: LogDetails): void => this.#keep('info', message, details);
  warn = (message: string, details?: LogDetails): void => this.#keep('warn', message, details);
  error = (message: string, details?: LogDetails): void => this.#keep('error', message, details);

  #keep(level: string, message: string, details: LogDetails | undefined): void {
    this.lines.push(`${level} ${message}`);
    this.details.push(details);
  }
}

/** A {@link Delivery} whose parts a test can look into. */
export function aDelivery(changes: Partial<Delivery> = {}) {
  const clock = new HandClock();
  const producer = new KeepingProducer();
  const logger = new KeepingLogger();
  const deadLetters: unknown[] = [];
  const tracked: Promise<void>[] = [];
  const retries: RetryLetter[] = [];
  const failures: HandlerFailure[] = [];
  const streams = new InFlight();
  const delivery: Delivery = {
    groupId: 'group',
    consumer: {} as Consumer,
    producer: producer as unknown as Producer,
    ports: { clock, random: seededRandom(1), logger },
    commitMode: 'auto',
    unmatched: 'skip',
    deadLetters: {
      publish: async (record, { error }) => {
        deadLetters.push({ offset: record.offset, error });
      },
      retryLater: async (_record, letter) => {
        retries.push(letter);
        return 'retry-topic';
      },
    },
    counts: { retries: 0, retriedLater: 0, skipped: 0, deadLetters: 0, lateRequests: 0, unmatched: 0 },
    onFailed: (failure) => void failures.push(failure),
    isAnswered: () => false,
    payloads: new Payloads(),
    lateRequestGraceMs: 1_000,
    offsetObstacle: () => undefined,
    hooks: () => ({ transportId: Transport.KAFKA, onStart: undefined, onEnd: undefined }),
    track: (work) => void tracked.push(work),
    streams,
    ...changes,
  };
  return {
    delivery,
    clock,
    producer,
    logger,
    deadLetters,
    retries,
    failures,
    settled: () => Promise.all(tracked),
    /** What closing does when it waits no longer. */
    letGo: () => streams.drain(clock, 0),
  };
}

/** A handler as Nest registers it. */
export const aHandler = (
  callback: MessageHandler,
  onFailure?: FailureOptions,
  changes: Partial<Handler> = {},
): Handler => ({
  kind: 'event',
  pattern: 'orders',
  callback,
  name: 'Orders.placed',
  policy: failurePolicy(onFailure, DEFAULT_FAILURE_POLICY),
  when: undefined,
  concurrency: undefined,
  commitMode: undefined,
  batch: undefined,
  ...changes,
});

/** What a consumer gives beside a record, and a way to take the partition away. */
export function aPartition(): HandlerContext & { revoke(): void } {
  const controller = new AbortController();
  return {
    signal: controller.signal,
    commit: () => Promise.resolve(),
    revoke: () => controller.abort(new Error('the partition was taken away')),
  };
}
