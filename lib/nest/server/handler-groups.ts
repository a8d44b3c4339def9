import { isDeepStrictEqual } from 'node:util';
import type { MessageHandler } from '@nestjs/microservices';
import { KrafkaConfigError } from '../../core/support/index.js';
import { HANDLER_NAME } from '../decorators/said.js';
import { failurePolicy, type FailurePolicy } from '../failure-policy/failure-policy.js';
import type { KrafkaServerConsumerOptions } from '../options.js';
import { describePattern, type TopicPattern } from '../topic-name.js';
import { replyTopicOf } from '../wire/reply.js';
import { readSayings, type GroupOptions } from './handler-options.js';
import { handlersOf, HandlerRegistry, type Handler } from './handler-registry.js';

/** A handler as Nest announces it. */
export interface Announcement {
  readonly pattern: TopicPattern;
  readonly callback: MessageHandler;
  readonly isEvent: boolean;
  readonly extras: Readonly<Record<string, unknown>>;
}

/** One consumer group of the application, and its handlers. */
export interface HandlerGroup {
  /** Undefined for the application's own group, whose id its options have. */
  readonly groupId: string | undefined;
  /** How it reads, where that differs from the application's own group. */
  options: KrafkaServerConsumerOptions;
  readonly registry: HandlerRegistry;
}

/** The handlers of an application by the group they read in. */
export class HandlerGroups {
  readonly #groups = new Map<string | undefined, HandlerGroup>();
  readonly #policy: FailurePolicy;

  /** `policy` holds where a handler says nothing of failing. */
  constructor(policy: FailurePolicy) {
    this.#policy = policy;
  }

  get all(): readonly HandlerGroup[] {
    return [...this.#groups.values()];
  }

  /**
   * Takes a handler in. Answers with the message handler that it takes the place of, when there is one.
   *
   * @throws KrafkaConfigError naming what decorators say that can't be
   */
  add({ pattern, callback, isEvent, extras }: Announcement): Handler | undefined {
    const written = `pattern ${describePattern(pattern)}`;
    const sayings = readSayings(extras, written);
    const { batch, consumerGroup, when, concurrency, commitMode } = sayings;
    const kind = isEvent ? (batch === undefined ? 'event' : 'batch') : 'message';
    const { registry } = this.#group(consumerGroup, written);
    const given = extras[HANDLER_NAME];
    const handler: Handler = {
      kind,
      pattern,
      callback,
      name: uniqueName(registry, pattern, typeof given === 'string' ? given : describePattern(pattern)),
      policy: failurePolicy(sayings.onFailure, this.#policy),
      when,
      concurrency,
      commitMode,
      batch,
    };
    return registry.add(handler);
  }

  /** Whoever handles a topic, in whichever group. */
  of(topic: string): readonly Handler[] {
    return this.all.flatMap(({ registry }) => {
      const handlers = registry.of(topic);
      return handlers === undefined ? [] : handlersOf(handlers);
    });
  }

  /** Where answers go, as far as patterns are names. */
  get replyTopics(): readonly string[] {
    return this.all
      .flatMap(({ registry }) => registry.patterns)
      .flatMap((one) => (typeof one.pattern === 'string' && handlersOf(one).some(isAnswerer) ? [one.pattern] : []))
      .map(replyTopicOf);
  }

  #group(given: GroupOptions | undefined, written: string): HandlerGroup {
    const groupId = given?.groupId;
    let group = this.#groups.get(groupId);
    if (group === undefined) {
      group = { groupId, options: {}, registry: new HandlerRegistry() };
      this.#groups.set(groupId, group);
    }
    for (const [name, value] of Object.entries(given?.options ?? {})) {
      const said = (group.options as Record<string, unknown>)[name];
      if (said !== undefined && !isDeepStrictEqual(said, value)) {
        throw new KrafkaConfigError(
          `@ConsumerGroup('${groupId}').${name}`,
          `is said twice and differently, once by ${written}`,
        );
      }
      group.options = { ...group.options, [name]: value };
    }
    return group;
  }
}

const isAnswerer = ({ kind }: Handler): boolean => kind === 'message';

// Two classes may have one name, or a method one base: retry topics have to tell them apart.
function uniqueName(registry: HandlerRegistry, pattern: TopicPattern, name: string): string {
  const taken = new Set(
    registry.patterns
      .filter((one) => String(one.pattern) === String(pattern))
      .flatMap((one) => handlersOf(one).map((handler) => handler.name)),
  );
  let unique = name;
  for (let count = 2; taken.has(unique); count++) unique = `${name}#${count}`;
  return unique;
}
