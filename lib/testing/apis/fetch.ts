import { ERROR_CODES, Fetch, errorName, type AnswerOf, type ReceivedRequestOf } from '../../core/protocol/index.js';
import { SESSION_ERRORS, type FetchedPartition } from '../fetching/fetch-session.js';
import type { FetchContext } from '../fetching/fetch-sessions.js';
import { failedRead, locate, readPartition, readableEnd, type PartitionRead } from '../fetching/partition-read.js';
import { serve, type RequestScope, type ServedApi } from './served-api.js';

type Request = ReceivedRequestOf<typeof Fetch>;
type FetchAnswer = AnswerOf<typeof Fetch>;
type TopicAnswer = FetchAnswer['responses'][number];
type Readable = Exclude<FetchContext, { readonly kind: 'error' }>;

const READ_COMMITTED = 1;
const TOPIC_IDS_SINCE = 13;
/** KIP-951: whoever asks the wrong node is told the right one. */
const TELLS_LEADER_SINCE = 16;
/** Kafka's fetch.max.bytes. */
const MOST_BYTES = 57_671_680;

/** One fetch under way: read at once, or when what it waits for has come. */
class PendingFetch {
  readonly #request: Request;
  readonly #context: Readable;
  readonly #scope: RequestScope;
  readonly #byId: boolean;
  readonly #committedOnly: boolean;

  constructor(request: Request, context: Readable, scope: RequestScope) {
    this.#request = request;
    this.#context = context;
    this.#scope = scope;
    this.#byId = scope.version >= TOPIC_IDS_SINCE;
    this.#committedOnly = request.isolationLevel === READ_COMMITTED;
  }

  serve(): FetchAnswer | Promise<FetchAnswer> {
    const reads = this.#readAll();
    const { maxWaitMs } = this.#request;
    const enough = reads.reduce((sum, read) => sum + read.bytes, 0) >= this.#leastBytes;
    if (enough || maxWaitMs <= 0 || reads.length === 0 || reads.some((read) => read.urgent)) return this.#answer(reads);
    return this.#wait(maxWaitMs);
  }

  get #leastBytes(): number {
    return Math.min(this.#request.minBytes, this.#request.maxBytes);
  }

  #readAll(): readonly PartitionRead[] {
    const scope = this.#scope;
    const { cluster, node } = scope;
    let left = Math.min(this.#request.maxBytes, MOST_BYTES);
    let anyRecords = false;
    return this.#context.partitions.map((wanted) => {
      const fault = scope.faulted(wanted.topic ?? '', wanted.partition);
      if (fault !== undefined) return failedRead(wanted, fault);
      const found = locate(wanted, this.#byId, cluster);
      const limit = Math.min(wanted.maxBytes, left);
      const read = readPartition(wanted, found, node, this.#committedOnly, limit, !anyRecords);
      anyRecords ||= read.bytes > 0;
      left = Math.max(0, left - read.bytes);
      return read;
    });
  }

  #wait(maxWaitMs: number): Promise<FetchAnswer> {
    const scope = this.#scope;
    const { cluster } = scope;
    return new Promise((resolve) => {
      const watched = this.#context.partitions.flatMap((wanted) => {
        const found = locate(wanted, this.#byId, cluster);
        return typeof found === 'string' ? [] : [found];
      });
      const stop = (): void => {
        timer.cancel();
        for (const partition of watched) partition.unwatch(look);
        takeBack();
      };
      const finish = (): void => {
        stop();
        resolve(this.#answer(this.#readAll()));
      };
      const look = (): void => {
        if (this.#isReady()) finish();
      };
      const timer = cluster.clock.setTimer(maxWaitMs, finish, true);
      const takeBack = scope.onAbandoned(stop);
      for (const partition of watched) partition.watch(look);
    });
  }

  #isReady(): boolean {
    const { cluster, node } = this.#scope;
    let bytes = 0;
    for (const wanted of this.#context.partitions) {
      const found = locate(wanted, this.#byId, cluster);
      if (typeof found === 'string' || found.access(node.id, wanted.currentLeaderEpoch) !== 'NONE') return true;
      const { log } = found;
      if (wanted.fetchOffset < log.startOffset || wanted.fetchOffset > log.endOffset) return true;
      const upTo = readableEnd(found, this.#committedOnly);
      bytes += Math.min(wanted.maxBytes, log.bytesBetween(wanted.fetchOffset, upTo));
    }
    return bytes >= this.#leastBytes;
  }

  #answer(reads: readonly PartitionRead[]): FetchAnswer {
    const context = this.#context;
    const tellsLeaders = this.#scope.version >= TELLS_LEADER_SINCE;
    const told =
      context.kind === 'sessionless'
        ? reads
        : reads.filter((read) => context.session.isNews(read.wanted, newsOf(read)) || context.kind === 'full');
    return {
      errorCode: ERROR_CODES.NONE,
      sessionId: context.kind === 'sessionless' ? 0 : context.session.id,
      responses: byTopic(
        unknownLast(this.#scope.corrupted ? told.map(damaged) : told).map((read) =>
          tellsLeaders ? withLeader(read) : read,
        ),
      ),
      nodeEndpoints: tellsLeaders ? this.#leadersIn(told) : [],
    };
  }

  #leadersIn(reads: readonly PartitionRead[]): FetchAnswer['nodeEndpoints'] {
    const ids = new Set(reads.map(({ leader }) => leader?.leaderId ?? -1));
    return [...ids].flatMap((id) => {
      const node = this.#scope.cluster.nodes.get(id);
      return node === undefined ? [] : [{ nodeId: id, host: node.host, port: node.port, rack: null }];
    });
  }
}

function withLeader(read: PartitionRead): PartitionRead {
  if (read.leader === undefined) return read;
  const { leaderId, leaderEpoch } = read.leader;
  return { ...read, answer: { ...read.answer, currentLeader: { leaderId, leaderEpoch } } };
}

const newsOf = ({ answer, bytes, urgent }: PartitionRead) => ({
  errorCode: answer.errorCode,
  highWatermark: answer.highWatermark,
  logStartOffset: answer.logStartOffset ?? -1,
  bytes,
  diverging: urgent && answer.errorCode === 0,
});

const UNKNOWN: ReadonlySet<number> = new Set([ERROR_CODES.UNKNOWN_TOPIC_ID, ERROR_CODES.UNKNOWN_TOPIC_OR_PARTITION]);

/** What there is not is told of behind all that is read. */
const unknownLast = (reads: readonly PartitionRead[]): readonly PartitionRead[] =>
  reads.toSorted((a, b) => Number(UNKNOWN.has(a.answer.errorCode)) - Number(UNKNOWN.has(b.answer.errorCode)));

/** The reads as the answer lists them: neighbours of one topic together. */
function byTopic(reads: readonly PartitionRead[]): readonly TopicAnswer[] {
  const topics: { topic: string; topicId: string; partitions: TopicAnswer['partitions'][number][] }[] = [];
  for (const { wanted, answer } of reads) {
    const last = topics.at(-1);
    if (last !== undefined && sameTopic(last, wanted)) last.partitions.push(answer);
    else topics.push({ topic: wanted.topic ?? '', topicId: wanted.topicId, partitions: [answer] });
  }
  return topics;
}

const sameTopic = (answer: { topic: string; topicId: string }, wanted: FetchedPartition): boolean =>
  answer.topic === (wanted.topic ?? '') && answer.topicId === wanted.topicId;

/** The read with a bit of each batch's last byte turned over, in copies. */
function damaged(read: PartitionRead): PartitionRead {
  const { records } = read.answer;
  if (!Array.isArray(records)) return read;
  const pieces = (records as readonly Buffer[]).map((piece) => {
    const copy = Buffer.from(piece);
    copy[copy.length - 1] = (copy[copy.length - 1] as number) ^ 1;
    return copy;
  });
  return { ...read, answer: { ...read.answer, records: pieces } };
}

function fetch(request: Request, scope: RequestScope): FetchAnswer | Promise<FetchAnswer> {
  const { cluster } = scope;
  const nameOf = (topicId: string): string | undefined => cluster.topicById(topicId)?.name;
  const context = scope.fetchSessions(scope.node).open(request, scope.version, nameOf);
  if (context.kind === 'error') return sessionError(ERROR_CODES[context.error]);
  return new PendingFetch(request, context, scope).serve();
}

const sessionError = (errorCode: number): FetchAnswer => ({ errorCode, sessionId: 0, responses: [] });

export const fetching: readonly ServedApi[] = [
  serve(Fetch, [4, 18], fetch, (request, error, scope) =>
    SESSION_ERRORS.has(errorName(error)) ? sessionError(error) : fetch(request, scope),
  ),
];
