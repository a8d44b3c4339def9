import type { Cluster } from '../cluster/index.js';
import { systemNetworkPorts, type NetworkPorts } from '../network/index.js';
import type { ConsumerRecord } from '../protocol/index.js';
import {
  checkCloseTimeout,
  Deadline,
  Deferred,
  KrafkaClosedError,
  KrafkaConfigError,
  KrafkaError,
  type KrafkaTimeoutError,
  TypedEvents,
  unlessAborted,
} from '../support/index.js';
import type { AssignedPartition, OffsetSpec } from './assigned-partition.js';
import { Assignment } from './assignment.js';
import type { ConsumerEvents, GroupState } from './consumer-events.js';
import {
  checkAssignments,
  checkTopics,
  consumerSettings,
  type ConsumerOptions,
  type ConsumerSettings,
  type ManualAssignment,
} from './consumer-options.js';
import type { ConsumerStats } from './consumer-stats.js';
import { Consumption } from './consumption.js';
import { streamSettings } from './delivery/handling.js';
import { Fetcher } from './fetch/fetcher.js';
import { Membership } from './group/membership.js';
import { RecordDecoder } from './decoding/record-decoder.js';
import { ConsumerStream, type StreamOptions } from './delivery/consumer-stream.js';
import type { HandledRecord, RunOptions } from './handlers.js';
import { checkOffsetsToCommit, checkPartition, checkPartitions } from './given-partitions.js';
import { LagReporter } from './lag-reporter.js';
import { EpochValidator } from './offsets/epoch-validator.js';
import { notOursAnyMore, type OffsetToCommit } from './offsets/commission.js';
import { OffsetResolver } from './offsets/offset-resolver.js';
import type { KeptOffset } from './offsets/committed-offsets.js';
import { partitionStats, stuckIn } from './partition-stats.js';
import { Subscription } from './subscription.js';
import { describePartitions, type TopicPartition } from './topic-partition.js';
import { TopicsToRead, topicsOf } from './topics-to-read.js';
import { within } from './within.js';

/** An offset as the group keeps it. */
export type CommittedOffset = KeptOffset;

/**
 * Who a consumer is to its group, as a transaction has to say when it commits the group's offsets (KIP-447): the
 * coordinator refuses one whose member has been replaced meanwhile.
 */
export interface ConsumerGroupMetadata {
  readonly groupId: string;
  /** The generation of a classic group, the member epoch under the consumer protocol; -1 while it is not a member. */
  readonly generationId: number;
  /** Empty while it is not a member. */
  readonly memberId: string;
  readonly groupInstanceId: string | null;
}

/** Where to go on in a partition: an offset, one of its ends, or the first record at or after a time. */
export type SeekTarget = number | OffsetSpec;

/** How long something is waited for, beside its own time limit. */
export interface WaitOptions {
  /** Ends the waiting with its reason; what was asked for goes on. */
  readonly signal?: AbortSignal | undefined;
}

/** How a consumer is closed. */
export interface ConsumerCloseOptions {
  /** How long handlers, the last commit and the goodbye to the group may take together. Default 30,000. */
  readonly timeoutMs?: number | undefined;
}

const CLOSE_TIMEOUT_MS = 30_000;
/** So much of the time to close is left when a rebalance that is under way is waited for no longer. */
const REVOCATION_REST = 1 / 2;
/** So much of it is left to the goodbye to the group, whatever became of handlers and commits. */
const GOODBYE_REST = 1 / 6;
const GOODBYE_MOST_MS = 2_000;
/** So much of what is left before that is the rebalance listener's, which is told last. */
const LISTENER_REST = 1 / 6;
const LISTENER_MOST_MS = 1_000;

/**
 * Reads topics, in a group or partitions of its own choice. Making one does no I/O: it connects, joins and fetches from
 * `start()` on, which iterating and `run()` call.
 *
 * ```ts
 * const consumer = krafka.consumer({ groupId: 'billing', topics: ['orders'] });
 * for await (const record of consumer) await bill(record.valueText); // record n is done when n + 1 is asked for
 * ```
 *
 * Offsets are committed after the processing, without gaps, batched in time. Heartbeats do not depend on handlers: a
 * slow one keeps its partition, and a rebalance waits for it up to `rebalanceTimeoutMs`.
 */
export class Consumer<Received extends HandledRecord = ConsumerRecord> implements AsyncIterable<Received> {
  readonly events: TypedEvents<ConsumerEvents> = new TypedEvents();
  readonly #cluster: Cluster;
  readonly #settings: ConsumerSettings;
  readonly #ports: NetworkPorts;
  readonly #id: string;
  readonly #fetcher: Fetcher;
  readonly #resolver: OffsetResolver;
  readonly #validator: EpochValidator;
  readonly #assignment: Assignment;
  readonly #membership: Membership | undefined;
  readonly #lags: LagReporter;
  readonly #subscription: Subscription;
  readonly #topicsToRead: TopicsToRead;
  readonly #consumption: Consumption;
  #undecodable = 0;
  readonly #ending = new AbortController();
  /** Rejects when the consumer closes or fails. */
  readonly #ended = new Deferred<never>();
  #assignments: readonly ManualAssignment[];
  #unhear: (() => void) | undefined;
  #starting: Promise<void> | undefined;
  /** The end of the line of calls to `assign`; never rejects. */
  #assigning: Promise<void> = Promise.resolve();
  #fatal: KrafkaError | undefined;
  #closing: { readonly deadline: Deadline; readonly closed: Promise<void> } | undefined;

  /** @throws KrafkaConfigError naming the option at fault */
  constructor(cluster: Cluster, options: ConsumerOptions, ports: Partial<NetworkPorts> = {}) {
    const settings = consumerSettings(options);
    this.#cluster = cluster;
    this.#settings = settings;
    this.#ports = { ...systemNetworkPorts, ...ports };
    this.#assignments = settings.assignments;
    this.#ended.promise.catch(() => undefined);
    this.#id = this.#ports.random.bytes(9).toString('base64url');
    const shared = { cluster, ports: this.#ports, requestTimeoutMs: settings.requestTimeoutMs };
    this.#fetcher = new Fetcher({
      cluster,
      settings,
      ports: this.#ports,
      purpose: `fetch:${this.#id}`,
      // What a group assigns comes in numbers, and seldom.
      hastens: settings.groupId === undefined,
      otherPurposes: ['data', `coordination:${this.#id}`],
      onProgress: () => this.#lags.arm(),
      onData: (partition) => this.#assignment.dataArrived(partition),
      onOutOfRange: (partition, error) => this.#assignment.positions.outOfRange(partition, error),
      onNewLeader: (partition) => this.#assignment.positions.newLeader(partition),
      onFailed: (partition, error) => this.#assignment.positions.failed(partition, error),
      onFatal: (error) => this.#fail(error),
    });
    this.#resolver = new OffsetResolver({
      ...shared,
      isolationLevel: settings.isolationLevel,
      onResolved: (partition, resolved) => this.#assignment.positions.resolved(partition, resolved),
      onRefused: (partition, error) => this.#assignment.positions.failed(partition, error),
    });
    this.#validator = new EpochValidator({
      ...shared,
      onValid: (partition) => this.#assignment.positions.valid(partition),
      onTruncated: (partition, truncation) => this.#assignment.positions.truncated(partition, truncation),
      onRefused: (partition, error) => this.#assignment.positions.failed(partition, error),
    });
    this.#assignment = new Assignment({
      settings,
      ports: this.#ports,
      events: this.events,
      fetcher: this.#fetcher,
      resolver: this.#resolver,
      validator: this.#validator,
      committed: (partitions, signal) =>
        this.#group('committed').committed(partitions, this.#deadline('defaultApiTimeoutMs'), signal),
      commit: async (partitions, deadline) => this.#membership?.commitDone(partitions, deadline),
      onUncommitted: () => this.#membership?.armCommits(),
      isMember: () => this.#membership === undefined || this.#membership.identity !== undefined,
      onFatal: (error) => this.#fail(error),
    });
    this.#topicsToRead = new TopicsToRead(cluster, this.#ports, this.#ending.signal);
    this.#consumption = new Consumption({
      assignment: this.#assignment,
      fetcher: this.#fetcher,
      ports: this.#ports,
      decoder: this.#decoderOf(settings),
      start: () => this.start(),
      assertAlive: () => this.#assertAlive(),
      end: () => (this.#fatal === undefined ? this.#closing && 'closed' : 'failed'),
      commit: (partition) => this.#commitOf(partition),
      onHandlerFailed: (error) => this.#fail(error),
    });
    this.#subscription = new Subscription({
      cluster,
      settings,
      topicsToRead: this.#topicsToRead,
      ports: this.#ports,
      signal: this.#ending.signal,
      deadline: () => this.#deadline('startTimeoutMs'),
      isStarted: () => this.#starting !== undefined,
      assertAlive: () => this.#assertAlive(),
      member: () => this.#group('a subscription'),
      onFatal: (error) => this.#fail(error),
    });
    this.#lags = new LagReporter({
      events: this.events,
      clock: this.#ports.clock,
      partitions: () => this.#assignment.partitions,
      committedOnly: settings.isolationLevel === 'read_committed',
    });
    if (settings.groupId !== undefined) {
      this.#membership = new Membership({
        cluster,
        groupId: settings.groupId,
        settings,
        id: this.#id,
        owner: this.#assignment,
        partitions: () => this.#assignment.partitions,
        events: this.events,
        ports: this.#ports,
        onFatal: (error) => this.#fail(error),
        onUnmatched: (error) => void this.#subscription.matchHere(error),
      });
    }
  }

  /** The group this is a member of, where there is one. */
  get groupId(): string | undefined {
    return this.#settings.groupId;
  }

  /**
   * Connects, joins the group where there is one, and finds the positions. When it resolves, nothing that is produced
   * from then on is missed. Calling it again waits for the same start; after a failed one it tries again.
   *
   * @throws KrafkaConfigError when there is nothing to read
   * @throws KrafkaProtocolError UNKNOWN_TOPIC_OR_PARTITION naming a topic that was not there within `startTimeoutMs`
   * @throws KrafkaTimeoutError when the group did not gather within `rebalanceTimeoutMs`, or a broker does not answer
   */
  start({ signal }: WaitOptions = {}): Promise<void> {
    if (this.#closing !== undefined) return Promise.reject(this.#fatal ?? new KrafkaClosedError('the consumer'));
    this.#starting ??= this.#start().catch((error: unknown) => {
      this.#starting = undefined;
      throw error;
    });
    return unlessAborted(this.#starting, signal);
  }

  /**
   * Hands records out one by one. A record is done, and may be committed, when the next one is asked for: so leaving the
   * loop, by `break` or by an exception, leaves the record at hand uncommitted, and iterating again begins with it. The
   * partitions take turns, batch by batch.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<Received, undefined> {
    return this.#consumption.iterate() as AsyncIterableIterator<Received, undefined>;
  }

  /**
   * Records as a Node stream, with backpressure: see {@link ConsumerStream} for when one is done. It begins to consume
   * when it is first read, ends when the consumer is closed, and is destroyed when that fails.
   *
   * @throws KrafkaConfigError
   */
  stream(options: StreamOptions = {}): ConsumerStream<Received> {
    const { limit, signal } = streamSettings(options);
    return new ConsumerStream<Received>(
      (eachRecord, stopping) => this.run({ eachRecord, concurrency: { by: 'none', limit }, signal: stopping }),
      limit,
      signal,
    );
  }

  /**
   * Calls a handler for each record or batch, partitions side by side. Resolves when the consumer is closed.
   *
   * @throws KrafkaHandlerError naming topic, partition and offset when a handler fails; nothing from that offset on is
   *   committed, and the consumer leaves its group
   * @throws KrafkaError whatever else ends the consumer
   * @throws the reason of `signal` once that is aborted and handlers have ended; the consumer may be consumed anew then.
   *   Where the consumer is closed before they have, it resolves with that
   */
  run(options: RunOptions<Received>): Promise<void> {
    // With deserializers `Received` is what they make, which the handlers are called with.
    return this.#consumption.run(options as unknown as RunOptions);
  }

  /**
   * Subscribes to other topics than before, in place of a `topicPattern` too, or to those that match another pattern.
   * Needs a group.
   */
  async subscribe(topics: readonly string[] | RegExp): Promise<void> {
    this.#group('subscribe()');
    const checked = topics instanceof RegExp ? topics : checkTopics(topics);
    this.#assertAlive();
    if (this.#starting !== undefined) await this.start();
    await this.#subscription.change(checked);
  }

  /**
   * Reads other partitions than before: those named both before and now go on undisturbed. Without a group. Called again
   * it follows when the call before it has ended.
   */
  async assign(assignments: readonly ManualAssignment[]): Promise<void> {
    if (this.#membership !== undefined) throw new KrafkaConfigError('groupId', 'excludes assign(): the group assigns');
    const checked = checkAssignments(assignments);
    this.#assertAlive();
    if (this.#starting === undefined) {
      this.#assignments = checked;
      return;
    }
    const assigned = this.#assigning.then(() => this.#assign(checked));
    this.#assigning = assigned.catch(() => undefined);
    await assigned;
  }

  /**
   * The topics subscribed to. While the group's coordinator finds those of a pattern, it tells each member only of what
   * it assigns: then the topics of {@link assignment}.
   */
  subscription(): readonly string[] {
    return this.#subscription.topics ?? topicsOf(this.assignment()).toSorted();
  }

  /** The partitions read at the moment. */
  assignment(): readonly TopicPartition[] {
    return this.#assignment.owned;
  }

  /** Hands out nothing more of these partitions, by default of all; what was read ahead of them is dropped. */
  pause(partitions: readonly TopicPartition[] = this.assignment()): void {
    for (const partition of checkPartitions(partitions)) this.#assignment.pause(this.#assigned(partition));
  }

  /** Goes on with these partitions, by default with all. */
  resume(partitions: readonly TopicPartition[] = this.assignment()): void {
    for (const partition of checkPartitions(partitions)) this.#assignment.resume(this.#assigned(partition));
  }

  /** The partitions that are paused. */
  paused(): readonly TopicPartition[] {
    const paused = [...this.#assignment.partitions].filter((partition) => partition.paused);
    return paused.map(({ topic, partition }) => ({ topic, partition }));
  }

  /**
   * Goes on elsewhere in a partition; what is before counts as done. An offset takes effect at once; otherwise the
   * position is known when the promise resolves.
   *
   * @throws KrafkaConfigError, KrafkaError NOT_ASSIGNED; REVOKED when the partition goes before its position is known
   */
  async seek(partition: TopicPartition, target: SeekTarget, { signal }: WaitOptions = {}): Promise<void> {
    const assigned = this.#assigned(partition);
    checkTarget(target);
    const found = this.#assignment.positions.seek(assigned, target);
    if (typeof target === 'number') return found;
    const deadline = this.#deadline('defaultApiTimeoutMs');
    if (!(await unlessAborted(within(deadline, this.#ports.clock, found), signal)))
      throw deadline.error('the position to be found');
  }

  /**
   * Commits offsets: those given, wherever they are, else everything that is done. With `autoCommit` on what is done is
   * committed after that as well, but nothing before an offset given, unless a `seek` says so.
   *
   * @throws KrafkaProtocolError when the group does not take them, e.g. ILLEGAL_GENERATION after a rebalance
   * @throws KrafkaError REVOKED when a partition goes to another member before the group was told
   * @throws KrafkaTimeoutError after `defaultApiTimeoutMs`
   */
  async commit(offsets?: readonly OffsetToCommit[], { signal }: WaitOptions = {}): Promise<void> {
    const membership = this.#group('commit()');
    const deadline = this.#deadline('defaultApiTimeoutMs');
    await unlessAborted(
      offsets === undefined
        ? membership.commitDone(this.#assignment.partitions, deadline)
        : membership.commit(checkOffsetsToCommit(offsets), deadline),
      signal,
    );
  }

  /**
   * What the group has committed of these partitions, by default of those assigned; what it has not is left out.
   *
   * @throws KrafkaProtocolError when it does not tell of one of them, KrafkaTimeoutError after `defaultApiTimeoutMs`
   */
  async committed(
    partitions: readonly TopicPartition[] = this.assignment(),
    { signal }: WaitOptions = {},
  ): Promise<readonly CommittedOffset[]> {
    const deadline = this.#deadline('defaultApiTimeoutMs');
    const { kept, refused } = await unlessAborted(
      this.#group('committed()').committed(checkPartitions(partitions), deadline, signal),
      signal,
    );
    for (const error of refused.values()) throw error;
    return [...kept.values()];
  }

  /** The next offset to be handed out; undefined while it is not known. */
  position(partition: TopicPartition): number | undefined {
    const { position } = this.#assigned(partition);
    return position < 0 ? undefined : position;
  }

  /**
   * How many offsets lie between the position and the partition's end (under `read_committed` the last stable offset),
   * as of the last fetch; undefined before it.
   */
  lag(partition: TopicPartition): number | undefined {
    return this.#assigned(partition).lag(this.#settings.isolationLevel === 'read_committed');
  }

  groupState(): GroupState {
    if (this.#fatal !== undefined) return 'fatal';
    return this.#membership?.state ?? 'unjoined';
  }

  /**
   * Who this consumer is to its group at this moment: what a transaction sends along with the group's offsets.
   *
   * @throws KrafkaConfigError without a group
   */
  groupMetadata(): ConsumerGroupMetadata {
    const { identity } = this.#group('groupMetadata()');
    const { groupId, groupInstanceId = null } = this.#settings;
    const { memberId = '', generation = -1 } = identity ?? {};
    return { groupId: groupId as string, generationId: generation, memberId, groupInstanceId };
  }

  stats(): ConsumerStats {
    const committedOnly = this.#settings.isolationLevel === 'read_committed';
    const now = this.#ports.clock.monotonic();
    const partitions = Array.from(this.#assignment.partitions, (partition) =>
      partitionStats(partition, this.#consumption.underWay(partition), now, committedOnly),
    );
    return {
      groupState: this.groupState(),
      partitions,
      stuck: partitions.flatMap((one) => stuckIn(one, this.#settings.stuckAfterMs)),
      undecodable: this.#undecodable,
      idleRatio: this.#consumption.idleRatio,
      bufferedBytes: partitions.reduce((sum, { bufferedBytes }) => sum + bufferedBytes, 0),
      ...this.#fetcher.counters.snapshot(),
      offsetLookups: this.#resolver.requests,
      commits: this.#membership?.commits ?? 0,
      rebalances: this.#membership?.rebalances ?? 0,
    };
  }

  /**
   * Stops fetching, waits for handlers, commits what is done, leaves the group and closes this consumer's connections.
   * Never await it inside a handler or a loop over the consumer: it waits for just those to end. Called again it waits for
   * the same close, which then takes no longer than the tightest `timeoutMs` allows; so does the close of a consumer that
   * has failed, which began by itself.
   *
   * @throws KrafkaConfigError at once, when the options are wrong
   * @throws KrafkaTimeoutError when handlers, those of partitions that went before among them, or the rebalance listener
   *   had not ended in time; everything is closed nevertheless
   */
  close(options: ConsumerCloseOptions = {}): Promise<void> {
    const timeoutMs = checkCloseTimeout(options, CLOSE_TIMEOUT_MS);
    if (this.#closing === undefined) {
      const deadline = new Deadline(this.#ports.clock, timeoutMs, 'close timeoutMs');
      const closed = new Deferred<void>();
      this.#closing = { deadline, closed: closed.promise };
      this.#close(deadline).then(closed.resolve, closed.reject);
    } else this.#closing.deadline.tighten(timeoutMs);
    return this.#closing.closed;
  }

  async #assign(assignments: readonly ManualAssignment[]): Promise<void> {
    await this.start();
    await this.#topicsToRead.find(topicsOf(assignments), this.#deadline('startTimeoutMs'));
    await this.#topicsToRead.findPartitions(assignments, this.#deadline('startTimeoutMs'));
    this.#assignments = assignments;
    const { owned } = this.#assignment;
    await this.#assignment.revoke(
      owned.filter((one) => !isAmong(one, assignments)),
      this.#deadline('defaultApiTimeoutMs'),
    );
    await this.#assignment.assignManually(assignments.filter((one) => !isAmong(one, owned)));
  }

  async #start(): Promise<void> {
    this.#assertAlive();
    const topics = this.#membership === undefined ? topicsOf(this.#assignments) : await this.#subscription.begin();
    if (topics.length === 0 && !this.#subscription.isPattern) {
      const option = this.#membership === undefined ? 'assignments' : 'topics';
      throw new KrafkaConfigError(option, 'names nothing to read');
    }
    await this.#topicsToRead.find(topics, this.#deadline('startTimeoutMs'));
    await this.#topicsToRead.findPartitions(this.#assignments, this.#deadline('startTimeoutMs'));
    this.#assertAlive();
    this.#unhear ??= this.#cluster.events.on('metadata', () => {
      this.#fetcher.metadataChanged();
      this.#resolver.metadataChanged();
      this.#validator.metadataChanged();
      this.#membership?.metadataChanged();
    });
    if (this.#membership === undefined) await this.#assignment.assignManually(this.#assignments);
    else this.#membership.start();
    const deadline = this.#deadline(this.#membership === undefined ? 'defaultApiTimeoutMs' : 'rebalanceTimeoutMs');
    const ready = Promise.race([this.#assignment.settled, this.#ended.promise]);
    if (await within(deadline, this.#ports.clock, ready)) return;
    const error = deadline.error(this.#membership === undefined ? 'the positions' : 'the group to gather');
    this.#fail(error);
    throw error;
  }

  #decoderOf(settings: ConsumerSettings): RecordDecoder | undefined {
    const { keyDeserializer, valueDeserializer, onUndecodable: policy } = settings;
    if (keyDeserializer === undefined && valueDeserializer === undefined) return undefined;
    return new RecordDecoder({
      keyDeserializer,
      valueDeserializer,
      policy,
      onUndecodable: ({ topic, partition, offset }, error) => {
        this.#undecodable++;
        this.#ports.logger.error('a record cannot be deserialized', { topic, partition, offset, policy, error });
        this.events.emit('undecodable', { topic, partition, offset, error });
      },
    });
  }

  async #commitOf(partition: AssignedPartition): Promise<void> {
    const membership = this.#group('commit()');
    if (!partition.owned) throw notOursAnyMore([partition]);
    await membership.commitDone([partition], this.#deadline('defaultApiTimeoutMs'));
  }

  /** The consumer can't go on: whoever waits is told, and everything is given back so that others can. */
  #fail(error: KrafkaError): void {
    if (this.#fatal !== undefined || this.#closing !== undefined) return;
    this.#fatal = error;
    this.#ports.logger.error('the consumer cannot go on', { group: this.groupId, error });
    this.events.emit('fatal', { error });
    this.#consumption.end(error);
    void this.#closeFailed();
  }

  async #closeFailed(): Promise<void> {
    try {
      await this.close();
    } catch (error) {
      this.#ports.logger.warn('the failed consumer did not close in good order', { error });
    }
  }

  /** Each step has time of its own, which a step before it that does not end leaves to it. */
  async #close(deadline: Deadline): Promise<void> {
    const { clock } = this.#ports;
    const reason = this.#fatal ?? new KrafkaClosedError('the consumer');
    this.#ending.abort(reason);
    this.#ended.reject(reason);
    const fetching = this.#fetcher.stop(deadline);
    const membership = this.#membership;
    const halting = deadline.sooner(REVOCATION_REST);
    if (membership !== undefined) await within(halting, clock, membership.halt(halting));
    this.#assignment.retire(reason);
    let problem: unknown;
    try {
      const giving = deadline.sooner(GOODBYE_REST, GOODBYE_MOST_MS);
      await within(giving, clock, this.#assignment.giveUp(giving.sooner(LISTENER_REST, LISTENER_MOST_MS)));
    } catch (error) {
      problem = error;
    }
    // Whose handlers have not ended, and what else is still awaited: before anything else has the time to end.
    problem ??= this.#overstayed(deadline);
    if (membership !== undefined) await within(deadline, clock, membership.leave(deadline));
    this.#consumption.end(this.#fatal);
    this.#resolver.close();
    this.#validator.close();
    this.#lags.close();
    this.#subscription.close();
    this.#unhear?.();
    this.#topicsToRead.close();
    await within(deadline, clock, fetching);
    await Promise.all([
      this.#cluster.pool.release(`fetch:${this.#id}`, { timeoutMs: 0 }),
      this.#cluster.pool.release(`coordination:${this.#id}`, { timeoutMs: 0 }),
    ]);
    this.events.emit('closed', {});
    if (problem !== undefined) throw problem as Error;
  }

  /** The error of what had to end before everything was given up, and has not. */
  #overstayed(deadline: Deadline): KrafkaTimeoutError | undefined {
    const { ending, listening } = this.#assignment;
    if (ending.length > 0) return deadline.error(`the handlers of ${describePartitions(ending)} to end`);
    return listening && deadline.error(`the rebalance listener's '${listening}' to end`);
  }

  #assigned(given: TopicPartition): AssignedPartition {
    const { topic, partition } = checkPartition(given);
    const assigned = this.#assignment.get(topic, partition);
    if (assigned !== undefined) return assigned;
    throw new KrafkaError(`topic '${topic}' partition ${partition} is not assigned to this consumer`, {
      code: 'NOT_ASSIGNED',
    });
  }

  #group(what: string): Membership {
    if (this.#membership === undefined) throw new KrafkaConfigError('groupId', `is needed for ${what}`);
    return this.#membership;
  }

  #deadline(budget: 'defaultApiTimeoutMs' | 'startTimeoutMs' | 'rebalanceTimeoutMs'): Deadline {
    return new Deadline(this.#ports.clock, this.#settings[budget], budget);
  }

  #assertAlive(): void {
    if (this.#fatal !== undefined) throw this.#fatal;
    if (this.#closing !== undefined) throw new KrafkaClosedError('the consumer');
  }
}

const isAmong = (one: TopicPartition, others: readonly TopicPartition[]): boolean =>
  others.some(({ topic, partition }) => one.topic === topic && one.partition === partition);

function checkTarget(target: SeekTarget): void {
  const number = typeof target === 'object' ? target.timestamp : target;
  if (number === 'earliest' || number === 'latest' || number === 'max-timestamp') return;
  if (typeof number === 'number' && Number.isSafeInteger(number) && number >= 0) return;
  throw new KrafkaConfigError('target', "must be an offset, 'earliest', 'latest', 'max-timestamp' or { timestamp }");
}
