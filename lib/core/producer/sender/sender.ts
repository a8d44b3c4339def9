import type { Cluster } from '../../cluster/index.js';
import type { BrokerConnectionBundle } from '../../network/index.js';
import { backoffMs, Deadline, type KrafkaError, type Ports, type TypedEvents } from '../../support/index.js';
import type { AccumulatorListener, RecordAccumulator } from '../accumulator/record-accumulator.js';
import type { PartitionQueue } from '../accumulator/partition-queue.js';
import type { ProducerBatch } from '../accumulator/producer-batch.js';
import type { ProducerEvents } from '../events.js';
import { IdentitySource } from '../idempotence/identity-source.js';
import type { SequenceAuthority } from '../idempotence/sequence-authority.js';
import type { Identity } from '../idempotence/partition-sequences.js';
import type { Meter } from '../meter.js';
import { MAX_RETRY_BACKOFF_MS, type SendingConfig } from '../options.js';
import type { BrokerOutbox, Lane } from './broker-outbox.js';
import { Deliveries } from './deliveries.js';
import { Lingering } from './lingering.js';
import { NextBatch } from './next-batch.js';
import { ProduceExchange } from './produce-exchange.js';
import { Routes } from './routes.js';
import { Wakeup } from './wakeup.js';
import type { TransactionGate } from '../transactions/transaction-gate.js';

/** The parts of the cluster that a producer uses. */
export type ProducerCluster = Pick<
  Cluster,
  | 'metadata'
  | 'events'
  | 'pool'
  | 'topic'
  | 'cachedTopic'
  | 'trackUse'
  | 'refresh'
  | 'connection'
  | 'anyConnection'
  | 'coordinator'
  | 'forgetCoordinator'
  | 'leaderMoved'
  | 'suspect'
>;

/** Sends that wait for something that is not a batch: the sender's one timer is theirs too. */
export interface WaitingSends {
  /** Monotonic; when the next of them has waited long enough. */
  readonly dueAtMs: number;
  expire(nowMs: number): void;
  /** Memory was freed. */
  admit(): void;
}

/** So many bytes go out at once, whatever is on its way. */
const WORTH_A_REQUEST = 64 * 1024;

/** How long a batch that could go waits for the answer before it: more than replication takes between neighbours. */
const MOST_HELD_BACK_MS = 5;

export interface SenderOptions {
  readonly cluster: ProducerCluster;
  readonly config: SendingConfig;
  readonly ports: Ports;
  readonly accumulator: RecordAccumulator;
  readonly waiting: WaitingSends;
  readonly events: TypedEvents<ProducerEvents>;
  readonly meter: Meter;
  /** Where a transactional producer's identity comes from, and what its transactions ask of the sender. */
  readonly transactions: (SequenceAuthority & TransactionGate) | undefined;
}

/**
 * Sends what the accumulator has, to the broker that leads each partition: one Produce request a connection and wave, several
 * of them in flight. Looks for work at the end of a turn of the loop in which something came, was answered or fell due; while
 * there is nothing to wait for it has no timer.
 */
export class Sender implements AccumulatorListener {
  readonly #cluster: ProducerCluster;
  readonly #config: SendingConfig;
  readonly #ports: Ports;
  readonly #accumulator: RecordAccumulator;
  readonly #waiting: WaitingSends;
  readonly #events: TypedEvents<ProducerEvents>;
  readonly #identity: SequenceAuthority | undefined;
  readonly #deliveries: Deliveries;
  readonly #wakeup: Wakeup;
  readonly #routes: Routes;
  readonly #unsubscribe: () => void;
  readonly #untrack: () => void;
  readonly #next: NextBatch;
  readonly #exchange: ProduceExchange;
  readonly #lingering: Lingering;
  #deliveryDueAtMs = Infinity;
  /** Monotonic; when a broker that could not be reached, or the identity that could not be had, is tried again. */
  #connectDueAtMs = Infinity;
  /** Monotonic; when the first of those that wait for the answer before them goes without it. */
  #heldBackDueAtMs = Infinity;
  /** Monotonic; after no identity could be had, none is asked for before. */
  #identityRetryAtMs = 0;
  #scheduled = false;
  #closed = false;
  /** Why nothing is sent again, and who waits for the last answers. */
  #givingUp: KrafkaError | undefined;
  #quiet: (() => void)[] | undefined;

  constructor(options: SenderOptions) {
    const { cluster, config, ports } = options;
    this.#cluster = cluster;
    this.#config = config;
    this.#ports = ports;
    this.#accumulator = options.accumulator;
    this.#waiting = options.waiting;
    this.#events = options.events;
    this.#wakeup = new Wakeup(ports.clock, this.#work);
    this.#routes = new Routes(cluster, (tries) => this.#backoffMs(tries));
    this.#unsubscribe = cluster.events.on('metadata', (metadata) => {
      this.#routes.follow(metadata, options.accumulator.topics.values());
      this.#schedule();
    });
    this.#untrack = cluster.trackUse(() => options.accumulator.takeUsedTopics());
    if (options.transactions !== undefined) {
      this.#identity = options.transactions;
    } else if (config.idempotent) {
      this.#identity = new IdentitySource({
        cluster,
        ports,
        requestTimeoutMs: config.requestTimeoutMs,
        listener: {
          known: (identity) => this.identified(identity),
          unavailable: (error) => this.#unidentified(error),
        },
      });
    }
    this.#deliveries = new Deliveries({
      accumulator: options.accumulator,
      cluster,
      random: ports.random,
      events: options.events,
      meter: options.meter,
      deliveryTimeoutMs: config.deliveryTimeoutMs,
      requestTimeoutMs: config.requestTimeoutMs,
      retryBackoffMs: config.retryBackoffMs,
      isTransactional: options.transactions !== undefined,
      givingUp: () => this.#givingUp,
      changed: (queue) => this.#changed(queue),
      freed: () => this.#settled(),
    });
    this.#next = new NextBatch({
      accumulator: options.accumulator,
      identity: this.#identity,
      gate: options.transactions,
      maxInFlight: config.maxInFlight,
      meter: options.meter,
    });
    this.#exchange = new ProduceExchange({
      config,
      gate: options.transactions,
      clock: ports.clock,
      deliveries: this.#deliveries,
      meter: options.meter,
      landed: () => {
        this.#settled();
        if (this.#quiet !== undefined && this.inFlight === 0) this.#becomeQuiet();
        // The window has room again, whether or not anything new came.
        this.#schedule();
      },
    });
    this.#lingering = new Lingering(config.lingerMs);
  }

  /** Produce requests that are not answered. */
  get inFlight(): number {
    let inFlight = 0;
    for (const { lanes } of this.#routes.outboxes.values()) for (const lane of lanes) inFlight += lane.inFlight;
    return inFlight;
  }

  /** Gets the identity on its way, before there is anything to be stamped with it. */
  prepare(): void {
    this.#identity?.ask();
  }

  ready(queue: PartitionQueue): void {
    if (!queue.listed) this.#routes.list(queue);
    this.#schedule();
  }

  lingering(batch: ProducerBatch): void {
    this.#lingering.add(batch);
    this.#wakeup.by(batch.createdAtMs + this.#config.lingerMs, batch.createdAtMs);
  }

  began(batch: ProducerBatch): void {
    const dueAtMs = batch.createdAtMs + this.#config.deliveryTimeoutMs;
    if (dueAtMs >= this.#deliveryDueAtMs) return;
    this.#deliveryDueAtMs = dueAtMs;
    this.#wakeup.by(dueAtMs, batch.createdAtMs);
  }

  broken(batch: ProducerBatch, error: Error): void {
    this.#deliveries.drop(batch, error);
    this.#settled();
  }

  /** Looks for what is due no later than `dueAtMs`. */
  wakeBy(dueAtMs: number): void {
    this.#wakeup.by(dueAtMs, this.#ports.clock.monotonic());
  }

  /** Fails whatever is not on the wire, and what comes back from it unwritten; resolves when nothing is on the wire. */
  quiesce(error: KrafkaError): Promise<void> {
    this.#givingUp ??= error;
    for (const batch of [...this.#accumulator.incomplete]) {
      if (!batch.onWire) this.#deliveries.drop(batch, this.#givingUp);
    }
    this.#settled();
    return new Promise((resolve) => {
      this.#quiet = [...(this.#quiet ?? []), resolve];
      if (this.inFlight === 0) this.#becomeQuiet();
    });
  }

  /** Whether some partition's sequence has a range in it that was stamped and never acknowledged. */
  get hasHoles(): boolean {
    for (const { queues } of this.#accumulator.topics.values()) {
      for (const queue of queues) if (queue?.sequences.hasHole === true) return true;
    }
    return false;
  }

  /** Fails everything that is not settled, and works no more. */
  close(error: KrafkaError): void {
    this.#closed = true;
    this.#unsubscribe();
    this.#untrack();
    this.#identity?.close();
    for (const batch of [...this.#accumulator.incomplete]) this.#deliveries.drop(batch, error);
    this.#wakeup.cancel();
  }

  #becomeQuiet(): void {
    const waiting = this.#quiet ?? [];
    this.#quiet = undefined;
    this.#givingUp = undefined;
    for (const resolve of waiting) resolve();
  }

  #schedule(): void {
    if (this.#scheduled || this.#closed) return;
    this.#scheduled = true;
    this.#ports.clock.endOfTurn(this.#work);
  }

  readonly #work = (): void => {
    this.#scheduled = false;
    if (this.#closed) return;
    const nowMs = this.#ports.clock.monotonic();
    this.#lingering.end(nowMs, (batch) => this.ready(batch.queue));
    if (nowMs >= this.#deliveryDueAtMs) this.#expire(nowMs);
    if (nowMs >= this.#waiting.dueAtMs) this.#waiting.expire(nowMs);
    if (nowMs >= this.#routes.dueAtMs) this.#routes.seekLeaders(nowMs);
    this.#connectDueAtMs = Infinity;
    this.#next.retryDueAtMs = Infinity;
    this.#heldBackDueAtMs = Infinity;
    for (const outbox of this.#routes.outboxes.values()) if (outbox.queues.length > 0) this.#drain(outbox, nowMs);
    this.#arm(nowMs);
  };

  #arm(nowMs: number): void {
    const dueAtMs = Math.min(
      this.#lingering.dueAtMs,
      this.#deliveryDueAtMs,
      this.#connectDueAtMs,
      this.#next.retryDueAtMs,
      this.#heldBackDueAtMs,
      this.#routes.dueAtMs,
      this.#waiting.dueAtMs,
    );
    if (dueAtMs === Infinity) this.#wakeup.cancel();
    else this.#wakeup.by(dueAtMs, nowMs);
  }

  /** Fails what has run out of time. Pieces of split batches are not in order of age, so all are looked at. */
  #expire(nowMs: number): void {
    const { deliveryTimeoutMs } = this.#config;
    this.#deliveryDueAtMs = Infinity;
    for (const batch of [...this.#accumulator.incomplete]) {
      const dueAtMs = batch.createdAtMs + deliveryTimeoutMs;
      if (dueAtMs <= nowMs) this.#deliveries.expire(batch);
      else this.#deliveryDueAtMs = Math.min(this.#deliveryDueAtMs, dueAtMs);
    }
    this.#settled();
  }

  /** Batches were settled: those who wait for memory come next. */
  #settled(): void {
    this.#waiting.admit();
    if (this.#accumulator.incomplete.size > 0) return;
    this.#deliveryDueAtMs = Infinity;
    // The timer is cancelled at the end of the turn, unless more has come by then: one send after another needs one timer.
    this.#schedule();
  }

  get #lacksIdentity(): boolean {
    return this.#identity !== undefined && this.#identity.current === undefined;
  }

  #changed(queue: PartitionQueue): void {
    if (hasMore(queue)) this.ready(queue);
  }

  /** There is an identity, the first or another. */
  identified(identity: Identity): void {
    if (this.#events.has('identity')) this.#events.emit('identity', identity);
    this.#schedule();
  }

  /**
   * What was never stamped waits on, each for its own time, or fails with the reason where there will be none. What was, has
   * its place in a sequence and tries on.
   */
  #unidentified(error: KrafkaError): void {
    this.#identityRetryAtMs = this.#ports.clock.monotonic() + MAX_RETRY_BACKOFF_MS;
    for (const batch of [...this.#accumulator.incomplete]) {
      if (batch.baseSequence >= 0) continue;
      batch.lastError = error;
      if (!error.retriable) this.#deliveries.drop(batch, error);
    }
    this.#settled();
    this.#schedule();
  }

  #drain(outbox: BrokerOutbox, nowMs: number): void {
    if (outbox.connecting) return;
    if (outbox.retryAtMs > nowMs) {
      this.#connectDueAtMs = Math.min(this.#connectDueAtMs, outbox.retryAtMs);
      return;
    }
    if (this.#lacksIdentity) {
      outbox.dropIdle();
      if (outbox.queues.length === 0) return;
      if (nowMs >= this.#identityRetryAtMs) this.#identity?.ask();
      else this.#connectDueAtMs = Math.min(this.#connectDueAtMs, this.#identityRetryAtMs);
      return;
    }
    const node = this.#cluster.metadata.brokers.get(outbox.nodeId);
    const bundle = node === undefined ? undefined : this.#cluster.pool.bundle(node.address);
    if (bundle === undefined || bundle.usableCount === 0) {
      this.#connect(outbox);
      return;
    }
    outbox.prune();
    while (this.#fill(outbox, bundle, nowMs)) this.#sendWaves(outbox, nowMs);
  }

  /** Looks at each listed queue once, and gives the next wave of each lane what fits. Answers whether there is one. */
  #fill(outbox: BrokerOutbox, bundle: BrokerConnectionBundle, nowMs: number): boolean {
    const queues = outbox.queues;
    if (queues.length === 0) return false;
    if (this.#config.acks === 'all') outbox.weigh(bundle);
    const passedOver: PartitionQueue[] = [];
    const served: PartitionQueue[] = [];
    outbox.queues = [];
    for (const queue of queues) {
      const lane = outbox.laneOf(queue, bundle);
      if (lane === undefined || lane.inFlight >= this.#config.maxInFlight || this.#gainsByWaiting(queue, lane, nowMs)) {
        passedOver.push(queue);
        continue;
      }
      // Off the list while it is looked at: whatever happens to it meanwhile may list it again.
      queue.listed = false;
      const batch = this.#next.of(queue, nowMs);
      if (batch === undefined) {
        // What it waits for lists it again: an answer, its compression, its linger. Only a retry's backoff does not, nor an
        // identity: the last one may have been used up by a queue that was looked at just now.
        if (((queue.waiting[0]?.retryAtMs ?? 0) > nowMs || this.#lacksIdentity) && !queue.listed) {
          queue.listed = true;
          passedOver.push(queue);
        }
        continue;
      }
      const wave = lane.nextWave(this.#config.maxRequestSize);
      if (wave.fits(batch)) {
        queue.waiting.shift();
        this.#next.stamp(batch, nowMs);
        wave.add(batch);
        served.push(queue);
      } else if (!queue.listed) {
        queue.listed = true;
        passedOver.push(queue);
      }
    }
    // Those that had no turn come first next time.
    outbox.queues = [...passedOver, ...outbox.queues];
    for (const queue of served) if (!queue.listed && hasMore(queue)) outbox.list(queue);
    return served.length > 0;
  }

  /**
   * A broker serves one request of a connection at a time, and with `acks: 'all'` not before the replicas have it. What goes
   * out behind an unanswered request only waits there, where nothing can join it: so little waits here, for a moment.
   */
  #gainsByWaiting(queue: PartitionQueue, lane: Lane, nowMs: number): boolean {
    const { acks, lingerMs } = this.#config;
    const { open } = queue;
    if (acks !== 'all' || lane.inFlight === 0 || !queue.isReplicated || lane.waitingBytes >= WORTH_A_REQUEST)
      return false;
    if (open?.due !== true || queue.waiting.length > 0) return false;
    const untilMs = open.createdAtMs + lingerMs + MOST_HELD_BACK_MS;
    if (untilMs <= nowMs) return false;
    this.#heldBackDueAtMs = Math.min(this.#heldBackDueAtMs, untilMs);
    return true;
  }

  #sendWaves(outbox: BrokerOutbox, nowMs: number): void {
    for (const lane of outbox.lanes) {
      const { wave } = lane;
      if (wave === undefined) continue;
      lane.wave = undefined;
      if (wave.batches.length > 0) this.#exchange.send(lane, wave, nowMs);
    }
  }

  #connect(outbox: BrokerOutbox): void {
    outbox.connecting = true;
    const deadline = new Deadline(this.#ports.clock, this.#config.requestTimeoutMs, 'requestTimeoutMs');
    this.#cluster.connection(outbox.nodeId, 'data', { deadline }).then(
      () => {
        outbox.connecting = false;
        outbox.failures = 0;
        this.#schedule();
      },
      (error: unknown) => this.#unreachable(outbox, error as KrafkaError),
    );
  }

  #unreachable(outbox: BrokerOutbox, error: KrafkaError): void {
    if (this.#closed) return;
    outbox.connecting = false;
    outbox.failures++;
    outbox.retryAtMs = this.#ports.clock.monotonic() + this.#backoffMs(outbox.failures);
    for (const queue of [...outbox.queues]) {
      for (const batch of [...queue.waiting, ...(queue.open === undefined ? [] : [queue.open])]) {
        batch.lastError = error;
        if (!error.retriable) this.#deliveries.drop(batch, error);
      }
    }
    this.#settled();
    this.#schedule();
  }

  #backoffMs(tries: number): number {
    return backoffMs({ baseMs: this.#config.retryBackoffMs, capMs: MAX_RETRY_BACKOFF_MS }, tries, this.#ports.random);
  }
}

const hasMore = (queue: PartitionQueue): boolean => queue.waiting.length > 0 || queue.open?.due === true;
