import { Logger } from '@nestjs/common';
import { ClientProxy, KafkaHeaders, type ReadPacket, type WritePacket } from '@nestjs/microservices';
import { InvalidMessageException } from '@nestjs/microservices/errors/invalid-message.exception.js';
import { AsyncSubject, from, Observable, throwError } from 'rxjs';
import type { Admin } from '../../core/admin/index.js';
import { within } from '../../core/cluster/index.js';
import type { Consumer, OffsetToCommit } from '../../core/consumer/index.js';
import type { Krafka, KrafkaTransactionOptions } from '../../core/index.js';
import type { NetworkPorts } from '../../core/network/index.js';
import type { ConsumerRecord } from '../../core/protocol/index.js';
import type { Producer, ProducerRecord, RecordMetadata } from '../../core/producer/index.js';
import {
  Deadline,
  describe,
  KrafkaClosedError,
  KrafkaConfigError,
  KrafkaError,
  TypedEvents,
} from '../../core/support/index.js';
import { checkClientOptions, type ClientSettings, type KrafkaClientOptions } from '../options.js';
import { SharedKrafka } from '../shared-krafka.js';
import { pointedAt, type TestingTarget } from '../testing-target.js';
import { oneTopicOf } from '../topic-from-config.js';
import type { OutgoingRecord } from '../wire/outgoing-record.js';
import { isPromise, Payloads } from '../wire/payloads.js';
import { correlationIdOf, DEADLINE_HEADER, decodeReply, replyTopicOf } from '../wire/reply.js';
import { KrafkaRecord } from './krafka-record.js';
import { KrafkaTransaction } from './krafka-transaction.js';
import { PendingRequests, type ReplyStats } from './pending-requests.js';
import { ReplyInbox } from './reply-inbox.js';
import { encodeAll, SendingOrder } from './sending-order.js';

/** What a client's `status` tells, in the words of Nest's Kafka transport. */
export type KrafkaClientStatus = 'connected' | 'disconnected' | 'crashed';

/** What `on()` can be told to listen to. */
export type KrafkaClientEvents = {
  /** Replies can't be read any more; requests that waited have failed, the next one starts over. */
  readonly crashed: (event: { readonly error: Error }) => void;
};

type EventPayloads = { [Name in keyof KrafkaClientEvents]: Parameters<KrafkaClientEvents[Name]>[0] };

/** Several messages for one topic, as `emitBatch()` takes them. */
export interface KrafkaBatch {
  readonly messages: readonly unknown[];
}

/** What a client of a module shares with the rest of it. */
export interface ClientSurroundings {
  readonly shared: SharedKrafka;
  /** The consumer of the module's server for whose group `commitOffsets()` commits on a topic. */
  readonly consumerOf?: (topic: string) => Consumer | undefined;
}

/**
 * Nest's client for Kafka: `send()` asks and gets answers, `emit()` tells.
 *
 * Injected from `KrafkaModule`, or made by Nest with `ClientsModule.register([{ name, customClass: KrafkaClient, options }])`;
 * then it has a core of its own, which it closes.
 */
// Nest's types take a class for `customClass` only with a status of `string`; ours is told by the getter.
export class KrafkaClient extends ClientProxy<KrafkaClientEvents> {
  readonly #logger = new Logger(KrafkaClient.name);
  #settings: ClientSettings;
  readonly #surroundings: ClientSurroundings | undefined;
  readonly #events = new TypedEvents<EventPayloads>();
  readonly #pending: PendingRequests;
  readonly #payloads: Payloads;
  /** Of events: requests go as soon as each of them can. */
  readonly #order = new SendingOrder();
  #ownShared: SharedKrafka | undefined;
  #hasEnded = false;
  /** The status that was told last. */
  #told: KrafkaClientStatus | undefined;
  #inbox: ReplyInbox | undefined;

  /** @throws KrafkaConfigError with the path of the option at fault */
  constructor(options: KrafkaClientOptions, surroundings?: ClientSurroundings) {
    super();
    this.#settings = surroundings === undefined ? checkClientOptions(options) : (options as ClientSettings);
    this.#surroundings = surroundings;
    // Made at once, though it does nothing yet: wrong options are told now.
    if (surroundings === undefined) this.#ownShared = new SharedKrafka(this.#settings);
    this.#payloads = new Payloads(this.#settings);
    const { clock, random } = this.#shared.ports;
    this.#pending = new PendingRequests(clock, random.bytes(15).toString('base64url'));
  }

  /** Emits each change: connected (by `connect()` or the first use), disconnected, or crashed when replies can't be read any more. */
  override get status(): Observable<KrafkaClientStatus> {
    return super.status as Observable<KrafkaClientStatus>;
  }

  /** The producer behind `emit()` and `send()`, for what a ClientProxy cannot say. */
  get producer(): Producer {
    return this.#shared.producer;
  }

  /** The administrator's side of the cluster. */
  get admin(): Admin {
    return this.#shared.admin;
  }

  /** What replies came to so far. */
  replyStats(): ReplyStats {
    return this.#pending.stats();
  }

  /** Resolves once a broker has answered. Not needed: the first use connects. @throws KrafkaConnectionError */
  async connect(): Promise<Producer> {
    const { krafka, ports, producer } = this.#shared;
    const deadline = new Deadline(ports.clock, krafka.config.connectTimeoutMs, 'connectTimeoutMs');
    await krafka.cluster.anyConnection({ deadline });
    this.#tell('connected');
    return producer;
  }

  /**
   * Fails the requests that wait, gives up the reply partitions, and has what was emitted before handed to the producer, which
   * delivers it. A core of its own closes too; the next use opens another.
   */
  async close(): Promise<void> {
    const inbox = this.#inbox;
    const own = this.#ownShared;
    // Let go of first: who asks again at once, hearing that a request has failed, is the next use already.
    this.#inbox = undefined;
    this.#ownShared = undefined;
    this.#pending.failAll(closedError());
    const core = own ?? this.#surroundings?.shared;
    await Promise.all([inbox?.close(), core && this.#handedOver(core.ports)]);
    await own?.close();
    this.#tell('disconnected');
  }

  /** @internal Has a client with a core of its own work at the target of tests, from the next use on. */
  pointAt(target: TestingTarget): void {
    if (this.#surroundings !== undefined) return;
    this.#settings = pointedAt(this.#settings, target);
    this.#ownShared = new SharedKrafka(this.#settings);
  }

  /** @internal Closes for good: the core that it shares with its module closes next. */
  async end(): Promise<void> {
    this.#hasEnded = true;
    await this.close();
  }

  /**
   * Asks for what the handler of `pattern` answers. Cold: each subscription is a request, unsubscribing forgets it. Fails with
   * a KrafkaTimeoutError when the last answer is not there within `requestTimeoutMs`, or the record's own `setTimeout()`.
   */
  override send<Result = unknown, Input = unknown>(pattern: unknown, data: Input): Observable<Result> {
    if (isNil(pattern) || isNil(data)) return throwError(() => new InvalidMessageException());
    return new Observable<Result>((observer) =>
      this.publish(this.#packet(pattern, data), this.createObserver(observer as never)),
    );
  }

  /** Tells of an event. Hot: it is on its way at once, and completes with its RecordMetadata when Kafka has it. */
  override emit<Result = RecordMetadata, Input = unknown>(pattern: unknown, data: Input): Observable<Result> {
    if (isNil(pattern) || isNil(data)) return throwError(() => new InvalidMessageException());
    return this.#hot(() => this.dispatchEvent(this.#packet(pattern, data)));
  }

  /** Tells of several events on one topic, which travel together. Hot; completes with the RecordMetadata of each, in order. */
  emitBatch<Result = RecordMetadata[]>(pattern: unknown, data: KrafkaBatch): Observable<Result> {
    if (isNil(pattern) || isNil(data)) return throwError(() => new InvalidMessageException());
    return this.#hot(async () => {
      const topic = this.#topicOf(pattern);
      if (!Array.isArray(data.messages)) {
        throw new KrafkaConfigError('messages', `must be an array, as in emitBatch('${topic}', { messages: [] })`);
      }
      const encoding = encodeAll(data.messages, (message) => this.#event(topic, this.#packet(pattern, message)));
      const { producer } = this.#shared;
      const sending =
        this.#order.isFree && !(encoding instanceof Promise)
          ? producer.sendAll(encoding)
          : this.#order.inTurn(encoding, (records) => producer.sendAll(records));
      return (await sending) as Result;
    });
  }

  /** Not needed: reply partitions are taken when first asked for. Here so that code for Nest's transport runs as it is. */
  subscribeToResponseOf(pattern: unknown): void {
    this.#topicOf(pattern);
  }

  /**
   * Commits offsets for the group of this module's server that reads the topic; where several do, for `consumer.groupId`.
   *
   * @throws KrafkaError NO_GROUP where there is none: replies are read without a group
   */
  async commitOffsets(
    offsets: readonly { readonly topic: string; readonly partition: number; readonly offset: number | string }[],
  ): Promise<void> {
    if (!Array.isArray(offsets)) throw new KrafkaConfigError('offsets', `must be an array, got ${describe(offsets)}`);
    const byConsumer = new Map<Consumer, OffsetToCommit[]>();
    for (const one of offsets) {
      const consumer = this.#surroundings?.consumerOf?.(one.topic);
      if (consumer === undefined) {
        const problem = `there is no group here to commit offsets of '${one.topic}' for: a client reads its replies without one`;
        throw new KrafkaError(problem, { code: 'NO_GROUP' });
      }
      const committed = byConsumer.get(consumer) ?? [];
      committed.push({ ...one, offset: Number(one.offset) });
      byConsumer.set(consumer, committed);
    }
    await Promise.all(Array.from(byConsumer, ([consumer, committed]) => consumer.commit(committed)));
  }

  /**
   * Runs `work` in a transaction: what it sends and the offsets it commits are seen together once it returns, or never.
   * Readers need `isolationLevel: 'read_committed'` (the default is Kafka's, 'read_uncommitted').
   *
   * ```ts
   * await client.transaction(async (tx) => {
   *   await tx.send({ topic: 'invoices', key: order.id, value: invoice });
   *   await tx.sendOffsets(ctx);
   * });
   * ```
   *
   * @throws what `work` threw or anything in the transaction failed with: it is aborted then
   * @throws KrafkaError TRANSACTION_OUTCOME_UNKNOWN when the commit was not answered
   */
  transaction<Result>(
    work: (tx: KrafkaTransaction) => Result | Promise<Result>,
    options: KrafkaTransactionOptions = {},
  ): Promise<Result> {
    return this.#shared.krafka.transaction(async (scope) => {
      const tx = new KrafkaTransaction(scope, {
        record: (topic, data) => this.#event(topic, this.#packet(topic, data)),
        topicOf: (pattern) => this.#topicOf(pattern),
      });
      const result = await work(tx);
      await tx.settled();
      return result;
    }, options);
  }

  /** Calls `callback` whenever the event happens. */
  override on<EventKey extends keyof KrafkaClientEvents, EventCallback extends KrafkaClientEvents[EventKey]>(
    event: EventKey,
    callback: EventCallback,
  ): void {
    this.#events.on(event, callback);
  }

  /** The core's Krafka. */
  unwrap<T = Krafka>(): T {
    return this.#shared.krafka as T;
  }

  /** Sends a request; `callback` is given each reply. The answer forgets the request. */
  protected override publish(packet: ReadPacket, callback: (packet: WritePacket) => void): () => void {
    if (this.#hasEnded) return this.#refuse(callback);
    let id: string | undefined;
    try {
      const topic = this.#topicOf(packet.pattern);
      const replyTopic = replyTopicOf(topic);
      const timeoutMs = this.#timeoutOf(packet.data);
      const signal = packet.data instanceof KrafkaRecord ? packet.data.signal : undefined;
      let isTaken = false;
      const waiting = (id = this.#pending.add(callback, {
        timeoutMs,
        waitedFor: () => this.#waitedFor(topic, replyTopic, isTaken),
        signal,
      }));
      const encoding = this.#encode(topic, packet);
      const deadline = timeoutMs === 0 ? undefined : this.#shared.ports.clock.now() + timeoutMs;
      const partition = this.#replies.partitionOf(replyTopic);
      const sending =
        partition === undefined || isPromise(encoding)
          ? this.#askSlowly(encoding, { id: waiting, topic, replyTopic, deadline })
          : this.#ask(encoding, { id: waiting, replyTopic, replyPartition: partition, deadline });
      sending.then(
        () => (isTaken = true),
        (error: unknown) => this.#pending.fail(waiting, error),
      );
      return () => this.#pending.remove(waiting);
    } catch (error) {
      if (id === undefined) callback({ err: error, isDisposed: true });
      else this.#pending.fail(id, error);
      return () => undefined;
    }
  }

  /** Sends an event. */
  protected override async dispatchEvent<Result = RecordMetadata>(packet: ReadPacket): Promise<Result> {
    const encoding = this.#event(this.#topicOf(packet.pattern), packet);
    const signal = packet.data instanceof KrafkaRecord ? packet.data.signal : undefined;
    const options = signal && { signal };
    const { producer } = this.#shared;
    const sending =
      this.#order.isFree && !(encoding instanceof Promise)
        ? producer.send(encoding, options)
        : this.#order.inTurn(encoding, (record) => producer.send(record, options));
    const metadata = await sending;
    // Events go on while replies can't be read.
    if (this.#told !== 'crashed') this.#tell('connected');
    return metadata as Result;
  }

  #tell(status: KrafkaClientStatus): void {
    if (status === this.#told) return;
    this.#told = status;
    this._status$.next(status);
  }

  /** Events wait for serializers here, where no producer knows of them. */
  async #handedOver({ clock }: NetworkPorts): Promise<void> {
    if (this.#order.isFree) return;
    const deadline = new Deadline(clock, SERIALIZERS_MS, 'the time to close');
    try {
      await within(clock, { deadline }, 'serializers to end', this.#order.handedOver());
    } catch (error) {
      this.#logger.error(`Events are not sent whose serializers don't end: ${String(error)}`);
    }
  }

  /** By a timer that keeps no process alive: some ask again whenever they fail, for ever, and would let nothing else happen. */
  #refuse(callback: (packet: WritePacket) => void): () => void {
    const refuse = (): void => callback({ err: closedError(), isDisposed: true });
    const timer = this.#shared.ports.clock.setTimer(0, refuse, true);
    return () => timer.cancel();
  }

  get #shared(): SharedKrafka {
    return this.#surroundings?.shared ?? (this.#ownShared ??= new SharedKrafka(this.#settings));
  }

  get #replies(): ReplyInbox {
    return (this.#inbox ??= new ReplyInbox(this.#shared, this.#settings.replyTopics, {
      onReply: (record) => this.#settle(record),
      onCrash: (error) => this.#crashed(error),
    }));
  }

  // Nest 12 makes packets itself, and lets a hook add metadata to them; Nest 11 knows no hook.
  #packet(pattern: unknown, data: unknown): ReadPacket {
    const packet: ReadPacket = { pattern, data };
    this.onDispatchHook?.(packet);
    return packet;
  }

  /** Undefined when it is settled; a promise, which the replies after it wait for, while a serializer takes its time. */
  #settle(record: ConsumerRecord): void | Promise<void> {
    const id = correlationIdOf(record);
    // Replies that nobody waits for are not worth reading.
    if (id === undefined || !this.#pending.expects(id)) return;
    this.#tell('connected');
    try {
      const packet = decodeReply(record, this.#payloads);
      if (!isPromise(packet)) {
        this.#pending.settle(id, packet);
        return;
      }
      return packet.then(
        (decoded) => this.#pending.settle(id, decoded),
        (error: unknown) => this.#pending.fail(id, error),
      );
    } catch (error) {
      this.#pending.fail(id, error);
    }
  }

  #encode(topic: string, packet: ReadPacket): Sent | Promise<Sent> {
    const encoding = this.#payloads.encode(topic, packet.data);
    const { metadata } = packet;
    return encoding instanceof Promise
      ? encoding.then((outgoing) => sentOn(topic, outgoing, metadata))
      : sentOn(topic, encoding, metadata);
  }

  #event(topic: string, packet: ReadPacket): Sent | Promise<Sent> {
    if (packet.data instanceof KrafkaRecord && packet.data.timeoutMs !== undefined) {
      throw new KrafkaConfigError('setTimeout', "is for requests: an event's time is the producer's deliveryTimeoutMs");
    }
    return this.#encode(topic, packet);
  }

  #topicOf(pattern: unknown): string {
    return oneTopicOf(pattern, this.#settings.topicNames);
  }

  #timeoutOf(data: unknown): number {
    const own = data instanceof KrafkaRecord ? data.timeoutMs : undefined;
    if (own === undefined) return this.#settings.requestTimeoutMs;
    if (!Number.isInteger(own) || own < 0 || own > MAX_TIMER_MS) {
      throw new KrafkaConfigError('setTimeout', `must be a whole number of milliseconds, at least 0, got ${own}`);
    }
    return own;
  }

  /** What a request on the topic waits for at this moment; `isTaken` is whether a broker has it. */
  #waitedFor(topic: string, replyTopic: string, isTaken: boolean): string {
    if (this.#inbox?.partitionOf(replyTopic) === undefined) {
      return `a partition of '${replyTopic}' to be read, for the reply to a request on '${topic}'`;
    }
    if (!this.#shared.knows(topic)) return `topic '${topic}' to be there, which no broker knows`;
    return isTaken ? `the reply to a request on '${topic}'` : `a broker to take a request on '${topic}'`;
  }

  async #askSlowly(encoding: Sent | Promise<Sent>, { topic, ...address }: SlowAddress): Promise<void> {
    const opening = this.#replies.open(address.replyTopic, topic);
    const [request, replyPartition] = await Promise.all([encoding, opening]);
    await this.#ask(request, { ...address, replyPartition });
  }

  async #ask(request: Sent, { id, replyTopic, replyPartition, deadline }: ReturnAddress): Promise<void> {
    // Forgotten or out of time while the reply partition was made ready: nobody would hear the answer.
    if (!this.#pending.has(id)) return;
    const { headers } = request;
    headers[KafkaHeaders.CORRELATION_ID] = id;
    headers[KafkaHeaders.REPLY_TOPIC] = replyTopic;
    headers[KafkaHeaders.REPLY_PARTITION] = String(replyPartition);
    if (deadline !== undefined) headers[DEADLINE_HEADER] = String(deadline);
    await this.#shared.producer.send(request, IMMEDIATE);
  }

  #hot<Result>(work: () => Promise<Result>): Observable<Result> {
    const outcome = new AsyncSubject<Result>();
    // Called in this turn, so that what is emitted in turn leaves in turn.
    const working = new Promise<Result>((resolve) => {
      resolve(work());
    });
    from(working).subscribe({
      next: (result) => outcome.next(result),
      complete: () => outcome.complete(),
      error: (error: unknown) => {
        if (!outcome.observed) this.#logger.error(`An event was not sent: ${String(error)}`);
        outcome.error(error);
      },
    });
    return outcome.asObservable();
  }

  #crashed(cause: Error): void {
    this.#logger.error(`Replies can't be read any more: ${cause.message}`);
    const inbox = this.#inbox;
    this.#inbox = undefined;
    inbox?.close().catch((failure: unknown) => this.#logger.error(`Closing went wrong: ${String(failure)}`));
    this.#pending.failAll(cause);
    this.#tell('crashed');
    this.#events.emit('crashed', { error: cause });
  }
}

const MAX_TIMER_MS = 2_147_483_647;
/** How long closing waits for the serializers of what was emitted before. */
const SERIALIZERS_MS = 10_000;
const IMMEDIATE = { immediate: true };

/** A record that is complete but for the headers of a request. */
type Sent = ProducerRecord & { readonly headers: OutgoingRecord['headers'] };

/** Where the replies to a request go, and until when somebody waits for them. */
interface ReturnAddress {
  readonly id: string;
  readonly replyTopic: string;
  readonly replyPartition: number;
  readonly deadline: number | undefined;
}

/** The same while the partition is not known, and what the requests are sent to. */
type SlowAddress = Omit<ReturnAddress, 'replyPartition'> & { readonly topic: string };

function sentOn(topic: string, outgoing: OutgoingRecord, metadata: ReadPacket['metadata']): Sent {
  if (metadata !== undefined) {
    for (const [name, value] of Object.entries(metadata)) outgoing.headers[name] ??= value;
  }
  const { key, value, headers, partition, timestamp } = outgoing;
  return { topic, partition, key, value, headers, timestamp };
}

const closedError = (): KrafkaClosedError => new KrafkaClosedError('the KrafkaClient');

const isNil = (value: unknown): value is null | undefined => value === null || value === undefined;
