import { deadLetterTopicOf } from '../failure-policy/dead-letter.js';
import { retriedTopicOf } from '../failure-policy/retry-letter.js';
import { matches, type TopicPattern } from '../topic-name.js';
import { replyTopicOf } from '../wire/reply.js';

/** Which of the topics there are a group of handlers reads. */
export interface TopicChoice {
  readonly topics: readonly string[];
  /** Topics that handlers name and that don't exist (yet). */
  readonly missing: readonly string[];
}

/**
 * Chooses among the topics there are. A RegExp that fits a topic does not take in that topic's dead letters, retries and
 * replies by accident: one that is meant for them fits them alone.
 */
export function chooseTopics(patterns: readonly TopicPattern[], existing: ReadonlySet<string>): TopicChoice {
  const chosen = new Set<string>();
  const missing: string[] = [];
  for (const pattern of patterns) {
    if (typeof pattern === 'string') {
      if (existing.has(pattern)) chosen.add(pattern);
      else missing.push(pattern);
      continue;
    }
    for (const topic of existing) {
      if (matches(pattern, topic) && !isCompanion(pattern, topic)) chosen.add(topic);
    }
  }
  return { topics: [...chosen].toSorted(), missing };
}

const COMPANIONS = [deadLetterTopicOf(''), replyTopicOf('')];

const isCompanion = (pattern: RegExp, topic: string): boolean => {
  const retried = retriedTopicOf(topic);
  if (retried !== undefined && matches(pattern, retried)) return true;
  return COMPANIONS.some((suffix) => topic.endsWith(suffix) && matches(pattern, topic.slice(0, -suffix.length)));
};
