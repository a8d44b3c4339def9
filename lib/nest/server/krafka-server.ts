import { Logger, type LoggerService } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import {
  Server,
  type AsyncMicroserviceOptions,
  type CustomStrategy,
  type CustomTransportStrategy,
  type MessageHandler,
  type TransportId,
} from '@nestjs/microservices';
import type { Consumer, GroupState } from '../../core/consumer/index.js';
import type { Krafka } from '../../core/index.js';
import type { Producer } from '../../core/producer/index.js';
import { Deadline, KrafkaClosedError, KrafkaError, TypedEvents } from '../../core/support/index.js';
import { checkPatternStands } from '../decorators/said.js';
import { DeadLetters } from '../failure-policy/dead-letters.js';
import { rememberOriginalErrors } from '../failure-policy/original-error.js';
import { checkServerOptions, type KrafkaServerOptions, type ServerSettings } from '../options.js';
import { SharedKrafka } from '../shared-krafka.js';
import { topicPatternsOf } from '../topic-from-config.js';
import { describePattern } from '../topic-name.js';
import { Payloads } from '../wire/payloads.js';
import type { DeliveryCounts, HandlerFailure } from './delivery.js';
import { employ } from './employment.js';
import { mergedHealth, type GroupHealth, type GroupWorker } from './group-worker.js';
import { HandlerGroups } from './handler-groups.js';
import type { HandlerRegistry } from './handler-registry.js';
import { InFlight } from './in-flight.js';
import type { Listeners } from './listeners.js';
import type { ProcessingHooks } from './processing-hooks.js';
import { tellOfStrandedRetries } from './stranded-retries.js';

/** What `status` tells of all groups together, the worst first, in the words of Nest's Kafka transport. */
export type KrafkaStatus = 'connected' | 'disconnected' | 'rebalancing' | 'crashed' | 'stopped';

/** What `on()` can be told to listen to. */
export type KrafkaServerEvents = {
  /** A group's state changed. */
  readonly state: (event: { readonly groupId: string; readonly state: GroupState }) => void;
  /** A group's consumer can't go on. */
  readonly crashed: (event: {
    readonly groupId: string;
    readonly error: KrafkaError;
    /** When it is started again, in milliseconds; undefined when it is not. */
    readonly restartInMs: number | undefined;
  }) => void;
  /** A group's consumer was started again after that, and goes on. */
  readonly restarted: (event: { readonly groupId: string }) => void;
  /** An event handler failed: told each time, with what is done about it. */
  readonly failure: (failure: HandlerFailure) => void;
};

/** What all groups come to: one that can't go on is not made good by another that can. */
function statusOf(states: readonly GroupHealth['state'][]): KrafkaStatus {
  if (states.some((state) => state === 'fatal' || state === 'restarting')) return 'crashed';
  return states.some((state) => state === 'rebalancing' || state === 'joining') ? 'rebalancing' : 'connected';
}

/** How long shutdown hooks may take, beside the server's own time, before a process that has to end is ended. */
const SHUTDOWN_HOOKS_MS = 5_000;

/** The one server that an application's modules provide. @throws KrafkaError when there is none, or more than one */
function serverOf(modules: ModulesContainer): KrafkaServer {
  const provided = [...modules.values()].map(({ providers }): unknown => providers.get(KrafkaServer)?.instance);
  const [server, ...others] = new Set(provided.filter((instance) => instance instanceof KrafkaServer));
  if (server === undefined) {
    throw new KrafkaError(
      'there is no KrafkaServer to connect: KrafkaServer.fromModule() takes that of KrafkaModule, so have the application import KrafkaModule.forRoot(options) or forRootAsync()',
      { code: 'INVALID_CONFIG' },
    );
  }
  if (others.length > 0) {
    throw new KrafkaError(
      `there are ${others.length + 1} KrafkaServers, of which KrafkaServer.fromModule() would connect one: call KrafkaModule.forRoot() once (isGlobal: true shows it to every module) and forFeature() for further clients`,
      { code: 'INVALID_CONFIG' },
    );
  }
  return server;
}

type EventPayloads = { [Name in keyof KrafkaServerEvents]: Parameters<KrafkaServerEvents[Name]>[0] };

/** `unwrap()`: what is underneath, in the order of Nest's Kafka transport. */
export type KrafkaServerCore = [krafka: Krafka, consumer: Consumer | undefined, producer: Producer];

/** `idle` until `listen()` is called, `listening` once its groups have their partitions. */
export type KrafkaServerState = 'idle' | 'starting' | 'listening' | 'closed';

/**
 * Nest's transport strategy for Kafka.
 *
 * ```ts
 * const app = await NestFactory.createMicroservice(AppModule, KrafkaServer.fromModule());
 * await app.listen();
 * ```
 */
export class KrafkaServer extends Server<KrafkaServerEvents, KrafkaStatus> implements CustomTransportStrategy {
  /** A failed event is reported here, once, with what becomes of it. */
  override readonly propagatesEventHandlerErrors: boolean = true;
  protected override readonly logger: LoggerService = new Logger(KrafkaServer.name);
  readonly #settings: ServerSettings;
  readonly #shared: SharedKrafka;
  readonly #ownsShared: boolean;
  readonly #handlers: HandlerGroups;
  readonly #listeners: Pick<Listeners, 'find'> | undefined;
  readonly #inFlight = new InFlight();
  readonly #events = new TypedEvents<EventPayloads>();
  readonly #counts: DeliveryCounts = {
    retries: 0,
    retriedLater: 0,
    skipped: 0,
    deadLetters: 0,
    lateRequests: 0,
    unmatched: 0,
  };
  readonly #deadLetters: DeadLetters;
  readonly #payloads: Payloads;
  readonly #workers: GroupWorker[] = [];
  #hooks: ProcessingHooks;
  #connected = false;
  #state: KrafkaServerState = 'idle';
  #closing: Promise<void> | undefined;

  /**
   * With options of its own a server has a core of its own too, which closes with it. Within `KrafkaModule` the module
   * makes the server, and hands it the core that it shares.
   *
   * @throws KrafkaConfigError with the path of the option at fault
   */
  constructor(options: KrafkaServerOptions, shared?: SharedKrafka, listeners?: Pick<Listeners, 'find'>) {
    super();
    this.#listeners = listeners;
    this.#settings = shared === undefined ? checkServerOptions(options) : (options as ServerSettings);
    this.#shared = shared ?? new SharedKrafka(this.#settings);
    this.#ownsShared = shared === undefined;
    this.#shared.checkConsumer(this.#settings.consumer);
    this.transportId = this.#settings.transportId;
    this.#handlers = new HandlerGroups(this.#settings.onFailure);
    this.#hooks = { transportId: this.#settings.transportId, onStart: undefined, onEnd: undefined };
    this.#payloads = new Payloads(this.#settings);
    this.#deadLetters = new DeadLetters(this.#shared.topics, this.#shared.letterProducers, this.#shared.ports);
    rememberOriginalErrors();
  }

  /**
   * The options that connect the server of `KrafkaModule.forRoot()`, for `createMicroservice()` and `connectMicroservice()`:
   * a plain object, to be spread where more is to be said. One server is connected once.
   */
  static fromModule(): CustomStrategy & AsyncMicroserviceOptions {
    // Asked for a KrafkaServer, Nest would take the first of several, and of none say that an element is not there.
    const options: AsyncMicroserviceOptions = {
      inject: [ModulesContainer],
      useFactory: (modules: ModulesContainer) => ({ strategy: serverOf(modules).#connect() }),
    };
    // Nest calls the factory for the strategy; the type says that both kinds of options are welcome where this one is.
    return options as CustomStrategy & AsyncMicroserviceOptions;
  }

  /** Where each group of handlers stands, by its id. */
  get groups(): ReadonlyMap<string, GroupHealth> {
    const groups = new Map<string, GroupHealth>();
    for (const { groupId, health } of this.#workers) groups.set(groupId, mergedHealth(groups.get(groupId), health));
    return groups;
  }

  /** @internal The consumer of the group that reads a topic: of several, and where none does, that of `consumer.groupId`. */
  consumerOf(topic: string): Consumer | undefined {
    const consumers = this.#workers.flatMap(({ consumer }) => consumer ?? []);
    const own = consumers.filter(({ groupId }) => groupId === this.#settings.consumer.groupId);
    return [...own, ...consumers].find((consumer) => consumer.subscription().includes(topic)) ?? own[0];
  }

  get state(): KrafkaServerState {
    return this.#state;
  }

  /** How often event handlers were called again, and what became of the events they failed with for good. */
  deliveryCounts(): Readonly<DeliveryCounts> {
    return { ...this.#counts };
  }

  /** Called by Nest for each handler it finds. @throws KrafkaConfigError for a pattern that is no topic name */
  override addHandler(
    pattern: unknown,
    callback: MessageHandler,
    isEventHandler = false,
    extras: Record<string, unknown> = {},
  ): void {
    checkPatternStands(pattern, extras);
    callback.isEventHandler = isEventHandler;
    callback.extras = extras;
    for (const topicPattern of topicPatternsOf(pattern, this.#settings.topicNames)) {
      // Nest's map keeps one handler for a pattern, chained to the rest, which all run and fail as one. Here it only answers
      // whoever asks which patterns there are.
      const route = String(topicPattern);
      if (!isEventHandler || !this.messageHandlers.has(route)) this.messageHandlers.set(route, callback);
      const before = this.#handlers.add({ pattern: topicPattern, callback, isEvent: isEventHandler, extras });
      if (before !== undefined) {
        this.logger.warn(
          `Two handlers answer requests to '${describePattern(topicPattern)}': the last one takes all of them`,
        );
      }
    }
  }

  override getHandlerByPattern(pattern: string): MessageHandler | null {
    const handlers = this.#handlers.of(pattern);
    return (handlers.find(({ kind }) => kind === 'message') ?? handlers[0])?.callback ?? null;
  }

  override setTransportId(transportId: TransportId): void {
    super.setTransportId(transportId);
    this.#hooks = { ...this.#hooks, transportId };
  }

  override setOnProcessingStartHook(
    hook: (transportId: TransportId, context: unknown, done: () => Promise<unknown>) => void,
  ): void {
    super.setOnProcessingStartHook(hook);
    this.#hooks = { ...this.#hooks, onStart: hook };
  }

  override setOnProcessingEndHook(hook: (transportId: TransportId, context: unknown) => void): void {
    super.setOnProcessingEndHook(hook);
    this.#hooks = { ...this.#hooks, onEnd: hook };
  }

  /**
   * Creates the topics that are declared, joins the group and waits for its partitions; `callback` is called then, or with
   * the error.
   */
  async listen(callback: (error?: unknown) => void): Promise<void> {
    try {
      await this.#start();
    } catch (error) {
      callback(error);
      return;
    }
    callback();
  }

  /**
   * Takes in no more, lets handlers and replies that are under way finish within `shutdownTimeoutMs`, commits and leaves the
   * group. A core of its own closes too; that of a module closes when the application has shut down.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Calls `callback` whenever the event happens. Answers with a function that ends it. */
  on<EventKey extends keyof KrafkaServerEvents, EventCallback extends KrafkaServerEvents[EventKey]>(
    event: EventKey,
    callback: EventCallback,
  ): () => void {
    return this.#events.on(event, callback as (payload: EventPayloads[EventKey]) => void);
  }

  unwrap<T = KrafkaServerCore>(): T {
    const core: KrafkaServerCore = [this.#shared.krafka, this.#workers[0]?.consumer, this.#shared.producer];
    return core as T;
  }

  #connect(): this {
    if (this.#connected) {
      throw new KrafkaError(
        'the KrafkaServer of this module is connected already: connected twice, every handler would be called twice',
        { code: 'ALREADY_CONNECTED' },
      );
    }
    this.#connected = true;
    return this;
  }

  async #start(): Promise<void> {
    if (this.#state !== 'idle') {
      throw new KrafkaError(
        `this KrafkaServer can't listen: it ${this.#state === 'closed' ? 'is closed' : 'does already'}`,
        {
          code: 'ALREADY_CONNECTED',
        },
      );
    }
    this.#state = 'starting';
    try {
      await this.#shared.topics.createDeclared();
      this.#assertNotClosed();
      for (const { pattern, callback, extras } of this.#listeners?.find() ?? []) {
        this.addHandler(pattern, callback, true, extras);
      }
      this.#learnReplyTopics();
      this.#workers.push(...this.#employ());
      // Together, so that the members of one group gather in one go.
      const starts = await Promise.allSettled(this.#workers.map((worker) => worker.start()));
      this.#assertNotClosed();
      const failed = starts.find((start) => start.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
    } catch (error) {
      await this.close();
      throw error;
    }
    this.#state = 'listening';
    this.#tellStatus();
    // Nobody waits for it: it is news for whoever reads the log.
    void tellOfStrandedRetries(this.#groupsById(), this.#shared);
  }

  #groupsById(): readonly { readonly groupId: string; readonly registry: HandlerRegistry }[] {
    const own = this.#settings.consumer.groupId;
    return this.#handlers.all.flatMap(({ groupId = own, registry }) =>
      groupId === undefined ? [] : [{ groupId, registry }],
    );
  }

  /** While the groups are joined: the first answers need not wait for what is known then. */
  #learnReplyTopics(): void {
    const names = this.#handlers.replyTopics;
    this.#shared.topics.learn(names).catch((error: unknown) => {
      // Whoever answers asks again, and tells of it.
      this.#shared.ports.logger.debug('reply topics could not be looked up yet', { error });
    });
  }

  // Whoever stops a process does not wait for it to have started.
  #assertNotClosed(): void {
    if (this.#state === 'closed') throw new KrafkaClosedError('the KrafkaServer');
  }

  #employ(): readonly GroupWorker[] {
    const settings = this.#settings;
    return employ(this.#handlers, {
      settings,
      shared: this.#shared,
      delivery: {
        producer: this.#shared.producer,
        ports: this.#shared.ports,
        unmatched: settings.unmatched,
        deadLetters: this.#deadLetters,
        counts: this.#counts,
        payloads: this.#payloads,
        lateRequestGraceMs: settings.lateRequestGraceMs,
        onFailed: (failure) => this.#events.emit('failure', failure),
        hooks: () => this.#hooks,
        track: (work) => this.#inFlight.track(work),
        streams: this.#inFlight,
      },
      events: {
        state: (groupId, state) => this.#groupState(groupId, state),
        fatal: (groupId, error, restartInMs) => this.#groupCrashed(groupId, error, restartInMs),
        restarted: (groupId) => this.#groupRestarted(groupId),
      },
    });
  }

  #groupState(groupId: string, state: GroupState): void {
    this.#events.emit('state', { groupId, state });
    this.#tellStatus();
  }

  #groupCrashed(groupId: string, error: KrafkaError, restartInMs: number | undefined): void {
    const outlook = restartInMs === undefined ? '' : ` (it is started again in ${restartInMs} ms)`;
    this.logger.error(`The consumer of the group '${groupId}' can't go on${outlook}: ${error.message}`);
    if (this.#state !== 'closed') this._status$.next('crashed');
    this.#events.emit('crashed', { groupId, error, restartInMs });
    // Whoever has closed it decides what becomes of the process.
    if (this.#state === 'closed' || restartInMs !== undefined) return;
    if (this.#settings.onCrash.then === 'exit') void this.#endProcess();
  }

  #groupRestarted(groupId: string): void {
    this.#tellStatus();
    this.#events.emit('restarted', { groupId });
  }

  #tellStatus(): void {
    if (this.#state === 'listening') this._status$.next(statusOf(this.#workers.map(({ state }) => state)));
  }

  async #endProcess(): Promise<void> {
    const { clock } = this.#shared.ports;
    this.logger.error('The process is ended, as onCrash.then says');
    try {
      await this.close();
    } finally {
      // The application's shutdown hooks run, where it listens to signals; where it doesn't, that is the end.
      process.kill(process.pid, 'SIGTERM');
      clock.setTimer(this.#settings.shutdownTimeoutMs + SHUTDOWN_HOOKS_MS, () => process.exit(1), true);
    }
  }

  async #close(): Promise<void> {
    const wasIdle = this.#state === 'idle';
    this.#state = 'closed';
    const { clock, logger } = this.#shared.ports;
    const deadline = new Deadline(clock, this.#settings.shutdownTimeoutMs, 'shutdownTimeoutMs');
    const closings = await Promise.allSettled(this.#workers.map((worker) => worker.close(deadline.remainingMs)));
    for (const closing of closings) {
      if (closing.status === 'rejected') logger.warn('a group was not left in good order', { error: closing.reason });
    }
    const left = await this.#inFlight.drain(clock, deadline.remainingMs);
    if (left > 0) {
      logger.warn(`shutdownTimeoutMs of ${deadline.budgetMs} ms passed with work under way`, { left });
    }
    if (!wasIdle) {
      this._status$.next('stopped');
      this._status$.next('disconnected');
    }
    if (this.#ownsShared) await this.#shared.close();
  }
}
