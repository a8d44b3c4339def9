import {
  EventPattern as NestEventPattern,
  MessagePattern as NestMessagePattern,
  Transport,
  type TransportId,
} from '@nestjs/microservices';
import { PATTERN_METADATA } from '@nestjs/microservices/constants.js';
import { KrafkaConfigError } from '../../core/support/index.js';
import {
  checkBatchHandlerOptions,
  checkHandlerOptions,
  type BatchOptions,
  type HandlerOptions,
} from '../server/handler-options.js';
import { TopicFromConfig } from '../topic-from-config.js';
import { describePattern, topicPatternOf, type TopicPattern } from '../topic-name.js';
import { nameOfMethod, SAID_PATTERNS, say, type Extras } from './said.js';

type Pattern = TopicPattern | TopicFromConfig;
type Patterns = Pattern | readonly Pattern[];

/** A pattern decorator: patterns, then the transport it is for where there are several, then options. */
export interface PatternDecorator<Options = HandlerOptions> {
  (pattern: Patterns, options?: Options): MethodDecorator;
  (pattern: Patterns, transport: TransportId, options?: Options): MethodDecorator;
}

/** What a batch handler may be told beside its pattern. */
export interface BatchHandlerOptions extends BatchOptions, HandlerOptions {}

/**
 * Marks the method that answers requests on a topic: with a value, a promise, or an Observable whose every value is a reply.
 * Nest's own decorator of this name works as well.
 */
export const MessagePattern: PatternDecorator = patternDecorator(
  'MessagePattern',
  NestMessagePattern,
  checkHandlerOptions,
);

/** Marks a method that is called for each event on a topic. Nest's own decorator of this name works as well. */
export const EventPattern: PatternDecorator = patternDecorator('EventPattern', NestEventPattern, checkHandlerOptions);

/**
 * Marks a method that is called with batches of a topic's events: payloads in an array, all of one partition and in order.
 * Its context is a `KrafkaBatchContext`.
 *
 * ```ts
 * @BatchPattern('orders.audit', { maxRecords: 500, maxWaitMs: 50 })
 * async audit(@Payload() orders: Order[], @Ctx() context: KrafkaBatchContext) { ... }
 * ```
 */
export const BatchPattern: PatternDecorator<BatchHandlerOptions> = patternDecorator(
  'BatchPattern',
  NestEventPattern,
  checkBatchHandlerOptions,
);

type NestDecorator = (
  patterns: unknown,
  transport: TransportId | undefined,
  extras: Record<string, unknown>,
) => MethodDecorator;

function patternDecorator<Options extends object>(
  name: string,
  nest: unknown,
  check: (options: unknown, path: string) => object,
): PatternDecorator<Options> {
  // Nest's types of these differ between its versions; what they do with three arguments does not.
  const decorate = nest as NestDecorator;
  return (pattern: Patterns, ...rest: (TransportId | Options | undefined)[]): MethodDecorator => {
    const transport = rest.find((given) => typeof given === 'number' || typeof given === 'symbol');
    const options = rest.find((given) => typeof given === 'object');
    const patterns = Array.isArray(pattern) ? pattern : [pattern];
    const written = `@${name}(${patterns.map(describePattern).join(', ')})`;
    if (patterns.length === 0) throw new KrafkaConfigError(written, 'needs a topic');
    if (transport === undefined || transport === Transport.KAFKA) patterns.forEach(checkPattern);
    const extras: Extras = { ...check(options, written), [SAID_PATTERNS]: patterns };
    return (target, key, descriptor) => {
      const method = descriptor.value as object;
      const before: unknown = Reflect.getMetadata(PATTERN_METADATA, method);
      if (before !== undefined) {
        const other = (before as unknown[]).map(describePattern).join(', ');
        throw new KrafkaConfigError(
          written,
          `stands on ${nameOfMethod(target, key)}, which has the pattern '${other}' already: one method, one pattern decorator (give it a list of patterns)`,
        );
      }
      say(target, key, method, written, extras);
      return decorate(patterns, transport, {})(target, key, descriptor);
    };
  };
}

// What the configuration names is known when the application starts.
const checkPattern = (pattern: unknown): void => {
  if (!(pattern instanceof TopicFromConfig)) topicPatternOf(pattern);
};
