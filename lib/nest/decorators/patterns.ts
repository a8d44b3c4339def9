import {
  EventPattern as NestEventPattern,
  MessagePattern as NestMessagePattern,
  Transport,
  type TransportId,
} from '@nestjs/microservices';
import { PATTERN_METADATA } from '@nestjs/microservices/constants.js';
import { checkOptions, KrafkaConfigError, optional } from '../../core/support/index.js';
import { checkFailureOptions, type FailureOptions } from '../failure-policy/failure-policy.js';
import { TopicFromConfig } from '../topic-from-config.js';
import { describePattern, topicPatternOf, type TopicPattern } from '../topic-name.js';

/** What a handler may be told beside its pattern; decorators of the same names say the same. */
export interface HandlerOptions {
  /** What happens when the handler fails on an event. Nearest wins: the method's, its class', the module's. */
  readonly onFailure?: FailureOptions | undefined;
}

type Pattern = TopicPattern | TopicFromConfig;
type Patterns = Pattern | readonly Pattern[];

/** A pattern decorator: patterns, then the transport it is for where there are several, then options. */
export interface PatternDecorator {
  (pattern: Patterns, options?: HandlerOptions): MethodDecorator;
  (pattern: Patterns, transport: TransportId, options?: HandlerOptions): MethodDecorator;
}

/**
 * Marks the method that answers requests on a topic: with a value, a promise, or an Observable whose every value is a reply.
 * Nest's own decorator of this name works as well.
 */
export const MessagePattern: PatternDecorator = patternDecorator('MessagePattern', NestMessagePattern);

/** Marks a method that is called for each event on a topic. Nest's own decorator of this name works as well. */
export const EventPattern: PatternDecorator = patternDecorator('EventPattern', NestEventPattern);

type NestDecorator = (
  patterns: unknown,
  transport: TransportId | undefined,
  extras: Record<string, unknown>,
) => MethodDecorator;

function patternDecorator(name: string, nest: unknown): PatternDecorator {
  // Nest's types of these differ between its versions; what they do with three arguments does not.
  const decorate = nest as NestDecorator;
  return (pattern: Patterns, ...rest: (TransportId | HandlerOptions | undefined)[]): MethodDecorator => {
    const transport = rest.find((given) => typeof given === 'number' || typeof given === 'symbol');
    const options = rest.find((given) => typeof given === 'object');
    const patterns = Array.isArray(pattern) ? pattern : [pattern];
    const written = `@${name}(${patterns.map(describePattern).join(', ')})`;
    if (patterns.length === 0) throw new KrafkaConfigError(written, 'needs a topic');
    if (transport === undefined || transport === Transport.KAFKA) patterns.forEach(checkPattern);
    const extras = { ...checkHandlerOptions(options, written) };
    return (target, key, descriptor) => {
      const method = descriptor.value as object;
      const before: unknown = Reflect.getMetadata(PATTERN_METADATA, method);
      if (before !== undefined) {
        const other = (before as unknown[]).map(describePattern).join(', ');
        throw new KrafkaConfigError(
          written,
          `stands on ${target.constructor.name}.${String(key)}, which has the pattern '${other}' already: one method, one pattern decorator (give it a list of patterns)`,
        );
      }
      return decorate(patterns, transport, extras)(target, key, descriptor);
    };
  };
}

// What the configuration names is known when the application starts.
const checkPattern = (pattern: unknown): void => {
  if (!(pattern instanceof TopicFromConfig)) topicPatternOf(pattern);
};

function checkHandlerOptions(options: unknown, path: string): Partial<HandlerOptions> {
  const { onFailure } = checkOptions<HandlerOptions>(options, { onFailure: optional(checkFailureOptions) }, path);
  return onFailure === undefined ? {} : { onFailure };
}
