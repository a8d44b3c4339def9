import type { Cluster } from '../../cluster/index.js';
import type { BrokerConnectionBundle } from '../../network/index.js';
import { Produce } from '../../protocol/index.js';
import {
  backoffMs,
  Deadline,
  KrafkaConnectionError,
  type KrafkaError,
  type Ports,
  type TypedEvents,
} from '../../support/index.js';
import type { AccumulatorListener, RecordAccumulator } from '../accumulator/record-accumulator.js';
import type { PartitionQueue } from '../accumulator/partition-queue.js';
import type { ProducerBatch } from '../accumulator/producer-batch.js';
import type { ProducerEvents } from '../events.js';
import { IdentitySource } from '../idempotence/identity-source.js';
import { NO_IDENTITY, sameIdentity, type Identity } from '../idempotence/partition-sequences.js';
import type { Meter } from '../meter.js';
import { MAX_RETRY_BACKOFF_MS, type SendingConfig } from '../options.js';
import type { BrokerOutbox, Lane } from './broker-outbox.js';
import { Deliveries } from './deliveries.js';
import { Routes } from './routes.js';
import { UNACKNOWLEDGED, type ProduceResponse, type ProduceWave } from './produce-wave.js';
import { Wakeup } from './wakeup.js';

/** The parts of the cluster that a producer uses. */
export type ProducerCluster = Pick<
  Cluster,
  | 'metadata'
  | 'events'
  | 'pool'
  | 'topic'
  | 'cachedTopic'
  | 'refresh'
  | 'connection'
  | 'anyConnection'
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

export interface SenderOptions {
  readonly cluster: ProducerCluster;
  readonly config: SendingConfig;
  readonly ports: Ports;
  readonly accumulator: RecordAccumulator;
  readonly waiting: WaitingSends;
  readonly events: TypedEvents<ProducerEvents>;
  readonly meter: Meter;
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
  readonly #meter: Meter;
  readonly #acks: number;
  readonly #identity: IdentitySource | undefined;
  readonly #deliveries: Deliveries;
  readonly #wakeup: Wakeup;
  readonly #routes: Routes;
  readonly #unsubscribe: () => void;
  /** Open batches that linger, oldest first; those that were sent since are passed over. */
  #lingering: ProducerBatch[] = [];
  #deliveryDueAtMs = Infinity;
  #retryDueAtMs = Infinity;
  /** Monotonic; after no identity could be had, none is asked for before. */
  #identityRetryAtMs = 0;
  #scheduled = false;
  #closed = false;

  constructor(options: SenderOptions) {
    const { cluster, config, ports } = options;
    this.#cluster = cluster;
    this.#config = config;
    this.#ports = ports;
    this.#accumulator = options.accumulator;
    this.#waiting = options.waiting;
    this.#events = options.events;
    this.#meter = options.meter;
    this.#acks = config.acks === 'all' ? -1 : config.acks;
    this.#wakeup = new Wakeup(ports.clock, this.#work);
    this.#routes = new Routes(cluster, (tries) => this.#backoffMs(tries));
    this.#unsubscribe = cluster.events.on('metadata', (metadata) => {
      this.#routes.follow(metadata, options.accumulator.topics.values());
      this.#schedule();
    });
    if (config.idempotent) {
      this.#identity = new IdentitySource({
        cluster,
        ports,
        budgetMs: config.deliveryTimeoutMs,
        listener: {
          known: (identity) => this.#identified(identity),
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
      changed: (queue) => this.#changed(queue),
    });
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
    this.#lingering.push(batch);
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

  /** Fails everything that is not settled, and works no more. */
  close(error: KrafkaError): void {
    this.#closed = true;
    this.#unsubscribe();
    this.#identity?.close();
    for (const batch of [...this.#accumulator.incomplete]) this.#deliveries.drop(batch, error);
    this.#wakeup.cancel();
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
    this.#endLingering(nowMs);
    if (nowMs >= this.#deliveryDueAtMs) this.#expire(nowMs);
    if (nowMs >= this.#waiting.dueAtMs) this.#waiting.expire(nowMs);
    if (nowMs >= this.#routes.dueAtMs) this.#routes.seekLeaders(nowMs);
    this.#retryDueAtMs = Infinity;
    for (const outbox of this.#routes.outboxes.values()) if (outbox.queues.length > 0) this.#drain(outbox, nowMs);
    this.#arm(nowMs);
  };

  #arm(nowMs: number): void {
    const lingerDueAtMs =
      this.#lingering[0] === undefined ? Infinity : this.#lingering[0].createdAtMs + this.#config.lingerMs;
    const dueAtMs = Math.min(
      lingerDueAtMs,
      this.#deliveryDueAtMs,
      this.#retryDueAtMs,
      this.#routes.dueAtMs,
      this.#waiting.dueAtMs,
    );
    if (dueAtMs === Infinity) this.#wakeup.cancel();
    else this.#wakeup.by(dueAtMs, nowMs);
  }

  #endLingering(nowMs: number): void {
    let over = 0;
    for (const batch of this.#lingering) {
      if (batch.state === 'open' && !batch.due) {
        if (batch.createdAtMs + this.#config.lingerMs > nowMs) break;
        batch.due = true;
        this.ready(batch.queue);
      }
      over++;
    }
    if (over > 0) this.#lingering.splice(0, over);
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
    if (this.#waiting.dueAtMs === Infinity) this.#wakeup.cancel();
  }

  #changed(queue: PartitionQueue): void {
    if (hasMore(queue)) this.ready(queue);
  }

  #identified(identity: Identity): void {
    if (this.#events.has('identity')) this.#events.emit('identity', identity);
    this.#schedule();
  }

  /** What was never stamped fails with the reason. What was, has its place in a sequence and tries on. */
  #unidentified(error: KrafkaError): void {
    this.#identityRetryAtMs = this.#ports.clock.monotonic() + MAX_RETRY_BACKOFF_MS;
    for (const batch of [...this.#accumulator.incomplete]) {
      if (batch.baseSequence < 0) this.#deliveries.drop(batch, error);
    }
    this.#settled();
    this.#schedule();
  }

  #drain(outbox: BrokerOutbox, nowMs: number): void {
    if (outbox.connecting) return;
    if (outbox.retryAtMs > nowMs) {
      this.#retryDueAtMs = Math.min(this.#retryDueAtMs, outbox.retryAtMs);
      return;
    }
    if (this.#identity !== undefined && this.#identity.current === undefined) {
      if (nowMs >= this.#identityRetryAtMs) this.#identity.ask();
      else this.#retryDueAtMs = Math.min(this.#retryDueAtMs, this.#identityRetryAtMs);
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
    const passedOver: PartitionQueue[] = [];
    const served: PartitionQueue[] = [];
    outbox.queues = [];
    for (const queue of queues) {
      const lane = outbox.laneOf(queue, bundle);
      if (lane === undefined || lane.inFlight >= this.#config.maxInFlight) {
        passedOver.push(queue);
        continue;
      }
      // Off the list while it is looked at: whatever happens to it meanwhile may list it again.
      queue.listed = false;
      const batch = this.#next(queue, nowMs);
      if (batch === undefined) {
        // What it waits for lists it again: an answer, its compression, its linger. Only a retry's backoff does not.
        if ((queue.waiting[0]?.retryAtMs ?? 0) > nowMs && !queue.listed) {
          queue.listed = true;
          passedOver.push(queue);
        }
        continue;
      }
      const wave = lane.nextWave(this.#config.maxRequestSize);
      if (wave.fits(batch)) {
        queue.waiting.shift();
        this.#stamp(batch, nowMs);
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

  /** The batch that a queue may send now: still at the head of those that wait. */
  #next(queue: PartitionQueue, nowMs: number): ProducerBatch | undefined {
    if (queue.onWire > 0) {
      if (queue.sequences.restartDemanded) return undefined;
    } else if (queue.sequences.mustRestart(queue.unresolved.length) && !queue.isHaunted(nowMs)) {
      if (!this.#restart(queue, nowMs)) return undefined;
    }
    let head = queue.waiting[0];
    if (head === undefined) {
      if (queue.open?.due !== true || !this.#takesNew(queue)) return undefined;
      this.#accumulator.close(queue);
      head = queue.waiting[0];
    }
    if (head === undefined || head.state !== 'ready') return undefined;
    if (!head.unresolved) return this.#takesNew(queue) ? head : undefined;
    // Retries go one at a time, oldest first: whatever the first attempts came to, order is kept.
    if (head !== queue.unresolved[0]) return undefined;
    if (head.retryAtMs > nowMs) {
      this.#retryDueAtMs = Math.min(this.#retryDueAtMs, head.retryAtMs);
      return undefined;
    }
    return head;
  }

  /** At once when it is taken: the next queue may raise the epoch, which this batch must not carry. */
  #stamp(batch: ProducerBatch, nowMs: number): void {
    const identity = this.#identity?.current;
    if (identity === undefined || batch.baseSequence >= 0) return;
    batch.stamp(identity, batch.queue.sequences.stamp(identity, batch.recordCount, nowMs));
  }

  #takesNew(queue: PartitionQueue): boolean {
    const oldest = queue.unresolved[0];
    if (oldest === undefined) return this.#mayStamp(queue);
    // A broker remembers the last five batches of a producer. Past a retry, ever more could go until it forgets whether
    // that one was written.
    if (oldest.attempts > 1) return false;
    return queue.unresolved.length < this.#config.maxInFlight && this.#mayStamp(queue);
  }

  #mayStamp(queue: PartitionQueue): boolean {
    const identity = this.#identity;
    return identity === undefined || queue.sequences.mayStamp(identity.current ?? NO_IDENTITY, queue.unresolved.length);
  }

  /** Begins the partition's sequence anew under an identity that is not its last one; false while there is none. */
  #restart(queue: PartitionQueue, nowMs: number): boolean {
    const source = this.#identity as IdentitySource;
    const { sequences } = queue;
    let identity = source.current;
    if (identity !== undefined && sameIdentity(identity, sequences.identity)) {
      this.#meter.epochBumps++;
      identity = source.raise();
    }
    if (identity === undefined) return false;
    sequences.restart(identity);
    for (const batch of queue.unresolved) {
      batch.stamp(identity, sequences.stamp(identity, batch.recordCount, nowMs));
    }
    return true;
  }

  #sendWaves(outbox: BrokerOutbox, nowMs: number): void {
    for (const lane of outbox.lanes) {
      const { wave } = lane;
      if (wave === undefined) continue;
      lane.wave = undefined;
      if (wave.batches.length > 0) this.#send(lane, wave, nowMs);
    }
  }

  #send(lane: Lane, wave: ProduceWave, nowMs: number): void {
    for (const batch of wave.batches) {
      if (batch.attempts++ === 0) batch.firstSentAtMs = nowMs;
      batch.sentAtMs = nowMs;
      batch.state = 'inFlight';
      batch.queue.sent(batch, lane.connection);
    }
    this.#meter.requests++;
    lane.inFlight++;
    const { requestTimeoutMs } = this.#config;
    const { maxVersion } = wave;
    const options = { timeoutMs: requestTimeoutMs, ...(maxVersion === undefined ? {} : { maxVersion }) };
    const request = wave.request(this.#acks, requestTimeoutMs, null);
    const sent: Promise<ProduceResponse | undefined> =
      this.#acks === 0
        ? lane.connection.sendRequest(Produce, request, { ...options, awaitResponse: false })
        : lane.connection.sendRequest(Produce, request, options);
    sent.then(
      (response) => this.#answered(lane, wave, response),
      (error: unknown) => this.#unanswered(lane, wave, error as Error),
    );
  }

  #answered(lane: Lane, wave: ProduceWave, response: ProduceResponse | undefined): void {
    const nowMs = this.#ports.clock.monotonic();
    lane.inFlight--;
    if (response === undefined) {
      for (const batch of wave.batches) this.#deliveries.answered(batch, UNACKNOWLEDGED, undefined, nowMs);
    } else {
      wave.match(response, (batch, answer) => {
        if (answer !== undefined) this.#deliveries.answered(batch, answer, response, nowMs);
        else this.#deliveries.unanswered(batch, leftOut(lane, batch), nowMs);
      });
    }
    this.#landed();
  }

  #unanswered(lane: Lane, wave: ProduceWave, error: Error): void {
    const nowMs = this.#ports.clock.monotonic();
    lane.inFlight--;
    for (const batch of wave.batches) this.#deliveries.unanswered(batch, error, nowMs);
    this.#landed();
  }

  #landed(): void {
    this.#settled();
    // The window has room again, whether or not anything new came.
    this.#schedule();
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

function leftOut(lane: Lane, { queue }: ProducerBatch): KrafkaConnectionError {
  const what = `answered a Produce request without a word on topic '${queue.topic.name}' partition ${queue.partition}`;
  return new KrafkaConnectionError(lane.connection.address, what);
}
