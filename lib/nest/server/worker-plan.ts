import { KrafkaConfigError } from '../../core/support/index.js';
import { deadLetterTopicOf } from '../failure-policy/dead-letter.js';
import { retryTopicOf } from '../failure-policy/retry-letter.js';
import { describePattern, MAX_TOPIC_LENGTH, type TopicPattern } from '../topic-name.js';
import type { Payloads } from '../wire/payloads.js';
import type { Delivery } from './delivery.js';
import type { BatchOptions, CommitMode, ConcurrencyOptions } from './handler-options.js';
import { handlersOf, type Handler, type HandlerRegistry, type TopicHandlers } from './handler-registry.js';

/** How the topics of a pattern are read: what its handlers say, who must agree about it. */
export interface ReadingPlan {
  readonly commitMode: CommitMode;
  readonly concurrency: ConcurrencyOptions;
  /** Undefined where records are handled one by one. */
  readonly batch: Required<{ [Name in keyof BatchOptions]: number }> | undefined;
}

/** What holds where no handler says otherwise. */
export interface PlanDefaults {
  readonly commitMode: CommitMode;
  readonly concurrency: ConcurrencyOptions;
}

/** Patterns of a group that one consumer reads. */
export interface WorkerPlan {
  /** When its records are done: a consumer commits all that it reads in one way. */
  readonly commitMode: CommitMode;
  readonly patterns: readonly TopicHandlers[];
}

/**
 * How the topics of a pattern are read.
 *
 * @throws KrafkaConfigError naming the pattern when its handlers contradict one another or themselves
 */
export function readingPlanOf(topic: TopicHandlers, defaults: PlanDefaults): ReadingPlan {
  const handlers = handlersOf(topic);
  const path = `pattern ${describePattern(topic.pattern)}`;
  const agreed = <Name extends 'commitMode' | 'concurrency' | 'batch'>(name: Name): Handler[Name] => {
    const [first, ...others] = handlers.filter((handler) => handler[name] !== undefined);
    const other = others.find((handler) => JSON.stringify(handler[name]) !== JSON.stringify(first?.[name]));
    if (first !== undefined && other !== undefined) {
      throw new KrafkaConfigError(
        `${path}.${name}`,
        `is ${text(first[name])} to ${first.name} and ${text(other[name])} to ${other.name}: handlers of one topic in one group share it (@ConsumerGroup gives one of them a group of its own)`,
      );
    }
    return first?.[name];
  };
  const [batch] = topic.batches;
  const single = handlers.find(({ kind }) => kind !== 'batch');
  if (batch !== undefined && single !== undefined) {
    throw new KrafkaConfigError(
      path,
      `has a batch handler, ${batch.name}, and one for single records, ${single.name}: one of them needs a @ConsumerGroup of its own`,
    );
  }
  const [retried, ...others] = handlers.filter(({ policy }) => policy.then === 'retry-topics');
  const otherwise = others.find(({ policy }) => text(policy.retryTopics) !== text(retried?.policy.retryTopics));
  if (retried !== undefined && otherwise !== undefined) {
    throw new KrafkaConfigError(
      `${path}.onFailure.retryTopics`,
      `is ${text(retried.policy.retryTopics)} to ${retried.name} and ${text(otherwise.policy.retryTopics)} to ${otherwise.name}: they share the topics, and what waits longer would hold up the rest`,
    );
  }
  const commitMode = agreed('commitMode') ?? defaults.commitMode;
  const said = agreed('concurrency');
  const concurrency = said ?? (batch === undefined && commitMode === 'auto' ? defaults.concurrency : inOrder(defaults));
  const by = concurrency.by ?? 'partition';
  if (by !== 'partition' && commitMode === 'manual') {
    throw new KrafkaConfigError(
      `${path}.concurrency.by`,
      `can't be '${by}' with commitMode 'manual': committing a record would commit those before it that are under way`,
    );
  }
  if (by !== 'partition' && batch !== undefined) {
    throw new KrafkaConfigError(`${path}.concurrency.by`, `can't be '${by}' for batches: each is of one partition`);
  }
  const options = agreed('batch');
  return {
    commitMode,
    concurrency,
    batch:
      options === undefined ? undefined : { maxRecords: options.maxRecords ?? 500, maxWaitMs: options.maxWaitMs ?? 0 },
  };
}

// Batches and those that commit by themselves can't be side by side within a partition. How many there are at once can hold.
const inOrder = ({ concurrency: { limit } }: PlanDefaults): ConcurrencyOptions => ({ by: 'partition', limit });

/** Which consumers a group needs: one for each commit mode. @throws KrafkaConfigError as {@link readingPlanOf} */
export function planWorkers(registry: HandlerRegistry, defaults: PlanDefaults): readonly WorkerPlan[] {
  const byMode = new Map<CommitMode, TopicHandlers[]>();
  for (const topic of registry.patterns) {
    const { commitMode } = readingPlanOf(topic, defaults);
    byMode.set(commitMode, [...(byMode.get(commitMode) ?? []), topic]);
  }
  return Array.from(byMode, ([commitMode, patterns]) => ({ commitMode, patterns }));
}

/**
 * Refuses topics whose failed records would have nowhere to go, since no topic can have the name that theirs would have.
 *
 * @throws KrafkaConfigError naming the pattern
 */
export function checkWhereFailuresGo(registry: HandlerRegistry, unmatched: Delivery['unmatched']): void {
  for (const topic of registry.patterns) {
    const { pattern, routed } = topic;
    if (typeof pattern !== 'string') continue;
    const policies = new Set(handlersOf(topic).map(({ policy }) => policy.then));
    const needed = [
      ...(policies.has('dead-letter') || (routed && unmatched === 'dead-letter') ? [deadLetterTopicOf] : []),
      ...(policies.has('retry-topics')
        ? [deadLetterTopicOf, (name: string) => retryTopicOf(name, retryTopicsOf(topic) - 1)]
        : []),
    ].map((nameFor) => nameFor(pattern));
    const tooLong = needed.find((name) => name.length > MAX_TOPIC_LENGTH);
    if (tooLong === undefined) continue;
    throw new KrafkaConfigError(
      `pattern ${pattern}`,
      `is too long: records that fail would go to '${pattern.slice(0, 8)}...${tooLong.slice(pattern.length)}', and no topic has a name of more than ${MAX_TOPIC_LENGTH} characters (@OnFailure({ then: 'skip' }) or 'stop' needs no other topic)`,
    );
  }
}

/**
 * Refuses handlers that are told apart by a field of payloads which only a serde can read: it would never be found.
 *
 * @throws KrafkaConfigError naming the pattern
 */
export function checkFieldsAreReadable(registry: HandlerRegistry, payloads: Pick<Payloads, 'isSerdes'>): void {
  for (const topic of registry.patterns) {
    const routed = handlersOf(topic).find(({ when }) => when?.field !== undefined);
    if (routed === undefined || !payloads.isSerdes(topic.pattern)) continue;
    throw new KrafkaConfigError(
      `pattern ${describePattern(topic.pattern)}.when.field`,
      `of ${routed.name} is looked for in bytes that are JSON, and a serde reads this topic: tell its records apart by a header`,
    );
  }
}

/** How many retry topics a topic of these handlers has. */
export const retryTopicsOf = (topic: TopicHandlers): number =>
  Math.max(
    0,
    ...handlersOf(topic).map(({ policy }) => (policy.then === 'retry-topics' ? policy.retryTopics.delaysMs.length : 0)),
  );

/** The patterns of topics that have retry topics. */
export const retriedPatterns = (registry: HandlerRegistry): readonly TopicPattern[] =>
  registry.patterns.filter((topic) => retryTopicsOf(topic) > 0).map(({ pattern }) => pattern);

const text = (value: unknown): string => JSON.stringify(value);
