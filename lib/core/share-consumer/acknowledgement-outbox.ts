import { KrafkaProtocolError, Deferred, type Clock, type KrafkaError } from '../support/index.js';
import type { AcknowledgedRange } from './acknowledge-type.js';
import { countOf, PendingAcknowledgements, type Parcel } from './pending-acknowledgements.js';
import type { ShareCounters } from './share-consumer-stats.js';
import { keyOf, type SharePartition } from './share-partition.js';

/** Verdicts that a broker did not take, or may not have. */
export interface AcknowledgeFailure {
  readonly topic: string;
  readonly partition: number;
  readonly ranges: readonly AcknowledgedRange[];
  readonly error: KrafkaError;
}

/** What came of each partition that a request spoke of, by {@link keyOf}: undefined for those in order. */
export type Outcomes = ReadonlyMap<string, KrafkaError | undefined>;

/** What came of one of them; what the answer says nothing of was not taken. */
export function outcomeFor(
  outcomes: Outcomes,
  { topicId, topic, partition }: SharePartition,
  api: string,
): KrafkaError | undefined {
  const key = keyOf(topicId, partition);
  if (outcomes.has(key)) return outcomes.get(key);
  const problem = 'the answer says nothing of the acknowledgements sent';
  return new KrafkaProtocolError('UNKNOWN_SERVER_ERROR', problem, { api, topic, partition });
}

export interface AcknowledgementOutboxOptions {
  readonly clock: Clock;
  readonly counters: ShareCounters;
  readonly onAcknowledged: (parcel: Parcel) => void;
  readonly onFailed: (failure: AcknowledgeFailure) => void;
}

interface Flush {
  readonly done: Deferred<readonly AcknowledgeFailure[]>;
  readonly failures: AcknowledgeFailure[];
  /** The number of the last verdict it waits for. */
  readonly upTo: number;
}

/**
 * The verdicts on one leader's records on their way: waiting to be told, in transit with the one request that is under
 * way, answered. Every one of them ends as acknowledged or as failed; none is forgotten.
 */
export class AcknowledgementOutbox {
  readonly #options: AcknowledgementOutboxOptions;
  readonly #pending = new PendingAcknowledgements();
  #inTransit: readonly Parcel[] = [];
  #flushes: Flush[] = [];
  /** How many verdicts were said, sent and answered so far. */
  #said = 0;
  #sent = 0;
  #answered = 0;
  #since = 0;
  #locksEnd = Infinity;

  constructor(options: AcknowledgementOutboxOptions) {
    this.#options = options;
  }

  /** Whether nothing waits to be told. */
  get isEmpty(): boolean {
    return this.#pending.isEmpty;
  }

  /** Since when the first of them waits. */
  get waitsSince(): number {
    return this.#since;
  }

  /** When the first lock expires of the records of what waits: it must have been told by then. */
  get locksEnd(): number {
    return this.#locksEnd;
  }

  /** Whether somebody waits for them to be taken. */
  get isHurried(): boolean {
    return this.#flushes.length > 0;
  }

  /** The partitions of what waits. */
  get partitions(): Iterable<SharePartition> {
    return this.#pending.partitions;
  }

  say(partition: SharePartition, { firstOffset, lastOffset, type }: AcknowledgedRange, lockedUntil: number): void {
    if (this.#pending.isEmpty) this.#since = this.#options.clock.monotonic();
    this.#locksEnd = Math.min(this.#locksEnd, lockedUntil);
    this.#pending.add(partition, firstOffset, lastOffset, type);
    this.#said++;
  }

  /** Takes all that waits for the request about to be sent. */
  take(): readonly Parcel[] {
    this.#inTransit = this.#pending.take();
    this.#locksEnd = Infinity;
    this.#sent = this.#said;
    return this.#inTransit;
  }

  /** The request was answered. */
  settle(outcomes: Outcomes, api: string): void {
    const parcels = this.#inTransit;
    this.#inTransit = [];
    for (const parcel of parcels) {
      const error = outcomeFor(outcomes, parcel.partition, api);
      if (error === undefined) this.#acknowledged(parcel);
      else this.#failed(parcel, error);
    }
    this.#answer(this.#sent);
  }

  /** The request was not answered, or refused altogether: nobody knows whether it was heeded. */
  failInTransit(error: KrafkaError): void {
    const parcels = this.#inTransit;
    this.#inTransit = [];
    for (const parcel of parcels) this.#failed(parcel, error);
    this.#answer(this.#sent);
  }

  /** Nothing of all that can be told any more. */
  failAll(error: KrafkaError): void {
    this.failInTransit(error);
    this.take();
    this.failInTransit(error);
  }

  /** Resolves when every verdict said so far is answered, with those that failed. */
  flush(): Promise<readonly AcknowledgeFailure[]> {
    if (this.#answered === this.#said) return Promise.resolve([]);
    const done = new Deferred<readonly AcknowledgeFailure[]>();
    this.#flushes.push({ done, failures: [], upTo: this.#said });
    return done.promise;
  }

  /** Gathers whatever fails from now on. */
  collect(): readonly AcknowledgeFailure[] {
    const failures: AcknowledgeFailure[] = [];
    this.#flushes.push({ done: new Deferred(), failures, upTo: Infinity });
    return failures;
  }

  #acknowledged(parcel: Parcel): void {
    const { counters, onAcknowledged } = this.#options;
    for (const { firstOffset, lastOffset, type } of parcel.ranges) {
      const count = lastOffset - firstOffset + 1;
      if (type === 'accept') counters.accepted += count;
      else if (type === 'release') counters.released += count;
      else if (type === 'reject') counters.rejected += count;
      else if (type === 'gap') counters.gaps += count;
    }
    onAcknowledged(parcel);
  }

  #failed({ partition: { topic, partition }, ranges }: Parcel, error: KrafkaError): void {
    const failure: AcknowledgeFailure = { topic, partition, ranges, error };
    this.#options.counters.failedAcknowledgements += countOf(ranges);
    for (const flush of this.#flushes) flush.failures.push(failure);
    this.#options.onFailed(failure);
  }

  #answer(upTo: number): void {
    this.#answered = upTo;
    const done = this.#flushes.filter((flush) => flush.upTo <= upTo);
    if (done.length === 0) return;
    this.#flushes = this.#flushes.filter((flush) => flush.upTo > upTo);
    for (const { done: deferred, failures } of done) deferred.resolve(failures);
  }
}
