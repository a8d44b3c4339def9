import type { ConsumerRecord } from '../../core/protocol/index.js';
import { KrafkaError } from '../../core/support/index.js';
import { messageOf } from '../failure-policy/describe-error.js';
import { placeOf } from '../failure-policy/original-place.js';
import type { RetryLetter } from '../failure-policy/retry-letter.js';
import type { Verdict } from '../failure-policy/verdict.js';
import { whereIs, type Delivery, type HandlerFailure, type Tenure } from './delivery.js';
import type { Handler } from './handler-registry.js';

/** A handler's failure with one record. */
export interface Defeat {
  readonly handler: Handler;
  readonly record: ConsumerRecord;
  /** Which call of the handler with this record it was. */
  readonly attempt: number;
  readonly error: unknown;
  /** What the retry topic that the record came from says of it. */
  readonly letter: RetryLetter | undefined;
}

/** A failure that is not followed by another call at once. */
export type FinalVerdict = Exclude<Verdict, { kind: 'retry' }>;

/** Notes that a handler is called again after `afterMs`. */
export function tellOfRetry(delivery: Delivery, defeat: Defeat, afterMs: number): void {
  delivery.counts.retries += 1;
  report(delivery, defeat, 'retry');
  tell(delivery, 'warn', `an event handler failed and is called again in ${afterMs} ms`, defeat);
}

/**
 * Does what the verdict says with a record that its handler failed with. Resolves when the record is done: what is written
 * elsewhere is acknowledged.
 *
 * @throws KrafkaError `HANDLER_FAILED` when the policy says stop
 */
export async function giveUp(
  delivery: Delivery,
  partition: Tenure,
  defeat: Defeat,
  verdict: FinalVerdict,
): Promise<void> {
  const { record, error, attempt, letter, handler } = defeat;
  const place = letter?.place ?? placeOf(record);
  const groupId = letter?.groupId ?? delivery.groupId;
  report(delivery, defeat, verdict.kind);
  switch (verdict.kind) {
    case 'skip':
      tell(delivery, 'error', `an event is left out: ${verdict.because}`, defeat);
      delivery.counts.skipped += 1;
      break;
    case 'stop':
      throw new KrafkaError(
        `an event handler of ${whereIs(record)} failed, ${verdict.because}, and its policy is to stop: ${messageOf(error)}`,
        { code: 'HANDLER_FAILED', cause: error },
      );
    case 'retry-topic': {
      tell(delivery, 'warn', `an event goes to its retry topic ${verdict.hop} for ${verdict.afterMs} ms`, defeat);
      const dueAt = delivery.ports.clock.now() + verdict.afterMs;
      const next = { place, groupId, handler: handler.name, hop: verdict.hop, attempts: attempt, dueAt };
      const wentTo = await delivery.deadLetters.retryLater(record, next, error, partition.signal);
      delivery.counts[wentTo === 'retry-topic' ? 'retriedLater' : 'deadLetters'] += 1;
      break;
    }
    case 'dead-letter':
      tell(delivery, 'error', `an event goes to its dead-letter topic: ${verdict.because}`, defeat);
      await delivery.deadLetters.publish(record, { groupId, error, place }, partition.signal);
      delivery.counts.deadLetters += 1;
  }
}

function report(
  delivery: Delivery,
  { handler, record, attempt, error }: Defeat,
  outcome: HandlerFailure['outcome'],
): void {
  const { topic, partition, offset } = record;
  delivery.onFailed({
    groupId: delivery.groupId,
    handler: handler.name,
    topic,
    partition,
    offset,
    attempt,
    error,
    outcome,
  });
}

function tell(delivery: Delivery, level: 'warn' | 'error', message: string, defeat: Defeat): void {
  const { record, attempt, error, handler } = defeat;
  delivery.ports.logger[level](message, {
    record: whereIs(record),
    handler: handler.name,
    attempt,
    error: messageOf(error),
  });
}
