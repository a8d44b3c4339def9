import type { HandlerContext, RecordHandler } from '../../core/consumer/index.js';
import type { ConsumerRecord } from '../../core/protocol/index.js';
import { KrafkaError, sleep } from '../../core/support/index.js';
import { decodeRetryLetter, type RetryLetter } from '../failure-policy/retry-letter.js';
import { deliverBatchTo } from './batch-delivery.js';
import { whereIs, type Delivery } from './delivery.js';
import { deliverTo } from './event-delivery.js';
import { handlersOf, type Handler, type HandlerRegistry } from './handler-registry.js';

/** A shorter wait is not worth fetching again what is read ahead. */
const PAUSE_FROM_MS = 1_000;

/**
 * Handles what arrives in the retry topics of a group: waits until a record is due, then calls the one handler that failed
 * with it. While it waits its partition is paused; the others go on, those of the topics themselves foremost.
 */
export const redeliverTo =
  (registry: HandlerRegistry, delivery: Delivery, groupId: string): RecordHandler =>
  async (record, partition) => {
    const letter = decodeRetryLetter(record);
    if (letter === undefined) {
      delivery.counts.unmatched += 1;
      delivery.ports.logger.warn('a record in a retry topic was not put there by this transport and is left out', {
        record: whereIs(record),
      });
      return;
    }
    // The other groups of the topic share its retry topics, and read them themselves.
    if (letter.groupId !== groupId) return;
    const handler = handlerFor(registry, letter);
    if (handler === undefined) {
      const error = new KrafkaError(`there is no handler '${letter.handler}' for '${letter.place.topic}' any more`, {
        code: 'HANDLER_GONE',
      });
      await delivery.deadLetters.publish(record, { groupId, error, place: letter.place }, partition.signal);
      delivery.counts.deadLetters += 1;
      return;
    }
    await untilDue(delivery, handler, letter, record, partition);
    if (handler.kind === 'batch') await deliverBatchTo(delivery, handler, [record], partition, letter);
    else await deliverTo(delivery, handler, record, partition, letter);
  };

function handlerFor(registry: HandlerRegistry, { handler, place }: RetryLetter): Handler | undefined {
  const handlers = registry.of(place.topic);
  return handlers && handlersOf(handlers).find(({ name }) => name === handler);
}

async function untilDue(
  { ports, consumer }: Delivery,
  handler: Handler,
  letter: RetryLetter,
  { topic, partition }: ConsumerRecord,
  { signal }: HandlerContext,
): Promise<void> {
  // A header may say anything, and clocks differ: nothing waits longer than its topic's delay.
  const longestMs = handler.policy.retryTopics.delaysMs[letter.hop] ?? 0;
  const waitMs = Math.min(letter.dueAt - ports.clock.now(), longestMs);
  if (waitMs <= 0) return;
  if (waitMs < PAUSE_FROM_MS) {
    await sleep(ports.clock, waitMs, signal);
    return;
  }
  const here = [{ topic, partition }];
  consumer.pause(here);
  try {
    await sleep(ports.clock, waitMs, signal);
  } finally {
    if (!signal.aborted) consumer.resume(here);
  }
}
