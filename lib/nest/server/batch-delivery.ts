import { isObservable } from 'rxjs';
import type { BatchHandler } from '../../core/consumer/index.js';
import type { ConsumerRecord } from '../../core/protocol/index.js';
import { sleep } from '../../core/support/index.js';
import { originalError } from '../failure-policy/original-error.js';
import type { RetryLetter } from '../failure-policy/retry-letter.js';
import { judge } from '../failure-policy/verdict.js';
import { isPromise } from '../wire/payloads.js';
import type { Delivery, Tenure } from './delivery.js';
import { allOf } from './event-delivery.js';
import { giveUp, tellOfRetry } from './giving-up.js';
import type { Handler, HandlerRegistry } from './handler-registry.js';
import { KrafkaBatchContext } from './krafka-batch-context.js';
import { PartitionCommits } from './partition-commits.js';
import { payloadOf } from './payload.js';
import { betweenHooks } from './processing-hooks.js';
import { isFor } from './record-condition.js';
import { completion } from './streams.js';
import { deliverUnmatched } from './unmatched.js';

/**
 * Hands batches to the batch handlers of their topic. Nobody answers a request among them.
 *
 * A batch whose handler fails is tried again whole, as its policy says. When that does not help its records are handed out
 * one by one, so that only those the handler can't do are given up. Hot: guarded by `npm run bench -- events`.
 */
export const dispatchBatchesTo =
  (registry: HandlerRegistry, delivery: Delivery): BatchHandler =>
  async ({ topic, records, signal, resolve }) => {
    const handlers = registry.of(topic);
    if (handlers === undefined) return;
    const { batches, routed } = handlers;
    const [only] = batches;
    const partition = { signal };
    let handled: readonly (readonly ConsumerRecord[])[];
    if (batches.length === 1 && !routed && only !== undefined) {
      handled = [await deliverBatchTo(delivery, only, records, partition, undefined, resolve)];
    } else {
      handled = await allOf(batches.map((handler) => deliverMatching(delivery, handler, records, partition)));
      if (routed) await leaveUnmatched(delivery, batches, records, partition);
    }
    if (delivery.commitMode === 'manual') await commitLeftOut(delivery, records, new Set(handled.flat()), partition);
  };

// Handlers that commit by themselves do so for what they have handled. What none of them has is done without them.
async function commitLeftOut(
  { consumer }: Delivery,
  records: readonly ConsumerRecord[],
  handled: ReadonlySet<ConsumerRecord>,
  partition: Tenure,
): Promise<void> {
  const commits = PartitionCommits.of(partition);
  let isLeftOut = false;
  for (const record of records) {
    const wasLeftOut = isLeftOut;
    isLeftOut = !handled.has(record);
    if (isLeftOut) commits.leftOut(record);
    else {
      if (wasLeftOut) await commits.settle(consumer);
      commits.handled(record);
    }
  }
  if (isLeftOut) await commits.settle(consumer);
}

const NONE: readonly ConsumerRecord[] = [];

const deliverMatching = (
  delivery: Delivery,
  handler: Handler,
  records: readonly ConsumerRecord[],
  partition: Tenure,
): Promise<readonly ConsumerRecord[]> => {
  const meant = records.filter((record) => isFor(handler.when, record));
  return meant.length === 0 ? Promise.resolve(NONE) : deliverBatchTo(delivery, handler, meant, partition);
};

async function leaveUnmatched(
  delivery: Delivery,
  handlers: readonly Handler[],
  records: readonly ConsumerRecord[],
  partition: Tenure,
): Promise<void> {
  const isMeant = (record: ConsumerRecord): boolean => handlers.some(({ when }) => isFor(when, record));
  const unmatched = records.filter((record) => !isMeant(record));
  await Promise.all(unmatched.map(async (record) => deliverUnmatched(delivery, record, partition)));
}

/**
 * Calls one handler until it has handled the records or they are given up. Resolves with those that it has handled;
 * `onDone` is told of every record that is done before the rest is.
 */
export async function deliverBatchTo(
  delivery: Delivery,
  handler: Handler,
  records: readonly ConsumerRecord[],
  partition: Tenure,
  letter?: RetryLetter,
  onDone?: (offset: number) => void,
): Promise<readonly ConsumerRecord[]> {
  let failures = 0;
  for (let attempt = 1 + (letter?.attempts ?? 0); ; attempt++) {
    const outcome = await call(delivery, handler, records, partition, attempt);
    if (outcome.kind === 'done') return records;
    let waitMs: number;
    if (outcome.kind === 'nacked') waitMs = outcome.afterMs;
    else {
      failures += 1;
      const { error } = outcome;
      const verdict = judge(handler.policy, failures, error, delivery.ports.random, letter?.hop);
      const defeat = { handler, record: records[0] as ConsumerRecord, attempt, error, letter };
      if (verdict.kind !== 'retry') {
        if (records.length > 1) return oneByOne(delivery, handler, records, partition, attempt, onDone);
        await giveUp(delivery, partition, defeat, verdict);
        return NONE;
      }
      waitMs = verdict.afterMs;
      tellOfRetry(delivery, defeat, waitMs);
    }
    await sleep(delivery.ports.clock, waitMs, partition.signal);
  }
}

/** The last resort of a batch: each record alone, once. */
async function oneByOne(
  delivery: Delivery,
  handler: Handler,
  records: readonly ConsumerRecord[],
  partition: Tenure,
  attempts: number,
  onDone: ((offset: number) => void) | undefined,
): Promise<readonly ConsumerRecord[]> {
  const handled: ConsumerRecord[] = [];
  for (const record of records) {
    for (;;) {
      const outcome = await call(delivery, handler, [record], partition, attempts + 1);
      if (outcome.kind === 'nacked') {
        await sleep(delivery.ports.clock, outcome.afterMs, partition.signal);
        continue;
      }
      if (outcome.kind === 'failed') {
        const { error } = outcome;
        const verdict = judge(handler.policy, Infinity, error, delivery.ports.random);
        const defeat = { handler, record, attempt: attempts + 1, error, letter: undefined };
        if (verdict.kind !== 'retry') await giveUp(delivery, partition, defeat, verdict);
      } else handled.push(record);
      break;
    }
    onDone?.(record.offset);
  }
  return handled;
}

type Outcome =
  | { readonly kind: 'done' }
  | { readonly kind: 'nacked'; readonly afterMs: number }
  | { readonly kind: 'failed'; readonly error: unknown };

const DONE: Outcome = { kind: 'done' };

/** One call of the handler. Rejects only when the partition was taken away meanwhile. */
async function call(
  delivery: Delivery,
  handler: Handler,
  records: readonly ConsumerRecord[],
  partition: Tenure,
  attempt: number,
): Promise<Outcome> {
  const context = new KrafkaBatchContext(delivery, records, partition, attempt);
  try {
    await betweenHooks(delivery.hooks(), context, async (end) => {
      const payloads = records.map((record) => payloadOf(delivery, record));
      const result: unknown = await handler.callback(
        payloads.some(isPromise) ? await Promise.all(payloads) : payloads,
        context,
      );
      if (isObservable(result)) await completion(result, delivery.streams, delivery.ports.logger);
      end();
    });
  } catch (outcome) {
    // Whoever gets the partition next gets the records too.
    partition.signal.throwIfAborted();
    if (context.nackedMs === undefined) return { kind: 'failed', error: originalError(context, outcome) };
  }
  return context.nackedMs === undefined ? DONE : { kind: 'nacked', afterMs: context.nackedMs };
}
