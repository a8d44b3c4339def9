import { KafkaRetriableException, RpcException } from '@nestjs/microservices';
import { finalize, isObservable, type Observable } from 'rxjs';
import type { ConsumerRecord } from '../../core/protocol/index.js';
import { backoffMs, Deferred, sleep, type Timer } from '../../core/support/index.js';
import { messageOf } from '../failure-policy/describe-error.js';
import { isPromise } from '../wire/payloads.js';
import { UNKNOWN_ERROR, type ReplyAddress } from '../wire/reply.js';
import type { Delivery, Tenure } from './delivery.js';
import type { Handler } from './handler-registry.js';
import { KrafkaContext } from './krafka-context.js';
import { betweenHooks } from './processing-hooks.js';
import { Replies } from './replies.js';
import { letGoAtClose, stop, type LetGo } from './streams.js';

/**
 * Calls the handler of a request and sends what it answers: a value, each value of an Observable or an async iterable, or its
 * error. A request whose deadline has passed is not worked on: nobody waits for it.
 *
 * Resolves when the handler has answered or begun to, as Nest's transport does; the rest of a stream and the replies on
 * their way are tracked. A failed request is not retried, its caller decides, unless the handler throws
 * `KafkaRetriableException` before its first answer.
 *
 * Rejects when the partition was taken away before the first answer: whoever gets it next answers.
 */
export async function deliverRequest(
  delivery: Delivery,
  handler: Handler,
  record: ConsumerRecord,
  address: ReplyAddress,
  partition: Tenure,
): Promise<void> {
  const replies = new Replies(delivery, address);
  const asked: Asked = { delivery, record, address, partition, replies };
  const { policy } = handler;
  for (let attempt = 1; ; attempt++) {
    if (remainingMs(delivery, address) <= 0) {
      countLate(delivery, record);
      return;
    }
    const context = new KrafkaContext(delivery, record, partition, attempt);
    try {
      await callRequest(asked, handler, context);
      return;
    } catch (error) {
      // Whoever gets the partition next gets the request too: its caller need not see that this instance goes.
      partition.signal.throwIfAborted();
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

/** One request, and where its answers go. */
interface Asked {
  readonly delivery: Delivery;
  readonly record: ConsumerRecord;
  readonly address: ReplyAddress;
  readonly partition: Tenure;
  readonly replies: Replies;
}

/** How long somebody still waits for the answer, as far as the clocks of both sides agree. */
function remainingMs({ lateRequestGraceMs, ports }: Delivery, { deadline }: ReplyAddress): number {
  if (deadline === undefined || lateRequestGraceMs === undefined) return Infinity;
  return deadline + lateRequestGraceMs - ports.clock.now();
}

function countLate({ counts, ports }: Delivery, { topic }: ConsumerRecord): void {
  const late = (counts.lateRequests += 1);
  // All of a backlog may be late: told with the 1st, 2nd, 4th, 8th ...
  if ((late & (late - 1)) === 0) {
    ports.logger.warn("a request was not answered: its deadline has passed (or the clocks of both sides don't agree)", {
      topic,
      lateRequests: late,
    });
  }
}

/** Rejects with what the handler failed with before it answered anything. */
const callRequest = (asked: Asked, handler: Handler, context: KrafkaContext): Promise<void> => {
  const { delivery, record, replies } = asked;
  return betweenHooks(delivery.hooks(), context, async (end) => {
    const payload = delivery.payloads.decode(record);
    const result: unknown = await handler.callback(isPromise(payload) ? await payload : payload, context);
    if (isObservable(result)) {
      await firstAnswer(asked, result, end);
    } else if (isAsyncIterable(result)) {
      await firstPulled(asked, result, end);
    } else {
      replies.last(result);
      delivery.track(replies.settled);
      end();
    }
  });
};

/** Sends the values of a stream as they come. Resolves with the first or the end, rejects with an error before either. */
const firstAnswer = (asked: Asked, stream: Observable<unknown>, end: () => void): Promise<void> => {
  const { delivery, replies } = asked;
  return new Promise((resolve, reject) => {
    let answered = false;
    let bound: Timer | undefined;
    let letGo: LetGo | undefined;
    const streaming = new Promise<void>((ended) => {
      const over = (): void => {
        end();
        ended();
      };
      const subscription = stream.pipe(finalize(over)).subscribe({
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
      if (subscription.closed) return;
      replies.onRefused(() => subscription.unsubscribe());
      bound = atDeadline(asked, () => {
        subscription.unsubscribe();
        resolve();
      });
      letGo = () => {
        if (answered) replies.fail(CLOSED_MEANWHILE);
        else reject(letGoAtClose());
        stop(subscription, delivery.ports.logger);
      };
      delivery.streams.hold(letGo);
    });
    delivery.track(
      streaming.then(() => {
        bound?.cancel();
        if (letGo !== undefined) delivery.streams.release(letGo);
        return replies.settled;
      }),
    );
  });
};

/** As {@link firstAnswer}, but the next value is asked for only when there is room for it: the source goes at the pace of Kafka. */
const firstPulled = (asked: Asked, source: AsyncIterable<unknown>, end: () => void): Promise<void> => {
  const { delivery, partition, replies } = asked;
  const answered = new Deferred<void>();
  let isOver = false;
  const bound = atDeadline(asked, () => {
    isOver = true;
    answered.resolve();
  });
  const letGo = (): void => {
    isOver = true;
    if (replies.begun) replies.fail(CLOSED_MEANWHILE);
    else answered.reject(letGoAtClose());
  };
  delivery.streams.hold(letGo);
  const pull = async (): Promise<void> => {
    try {
      for await (const value of source) {
        if (isOver || replies.ended) return;
        replies.next(value);
        answered.resolve();
        await replies.room;
        if (isOver || replies.ended) return;
      }
      replies.complete();
    } catch (error) {
      if (replies.begun || !partition.signal.aborted) replies.fail(errorOfAnIterable(delivery, error));
      else answered.reject(error);
    } finally {
      bound?.cancel();
      delivery.streams.release(letGo);
      end();
      answered.resolve();
    }
    await replies.settled;
  };
  delivery.track(pull());
  return answered.promise;
};

const CLOSED_MEANWHILE = { status: 'error', message: 'The service was closed before the stream of replies ended' };

function atDeadline({ delivery, record, address }: Asked, callback: () => void): Timer | undefined {
  const leftMs = remainingMs(delivery, address);
  if (leftMs > LONGEST_TIMER_MS) return undefined;
  return delivery.ports.clock.setTimer(
    Math.max(0, leftMs),
    () => {
      countLate(delivery, record);
      callback();
    },
    true,
  );
}

const LONGEST_TIMER_MS = 2_147_483_647;

// Nest's filters have returned when an iterable is pulled: what it throws is told as Nest's last filter tells it.
function errorOfAnIterable({ ports }: Delivery, error: unknown): unknown {
  if (error instanceof RpcException) {
    const details = error.getError();
    return typeof details === 'object' ? details : { status: 'error', message: details };
  }
  ports.logger.error('a stream of replies failed', { error: messageOf(error) });
  return { status: 'error', message: UNKNOWN_ERROR };
}

const isAsyncIterable = (value: unknown): value is AsyncIterable<unknown> =>
  typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
