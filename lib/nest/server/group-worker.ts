import type { Consumer, ConsumerOptions, GroupState, RunOptions } from '../../core/consumer/index.js';
import type { KrafkaError, Timer } from '../../core/support/index.js';
import type { KrafkaServerConsumerOptions } from '../options.js';
import type { SharedKrafka } from '../shared-krafka.js';
import type { TopicPattern } from '../topic-name.js';
import { chooseTopics, type TopicChoice } from './topic-choice.js';

/** Where a group of handlers stands: its consumer's state, or `waiting` while none of its topics exists. */
export interface GroupHealth {
  readonly state: GroupState | 'waiting';
  /** How many partitions this instance reads. */
  readonly partitions: number;
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
  readonly events: GroupWorkerEvents;
}

/** What a {@link GroupWorker} tells as it happens. */
export interface GroupWorkerEvents {
  state(state: GroupState): void;
  fatal(error: KrafkaError): void;
}

/** How soon a topic that is missing is found once it exists, and one that fits a RegExp once it is new. */
const MISSING_TOPICS_EVERY_MS = 5_000;
const NEW_TOPICS_EVERY_MS = 30_000;

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
  #closed = false;

  constructor(parts: GroupWorkerParts) {
    this.groupId = parts.groupId;
    this.#parts = parts;
  }

  /** Resolves when the group has given this member its partitions. */
  async start(): Promise<void> {
    this.#choice = await this.#choose();
    this.#warnOfMissing(this.#choice.missing);
    if (this.#choice.topics.length > 0) await this.#consume(this.#choice.topics);
    this.#watchTopics();
  }

  get health(): GroupHealth {
    const consumer = this.#consumer;
    return {
      state: this.#error === undefined ? (consumer?.groupState() ?? 'waiting') : 'fatal',
      partitions: consumer?.assignment().length ?? 0,
      missingTopics: this.#choice.missing,
      error: this.#error,
    };
  }

  /** The consumer, once there is a topic to read. */
  get consumer(): Consumer | undefined {
    return this.#consumer;
  }

  /** Takes in no more, lets handlers finish within the time, commits and leaves the group. */
  async close(timeoutMs: number): Promise<void> {
    this.#closed = true;
    this.#watch?.cancel();
    await this.#consumer?.close({ timeoutMs });
    await this.#done;
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
      await consumer.close({ timeoutMs: 0 });
      throw error;
    }
    this.#done = consumer.run(run(consumer)).catch((error: KrafkaError) => {
      this.#error = error;
      events.fatal(error);
    });
  }

  async #choose(): Promise<TopicChoice> {
    const { patterns, shared, owns, inPlaceOf } = this.#parts;
    const names = patterns.filter((pattern) => typeof pattern === 'string');
    const existing =
      names.length === patterns.length ? await shared.topics.existing(names) : new Set(await shared.topics.names());
    const { topics, missing } = chooseTopics(patterns, existing);
    const owned = owns === undefined ? topics : topics.filter(owns);
    return { topics: inPlaceOf === undefined ? owned : await inPlaceOf(owned), missing };
  }

  #watchTopics(): void {
    const hasRegExp = this.#parts.patterns.some((pattern) => pattern instanceof RegExp);
    if (this.#closed || (this.#choice.missing.length === 0 && !hasRegExp)) return;
    const everyMs = this.#choice.missing.length > 0 ? MISSING_TOPICS_EVERY_MS : NEW_TOPICS_EVERY_MS;
    this.#watch = this.#parts.shared.ports.clock.setTimer(everyMs, () => void this.#lookAgain(), true);
  }

  async #lookAgain(): Promise<void> {
    try {
      const choice = await this.#choose();
      if (this.#closed) return;
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

const GRAVITY: readonly GroupHealth['state'][] = [
  'stable',
  'waiting',
  'unjoined',
  'joining',
  'rebalancing',
  'leaving',
  'left',
  'fatal',
];

/** The health of a group that has several consumers here: the worst of their states, and all of their partitions. */
export const mergedHealth = (one: GroupHealth | undefined, other: GroupHealth): GroupHealth =>
  one === undefined
    ? other
    : {
        state: GRAVITY.indexOf(one.state) > GRAVITY.indexOf(other.state) ? one.state : other.state,
        partitions: one.partitions + other.partitions,
        missingTopics: [...new Set([...one.missingTopics, ...other.missingTopics])],
        error: one.error ?? other.error,
      };
