import { NO_EVENT_HANDLER, NO_MESSAGE_HANDLER } from '@nestjs/microservices/constants.js';
import type { RecordHandler } from '../../core/consumer/index.js';
import type { ConsumerRecord } from '../../core/protocol/index.js';
import { replyAddressOf, type ReplyAddress } from '../wire/reply.js';
import type { Delivery, Tenure } from './delivery.js';
import { deliverEvent } from './event-delivery.js';
import type { Handler, HandlerRegistry } from './handler-registry.js';
import { PartitionCommits } from './partition-commits.js';
import { isFor } from './record-condition.js';
import { Replies } from './replies.js';
import { deliverRequest } from './request-delivery.js';
import { deliverUnmatched } from './unmatched.js';

/**
 * Finds who a record is for. One that names a reply topic is a request, where a message handler is there for it; all else is
 * an event, which nobody answers. Hot: guarded by `npm run bench -- events`.
 */
export const dispatchTo =
  (registry: HandlerRegistry, delivery: Delivery): RecordHandler =>
  (record, partition) => {
    const handlers = registry.of(record.topic);
    const address = replyAddressOf(record);
    if (handlers === undefined) {
      if (address === undefined) delivery.ports.logger.error(NO_EVENT_HANDLER`${record.topic}`);
      else refuse(delivery, address);
      return;
    }
    let { message, events } = handlers;
    if (handlers.routed) {
      message = handlers.routedMessages.find((handler) => isFor(handler.when, record)) ?? message;
      events = events.filter((handler) => isFor(handler.when, record));
    }
    if (address !== undefined) {
      if (message !== undefined) {
        if (delivery.commitMode === 'manual') PartitionCommits.of(partition).handled(record);
        return deliverRequest(delivery, message, record, address, partition);
      }
      // Where only event handlers are, whoever answers is elsewhere.
      if (handlers.routedMessages.length > 0) {
        if (!delivery.isAnswered(record)) refuse(delivery, address);
        if (events.length === 0) {
          delivery.counts.unmatched += 1;
          return;
        }
      }
    }
    const receivers = events.length === 0 && message !== undefined ? [message] : events;
    if (delivery.commitMode === 'manual') return deliverUncommitted(delivery, receivers, record, partition);
    if (receivers.length === 0) return deliverUnmatched(delivery, record, partition);
    // What it resolves with is of no matter here, and another promise a record would be one too many.
    return deliverEvent(delivery, receivers, record, partition) as Promise<unknown> as Promise<void>;
  };

// Handlers that commit by themselves do so for what they have handled. What none of them has is done without them.
async function deliverUncommitted(
  delivery: Delivery,
  receivers: readonly Handler[],
  record: ConsumerRecord,
  partition: Tenure,
): Promise<void> {
  const commits = PartitionCommits.of(partition);
  if (receivers.length > 0) {
    if (await deliverEvent(delivery, receivers, record, partition)) {
      commits.handled(record);
      return;
    }
  } else {
    const burying = deliverUnmatched(delivery, record, partition);
    if (burying === undefined) {
      // It may come again at no cost, and there may be many of them: not one commit for each.
      commits.leftOut(record);
      return;
    }
    await burying;
  }
  commits.leftOut(record);
  await commits.settle(delivery.consumer);
}

function refuse(delivery: Delivery, address: ReplyAddress): void {
  const replies = new Replies(delivery, address);
  replies.fail(NO_MESSAGE_HANDLER);
  delivery.track(replies.settled);
}
