import { Deferred, KrafkaError, type Deadline } from '../support/index.js';
import { AssignedPartition, type OffsetSpec } from './assigned-partition.js';
import type { ConsumerSettings, ManualAssignment, RebalanceListener } from './consumer-options.js';
import type { Delivery } from './delivery/delivery.js';
import type { PartitionOwner } from './group/group-member.js';
import { Positions, type PositionsOptions } from './positions.js';
import { describePartitions, keyOf, type TopicPartition } from './topic-partition.js';
import { within } from './within.js';

/** The collaborators of an {@link Assignment}. */
export interface AssignmentOptions extends Omit<PositionsOptions, 'settings' | 'onReady' | 'onSettled'> {
  readonly settings: Pick<
    ConsumerSettings,
    'offsetReset' | 'maxDecompressedBytes' | 'rebalanceListener' | 'autoCommit'
  >;
  /** Commits what is done of these partitions. */
  readonly commit: (partitions: readonly AssignedPartition[], deadline: Deadline) => Promise<void>;
  /** Something is done that is not committed. */
  readonly onUncommitted: () => void;
  /** Whether what is owned is still this consumer's to give back; false when its membership was lost meanwhile. */
  readonly isMember: () => boolean;
}

/** So much of the time for giving partitions back is left to the commit of what is done, whether handlers end or not. */
const COMMIT_REST = 1 / 6;
const COMMIT_MOST_MS = 5_000;

/**
 * The partitions this consumer reads, and the one who gives and takes them: whoever owns a partition has its position
 * found, has it fetched and handed out, and before it goes has its handlers end and their work committed.
 */
export class Assignment implements PartitionOwner {
  /** Where the partitions stand. */
  readonly positions: Positions;
  readonly #options: AssignmentOptions;
  readonly #partitions = new Map<string, AssignedPartition>();
  /** Settled when there was an assignment and each position in it is known. */
  #settled = new Deferred<void>();
  #assignedOnce = false;
  #delivery: Delivery | undefined;
  /** Partitions that nothing more is handed out of, until no handler of theirs is under way. */
  readonly #ending = new Map<AssignedPartition, Promise<void>>();
  #listening: keyof RebalanceListener | undefined;
  /** Everything is given up, for good: nothing is taken any more. */
  #retired = false;

  constructor(options: AssignmentOptions) {
    this.#options = options;
    this.positions = new Positions({
      ...options,
      onReady: (partition) => this.#delivery?.ready(partition),
      onSettled: () => this.#checkSettled(),
    });
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

  /** Partitions that nothing more is handed out of, though handlers of theirs have not ended: given up already or not. */
  get ending(): readonly TopicPartition[] {
    return [...this.#ending.keys()];
  }

  /** What of the rebalance listener is under way. */
  get listening(): keyof RebalanceListener | undefined {
    return this.#listening;
  }

  get(topic: string, partition: number): AssignedPartition | undefined {
    return this.#partitions.get(keyOf(topic, partition));
  }

  /** Hands records to whoever consumes from now on: what is not done is handed out again. */
  attach(delivery: Delivery | undefined): void {
    if (this.#delivery !== undefined) {
      for (const partition of this.#partitions.values()) this.positions.goBack(partition);
    }
    this.#delivery = delivery;
    for (const partition of this.#partitions.values()) delivery?.add(partition);
  }

  /** Takes partitions that a group gave; their positions are what the group has committed. */
  async assign(given: readonly TopicPartition[]): Promise<void> {
    if (this.#retired) return;
    const added = given.map(({ topic, partition }) => this.#create(topic, partition, 'committed'));
    await this.#begin(added);
    void this.positions.locate(added);
  }

  /** Takes partitions that the user named. */
  async assignManually(given: readonly ManualAssignment[]): Promise<void> {
    if (this.#retired) return;
    const added = given.map(({ topic, partition, offset }) =>
      this.#create(topic, partition, offset === undefined || typeof offset === 'number' ? 'committed' : offset),
    );
    await this.#begin(added);
    added.forEach((partition, index) => this.positions.begin(partition, given[index]?.offset));
    this.#checkSettled();
  }

  async revoke(given: readonly TopicPartition[], deadline: Deadline): Promise<void> {
    await this.#giveBack(given, [], deadline);
  }

  /** Gives everything back, for good: handlers of what was given up or lost before are waited for as well. */
  async giveUp(deadline: Deadline): Promise<void> {
    await this.#giveBack(this.owned, [...this.#ending.keys()], deadline);
  }

  async lose(given: readonly TopicPartition[]): Promise<void> {
    const lost = this.#withdraw(given, 'the partition was lost');
    for (const partition of lost) void this.#endHandling(partition);
    await this.#end(lost, 'lost');
  }

  /** Stops handing out and tells handlers to end, before everything is given up. */
  retire(reason: Error): void {
    this.#retired = true;
    this.positions.end(reason);
    for (const partition of this.#partitions.values()) partition.retire(reason);
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

  #create(topic: string, partition: number, spec: OffsetSpec | 'committed'): AssignedPartition {
    const { settings, onUncommitted } = this.#options;
    return new AssignedPartition(topic, partition, spec, settings, onUncommitted);
  }

  async #begin(added: readonly AssignedPartition[]): Promise<void> {
    const { events, fetcher } = this.#options;
    for (const partition of added) this.#partitions.set(partition.key, partition);
    const named = added.map(({ topic, partition }) => ({ topic, partition }));
    if (named.length > 0) await this.#tell('assigned', named);
    const kept = added.filter((partition) => this.#partitions.get(partition.key) === partition);
    fetcher.add(kept);
    for (const partition of kept) this.#delivery?.add(partition);
    this.#assignedOnce = true;
    events.emit('assigned', { partitions: named });
    this.#checkSettled();
  }

  /** Takes partitions out: nothing more of them is fetched or handed out. */
  #withdraw(given: readonly TopicPartition[], reason: string): AssignedPartition[] {
    const { fetcher } = this.#options;
    const leaving: AssignedPartition[] = [];
    for (const { topic, partition } of given) {
      const assigned = this.get(topic, partition);
      if (assigned !== undefined) leaving.push(assigned);
    }
    const error = new KrafkaError(reason, { code: 'REVOKED' });
    fetcher.remove(leaving);
    for (const partition of leaving) {
      partition.retire(error);
      this.positions.drop(partition, error);
    }
    return leaving;
  }

  async #giveBack(
    given: readonly TopicPartition[],
    before: readonly AssignedPartition[],
    deadline: Deadline,
  ): Promise<void> {
    const { ports, commit, isMember, settings } = this.#options;
    const leaving = this.#withdraw(given, 'the partition was revoked');
    await this.#drain(new Set([...before, ...leaving]), deadline.sooner(COMMIT_REST, COMMIT_MOST_MS));
    const owned = leaving.filter((partition) => partition.owned);
    if (settings.autoCommit && isMember() && owned.length > 0) {
      try {
        await commit(owned, deadline);
      } catch (error) {
        ports.logger.warn('what was done could not be committed before partitions were given back', {
          partitions: describePartitions(owned),
          error,
        });
        this.#options.events.emit('commitFailed', { error: error as KrafkaError });
      }
    }
    // Membership may have ended while handlers were waited for: then the partitions were not given but taken.
    await this.#end(leaving, isMember() ? 'revoked' : 'lost');
  }

  /** Hands out nothing more of a partition; resolves when no handler of it is under way. */
  #endHandling(partition: AssignedPartition): Promise<void> {
    let ended = this.#ending.get(partition);
    if (ended === undefined) {
      const removed = this.#delivery?.remove(partition) ?? Promise.resolve();
      ended = removed.then(() => void this.#ending.delete(partition));
      this.#ending.set(partition, ended);
    }
    return ended;
  }

  /** Waits for handlers to end, until the deadline. */
  async #drain(leaving: ReadonlySet<AssignedPartition>, deadline: Deadline): Promise<void> {
    const { clock, logger } = this.#options.ports;
    const waitedMs = Math.round(deadline.remainingMs);
    const ended = Promise.all(Array.from(leaving, (partition) => this.#endHandling(partition)));
    if (await within(deadline, clock, ended)) return;
    const busy = [...leaving].filter((partition) => this.#ending.has(partition));
    logger.warn('handlers had not ended when their partitions had to be given up', {
      partitions: describePartitions(busy),
      waitedMs,
    });
  }

  async #end(leaving: readonly AssignedPartition[], how: 'revoked' | 'lost'): Promise<void> {
    const { events } = this.#options;
    const error = new KrafkaError(`the partition was ${how}`, { code: 'REVOKED' });
    // Whoever closes takes over from a rebalance that is under way, and has told of these already.
    const gone = leaving.filter((partition) => this.#partitions.get(partition.key) === partition);
    for (const partition of gone) {
      partition.release(error);
      this.#partitions.delete(partition.key);
    }
    if (gone.length === 0) return;
    const named = gone.map(({ topic, partition }) => ({ topic, partition }));
    await this.#tell(how, named);
    events.emit(how, { partitions: named });
    this.#checkSettled();
  }

  async #tell(what: keyof RebalanceListener, named: readonly TopicPartition[]): Promise<void> {
    this.#listening = what;
    try {
      await this.#options.settings.rebalanceListener[what]?.(named);
    } finally {
      if (this.#listening === what) this.#listening = undefined;
    }
  }

  #checkSettled(): void {
    if (!this.#assignedOnce) return;
    for (const { phase } of this.#partitions.values()) if (phase.kind === 'resolving') return;
    this.#settled.resolve();
  }
}
