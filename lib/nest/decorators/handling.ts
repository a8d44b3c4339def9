import {
  checkCommitMode,
  checkConcurrency,
  checkGroup,
  type CommitMode as Mode,
  type ConcurrencyOptions,
} from '../server/handler-options.js';
import type { KrafkaServerConsumerOptions } from '../options.js';
import { policyDecorator } from './said.js';

/**
 * Says how many events of a topic are handled at once, and which must keep their order; on a class, for every handler
 * method of it. Default: one of each partition.
 *
 * ```ts
 * @EventPattern('orders.placed')
 * @Concurrency({ by: 'key', limit: 16 })
 * ```
 */
export const Concurrency = (options: ConcurrencyOptions): MethodDecorator & ClassDecorator =>
  policyDecorator('@Concurrency', { concurrency: checkConcurrency(options, '@Concurrency') });

/**
 * Puts a handler into another consumer group than the application's: it gets every record of its topics beside the
 * handlers of the other groups. The options are those of `consumer`, whose own hold where nothing is said here.
 *
 * ```ts
 * @EventPattern('orders.placed')
 * @ConsumerGroup('orders-search', { fromBeginning: true })
 * ```
 */
export const ConsumerGroup = (
  groupId: string,
  options: Omit<KrafkaServerConsumerOptions, 'groupId'> = {},
): MethodDecorator & ClassDecorator =>
  policyDecorator('@ConsumerGroup', { consumerGroup: checkGroup({ groupId, options }, '@ConsumerGroup') });

/**
 * `auto` (default): a record is done when its handlers are. `manual`: when `context.commit()` is called; what is handled and
 * not committed comes again after a restart or a rebalance.
 */
export const CommitMode = (mode: Mode): MethodDecorator & ClassDecorator =>
  policyDecorator('@CommitMode', { commitMode: checkCommitMode(mode, '@CommitMode') });
