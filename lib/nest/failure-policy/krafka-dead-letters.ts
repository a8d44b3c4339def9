import type { Consumer } from '../../core/consumer/index.js';
import type { ProducerRecord } from '../../core/producer/index.js';
import type { ConsumerRecord } from '../../core/protocol/index.js';
import {
  aFunction,
  anObjectWith,
  aString,
  aWhole,
  checkOptions,
  Deadline,
  KrafkaConfigError,
  KrafkaError,
  optional,
  sleep,
  withDefault,
  type OptionRule,
} from '../../core/support/index.js';
import type { SharedKrafka } from '../shared-krafka.js';
import { deadLetterTopicOf } from './dead-letter.js';
import { decodeDeadLetter, replayOf, type DeadLetter } from './decode-dead-letter.js';
import { sendOfAnySize } from './letter.js';

/** Where to go on in a dead-letter topic: the next offset of each partition; one that isn't named begins at its first. */
export type DeadLetterCursor = Readonly<Record<number, number>>;

/** What part of a dead-letter topic is read. */
export interface DeadLetterRange {
  /** Where to begin: `next` of an earlier answer. Default: the beginning. */
  readonly from?: DeadLetterCursor | undefined;
  /** How many letters are looked at, at most. Default 100 to list, 1,000 to replay; 100,000 at most. */
  readonly limit?: number | undefined;
  /** How long it may take, in milliseconds. Default 60,000. */
  readonly timeoutMs?: number | undefined;
}

/** Some dead letters of a topic. */
export interface DeadLetterList {
  /** Those of a partition in its order. */
  readonly letters: readonly DeadLetter[];
  /** Where to go on. */
  readonly next: DeadLetterCursor;
  /** Whether that is all there was when it began. */
  readonly done: boolean;
}

/** What is replayed of a dead-letter topic, and where to. */
export interface ReplayOptions extends DeadLetterRange {
  /** Which letters are replayed. Default: all. */
  readonly filter?: ((letter: DeadLetter) => boolean) | undefined;
  /** The topic to write them to. Default: the one that each came from. */
  readonly to?: string | undefined;
  /** Ends the replay early; the report says how far it came. */
  readonly signal?: AbortSignal | undefined;
}

/** What a replay did. */
export interface ReplayReport {
  /** Letters that were written, and acknowledged. */
  readonly replayed: number;
  /** Letters that the filter left out, or that don't say where they came from. */
  readonly skipped: number;
  /** Where to go on; in front of the first letter that was not acknowledged, where there is one. */
  readonly next: DeadLetterCursor;
  /** Whether that is all there was when it began. */
  readonly done: boolean;
  /** Why it ended before that, where something went wrong. */
  readonly failure: KrafkaError | undefined;
}

const MAX_LIMIT = 100_000;
const MAX_TIMER_MS = 2_147_483_647;
/** How many letters are on their way at once. */
const CHUNK = 100;
/** How soon it shows that what is left of a partition holds no records: markers, holes. */
const LOOK_EVERY_MS = 100;

const aCursor: OptionRule<DeadLetterCursor> = (value, path) => {
  if (typeof value !== 'object' || value === null) throw new KrafkaConfigError(path, 'must be an object');
  for (const [partition, offset] of Object.entries(value)) {
    aWhole('partition numbers', 0)(Number(partition), path);
    aWhole('offset', 0)(offset, `${path}.${partition}`);
  }
  return value as DeadLetterCursor;
};

const rangeRules = (limit: number) => ({
  from: withDefault(aCursor, {}),
  limit: withDefault(aWhole('letters', 1, MAX_LIMIT), limit),
  timeoutMs: withDefault(aWhole('milliseconds', 1, MAX_TIMER_MS), 60_000),
});

type CheckedRange = Required<{ [Name in keyof DeadLetterRange]: Exclude<DeadLetterRange[Name], undefined> }>;
type CheckedReplay = CheckedRange & Pick<ReplayOptions, 'filter' | 'to' | 'signal'>;

/**
 * Looks into dead-letter topics and sends what is in them back to where it came from. Injectable from `KrafkaModule`.
 *
 * ```ts
 * const { letters } = await this.deadLetters.list('orders.placed');
 * const report = await this.deadLetters.replay('orders.placed', { filter: ({ error }) => error.name === 'Timeout' });
 * ```
 *
 * Nothing is taken out of a dead-letter topic: it is a log. `next` says where to go on, so that nothing is replayed twice.
 */
export class KrafkaDeadLetters {
  readonly #shared: SharedKrafka;

  constructor(shared: SharedKrafka) {
    this.#shared = shared;
  }

  /**
   * The dead letters of a topic (or of a topic that is named `-dlt` itself), from a place on.
   *
   * @throws KrafkaProtocolError UNKNOWN_TOPIC_OR_PARTITION when there is no such dead-letter topic
   * @throws KrafkaTimeoutError after `timeoutMs`
   */
  async list(topic: string, options: DeadLetterRange = {}): Promise<DeadLetterList> {
    const range = checkOptions<CheckedRange>(options, rangeRules(100), '');
    const letters: DeadLetter[] = [];
    const { next, done, failure } = await this.#read(
      topic,
      range,
      undefined,
      async (letter) => void letters.push(letter),
    );
    if (failure !== undefined) throw failure;
    return { letters, next, done };
  }

  /**
   * Writes dead letters to the topics they came from, with the bytes, the key and the headers they had, to the same
   * partition where it exists. It ends with what was there when it began, so that letters that come back don't go round.
   *
   * When something goes wrong on the way, `timeoutMs` passes for one, the report says what was done before: it is lost to nobody.
   *
   * Every group that reads the topic gets them again. At least once: a letter whose acknowledgment was lost is replayed
   * again by whoever goes on from `next`.
   *
   * @throws KrafkaProtocolError UNKNOWN_TOPIC_OR_PARTITION when there is no such dead-letter topic
   * @throws KrafkaTimeoutError after `timeoutMs`, when not even the first letters could be read
   */
  async replay(topic: string, options: ReplayOptions = {}): Promise<ReplayReport> {
    const checked = checkOptions<CheckedReplay>(
      options,
      {
        ...rangeRules(1_000),
        filter: optional(aFunction<(letter: DeadLetter) => boolean>),
        to: optional(aString),
        signal: optional(anObjectWith<AbortSignal>('addEventListener', 'throwIfAborted')),
      },
      '',
    );
    const replay = new Replay(this.#shared, checked);
    const reading = await this.#read(topic, checked, checked.signal, (letter) => replay.take(letter));
    if (reading.failure !== undefined && reading.looked === 0) throw reading.failure;
    await replay.settle();
    return replay.report(reading);
  }

  async #read(
    given: string,
    { from, limit, timeoutMs }: CheckedRange,
    signal: AbortSignal | undefined,
    take: (letter: DeadLetter) => Promise<unknown>,
  ): Promise<Reading> {
    const { admin, ports, krafka } = this.#shared;
    const topic = aString(given, 'topic').endsWith('-dlt') ? given : deadLetterTopicOf(given);
    const deadline = new Deadline(ports.clock, timeoutMs, 'timeoutMs');
    const [first, last] = await Promise.all([
      admin.listOffsets([{ topic, at: 'earliest' }]),
      admin.listOffsets([{ topic, at: 'latest' }]),
    ]);
    const ends = new Map(last.map(({ partition, offset }) => [partition, offset]));
    const next: Record<number, number> = {};
    for (const { partition, offset } of first) next[partition] = Math.max(offset, from[partition] ?? 0);
    const left = (): number[] =>
      [...ends.keys()].filter((partition) => (next[partition] ?? 0) < (ends.get(partition) ?? 0));
    const partitions = left();
    if (partitions.length === 0) return { looked: 0, next, done: true, failure: undefined };
    const consumer = krafka.consumer({
      assignments: partitions.map((partition) => ({ topic, partition, offset: next[partition] })),
    });
    let looked = 0;
    let failure: unknown;
    try {
      for await (const record of boundedRecords(consumer, { topic, ends, next, deadline, ports, signal })) {
        if (record.offset >= (ends.get(record.partition) ?? 0)) continue;
        await take(decodeDeadLetter(record.detach()));
        next[record.partition] = record.offset + 1;
        if (++looked === limit) break;
      }
    } catch (error) {
      failure = error;
    } finally {
      await consumer.close();
    }
    return { looked, next, done: left().length === 0, failure };
  }
}

/** How far a dead-letter topic was read. */
interface Reading {
  /** How many letters were taken. */
  readonly looked: number;
  readonly next: DeadLetterCursor;
  readonly done: boolean;
  /** What ended it, where something went wrong. */
  readonly failure: unknown;
}

interface Bounds {
  readonly topic: string;
  readonly ends: ReadonlyMap<number, number>;
  readonly next: Record<number, number>;
  readonly deadline: Deadline;
  readonly ports: SharedKrafka['ports'];
  readonly signal: AbortSignal | undefined;
}

/** The records of a consumer until all its partitions have reached their ends, records or not. */
async function* boundedRecords(consumer: Consumer, bounds: Bounds): AsyncGenerator<ConsumerRecord> {
  const { topic, ends, next, deadline, ports, signal } = bounds;
  const records = consumer[Symbol.asyncIterator]();
  let upcoming = records.next();
  // Closing the consumer rejects it, when nobody waits for it any more.
  upcoming.catch(() => undefined);
  const reached = (): boolean =>
    consumer.assignment().every(({ partition }) => {
      const position = consumer.position({ topic, partition });
      if (position !== undefined && position > (next[partition] ?? 0)) next[partition] = position;
      return (next[partition] ?? 0) >= (ends.get(partition) ?? 0);
    });
  try {
    for (;;) {
      if (signal?.aborted === true) return;
      const pause = new AbortController();
      const waited = sleep(ports.clock, Math.min(LOOK_EVERY_MS, Math.max(1, deadline.remainingMs)), pause.signal);
      const result = await Promise.race([upcoming, waited.catch(() => undefined)]);
      pause.abort();
      if (result === undefined) {
        if (consumer.assignment().length > 0 && reached()) return;
        if (deadline.remainingMs <= 0) throw deadline.error(`dead letters of '${topic}'`);
        continue;
      }
      if (result.done === true) return;
      yield result.value;
      if ([...ends].every(([partition, end]) => (next[partition] ?? 0) >= end)) return;
      if (deadline.expired) throw deadline.error(`dead letters of '${topic}'`);
      upcoming = records.next();
      upcoming.catch(() => undefined);
    }
  } finally {
    // Leaves the loop: closing waits for whoever iterates.
    await records.return?.();
  }
}

/** A letter, and the topic it goes to. */
interface Outgoing {
  readonly letter: DeadLetter;
  readonly topic: string;
}

/** One replay under way: a chunk of letters at a time. */
class Replay {
  readonly #shared: SharedKrafka;
  readonly #options: CheckedReplay;
  readonly #chunk: Outgoing[] = [];
  /** The first letter of each partition that was not acknowledged. */
  readonly #stuck = new Map<number, number>();
  #replayed = 0;
  #skipped = 0;
  #failure: KrafkaError | undefined;

  constructor(shared: SharedKrafka, options: CheckedReplay) {
    this.#shared = shared;
    this.#options = options;
  }

  async take(letter: DeadLetter): Promise<void> {
    // After a failure the rest is left for whoever goes on.
    if (this.#failure !== undefined) {
      this.#keep(letter);
      return;
    }
    const { filter, to } = this.#options;
    const topic = to ?? letter.original?.topic;
    if (topic === undefined || filter?.(letter) === false) {
      this.#skipped += 1;
      return;
    }
    this.#chunk.push({ letter, topic });
    if (this.#chunk.length >= CHUNK) await this.settle();
  }

  async settle(): Promise<void> {
    const chunk = this.#chunk.splice(0);
    const outcomes = await Promise.allSettled(chunk.map((outgoing) => this.#send(outgoing)));
    outcomes.forEach((outcome, index) => {
      if (outcome.status === 'fulfilled') {
        this.#replayed += 1;
        return;
      }
      this.#keep((chunk[index] as Outgoing).letter);
      this.#failure ??= failureOf(outcome.reason);
    });
  }

  report({ next, done, failure }: Reading): ReplayReport {
    return {
      replayed: this.#replayed,
      skipped: this.#skipped,
      next: { ...next, ...Object.fromEntries(this.#stuck) },
      done: done && this.#stuck.size === 0,
      failure: this.#failure ?? (failure === undefined ? undefined : failureOf(failure)),
    };
  }

  #keep({ partition, offset }: DeadLetter): void {
    const before = this.#stuck.get(partition);
    this.#stuck.set(partition, before === undefined ? offset : Math.min(before, offset));
  }

  async #send({ letter, topic }: Outgoing): Promise<void> {
    const partitions = await this.#shared.topics.ensure({ name: topic }, false);
    const record: ProducerRecord = replayOf(letter, topic, partitions);
    await sendOfAnySize(this.#shared.letterProducers, record, { signal: this.#options.signal });
  }
}

const failureOf = (error: unknown): KrafkaError =>
  error instanceof KrafkaError
    ? error
    : new KrafkaError('a dead letter was not replayed', { code: 'REPLAY_FAILED', cause: error });
