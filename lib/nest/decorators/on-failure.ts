import {
  checkFailureOptions,
  checkRetryTopics,
  type FailureOptions,
  type RetryTopicsOptions,
} from '../failure-policy/failure-policy.js';
import { policyDecorator } from './said.js';

/**
 * Says what happens when an event handler fails; on a class, for every handler method of it. What one leaves open the next
 * further out decides: the method's, the class', the module's.
 *
 * ```ts
 * @EventPattern('orders.placed')
 * @OnFailure({ retries: 5, backoffMs: 100, then: 'dead-letter' })
 * ```
 */
export const OnFailure = (options: FailureOptions): MethodDecorator & ClassDecorator =>
  policyDecorator('@OnFailure', { onFailure: checkFailureOptions(options, '@OnFailure') });

/**
 * Has events that fail tried again later, out of the way of those behind them: through `<topic>-retry-0`, `-1`, ..., one
 * for each delay, and after the last one to the dead-letter topic. The same as `@OnFailure({ then: 'retry-topics', ... })`.
 *
 * ```ts
 * @EventPattern('orders.placed')
 * @RetryTopics({ delaysMs: [1_000, 60_000, 600_000] })
 * ```
 */
export const RetryTopics = (options: RetryTopicsOptions = {}): MethodDecorator & ClassDecorator =>
  policyDecorator('@RetryTopics', {
    onFailure: { then: 'retry-topics', retryTopics: checkRetryTopics(options, '@RetryTopics') },
  });
