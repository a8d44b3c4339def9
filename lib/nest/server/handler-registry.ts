import type { MessageHandler } from '@nestjs/microservices';
import type { FailureOptions } from '../failure-policy/failure-policy.js';
import { matches, type TopicPattern } from '../topic-name.js';

/** One handler method under one of its patterns. */
export interface Handler {
  readonly pattern: TopicPattern;
  /** Nest's pipeline around the method: guards, interceptors, pipes, filters. */
  readonly callback: MessageHandler;
  /** What `@OnFailure` says for it, where it says anything. */
  readonly onFailure: FailureOptions | undefined;
}

/** Who handles the records of one topic. */
export interface TopicHandlers {
  /** Answers requests. */
  readonly message: Handler | undefined;
  /** Each of them is called for each event. */
  readonly events: readonly Handler[];
}

interface PatternHandlers {
  readonly pattern: TopicPattern;
  message: Handler | undefined;
  readonly events: Handler[];
}

/** Every handler by its pattern. A topic belongs to the pattern that names it, else to the first RegExp that fits. */
export class HandlerRegistry {
  // RegExps by their source and flags: two handlers with the same one belong together.
  readonly #patterns = new Map<string, PatternHandlers>();
  readonly #topics = new Map<string, TopicHandlers | undefined>();

  /** Adds an event handler beside those that the pattern has. */
  addEvent(handler: Handler): void {
    this.#of(handler.pattern).events.push(handler);
  }

  /** Makes this the handler of requests; answers with the one that was it before, when there was. */
  setMessage(handler: Handler): Handler | undefined {
    const handlers = this.#of(handler.pattern);
    const before = handlers.message;
    handlers.message = handler;
    return before;
  }

  /** The patterns in the order in which they came. */
  get patterns(): readonly TopicPattern[] {
    return Array.from(this.#patterns.values(), ({ pattern }) => pattern);
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
      handlers = { pattern, message: undefined, events: [] };
      this.#patterns.set(key, handlers);
    }
    this.#topics.clear();
    return handlers;
  }
}
