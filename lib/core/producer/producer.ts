import {
  aFunction,
  checkCloseTimeout,
  Deadline,
  KrafkaBufferFullError,
  KrafkaClosedError,
  KrafkaError,
  KrafkaFencedError,
  KrafkaSerializationError,
  KrafkaTimeoutError,
  onAbort,
  systemPorts,
  TypedEvents,
  type Ports,
} from '../support/index.js';
import { OWNER_BYTES } from './accumulator/buffer-memory.js';
import { FlushBarrier } from './accumulator/flush-barrier.js';
import { RecordAccumulator } from './accumulator/record-accumulator.js';
import { groupOfAll, groupOfOutcomes, type SendGroup } from './accumulator/settlements.js';
import type { TopicQueues } from './accumulator/topic-queues.js';
import type { ProducerEvents } from './events.js';
import { RecordEncoder } from './intake/encoder.js';
import { CallerOfOne, HeardOwner, MemberOfGroup, type Owner } from './intake/owner.js';
import { Preparation } from './intake/preparation.js';
import { checkIsRecord, checkRecord, checkTopicName, isContent, wrongContent } from './intake/record-checks.js';
import { WaitingRoom } from './intake/waiting-room.js';
import { WaitingSend } from './intake/waiting-send.js';
import { Meter } from './meter.js';
import { checkProducerOptions, type ProducerConfig, type ProducerOptions } from './options.js';
import type { ProducerRecord, RecordContent, RecordMetadata, SendOptions, SendOutcome } from './record.js';
import { Sender, type ProducerCluster } from './sender/sender.js';
import type { ProducerStats } from './stats.js';
import { TransactionCoordinator } from './transactions/transaction-coordinator.js';
import type { Transaction, TransactionOptions, TransactionScope } from './transactions/transaction.js';
import { Transactions } from './transactions/transactions.js';

/** How a producer is closed. */
export interface ProducerCloseOptions {
  /** How long what was sent may take to be acknowledged. Default 30,000 ms; 0 for not at all. */
  readonly timeoutMs?: number;
}

const CLOSE_TIMEOUT_MS = 30_000;

type ProducerState = 'open' | 'closing' | 'closed';

/**
 * Sends records to a cluster, in batches of each partition, as fast as brokers take them.
 *
 * Records sent to one partition are written in the order in which they were sent; with `idempotent` (the default) each of
 * them once, through retries, lost answers and changes of leader. A promise that resolves tells where its record is. One that
 * rejects was not written, unless its error is an `OUTCOME_UNKNOWN`, or a timeout, an abort or a close while it was under way:
 * then nobody can know.
 *
 * ```ts
 * const producer = krafka.producer({ lingerMs: 5, compression: 'lz4' });
 * const { partition, offset } = await producer.send({ topic: 'orders', key: 'a-1', value: 'placed' });
 * await producer.close();
 * ```
 */
export class Producer<Key = RecordContent, Value = RecordContent> {
  /** What happens to batches, for whoever wants to watch. */
  readonly events: TypedEvents<ProducerEvents> = new TypedEvents();
  readonly #cluster: ProducerCluster;
  readonly #config: ProducerConfig<Key, Value>;
  readonly #ports: Ports;
  readonly #meter = new Meter();
  readonly #preparation: Preparation<Key, Value>;
  readonly #isPlain: boolean;
  readonly #accumulator: RecordAccumulator;
  readonly #encoder: RecordEncoder;
  readonly #room: WaitingRoom;
  readonly #sender: Sender;
  readonly #transactions: Transactions<Key, Value> | undefined;
  #state: ProducerState = 'open';
  #lastBudget: Budget;
  #refusal: KrafkaBufferFullError | undefined;
  #closed: Promise<void> | undefined;

  /**
   * Checks options as the constructor would.
   *
   * @throws KrafkaConfigError naming the option, `path` in front
   */
  static check<Key, Value>(options: ProducerOptions<Key, Value> | undefined, path?: string): void {
    checkProducerOptions(options, path);
  }

  /**
   * Makes no request before the first record is sent. Connections and metadata are the cluster's, which whoever made it
   * closes.
   *
   * @throws KrafkaConfigError naming the option
   */
  constructor(cluster: ProducerCluster, options?: ProducerOptions<Key, Value>, ports: Partial<Ports> = {}) {
    const config = checkProducerOptions<Key, Value>(options);
    this.#cluster = cluster;
    this.#config = config;
    this.#ports = { ...systemPorts, ...ports };
    this.#preparation = new Preparation(config, this.#ports, this.#meter);
    this.#isPlain = !this.#preparation.isNeeded;
    this.#lastBudget = { deadline: new Deadline(this.#ports.clock, 0, 'maxBlockMs'), dueAtMs: -Infinity };
    this.#accumulator = new RecordAccumulator(config, this.#ports, {
      ready: (queue) => this.#sender.ready(queue),
      lingering: (batch) => this.#sender.lingering(batch),
      began: (batch) => this.#sender.began(batch),
      broken: (batch, error) => this.#sender.broken(batch, error),
    });
    this.#encoder = new RecordEncoder(this.#accumulator, config.partitioner);
    this.#room = new WaitingRoom({
      clock: this.#ports.clock,
      cluster,
      accumulator: this.#accumulator,
      encoder: this.#encoder,
      bufferMemory: config.accumulator.bufferMemory,
      maxBlockMs: config.accumulator.maxBlockMs,
      wakeBy: (dueAtMs) => this.#sender.wakeBy(dueAtMs),
    });
    this.#transactions = this.#makeTransactions();
    this.#sender = new Sender({
      cluster,
      config,
      ports: this.#ports,
      accumulator: this.#accumulator,
      waiting: this.#room,
      events: this.events,
      meter: this.#meter,
      transactions: this.#transactions,
    });
  }

  /**
   * Sends one record; the promise tells where it was written. Nothing of it has to be awaited before the next is sent.
   *
   * Hot: guarded by `npm run bench -- produce`. The steady way through is synchronous up to the promise.
   *
   * @throws KrafkaProtocolError for a topic, partition or timestamp that can't be, and what a broker refused;
   *   KrafkaSerializationError, KrafkaRecordTooLargeError; KrafkaBufferFullError and others after `maxBlockMs`;
   *   KrafkaTimeoutError after `deliveryTimeoutMs`; KrafkaClosedError; KrafkaError COMPRESSION when a codec fails, and OUTCOME_UNKNOWN, its cause the last refusal,
   *   when an attempt before that may have been written. All by way of the promise.
   */
  send(record: ProducerRecord<Key, Value>, options?: SendOptions): Promise<RecordMetadata> {
    return this.#transactions === undefined ? this.#send(record, options) : Promise.reject(outsideTransaction());
  }

  #send(record: ProducerRecord<Key, Value>, options?: SendOptions): Promise<RecordMetadata> {
    try {
      if (this.#state !== 'open') throw new KrafkaClosedError('the producer');
      if (!this.#isPlain || options?.signal !== undefined) return this.#sendSlowly(record, options);
      checkIsRecord(record);
      const topic = this.#topicOf(record);
      checkRecord(record);
      const immediate = options?.immediate === true;
      const key = (record.key ?? null) as RecordContent;
      const value = record.value as RecordContent;
      const timestamp = record.timestamp ?? this.#ports.clock.now();
      if (topic.metadata === undefined || topic.blocked || this.#room.hasLine) return this.#sendSlowly(record, options);
      const partition = record.partition ?? this.#encoder.partitionOf(topic, key, value);
      const owner = OWNER_BYTES.ofOne;
      const batch = this.#encoder.encode(topic, partition, key, value, record.headers, timestamp, immediate, owner);
      if (typeof batch === 'object') return batch.settlements.addPromise(timestamp);
      return this.#sendSlowly(record, options, partition);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Sends records in their order. The promise tells where each was written; or, once all of them are settled, the first
   * failure. When one of them can't be a record at all, none is sent. For the outcome of each: {@link sendAllSettled}.
   */
  sendAll(records: readonly ProducerRecord<Key, Value>[], options?: SendOptions): Promise<RecordMetadata[]> {
    return this.#transactions === undefined ? this.#sendAll(records, options) : Promise.reject(outsideTransaction());
  }

  #sendAll(records: readonly ProducerRecord<Key, Value>[], options?: SendOptions): Promise<RecordMetadata[]> {
    return new Promise((resolve, reject) => {
      const group = (size: number): SendGroup => groupOfAll(size, resolve, reject);
      this.#sendGroup(records, options, { group, empty: () => resolve([]), abort: reject });
    });
  }

  /** Sends records in their order, and tells the outcome of each. When one of them can't be a record at all, it rejects. */
  sendAllSettled(records: readonly ProducerRecord<Key, Value>[], options?: SendOptions): Promise<SendOutcome[]> {
    if (this.#transactions !== undefined) return Promise.reject(outsideTransaction());
    return new Promise((resolve, reject) => {
      const group = (size: number): SendGroup => groupOfOutcomes(size, resolve);
      this.#sendGroup(records, options, { group, empty: () => resolve([]), abort: reject });
    });
  }

  /**
   * Resolves when everything that was sent before is settled, whatever came of it: each send's own promise tells. Nothing
   * of that lingers any longer; what is sent afterwards is neither waited for nor held up.
   */
  flush(): Promise<void> {
    return new Promise((resolve) => {
      const barrier = new FlushBarrier(resolve);
      barrier.expect();
      this.#room.flush(barrier);
      this.#accumulator.flush(barrier);
      barrier.settled();
    });
  }

  /**
   * Takes over the transactional id: fences the producer that had it, and aborts what that left open. Otherwise the first
   * transaction does that.
   *
   * @throws KrafkaFencedError, KrafkaTimeoutError, KrafkaClosedError; KrafkaError INVALID_TXN_STATE without `transactionalId`
   */
  async initTransactions(): Promise<void> {
    await this.#transactional().initialize();
  }

  /**
   * Begins a transaction, when the one before is over. Needs `transactionalId`.
   *
   * @throws KrafkaFencedError when another producer has taken over the transactional id; KrafkaError INVALID_TXN_STATE without
   *   one; KrafkaTimeoutError, KrafkaClosedError
   */
  async beginTransaction(options?: TransactionOptions): Promise<Transaction<Key, Value>> {
    return this.#transactional().begin(options);
  }

  /**
   * Runs `work` in a transaction, which is committed when it resolves and aborted when it rejects. Several called at once run
   * one after another.
   *
   * @throws what `work` throws; else as {@link Transaction.commit}
   */
  async transaction<Result>(
    work: (tx: TransactionScope<Key, Value>) => Result | Promise<Result>,
    options?: TransactionOptions,
  ): Promise<Result> {
    aFunction(work, 'transaction.work');
    const transaction = await this.beginTransaction(options);
    let result: Result;
    try {
      result = await work(transaction);
    } catch (error) {
      try {
        await transaction.abort();
      } catch (problem) {
        // Being fenced is why the work failed. Otherwise what it failed of is what its caller must hear.
        if (problem instanceof KrafkaFencedError && error === transaction.failure) throw problem;
        this.#ports.logger.warn('a transaction whose work had failed could not be aborted', { error: problem });
      }
      throw error;
    }
    await transaction.commit();
    return result;
  }

  /**
   * Takes no more records, and resolves when all that were sent are settled. What is not by `timeoutMs` fails with a
   * KrafkaClosedError; if it was under way, it may have been written all the same.
   *
   * @throws KrafkaConfigError at once, when the options are wrong
   */
  close(options: ProducerCloseOptions = {}): Promise<void> {
    const timeoutMs = checkCloseTimeout(options, CLOSE_TIMEOUT_MS);
    this.#closed ??= this.#close(timeoutMs);
    return this.#closed;
  }

  /** @internal Whether the transactional id is another producer's by now: for good. */
  get isFenced(): boolean {
    return this.#transactions?.fenced !== undefined;
  }

  /** What was counted so far, and what is held now. */
  stats(): ProducerStats {
    const { memory, incomplete } = this.#accumulator;
    const { total, used, peak, pooled } = memory;
    return this.#meter.snapshot({
      incompleteBatches: incomplete.size,
      inFlight: this.#sender.inFlight,
      waitingSends: this.#room.size,
      buffer: { total, used, peak, pooled },
    });
  }

  #makeTransactions(): Transactions<Key, Value> | undefined {
    const { transactionalId, transactionTimeoutMs, requestTimeoutMs, deliveryTimeoutMs } = this.#config;
    if (transactionalId === undefined) return undefined;
    return new Transactions<Key, Value>({
      coordinator: new TransactionCoordinator({
        cluster: this.#cluster,
        ports: this.#ports,
        transactionalId,
        transactionTimeoutMs,
        requestTimeoutMs,
      }),
      transactionalId,
      transactionTimeoutMs,
      budgetMs: deliveryTimeoutMs,
      ports: this.#ports,
      send: (record, options) => this.#send(record, options),
      sendAll: (records, options) => this.#sendAll(records, options),
      flush: () => this.flush(),
      quiesce: (error) => {
        this.#room.fail(error);
        return this.#sender.quiesce(error);
      },
      hasHoles: () => this.#sender.hasHoles,
      ready: (queue) => this.#sender.ready(queue),
      identified: (identity) => this.#sender.identified(identity),
      became: (state, previous) => {
        this.#meter.transaction(state);
        if (this.events.has('transaction')) this.events.emit('transaction', { transactionalId, state, previous });
      },
    });
  }

  #transactional(): Transactions<Key, Value> {
    if (this.#state !== 'open') throw new KrafkaClosedError('the producer');
    if (this.#transactions !== undefined) return this.#transactions;
    throw new KrafkaError('a producer needs a transactionalId for transactions', { code: 'INVALID_TXN_STATE' });
  }

  /** What is known of the record's topic; a name is checked when it is first used. */
  #topicOf(record: ProducerRecord<Key, Value>): TopicQueues {
    const known = this.#accumulator.topics.get(record.topic);
    if (known !== undefined) return known;
    checkTopicName(record.topic);
    const topic = this.#accumulator.topic(record.topic);
    topic.metadata = this.#cluster.cachedTopic(record.topic);
    return topic;
  }

  #check(record: ProducerRecord<Key, Value>): void {
    checkIsRecord(record);
    this.#topicOf(record);
    checkRecord(record);
    if (!this.#isPlain) return;
    const key = record.key ?? null;
    if (!isContent(key)) throw wrongContent(record.topic, 'key', key);
    if (!isContent(record.value)) throw wrongContent(record.topic, 'value', record.value);
  }

  /** `partition` is the one that was chosen for it already, if it was. */
  #sendSlowly(
    record: ProducerRecord<Key, Value>,
    options: SendOptions | undefined,
    partition?: number,
  ): Promise<RecordMetadata> {
    const signal = options?.signal;
    signal?.throwIfAborted();
    this.#checkRoom();
    checkIsRecord(record);
    const intercepted = this.#preparation.intercept(record);
    let caller!: CallerOfOne;
    const promise = new Promise<RecordMetadata>((resolve, reject) => {
      caller = new CallerOfOne(resolve, reject);
    });
    const send = this.#offer(intercepted, caller, options?.immediate === true, this.#budget(), partition);
    if (signal !== undefined) {
      const stop = onAbort(signal, (reason) => {
        caller.failed(reason);
        if (send !== undefined) this.#room.fail(reason, [send]);
      });
      promise.then(stop, stop);
    }
    return promise;
  }

  #sendGroup(
    records: readonly ProducerRecord<Key, Value>[],
    options: SendOptions | undefined,
    end: { readonly group: (size: number) => SendGroup; readonly empty: () => void; readonly abort: Reject },
  ): void {
    if (this.#state !== 'open') throw new KrafkaClosedError('the producer');
    const signal = options?.signal;
    signal?.throwIfAborted();
    if (!Array.isArray(records)) throw new KrafkaSerializationError('records must be given as an array');
    this.#checkRoom();
    const intercepted = this.#preparation.intercepts ? this.#interceptAll(records) : undefined;
    if (intercepted === undefined) for (const record of records) this.#check(record);
    if (records.length === 0) {
      end.empty();
      return;
    }
    const immediate = options?.immediate === true;
    const nowMs = this.#ports.clock.now();
    const waiting: WaitingSend[] = [];
    const group = end.group(records.length);
    let budget: Budget | undefined;
    for (let place = 0; place < records.length; place++) {
      const seen = intercepted?.[place];
      if (seen instanceof Error) {
        group.failed(place, seen);
        continue;
      }
      const record = seen ?? (records[place] as ProducerRecord<Key, Value>);
      if (this.#isPlain && this.#joinAtOnce(record, nowMs, immediate, group, place)) continue;
      budget ??= this.#budget();
      const send = this.#offer(record, new MemberOfGroup(group, place), immediate, budget);
      if (send !== undefined) waiting.push(send);
    }
    if (signal !== undefined) {
      const stop = onAbort(signal, (reason) => {
        end.abort(reason);
        this.#room.fail(reason, waiting);
      });
      group.afterwards(stop);
    }
  }

  /**
   * What the interceptors make of each record, or the error of one that threw. When one of them can't be a record at all,
   * the interceptors hear that of every record, and none is sent.
   */
  #interceptAll(records: readonly ProducerRecord<Key, Value>[]): readonly (ProducerRecord<Key, Value> | Error)[] {
    for (const record of records) checkIsRecord(record);
    const intercepted = records.map((record) => {
      try {
        return this.#preparation.intercept(record);
      } catch (error) {
        return error as Error;
      }
    });
    try {
      for (const record of intercepted) if (!(record instanceof Error)) this.#check(record);
    } catch (error) {
      for (const record of intercepted) {
        if (!(record instanceof Error)) this.#preparation.acknowledge(record, error as Error);
      }
      throw error;
    }
    return intercepted;
  }

  /** The steady way of a record of a group: false when it is not open. */
  #joinAtOnce(
    record: ProducerRecord<Key, Value>,
    nowMs: number,
    immediate: boolean,
    group: SendGroup,
    place: number,
  ): boolean {
    const topic = this.#topicOf(record);
    if (topic.metadata === undefined || topic.blocked || this.#room.hasLine) return false;
    try {
      const key = (record.key ?? null) as RecordContent;
      const value = record.value as RecordContent;
      const timestamp = record.timestamp ?? nowMs;
      const partition = record.partition ?? this.#encoder.partitionOf(topic, key, value);
      const owner = OWNER_BYTES.ofMember;
      const batch = this.#encoder.encode(topic, partition, key, value, record.headers, timestamp, immediate, owner);
      if (typeof batch !== 'object') return false;
      batch.settlements.addToGroup(timestamp, group, place);
    } catch (error) {
      group.failed(place, error as Error);
    }
    return true;
  }

  /**
   * The way of a record that interceptors have seen, with serializers, and the way into the waiting room; answers the send
   * when it waits there.
   */
  #offer(
    record: ProducerRecord<Key, Value>,
    caller: Owner,
    immediate: boolean,
    budget: Budget,
    partition?: number,
  ): WaitingSend | undefined {
    const owner = this.#preparation.hearsOutcomes ? new HeardOwner(caller, record, this.#preparation) : caller;
    try {
      this.#check(record);
      const send = new WaitingSend(this.#topicOf(record), owner, immediate, budget.deadline, budget.dueAtMs);
      send.partition = record.partition ?? partition;
      const serialized = this.#preparation.serialize(record);
      if (serialized instanceof Promise) {
        this.#room.enter(
          send,
          serialized.then((ready) => void (send.record = ready)),
        );
      } else {
        send.record = serialized;
        this.#room.enter(send);
      }
      this.#sender.prepare();
      return send.stage === 'over' ? undefined : send;
    } catch (error) {
      owner.failed(error as Error);
      return undefined;
    }
  }

  /** Refuses a send when too many wait. One error for all who are refused in a turn: they may be very many. */
  #checkRoom(): void {
    if (!this.#room.isFull) return;
    if (this.#refusal === undefined) {
      const { bufferMemory, maxBlockMs } = this.#config.accumulator;
      this.#refusal = new KrafkaBufferFullError(bufferMemory, maxBlockMs, this.#room.size);
      this.#ports.clock.endOfTurn(() => (this.#refusal = undefined));
    }
    throw this.#refusal;
  }

  /** `maxBlockMs` from now on; sends of the same millisecond share it. */
  #budget(): Budget {
    const { maxBlockMs } = this.#config.accumulator;
    const dueAtMs = this.#ports.clock.monotonic() + maxBlockMs;
    if (dueAtMs - this.#lastBudget.dueAtMs >= 1) {
      this.#lastBudget = { deadline: new Deadline(this.#ports.clock, maxBlockMs, 'maxBlockMs'), dueAtMs };
    }
    return this.#lastBudget;
  }

  async #close(timeoutMs: number): Promise<void> {
    this.#state = 'closing';
    const late = await new Promise<boolean>((resolve) => {
      const timer = this.#ports.clock.setTimer(timeoutMs, () => resolve(true));
      void Promise.all([this.#transactions?.shutDown(), this.flush()]).then(() => {
        timer.cancel();
        resolve(false);
      });
    });
    this.#state = 'closed';
    const waitedFor = 'what was sent to be acknowledged';
    const cause = late ? new KrafkaTimeoutError({ budget: 'timeoutMs', budgetMs: timeoutMs, waitedFor }) : undefined;
    const error = new KrafkaClosedError('the producer', cause);
    this.#transactions?.close();
    this.#room.fail(error);
    this.#sender.close(error);
  }
}

function outsideTransaction(): KrafkaError {
  const problem =
    "a producer with a transactionalId sends within transactions: use what 'transaction' or 'beginTransaction' gives";
  return new KrafkaError(problem, { code: 'INVALID_TXN_STATE' });
}

type Reject = (error: Error) => void;

/** `maxBlockMs`, running. */
interface Budget {
  readonly deadline: Deadline;
  readonly dueAtMs: number;
}
