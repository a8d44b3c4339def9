import { retrying, type Cluster } from '../cluster/index.js';
import { KrafkaError, type Deadline, type Ports } from '../support/index.js';
import type { ConsumerSettings } from './consumer-options.js';
import { coordinatorPatternOf } from './group/coordinator-pattern.js';
import type { Membership } from './group/membership.js';
import { TopicWatch } from './topic-watch.js';
import type { TopicsToRead } from './topics-to-read.js';

export interface SubscriptionOptions {
  readonly cluster: Cluster;
  readonly settings: Pick<
    ConsumerSettings,
    'groupId' | 'topics' | 'topicPattern' | 'topicPatternIntervalMs' | 'groupProtocol'
  >;
  readonly topicsToRead: TopicsToRead;
  readonly ports: Ports;
  /** Ends all looking for topics. */
  readonly signal: AbortSignal;
  /** `startTimeoutMs` from now on. */
  readonly deadline: () => Deadline;
  /** Whether the consumer has begun: until then nothing is looked for. */
  readonly isStarted: () => boolean;
  readonly assertAlive: () => void;
  readonly member: () => Pick<Membership, 'subscribe' | 'match'>;
  readonly onFatal: (error: KrafkaError) => void;
}

/**
 * What a member of a group is subscribed to: topics by name, or those that match a pattern, found by the group's coordinator
 * where that can (KIP-848), else by looking for them here from time to time.
 */
export class Subscription {
  readonly #options: SubscriptionOptions;
  #topics: readonly string[];
  /** While there is a pattern, whoever finds its topics. */
  #watch: TopicWatch | undefined;
  /** The pattern as the group's coordinator understands it, while that is who finds the topics. */
  #coordinatorPattern: string | undefined;

  constructor(options: SubscriptionOptions) {
    this.#options = options;
    this.#topics = options.settings.topics;
    if (options.settings.topicPattern !== undefined) this.#watchFor(options.settings.topicPattern);
  }

  /** By name; undefined while the coordinator finds them, which tells a member of none but those that it assigns. */
  get topics(): readonly string[] | undefined {
    return this.#coordinatorPattern === undefined ? this.#topics : undefined;
  }

  /** Whether there may be something to read yet, though nothing is at this moment. */
  get isPattern(): boolean {
    return this.#watch !== undefined;
  }

  /** Has the topics of a pattern found; answers with what is subscribed to by name. */
  async begin(): Promise<readonly string[]> {
    if (this.#watch !== undefined) await this.#findMatching(this.#watch);
    return this.#topics;
  }

  /** Subscribes to other topics than before, or to those that match another pattern. */
  async change(to: readonly string[] | RegExp): Promise<void> {
    this.close();
    this.#watch = undefined;
    this.#coordinatorPattern = undefined;
    if (!(to instanceof RegExp)) return this.#subscribe(to);
    const watch = this.#watchFor(to);
    if (this.#options.isStarted()) await this.#findMatching(watch);
  }

  /** The coordinator does not match the pattern. Never rejects: what goes wrong is tried again, and ends the consumer. */
  async matchHere(because: KrafkaError): Promise<void> {
    const { deadline, ports, settings, signal, onFatal } = this.#options;
    const watch = this.#watch;
    if (watch === undefined || this.#coordinatorPattern === undefined) return;
    this.#coordinatorPattern = undefined;
    ports.logger.info('the topics of the pattern are found by the member', {
      group: settings.groupId,
      because: because.message,
    });
    try {
      await retrying({ deadline: deadline(), ports, signal }, () => this.#findMatching(watch));
    } catch (error) {
      if (signal.aborted) return;
      const problem = `looking for topics failed: ${String(error)}`;
      onFatal(error instanceof KrafkaError ? error : new KrafkaError(problem, { code: 'GROUP_FAILED', cause: error }));
    }
  }

  close(): void {
    this.#watch?.close();
  }

  #watchFor(pattern: RegExp): TopicWatch {
    const { cluster, settings, deadline, ports } = this.#options;
    const watch = new TopicWatch({
      cluster,
      pattern,
      everyMs: settings.topicPatternIntervalMs,
      deadline,
      ports,
      onChange: (topics) => this.#subscribe(topics),
    });
    this.#watch = watch;
    this.#coordinatorPattern = settings.groupProtocol === 'classic' ? undefined : coordinatorPatternOf(pattern);
    return watch;
  }

  async #findMatching(watch: TopicWatch): Promise<void> {
    const { topicsToRead, deadline, member } = this.#options;
    if (watch !== this.#watch) return;
    if (this.#coordinatorPattern === undefined) {
      const topics = await watch.start();
      if (watch === this.#watch) await this.#subscribe(topics);
      return;
    }
    await topicsToRead.find([], deadline());
    this.#topics = [];
    member().match(this.#coordinatorPattern);
  }

  async #subscribe(topics: readonly string[]): Promise<void> {
    const { topicsToRead, deadline, isStarted, assertAlive, member } = this.#options;
    if (isStarted()) await topicsToRead.find(topics, deadline());
    assertAlive();
    this.#topics = topics;
    member().subscribe(topics);
  }
}
