import type { Cluster } from '../../cluster/index.js';
import type { BrokerConnection } from '../../network/index.js';
import { ERROR_CODES, isRetriable, protocolError } from '../../protocol/index.js';
import {
  backoffMs,
  Deadline,
  KrafkaError,
  type Backoff,
  type Ports,
  type ProtocolErrorContext,
  type Timer,
} from '../../support/index.js';
import type { AssignedPartition } from '../assigned-partition.js';

/** Something to be asked of a partition's leader. */
export interface Question<Q> {
  readonly partition: AssignedPartition;
  readonly what: Q;
}

/** What came of one question. */
export type Outcome<A> =
  | { readonly kind: 'answer'; readonly value: A }
  /** Not now, or not there: asked again after a while. */
  | { readonly kind: 'again'; readonly error: KrafkaError }
  | { readonly kind: 'refused'; readonly error: KrafkaError };

export interface LeaderQuestionsOptions<Q, A> {
  readonly cluster: Pick<Cluster, 'metadata' | 'readyConnection' | 'connection' | 'suspect'>;
  readonly ports: Ports;
  readonly requestTimeoutMs: number;
  /** Puts all questions to one leader in one request. A question that is not in the answer is asked again. */
  readonly ask: (
    connection: BrokerConnection,
    questions: readonly Question<Q>[],
    wait: { readonly timeoutMs: number },
  ) => Promise<ReadonlyMap<Question<Q>, Outcome<A>>>;
  readonly onAnswer: (partition: AssignedPartition, value: A, what: Q) => void;
  readonly onRefused: (partition: AssignedPartition, error: KrafkaError) => void;
}

/** What came of a question that the leader answered with an error: what it has no name for may be over the next time. */
export function outcomeOfError(errorCode: number, context: ProtocolErrorContext): Outcome<never> {
  const mayPass = isRetriable(errorCode) || errorCode === ERROR_CODES.UNKNOWN_SERVER_ERROR;
  return { kind: mayPass ? 'again' : 'refused', error: protocolError(errorCode, context) };
}

interface Open<Q> {
  readonly question: Question<Q>;
  state: 'waiting' | 'asked';
  failures: number;
  retryAt: number;
  /** Whom it was last put to, `undefined` while there was nobody. */
  leader: string | undefined;
}

const BACKOFF: Backoff = { baseMs: 100, capMs: 30_000 };

/**
 * Asks the leaders of many partitions something: one request a leader, all leaders at once. What fails is asked again
 * with a backoff for each partition, 100 ms doubling up to 30 s. A partition has one open question, the newest: the
 * answer to an older one, or for a partition that was given up, is dropped.
 */
export class LeaderQuestions<Q, A> {
  readonly #options: LeaderQuestionsOptions<Q, A>;
  readonly #open = new Map<AssignedPartition, Open<Q>>();
  #gathering = false;
  #retry: { readonly at: number; readonly timer: Timer } | undefined;
  #closed = false;
  #requests = 0;

  constructor(options: LeaderQuestionsOptions<Q, A>) {
    this.#options = options;
  }

  /** Requests sent so far. */
  get requests(): number {
    return this.#requests;
  }

  /** Asks, together with whatever else is asked in this turn. */
  put(partition: AssignedPartition, what: Q): void {
    const question = { partition, what };
    this.#open.set(partition, { question, state: 'waiting', failures: 0, retryAt: 0, leader: undefined });
    this.#gather();
  }

  /** Wants no answer any more. */
  drop(partition: AssignedPartition): void {
    this.#open.delete(partition);
  }

  /** Leaders may have changed: what waits for its next try is put to a new leader at once. */
  metadataChanged(): void {
    for (const open of this.#open.values()) {
      if (open.state === 'waiting' && open.leader !== this.#leaderOf(open)) open.retryAt = 0;
    }
    if (this.#open.size > 0) this.#gather();
  }

  close(): void {
    this.#closed = true;
    this.#open.clear();
    this.#retry?.timer.cancel();
  }

  #gather(): void {
    if (this.#gathering) return;
    this.#gathering = true;
    queueMicrotask(() => {
      this.#gathering = false;
      this.#askAll();
    });
  }

  #askAll(): void {
    if (this.#closed) return;
    const { cluster, ports } = this.#options;
    const now = ports.clock.monotonic();
    const byLeader = new Map<number, Open<Q>[]>();
    for (const open of this.#open.values()) {
      if (open.state === 'asked' || open.retryAt > now) continue;
      const { topic, partition } = open.question.partition;
      const leader = cluster.metadata.leaderOf(topic, partition);
      open.leader = this.#leaderOf(open);
      if (leader === undefined) {
        cluster.suspect(topic, partition);
        this.#again(open, undefined);
        continue;
      }
      const there = byLeader.get(leader.nodeId);
      if (there === undefined) byLeader.set(leader.nodeId, [open]);
      else there.push(open);
    }
    for (const [nodeId, open] of byLeader) void this.#ask(nodeId, open);
    this.#scheduleRetry();
  }

  /** Never rejects: what fails is asked again or refused. */
  async #ask(nodeId: number, asked: readonly Open<Q>[]): Promise<void> {
    const { cluster, ports, requestTimeoutMs } = this.#options;
    for (const open of asked) open.state = 'asked';
    try {
      const deadline = new Deadline(ports.clock, requestTimeoutMs, 'requestTimeoutMs');
      const connection =
        cluster.readyConnection(nodeId, 'data') ?? (await cluster.connection(nodeId, 'data', { deadline }));
      const current = asked.filter((open) => this.#isOpen(open));
      if (current.length === 0) return;
      this.#requests++;
      const outcomes = await this.#options.ask(
        connection,
        current.map(({ question }) => question),
        { timeoutMs: requestTimeoutMs },
      );
      for (const open of current) this.#settle(open, outcomes.get(open.question));
    } catch (error) {
      const known = error instanceof KrafkaError ? error : asKrafkaError(error);
      const outcome = { kind: known.retriable ? ('again' as const) : ('refused' as const), error: known };
      for (const open of asked) this.#settle(open, outcome);
    }
    this.#scheduleRetry();
  }

  #settle(open: Open<Q>, outcome: Outcome<A> | undefined): void {
    if (!this.#isOpen(open)) return;
    const { partition, what } = open.question;
    if (outcome === undefined || outcome.kind === 'again') {
      this.#options.cluster.suspect(partition.topic, partition.partition);
      this.#again(open, outcome?.error);
      return;
    }
    this.#open.delete(partition);
    if (outcome.kind === 'answer') this.#options.onAnswer(partition, outcome.value, what);
    else this.#options.onRefused(partition, outcome.error);
  }

  #isOpen(open: Open<Q>): boolean {
    const { partition } = open.question;
    return partition.owned && this.#open.get(partition) === open;
  }

  #leaderOf({ question: { partition } }: Open<Q>): string | undefined {
    const { metadata } = this.#options.cluster;
    const leader = metadata.leaderOf(partition.topic, partition.partition);
    const epoch = metadata.topics.get(partition.topic)?.partitions[partition.partition]?.leaderEpoch;
    return leader && `${leader.address} ${epoch}`;
  }

  #again(open: Open<Q>, error: KrafkaError | undefined): void {
    const { clock, random, logger } = this.#options.ports;
    open.state = 'waiting';
    open.failures++;
    open.retryAt = clock.monotonic() + backoffMs(BACKOFF, open.failures, random);
    const { topic, partition } = open.question.partition;
    const told = { topic, partition, failures: open.failures, error };
    if (error === undefined || error.retriable) logger.debug('a leader could not be asked', told);
    else logger.warn('a leader failed to answer, and is asked again', told);
  }

  #scheduleRetry(): void {
    let earliest = Infinity;
    for (const open of this.#open.values()) {
      if (open.state === 'waiting') earliest = Math.min(earliest, open.retryAt);
    }
    if (earliest === Infinity || this.#closed) return;
    if (this.#retry !== undefined && this.#retry.at <= earliest) return;
    this.#retry?.timer.cancel();
    const timer = this.#options.ports.clock.setTimer(
      Math.max(0, earliest - this.#options.ports.clock.monotonic()),
      () => {
        this.#retry = undefined;
        this.#askAll();
      },
      false,
    );
    this.#retry = { at: earliest, timer };
  }
}

const asKrafkaError = (error: unknown): KrafkaError =>
  new KrafkaError(`asking a leader failed: ${error instanceof Error ? error.message : String(error)}`, {
    code: 'LOOKUP_FAILED',
    cause: error,
  });
