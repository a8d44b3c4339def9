import type { MessageHandler } from '@nestjs/microservices';
import type { FailurePolicy } from '../failure-policy/failure-policy.js';
import { matches, type TopicPattern } from '../topic-name.js';
import type { BatchOptions, CommitMode, ConcurrencyOptions } from './handler-options.js';
import type { RecordCondition } from './record-condition.js';

/** One handler method under one of its patterns. */
export interface Handler {
  readonly kind: 'message' | 'event' | 'batch';
  readonly pattern: TopicPattern;
  /** Nest's pipeline around the method: guards, interceptors, pipes, filters. */
  readonly callback: MessageHandler;
  /** What the method is called, in messages and in retry topics: `Orders.placed`. */
  readonly name: string;
  readonly policy: FailurePolicy;
  /** Which records it is for; undefined for all. */
  readonly when: RecordCondition | undefined;
  readonly concurrency: ConcurrencyOptions | undefined;
  readonly commitMode: CommitMode | undefined;
  readonly batch: BatchOptions | undefined;
}

/** Who handles the records of one topic. */
export interface TopicHandlers {
  readonly pattern: TopicPattern;
  /** Answers requests, when no other that is chosen by the record does. */
  readonly message: Handler | undefined;
  /** Those that answer some requests only. */
  readonly routedMessages: readonly Handler[];
  /** Each of them is called for each event. */
  readonly events: readonly Handler[];
  /** Each of them is called for each batch. */
  readonly batches: readonly Handler[];
  /** Whether a handler looks at the record before it takes it. */
  readonly routed: boolean;
}

interface PatternHandlers extends TopicHandlers {
  message: Handler | undefined;
  readonly routedMessages: Handler[];
  readonly events: Handler[];
  readonly batches: Handler[];
  routed: boolean;
}

/** Every handler of a group by its pattern. A topic belongs to the pattern that names it, else to the first RegExp that fits. */
export class HandlerRegistry {
  // RegExps by their source and flags: two handlers with the same one belong together.
  readonly #patterns = new Map<string, PatternHandlers>();
  readonly #topics = new Map<string, TopicHandlers | undefined>();

  /**
   * Adds a handler beside those that the pattern has. Of message handlers that take every request of a pattern the last one
   * has them: answers with the one that had them before, when there was.
   */
  add(handler: Handler): Handler | undefined {
    const handlers = this.#of(handler.pattern);
    if (handler.when !== undefined) handlers.routed = true;
    if (handler.kind === 'event') handlers.events.push(handler);
    else if (handler.kind === 'batch') handlers.batches.push(handler);
    else if (handler.when !== undefined) handlers.routedMessages.push(handler);
    else {
      const before = handlers.message;
      handlers.message = handler;
      return before;
    }
    return undefined;
  }

  /** The patterns in the order in which they came, and who handles them. */
  get patterns(): readonly TopicHandlers[] {
    return [...this.#patterns.values()];
  }

  /** Who handles a topic; undefined when nobody does. */
  of(topic: string): TopicHandlers | undefined {
    let found = this.#topics.get(topic);
    if (found === undefined && !this.#topics.has(topic)) {
      const all = [...this.#patterns.values()];
      found =
        this.#patterns.get(topic) ?? all.find(({ pattern }) => pattern instanceof RegExp && matches(pattern, topic));
      this.#topics.set(topic, found);
    }
    return found;
  }

  #of(pattern: TopicPattern): PatternHandlers {
    const key = String(pattern);
    let handlers = this.#patterns.get(key);
    if (handlers === undefined) {
      handlers = { pattern, message: undefined, routedMessages: [], events: [], batches: [], routed: false };
      this.#patterns.set(key, handlers);
    }
    this.#topics.clear();
    return handlers;
  }
}

/** Every handler of a topic. */
export const handlersOf = ({ message, routedMessages, events, batches }: TopicHandlers): readonly Handler[] => [
  ...(message === undefined ? [] : [message]),
  ...routedMessages,
  ...events,
  ...batches,
];
