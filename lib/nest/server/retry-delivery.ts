import { nack, type Nack, type RecordHandler } from '../../core/consumer/index.js';
import { KrafkaError } from '../../core/support/index.js';
import { decodeRetryLetter, type RetryLetter } from '../failure-policy/retry-letter.js';
import { deliverBatchTo } from './batch-delivery.js';
import { whereIs, type Delivery } from './delivery.js';
import { deliverTo } from './event-delivery.js';
import type { CommitMode } from './handler-options.js';
import { handlersOf, type Handler, type HandlerRegistry, type TopicHandlers } from './handler-registry.js';

/**
 * Handles what arrives in the retry topics of a group: calls the one handler that failed with a record, once that is due.
 * Until then the record's partition stands still and nothing is read ahead of it; the others go on, and no handler is under
 * way that a rebalance would have to wait for.
 *
 * `modeOf` tells of a topic whether its handlers commit by themselves: here they may, but a record is done without that too.
 */
export const redeliverTo =
  (
    registry: HandlerRegistry,
    common: Delivery,
    groupId: string,
    modeOf: (handlers: TopicHandlers) => CommitMode = () => 'auto',
  ): RecordHandler =>
  async (record, partition): Promise<void | Nack> => {
    const letter = decodeRetryLetter(record);
    const handlers = letter && registry.of(letter.place.topic);
    const delivery = handlers === undefined ? common : { ...common, commitMode: modeOf(handlers) };
    if (letter === undefined) {
      delivery.counts.unmatched += 1;
      delivery.ports.logger.warn('a record in a retry topic was not put there by this transport and is left out', {
        record: whereIs(record),
      });
      return undefined;
    }
    // The other groups of the topic share its retry topics, and read them themselves.
    if (letter.groupId !== groupId) return undefined;
    const handler = handlers && handlersOf(handlers).find(({ name }) => name === letter.handler);
    if (handler === undefined) {
      const error = new KrafkaError(`there is no handler '${letter.handler}' for '${letter.place.topic}' any more`, {
        code: 'HANDLER_GONE',
      });
      await delivery.deadLetters.publish(record, { groupId, error, place: letter.place }, partition.signal);
      delivery.counts.deadLetters += 1;
      return undefined;
    }
    const waitMs = untilDue(delivery, handler, letter);
    if (waitMs > 0) return nack(waitMs);
    if (handler.kind === 'batch') await deliverBatchTo(delivery, handler, [record], partition, letter);
    else await deliverTo(delivery, handler, record, partition, letter);
    return undefined;
  };

/** How long a record is not due yet, in milliseconds. */
function untilDue({ ports }: Delivery, { policy }: Handler, { dueAt, hop }: RetryLetter): number {
  // A header may say anything, and clocks differ: nothing waits longer than its topic's delay.
  const longestMs = policy.retryTopics.delaysMs[hop] ?? 0;
  return Math.min(dueAt - ports.clock.now(), longestMs);
}
