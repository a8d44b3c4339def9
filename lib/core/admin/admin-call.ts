import type { BrokerNode, Cluster, ClusterMetadata, WaitOptions } from '../cluster/index.js';
import type { BrokerConnection, ConnectionPurpose, NetworkPorts } from '../network/index.js';
import { ERROR_CODES, protocolError } from '../protocol/index.js';
import { Deadline, KrafkaError, type Logger } from '../support/index.js';
import type { CallOptions } from './call-options.js';
import { allOrThrow, settleEach, type Settled } from './settle-each.js';

/** What a broker said of each item; an item that failed has its error. */
export type Answers<K, R> = ReadonlyMap<K, R | KrafkaError>;

/**
 * Admin requests have a connection of their own to each broker: a broker works on one request of a connection at a time,
 * and some of these take seconds, which no Produce should wait for.
 */
const PURPOSE: ConnectionPurpose = 'coordination:admin';

/** What a coordinator that has moved or died answers, or is answered for. */
const GONE: ReadonlySet<string> = new Set(['NOT_COORDINATOR', 'COORDINATOR_NOT_AVAILABLE', 'CONNECTION', 'TIMEOUT']);

/**
 * One call of the admin: its budget, and the ways a request finds the broker that must answer it. Every way comes back
 * to settling each item on its own.
 */
export class AdminCall {
  readonly deadline: Deadline;
  readonly signal: AbortSignal | undefined;

  constructor(
    readonly cluster: Cluster,
    readonly ports: NetworkPorts,
    options: CallOptions,
    defaultTimeoutMs: number,
  ) {
    this.deadline = new Deadline(ports.clock, options.timeoutMs ?? defaultTimeoutMs, 'timeoutMs');
    this.signal = options.signal;
  }

  get wait(): WaitOptions {
    return { deadline: this.deadline, signal: this.signal };
  }

  get logger(): Logger {
    return this.ports.logger;
  }

  /** How long a broker may work on a request: less than what we wait for its answer. */
  get brokerTimeoutMs(): number {
    const most = this.cluster.pool.config.requestTimeoutMs * 0.9;
    return Math.max(1, Math.floor(Math.min(this.deadline.remainingMs, most)));
  }

  settle<K, R>(
    keys: Iterable<K>,
    describe: (key: K) => string,
    attempt: (pending: readonly K[], attempt: number) => Promise<Answers<K, R>>,
    unknownTries?: number,
  ): Promise<Settled<K, R>> {
    return settleEach(keys, { ...this.wait, ports: this.ports, describe, unknownTries }, attempt);
  }

  /** Asks the controller; when it has moved, its successor. */
  onController<K, R>(
    keys: Iterable<K>,
    describe: (key: K) => string,
    ask: (connection: BrokerConnection, pending: readonly K[]) => Promise<Answers<K, R>>,
  ): Promise<Settled<K, R>> {
    const attempt = async (pending: readonly K[]): Promise<Answers<K, R>> => {
      const answers = await ask(await this.cluster.controller({ ...this.wait, purpose: PURPOSE }), pending);
      const moved = [...answers.values()].some(
        (answer) => answer instanceof KrafkaError && answer.code === 'NOT_CONTROLLER',
      );
      if (moved) await this.cluster.refresh([], this.wait);
      return answers;
    };
    // The controller knows which topics there are: when it knows none of that name, there is none.
    return this.settle(keys, describe, attempt, 1);
  }

  /** Asks whichever broker there is. */
  onAnyBroker<K, R>(
    keys: Iterable<K>,
    describe: (key: K) => string,
    ask: (connection: BrokerConnection, pending: readonly K[]) => Promise<Answers<K, R>>,
  ): Promise<Settled<K, R>> {
    return this.settle(keys, describe, async (pending) =>
      ask(await this.cluster.anyConnection({ ...this.wait, purpose: PURPOSE }), pending),
    );
  }

  /** Asks each group's coordinator, all coordinators at once; one that has moved is looked up again. */
  onCoordinators<R>(
    groupIds: Iterable<string>,
    ask: (connection: BrokerConnection, groupIds: readonly string[], node: BrokerNode) => Promise<Answers<string, R>>,
  ): Promise<Settled<string, R>> {
    return this.settle(
      groupIds,
      (groupId) => `group '${groupId}'`,
      async (pending) => {
        const answers = new Map<string, R | KrafkaError>();
        const nodes = new Map<number, { readonly node: BrokerNode; readonly groupIds: string[] }>();
        await Promise.all(
          pending.map(async (groupId) => {
            const node = await this.cluster.coordinator('group', groupId, this.wait).catch(failure(answers, [groupId]));
            if (node === undefined) return;
            const place = nodes.get(node.nodeId);
            if (place === undefined) nodes.set(node.nodeId, { node, groupIds: [groupId] });
            else place.groupIds.push(groupId);
          }),
        );
        await Promise.all(
          Array.from(nodes.values(), async ({ node, groupIds: here }) => {
            const told = await this.#at(node.nodeId, (connection) => ask(connection, here, node)).catch(
              failure(answers, here),
            );
            for (const [groupId, answer] of told ?? []) answers.set(groupId, answer);
            for (const groupId of here) this.#heed(groupId, node, answers.get(groupId));
          }),
        );
        return answers;
      },
    );
  }

  /** Asks one group's coordinator about several things of the group's; a coordinator that has moved is forgotten. */
  async atCoordinator<K, R>(
    groupId: string,
    ask: (connection: BrokerConnection) => Promise<Answers<K, R>>,
  ): Promise<Answers<K, R>> {
    const node = await this.cluster.coordinator('group', groupId, this.wait);
    try {
      const answers = await this.#at(node.nodeId, ask);
      for (const answer of answers.values()) this.#heed(groupId, node, answer);
      return answers;
    } catch (error) {
      this.#heed(groupId, node, error);
      throw error;
    }
  }

  /**
   * Asks the leader of each partition: one request per leader, all leaders at once. Leaders are looked up afresh for
   * each attempt, without keeping the topics.
   */
  onLeaders<P extends { readonly topic: string; readonly partition: number }, R>(
    partitions: Iterable<P>,
    ask: (connection: BrokerConnection, partitions: readonly P[], metadata: ClusterMetadata) => Promise<Answers<P, R>>,
  ): Promise<Settled<P, R>> {
    return this.settle(partitions, describePartition, async (pending) => {
      const { metadata, problems } = await this.cluster.look(
        [...new Set(pending.map(({ topic }) => topic))],
        this.wait,
      );
      const answers = new Map<P, R | KrafkaError>();
      const leaders = new Map<number, P[]>();
      for (const item of pending) {
        const leader = metadata.topics.get(item.topic)?.partitions[item.partition]?.leader;
        if (leader === undefined) {
          const code = problems.get(item.topic) ?? ERROR_CODES.UNKNOWN_TOPIC_OR_PARTITION;
          answers.set(item, protocolError(code, { topic: item.topic, partition: item.partition }));
        } else if (!metadata.brokers.has(leader)) {
          const { topic, partition } = item;
          answers.set(item, protocolError(ERROR_CODES.LEADER_NOT_AVAILABLE, { topic, partition }));
        } else {
          const here = leaders.get(leader);
          if (here === undefined) leaders.set(leader, [item]);
          else here.push(item);
        }
      }
      await Promise.all(
        Array.from(leaders, async ([leader, here]) => {
          const told = await this.#at(leader, (connection) => ask(connection, here, metadata)).catch(
            failure(answers, here),
          );
          for (const [item, answer] of told ?? []) answers.set(item, answer);
        }),
      );
      return answers;
    });
  }

  /** Asks this one broker. */
  onBroker<K, R>(
    nodeId: number,
    keys: Iterable<K>,
    describe: (key: K) => string,
    ask: (connection: BrokerConnection, pending: readonly K[]) => Promise<Answers<K, R>>,
  ): Promise<Settled<K, R>> {
    return this.settle(keys, describe, (pending) => this.#at(nodeId, (connection) => ask(connection, pending)));
  }

  /** One question with one answer, retried like everything else. */
  async one<R>(what: string, ask: () => Promise<R | KrafkaError>): Promise<R> {
    const settled = await this.settle(
      [what],
      (word) => word,
      async () => new Map([[what, await ask()]]),
    );
    return allOrThrow(settled, 'answers').get(what) as R;
  }

  /** An answer that tells of a coordinator that is not there any more makes the next try look for it. */
  #heed(groupId: string, node: BrokerNode, answer: unknown): void {
    if (answer instanceof KrafkaError && GONE.has(answer.code)) this.cluster.forgetCoordinator('group', groupId, node);
  }

  async #at<T>(nodeId: number, ask: (connection: BrokerConnection) => Promise<T>): Promise<T> {
    return ask(await this.cluster.connection(nodeId, PURPOSE, this.wait));
  }
}

/** `orders[3]` in the words of an error. */
export const describePartition = ({
  topic,
  partition,
}: {
  readonly topic: string;
  readonly partition: number;
}): string => `topic '${topic}' partition ${partition}`;

/** The partitions gathered under their topics, as requests list them. */
export function byTopic<P extends { readonly topic: string }>(items: Iterable<P>): ReadonlyMap<string, readonly P[]> {
  const topics = new Map<string, P[]>();
  for (const item of items) {
    const there = topics.get(item.topic);
    if (there === undefined) topics.set(item.topic, [item]);
    else there.push(item);
  }
  return topics;
}

/** Puts a request's failure down to each item that was in it. */
const failure =
  <K>(answers: Map<K, unknown>, keys: readonly K[]) =>
  (error: unknown): undefined => {
    if (!(error instanceof KrafkaError)) throw error;
    for (const key of keys) answers.set(key, error);
    return undefined;
  };

/** The answer itself, or the error that a code stands for. */
export function answerOr<R>(
  errorCode: number,
  context: Parameters<typeof protocolError>[1],
  answer: () => R,
): R | KrafkaError {
  return errorCode === ERROR_CODES.NONE ? answer() : protocolError(errorCode, context);
}
