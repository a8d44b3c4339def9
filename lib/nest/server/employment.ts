import type { Consumer, GroupState, RunOptions } from '../../core/consumer/index.js';
import type { ConsumerRecord } from '../../core/protocol/index.js';
import { KrafkaConfigError, type KrafkaError } from '../../core/support/index.js';
import { retriedTopicOf, retryTopicOf } from '../failure-policy/retry-letter.js';
import type { KrafkaServerConsumerOptions, ServerSettings } from '../options.js';
import type { SharedKrafka } from '../shared-krafka.js';
import { describePattern, type TopicPattern } from '../topic-name.js';
import type { Delivery } from './delivery.js';
import { dispatchBatchesTo } from './batch-delivery.js';
import { dispatchTo } from './dispatch.js';
import { GroupWorker } from './group-worker.js';
import type { HandlerGroup, HandlerGroups } from './handler-groups.js';
import type { CommitMode } from './handler-options.js';
import { handlersOf, type HandlerRegistry } from './handler-registry.js';
import { isFor } from './record-condition.js';
import { redeliverTo } from './retry-delivery.js';
import {
  checkFieldsAreReadable,
  checkWhereFailuresGo,
  planWorkers,
  readingPlanOf,
  retriedPatterns,
  retryTopicsOf,
  type PlanDefaults,
} from './worker-plan.js';

/** What workers are made of beside their handlers. */
export interface EmploymentParts {
  readonly settings: Pick<ServerSettings, 'consumer' | 'commitMode' | 'concurrency' | 'onCrash'>;
  readonly shared: SharedKrafka;
  /** What is the same for every group. */
  readonly delivery: Omit<Delivery, 'groupId' | 'consumer' | 'commitMode' | 'isAnswered' | 'offsetObstacle'>;
  readonly events: {
    state(groupId: string, state: GroupState): void;
    fatal(groupId: string, error: KrafkaError, restartInMs: number | undefined): void;
    restarted(groupId: string): void;
  };
}

/** Where the retries of a group are read: a group of their own, so that theirs and the others' rebalances are apart. */
export const retryGroupOf = (groupId: string): string => `${groupId}-retry`;

/**
 * The consumers that an application's handlers need: for each group one, one more for handlers that commit by themselves,
 * and one for retry topics where there are some.
 *
 * @throws KrafkaConfigError when a group has no name, its options are wrong, or handlers contradict one another
 */
export function employ(groups: HandlerGroups, parts: EmploymentParts): readonly GroupWorker[] {
  const taken = new Set<string>();
  return groups.all.flatMap((group) => {
    const others = groups.all.filter((one) => one !== group);
    const isAnswered = (record: ConsumerRecord): boolean => others.some(({ registry }) => answers(registry, record));
    const groupId = group.groupId ?? parts.settings.consumer.groupId;
    if (groupId === undefined) {
      throw new KrafkaConfigError(
        'consumer.groupId',
        `is needed: there are handlers, as for '${describePattern(group.registry.patterns[0]?.pattern)}'`,
      );
    }
    if (taken.has(groupId)) {
      throw new KrafkaConfigError(
        `@ConsumerGroup('${groupId}')`,
        "is the application's own group: leave the decorator out, or name another",
      );
    }
    taken.add(groupId);
    return workersOf(group, groupId, { ...parts, delivery: { ...parts.delivery, isAnswered } });
  });
}

interface WorkerParts extends Omit<EmploymentParts, 'delivery'> {
  readonly delivery: Omit<Delivery, 'groupId' | 'consumer' | 'commitMode' | 'offsetObstacle'>;
}

function answers(registry: HandlerRegistry, record: ConsumerRecord): boolean {
  const handlers = registry.of(record.topic);
  if (handlers === undefined) return false;
  return handlers.message !== undefined || handlers.routedMessages.some(({ when }) => isFor(when, record));
}

function workersOf(group: HandlerGroup, groupId: string, parts: WorkerParts): GroupWorker[] {
  const { registry } = group;
  checkWhereFailuresGo(registry, parts.delivery.unmatched);
  checkFieldsAreReadable(registry, parts.delivery.payloads);
  const options = optionsOf(group, parts);
  const defaults: PlanDefaults = { commitMode: parts.settings.commitMode, concurrency: parts.settings.concurrency };
  const workers = planWorkers(registry, defaults).map(({ commitMode, patterns }, index) =>
    workerFor(parts, {
      groupId,
      patterns: patterns.map(({ pattern }) => pattern),
      options: {
        ...options,
        ...(commitMode === 'manual' ? { autoCommit: false } : {}),
        ...instanceOf(options, index === 0 ? '' : `-${commitMode}`),
      },
      owns: (topic) => patterns.some((one) => one === registry.of(topic)),
      run: (consumer) =>
        handlingOf(
          registry,
          deliveryOf(parts, groupId, commitMode, consumer, (topic) => obstacleIn(registry, topic, defaults)),
          defaults,
        ),
    }),
  );
  const retried = retriedPatterns(registry);
  if (retried.length > 0) workers.push(retryWorker(group, groupId, options, retried, defaults, parts));
  return workers;
}

function retryWorker(
  { registry }: HandlerGroup,
  groupId: string,
  { fromBeginning: _fromBeginning, ...options }: KrafkaServerConsumerOptions,
  patterns: readonly TopicPattern[],
  defaults: PlanDefaults,
  parts: WorkerParts,
): GroupWorker {
  const { topics } = parts.shared;
  const retryGroup = retryGroupOf(groupId);
  return workerFor(parts, {
    groupId: retryGroup,
    patterns,
    // Whatever is in a retry topic is owed a call, the first of them too.
    options: { ...options, offsetReset: 'earliest' },
    owns: (topic) => {
      const handlers = registry.of(topic);
      return handlers !== undefined && retryTopicsOf(handlers) > 0;
    },
    inPlaceOf: async (names) => {
      const retries = names.flatMap((name) => {
        const handlers = registry.of(name);
        const count = handlers === undefined ? 0 : retryTopicsOf(handlers);
        return Array.from({ length: count }, (_nothing, hop) => ({ name, retry: retryTopicOf(name, hop) }));
      });
      // A record keeps its partition's number, so a topic that is made here has as many.
      await topics.learn(names.filter((name) => topics.partitionsOf(name) === undefined));
      await Promise.all(
        retries.map(({ name, retry }) => topics.ensure({ name: retry, partitions: topics.partitionsOf(name) })),
      );
      return retries.map(({ retry }) => retry).toSorted();
    },
    run: (consumer) => {
      const eachRecord = redeliverTo(
        registry,
        deliveryOf(parts, retryGroup, 'auto', consumer, inOrderAndAlone),
        groupId,
        (handlers) => readingPlanOf(handlers, defaults).commitMode,
      );
      return {
        byTopic: (topic) => {
          const handlers = registry.of(retriedTopicOf(topic) ?? topic);
          if (handlers === undefined) return { eachRecord };
          return {
            eachRecord,
            concurrency: { by: 'partition', limit: readingPlanOf(handlers, defaults).concurrency.limit },
          };
        },
      };
    },
  });
}

/** Hands each topic's records to its handlers as they ask for it. */
function handlingOf(registry: HandlerRegistry, delivery: Delivery, defaults: PlanDefaults): RunOptions {
  const eachRecord = dispatchTo(registry, delivery);
  const eachBatch = dispatchBatchesTo(registry, delivery);
  return {
    byTopic: (topic) => {
      const handlers = registry.of(topic);
      if (handlers === undefined) return { eachRecord };
      const { batch, concurrency } = readingPlanOf(handlers, defaults);
      return batch === undefined
        ? { eachRecord, concurrency }
        : { eachBatch, ...batch, concurrency: concurrency.limit };
    },
  };
}

interface WorkerFacts {
  readonly groupId: string;
  readonly patterns: readonly TopicPattern[];
  readonly options: KrafkaServerConsumerOptions & { readonly autoCommit?: boolean };
  readonly owns: (topic: string) => boolean;
  readonly inPlaceOf?: (topics: readonly string[]) => Promise<readonly string[]>;
  readonly run: (consumer: Consumer) => RunOptions;
}

const workerFor = ({ settings, shared, events }: WorkerParts, facts: WorkerFacts): GroupWorker =>
  new GroupWorker({
    ...facts,
    shared,
    onCrash: settings.onCrash,
    events: {
      state: (state) => events.state(facts.groupId, state),
      fatal: (error, restartInMs) => events.fatal(facts.groupId, error, restartInMs),
      restarted: () => events.restarted(facts.groupId),
    },
  });

const deliveryOf = (
  { delivery }: WorkerParts,
  groupId: string,
  commitMode: CommitMode,
  consumer: Consumer,
  offsetObstacle: Delivery['offsetObstacle'],
): Delivery => ({ ...delivery, groupId, commitMode, consumer, offsetObstacle });

// A record of a retry topic is for one handler, which is called in the order of its partition.
const inOrderAndAlone = (): undefined => undefined;

/** Why one handler can't speak for a topic's offsets: what it commits must be done with all of them. */
function obstacleIn(registry: HandlerRegistry, topic: string, defaults: PlanDefaults): string | undefined {
  const handlers = registry.of(topic);
  if (handlers === undefined) return undefined;
  const { by = 'partition' } = readingPlanOf(handlers, defaults).concurrency;
  if (by !== 'partition') return `records of '${topic}' are handled side by side (@Concurrency by '${by}')`;
  const all = handlersOf(handlers);
  const routed = all.filter(({ when }) => when !== undefined);
  // Of those that are told apart by what a record says, one is called.
  const called = all.length - routed.length + Math.min(1, routed.length);
  return called > 1 ? `'${topic}' has several handlers in the group: the others may not be done` : undefined;
}

/** How a group reads: what it says itself, else what the application's own group says. */
function optionsOf(
  { groupId, options }: HandlerGroup,
  { settings, shared }: EmploymentParts,
): KrafkaServerConsumerOptions {
  if (groupId === undefined) return settings.consumer;
  const { groupId: _groupId, ...inherited } = settings.consumer;
  // The two say the same: the nearer one takes the place of either.
  const { fromBeginning: _fromBeginning, offsetReset: _offsetReset, ...rest } = inherited;
  const begin = options.fromBeginning === undefined && options.offsetReset === undefined;
  const own = { ...(begin ? inherited : rest), ...options };
  shared.checkConsumer({ ...own, groupId }, `@ConsumerGroup('${groupId}')`);
  return own;
}

/** Two members of a group can't be the same static member. */
const instanceOf = ({ groupInstanceId }: KrafkaServerConsumerOptions, suffix: string): { groupInstanceId?: string } =>
  groupInstanceId === undefined ? {} : { groupInstanceId: `${groupInstanceId}${suffix}` };
