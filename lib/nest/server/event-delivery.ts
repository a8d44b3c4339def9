import { isObservable, type Observable } from 'rxjs';
import type { HandlerContext } from '../../core/consumer/index.js';
import type { ConsumerRecord } from '../../core/protocol/index.js';
import { KrafkaError, sleep } from '../../core/support/index.js';
import { messageOf } from '../failure-policy/dead-letter.js';
import { failurePolicy, type FailurePolicy } from '../failure-policy/failure-policy.js';
import { originalError } from '../failure-policy/original-error.js';
import { judge } from '../failure-policy/verdict.js';
import { isPromise } from '../wire/payloads.js';
import type { Delivery } from './delivery.js';
import type { Handler } from './handler-registry.js';
import { KrafkaContext } from './krafka-context.js';
import { betweenHooks } from './processing-hooks.js';

/**
 * Calls every event handler of a record, each on its own: one that fails is called again, or given up, without the others.
 *
 * Resolves when the record is done with all of them: with true when each has handled it, with false when one was given up.
 * Rejects when the record is not done: because it was taken away, or a policy says stop.
 */
export async function deliverEvent(
  delivery: Delivery,
  handlers: readonly Handler[],
  record: ConsumerRecord,
  partition: HandlerContext,
): Promise<boolean> {
  const [only] = handlers;
  if (handlers.length === 1 && only !== undefined) return deliverTo(delivery, only, record, partition);
  const outcomes = await Promise.allSettled(handlers.map((handler) => deliverTo(delivery, handler, record, partition)));
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return outcomes.every((outcome) => outcome.status === 'fulfilled' && outcome.value);
}

async function deliverTo(
  delivery: Delivery,
  handler: Handler,
  record: ConsumerRecord,
  partition: HandlerContext,
): Promise<boolean> {
  const { clock, random } = delivery.ports;
  for (let attempt = 1; ; attempt++) {
    const context = new KrafkaContext(delivery, record, partition, attempt);
    try {
      await callEvent(delivery, handler, record, context);
      return true;
    } catch (outcome) {
      // Whoever gets the partition next gets the record too.
      partition.signal.throwIfAborted();
      const error = originalError(context, outcome);
      const policy = failurePolicy(handler.onFailure, delivery.onFailure);
      const verdict = judge(policy, attempt, error, random);
      if (verdict.kind !== 'retry') {
        await giveUp(delivery, record, partition, { error, attempt, ...verdict });
        return false;
      }
      tell(
        delivery,
        'warn',
        `an event handler failed and is called again in ${verdict.afterMs} ms`,
        record,
        attempt,
        error,
      );
      delivery.counts.retries += 1;
      await sleep(clock, verdict.afterMs, partition.signal);
    }
  }
}

/** One call of one handler, settled as what it returned settles. */
const callEvent = (
  delivery: Delivery,
  handler: Handler,
  record: ConsumerRecord,
  context: KrafkaContext,
): Promise<void> =>
  betweenHooks(delivery.hooks(), context, async (end) => {
    const payload = delivery.payloads.decode(record);
    const result: unknown = await handler.callback(isPromise(payload) ? await payload : payload, context);
    if (isObservable(result)) await completion(result);
    end();
  });

const completion = (stream: Observable<unknown>): Promise<void> =>
  new Promise((resolve, reject) => {
    stream.subscribe({ complete: resolve, error: reject });
  });

interface Defeat {
  readonly kind: FailurePolicy['then'];
  readonly because: string;
  readonly error: unknown;
  readonly attempt: number;
}

async function giveUp(
  delivery: Delivery,
  record: ConsumerRecord,
  partition: HandlerContext,
  defeat: Defeat,
): Promise<void> {
  const { kind, because, error, attempt } = defeat;
  switch (kind) {
    case 'skip':
      tell(delivery, 'error', `an event is left out: ${because}`, record, attempt, error);
      delivery.counts.skipped += 1;
      return;
    case 'stop':
      throw new KrafkaError(
        `an event handler of ${whereIs(record)} failed, ${because}, and its policy is to stop: ${messageOf(error)}`,
        { code: 'HANDLER_FAILED', cause: error },
      );
    case 'dead-letter':
      tell(delivery, 'error', `an event goes to its dead-letter topic: ${because}`, record, attempt, error);
      await delivery.deadLetters.publish(record, { groupId: delivery.groupId, error }, partition.signal);
      delivery.counts.deadLetters += 1;
  }
}

function tell(
  delivery: Delivery,
  level: 'warn' | 'error',
  message: string,
  record: ConsumerRecord,
  attempt: number,
  error: unknown,
): void {
  delivery.ports.logger[level](message, { record: whereIs(record), attempt, error: messageOf(error) });
}

const whereIs = (record: ConsumerRecord): string => `${record.topic}[${record.partition}]@${record.offset}`;
