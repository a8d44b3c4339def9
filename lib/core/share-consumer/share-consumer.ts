import { within, type Cluster } from '../cluster/index.js';
import type { GroupState, KrafkaHandlerError, TopicPartition } from '../consumer/index.js';
import { GroupCoordinator } from '../coordination/index.js';
import { systemNetworkPorts, type NetworkPorts } from '../network/index.js';
import { ShareFetch, ShareGroupHeartbeat } from '../protocol/index.js';
import {
  checkCloseTimeout,
  Deadline,
  Deferred,
  KrafkaClosedError,
  KrafkaError,
  KrafkaTimeoutError,
  KrafkaUnsupportedFeatureError,
  TypedEvents,
} from '../support/index.js';
import { KrafkaAcknowledgeError } from './acknowledge-error.js';
import type { AcknowledgeType } from './acknowledge-type.js';
import type { ShareConsumerEvents } from './share-consumer-events.js';
import {
  checkTopics,
  shareConsumerSettings,
  type ShareConsumerOptions,
  type ShareConsumerSettings,
} from './share-consumer-options.js';
import type { ShareConsumerStats } from './share-consumer-stats.js';
import type { ShareDelivery } from './share-delivery.js';
import { ShareFetcher } from './share-fetcher.js';
import { ShareMember } from './share-member.js';
import type { SharePartition } from './share-partition.js';
import { ShareQueue } from './share-queue.js';
import type { ShareRecord } from './share-record.js';
import { ShareRun, shareRunSettings, type ShareRunOptions } from './share-run.js';
import { ShareIterator, ShareStream } from './share-stream.js';

/** How a share consumer is closed. */
export interface ShareConsumerCloseOptions {
  /** How long handlers, the last acknowledgements and the goodbye to the group may take together. Default 30,000. */
  readonly timeoutMs?: number | undefined;
}

const CLOSE_TIMEOUT_MS = 30_000;
/** How much of the time to close handlers may use: what they did has to be told. */
const HANDLERS_SHARE = 2 / 3;
/** The feature that lets a cluster have share groups. */
const FEATURE = 'share.version';

/**
 * Takes records of topics together with the other members of a share group (KIP-932): each record is one member's at a
 * time, is acknowledged by itself, and is delivered again when it was released or its lock expired. There may be more
 * members than partitions, and there is no order. Making one does no I/O: it connects, joins and fetches when it is
 * iterated or run.
 *
 * ```ts
 * const consumer = krafka.shareConsumer({ groupId: 'mails', topics: ['mails.to-send'] });
 * await consumer.run({
 *   concurrency: 16,
 *   eachRecord: async (record) => {
 *     if (!isMail(record.valueText)) return record.reject(); // never again
 *     await send(record.valueText); // accepted when it resolves, released when it rejects
 *   },
 * });
 * ```
 */
export class ShareConsumer implements AsyncIterable<ShareRecord> {
  readonly events: TypedEvents<ShareConsumerEvents> = new TypedEvents();
  readonly #cluster: Cluster;
  readonly #settings: ShareConsumerSettings;
  readonly #ports: NetworkPorts;
  readonly #id: string;
  readonly #member: ShareMember;
  readonly #fetcher: ShareFetcher;
  readonly #queue: ShareQueue;
  readonly #ending = new AbortController();
  /** Rejects when the consumer closes or fails. */
  readonly #ended = new Deferred<never>();
  /** Resolves with the first assignment. */
  readonly #joined = new Deferred<void>();
  #topics: readonly string[];
  #untrack: (() => void) | undefined;
  #unhear: (() => void) | undefined;
  #delivery: ShareDelivery | undefined;
  #starting: Promise<void> | undefined;
  #fatal: KrafkaError | undefined;
  #closing: Promise<void> | undefined;

  /** @throws KrafkaConfigError naming the option at fault */
  constructor(cluster: Cluster, options: ShareConsumerOptions, ports: Partial<NetworkPorts> = {}) {
    const settings = shareConsumerSettings(options);
    this.#cluster = cluster;
    this.#settings = settings;
    this.#ports = { ...systemNetworkPorts, ...ports };
    this.#topics = settings.topics;
    this.#ended.promise.catch(() => undefined);
    this.#id = this.#ports.random.bytes(9).toString('base64url');
    this.#queue = new ShareQueue({
      onReady: () => this.#delivery?.ready(),
      onBroken: (error) => this.#fail(asKrafkaError(error)),
    });
    this.#member = new ShareMember({
      coordinator: new GroupCoordinator({
        cluster,
        groupId: settings.groupId,
        purpose: `coordination:${this.#id}`,
        requestTimeoutMs: settings.requestTimeoutMs,
        ports: this.#ports,
      }),
      cluster,
      settings,
      topics: settings.topics,
      ports: this.#ports,
      onAssigned: (partitions) => this.#assigned(partitions),
      onState: (state, previous) => this.events.emit('state', { state, previous }),
      onFatal: (error) => this.#fail(error),
    });
    this.#fetcher = new ShareFetcher({
      cluster,
      settings,
      memberId: this.#member.memberId,
      purpose: `fetch:${this.#id}`,
      ports: this.#ports,
      listener: {
        onAcquired: (leader, records) => this.#queue.push(leader, records),
        onAcknowledged: ({ partition: { topic, partition }, ranges }) =>
          this.events.emit('acknowledged', { topic, partition, ranges }),
        onAcknowledgeFailed: (failure) => {
          this.#ports.logger.warn('acknowledgements were not taken', { ...failure });
          this.events.emit('acknowledgeFailed', failure);
        },
        onLockExpired: ({ topic, partition }, ranges, handedOut) => {
          this.#ports.logger.warn('locks expired before anything was said of the records', {
            ...{ topic, partition, ranges, handedOut },
          });
          this.events.emit('lockExpired', { topic, partition, ranges, handedOut });
        },
        onUnreadable: ({ topic, partition }, ranges, error) => {
          this.#ports.logger.error('a batch could not be read: it was released', { topic, partition, ranges, error });
          this.events.emit('unreadable', { topic, partition, ranges, error });
        },
        onSessionLost: (broker, records, error) => {
          this.#ports.logger.warn('a share session was lost', { broker, records, error });
          this.events.emit('sessionLost', { broker, records, error });
        },
        onPartitionFailed: (partition, error) => this.#partitionFailed(partition, error),
        onFatal: (error) => this.#fail(error),
      },
    });
  }

  /** The share group. */
  get groupId(): string {
    return this.#settings.groupId;
  }

  /** What the group knows this member by. */
  get memberId(): string {
    return this.#member.memberId;
  }

  /**
   * Connects and joins the group; resolves with the first assignment. Records are acquired only while they are asked for,
   * by a loop or by `run()`. Calling it again waits for the same start; after a failed one it tries again.
   *
   * @throws KrafkaUnsupportedFeatureError when the cluster has no share groups (before Kafka 4.2, or `share.version` 0)
   * @throws KrafkaProtocolError UNKNOWN_TOPIC_OR_PARTITION naming a topic that was not there within `startTimeoutMs`
   * @throws KrafkaTimeoutError when the group, or a broker, did not answer in that time
   */
  start(): Promise<void> {
    if (this.#closing !== undefined) return Promise.reject(this.#fatal ?? new KrafkaClosedError('the share consumer'));
    this.#starting ??= this.#start().catch((error: unknown) => {
      this.#starting = undefined;
      throw error;
    });
    return this.#starting;
  }

  /**
   * Hands records out one by one. With `acknowledgement: 'implicit'` a record is accepted when the next one is asked for,
   * and released when the loop is left, unless something else was said of it. Iterating again goes on.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<ShareRecord, undefined> {
    return new ShareIterator(async () => {
      const stream = this.#stream();
      await this.#startFor(stream);
      return stream;
    });
  }

  /**
   * Calls a handler for each record. Resolves when the consumer is closed, or `signal` aborts. A handler that fails has
   * its record released, see `onError`; the event `handlerFailed` tells.
   *
   * @throws KrafkaHandlerError with `onError: 'fail'`, naming topic, partition and offset
   * @throws KrafkaError whatever else ends the consumer
   */
  async run(options: ShareRunOptions): Promise<void> {
    const run: ShareRun = new ShareRun(shareRunSettings(options), {
      queue: this.#queue,
      implicit: this.#settings.acknowledgement === 'implicit',
      signal: this.#ending.signal,
      onHandlerFailed: (error, fatal) => this.#handlerFailed(error, fatal),
      onLeaving: () => this.#left(run),
    });
    this.#attach(run);
    await this.#startFor(run);
    await run.finished;
  }

  /**
   * Says what becomes of a record, as its own methods do.
   *
   * @throws KrafkaError NOT_ACQUIRED when it was acknowledged before, or is not this member's any more
   */
  acknowledge(record: ShareRecord, type: AcknowledgeType = 'accept'): void {
    void record.acknowledge(type);
  }

  /**
   * Tells the brokers at once what was said of records so far, and waits until they have taken it. What nothing was said
   * of stays acquired.
   *
   * @throws KrafkaAcknowledgeError naming every partition whose broker did not take it
   * @throws KrafkaTimeoutError after `defaultApiTimeoutMs`
   */
  async commit(): Promise<void> {
    this.#assertAlive();
    const deadline = new Deadline(this.#ports.clock, this.#settings.defaultApiTimeoutMs, 'defaultApiTimeoutMs');
    const failures = await within(
      this.#ports.clock,
      { deadline },
      'acknowledgements to be taken',
      this.#fetcher.flush(),
    );
    if (failures.length > 0) throw new KrafkaAcknowledgeError(failures);
  }

  /** Subscribes to other topics than before. */
  async subscribe(topics: readonly string[]): Promise<void> {
    const checked = checkTopics(topics);
    this.#assertAlive();
    if (this.#starting !== undefined) {
      await this.start();
      await this.#findTopics(checked, this.#startDeadline());
    }
    this.#topics = checked;
    this.#member.subscribe(checked);
  }

  /** The topics subscribed to. */
  subscription(): readonly string[] {
    return this.#topics;
  }

  /** The partitions read at the moment: other members may read the same ones. */
  assignment(): readonly TopicPartition[] {
    return this.#fetcher.assigned.map(({ topic, partition }) => ({ topic, partition }));
  }

  /** How long a record stays acquired without a verdict; undefined before a broker has told. */
  acquisitionLockTimeoutMs(): number | undefined {
    return this.#fetcher.lockTimeoutMs;
  }

  groupState(): GroupState {
    return this.#fatal === undefined ? this.#member.state : 'fatal';
  }

  stats(): ShareConsumerStats {
    return {
      groupState: this.groupState(),
      partitions: this.assignment(),
      inFlight: this.#fetcher.held,
      buffered: this.#fetcher.buffered,
      bufferedBytes: this.#fetcher.bufferedBytes,
      maxInFlight: this.#fetcher.maxInFlight,
      ...this.#fetcher.counters.snapshot(),
    };
  }

  /**
   * Hands out nothing more, waits for handlers, tells what was said, releases the rest, leaves the group and closes this
   * consumer's connections. Never await it inside a handler or a loop over the consumer: it waits for just those to end.
   *
   * @throws KrafkaConfigError at once, when the options are wrong
   * @throws KrafkaTimeoutError when handlers had not ended in time; everything is closed nevertheless
   * @throws KrafkaAcknowledgeError when the last acknowledgements were not taken
   */
  close(options: ShareConsumerCloseOptions = {}): Promise<void> {
    const timeoutMs = checkCloseTimeout(options, CLOSE_TIMEOUT_MS);
    this.#closing ??= this.#close(timeoutMs);
    return this.#closing;
  }

  async #start(): Promise<void> {
    this.#assertAlive();
    const deadline = this.#startDeadline();
    await this.#findTopics(this.#topics, deadline);
    await this.#assertShareGroups(deadline);
    this.#assertAlive();
    this.#unhear ??= this.#cluster.events.on('metadata', () => this.#fetcher.metadataChanged());
    if (this.#member.state === 'unjoined') this.#member.start();
    const joined = Promise.race([this.#joined.promise, this.#ended.promise]);
    await within(this.#ports.clock, { deadline }, `share group '${this.groupId}' to assign partitions`, joined);
  }

  /** Waits until the topics exist, and has them kept fresh from then on. */
  async #findTopics(topics: readonly string[], deadline: Deadline): Promise<void> {
    const { signal } = this.#ending;
    await Promise.all(topics.map((topic) => this.#cluster.topic(topic, deadline, signal)));
    const before = this.#untrack;
    this.#untrack = this.#cluster.track(topics);
    before?.();
  }

  async #assertShareGroups(deadline: Deadline): Promise<void> {
    const connection = await this.#cluster.anyConnection({ deadline, signal: this.#ending.signal });
    const level = connection.brokerFeatures.get(FEATURE) ?? 0;
    const speaks = connection.supports(ShareGroupHeartbeat) && connection.supports(ShareFetch);
    if (level >= 1 && speaks) return;
    throw new KrafkaUnsupportedFeatureError({
      feature: FEATURE,
      needed: `share groups need the cluster's feature '${FEATURE}' at level 1 (KIP-932, Kafka 4.2 and later)`,
      offered: speaks ? `level ${level}: it can be upgraded with kafka-features` : 'no share groups',
      address: connection.address,
    });
  }

  /** Starts on behalf of a way of consuming, which is let go of when that fails. */
  async #startFor(delivery: ShareDelivery): Promise<void> {
    try {
      await this.start();
    } catch (error) {
      if (this.#delivery === delivery) this.#detach();
      throw error;
    }
    delivery.ready();
  }

  #stream(): ShareStream {
    if (this.#delivery instanceof ShareStream) {
      this.#fetcher.wanted = true;
      return this.#delivery;
    }
    const stream: ShareStream = new ShareStream({
      queue: this.#queue,
      implicit: this.#settings.acknowledgement === 'implicit',
      onLeft: () => this.#left(stream),
    });
    this.#attach(stream);
    return stream;
  }

  #attach(delivery: ShareDelivery): void {
    this.#assertAlive();
    if (this.#delivery?.isLeft === false) {
      throw new KrafkaError('the share consumer is being consumed already', { code: 'ALREADY_CONSUMED' });
    }
    this.#detach();
    if (delivery.isLeft) return;
    this.#delivery = delivery;
    this.#fetcher.wanted = true;
  }

  #detach(): void {
    this.#delivery?.finish(undefined);
    this.#delivery = undefined;
    this.#fetcher.wanted = false;
  }

  /** Nobody asks for records any more: none are acquired until somebody does again. */
  #left(delivery: ShareDelivery): void {
    if (this.#delivery === delivery) this.#fetcher.wanted = false;
  }

  #assigned(partitions: readonly SharePartition[]): void {
    this.#fetcher.assign(partitions);
    this.events.emit('assigned', { partitions: this.assignment() });
    if (partitions.length > 0) this.#joined.resolve();
  }

  #partitionFailed({ topic, partition }: SharePartition, error: KrafkaError): void {
    this.#ports.logger.error('a partition cannot be read', { topic, partition, error });
    if (!this.events.has('partitionFailed')) this.#fail(error);
    else this.events.emit('partitionFailed', { topic, partition, error });
  }

  #handlerFailed(error: KrafkaHandlerError, fatal: boolean): void {
    this.#fetcher.counters.handlerFailures++;
    this.#ports.logger.warn('a handler failed', { error });
    this.events.emit('handlerFailed', { error });
    if (fatal) this.#fail(error);
  }

  /** The consumer can't go on: whoever waits is told, and everything is given back so that others can. */
  #fail(error: KrafkaError): void {
    if (this.#fatal !== undefined || this.#closing !== undefined) return;
    this.#fatal = error;
    this.#ports.logger.error('the share consumer cannot go on', { group: this.groupId, error });
    this.events.emit('fatal', { error });
    this.#delivery?.finish(error);
    const close = async (): Promise<void> => {
      try {
        await this.close();
      } catch (problem) {
        this.#ports.logger.warn('the failed share consumer did not close in good order', { error: problem });
      }
    };
    void close();
  }

  async #close(timeoutMs: number): Promise<void> {
    const { clock } = this.#ports;
    const deadline = new Deadline(clock, timeoutMs, 'close timeoutMs');
    const reason = this.#fatal ?? new KrafkaClosedError('the share consumer');
    this.#ending.abort(reason);
    this.#ended.reject(reason);
    this.#delivery?.stop();
    // What would be acquired while handlers end would only be given back.
    this.#fetcher.wanted = false;
    const overstayed = await this.#handlersOverstay(timeoutMs);
    this.#queue.clear();
    const failures = await this.#fetcher.close(deadline);
    await this.#member.leave(deadline);
    this.#delivery?.finish(this.#fatal);
    this.#unhear?.();
    this.#untrack?.();
    await Promise.all([
      this.#cluster.pool.release(`fetch:${this.#id}`, { timeoutMs: 0 }),
      this.#cluster.pool.release(`coordination:${this.#id}`, { timeoutMs: 0 }),
    ]);
    this.events.emit('closed', {});
    if (overstayed) {
      const { budget, budgetMs } = deadline;
      throw new KrafkaTimeoutError({ budget, budgetMs, waitedFor: 'handlers to end' });
    }
    if (failures.length > 0) throw new KrafkaAcknowledgeError(failures);
  }

  async #handlersOverstay(timeoutMs: number): Promise<boolean> {
    if (this.#delivery === undefined) return false;
    const { clock } = this.#ports;
    const deadline = new Deadline(clock, timeoutMs * HANDLERS_SHARE, 'close timeoutMs');
    try {
      await within(clock, { deadline }, 'handlers to end', this.#delivery.drained());
      return false;
    } catch (error) {
      if (error instanceof KrafkaTimeoutError) return true;
      throw error;
    }
  }

  #startDeadline(): Deadline {
    return new Deadline(this.#ports.clock, this.#settings.startTimeoutMs, 'startTimeoutMs');
  }

  #assertAlive(): void {
    if (this.#fatal !== undefined) throw this.#fatal;
    if (this.#closing !== undefined) throw new KrafkaClosedError('the share consumer');
  }
}

const asKrafkaError = (error: unknown): KrafkaError =>
  error instanceof KrafkaError
    ? error
    : new KrafkaError(`the share consumer failed: ${String(error)}`, { code: 'SHARE_FAILED', cause: error });
