import { DEFAULT_BACKOFF, outOfTime } from '../cluster/index.js';
import type { ErrorName } from '../protocol/index.js';
import { backoffMs, KrafkaError, KrafkaProtocolError, sleep, type Deadline, type Ports } from '../support/index.js';
import { KrafkaAggregateError } from './aggregate-error.js';

export interface SettleOptions<K> {
  readonly deadline: Deadline;
  readonly ports: Pick<Ports, 'clock' | 'random'>;
  readonly signal?: AbortSignal | undefined;
  /** An item in the words of an error, e.g. `topic 'orders'`. */
  readonly describe: (key: K) => string;
  /**
   * How often "there is no such topic" is heard before it is believed. Default 4, together some 700 ms: a broker may not
   * have heard yet of what the controller just created.
   */
  readonly unknownTries?: number;
}

/** What became of each item of a call. */
export interface Settled<K, R> {
  readonly done: ReadonlyMap<K, R>;
  /** In the order in which the items were given. */
  readonly failed: ReadonlyMap<K, KrafkaError>;
}

const UNKNOWN_TRIES = 4;
const UNKNOWN_TOPIC: ErrorName = 'UNKNOWN_TOPIC_OR_PARTITION';

/**
 * Does something to many items, each of which may fail on its own: what failed for now is tried again with backoff until
 * the deadline, together; what failed for good or succeeded is out. An attempt that throws failed for all it was given.
 */
export async function settleEach<K, R>(
  keys: Iterable<K>,
  options: SettleOptions<K>,
  attempt: (pending: readonly K[], attempt: number) => Promise<ReadonlyMap<K, R | KrafkaError>>,
): Promise<Settled<K, R>> {
  const { deadline, ports, signal, describe, unknownTries = UNKNOWN_TRIES } = options;
  const order = [...keys];
  const done = new Map<K, R>();
  const failed = new Map<K, KrafkaError>();
  const last = new Map<K, KrafkaError>();
  let pending: readonly K[] = order;
  for (let number = 1; pending.length > 0; number++) {
    signal?.throwIfAborted();
    const outcomes = await attempt(pending, number).catch((error: unknown) => {
      if (error instanceof KrafkaError) return new Map(pending.map((key) => [key, error]));
      throw error;
    });
    pending = pending.filter((key) => {
      const outcome = outcomes.has(key) ? (outcomes.get(key) as R | KrafkaError) : notAnswered(describe(key));
      if (!(outcome instanceof KrafkaError)) done.set(key, outcome);
      else if (!outcome.retriable || (number >= unknownTries && outcome.code === UNKNOWN_TOPIC))
        failed.set(key, outcome);
      // That the time ran out in the middle of the last try says less than what the try before it failed with.
      else if (!last.has(key) || !deadline.expired) last.set(key, outcome);
      return !done.has(key) && !failed.has(key);
    });
    if (pending.length === 0) break;
    await sleep(ports.clock, Math.min(backoffMs(DEFAULT_BACKOFF, number, ports.random), deadline.remainingMs), signal);
    if (deadline.expired) {
      for (const key of pending) failed.set(key, outOfTime(deadline, describe(key), last.get(key)));
      break;
    }
  }
  return { done, failed: new Map(order.flatMap((key) => (failed.has(key) ? [[key, failed.get(key)!] as const] : []))) };
}

/** What became of the items, in the order they were given; `what` says what was done, as in 'topics created'. */
export function allOrThrow<K, R>({ done, failed }: Settled<K, R>, what: string): ReadonlyMap<K, R> {
  // A request that failed as a whole is one error, however many items were in it.
  const errors = [...new Set(failed.values())];
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1) {
    throw new KrafkaAggregateError(`${failed.size} of ${done.size + failed.size} ${what} failed`, errors);
  }
  return done;
}

/** Several settlings of different items, as one. */
export function merged<K, R>(parts: readonly Settled<K, R>[]): Settled<K, R> {
  return {
    done: new Map(parts.flatMap(({ done }) => [...done])),
    failed: new Map(parts.flatMap(({ failed }) => [...failed])),
  };
}

const notAnswered = (what: string): KrafkaError =>
  new KrafkaProtocolError('UNKNOWN_SERVER_ERROR', `the broker's answer says nothing of ${what}`);
