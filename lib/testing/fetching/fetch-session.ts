import type { ErrorName, Fetch, ReceivedRequestOf } from '../../core/protocol/index.js';

type Request = ReceivedRequestOf<typeof Fetch>;
type RequestedPartition = Request['topics'][number]['partitions'][number];

/** A partition that a fetch asks for, with what its asker was last told of it. */
export interface FetchedPartition {
  /** By name; undefined when only an id was given that no topic has (yet). */
  topic: string | undefined;
  readonly topicId: string;
  readonly partition: number;
  currentLeaderEpoch: number;
  fetchOffset: number;
  lastFetchedEpoch: number;
  maxBytes: number;
  toldHighWatermark: number;
  toldLogStart: number;
}

/** What a partition's part of an answer must show for a session to know whether it is news. */
export interface FetchedAnswer {
  readonly errorCode: number;
  readonly highWatermark: number;
  readonly logStartOffset: number;
  readonly bytes: number;
  readonly diverging: boolean;
}

/** A partition as a request names it, with the topic's name looked up by `nameOf` where it gives an id. */
export function asked(
  topic: Request['topics'][number],
  wanted: RequestedPartition,
  nameOf: (topicId: string) => string | undefined,
  byId: boolean,
): FetchedPartition {
  return {
    topic: byId ? nameOf(topic.topicId) : topic.topic,
    topicId: topic.topicId,
    partition: wanted.partition,
    // Whatever is negative names no epoch here.
    currentLeaderEpoch: Math.max(-1, wanted.currentLeaderEpoch),
    fetchOffset: wanted.fetchOffset,
    lastFetchedEpoch: wanted.lastFetchedEpoch,
    maxBytes: wanted.partitionMaxBytes,
    toldHighWatermark: -1,
    toldLogStart: -1,
  };
}

const LARGEST_EPOCH = 2_147_483_647;

/** The epoch after `epoch`: 0 means a new session, so it is left out when the count goes round. */
export const nextSessionEpoch = (epoch: number): number => (epoch === LARGEST_EPOCH ? 1 : epoch + 1);

/** An incremental fetch session (KIP-227): the partitions that a consumer fetches, and what it was told of each. */
export class FetchSession {
  /** The epoch that its next request must bear. */
  epoch = 1;
  lastUsed: number;
  // In the order in which they are read: those that had records go to the end.
  readonly #partitions = new Map<string, FetchedPartition>();

  constructor(
    readonly id: number,
    /** From Fetch v13 on partitions are known by topic id; a session keeps to one way. */
    readonly usesTopicIds: boolean,
    now: number,
  ) {
    this.lastUsed = now;
  }

  get size(): number {
    return this.#partitions.size;
  }

  get partitions(): readonly FetchedPartition[] {
    return [...this.#partitions.values()];
  }

  /** Takes a request's changes: partitions added or altered, and those to forget. */
  update(request: Request, nameOf: (topicId: string) => string | undefined): void {
    for (const topic of request.topics) {
      for (const wanted of topic.partitions) this.#put(asked(topic, wanted, nameOf, this.usesTopicIds));
    }
    for (const topic of request.forgottenTopicsData) {
      for (const partition of topic.partitions) {
        this.#partitions.delete(this.#key(topic.topic, topic.topicId, partition));
      }
    }
    // A topic that was not known yet may be by now.
    for (const cached of this.#partitions.values()) cached.topic ??= nameOf(cached.topicId);
  }

  /** Whether an answer tells the asker anything new of a partition; what is told is remembered. */
  isNews(cached: FetchedPartition, answer: FetchedAnswer): boolean {
    let news = answer.bytes > 0 || answer.diverging;
    if (cached.toldHighWatermark !== answer.highWatermark) news = true;
    if (cached.toldLogStart !== answer.logStartOffset) news = true;
    cached.toldHighWatermark = answer.highWatermark;
    cached.toldLogStart = answer.logStartOffset;
    // The end of an error is news as well: with it the high watermark was said to be -1.
    if (answer.errorCode !== 0) news = true;
    if (answer.bytes > 0) {
      const key = this.#key(cached.topic ?? '', cached.topicId, cached.partition);
      if (this.#partitions.delete(key)) this.#partitions.set(key, cached);
    }
    return news;
  }

  #put(wanted: FetchedPartition): void {
    const key = this.#key(wanted.topic ?? '', wanted.topicId, wanted.partition);
    const cached = this.#partitions.get(key);
    if (cached === undefined) {
      this.#partitions.set(key, wanted);
      return;
    }
    cached.currentLeaderEpoch = wanted.currentLeaderEpoch;
    cached.fetchOffset = wanted.fetchOffset;
    cached.lastFetchedEpoch = wanted.lastFetchedEpoch;
    cached.maxBytes = wanted.maxBytes;
  }

  #key(topic: string, topicId: string, partition: number): string {
    return `${this.usesTopicIds ? topicId : topic}/${partition}`;
  }
}

/** The errors that concern a whole session rather than a partition. */
export const SESSION_ERRORS: ReadonlySet<ErrorName> = new Set([
  'FETCH_SESSION_ID_NOT_FOUND',
  'INVALID_FETCH_SESSION_EPOCH',
  'FETCH_SESSION_TOPIC_ID_ERROR',
]);
