import type { BrokerNode, Cluster } from '../cluster/index.js';
import type { BrokerConnection, RequestPriority, SendOptions } from '../network/index.js';
import { ERROR_CODES, type Api, type RequestOf, type ResponseOf } from '../protocol/index.js';
import { Deadline, KrafkaError, type Ports } from '../support/index.js';

export interface GroupCoordinatorOptions {
  readonly cluster: Pick<Cluster, 'coordinator' | 'forgetCoordinator' | 'pool'>;
  readonly groupId: string;
  /** The connection that is this member's alone: `coordination:<id>`. */
  readonly purpose: `coordination:${string}`;
  readonly requestTimeoutMs: number;
  readonly ports: Ports;
}

/** How one request to the coordinator is sent. */
export interface CoordinatorRequest {
  /** How long the broker may take to answer. Default `requestTimeoutMs`. */
  readonly timeoutMs?: number;
  readonly deadline?: Deadline;
  readonly signal?: AbortSignal;
  readonly maxVersion?: number;
  readonly priority?: RequestPriority;
  /** The coordinator may hold the answer back: it goes by a connection of its own, so that nothing stands behind it. */
  readonly held?: boolean;
  /** The coordinator is looked up once, however much time there is: for a goodbye, which a session's end replaces. */
  readonly once?: boolean;
}

const MOVED: ReadonlySet<number> = new Set([ERROR_CODES.NOT_COORDINATOR, ERROR_CODES.COORDINATOR_NOT_AVAILABLE]);

/**
 * The coordinator of one group, wherever it is at the moment: heartbeats and commits of a member travel on one
 * connection that nothing else uses, so that no fetch and no produce ever holds them up. Nor does a join: a broker
 * works on one request of a connection at a time, and holds a JoinGroup until the whole group has gathered.
 */
export class GroupCoordinator {
  readonly groupId: string;
  readonly #options: GroupCoordinatorOptions;
  #node: BrokerNode | undefined;

  constructor(options: GroupCoordinatorOptions) {
    this.groupId = options.groupId;
    this.#options = options;
  }

  /**
   * Sends one request to the coordinator, which is looked up when it is not known. One try: a failure of the
   * connection, or an answer for which {@link heed} is called, makes the next try look it up again.
   */
  async request<A extends Api>(
    api: A,
    request: RequestOf<A> | ((connection: BrokerConnection) => RequestOf<A>),
    options: CoordinatorRequest = {},
  ): Promise<ResponseOf<A>> {
    const { cluster, groupId, ports, requestTimeoutMs } = this.#options;
    const purpose = options.held === true ? this.#heldPurpose : this.#options.purpose;
    const {
      priority,
      deadline = new Deadline(ports.clock, requestTimeoutMs, 'requestTimeoutMs'),
      signal,
      once,
    } = options;
    const node = await cluster.coordinator('group', groupId, { deadline, signal, once });
    this.#node = node;
    try {
      const connection =
        cluster.pool.ready(node.address, purpose) ??
        (await cluster.pool.getConnection(node.address, purpose, { deadline, ...(signal && { signal }) }));
      const body =
        typeof request === 'function' ? (request as (c: BrokerConnection) => RequestOf<A>)(connection) : request;
      const how: SendOptions = {
        timeoutMs: options.timeoutMs ?? requestTimeoutMs,
        ...(signal && { signal }),
        ...(options.deadline && { deadline: options.deadline }),
        ...(options.maxVersion !== undefined && { maxVersion: options.maxVersion }),
      };
      return priority === undefined
        ? await connection.sendRequest(api, body, how)
        : await connection.sendRequestWithPriority(api, body, priority, how);
    } catch (error) {
      if (error instanceof KrafkaError && error.retriable) cluster.forgetCoordinator('group', groupId, node);
      throw error;
    }
  }

  /** Heeds an error code of an answer: when it says that the coordinator is elsewhere, it is looked up again. */
  heed(errorCode: number): void {
    if (MOVED.has(errorCode)) this.#options.cluster.forgetCoordinator('group', this.groupId, this.#node);
  }

  /** Lets go of the connection by which `held` requests go. One that is under way fails. */
  async release(): Promise<void> {
    await this.#options.cluster.pool.release(this.#heldPurpose, { timeoutMs: 0 });
  }

  get #heldPurpose(): `coordination:${string}` {
    return `${this.#options.purpose}:held`;
  }
}

/** What members and committers ask of their {@link GroupCoordinator}. */
export type CoordinatorLink = Pick<GroupCoordinator, 'groupId' | 'request' | 'heed' | 'release'>;
