import {
  Deferred,
  KrafkaError,
  KrafkaProtocolError,
  type Ports,
  type Timer,
  type TypedEvents,
} from '../support/index.js';
import type { AssignedPartition, OffsetSpec } from './assigned-partition.js';
import type { ConsumerEvents } from './consumer-events.js';
import type { ConsumerSettings, OffsetReset } from './consumer-options.js';
import type { Return } from './delivery/delivery.js';
import type { Fetcher } from './fetch/fetcher.js';
import type { KeptOffset, KeptOffsets } from './offsets/committed-offsets.js';
import type { EpochValidator, Truncation } from './offsets/epoch-validator.js';
import type { OffsetResolver, ResolvedOffset } from './offsets/offset-resolver.js';
import type { TopicPartition } from './topic-partition.js';

/** The collaborators of {@link Positions}. */
export interface PositionsOptions {
  readonly settings: Pick<ConsumerSettings, 'offsetReset'>;
  readonly ports: Ports;
  readonly events: TypedEvents<ConsumerEvents>;
  readonly fetcher: Fetcher;
  readonly resolver: OffsetResolver;
  readonly validator: EpochValidator;
  /** What the group has committed of these partitions; only asked when there is a group. */
  readonly committed: (partitions: readonly TopicPartition[], signal: AbortSignal) => Promise<KeptOffsets>;
  readonly onFatal: (error: KrafkaError) => void;
  /** A partition may be handed out again. */
  readonly onReady: (partition: AssignedPartition) => void;
  /** A position is known, or nothing more is to be known of it. */
  readonly onSettled: () => void;
}

/** Why a position is being looked up, and from where it moves away. */
interface Reset {
  readonly reason: ConsumerEvents['reset']['reason'];
  readonly from: number | undefined;
}

/**
 * Where each assigned partition stands: finds the first position, moves it where the user or the broker says, and tells
 * when a partition can't be read on.
 */
export class Positions {
  readonly #options: PositionsOptions;
  readonly #resets = new Map<AssignedPartition, Reset>();
  /** What ends the standstill of partitions whose handlers asked for one. */
  readonly #holds = new Map<AssignedPartition, Timer>();
  /** Those who wait for a position to be known. */
  readonly #located = new Map<AssignedPartition, Deferred<void>>();
  readonly #ending = new AbortController();

  constructor(options: PositionsOptions) {
    this.#options = options;
  }

  /** Nothing more is asked for on behalf of partitions that wait. */
  end(reason: Error): void {
    this.#ending.abort(reason);
  }

  /** Begins where the user said: at an offset, an end, a time; without a word where `offsetReset` says. */
  begin(partition: AssignedPartition, offset: number | OffsetSpec | undefined): void {
    if (partition.phase.kind !== 'resolving') return;
    if (typeof offset === 'number') this.#goOnAt(partition, { offset, leaderEpoch: -1 }, false);
    else if (offset === undefined) this.#reset(partition, { reason: 'no committed offset', from: undefined });
    else this.#options.resolver.resolve(partition, offset);
  }

  /** The partition is given up: whoever waits for its position is told so. */
  drop(partition: AssignedPartition, error: KrafkaError): void {
    const { resolver, validator } = this.#options;
    resolver.drop(partition);
    validator.drop(partition);
    this.#resets.delete(partition);
    this.#endHold(partition);
    this.#located.get(partition)?.reject(error);
    this.#located.delete(partition);
  }

  /** Goes back to what is not done, for another way of consuming. */
  goBack(partition: AssignedPartition): void {
    this.#endHold(partition);
    this.#leaveReset(partition);
    partition.goBack();
    this.#options.fetcher.wake(partition);
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

  /**
   * Goes back in a partition that is handed out again after a while. A seek meanwhile has precedence, a reset has not: where
   * the log does not have the place any more, another reset tells what was left out from there on.
   */
  nack(partition: AssignedPartition, from: Return, delayMs: number): void {
    const { offset, leaderEpoch, timeline, isReadAhead } = from;
    const { fetcher, ports } = this.#options;
    if (!partition.commits.counts(timeline) || !partition.owned) return;
    this.#leaveReset(partition);
    if (partition.phase.kind === 'resolving') return;
    partition.holdAt(offset, leaderEpoch, isReadAhead);
    this.#endHold(partition);
    const goOn = (): void => {
      this.#holds.delete(partition);
      partition.letGo();
      fetcher.wake(partition);
      this.#options.onReady(partition);
    };
    this.#holds.set(partition, ports.clock.setTimer(delayMs, goOn, true));
  }

  /** A record can't be read: the position stays with it, and the partition waits for a seek. */
  undecodable(partition: AssignedPartition, { offset, leaderEpoch, timeline }: Return, error: KrafkaError): void {
    if (!partition.commits.counts(timeline) || !partition.owned || partition.signal.aborted) return;
    this.#leaveReset(partition);
    partition.holdAt(offset, leaderEpoch, false);
    partition.letGo();
    this.failed(partition, error);
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
    this.#options.onSettled();
  }

  /** Finds out where the group stands. Never rejects: it goes on until it knows, or nobody wants to know. */
  async locate(added: readonly AssignedPartition[]): Promise<void> {
    const { committed, onFatal, ports } = this.#options;
    for (;;) {
      const waiting = added.filter(awaitsCommitted);
      if (waiting.length === 0 || this.#ending.signal.aborted) return;
      try {
        const { kept, refused } = await committed(waiting, this.#ending.signal);
        for (const partition of waiting) {
          if (!awaitsCommitted(partition)) continue;
          const error = refused.get(partition.key);
          if (error === undefined) this.#goOnAsKept(partition, kept);
          else this.failed(partition, error);
        }
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
    const reset = this.#resets.get(partition);
    if (reset?.from === undefined) partition.begin(offset, leaderEpoch, committed);
    else partition.moveOn(offset, leaderEpoch);
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

  /** Whoever goes back to what was handed out leaves a reset that has not come to its end: reading there asks anew. */
  #leaveReset(partition: AssignedPartition): void {
    if (this.#resets.get(partition)?.from === undefined) return;
    this.#resets.delete(partition);
    this.#options.resolver.drop(partition);
    partition.unresolve();
    this.#options.onSettled();
  }

  #endHold(partition: AssignedPartition): void {
    this.#holds.get(partition)?.cancel();
    this.#holds.delete(partition);
  }

  #tellLocated(partition: AssignedPartition): void {
    this.#located.get(partition)?.resolve();
    this.#located.delete(partition);
    this.#options.onSettled();
  }
}

function specOf(reset: Exclude<OffsetReset, 'none'>, now: number): OffsetSpec {
  if (typeof reset === 'string') return reset;
  return reset.durationMs === undefined ? reset : { timestamp: Math.max(0, now - reset.durationMs) };
}

const awaitsCommitted = ({ owned, phase }: AssignedPartition): boolean =>
  owned && phase.kind === 'resolving' && phase.spec === 'committed';
