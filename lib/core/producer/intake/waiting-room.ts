import type { Cluster } from '../../cluster/index.js';
import { ERROR_CODES, protocolError } from '../../protocol/index.js';
import { KrafkaBufferFullError, KrafkaError, type Clock, type Deadline } from '../../support/index.js';
import type { FlushBarrier } from '../accumulator/flush-barrier.js';
import type { ProducerBatch } from '../accumulator/producer-batch.js';
import type { RecordAccumulator } from '../accumulator/record-accumulator.js';
import type { TopicQueues } from '../accumulator/topic-queues.js';
import type { WaitingSends } from '../sender/sender.js';
import type { Obstacle, RecordEncoder } from './encoder.js';
import { WaitingSend } from './waiting-send.js';

/** Sends of one topic, in order, while one of them waits for its serializers or all of them for metadata. */
class Lane {
  readonly sends: WaitingSend[] = [];
  /** Whether metadata is being fetched for it. */
  fetching = false;
  /** Whether its sends are being moved on: what they set off must not begin that again. */
  advancing = false;

  constructor(readonly topic: TopicQueues) {}
}

/** After so long without any memory being freed, ms, those who wait for it wait for a broker that does not answer. */
const STALLED_AFTER_MS = 100;

/**
 * The most sends that wait at once: some hundred MiB of them, where a caller sends faster than brokers take it. And the most
 * that wait for a broker that does not answer: a few MiB, for nobody knows how many are still to come.
 */
const MOST_WAITING = { flowing: 250_000, stalled: 4_000 } as const;

export interface WaitingRoomOptions {
  readonly clock: Clock;
  readonly cluster: Pick<Cluster, 'topic' | 'refresh'>;
  readonly accumulator: RecordAccumulator;
  readonly encoder: RecordEncoder;
  readonly bufferMemory: number;
  readonly maxBlockMs: number;
  /** Rings no later than that. */
  readonly wakeBy: (dueAtMs: number) => void;
}

/**
 * Sends that could not be encoded at once, for `maxBlockMs` at most. First in the lane of their topic, where they wait for
 * serializers and metadata; then in one line for memory, which is served strictly in turn, however little the ones behind
 * ask for. So records keep the order in which they were sent, and no topic waits for the metadata of another.
 */
export class WaitingRoom implements WaitingSends {
  readonly #options: WaitingRoomOptions;
  readonly #all = new Set<WaitingSend>();
  readonly #lanes = new Map<TopicQueues, Lane>();
  #line: WaitingSend[] = [];
  /** How many at the beginning of the line have been served. */
  #served = 0;
  #dueAtMs = Infinity;
  #admitting = false;
  /** Monotonic; since when those who wait for memory have seen none. */
  #dryAtMs = Infinity;

  constructor(options: WaitingRoomOptions) {
    this.#options = options;
  }

  /** How many sends wait. */
  get size(): number {
    return this.#all.size;
  }

  /** Whether somebody waits for memory, so that whoever comes has to wait behind. */
  get hasLine(): boolean {
    return this.#line.length > 0;
  }

  /**
   * Whether no more should come. What is sent in one turn of the loop is always taken, up to the larger limit: until the turn
   * is over nothing could have been sent.
   */
  get isFull(): boolean {
    const { size } = this.#all;
    if (size < MOST_WAITING.stalled) return false;
    return size >= MOST_WAITING.flowing || this.#options.clock.monotonic() - this.#dryAtMs > STALLED_AFTER_MS;
  }

  get dueAtMs(): number {
    return this.#all.size === 0 ? Infinity : this.#dueAtMs;
  }

  /** The send waits its turn, behind those of its topic. `serialized` ends when its record is set. */
  enter(send: WaitingSend, serialized?: Promise<void>): void {
    const { topic } = send;
    let lane = this.#lanes.get(topic);
    if (lane === undefined) {
      lane = new Lane(topic);
      this.#lanes.set(topic, lane);
      topic.blocked = true;
    }
    lane.sends.push(send);
    this.#all.add(send);
    this.#expect(send);
    if (serialized === undefined) {
      send.stage = 'metadata';
      this.#advance(lane);
      return;
    }
    const own = lane;
    serialized.then(
      () => {
        if (send.stage === 'serializing') send.stage = 'metadata';
        this.#advance(own);
      },
      (error: unknown) => {
        this.#fail(send, error as Error);
        this.#advance(own);
      },
    );
  }

  /** Ends the waiting of some sends, or of all, with an error. */
  fail(error: Error, sends: Iterable<WaitingSend> = [...this.#all]): void {
    for (const send of sends) this.#fail(send, error);
    this.#moveOn();
  }

  /** The barrier waits for every send that waits here. */
  flush(barrier: FlushBarrier): void {
    for (const send of this.#all) send.waitedForBy(barrier);
  }

  expire(nowMs: number): void {
    this.#dueAtMs = Infinity;
    // One for all whose time is up together: there may be very many.
    let full: KrafkaBufferFullError | undefined;
    for (const send of this.#all) {
      // Whoever waits for metadata is told by the cluster why it did not come.
      if (send.stage === 'metadata') continue;
      if (send.dueAtMs > nowMs) {
        this.#dueAtMs = Math.min(this.#dueAtMs, send.dueAtMs);
      } else if (send.stage === 'serializing') {
        this.#fail(send, send.deadline.error(`the serializers of a record for topic '${send.topic.name}'`));
      } else {
        full ??= new KrafkaBufferFullError(this.#options.bufferMemory, this.#options.maxBlockMs);
        this.#fail(send, full);
      }
    }
    this.#moveOn();
  }

  /** Serves the line for memory as far as there is any. */
  admit(): void {
    if (this.#admitting || this.#line.length === 0) return;
    this.#admitting = true;
    const before = this.#all.size;
    while (this.#served < this.#line.length) {
      const send = this.#line[this.#served] as WaitingSend;
      if (send.stage === 'memory') {
        const obstacle = this.#encode(send);
        if (obstacle === 'no-memory') break;
        if (obstacle !== undefined) this.#sendBack(send, obstacle);
      }
      this.#served++;
    }
    this.#compact();
    this.#admitting = false;
    if (!this.hasLine) this.#dryAtMs = Infinity;
    else if (this.#all.size < before) this.#dryAtMs = this.#options.clock.monotonic();
    this.#options.accumulator.hurried = this.hasLine;
  }

  #moveOn(): void {
    for (const lane of [...this.#lanes.values()]) this.#advance(lane);
    this.admit();
  }

  /** What is left of it in the lines is passed over. */
  #fail(send: WaitingSend, error: Error): void {
    if (this.#all.delete(send)) send.failed(error);
  }

  #compact(): void {
    if (this.#served === this.#line.length) this.#line = [];
    else if (this.#served > 1024) this.#line.splice(0, this.#served);
    else return;
    this.#served = 0;
  }

  /** Moves on whatever in a lane can: into batches, or into the line for memory. */
  #advance(lane: Lane): void {
    const { sends, topic } = lane;
    if (lane.advancing || this.#lanes.get(topic) !== lane) return;
    lane.advancing = true;
    let moved = 0;
    for (const send of sends) {
      if (send.stage === 'serializing') break;
      if (send.stage === 'metadata') {
        if (topic.metadata === undefined) {
          this.#fetch(lane, send);
          break;
        }
        if (isBeyondKnown(send)) {
          if (this.#look(lane, send)) break;
        } else if (this.hasLine || this.#encode(send) !== undefined) {
          this.#queueForMemory(send);
        }
      }
      moved++;
    }
    sends.splice(0, moved);
    lane.advancing = false;
    if (sends.length > 0) return;
    this.#lanes.delete(topic);
    topic.blocked = false;
  }

  #queueForMemory(send: WaitingSend): void {
    send.stage = 'memory';
    if (!this.hasLine) {
      this.#options.clock.endOfTurn(() => {
        if (this.hasLine) this.#dryAtMs = Math.min(this.#dryAtMs, this.#options.clock.monotonic());
      });
    }
    this.#line.push(send);
    this.#expect(send);
    this.#options.accumulator.hurried = true;
  }

  /** What is known of its topic has changed while it waited for memory. */
  #sendBack(send: WaitingSend, obstacle: Obstacle): void {
    if (obstacle === 'unknown-partition') {
      this.#fail(send, unknownPartition(send.topic, send.partition));
      return;
    }
    this.#all.delete(send);
    this.enter(send);
  }

  /** Undefined when it is in a batch, or has failed; else what keeps it. */
  #encode(send: WaitingSend): Obstacle | undefined {
    const { topic, immediate } = send;
    const record = send.record as NonNullable<WaitingSend['record']>;
    const { encoder, accumulator } = this.#options;
    let batch: ProducerBatch | Obstacle;
    try {
      send.partition ??= encoder.partitionOf(topic, record.key, record.value);
      const { key, value, headers, timestamp } = record;
      batch = encoder.encode(topic, send.partition, key, value, headers, timestamp, immediate, send.owner.bytes);
    } catch (error) {
      this.#fail(send, error as Error);
      return undefined;
    }
    if (typeof batch === 'string') return batch;
    this.#all.delete(send);
    if (send.joined(batch)) accumulator.hurry(batch);
    return undefined;
  }

  /** Fetches the topic's metadata within the budget of the first that needs it. */
  #fetch(lane: Lane, { deadline }: WaitingSend): void {
    if (lane.fetching) return;
    lane.fetching = true;
    const { topic } = lane;
    this.#options.cluster.topic(topic.name, deadline).then(
      (metadata) => {
        lane.fetching = false;
        topic.metadata = metadata;
        this.#advance(lane);
      },
      (error: unknown) => {
        lane.fetching = false;
        this.#refuse(lane, deadline, error as Error);
      },
    );
  }

  /** What is to be known of the topic is not to be had: not by those whose time is up, and by nobody if there is no hope. */
  #refuse(lane: Lane, deadline: Deadline, error: Error): void {
    const { topic } = lane;
    const hopeless = !(error instanceof KrafkaError && error.retriable);
    for (const send of lane.sends) {
      if (topic.metadata !== undefined && !isBeyondKnown(send)) continue;
      if (hopeless || send.deadline === deadline || send.deadline.expired) this.#fail(send, error);
    }
    this.#advance(lane);
    if (!topic.blocked && topic.metadata === undefined) this.#options.accumulator.forget(topic);
  }

  /**
   * A partition beyond those that are known may be new: fetches metadata once, for all who are here, before it is refused.
   * Answers whether the lane has to wait for that.
   */
  #look(lane: Lane, send: WaitingSend): boolean {
    const { topic } = lane;
    if (lane.fetching) return true;
    if (send.refreshed) {
      this.#fail(send, unknownPartition(topic, send.partition));
      return false;
    }
    lane.fetching = true;
    const { deadline } = send;
    const asked = [...lane.sends];
    this.#options.cluster.refresh([topic.name], { deadline }).then(
      (metadata) => {
        lane.fetching = false;
        for (const one of asked) one.refreshed = true;
        topic.metadata = metadata.topics.get(topic.name);
        this.#advance(lane);
      },
      (error: unknown) => {
        lane.fetching = false;
        this.#refuse(lane, deadline, error as Error);
      },
    );
    return true;
  }

  #expect(send: WaitingSend): void {
    if (this.#all.size === 1) this.#dueAtMs = Infinity;
    this.#dueAtMs = Math.min(this.#dueAtMs, send.dueAtMs);
    this.#options.wakeBy(this.#dueAtMs);
  }
}

function isBeyondKnown({ partition, topic }: WaitingSend): boolean {
  return partition !== undefined && partition >= (topic.metadata?.partitions.length ?? Infinity);
}

function unknownPartition(topic: TopicQueues, partition: number | undefined): KrafkaError {
  const detail = `it has partitions 0 to ${(topic.metadata?.partitions.length ?? 0) - 1}`;
  return protocolError(ERROR_CODES.UNKNOWN_TOPIC_OR_PARTITION, {
    topic: topic.name,
    ...(partition === undefined ? {} : { partition }),
    detail,
  });
}
