import { retrying, type BrokerNode, type Cluster } from '../../cluster/index.js';
import type { BrokerConnection } from '../../network/index.js';
import {
  AddOffsetsToTxn,
  AddPartitionsToTxn,
  EndTxn,
  ERROR_CODES,
  errorName,
  InitProducerId,
  protocolError,
  TxnOffsetCommit,
  type ErrorName,
} from '../../protocol/index.js';
import {
  KrafkaClosedError,
  KrafkaFencedError,
  KrafkaProtocolError,
  type Backoff,
  type Deadline,
  type Ports,
} from '../../support/index.js';
import type { Identity } from '../idempotence/partition-sequences.js';
import type { TransactionGroup, TransactionOffset } from './group-offsets.js';

/** How a cluster does transactions: 1 tells the coordinator of each partition, 2 lets the brokers do that (KIP-890). */
export type TransactionProtocol = 1 | 2;

/** A partition of a topic. */
export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

export type TransactionCluster = Pick<Cluster, 'coordinator' | 'forgetCoordinator' | 'connection'>;

/** The feature that tells which protocol the cluster has agreed on (KIP-584). */
const FEATURE = 'transaction.version';

/** The newest versions under protocol 1; the next ones are how protocol 2 is spoken. */
const LAST_OF_PROTOCOL_1 = { addPartitions: 3, endTxn: 4, offsetCommit: 4 } as const;

/** What a coordinator answers when somebody else has taken over the transactional id, or it has given up on the producer. */
const FENCING: ReadonlySet<ErrorName> = new Set<ErrorName>(['PRODUCER_FENCED', 'INVALID_PRODUCER_EPOCH']);

/** What says that the coordinator is another one now. */
const MOVED: ReadonlySet<string> = new Set<ErrorName>(['NOT_COORDINATOR', 'COORDINATOR_NOT_AVAILABLE']);

/** Answers after which a request may have been heeded all the same, or may yet come to be. */
const DOUBTFUL: ReadonlySet<string> = new Set<ErrorName | 'MALFORMED'>([
  'COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR',
  'REQUEST_TIMED_OUT',
  'NETWORK_EXCEPTION',
  'UNKNOWN_SERVER_ERROR',
  'MALFORMED',
]);

/** Short at first: a coordinator still writes the markers of the last transaction when the next one begins. */
const BACKOFF: Backoff = { baseMs: 20, capMs: 1_000, jitter: 0.2 };

/** What is known of a question that may have been put several times. */
export interface Attempts {
  /** One of them may have been heeded though nobody said so. */
  doubtful: boolean;
}

/** The requests that make up a transaction, to whoever coordinates the transactional id, each until it is answered. */
export class TransactionCoordinator {
  readonly #cluster: TransactionCluster;
  readonly #ports: Pick<Ports, 'clock' | 'random'>;
  readonly #transactionalId: string;
  readonly #transactionTimeoutMs: number;
  readonly #requestTimeoutMs: number;
  #hasGhosts = false;
  #fenced: KrafkaFencedError | undefined;
  readonly #closing = new AbortController();

  constructor(options: {
    readonly cluster: TransactionCluster;
    readonly ports: Pick<Ports, 'clock' | 'random'>;
    readonly transactionalId: string;
    readonly transactionTimeoutMs: number;
    /** How long one try may take. */
    readonly requestTimeoutMs: number;
  }) {
    this.#cluster = options.cluster;
    this.#ports = options.ports;
    this.#transactionalId = options.transactionalId;
    this.#transactionTimeoutMs = options.transactionTimeoutMs;
    this.#requestTimeoutMs = options.requestTimeoutMs;
  }

  /**
   * Whether a request under the epoch that was had last may still be on its way. Under protocol 1, where transactions share an
   * epoch, it could be taken for one of the next transaction.
   */
  get hasGhosts(): boolean {
    return this.#hasGhosts;
  }

  /** That another producer has taken over, or the coordinator has given up on this one: once it is known. */
  get fenced(): KrafkaFencedError | undefined {
    return this.#fenced;
  }

  /** Asks nothing more: whoever waits is told so. */
  close(): void {
    this.#closing.abort(new KrafkaClosedError('the producer'));
  }

  /**
   * A new epoch, which fences whoever had the last one; what they left open is aborted. With `previous`, only if nobody else
   * has taken over since (KIP-360); nothing may be open then, or we would fence ourselves.
   *
   * @throws KrafkaFencedError
   */
  async initProducerId(
    previous: Identity | undefined,
    deadline: Deadline,
  ): Promise<{ readonly identity: Identity; readonly protocol: TransactionProtocol }> {
    const answer = await this.#ask('a producer id', deadline, async (connection) => {
      const continues = previous !== undefined && connection.versionOf(InitProducerId) >= 3;
      const response = await connection.sendRequest(
        InitProducerId,
        {
          transactionalId: this.#transactionalId,
          transactionTimeoutMs: this.#transactionTimeoutMs,
          ...(continues ? previous : {}),
        },
        this.#asking(deadline),
      );
      this.#check('InitProducerId', response.errorCode);
      const { producerId, producerEpoch } = response;
      return { identity: { producerId, producerEpoch }, protocol: protocolOf(connection) };
    });
    this.#hasGhosts = false;
    return answer;
  }

  /** The protocol that the cluster has agreed on by now. */
  protocol(deadline: Deadline): Promise<TransactionProtocol> {
    return this.#ask('the coordinator', deadline, (connection) => {
      return Promise.resolve(protocolOf(connection));
    });
  }

  /** Tells the coordinator which partitions the transaction writes to: protocol 1. */
  addPartitions(identity: Identity, partitions: readonly TopicPartition[], deadline: Deadline): Promise<void> {
    const topics = byTopic(partitions, ({ partition }) => partition);
    return this.#ask('partitions to be added', deadline, async (connection) => {
      const response = await connection.sendRequest(
        AddPartitionsToTxn,
        {
          v3AndBelowTransactionalId: this.#transactionalId,
          v3AndBelowProducerId: identity.producerId,
          v3AndBelowProducerEpoch: identity.producerEpoch,
          v3AndBelowTopics: topics.map(({ name, items }) => ({ name, partitions: items })),
        },
        { ...this.#asking(deadline), maxVersion: LAST_OF_PROTOCOL_1.addPartitions },
      );
      const results = response.resultsByTopicV3AndBelow.flatMap(({ name, resultsByPartition }) =>
        resultsByPartition.map((result) => ({ topic: name, ...result })),
      );
      // What was not even tried tells less than what kept it from being tried.
      const untried = ERROR_CODES.OPERATION_NOT_ATTEMPTED;
      const failed = results.filter(({ partitionErrorCode }) => partitionErrorCode !== ERROR_CODES.NONE);
      const first = failed.find(({ partitionErrorCode }) => partitionErrorCode !== untried) ?? failed[0];
      if (first === undefined) return;
      const { topic, partitionIndex: partition } = first;
      this.#check('AddPartitionsToTxn', first.partitionErrorCode, { topic, partition });
    });
  }

  /** Tells the coordinator that the transaction commits offsets of a group: protocol 1. */
  addOffsets(identity: Identity, groupId: string, deadline: Deadline): Promise<void> {
    return this.#ask('offsets to be added', deadline, async (connection) => {
      const response = await connection.sendRequest(
        AddOffsetsToTxn,
        { transactionalId: this.#transactionalId, ...identity, groupId },
        this.#asking(deadline),
      );
      this.#check('AddOffsetsToTxn', response.errorCode);
    });
  }

  /** Hands a group's coordinator offsets that count when the transaction is committed. */
  commitOffsets(
    identity: Identity,
    protocol: TransactionProtocol,
    group: TransactionGroup,
    offsets: readonly TransactionOffset[],
    deadline: Deadline,
  ): Promise<void> {
    const topics = byTopic(offsets, ({ partition, offset, leaderEpoch = -1, metadata = '' }) => ({
      partitionIndex: partition,
      committedOffset: offset,
      committedLeaderEpoch: leaderEpoch,
      committedMetadata: metadata,
    }));
    const find = (): Promise<BrokerNode> => this.#cluster.coordinator('group', group.groupId, this.#within(deadline));
    const forget = (node: BrokerNode): void => this.#cluster.forgetCoordinator('group', group.groupId, node);
    return this.#retry('offsets to be committed', deadline, find, forget, async (connection) => {
      const response = await connection.sendRequest(
        TxnOffsetCommit,
        {
          transactionalId: this.#transactionalId,
          groupId: group.groupId,
          ...identity,
          generationId: group.generationId ?? -1,
          memberId: group.memberId ?? '',
          groupInstanceId: group.groupInstanceId ?? null,
          topics: topics.map(({ name, items }) => ({ name, partitions: items })),
        },
        { ...this.#asking(deadline), ...(protocol === 1 ? { maxVersion: LAST_OF_PROTOCOL_1.offsetCommit } : {}) },
      );
      for (const { name, partitions } of response.topics) {
        for (const { partitionIndex, errorCode } of partitions) {
          this.#check('TxnOffsetCommit', errorCode, { topic: name, partition: partitionIndex });
        }
      }
    });
  }

  /**
   * Ends the transaction; the identity for the next one, under protocol 2. When it throws, `attempts` tells whether it may have
   * ended all the same.
   *
   * @throws KrafkaFencedError, KrafkaTimeoutError
   */
  endTransaction(
    identity: Identity,
    protocol: TransactionProtocol,
    committed: boolean,
    deadline: Deadline,
    attempts: Attempts = { doubtful: false },
  ): Promise<Identity | undefined> {
    const what = `the transaction to be ${committed ? 'committed' : 'aborted'}`;
    const end = async (connection: BrokerConnection): Promise<Identity | undefined> => {
      const response = await connection.sendRequest(
        EndTxn,
        { transactionalId: this.#transactionalId, ...identity, committed },
        // The version is the protocol: under the first one the next version would be a lie.
        { ...this.#asking(deadline), ...(protocol === 1 ? { maxVersion: LAST_OF_PROTOCOL_1.endTxn } : { version: 5 }) },
      );
      this.#check('EndTxn', response.errorCode);
      const { producerId, producerEpoch } = response;
      return protocol === 1 || producerId < 0 ? undefined : { producerId, producerEpoch };
    };
    return this.#ask(what, deadline, end, attempts);
  }

  #ask<T>(
    waitedFor: string,
    deadline: Deadline,
    question: (connection: BrokerConnection) => Promise<T>,
    attempts?: Attempts,
  ): Promise<T> {
    const id = this.#transactionalId;
    const find = (): Promise<BrokerNode> => this.#cluster.coordinator('transaction', id, this.#within(deadline));
    const forget = (node: BrokerNode): void => this.#cluster.forgetCoordinator('transaction', id, node);
    return this.#retry(waitedFor, deadline, find, forget, question, attempts);
  }

  #retry<T>(
    waitedFor: string,
    deadline: Deadline,
    find: () => Promise<BrokerNode>,
    forget: (node: BrokerNode) => void,
    question: (connection: BrokerConnection) => Promise<T>,
    attempts: Attempts = { doubtful: false },
  ): Promise<T> {
    return retrying({ ...this.#within(deadline), backoff: BACKOFF, ports: this.#ports, waitedFor }, async () => {
      const node = await find();
      let asked = false;
      try {
        const connection = await this.#cluster.connection(node.nodeId, 'data', this.#within(deadline));
        asked = true;
        return await question(connection);
      } catch (error) {
        if (asked && isDoubtful(error)) {
          attempts.doubtful = true;
          this.#hasGhosts = true;
        }
        // It may have moved, or be gone: whoever asks next looks again.
        if (!(error instanceof KrafkaProtocolError) || MOVED.has(error.code)) forget(node);
        throw error;
      }
    });
  }

  #asking(deadline: Deadline): {
    readonly deadline: Deadline;
    readonly signal: AbortSignal;
    readonly timeoutMs: number;
  } {
    return { ...this.#within(deadline), timeoutMs: this.#requestTimeoutMs };
  }

  #within(deadline: Deadline): { readonly deadline: Deadline; readonly signal: AbortSignal } {
    return { deadline, signal: this.#closing.signal };
  }

  #check(api: string, errorCode: number, place: { topic?: string; partition?: number } = {}): void {
    if (errorCode === ERROR_CODES.NONE) return;
    const error = protocolError(errorCode, { api, ...place });
    if (!FENCING.has(errorName(errorCode))) throw error;
    this.#fenced = new KrafkaFencedError(
      `the transactional id '${this.#transactionalId}' is another producer's now, or its transaction took too long: ${error.message}`,
      error,
    );
    throw this.#fenced;
  }
}

/** Whether what failed may have been heeded: all but a clear refusal. */
function isDoubtful(error: unknown): boolean {
  if (error instanceof KrafkaFencedError) return false;
  return !(error instanceof KrafkaProtocolError) || DOUBTFUL.has(error.code);
}

function protocolOf(connection: BrokerConnection): TransactionProtocol {
  return (connection.brokerFeatures.get(FEATURE) ?? 0) >= 2 ? 2 : 1;
}

function byTopic<T extends TopicPartition, Item>(
  partitions: readonly T[],
  itemOf: (partition: T) => Item,
): { readonly name: string; readonly items: readonly Item[] }[] {
  const topics = new Map<string, Item[]>();
  for (const partition of partitions) {
    const items = topics.get(partition.topic);
    if (items === undefined) topics.set(partition.topic, [itemOf(partition)]);
    else items.push(itemOf(partition));
  }
  return Array.from(topics, ([name, items]) => ({ name, items }));
}
