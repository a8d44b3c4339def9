import { KafkaRetriableException } from '@nestjs/microservices';
import { finalize, isObservable, type Observable } from 'rxjs';
import type { HandlerContext } from '../../core/consumer/index.js';
import type { ConsumerRecord } from '../../core/protocol/index.js';
import { backoffMs, sleep } from '../../core/support/index.js';
import { messageOf } from '../failure-policy/dead-letter.js';
import { failurePolicy } from '../failure-policy/failure-policy.js';
import { parseValue } from '../wire/incoming-value.js';
import type { ReplyAddress } from '../wire/reply.js';
import type { Delivery } from './delivery.js';
import type { Handler } from './handler-registry.js';
import { KrafkaContext } from './krafka-context.js';
import { betweenHooks } from './processing-hooks.js';
import { Replies } from './replies.js';

/**
 * Calls the handler of a request and sends what it answers: a value, or each value of a stream, or its error.
 *
 * Resolves when the handler has answered or begun to, as Nest's transport does; the rest of a stream and the replies on
 * their way are tracked. A failed request is not retried, its caller decides, unless the handler throws
 * `KafkaRetriableException` before its first answer.
 */
export async function deliverRequest(
  delivery: Delivery,
  handler: Handler,
  record: ConsumerRecord,
  address: ReplyAddress,
  partition: HandlerContext,
): Promise<void> {
  const replies = new Replies(delivery, address);
  const policy = failurePolicy(handler.onFailure, delivery.onFailure);
  for (let attempt = 1; ; attempt++) {
    const context = new KrafkaContext(delivery, record, partition, attempt);
    try {
      await callRequest(delivery, handler, record, context, replies);
      return;
    } catch (error) {
      if (!(error instanceof KafkaRetriableException) || attempt > policy.retries) {
        replies.fail(error);
        delivery.track(replies.settled);
        return;
      }
      const afterMs = backoffMs(
        { baseMs: policy.backoffMs, capMs: policy.maxBackoffMs },
        attempt,
        delivery.ports.random,
      );
      delivery.ports.logger.warn(`a request handler failed and is called again in ${Math.round(afterMs)} ms`, {
        topic: record.topic,
        attempt,
        error: messageOf(error),
      });
      delivery.counts.retries += 1;
      await sleep(delivery.ports.clock, afterMs, partition.signal);
    }
  }
}

/** Rejects with what the handler failed with before it answered anything. */
const callRequest = (
  delivery: Delivery,
  handler: Handler,
  record: ConsumerRecord,
  context: KrafkaContext,
  replies: Replies,
): Promise<void> =>
  betweenHooks(delivery.hooks(), context, async (end) => {
    const result: unknown = await handler.callback(parseValue(record.value), context);
    if (isObservable(result)) {
      await firstAnswer(delivery, result, replies, end);
    } else {
      replies.last(result);
      delivery.track(replies.settled);
      end();
    }
  });

/** Sends the values of a stream as they come. Resolves with the first or the end, rejects with an error before either. */
const firstAnswer = (
  delivery: Delivery,
  stream: Observable<unknown>,
  replies: Replies,
  end: () => void,
): Promise<void> =>
  new Promise((resolve, reject) => {
    let answered = false;
    const streaming = new Promise<void>((ended) => {
      const subscription = stream.pipe(finalize(end), finalize(ended)).subscribe({
        next: (value) => {
          answered = true;
          replies.next(value);
          resolve();
        },
        error: (error) => {
          if (answered) replies.fail(error);
          else reject(error);
        },
        complete: () => {
          replies.complete();
          resolve();
        },
      });
      replies.onRefused(() => subscription.unsubscribe());
    });
    delivery.track(streaming.then(() => replies.settled));
  });
