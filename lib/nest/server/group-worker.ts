import { within } from '../../core/cluster/index.js';
import type { Consumer, ConsumerOptions, GroupState, RunOptions } from '../../core/consumer/index.js';
import { Deadline, KrafkaClosedError, type KrafkaError, type Timer } from '../../core/support/index.js';
import type { KrafkaServerConsumerOptions } from '../options.js';
import type { SharedKrafka } from '../shared-krafka.js';
import type { TopicPattern } from '../topic-name.js';
import { restartAfterMs, type CrashPolicy } from './crash-policy.js';
import { chooseTopics, type TopicChoice } from './topic-choice.js';

/** A handler that is at work on a record, or a batch, of one partition. */
export interface HandlerAtWork {
  readonly topic: string;
  readonly partition: number;
  /** For how long, in milliseconds. */
  readonly handlingMs: number;
}

/** Where a group of handlers stands: its consumer's state, or `waiting` while none of its topics exists, `restarting` between two. */
export interface GroupHealth {
  readonly state: GroupState | 'waiting' | 'restarting';
  /** How many partitions this instance reads. */
  readonly partitions: number;
  /** How many records those are behind, all together, as of their last fetches; undefined before there was any. */
  readonly lag: number | undefined;
  /** Handlers that are at work now. */
  readonly atWork: readonly HandlerAtWork[];
  /** Of those, the ones that the consumer calls stuck: its `stats().stuck`, by its `stuckAfterMs`. */
  readonly stuck: readonly HandlerAtWork[];
  /** Topics that handlers are there for and that don't exist (yet). */
  readonly missingTopics: readonly string[];
  /** Why the consumer can't go on, when it can't. */
  readonly error: KrafkaError | undefined;
}

/** What a {@link GroupWorker} is made of. */
export interface GroupWorkerParts {
  readonly groupId: string;
  readonly patterns: readonly TopicPattern[];
  readonly options: KrafkaServerConsumerOptions & Pick<ConsumerOptions, 'autoCommit'>;
  readonly shared: SharedKrafka;
  /** What is done with what a consumer reads. */
  readonly run: (consumer: Consumer) => RunOptions;
  /** Whether a topic that a pattern fits is for this worker; default: each is. */
  readonly owns?: ((topic: string) => boolean) | undefined;
  /** Which topics are read in place of those, when others are: they are made to exist. */
  readonly inPlaceOf?: ((topics: readonly string[]) => Promise<readonly string[]>) | undefined;
  /** What is done when the consumer can't go on. */
  readonly onCrash: CrashPolicy;
  readonly events: GroupWorkerEvents;
}

/** What a {@link GroupWorker} tells as it happens. */
export interface GroupWorkerEvents {
  state(state: GroupState): void;
  /** The consumer can't go on; it is started again after so long, or never when that is undefined. */
  fatal(error: KrafkaError, restartInMs: number | undefined): void;
  /** It goes on after that. */
  restarted(): void;
}

/** How soon a topic that is missing is found once it exists, and one that fits a RegExp once it is new. */
const MISSING_TOPICS_EVERY_MS = 5_000;
const NEW_TOPICS_EVERY_MS = 30_000;
/** How long after its time a consumer is left behind instead of waited for, in milliseconds. */
const OVERSTAY_MS = 500;

/**
 * The one consumer of a group, and the handlers behind it. Topics that don't exist yet keep nobody waiting: the others are
 * read, and the missing ones joined to them when they appear.
 */
export class GroupWorker {
  readonly groupId: string;
  readonly #parts: GroupWorkerParts;
  #consumer: Consumer | undefined;
  #done: Promise<void> = Promise.resolve();
  #choice: TopicChoice = { topics: [], missing: [] };
  #watch: Timer | undefined;
  #error: KrafkaError | undefined;
  #restart: Timer | undefined;
  #isRestarting = false;
  /** In a row, and when the last began to run. */
  #restarts = 0;
  #runningSince = 0;
  #closed = false;

  constructor(parts: GroupWorkerParts) {
    this.groupId = parts.groupId;
    this.#parts = parts;
  }

  /**
   * Resolves when the group has given this member its partitions.
   *
   * @throws KrafkaClosedError when it is closed meanwhile: then no consumer is left
   */
  async start(): Promise<void> {
    this.#choice = await this.#choose();
    this.#warnOfMissing(this.#choice.missing);
    if (this.#choice.topics.length > 0) await this.#consume(this.#choice.topics);
    this.#watchTopics();
  }

  get health(): GroupHealth {
    const { partitions, stuck } = this.#consumer?.stats() ?? { partitions: [], stuck: [] };
    const lags = partitions.flatMap(({ lag }) => lag ?? []);
    return {
      state: this.state,
      partitions: partitions.length,
      lag: lags.length === 0 ? undefined : sum(lags),
      atWork: partitions.flatMap(({ topic, partition, handlingMs }) =>
        handlingMs === undefined ? [] : [{ topic, partition, handlingMs }],
      ),
      stuck,
      missingTopics: this.#choice.missing,
      error: this.#error,
    };
  }

  /** Of {@link health}, where nobody asks for the rest. */
  get state(): GroupHealth['state'] {
    if (this.#isRestarting) return 'restarting';
    return this.#error === undefined ? (this.#consumer?.groupState() ?? 'waiting') : 'fatal';
  }

  /** The consumer, once there is a topic to read. */
  get consumer(): Consumer | undefined {
    return this.#consumer;
  }

  /**
   * Takes in no more, lets handlers finish within the time, commits and leaves the group.
   *
   * @throws KrafkaTimeoutError when they did not, or the consumer is not closed half a second later
   */
  async close(timeoutMs: number): Promise<void> {
    this.#closed = true;
    this.#watch?.cancel();
    this.#restart?.cancel();
    if (this.#consumer !== undefined) await this.#end(this.#consumer, timeoutMs);
  }

  // A consumer that can't go on closes by itself, and would have this wait as long as it gives its own handlers.
  #end(consumer: Consumer, timeoutMs: number): Promise<void> {
    const { clock } = this.#parts.shared.ports;
    const deadline = new Deadline(clock, timeoutMs + OVERSTAY_MS, 'close timeoutMs');
    const closed = consumer.close({ timeoutMs }).then(() => this.#done);
    return within(clock, { deadline }, `the consumer of the group '${this.groupId}' to close`, closed);
  }

  async #consume(topics: readonly string[]): Promise<void> {
    const { shared, options, groupId, events, run } = this.#parts;
    const consumer = shared.consumer({ ...options, groupId, topics });
    consumer.events.on('state', ({ state }) => events.state(state));
    // Known from here on, so that closing meanwhile closes it.
    this.#consumer = consumer;
    try {
      await consumer.start();
    } catch (error) {
      this.#consumer = undefined;
      await this.#end(consumer, 0);
      throw error;
    }
    this.#assertOpen();
    this.#runningSince = shared.ports.clock.monotonic();
    this.#done = consumer.run(run(consumer)).catch((error: KrafkaError) => this.#died(error));
  }

  #died(error: KrafkaError): void {
    const { shared, events, onCrash } = this.#parts;
    const { clock, random } = shared.ports;
    this.#error = error;
    if (clock.monotonic() - this.#runningSince > onCrash.maxBackoffMs) this.#restarts = 0;
    const afterMs = this.#closed ? undefined : restartAfterMs(onCrash, this.#restarts, error, random);
    this.#isRestarting = afterMs !== undefined;
    if (afterMs !== undefined) {
      this.#restarts += 1;
      // It keeps the process alive: one whose last consumer waits has work.
      this.#restart = clock.setTimer(afterMs, () => void this.#revive());
    }
    events.fatal(error, afterMs);
  }

  async #revive(): Promise<void> {
    try {
      // Known until then, so that closing meanwhile closes it.
      if (this.#consumer !== undefined) await this.#end(this.#consumer, 0);
    } catch (error) {
      // It has died of something already, which was told.
      this.#parts.shared.ports.logger.debug('a dead consumer was not closed in good order', { error });
    }
    this.#consumer = undefined;
    try {
      const choice = await this.#choose();
      this.#choice = choice;
      this.#runningSince = this.#parts.shared.ports.clock.monotonic();
      if (choice.topics.length > 0) await this.#consume(choice.topics);
    } catch (error) {
      if (!this.#closed) this.#died(error as KrafkaError);
      return;
    }
    this.#error = undefined;
    this.#isRestarting = false;
    this.#watchTopics();
    this.#parts.events.restarted();
  }

  async #choose(): Promise<TopicChoice> {
    const { patterns, shared, owns, inPlaceOf } = this.#parts;
    const names = patterns.filter((pattern) => typeof pattern === 'string');
    const existing =
      names.length === patterns.length ? await shared.topics.existing(names) : new Set(await shared.topics.names());
    this.#assertOpen();
    const { topics, missing } = chooseTopics(patterns, existing);
    const owned = owns === undefined ? topics : topics.filter(owns);
    if (inPlaceOf === undefined) return { topics: owned, missing };
    const instead = await inPlaceOf(owned);
    this.#assertOpen();
    return { topics: instead, missing };
  }

  // Closing waits for no broker's answer: who comes back from one finds out here, before anything is begun.
  #assertOpen(): void {
    if (this.#closed) throw new KrafkaClosedError(`the worker of the group '${this.groupId}'`);
  }

  #watchTopics(): void {
    this.#watch?.cancel();
    const hasRegExp = this.#parts.patterns.some((pattern) => pattern instanceof RegExp);
    if (this.#closed || (this.#choice.missing.length === 0 && !hasRegExp)) return;
    const everyMs = this.#choice.missing.length > 0 ? MISSING_TOPICS_EVERY_MS : NEW_TOPICS_EVERY_MS;
    this.#watch = this.#parts.shared.ports.clock.setTimer(everyMs, () => void this.#lookAgain(), true);
  }

  async #lookAgain(): Promise<void> {
    try {
      const choice = await this.#choose();
      // A consumer that is started again chooses by itself.
      if (this.#error !== undefined) return;
      const before = this.#choice;
      if (choice.topics.join() !== before.topics.join()) {
        this.#parts.shared.ports.logger.info('the topics of a group have changed', {
          group: this.groupId,
          topics: choice.topics,
        });
        if (this.#consumer === undefined) await this.#consume(choice.topics);
        else await this.#consumer.subscribe(choice.topics);
      }
      this.#choice = choice;
      this.#warnOfMissing(choice.missing.filter((topic) => !before.missing.includes(topic)));
    } catch (error) {
      if (this.#closed) return;
      this.#parts.shared.ports.logger.warn('looking for missing topics went wrong and is tried again', {
        group: this.groupId,
        error,
      });
    } finally {
      this.#watchTopics();
    }
  }

  #warnOfMissing(topics: readonly string[]): void {
    if (topics.length === 0) return;
    this.#parts.shared.ports.logger.warn(
      "handlers wait for topics that don't exist; list them under `topics:` to have them created",
      { group: this.groupId, topics },
    );
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);

const GRAVITY: readonly GroupHealth['state'][] = [
  'stable',
  'waiting',
  'unjoined',
  'joining',
  'rebalancing',
  'leaving',
  'left',
  'restarting',
  'fatal',
];

/** The health of a group that has several consumers here: the worst of their states, and all of their partitions. */
export const mergedHealth = (one: GroupHealth | undefined, other: GroupHealth): GroupHealth =>
  one === undefined
    ? other
    : {
        state: GRAVITY.indexOf(one.state) > GRAVITY.indexOf(other.state) ? one.state : other.state,
        partitions: one.partitions + other.partitions,
        lag: one.lag === undefined && other.lag === undefined ? undefined : (one.lag ?? 0) + (other.lag ?? 0),
        atWork: [...one.atWork, ...other.atWork],
        stuck: [...one.stuck, ...other.stuck],
        missingTopics: [...new Set([...one.missingTopics, ...other.missingTopics])],
        error: one.error ?? other.error,
      };
