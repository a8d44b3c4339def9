import { KrafkaConfigError } from '../core/support/index.js';

/** A pattern of a handler or a client: the name of a topic, or (handlers only) a RegExp over the names of topics. */
export type TopicPattern = string | RegExp;

/** How long the name of a topic may be. */
export const MAX_TOPIC_LENGTH = 249;
const LEGAL = /^[A-Za-z0-9._-]+$/;

/**
 * The topic that a pattern names.
 *
 * @throws KrafkaConfigError naming the pattern, when no topic can have that name: object patterns foremost
 */
export function topicOf(pattern: unknown): string {
  const name = typeof pattern === 'number' ? String(pattern) : pattern;
  if (typeof name !== 'string') {
    throw refusal(pattern, 'makes no topic name: a pattern of this transport is the name of a topic');
  }
  if (name === '' || name === '.' || name === '..' || name.length > MAX_TOPIC_LENGTH || !LEGAL.test(name)) {
    throw refusal(
      pattern,
      `is no legal topic name: letters, digits, '.', '_' and '-', at most ${MAX_TOPIC_LENGTH} of them`,
    );
  }
  return name;
}

/** The topic, or the RegExp over topics, that a handler is for. @throws KrafkaConfigError as {@link topicOf} */
export const topicPatternOf = (pattern: unknown): TopicPattern =>
  pattern instanceof RegExp ? pattern : topicOf(pattern);

/** True when the pattern is for this topic; a RegExp with the g or y flag answers the same every time. */
export function matches(pattern: TopicPattern, topic: string): boolean {
  if (typeof pattern === 'string') return pattern === topic;
  pattern.lastIndex = 0;
  const found = pattern.test(topic);
  pattern.lastIndex = 0;
  return found;
}

/** How a pattern is written in a message. */
export function describePattern(pattern: unknown): string {
  if (typeof pattern === 'string' || pattern instanceof RegExp) return String(pattern);
  try {
    return JSON.stringify(pattern) ?? String(pattern);
  } catch {
    return '[a pattern that is no JSON]';
  }
}

const refusal = (pattern: unknown, problem: string): KrafkaConfigError =>
  new KrafkaConfigError(`pattern ${describePattern(pattern)}`, problem);
