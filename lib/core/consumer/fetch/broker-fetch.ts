import type { BrokerConnection } from '../../network/index.js';
import { Fetch, protocolError, type ResponseOf } from '../../protocol/index.js';
import { backoffMs, Deadline, Deferred, sleep, type Backoff, type Ports, type Timer } from '../../support/index.js';
import type { AssignedPartition } from '../assigned-partition.js';
import type { ConsumerSettings } from '../consumer-options.js';
import type { FetchCounters } from './fetch-counters.js';
import type { FetchAnswer } from './fetch-size.js';
import { FetchSession, type FetchPlan, type SentPartition } from './fetch-session.js';

/** One partition's part of a Fetch response. */
export type FetchedData = ResponseOf<typeof Fetch>['responses'][number]['partitions'][number];
/** Where brokers are that a Fetch response speaks of (KIP-951). */
export type NodeEndpoints = ResponseOf<typeof Fetch>['nodeEndpoints'];

export type FetchSettings = Pick<
  ConsumerSettings,
  'fetchMinBytes' | 'fetchMaxBytes' | 'fetchMaxWaitMs' | 'isolationLevel' | 'rack' | 'requestTimeoutMs'
>;

export interface BrokerFetchOptions {
  readonly nodeId: number;
  readonly settings: FetchSettings;
  readonly ports: Ports;
  readonly counters: FetchCounters;
  /** The connection to the broker that is for fetching only: the broker holds a fetch, and all behind it wait. */
  readonly ready: () => BrokerConnection | undefined;
  /** Makes that connection, or waits until it is there again. */
  readonly connect: (deadline: Deadline, signal: AbortSignal) => Promise<BrokerConnection>;
  /**
   * Ends that connection, with the fetch that the broker holds on it: for a partition that is to be read at once. Undefined
   * where partitions come in numbers, and may wait until the fetch is answered.
   */
  readonly interrupt: ((connection: BrokerConnection) => void) | undefined;
  /** Takes what came for one partition; answers whether records have. */
  readonly take: (sent: SentPartition<AssignedPartition>, data: FetchedData, endpoints: NodeEndpoints) => boolean;
  /** Hands out what was taken of the partition, as far as it is handled at once. */
  readonly deliver: (partition: AssignedPartition) => void;
  /** What became of a fetch, before anything of it is handed out. */
  readonly answered: (answer: FetchAnswer) => void;
  /** The broker can't be reached or refuses to answer: what is known of these partitions may be wrong. */
  readonly failed: (partitions: readonly AssignedPartition[], error: unknown, failures: number) => void;
}

/** How a partition stands with its broker. */
interface Place {
  /** When its buffer was found full; undefined while it is not. */
  fullSince: number | undefined;
  retryAt: number;
  /** What its buffer had handed out when that last changed, and when that was. */
  batches: number;
  movedAt: number;
}

const READ_COMMITTED = 1;
/** The session is gone or out of step, and everything else is in order: the next fetch names all, at once. */
const SESSION_LOST: ReadonlySet<string> = new Set(['FETCH_SESSION_ID_NOT_FOUND', 'INVALID_FETCH_SESSION_EPOCH']);
const STANDSTILL_MS = 1_000;
/** How long an answer may still take before it is given up for a partition that it will not be about. */
const MOMENT_MS = 5;
const BACKOFF: Backoff = { baseMs: 100, capMs: 1_000 };

/**
 * Fetches from one broker: one request at a time, for every partition there that wants records. What it asks for is
 * bounded: a partition whose buffer is full is left out until it has drained, and when none is left there is no fetch.
 *
 *     parked ──wake──► connecting ──► fetching ──► answered ─┐
 *       ▲                   ▲            │ failed: wait       │
 *       └─ nothing wanted ──┴────────────┴───────────────────┘
 */
export class BrokerFetch {
  readonly nodeId: number;
  readonly #options: BrokerFetchOptions;
  readonly #places = new Map<AssignedPartition, Place>();
  readonly #session = new FetchSession<AssignedPartition>();
  readonly #stopping = new AbortController();
  #parked: Deferred<void> | undefined;
  #retry: { readonly at: number; readonly timer: Timer } | undefined;
  #running = false;
  /** Partitions that no fetch has named yet. */
  readonly #unasked = new Set<AssignedPartition>();
  /** Until the fetch that is held is given up for them, unless it is answered before. */
  #haste: Timer | undefined;
  /** Whether this fetch was given up. */
  #interrupted = false;
  /** Partitions of which records have come that are not handed out yet. */
  #arrived: AssignedPartition[] = [];
  #connection: BrokerConnection | undefined;

  constructor(options: BrokerFetchOptions) {
    this.nodeId = options.nodeId;
    this.#options = options;
  }

  add(partition: AssignedPartition): void {
    this.#places.set(partition, { fullSince: undefined, retryAt: 0, batches: 0, movedAt: 0 });
    this.#unasked.add(partition);
    this.wake();
  }

  remove(partition: AssignedPartition): void {
    this.#places.delete(partition);
    this.#unasked.delete(partition);
  }

  /** Leaves a partition out for a while. */
  backOff(partition: AssignedPartition, delayMs: number): void {
    const place = this.#places.get(partition);
    if (place !== undefined) place.retryAt = this.#options.ports.clock.monotonic() + delayMs;
  }

  /** Something is wanted that was not wanted before. */
  wake(): void {
    if (!this.#running) {
      this.#running = true;
      void this.#run();
    }
    this.#parked?.resolve();
    this.#parked = undefined;
    if (this.#unasked.size > 0) this.#hasten();
  }

  /**
   * A partition that is read for the first time does not wait for an answer that waits for records of others. Where they
   * flow, it comes in a moment.
   */
  #hasten(): void {
    const { interrupt, ports } = this.#options;
    const connection = this.#connection;
    if (interrupt === undefined || connection === undefined || this.#haste !== undefined) return;
    if (![...this.#unasked].some(({ fetchable }) => fetchable)) return;
    const giveUp = (): void => {
      this.#interrupted = true;
      interrupt(connection);
    };
    this.#haste = ports.clock.setTimer(MOMENT_MS, giveUp, false);
  }

  /** The fetch was answered, or never will be. */
  #landed(): void {
    this.#connection = undefined;
    this.#haste?.cancel();
    this.#haste = undefined;
  }

  /** Ends fetching. Answers what is left to be said to the broker, and whether it is holding a fetch meanwhile. */
  stop(): { readonly plan: FetchPlan | undefined; readonly idle: boolean } {
    const idle = this.#connection === undefined;
    this.#stopping.abort();
    this.#retry?.timer.cancel();
    this.#haste?.cancel();
    this.#parked?.resolve();
    return { plan: this.#session.close(), idle };
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    let failures = 0;
    // Partitions that come together are fetched together.
    await Promise.resolve();
    while (!signal.aborted) {
      if (!this.#anythingWanted()) {
        if (this.#deliver()) continue;
        this.#parked = new Deferred();
        await this.#parked.promise;
        continue;
      }
      try {
        await this.#fetch();
        failures = 0;
      } catch (error) {
        this.#deliver();
        if (signal.aborted) return;
        this.#session.failed();
        if (this.#interrupted) continue;
        this.#options.counters.sessionResets++;
        this.#options.failed([...this.#places.keys()], error, ++failures);
        const delayMs = backoffMs(BACKOFF, failures, this.#options.ports.random);
        await sleep(this.#options.ports.clock, delayMs, signal).catch(() => undefined);
      }
    }
  }

  async #fetch(): Promise<void> {
    this.#interrupted = false;
    const { settings, counters, ready, connect, ports } = this.#options;
    const deadline = new Deadline(ports.clock, settings.requestTimeoutMs, 'requestTimeoutMs');
    let connection = ready();
    if (connection === undefined) {
      this.#deliver();
      connection = await connect(deadline, this.#stopping.signal);
    }
    const now = ports.clock.monotonic();
    const wanted: AssignedPartition[] = [];
    const maxWaitMs = this.#choose(now, wanted);
    if (wanted.length === 0 || this.#stopping.signal.aborted) return;
    const plan = this.#session.plan(wanted);
    for (const partition of wanted) this.#unasked.delete(partition);
    counters.fetches++;
    counters.fetchedEntries += plan.entries;
    if (!plan.full) counters.incrementalFetches++;
    this.#connection = connection;
    const bytesBefore = connection.stats().bytesSent;
    let response: ResponseOf<typeof Fetch>;
    try {
      const answer = connection.sendRequest(Fetch, fetchRequest(plan, settings, maxWaitMs), {
        timeoutMs: maxWaitMs + settings.requestTimeoutMs,
        ...(plan.byTopicId ? {} : { maxVersion: 12 }),
      });
      this.#deliver();
      response = await answer;
    } finally {
      this.#landed();
      // Nothing else is sent on this connection.
      counters.requestBytes += connection.stats().bytesSent - bytesBefore;
    }
    if (this.#stopping.signal.aborted) return;
    if (!this.#session.settle(response)) {
      const error = protocolError(response.errorCode, { api: 'Fetch', address: connection.address });
      // A full fetch has no session to be wrong about: whatever was refused will be refused again.
      if (plan.full || !SESSION_LOST.has(error.code)) throw error;
      counters.sessionResets++;
      return;
    }
    const starved = this.#isStarved();
    let full = false;
    for (const topic of response.responses) {
      for (const data of topic.partitions) {
        const sent = this.#session.find(topic.topic, topic.topicId, data.partitionIndex);
        if (sent === undefined || !this.#options.take(sent, data, response.nodeEndpoints)) continue;
        this.#arrived.push(sent.partition);
        full ||= (data.records?.length ?? 0) * 2 >= sent.partition.partitionMaxBytes;
      }
    }
    // Where there is more to come the broker is asked for it first, and gets it ready while this is being handled. What is
    // little comes from a log that has just grown: nothing keeps that from its handler.
    if (!full) this.#deliver();
    this.#options.answered({ full, tookMs: ports.clock.monotonic() - now, starved });
  }

  /** Hands out what has come; whether anything had. */
  #deliver(): boolean {
    const arrived = this.#arrived;
    if (arrived.length === 0) return false;
    this.#arrived = [];
    for (const partition of arrived) this.#options.deliver(partition);
    return true;
  }

  /** Whether the handlers have nothing left of what came from this broker before. */
  #isStarved(): boolean {
    for (const { fetchable, buffer } of this.#places.keys()) if (fetchable && !buffer.isEmpty) return false;
    return true;
  }

  #anythingWanted(): boolean {
    const now = this.#options.ports.clock.monotonic();
    let earliest = Infinity;
    for (const [partition, place] of this.#places) {
      if (!partition.fetchable) continue;
      if (place.retryAt > now) earliest = Math.min(earliest, place.retryAt);
      else if (!partition.isFull) return true;
    }
    if (earliest < Infinity) this.#wakeAt(earliest, now);
    return false;
  }

  /**
   * Gathers the partitions to be fetched now; answers how long the broker may hold the fetch.
   *
   * A partition that is left out because it is full may drain while the broker holds a fetch of others, idle ones
   * perhaps, and would then starve until that is answered. So the fetch is held no longer than the partition filled
   * last has been full: whoever drains fast waits little, and whoever is stuck soon costs no more than a usual fetch.
   */
  #choose(now: number, wanted: AssignedPartition[]): number {
    let maxWaitMs = this.#options.settings.fetchMaxWaitMs;
    for (const [partition, place] of this.#places) {
      if (!partition.fetchable) continue;
      letGoOfFrames(partition, place, now);
      if (partition.isFull) {
        place.fullSince ??= now;
        maxWaitMs = Math.min(maxWaitMs, Math.max(1, Math.ceil(now - place.fullSince)));
        continue;
      }
      place.fullSince = undefined;
      if (place.retryAt > now) maxWaitMs = Math.min(maxWaitMs, Math.ceil(place.retryAt - now));
      else wanted.push(partition);
    }
    return maxWaitMs;
  }

  #wakeAt(at: number, now: number): void {
    if (this.#retry !== undefined && this.#retry.at <= at) return;
    this.#retry?.timer.cancel();
    const timer = this.#options.ports.clock.setTimer(
      at - now,
      () => {
        this.#retry = undefined;
        this.wake();
      },
      false,
    );
    this.#retry = { at, timer };
  }
}

/** A partition that nobody reads for a while must not keep the frames alive that it shares with those that flow. */
function letGoOfFrames({ buffer }: AssignedPartition, place: Place, now: number): void {
  if (buffer.batches !== place.batches || buffer.isEmpty) {
    place.batches = buffer.batches;
    place.movedAt = now;
  } else if (now - place.movedAt > STANDSTILL_MS) {
    buffer.detach();
  }
}

/** A Fetch as a consumer sends it; the one that closes a session differs in nothing but what the plan says. */
export function fetchRequest(plan: FetchPlan, settings: FetchSettings, maxWaitMs: number) {
  return {
    maxWaitMs,
    minBytes: settings.fetchMinBytes,
    maxBytes: settings.fetchMaxBytes,
    isolationLevel: settings.isolationLevel === 'read_committed' ? READ_COMMITTED : 0,
    sessionId: plan.sessionId,
    sessionEpoch: plan.sessionEpoch,
    topics: plan.topics,
    forgottenTopicsData: plan.forgottenTopicsData,
    rackId: settings.rack,
  };
}
