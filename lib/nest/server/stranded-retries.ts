import type { Admin } from '../../core/admin/index.js';
import type { Ports } from '../../core/support/index.js';
import { MAX_RETRY_TOPICS } from '../failure-policy/failure-policy.js';
import { retriedTopicOf, retryTopicOf } from '../failure-policy/retry-letter.js';
import type { Topics } from '../topics.js';
import { retryGroupOf } from './employment.js';
import type { HandlerRegistry } from './handler-registry.js';
import { retryTopicsOf } from './worker-plan.js';

/** What there is to ask about retry topics. */
export interface RetryTopicsView {
  readonly topics: Pick<Topics, 'existing' | 'names'>;
  readonly admin: Pick<Admin, 'listGroupOffsets' | 'listOffsets'>;
}

/**
 * The retry topics in which records wait that a group put there and does not read any more, since a topic's delays are fewer than
 * they were: those of topics with handlers, where `retryGroup` has retried something and not all that there is.
 *
 * Groups share retry topics, so one that has never retried a record of a topic has none waiting there. Costs one request where no
 * topic has been left behind, and none where there are no handlers of events.
 *
 * @throws KrafkaError when brokers can't be asked, or don't allow it
 */
export async function strandedRetries(
  registry: HandlerRegistry,
  retryGroup: string,
  { topics, admin }: RetryTopicsView,
): Promise<readonly string[]> {
  const left = await leftBehind(registry, topics);
  if (left.length === 0) return [];
  const committed = await admin.listGroupOffsets(retryGroup);
  const retried = new Set(committed.map(({ topic }) => retriedTopicOf(topic)));
  const suspects = left.filter((topic) => retried.has(retriedTopicOf(topic)));
  if (suspects.length === 0) return [];
  const [first, last] = await Promise.all([
    admin.listOffsets(suspects.map((topic) => ({ topic, at: 'earliest' as const }))),
    admin.listOffsets(suspects.map((topic) => ({ topic, at: 'latest' as const }))),
  ]);
  const positions = new Map<string, number>();
  for (const { topic, partition, offset } of first) positions.set(`${topic}/${partition}`, offset);
  for (const { topic, partition, offset } of committed) {
    const place = `${topic}/${partition}`;
    positions.set(place, Math.max(offset, positions.get(place) ?? 0));
  }
  const waiting = last.filter(({ topic, partition, offset }) => offset > (positions.get(`${topic}/${partition}`) ?? 0));
  return [...new Set(waiting.map(({ topic }) => topic))].toSorted();
}

/** The retry topics there are of topics with handlers of events, and that no delay is for. */
async function leftBehind(registry: HandlerRegistry, topics: RetryTopicsView['topics']): Promise<readonly string[]> {
  const patterns = registry.patterns
    .filter(({ events, batches }) => events.length + batches.length > 0)
    .map(({ pattern }) => pattern);
  const names = patterns.filter((pattern) => typeof pattern === 'string');
  const there =
    names.length === patterns.length
      ? await topics.existing(names.flatMap((name) => hopsFrom(0).map((hop) => retryTopicOf(name, hop))))
      : new Set(await topics.names());
  return [...there].filter((topic) => {
    const retried = retriedTopicOf(topic);
    const handlers = retried === undefined ? undefined : registry.of(retried);
    if (retried === undefined || handlers === undefined) return false;
    return hopsFrom(retryTopicsOf(handlers)).some((hop) => topic === retryTopicOf(retried, hop));
  });
}

const hopsFrom = (first: number): readonly number[] =>
  Array.from({ length: MAX_RETRY_TOPICS - first }, (_nothing, index) => first + index);

/** Tells the log which retry topics of which group hold records that nobody reads. Never rejects. */
export async function tellOfStrandedRetries(
  groups: readonly { readonly groupId: string; readonly registry: HandlerRegistry }[],
  shared: RetryTopicsView & { readonly ports: Pick<Ports, 'logger'> },
): Promise<void> {
  const { logger } = shared.ports;
  for (const { groupId, registry } of groups) {
    try {
      const topics = await strandedRetries(registry, retryGroupOf(groupId), shared);
      if (topics.length === 0) continue;
      logger.warn(
        `records wait in ${topics.join(', ')}, which nobody reads: @RetryTopics had more delays; have as many again until they are read`,
        { group: groupId },
      );
    } catch (error) {
      logger.debug('whether retry topics were left behind is not known', { group: groupId, error });
    }
  }
}
