import { PARAM_ARGS_METADATA, PATTERN_METADATA } from '@nestjs/microservices/constants.js';
import { RpcParamtype } from '@nestjs/microservices/enums/rpc-paramtype.enum.js';
import { KrafkaConfigError, optional } from '../../core/support/index.js';
import { checkBatch, checkHandlerOptions, type BatchOptions, type HandlerOptions } from '../server/handler-options.js';
import { TopicFromConfig } from '../topic-from-config.js';
import { describePattern, topicPatternOf, type TopicPattern } from '../topic-name.js';
import { LISTENER_METADATA, nameOfMethod, say } from './said.js';

/** What a listener may be told beside its topics. */
export interface ListenerOptions extends HandlerOptions {
  /** Given, the listener is called with batches, as a `@BatchPattern` is. Default: with one event after the other. */
  readonly batch?: BatchOptions | undefined;
}

type Pattern = TopicPattern | TopicFromConfig;

/**
 * Marks a method of any provider that is called for each event on a topic: what `@EventPattern` is for controllers, with
 * the same guards, pipes, interceptors, filters and parameter decorators around it, and the same decorators beside it.
 *
 * It is called while the application's `KrafkaServer` is connected, which its events, groups and life cycle belong to.
 *
 * ```ts
 * @Injectable()
 * class Search {
 *   @KrafkaListener('orders.placed')
 *   @ConsumerGroup('orders-search')
 *   async index(@Payload() order: Order) { ... }
 * }
 * ```
 */
export function KrafkaListener(pattern: Pattern | readonly Pattern[], options: ListenerOptions = {}): MethodDecorator {
  const patterns: readonly Pattern[] = Array.isArray(pattern) ? (pattern as readonly Pattern[]) : [pattern as Pattern];
  const written = `@KrafkaListener(${patterns.map(describePattern).join(', ')})`;
  if (patterns.length === 0) throw new KrafkaConfigError(written, 'needs a topic');
  for (const one of patterns) if (!(one instanceof TopicFromConfig)) topicPatternOf(one);
  const { batch, ...others } = options;
  const checked = checkHandlerOptions(others, written);
  const batching = optional(checkBatch)(batch, `${written}.batch`);
  return (target: object, key: string | symbol, descriptor: PropertyDescriptor): void => {
    const method = descriptor.value as object;
    if (Reflect.hasMetadata(PATTERN_METADATA, method) || Reflect.hasMetadata(LISTENER_METADATA, method)) {
      throw new KrafkaConfigError(
        written,
        `stands on ${nameOfMethod(target, key)}, which has a pattern already: one method, one pattern decorator (give it a list of patterns)`,
      );
    }
    say(target, key, method, written, { ...checked, ...(batching === undefined ? {} : { batch: batching }) });
    Reflect.defineMetadata(LISTENER_METADATA, patterns, method);
    payloadFirst(target, key);
  };
}

/** The patterns a method listens to; undefined when it is no listener. */
export const listenedTo = (method: object): readonly Pattern[] | undefined =>
  Reflect.getMetadata(LISTENER_METADATA, method) as readonly Pattern[] | undefined;

// As in controllers: without parameter decorators a method is given the payload, through its pipes.
function payloadFirst(target: object, key: string | symbol): void {
  if (Reflect.hasMetadata(PARAM_ARGS_METADATA, target.constructor, key)) return;
  const payload = { [`${RpcParamtype.PAYLOAD}:0`]: { index: 0, data: undefined, pipes: [] } };
  Reflect.defineMetadata(PARAM_ARGS_METADATA, payload, target.constructor, key);
}
