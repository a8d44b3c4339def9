import {
  aString,
  aWhole,
  checkOptions,
  KrafkaConfigError,
  oneOf,
  optional,
  withDefault,
  type OptionRule,
  type OptionRules,
} from '../../core/support/index.js';
import { checkFailureOptions, type FailureOptions } from '../failure-policy/failure-policy.js';
import { checkGroupOptions } from '../group-options.js';
import type { KrafkaServerConsumerOptions } from '../options.js';
import { checkCondition, type RecordCondition } from './record-condition.js';

/** How many records of a topic are handled at once, and which of them keep their order. */
export interface ConcurrencyOptions {
  /**
   * `partition`: one after the other within a partition. `key`: one after the other among those of a key in its partition,
   * records without one as if they had the same. `none`: as they come. Offsets are committed without gaps all the same.
   * Default 'partition'.
   */
  readonly by?: 'partition' | 'key' | 'none' | undefined;
  /** How many handlers may be under way at once in this process. Default: by partition one for each, else 16. */
  readonly limit?: number | undefined;
}

/** When a record counts as done: when its handlers have succeeded, or when they say so with `context.commit()`. */
export type CommitMode = 'auto' | 'manual';

/** How records become batches. */
export interface BatchOptions {
  /** The most records of one batch. Default 500. */
  readonly maxRecords?: number | undefined;
  /** How long a batch that is not full waits for more, in milliseconds. Default 0: what is there at once. */
  readonly maxWaitMs?: number | undefined;
}

/** Another group than the application's, and how it reads. */
export interface GroupOptions {
  readonly groupId: string;
  readonly options: Omit<KrafkaServerConsumerOptions, 'groupId'>;
}

/** What a handler may be told beside its pattern; decorators of the same names say the same. */
export interface HandlerOptions {
  /** What happens when the handler fails on an event. Nearest wins: the method's, its class', the module's. */
  readonly onFailure?: FailureOptions | undefined;
  /** How many records are handled at once. Handlers of one topic share it. */
  readonly concurrency?: ConcurrencyOptions | undefined;
  /** When a record is done. Handlers of one topic share it. Default: the module's, else 'auto'. */
  readonly commitMode?: CommitMode | undefined;
  /** Which records of the topic the handler is for, told by a header or by the payload. Default: all. */
  readonly when?: RecordCondition | undefined;
}

/** Everything that can be said of a handler. */
export interface HandlerSayings extends HandlerOptions {
  readonly consumerGroup?: GroupOptions | undefined;
  readonly batch?: BatchOptions | undefined;
}

const MAX_TIMER_MS = 2_147_483_647;
const MAX_CONCURRENCY = 10_000;
const MAX_BATCH = 100_000;

/** @throws KrafkaConfigError naming the option, `path` in front */
export const checkConcurrency: OptionRule<ConcurrencyOptions> = (value, path) =>
  checkOptions<ConcurrencyOptions>(
    value,
    {
      by: withDefault(oneOf('partition', 'key', 'none'), 'partition'),
      limit: optional(aWhole('handlers', 1, MAX_CONCURRENCY)),
    } satisfies OptionRules<ConcurrencyOptions>,
    path,
  );

/** @throws KrafkaConfigError naming the option */
export const checkCommitMode: OptionRule<CommitMode> = oneOf('auto', 'manual');

/** @throws KrafkaConfigError naming the option, `path` in front */
export const checkBatch: OptionRule<BatchOptions> = (value, path) =>
  checkOptions<BatchOptions>(
    value,
    {
      maxRecords: withDefault(aWhole('records', 1, MAX_BATCH), 500),
      maxWaitMs: withDefault(aWhole('milliseconds', 0, MAX_TIMER_MS), 0),
    } satisfies OptionRules<BatchOptions>,
    path,
  );

/** @throws KrafkaConfigError naming the option, `path` in front */
export const checkGroup: OptionRule<GroupOptions> = (value, path) => {
  const { groupId, options } = checkOptions<GroupOptions>(
    value,
    { groupId: aString, options: checkGroupOptions },
    path,
  );
  if ((options as KrafkaServerConsumerOptions).groupId !== undefined) {
    throw new KrafkaConfigError(`${path}.groupId`, 'is the first argument');
  }
  return Object.freeze({ groupId, options });
};

const OPTION_RULES: OptionRules<HandlerOptions> = {
  onFailure: optional(checkFailureOptions),
  concurrency: optional(checkConcurrency),
  commitMode: optional(checkCommitMode),
  when: optional(checkCondition),
};

/** Checks the options of a pattern decorator and leaves out what they leave open. @throws KrafkaConfigError */
export const checkHandlerOptions = (options: unknown, path: string): HandlerOptions =>
  defined(checkOptions<HandlerOptions>(options, OPTION_RULES, path));

/** The options of a batch handler: those of batches and those of all handlers. @throws KrafkaConfigError */
export function checkBatchHandlerOptions(given: unknown, path: string): HandlerSayings {
  const { maxRecords, maxWaitMs, ...options } = (given ?? {}) as BatchOptions & HandlerOptions;
  const batch = checkBatch({ maxRecords, maxWaitMs }, path);
  return { ...checkHandlerOptions(options, path), batch };
}

/** Reads what decorators said: what else is in Nest's extras is the application's own. @throws KrafkaConfigError */
export function readSayings(extras: Readonly<Record<string, unknown>>, path: string): HandlerSayings {
  const { onFailure, concurrency, commitMode, when, consumerGroup, batch } = extras;
  return {
    ...checkHandlerOptions({ onFailure, concurrency, commitMode, when }, path),
    consumerGroup: optional(checkGroup)(consumerGroup, `${path}.consumerGroup`),
    batch: optional(checkBatch)(batch, `${path}.batch`),
  };
}

const defined = <T extends object>(options: T): T =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
