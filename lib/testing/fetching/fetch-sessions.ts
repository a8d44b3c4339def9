import type { ErrorName, Fetch, ReceivedRequestOf } from '../../core/protocol/index.js';
import type { Clock, Random } from '../../core/support/index.js';
import { FetchSession, asked, nextSessionEpoch, type FetchedPartition } from './fetch-session.js';

type Request = ReceivedRequestOf<typeof Fetch>;

/** How a fetch is to be answered: all of its partitions, or those of a session that have news, or an error. */
export type FetchContext =
  | { readonly kind: 'error'; readonly error: ErrorName }
  | { readonly kind: 'sessionless'; readonly partitions: readonly FetchedPartition[] }
  | { readonly kind: 'full'; readonly session: FetchSession; readonly partitions: readonly FetchedPartition[] }
  | { readonly kind: 'incremental'; readonly session: FetchSession; readonly partitions: readonly FetchedPartition[] };

const FIRST_EPOCH = 0;
const FINAL_EPOCH = -1;
const TOPIC_IDS_SINCE = 13;
/** Kafka's min.incremental.fetch.session.eviction.ms. */
const EVICTABLE_AFTER_MS = 120_000;

/** The fetch sessions of one node (KIP-227). */
export class FetchSessions {
  readonly #sessions = new Map<number, FetchSession>();
  readonly #slots: number;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(slots: number, ports: { readonly clock: Clock; readonly random: Random }) {
    this.#slots = slots;
    this.#clock = ports.clock;
    this.#random = ports.random;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** Forgets every session, as a restart or an overfull cache does. */
  clear(): void {
    this.#sessions.clear();
  }

  /** Finds out what kind of fetch this is, and takes its changes into its session. */
  open(request: Request, version: number, nameOf: (topicId: string) => string | undefined): FetchContext {
    const byId = version >= TOPIC_IDS_SINCE;
    if (request.sessionEpoch === FIRST_EPOCH || request.sessionEpoch === FINAL_EPOCH) {
      // A session that is named in a full fetch ends with it.
      this.#sessions.delete(request.sessionId);
      const session = request.sessionEpoch === FINAL_EPOCH ? undefined : this.#begin(byId);
      if (session === undefined) return { kind: 'sessionless', partitions: partitionsIn(request, byId, nameOf) };
      session.update(request, nameOf);
      return { kind: 'full', session, partitions: session.partitions };
    }
    const session = this.#sessions.get(request.sessionId);
    if (session === undefined) return { kind: 'error', error: 'FETCH_SESSION_ID_NOT_FOUND' };
    if (session.epoch !== request.sessionEpoch) return { kind: 'error', error: 'INVALID_FETCH_SESSION_EPOCH' };
    if (session.usesTopicIds !== byId) return { kind: 'error', error: 'FETCH_SESSION_TOPIC_ID_ERROR' };
    session.update(request, nameOf);
    if (session.size === 0) {
      this.#sessions.delete(session.id);
      return { kind: 'sessionless', partitions: [] };
    }
    session.epoch = nextSessionEpoch(session.epoch);
    session.lastUsed = this.#clock.monotonic();
    return { kind: 'incremental', session, partitions: session.partitions };
  }

  /** A new session, if there is room or one that may be evicted. */
  #begin(byId: boolean): FetchSession | undefined {
    const now = this.#clock.monotonic();
    if (this.#sessions.size >= this.#slots) {
      let oldest: FetchSession | undefined;
      for (const session of this.#sessions.values()) {
        if (oldest === undefined || session.lastUsed < oldest.lastUsed) oldest = session;
      }
      if (oldest === undefined || now - oldest.lastUsed < EVICTABLE_AFTER_MS) return undefined;
      this.#sessions.delete(oldest.id);
    }
    const session = new FetchSession(this.#newId(), byId, now);
    this.#sessions.set(session.id, session);
    return session;
  }

  #newId(): number {
    for (;;) {
      const id = this.#random.bytes(4).readUInt32BE(0) >>> 1;
      if (id !== 0 && !this.#sessions.has(id)) return id;
    }
  }
}

/** What a request names: of a partition that it names twice only the last, where the first was. */
function partitionsIn(
  { topics }: Request,
  byId: boolean,
  nameOf: (topicId: string) => string | undefined,
): readonly FetchedPartition[] {
  const partitions = new Map<string, FetchedPartition>();
  for (const topic of topics) {
    for (const wanted of topic.partitions) {
      const place = `${byId ? topic.topicId : topic.topic}/${wanted.partition}`;
      partitions.set(place, asked(topic, wanted, nameOf, byId));
    }
  }
  return [...partitions.values()];
}
