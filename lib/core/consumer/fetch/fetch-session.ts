import { ERROR_CODES, ZERO_UUID } from '../../protocol/index.js';

/** What a fetch wants of one partition: every field of it that goes over the wire and may change. */
export interface FetchedPartition {
  readonly topic: string;
  /** All zeros while it is not known. */
  readonly topicId: string;
  readonly partition: number;
  /** Fences the fetch against a leader that is behind or ahead of us (KIP-320); -1 when not known. */
  readonly currentLeaderEpoch: number;
  readonly fetchOffset: number;
  readonly partitionMaxBytes: number;
}

/** The parts of a Fetch request that the session decides. */
export interface FetchPlan {
  readonly sessionId: number;
  readonly sessionEpoch: number;
  readonly topics: readonly PlannedTopic[];
  readonly forgottenTopicsData: readonly ForgottenTopic[];
  /** False when a topic's id is not known: then version 12, the last that names topics, is the highest to be used. */
  readonly byTopicId: boolean;
  /** Everything is named; otherwise only what changed. */
  readonly full: boolean;
  /** Partition entries named in `topics`. */
  readonly entries: number;
}

export interface PlannedTopic {
  readonly topic: string;
  readonly topicId: string;
  readonly partitions: {
    readonly partition: number;
    readonly currentLeaderEpoch: number;
    readonly fetchOffset: number;
    readonly partitionMaxBytes: number;
  }[];
}

export interface ForgottenTopic {
  readonly topic: string;
  readonly topicId: string;
  readonly partitions: number[];
}

/** What the broker was last told of a partition: the record a response is read against. */
export class SentPartition<P extends FetchedPartition> {
  partition: P;
  currentLeaderEpoch: number;
  fetchOffset: number;
  partitionMaxBytes: number;
  round: number;

  constructor(partition: P, round: number) {
    this.partition = partition;
    this.currentLeaderEpoch = partition.currentLeaderEpoch;
    this.fetchOffset = partition.fetchOffset;
    this.partitionMaxBytes = partition.partitionMaxBytes;
    this.round = round;
  }
}

interface SentTopic<P extends FetchedPartition> {
  readonly topic: string;
  readonly topicId: string;
  readonly partitions: Map<number, SentPartition<P>>;
}

const INITIAL_EPOCH = 0;
const FINAL_EPOCH = -1;
const LAST_EPOCH = 2_147_483_647;

/** The epoch of a session's next fetch: it counts up, and from the last one goes back to 1, as 0 opens a session. */
export const epochAfter = (epoch: number): number => (epoch === LAST_EPOCH ? 1 : epoch + 1);

/**
 * The client's half of an incremental fetch session with one broker (KIP-227): knows what the broker was told, and so
 * what is left to tell it. Pure: requests are planned here and answers settled here, the socket is somebody else's.
 *
 * Hot: `plan` walks all partitions for every fetch; guarded by `npm run bench -- consume`.
 */
export class FetchSession<P extends FetchedPartition = FetchedPartition> {
  #id = 0;
  #epoch = INITIAL_EPOCH;
  #byTopicId = true;
  /** Keyed by topic id from Fetch version 13 on and by name before, so a re-created topic is another topic. */
  #topics = new Map<string, SentTopic<P>>();
  #size = 0;
  #round = 0;

  /** The broker's number for the session; 0 while it has granted none. */
  get id(): number {
    return this.#id;
  }

  /** Partitions the broker was told of and not told to forget. */
  get size(): number {
    return this.#size;
  }

  /** Plans the next fetch: everything where the session begins, otherwise what differs from what was last told. */
  plan(wanted: readonly P[]): FetchPlan {
    const byTopicId = wanted.every((partition) => partition.topicId !== ZERO_UUID);
    if (byTopicId !== this.#byTopicId) {
      // A session speaks names or ids; the broker refuses one that changes its mind, so it is opened anew.
      this.#byTopicId = byTopicId;
      this.#epoch = INITIAL_EPOCH;
    }
    const full = this.#epoch === INITIAL_EPOCH;
    if (full) {
      this.#topics = new Map();
      this.#size = 0;
    }
    const round = ++this.#round;
    const topics = new Map<string, PlannedTopic>();
    let entries = 0;
    for (const partition of wanted) {
      if (this.#noteChange(partition, round)) {
        entries++;
        this.#name(topics, partition);
      }
    }
    return {
      sessionId: this.#id,
      sessionEpoch: this.#epoch,
      topics: [...topics.values()],
      forgottenTopicsData: this.#size > wanted.length ? this.#forgetOthers(round) : [],
      byTopicId,
      full,
      entries,
    };
  }

  /** The partition an answer speaks of; undefined when it is not of this session. */
  find(topic: string, topicId: string, partition: number): SentPartition<P> | undefined {
    return this.#topics.get(this.#byTopicId ? topicId : topic)?.partitions.get(partition);
  }

  /**
   * Takes note of the head of an answer. False when the session is lost: the answer holds nothing, and the next plan
   * names everything.
   */
  settle(answer: { readonly errorCode: number; readonly sessionId: number }): boolean {
    if (answer.errorCode !== ERROR_CODES.NONE) {
      // Any other error leaves the session alive at the broker: the id goes along so that it is closed there.
      if (answer.errorCode === ERROR_CODES.FETCH_SESSION_ID_NOT_FOUND) this.#id = 0;
      this.#epoch = INITIAL_EPOCH;
      return false;
    }
    if (answer.sessionId === 0) {
      // The broker keeps no session for us (its cache is full, or it closed this one): name everything each time.
      this.#id = 0;
      this.#epoch = INITIAL_EPOCH;
    } else if (this.#epoch === INITIAL_EPOCH) {
      this.#id = answer.sessionId;
      this.#epoch = 1;
    } else {
      this.#epoch = epochAfter(this.#epoch);
    }
    return true;
  }

  /** Whether the fetch had an answer is not known: the broker may be one epoch ahead, so the session begins anew. */
  failed(): void {
    this.#epoch = INITIAL_EPOCH;
  }

  /** Plans the fetch that closes the session at the broker; undefined when there is none to close. */
  close(): FetchPlan | undefined {
    const sessionId = this.#id;
    this.#id = 0;
    this.#epoch = INITIAL_EPOCH;
    this.#topics = new Map();
    this.#size = 0;
    if (sessionId === 0) return undefined;
    return {
      sessionId,
      sessionEpoch: FINAL_EPOCH,
      topics: [],
      forgottenTopicsData: [],
      byTopicId: this.#byTopicId,
      full: true,
      entries: 0,
    };
  }

  /** Notes that a partition is wanted this round; true when the broker must be told of it. */
  #noteChange(partition: P, round: number): boolean {
    const key = this.#byTopicId ? partition.topicId : partition.topic;
    let topic = this.#topics.get(key);
    if (topic === undefined) {
      topic = { topic: partition.topic, topicId: partition.topicId, partitions: new Map() };
      this.#topics.set(key, topic);
    }
    const sent = topic.partitions.get(partition.partition);
    if (sent === undefined) {
      topic.partitions.set(partition.partition, new SentPartition(partition, round));
      this.#size++;
      return true;
    }
    sent.round = round;
    sent.partition = partition;
    if (
      sent.fetchOffset === partition.fetchOffset &&
      sent.currentLeaderEpoch === partition.currentLeaderEpoch &&
      sent.partitionMaxBytes === partition.partitionMaxBytes
    ) {
      return false;
    }
    sent.fetchOffset = partition.fetchOffset;
    sent.currentLeaderEpoch = partition.currentLeaderEpoch;
    sent.partitionMaxBytes = partition.partitionMaxBytes;
    return true;
  }

  #name(topics: Map<string, PlannedTopic>, wanted: P): void {
    const key = this.#byTopicId ? wanted.topicId : wanted.topic;
    let planned = topics.get(key);
    if (planned === undefined) {
      planned = { topic: wanted.topic, topicId: wanted.topicId, partitions: [] };
      topics.set(key, planned);
    }
    const { partition, currentLeaderEpoch, fetchOffset, partitionMaxBytes } = wanted;
    planned.partitions.push({ partition, currentLeaderEpoch, fetchOffset, partitionMaxBytes });
  }

  #forgetOthers(round: number): ForgottenTopic[] {
    const forgotten: ForgottenTopic[] = [];
    for (const [key, { topic, topicId, partitions }] of this.#topics) {
      const gone: number[] = [];
      for (const [partition, sent] of partitions) {
        if (sent.round !== round) gone.push(partition);
      }
      if (gone.length === 0) continue;
      for (const partition of gone) partitions.delete(partition);
      this.#size -= gone.length;
      if (partitions.size === 0) this.#topics.delete(key);
      forgotten.push({ topic, topicId, partitions: gone });
    }
    return forgotten;
  }
}
