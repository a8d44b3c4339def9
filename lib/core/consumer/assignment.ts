import {
  Deferred,
  KrafkaError,
  KrafkaProtocolError,
  type Deadline,
  type Ports,
  type Timer,
  type TypedEvents,
} from '../support/index.js';
import { AssignedPartition, type OffsetSpec } from './assigned-partition.js';
import type { ConsumerEvents } from './consumer-events.js';
import type { ConsumerSettings, ManualAssignment, OffsetReset } from './consumer-options.js';
import type { Delivery, Return } from './delivery/delivery.js';
import type { Fetcher } from './fetch/fetcher.js';
import type { PartitionOwner } from './group/group-member.js';
import type { KeptOffset } from './offsets/committed-offsets.js';
import type { EpochValidator, Truncation } from './offsets/epoch-validator.js';
import type { OffsetResolver, ResolvedOffset } from './offsets/offset-resolver.js';
import { describePartitions, keyOf, type TopicPartition } from './topic-partition.js';
import { within } from './within.js';

/** The collaborators of an {@link Assignment}. */
export interface AssignmentOptions {
  readonly settings: Pick<
    ConsumerSettings,
    'offsetReset' | 'maxDecompressedBytes' | 'rebalanceListener' | 'autoCommit'
  >;
  readonly ports: Ports;
  readonly events: TypedEvents<ConsumerEvents>;
  readonly fetcher: Fetcher;
  readonly resolver: OffsetResolver;
  readonly validator: EpochValidator;
  /** What the group has committed of these partitions; only asked when there is a group. */
  readonly committed: (
    partitions: readonly TopicPartition[],
    signal: AbortSignal,
  ) => Promise<ReadonlyMap<string, KeptOffset>>;
  /** Commits what is done of these partitions. */
  readonly commit: (partitions: readonly AssignedPartition[], deadline: Deadline) => Promise<void>;
  /** Something is done that is not committed. */
  readonly onUncommitted: () => void;
  /** Whether what is owned may still be committed; false when the membership was lost meanwhile. */
  readonly isMember: () => boolean;
  readonly onFatal: (error: KrafkaError) => void;
}

/** Why a position is being looked up, and from where it moves away. */
interface Reset {
  readonly reason: ConsumerEvents['reset']['reason'];
  readonly from: number | undefined;
}

/**
 * The partitions this consumer reads, and the one who gives and takes them: whoever owns a partition has its position
 * found, has it fetched and handed out, and before it goes has its handlers end and their work committed.
 */
export class Assignment implements PartitionOwner {
  readonly #options: AssignmentOptions;
  readonly #partitions = new Map<string, AssignedPartition>();
  readonly #resets = new Map<AssignedPartition, Reset>();
  /** What ends the standstill of partitions whose handlers asked for one. */
  readonly #holds = new Map<AssignedPartition, Timer>();
  /** Those who wait for a position to be known. */
  readonly #located = new Map<AssignedPartition, Deferred<void>>();
  /** Settled when there was an assignment and each position in it is known. */
  #settled = new Deferred<void>();
  #assignedOnce = false;
  #delivery: Delivery | undefined;
  readonly #ending = new AbortController();
  /** Partitions whose handlers had not ended when they had to be given up. */
  readonly #abandoned: AssignedPartition[] = [];

  constructor(options: AssignmentOptions) {
    this.#options = options;
  }

  get owned(): readonly TopicPartition[] {
    return Array.from(this.#partitions.values(), ({ topic, partition }) => ({ topic, partition }));
  }

  get partitions(): Iterable<AssignedPartition> {
    return this.#partitions.values();
  }

  /** Resolves when there was an assignment and every position in it is known. */
  get settled(): Promise<void> {
    return this.#settled.promise;
  }

  /** Partitions whose handlers did not end in time before they were given up. */
  get abandoned(): readonly TopicPartition[] {
    return this.#abandoned;
  }

  get(topic: string, partition: number): AssignedPartition | undefined {
    return this.#partitions.get(keyOf(topic, partition));
  }

  /** Hands records to whoever consumes from now on: what is not done is handed out again. */
  attach(delivery: Delivery | undefined): void {
    if (this.#delivery !== undefined) {
      for (const partition of this.#partitions.values()) {
        this.#endHold(partition);
        partition.goBack();
        this.#options.fetcher.wake(partition);
      }
    }
    this.#delivery = delivery;
    for (const partition of this.#partitions.values()) delivery?.add(partition);
  }

  /** Takes partitions that a group gave; their positions are what the group has committed. */
  async assign(given: readonly TopicPartition[]): Promise<void> {
    const added = given.map(({ topic, partition }) => this.#create(topic, partition, 'committed'));
    await this.#begin(added);
    void this.#locate(added);
  }

  /** Takes partitions that the user named. */
  async assignManually(given: readonly ManualAssignment[]): Promise<void> {
    const added = given.map(({ topic, partition, offset }) =>
      this.#create(topic, partition, offset === undefined || typeof offset === 'number' ? 'committed' : offset),
    );
    await this.#begin(added);
    added.forEach((partition, index) => {
      const offset = given[index]?.offset;
      if (partition.phase.kind !== 'resolving') return;
      if (typeof offset === 'number') this.#goOnAt(partition, { offset, leaderEpoch: -1 }, false);
      else if (offset === undefined) this.#reset(partition, { reason: 'no committed offset', from: undefined });
      else this.#options.resolver.resolve(partition, offset);
    });
    this.#checkSettled();
  }

  async revoke(given: readonly TopicPartition[], deadline: Deadline): Promise<void> {
    const { ports, commit, isMember, settings } = this.#options;
    const leaving = this.#withdraw(given, 'the partition was revoked');
    await this.#drain(leaving, deadline);
    if (settings.autoCommit && isMember()) {
      try {
        await commit(leaving, deadline);
      } catch (error) {
        ports.logger.warn('what was done could not be committed before partitions were given back', {
          partitions: describePartitions(leaving),
          error,
        });
        this.#options.events.emit('commitFailed', { error: error as KrafkaError });
      }
    }
    // Membership may have ended while handlers were waited for: then the partitions were not given but taken.
    await this.#end(leaving, isMember() ? 'revoked' : 'lost');
  }

  async lose(given: readonly TopicPartition[]): Promise<void> {
    const lost = this.#withdraw(given, 'the partition was lost');
    for (const partition of lost) void this.#delivery?.remove(partition);
    await this.#end(lost, 'lost');
  }

  /** Stops handing out and tells handlers to end, before everything is given up. */
  retire(reason: Error): void {
    this.#ending.abort(reason);
    for (const partition of this.#partitions.values()) partition.retire(reason);
  }

  /** Goes on elsewhere; resolves when the position is known. */
  async seek(partition: AssignedPartition, target: number | OffsetSpec): Promise<void> {
    const { fetcher, resolver, validator } = this.#options;
    resolver.drop(partition);
    validator.drop(partition);
    this.#resets.delete(partition);
    this.#endHold(partition);
    if (typeof target === 'number') {
      partition.seek(target);
      this.#tellLocated(partition);
      fetcher.wake(partition);
      return;
    }
    partition.resolve(target);
    resolver.resolve(partition, target);
    let located = this.#located.get(partition);
    if (located === undefined) this.#located.set(partition, (located = new Deferred()));
    await located.promise;
  }

  /** Goes back in a partition that is handed out again after a while. A seek meanwhile has precedence. */
  nack(partition: AssignedPartition, from: Return, delayMs: number): void {
    const { offset, leaderEpoch, timeline, isReadAhead } = from;
    const { fetcher, ports } = this.#options;
    if (timeline !== partition.commits.timeline || !partition.owned || partition.phase.kind === 'resolving') return;
    partition.holdAt(offset, leaderEpoch, isReadAhead);
    this.#endHold(partition);
    const goOn = (): void => {
      this.#holds.delete(partition);
      partition.letGo();
      fetcher.wake(partition);
      this.#delivery?.ready(partition);
    };
    this.#holds.set(partition, ports.clock.setTimer(delayMs, goOn, true));
  }

  /** A record can't be read: the position stays with it, and the partition waits for a seek. */
  undecodable(partition: AssignedPartition, { offset, leaderEpoch, timeline }: Return, error: KrafkaError): void {
    if (timeline !== partition.commits.timeline || !partition.owned || partition.signal.aborted) return;
    partition.holdAt(offset, leaderEpoch, false);
    partition.letGo();
    this.failed(partition, error);
  }

  pause(partition: AssignedPartition): void {
    partition.pause();
  }

  resume(partition: AssignedPartition): void {
    partition.resume();
    this.#options.fetcher.wake(partition);
    this.#delivery?.ready(partition);
  }

  /** Records arrived for the partition. */
  dataArrived(partition: AssignedPartition): void {
    this.#delivery?.ready(partition);
  }

  /** The resolver found a position. */
  resolved(partition: AssignedPartition, resolved: ResolvedOffset): void {
    if (partition.phase.kind !== 'resolving') return;
    this.#goOnAt(partition, resolved, false);
  }

  /** The broker does not have the position. */
  outOfRange(partition: AssignedPartition, error: KrafkaError): void {
    if (this.#options.settings.offsetReset === 'none') {
      this.failed(
        partition,
        new KrafkaProtocolError(
          error.code,
          `the position ${partition.position} is out of range, offsetReset is 'none'`,
          {
            topic: partition.topic,
            partition: partition.partition,
            cause: error,
          },
        ),
      );
      return;
    }
    this.#reset(partition, { reason: 'out of range', from: partition.position });
  }

  /** The leader has changed: what was read is compared with its log. */
  newLeader(partition: AssignedPartition): void {
    this.#options.validator.validate(partition);
  }

  /** What was read is in the log. */
  valid(partition: AssignedPartition): void {
    partition.validated();
    this.#options.fetcher.wake(partition);
  }

  /** What was read last is not in the log any more (an unclean leader election): reading goes on where they part. */
  truncated(partition: AssignedPartition, { offset, leaderEpoch }: Truncation): void {
    const from = partition.position;
    if (this.#options.settings.offsetReset === 'none') {
      const where = offset === undefined ? 'at an unknown offset' : `at offset ${offset}`;
      this.failed(
        partition,
        new KrafkaProtocolError('LOG_TRUNCATED', `the log was cut off ${where}, before the position ${from}`, {
          topic: partition.topic,
          partition: partition.partition,
        }),
      );
      return;
    }
    if (offset === undefined) {
      this.#reset(partition, { reason: 'truncated', from });
      return;
    }
    this.#resets.set(partition, { reason: 'truncated', from });
    this.#goOnAt(partition, { offset, leaderEpoch }, false);
  }

  /** The partition can't be read on. Where nobody listens, neither can the consumer: it is never silent. */
  failed(partition: AssignedPartition, error: KrafkaError): void {
    if (!partition.owned) return;
    const { events, ports, onFatal } = this.#options;
    const { topic, partition: number } = partition;
    partition.fail(error);
    ports.logger.error('a partition cannot be read on', { topic, partition: number, error });
    this.#located.get(partition)?.reject(error);
    this.#located.delete(partition);
    if (!events.has('partitionFailed')) {
      onFatal(error);
      return;
    }
    events.emit('partitionFailed', { topic, partition: number, error });
    this.#checkSettled();
  }

  #create(topic: string, partition: number, spec: OffsetSpec | 'committed'): AssignedPartition {
    const { settings, onUncommitted } = this.#options;
    return new AssignedPartition(topic, partition, spec, settings, onUncommitted);
  }

  async #begin(added: readonly AssignedPartition[]): Promise<void> {
    const { settings, events, fetcher } = this.#options;
    for (const partition of added) this.#partitions.set(partition.key, partition);
    const named = added.map(({ topic, partition }) => ({ topic, partition }));
    if (named.length > 0) await settings.rebalanceListener.assigned?.(named);
    const kept = added.filter((partition) => this.#partitions.get(partition.key) === partition);
    fetcher.add(kept);
    for (const partition of kept) this.#delivery?.add(partition);
    this.#assignedOnce = true;
    events.emit('assigned', { partitions: named });
    this.#checkSettled();
  }

  /** Finds out where the group stands. Never rejects: it goes on until it knows, or nobody wants to know. */
  async #locate(added: readonly AssignedPartition[]): Promise<void> {
    const { committed, onFatal, ports } = this.#options;
    for (;;) {
      const waiting = added.filter(awaitsCommitted);
      if (waiting.length === 0 || this.#ending.signal.aborted) return;
      try {
        const kept = await committed(waiting, this.#ending.signal);
        for (const partition of waiting) if (awaitsCommitted(partition)) this.#goOnAsKept(partition, kept);
        return;
      } catch (error) {
        if (this.#ending.signal.aborted) return;
        if (!(error instanceof KrafkaError) || !error.retriable) {
          if (waiting.some(awaitsCommitted)) onFatal(error as KrafkaError);
          return;
        }
        ports.logger.warn('the committed offsets are not known yet, they are asked for again', { error });
      }
    }
  }

  #goOnAsKept(partition: AssignedPartition, kept: ReadonlyMap<string, KeptOffset>): void {
    const offset = kept.get(partition.key);
    if (offset !== undefined) this.#goOnAt(partition, offset, true);
    else this.#reset(partition, { reason: 'no committed offset', from: undefined });
  }

  #goOnAt(partition: AssignedPartition, { offset, leaderEpoch }: ResolvedOffset, committed: boolean): void {
    const { events, fetcher, validator } = this.#options;
    partition.begin(offset, leaderEpoch, committed);
    const reset = this.#resets.get(partition);
    if (reset !== undefined) {
      this.#resets.delete(partition);
      events.emit('reset', { topic: partition.topic, partition: partition.partition, to: offset, ...reset });
    }
    // Since the offset was committed there may have been another leader, with another log.
    if (committed && leaderEpoch >= 0 && leaderEpoch < partition.currentLeaderEpoch) {
      partition.validate();
      validator.validate(partition);
    }
    this.#tellLocated(partition);
    fetcher.wake(partition);
  }

  #reset(partition: AssignedPartition, reset: Reset): void {
    const { settings, ports, resolver } = this.#options;
    const { offsetReset } = settings;
    if (offsetReset === 'none') {
      this.failed(
        partition,
        new KrafkaProtocolError('NO_OFFSET', "the group has committed no offset, and offsetReset is 'none'", {
          topic: partition.topic,
          partition: partition.partition,
        }),
      );
      return;
    }
    const spec = specOf(offsetReset, ports.clock.now());
    ports.logger.info('a position is reset', {
      topic: partition.topic,
      partition: partition.partition,
      ...reset,
      to: typeof spec === 'string' ? spec : `timestamp ${spec.timestamp}`,
    });
    this.#resets.set(partition, reset);
    partition.resolve(spec);
    resolver.resolve(partition, spec);
  }

  /** Takes partitions out: nothing more of them is fetched or handed out. */
  #withdraw(given: readonly TopicPartition[], reason: string): AssignedPartition[] {
    const { fetcher, resolver, validator } = this.#options;
    const leaving: AssignedPartition[] = [];
    for (const { topic, partition } of given) {
      const assigned = this.get(topic, partition);
      if (assigned !== undefined) leaving.push(assigned);
    }
    const error = new KrafkaError(reason, { code: 'REVOKED' });
    fetcher.remove(leaving);
    for (const partition of leaving) {
      partition.retire(error);
      resolver.drop(partition);
      validator.drop(partition);
      this.#resets.delete(partition);
      this.#endHold(partition);
      this.#located.get(partition)?.reject(error);
      this.#located.delete(partition);
    }
    return leaving;
  }

  /** Waits for handlers to end, until the deadline. */
  async #drain(leaving: readonly AssignedPartition[], deadline: Deadline): Promise<void> {
    const delivery = this.#delivery;
    if (delivery === undefined) return;
    const busy = new Set(leaving);
    const drained = leaving.map(async (partition) => {
      await delivery.remove(partition);
      busy.delete(partition);
    });
    if (await within(deadline, this.#options.ports.clock, Promise.all(drained))) return;
    this.#abandoned.push(...busy);
    this.#options.ports.logger.warn('handlers had not ended when their partitions had to be given up', {
      partitions: describePartitions(busy),
      waitedMs: deadline.budgetMs,
    });
  }

  async #end(leaving: readonly AssignedPartition[], how: 'revoked' | 'lost'): Promise<void> {
    const { settings, events } = this.#options;
    const error = new KrafkaError(`the partition was ${how}`, { code: 'REVOKED' });
    for (const partition of leaving) {
      partition.release(error);
      if (this.#partitions.get(partition.key) === partition) this.#partitions.delete(partition.key);
    }
    if (leaving.length === 0) return;
    const named = leaving.map(({ topic, partition }) => ({ topic, partition }));
    await settings.rebalanceListener[how]?.(named);
    events.emit(how, { partitions: named });
    this.#checkSettled();
  }

  #endHold(partition: AssignedPartition): void {
    this.#holds.get(partition)?.cancel();
    this.#holds.delete(partition);
  }

  #tellLocated(partition: AssignedPartition): void {
    this.#located.get(partition)?.resolve();
    this.#located.delete(partition);
    this.#checkSettled();
  }

  #checkSettled(): void {
    if (!this.#assignedOnce) return;
    for (const { phase } of this.#partitions.values()) if (phase.kind === 'resolving') return;
    this.#settled.resolve();
  }
}

function specOf(reset: Exclude<OffsetReset, 'none'>, now: number): OffsetSpec {
  if (typeof reset === 'string') return reset;
  return reset.durationMs === undefined ? reset : { timestamp: Math.max(0, now - reset.durationMs) };
}

const awaitsCommitted = ({ owned, phase }: AssignedPartition): boolean =>
  owned && phase.kind === 'resolving' && phase.spec === 'committed';
