import type { BrokerConnection } from '../network/index.js';
import {
  ERROR_CODES,
  errorName,
  protocolError,
  ShareAcknowledge,
  ShareFetch,
  type ResponseOf,
} from '../protocol/index.js';
import {
  backoffMs,
  Deadline,
  Deferred,
  KrafkaConnectionError,
  KrafkaError,
  KrafkaProtocolError,
  KrafkaUnsupportedFeatureError,
  sleep,
  type Backoff,
  type Ports,
  type Timer,
} from '../support/index.js';
import { AcknowledgementOutbox, type AcknowledgeFailure } from './acknowledgement-outbox.js';
import { AcquiredRecords, checkRanges, type TakenRecords } from './acquired-records.js';
import type { Custody, CustodyKeeper } from './custody.js';
import { Holdings } from './holdings.js';
import type { InFlightLimit } from './in-flight-limit.js';
import { countOf, type Parcel } from './pending-acknowledgements.js';
import { Renewals } from './renewals.js';
import type { OffsetRange } from './share-consumer-events.js';
import type { ShareConsumerSettings } from './share-consumer-options.js';
import type { ShareCounters } from './share-consumer-stats.js';
import { forgottenTopics, FINAL_EPOCH, ShareSession } from './share-session.js';
import type { SharePartition } from './share-partition.js';
import type { ShareRecord } from './share-record.js';
import { acknowledgeOutcomes, fetchOutcomes, topicsOf } from './share-requests.js';

type FetchedPartition = ResponseOf<typeof ShareFetch>['responses'][number]['partitions'][number];
/** What a broker says of a partition's leader, and where brokers are (KIP-951). */
export type LeaderHint = Pick<FetchedPartition, 'currentLeader'> & {
  readonly endpoints: ResponseOf<typeof ShareFetch>['nodeEndpoints'];
};

/** What a {@link ShareLeader} tells. */
export interface ShareLeaderListener {
  onAcquired(leader: ShareLeader, records: AcquiredRecords): void;
  onAcknowledged(parcel: Parcel): void;
  onAcknowledgeFailed(failure: AcknowledgeFailure): void;
  onLockExpired(partition: SharePartition, ranges: readonly OffsetRange[], handedOut: boolean): void;
  onUnreadable(partition: SharePartition, ranges: readonly OffsetRange[], error: KrafkaError): void;
  onSessionLost(nodeId: number, records: number, error: KrafkaError): void;
  /** The broker refuses one partition: answers for how long it is to be left out, in milliseconds. */
  onRefused(partition: SharePartition, errorCode: number, detail: string | null, hint: LeaderHint): number;
  /** The broker can't be reached, or refuses everything. */
  onFailed(nodeId: number, partitions: readonly SharePartition[], error: unknown, failures: number): void;
}

export interface ShareLeaderOptions {
  readonly nodeId: number;
  readonly groupId: string;
  readonly memberId: string;
  readonly settings: ShareConsumerSettings;
  readonly ports: Ports;
  readonly counters: ShareCounters;
  readonly limit: InFlightLimit;
  /** How many records this leader may give us at once. */
  readonly share: () => number;
  /** Whether anybody is there to take records. */
  readonly wanted: () => boolean;
  /** The connection to the broker that is for sharing only: it holds fetches, and its end ends the session. */
  readonly connect: (deadline: Deadline, signal: AbortSignal) => Promise<BrokerConnection>;
  readonly listener: ShareLeaderListener;
}

type Step = 'fetch' | 'acknowledge' | 'renew' | 'leave';

const BACKOFF: Backoff = { baseMs: 100, capMs: 1_000 };
const ACQUIRE_MODE = { batch_optimized: 0, record_limit: 1 } as const;
/** The first version of ShareFetch and ShareAcknowledge that renews, and that limits records strictly. */
const RENEWING_SINCE = 2;
/** How much longer than it was told to a broker may hold a fetch, in milliseconds. */
const HELD_FETCH_MS = 100;
/** How much of its lock a record's verdict leaves at least on its way to the broker. */
const LOCK_LEFT_TO_TELL = 1 / 10;
const NOT_FOUND = 'SHARE_SESSION_NOT_FOUND';
/** The session is out of step, and everything else is in order: it is opened anew, at once. */
const SESSION_LOST: ReadonlySet<string> = new Set([NOT_FOUND, 'INVALID_SHARE_SESSION_EPOCH']);

/**
 * Shares records with one broker, over one connection, one request at a time: the broker counts requests (see
 * {@link ShareSession}), and forgets the session with the connection. Verdicts go along with the next fetch; when there
 * is none, because enough is held or nobody reads, they travel alone.
 *
 *     parked ──wake──► renew | fetch | acknowledge | leave ──► answered ─┐
 *       ▲                             │ failed: the session is lost, wait │
 *       └──── nothing to say ─────────┴───────────────────────────────────┘
 *
 * Where a connection ends, nobody knows what the broker has noticed. So the first word on the next one is a goodbye to
 * the old session, with the verdicts that were still to be told: then nothing is ours, and the broker knows it, too.
 */
export class ShareLeader implements CustodyKeeper {
  readonly nodeId: number;
  readonly #options: ShareLeaderOptions;
  readonly #partitions = new Map<SharePartition, { retryAt: number }>();
  readonly #session = new ShareSession();
  readonly #outbox: AcknowledgementOutbox;
  readonly #renewals = new Renewals();
  readonly #holdings: Holdings;
  readonly #stopping = new AbortController();
  /** The connection that the session was opened on. */
  #connection: BrokerConnection | undefined;
  /** Why a goodbye to a session is owed that was lost, and that the broker may still have. */
  #owed: KrafkaError | undefined;
  #owedAt = 0;
  /** Whether the fetch that opens a session is under way: the broker may give us records by it already. */
  #opening = false;
  #parked: Deferred<void> | undefined;
  #loop: Promise<void> | undefined;
  #wakeUp: { readonly at: number; readonly timer: Timer } | undefined;

  constructor(options: ShareLeaderOptions) {
    const { counters, limit, listener, nodeId, ports, settings } = options;
    this.nodeId = nodeId;
    this.#options = options;
    this.#outbox = new AcknowledgementOutbox({
      clock: ports.clock,
      counters,
      onAcknowledged: (parcel) => listener.onAcknowledged(parcel),
      onFailed: (failure) => listener.onAcknowledgeFailed(failure),
    });
    this.#holdings = new Holdings({
      ports,
      limit,
      renewLocks: settings.renewLocks,
      onExpired: (partition, ranges, handedOut) => {
        for (const { firstOffset, lastOffset } of ranges) counters.lockTimeouts += lastOffset - firstOffset + 1;
        listener.onLockExpired(partition, ranges, handedOut);
      },
      onRenewalDue: (custody) => void this.#renewByItself(custody),
      onSwept: () => this.wake(),
    });
  }

  /** Records held on which no verdict was said. */
  get held(): number {
    return this.#holdings.count;
  }

  /** Of those, records not handed out. */
  get buffered(): number {
    return this.#holdings.buffered;
  }

  get bufferedBytes(): number {
    return this.#holdings.bufferedBytes;
  }

  /** How long a lock lasts, as the broker told last; undefined before. */
  get lockTimeoutMs(): number | undefined {
    return this.#holdings.lockMs || undefined;
  }

  /** Whether there is nothing between this broker and us. */
  get isIdle(): boolean {
    const { isOpen } = this.#session;
    return (
      this.#partitions.size === 0 && !isOpen && this.#owed === undefined && this.held === 0 && this.#outbox.isEmpty
    );
  }

  get partitionCount(): number {
    return this.#partitions.size;
  }

  add(partition: SharePartition): void {
    this.#partitions.set(partition, { retryAt: 0 });
    this.wake();
  }

  /** Reads nothing more of the partition. What was acquired of it stays ours. */
  remove(partition: SharePartition): void {
    this.#partitions.delete(partition);
    this.wake();
  }

  /** There may be something to say that was not before. */
  wake(): void {
    if (this.#stopping.signal.aborted) return;
    this.#loop ??= this.#run();
    this.#parked?.resolve();
    this.#parked = undefined;
  }

  /** Decodes the next batch of what was acquired; undefined when there is none left in it. */
  take(records: AcquiredRecords): readonly ShareRecord[] | Promise<readonly ShareRecord[]> | undefined {
    const taken = this.#holdings.take(records);
    if (taken === undefined) return undefined;
    return taken instanceof Promise
      ? taken.then((decoded) => this.#taken(records, decoded))
      : this.#taken(records, taken);
  }

  handOut(custody: Custody): void {
    this.#holdings.handOut(custody);
  }

  acknowledge(custody: Custody, verdict: 'accept' | 'release' | 'reject'): void {
    this.#holdings.letGo(custody);
    this.#renewals.drop(custody);
    const { lockedUntil, offset, partition } = custody;
    this.#outbox.say(partition, { firstOffset: offset, lastOffset: offset, type: verdict }, lockedUntil);
    this.wake();
  }

  renew(custody: Custody): Promise<void> {
    const connection = this.#connection;
    const version = connection?.usable === true ? connection.versionOf(ShareAcknowledge) : 0;
    if (connection !== undefined && version < RENEWING_SINCE && version > 0) {
      const needed = `renewing a lock needs version ${RENEWING_SINCE} of ShareAcknowledge (KIP-1222, Kafka 4.2)`;
      const { address } = connection;
      const feature = 'share.renew.acknowledge.enable';
      return Promise.reject(
        new KrafkaUnsupportedFeatureError({ feature, needed, offered: `version ${version}`, address }),
      );
    }
    const renewed = this.#renewals.add(custody);
    this.wake();
    return renewed;
  }

  /** Tells every verdict said so far, and answers with those that the broker did not take. */
  flush(): Promise<readonly AcknowledgeFailure[]> {
    const flushed = this.#outbox.flush();
    this.wake();
    return flushed;
  }

  /**
   * Ends sharing: what was handed out without a verdict is released, everything that was said is told, and the session is
   * closed, whereby the broker takes back the rest. Answers with verdicts that the broker did not take.
   */
  async close(deadline: Deadline): Promise<readonly AcknowledgeFailure[]> {
    const failures = this.#outbox.collect();
    this.#stopping.abort();
    this.#parked?.resolve();
    this.#wakeUp?.timer.cancel();
    this.#holdings.stop();
    const { clock } = this.#options.ports;
    const late = new Deferred<'late'>();
    const timer = clock.setTimer(deadline.remainingMs, () => late.resolve('late'));
    const ended = await Promise.race([this.#loop, late.promise]);
    timer.cancel();
    if (ended === 'late') this.#lose(deadline.error(`the answer of broker ${this.nodeId} to a share fetch`));
    for (const custody of this.#holdings.handedOut()) this.acknowledge(custody, 'release');
    if (ended !== 'late' && (this.#session.isOpen || this.#owed !== undefined)) {
      try {
        await this.#leave(await this.#options.connect(deadline, new AbortController().signal), deadline);
      } catch (error) {
        this.#lose(error);
      }
    }
    const error = this.#owed ?? new KrafkaProtocolError(NOT_FOUND, 'the share session is closed');
    this.#outbox.failAll(error);
    this.#renewals.failAll(error);
    this.#holdings.forget();
    return failures;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    const { ports, listener } = this.#options;
    let failures = 0;
    while (!signal.aborted) {
      const step = this.#next();
      if (step === undefined) {
        this.#parked = new Deferred();
        await this.#parked.promise;
        continue;
      }
      try {
        await this.#take(step);
        failures = 0;
      } catch (error) {
        const hadSession = this.#lose(error);
        if (signal.aborted) return;
        if (hadSession && error instanceof KrafkaError && SESSION_LOST.has(error.code)) continue;
        if (this.#partitions.size === 0) this.#giveUp();
        listener.onFailed(this.nodeId, [...this.#partitions.keys()], error, ++failures);
        await sleep(ports.clock, backoffMs(BACKOFF, failures, ports.random), signal).catch(() => undefined);
      }
    }
  }

  /** What is to be said next; undefined when there is nothing, or not yet. */
  #next(): Step | undefined {
    const { ports, settings } = this.#options;
    const now = ports.clock.monotonic();
    if (this.#owed !== undefined) {
      if (now >= this.#owedAt) return 'leave';
      this.#wakeAt(this.#owedAt, now);
      return undefined;
    }
    if (this.#renewals.isWaiting) return 'renew';
    const readable = this.#readable(now);
    const mayFetch = readable.length > 0 && this.#options.wanted() && this.held <= this.#options.share() / 2;
    if (mayFetch && this.#fetchTakesAll(readable)) return 'fetch';
    let wakeAt = Infinity;
    if (!this.#outbox.isEmpty) {
      const { locksEnd, waitsSince } = this.#outbox;
      wakeAt = Math.min(
        waitsSince + settings.acknowledgeIntervalMs,
        locksEnd - this.#holdings.lockMs * LOCK_LEFT_TO_TELL,
      );
      if (mayFetch || this.#outbox.isHurried || now >= wakeAt) return 'acknowledge';
    } else if (this.#partitions.size === 0 && this.#session.isOpen && this.held === 0) {
      return 'leave';
    }
    for (const { retryAt } of this.#partitions.values()) if (retryAt > now) wakeAt = Math.min(wakeAt, retryAt);
    if (wakeAt < Infinity) this.#wakeAt(wakeAt, now);
    return undefined;
  }

  #readable(now: number): SharePartition[] {
    const readable: SharePartition[] = [];
    for (const [partition, { retryAt }] of this.#partitions) if (retryAt <= now) readable.push(partition);
    return readable;
  }

  /**
   * Whether a fetch of these partitions can take all verdicts along: it names nothing else. Whoever waits for verdicts to
   * be taken must not wait for the broker to hold the fetch, too.
   */
  #fetchTakesAll(readable: readonly SharePartition[]): boolean {
    if (this.#outbox.isEmpty) return true;
    if (this.#outbox.isHurried) return false;
    for (const partition of this.#outbox.partitions) {
      if (!this.#session.has(partition) || !readable.includes(partition)) return false;
    }
    return true;
  }

  async #take(step: Step): Promise<void> {
    const { connect, ports, settings } = this.#options;
    const deadline = new Deadline(ports.clock, settings.requestTimeoutMs, 'requestTimeoutMs');
    const connection = await connect(deadline, this.#stopping.signal);
    if (this.#stopping.signal.aborted) return;
    if (this.#session.isOpen && connection !== this.#connection) {
      this.#lose(new KrafkaConnectionError(connection.address, 'the connection of the share session has ended'));
      return;
    }
    if (step === 'fetch') await this.#fetch(connection);
    else if (step === 'leave') await this.#leave(connection, deadline);
    else if (step === 'renew') await this.#renew(connection);
    else await this.#acknowledge(connection);
  }

  async #fetch(connection: BrokerConnection): Promise<void> {
    const { counters, groupId, memberId, ports, settings } = this.#options;
    const maxRecords = Math.max(1, this.#options.share() - this.held);
    this.#assertAcquireMode(connection);
    this.#holdings.growLimit();
    const plan = this.#session.plan(this.#readable(ports.clock.monotonic()));
    const parcels = plan.full ? [] : this.#outbox.take();
    counters.fetches++;
    this.#opening = plan.full;
    const response = await connection.sendRequest(
      ShareFetch,
      {
        groupId,
        memberId,
        shareSessionEpoch: plan.epoch,
        maxWaitMs: settings.fetchMaxWaitMs,
        minBytes: settings.fetchMinBytes,
        maxBytes: settings.fetchMaxBytes,
        maxRecords,
        batchSize: maxRecords,
        shareAcquireMode: ACQUIRE_MODE[settings.acquireMode],
        topics: topicsOf(parcels, plan.added),
        forgottenTopicsData: forgottenTopics(plan.forgotten),
      },
      { timeoutMs: settings.fetchMaxWaitMs + settings.requestTimeoutMs },
    );
    this.#opening = false;
    this.#heed(response, connection, 'ShareFetch');
    this.#connection = connection;
    this.#holdings.lockMs = response.acquisitionLockTimeoutMs;
    this.#outbox.settle(fetchOutcomes(response, this.#nameOf), 'ShareFetch');
    for (const { topicId, partitions } of response.responses) {
      for (const data of partitions) {
        const partition = this.#session.find(topicId, data.partitionIndex);
        if (partition !== undefined) this.#acquired(partition, data, response.nodeEndpoints);
      }
    }
  }

  #acquired(partition: SharePartition, data: FetchedPartition, endpoints: LeaderHint['endpoints']): void {
    const { counters, listener, ports, settings } = this.#options;
    if (data.errorCode !== ERROR_CODES.NONE) {
      const hint = { currentLeader: data.currentLeader, endpoints };
      const delayMs = listener.onRefused(partition, data.errorCode, data.errorMessage, hint);
      const place = this.#partitions.get(partition);
      if (place !== undefined) place.retryAt = ports.clock.monotonic() + delayMs;
      return;
    }
    if (data.acquiredRecords.length === 0 || this.#stopping.signal.aborted) return;
    checkRanges(data.acquiredRecords, partition);
    const bytes = data.records ?? Buffer.alloc(0);
    const { maxDecompressedBytes } = settings;
    const records = new AcquiredRecords({
      partition,
      bytes,
      ranges: data.acquiredRecords,
      lockedUntil: this.#holdings.lockEnd,
      keeper: this,
      decoding: { maxDecompressedBytes },
    });
    counters.receivedBytes += bytes.length;
    counters.acquired += records.count;
    this.#holdings.add(records);
    listener.onAcquired(this, records);
  }

  /** Tells verdicts without fetching. */
  async #acknowledge(connection: BrokerConnection): Promise<void> {
    const response = await this.#tell(connection, this.#outbox.take(), { shareSessionEpoch: this.#session.epoch });
    this.#heed(response, connection, 'ShareAcknowledge');
    this.#outbox.settle(acknowledgeOutcomes(response, this.#nameOf), 'ShareAcknowledge');
  }

  async #renew(connection: BrokerConnection): Promise<void> {
    const parcels = this.#renewals.take();
    const response = await this.#tell(connection, parcels, {
      shareSessionEpoch: this.#session.epoch,
      isRenewAck: true,
    });
    this.#heed(response, connection, 'ShareAcknowledge');
    this.#holdings.lockMs = response.acquisitionLockTimeoutMs;
    const outcomes = acknowledgeOutcomes(response, this.#nameOf);
    const renewed = this.#renewals.settle(outcomes);
    this.#options.counters.renewed += renewed.length;
    this.#holdings.renewed(renewed.filter(({ state }) => state === 'acquired'));
  }

  /** Closes the session, with all that is left to be said. One that the broker has not any more is closed, too. */
  async #leave(connection: BrokerConnection, deadline: Deadline): Promise<void> {
    const response = await this.#tell(connection, this.#outbox.take(), { shareSessionEpoch: FINAL_EPOCH }, deadline);
    const { address } = connection;
    if (errorName(response.errorCode) === NOT_FOUND) {
      this.#outbox.failInTransit(this.#owed ?? protocolError(response.errorCode, { api: 'ShareAcknowledge', address }));
    } else {
      this.#heed(response, connection, 'ShareAcknowledge');
      this.#outbox.settle(acknowledgeOutcomes(response, this.#nameOf), 'ShareAcknowledge');
    }
    this.#session.reset();
    this.#connection = undefined;
    this.#owed = undefined;
  }

  async #tell(
    connection: BrokerConnection,
    parcels: readonly Parcel[],
    fields: { readonly shareSessionEpoch: number; readonly isRenewAck?: boolean },
    deadline?: Deadline,
  ): Promise<ResponseOf<typeof ShareAcknowledge>> {
    const { counters, groupId, memberId, settings } = this.#options;
    counters.acknowledges++;
    return connection.sendRequest(
      ShareAcknowledge,
      { groupId, memberId, ...fields, topics: topicsOf(parcels) },
      { timeoutMs: settings.requestTimeoutMs, ...(deadline && { deadline }) },
    );
  }

  /** Whether the broker has taken a request: otherwise an error is thrown. */
  #heed(
    { errorCode, errorMessage }: { readonly errorCode: number; readonly errorMessage: string | null },
    { address }: BrokerConnection,
    api: string,
  ): void {
    if (errorCode !== ERROR_CODES.NONE) {
      throw protocolError(errorCode, { api, address, ...(errorMessage !== null && { detail: errorMessage }) });
    }
    this.#session.advance();
  }

  /**
   * Nothing that this broker gave us is ours any more: what was read ahead is dropped, and a goodbye is owed unless the
   * broker has said itself that it knows the session no more. Answers whether there was one.
   */
  #lose(cause: unknown): boolean {
    const { counters, listener, ports, settings } = this.#options;
    const error = asKrafkaError(cause, this.nodeId);
    const hadSession = this.#session.isOpen;
    this.#session.reset();
    this.#connection = undefined;
    const gone = error.code === NOT_FOUND;
    if (gone) this.#outbox.failAll(error);
    else this.#outbox.failInTransit(error);
    this.#renewals.failAll(error);
    const held = this.#holdings.forget();
    const mayHave = hadSession || this.#opening;
    this.#opening = false;
    if (!mayHave) return false;
    this.#owed = gone ? undefined : error;
    // A fetch that the broker still holds for the lost connection acquires for us what the goodbye gives back, and nobody
    // would ever get the answer: the goodbye comes when that fetch is over.
    this.#owedAt =
      ports.clock.monotonic() + (SESSION_LOST.has(error.code) ? 0 : settings.fetchMaxWaitMs + HELD_FETCH_MS);
    if (!hadSession) return false;
    counters.lost += held;
    counters.sessionResets++;
    listener.onSessionLost(this.nodeId, held, error);
    return true;
  }

  /** Nothing is read from this broker any more, and it does not answer: it is not waited for. */
  #giveUp(): void {
    if (this.#owed === undefined) return;
    this.#outbox.failAll(this.#owed);
    this.#owed = undefined;
  }

  #taken({ lockedUntil, partition }: AcquiredRecords, taken: TakenRecords): readonly ShareRecord[] {
    for (const verdict of taken.verdicts) this.#outbox.say(partition, verdict, lockedUntil);
    if (taken.error !== undefined) {
      const released = taken.verdicts.filter(({ type }) => type === 'release');
      this.#options.counters.unreadable += countOf(released);
      const ranges = released.map(({ firstOffset, lastOffset }) => ({ firstOffset, lastOffset }));
      this.#options.listener.onUnreadable(partition, ranges, taken.error);
    }
    this.wake();
    return taken.records;
  }

  /** Renews a lock because the options say so: once refused it is left to expire, which is told. */
  async #renewByItself(custody: Custody): Promise<void> {
    try {
      await this.renew(custody);
    } catch (error) {
      custody.renewable = false;
      const { topic, partition } = custody.partition;
      const { offset } = custody;
      this.#options.ports.logger.warn('a lock could not be renewed', { topic, partition, offset, error });
    }
  }

  readonly #nameOf = (topicId: string): string => this.#session.nameOf(topicId) ?? topicId;

  #assertAcquireMode(connection: BrokerConnection): void {
    if (this.#options.settings.acquireMode !== 'record_limit') return;
    const version = connection.versionOf(ShareFetch);
    if (version >= RENEWING_SINCE) return;
    throw new KrafkaUnsupportedFeatureError({
      feature: 'share.acquire.mode',
      needed: `acquireMode 'record_limit' needs version ${RENEWING_SINCE} of ShareFetch (KIP-1206, Kafka 4.2)`,
      offered: `version ${version}`,
      address: connection.address,
    });
  }

  #wakeAt(at: number, now: number): void {
    if (this.#wakeUp !== undefined && this.#wakeUp.at <= at) return;
    this.#wakeUp?.timer.cancel();
    const fire = (): void => {
      this.#wakeUp = undefined;
      this.wake();
    };
    this.#wakeUp = { at, timer: this.#options.ports.clock.setTimer(Math.max(0, at - now), fire) };
  }
}

const asKrafkaError = (cause: unknown, nodeId: number): KrafkaError =>
  cause instanceof KrafkaError
    ? cause
    : new KrafkaError(`sharing with broker ${nodeId} failed: ${String(cause)}`, { code: 'SHARE_FAILED', cause });
