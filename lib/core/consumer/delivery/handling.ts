import {
  aFunction,
  anObjectWith,
  aWhole,
  checkOptions,
  KrafkaConfigError,
  oneOf,
  optional,
  withDefault,
  type OptionRule,
} from '../../support/index.js';
import type { StreamOptions } from './consumer-stream.js';
import type { BatchHandler, Concurrency, ConcurrencyBy, Handling, RecordHandler, RunOptions } from '../handlers.js';

/** {@link Handling} as checked. */
export type HandlingSettings =
  | {
      readonly kind: 'records';
      readonly handler: RecordHandler;
      readonly by: ConcurrencyBy;
      readonly limit: number;
    }
  | {
      readonly kind: 'batches';
      readonly handler: BatchHandler;
      readonly limit: number;
      readonly maxRecords: number;
      readonly maxWaitMs: number;
    };

/** {@link RunOptions} as checked. */
export interface RunSettings {
  /** How records of a topic are handled. All topics for which it answers with the same object share one limit. */
  readonly handlingOf: (topic: string) => HandlingSettings;
  readonly signal: AbortSignal | undefined;
}

const MAX_RECORDS = 500;
/** Handlers under way at once where neither partitions nor the user bound them. */
const LIMIT = 16;
const LONGEST_MS = 2 ** 31 - 1;

const aSignal = anObjectWith<AbortSignal>('addEventListener', 'throwIfAborted');

const aConcurrency: OptionRule<Concurrency> = (value, path) =>
  typeof value === 'object'
    ? checkOptions<Concurrency>(
        value,
        { by: optional(oneOf('partition', 'key', 'none')), limit: optional(aWhole('handlers', 1)) },
        path,
      )
    : { by: 'partition', limit: aWhole('handlers', 1)(value, path) };

interface Given {
  readonly eachRecord: RecordHandler | undefined;
  readonly eachBatch: BatchHandler | undefined;
  readonly concurrency: Concurrency | undefined;
  readonly maxRecords: number | undefined;
  readonly maxWaitMs: number | undefined;
}

const HANDLING = {
  eachRecord: optional(aFunction<RecordHandler>),
  eachBatch: optional(aFunction<BatchHandler>),
  concurrency: optional(aConcurrency),
  maxRecords: optional(aWhole('records', 1)),
  maxWaitMs: optional(aWhole('milliseconds', 0, LONGEST_MS)),
};

/**
 * Checks what `run` is told. What `byTopic` answers is checked when a topic is first met.
 *
 * @throws KrafkaConfigError
 */
export function runSettings(options: RunOptions): RunSettings {
  type Rules = Given & { byTopic: ((topic: string) => Handling) | undefined; signal: AbortSignal | undefined };
  const { byTopic, signal, ...given } = checkOptions<Rules>(
    options,
    { ...HANDLING, byTopic: optional(aFunction<(topic: string) => Handling>), signal: optional(aSignal) },
    '',
  );
  if (byTopic === undefined) {
    const handling = settled(given, '');
    return { handlingOf: () => handling, signal };
  }
  for (const option of Object.keys(HANDLING) as (keyof Given)[]) {
    if (given[option] !== undefined) throw new KrafkaConfigError(option, "can't be combined with 'byTopic'");
  }
  const known = new Map<string, HandlingSettings>();
  const handlingOf = (topic: string): HandlingSettings => {
    let handling = known.get(topic);
    if (handling === undefined) {
      const path = `byTopic('${topic}')`;
      handling = settled(checkOptions<Given>(byTopic(topic), HANDLING, path), path);
      known.set(topic, handling);
    }
    return handling;
  };
  return { handlingOf, signal };
}

const OPEN_IN_A_STREAM = 1_000;

/**
 * Checks what `stream` is told.
 *
 * @throws KrafkaConfigError
 */
export function streamSettings(options: StreamOptions): { limit: number; signal: AbortSignal | undefined } {
  return checkOptions<{ limit: number; signal: AbortSignal | undefined }>(
    options,
    { limit: withDefault(aWhole('records', 1), OPEN_IN_A_STREAM), signal: optional(aSignal) },
    'stream',
  );
}

function settled(given: Given, path: string): HandlingSettings {
  const refuse = (option: string, problem: string): never => {
    throw new KrafkaConfigError(path === '' ? option : `${path}.${option}`, problem);
  };
  const { eachRecord, eachBatch, maxRecords, maxWaitMs } = given;
  const { by = 'partition', limit } = given.concurrency ?? {};
  if (eachRecord !== undefined && eachBatch === undefined) {
    if (maxRecords !== undefined) refuse('maxRecords', "needs 'eachBatch': it would be ignored");
    if (maxWaitMs !== undefined) refuse('maxWaitMs', "needs 'eachBatch': it would be ignored");
    return { kind: 'records', handler: eachRecord, by, limit: limit ?? (by === 'partition' ? Infinity : LIMIT) };
  }
  if (eachBatch === undefined || eachRecord !== undefined) {
    return refuse('eachRecord', "or 'eachBatch' must be given, and not both");
  }
  if (by !== 'partition') refuse('concurrency', `by '${by}' needs 'eachRecord': a batch is of one partition`);
  return {
    kind: 'batches',
    handler: eachBatch,
    limit: limit ?? Infinity,
    maxRecords: maxRecords ?? MAX_RECORDS,
    maxWaitMs: maxWaitMs ?? 0,
  };
}
