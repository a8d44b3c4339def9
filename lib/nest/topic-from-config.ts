import { KrafkaConfigError } from '../core/support/index.js';
import { topicOf, topicPatternOf, type TopicPattern } from './topic-name.js';

/** Where {@link fromConfig} finds topic names: an object, a function, or anything with `get(key)`, as Nest's ConfigService. */
export type TopicNames =
  | Readonly<Record<string, string | readonly string[]>>
  | ((key: string) => string | readonly string[] | undefined)
  | { get(key: string): unknown };

/** A topic that the application's configuration names: made by {@link fromConfig}, looked up when the application starts. */
export class TopicFromConfig {
  readonly key: string;
  readonly fallback: string | readonly string[] | undefined;

  constructor(key: string, fallback: string | readonly string[] | undefined) {
    this.key = key;
    this.fallback = fallback;
  }

  /** As it is written in a decorator. */
  toString(): string {
    return `fromConfig('${this.key}')`;
  }

  /** In messages and in Nest's graph of entry points too. */
  toJSON(): string {
    return String(this);
  }
}

/**
 * A pattern whose topic is known only when the application starts: what the option `topicNames` has under `key`, else the
 * fallback. A text with commas, or an array, names several topics.
 *
 * ```ts
 * KrafkaModule.forRootAsync({ inject: [ConfigService], useFactory: (config: ConfigService) => ({ topicNames: config, ... }) })
 *
 * @EventPattern(fromConfig('ORDERS_TOPIC', 'orders.placed'))
 * ```
 */
export const fromConfig = (key: string, fallback?: string | readonly string[]): TopicFromConfig =>
  new TopicFromConfig(key, fallback);

/**
 * The topics, or RegExps over topics, that a handler's pattern stands for.
 *
 * @throws KrafkaConfigError when the configuration has no topic for it, or what it has is no topic name
 */
export function topicPatternsOf(pattern: unknown, names: TopicNames | undefined): readonly TopicPattern[] {
  return pattern instanceof TopicFromConfig ? lookUp(pattern, names) : [topicPatternOf(pattern)];
}

/** The one topic that a client's pattern stands for. @throws KrafkaConfigError as {@link topicPatternsOf}, and for several */
export function oneTopicOf(pattern: unknown, names: TopicNames | undefined): string {
  if (!(pattern instanceof TopicFromConfig)) return topicOf(pattern);
  const [topic, ...others] = lookUp(pattern, names);
  if (topic === undefined || others.length > 0) {
    throw new KrafkaConfigError(`pattern ${String(pattern)}`, `names ${1 + others.length} topics: a client needs one`);
  }
  return topic;
}

function lookUp(pattern: TopicFromConfig, names: TopicNames | undefined): readonly string[] {
  const found = valueOf(pattern.key, names) ?? pattern.fallback;
  const path = `topicNames.${pattern.key}`;
  if (found === undefined || found === null) {
    throw new KrafkaConfigError(path, `is missing: ${String(pattern)} needs the name of a topic`);
  }
  const topics = typeof found === 'string' ? found.split(',').map((name) => name.trim()) : found;
  if (!Array.isArray(topics) || topics.length === 0) {
    throw new KrafkaConfigError(path, `must be the name of a topic, or several, for ${String(pattern)}`);
  }
  return topics.map((topic: unknown) => {
    try {
      return topicOf(topic);
    } catch (error) {
      if (!(error instanceof KrafkaConfigError)) throw error;
      throw new KrafkaConfigError(path, `is no legal topic name for ${String(pattern)}: '${String(topic)}'`);
    }
  });
}

function valueOf(key: string, names: TopicNames | undefined): unknown {
  if (names === undefined) return undefined;
  if (typeof names === 'function') return names(key);
  if (typeof names['get'] === 'function') return (names as { get(name: string): unknown }).get(key);
  return Object.hasOwn(names, key) ? (names as Readonly<Record<string, unknown>>)[key] : undefined;
}
