import { isObservable } from 'rxjs';
import type { ConsumerRecord } from '../../core/protocol/index.js';
import { sleep } from '../../core/support/index.js';
import { originalError } from '../failure-policy/original-error.js';
import type { RetryLetter } from '../failure-policy/retry-letter.js';
import { judge } from '../failure-policy/verdict.js';
import { isPromise } from '../wire/payloads.js';
import type { Delivery, Tenure } from './delivery.js';
import { payloadOf } from './payload.js';
import { giveUp, tellOfRetry } from './giving-up.js';
import type { Handler } from './handler-registry.js';
import { KrafkaContext } from './krafka-context.js';
import { betweenHooks } from './processing-hooks.js';
import { completion } from './streams.js';

/**
 * Calls every event handler of a record, each on its own: one that fails is called again, or given up, without the others.
 *
 * Resolves when the record is done with all of them: with true when one has handled it, with false when all gave it up.
 * Rejects when the record is not done: because it was taken away, or a policy says stop.
 *
 * Hot: guarded by `npm run bench -- events`.
 */
export function deliverEvent(
  delivery: Delivery,
  handlers: readonly Handler[],
  record: ConsumerRecord,
  partition: Tenure,
): Promise<boolean> {
  return handlers.length === 1
    ? deliverTo(delivery, handlers[0] as Handler, record, partition)
    : isOneOf(handlers.map((handler) => deliverTo(delivery, handler, record, partition)));
}

const isOneOf = async (deliveries: readonly Promise<boolean>[]): Promise<boolean> =>
  (await allOf(deliveries)).includes(true);

/** Waits for all of them, whatever becomes of some. Rejects as the first that did. */
export async function allOf<Outcome>(deliveries: readonly Promise<Outcome>[]): Promise<Outcome[]> {
  await Promise.allSettled(deliveries);
  return Promise.all(deliveries);
}

/** Calls one handler until it has handled the record (true) or it is given up (false); `letter` is what a retry topic says of it. */
export async function deliverTo(
  delivery: Delivery,
  handler: Handler,
  record: ConsumerRecord,
  partition: Tenure,
  letter?: RetryLetter,
): Promise<boolean> {
  let failures = 0;
  for (let attempt = 1 + (letter?.attempts ?? 0); ; attempt++) {
    const context = new KrafkaContext(delivery, record, partition, attempt);
    let waitMs: number;
    try {
      await callEvent(delivery, handler, record, context);
      if (context.nackedMs === undefined) return true;
      waitMs = context.nackedMs;
    } catch (outcome) {
      // Whoever gets the partition next gets the record too.
      partition.signal.throwIfAborted();
      if (context.nackedMs === undefined) {
        failures += 1;
        const error = originalError(context, outcome);
        const verdict = judge(handler.policy, failures, error, delivery.ports.random, letter?.hop);
        const defeat = { handler, record, attempt, error, letter };
        if (verdict.kind !== 'retry') {
          await giveUp(delivery, partition, defeat, verdict);
          return false;
        }
        waitMs = verdict.afterMs;
        tellOfRetry(delivery, defeat, waitMs);
      } else waitMs = context.nackedMs;
    }
    await sleep(delivery.ports.clock, waitMs, partition.signal);
  }
}

/** One call of one handler, settled as what it returned settles. */
async function callEvent(
  delivery: Delivery,
  handler: Handler,
  record: ConsumerRecord,
  context: KrafkaContext,
): Promise<void> {
  const hooks = delivery.hooks();
  if (hooks.onStart !== undefined || hooks.onEnd !== undefined) {
    return betweenHooks(hooks, context, async (end) => {
      const payload = payloadOf(delivery, record);
      const result: unknown = await handler.callback(isPromise(payload) ? await payload : payload, context);
      if (isObservable(result)) await completion(result, delivery.streams, delivery.ports.logger);
      end();
    });
  }
  const payload = payloadOf(delivery, record);
  const result: unknown = await handler.callback(isPromise(payload) ? await payload : payload, context);
  if (result !== undefined && isObservable(result)) await completion(result, delivery.streams, delivery.ports.logger);
}
