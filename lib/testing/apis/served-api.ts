import type { AnswerOf, Api, ApiName, ErrorName, ReceivedRequestOf, VersionRange } from '../../core/protocol/index.js';
import type { Cluster } from '../cluster/cluster.js';
import type { ClusterNode } from '../cluster/node.js';
import type { FetchSessions } from '../fetching/fetch-sessions.js';
import type { GroupCoordinator } from '../groups/group-coordinator.js';
import type { CoordinatorPlacement } from '../cluster/coordinator-placement.js';
import type { OfferedApis } from '../server/offered-apis.js';
import type { TransactionCoordinator } from '../transactions/transaction-coordinator.js';

/** The parts of the broker that requests are served from. */
export interface BrokerParts {
  readonly cluster: Cluster;
  readonly coordinators: CoordinatorPlacement;
  readonly groups: GroupCoordinator;
  readonly transactions: TransactionCoordinator;
  readonly offered: OfferedApis;
  readonly autoCreateTopics: boolean;
  /** The feature `transaction.version`; undefined: as the versions offered have it. */
  readonly transactionVersion: 0 | 1 | 2 | undefined;
  fetchSessions(node: ClusterNode): FetchSessions;
}

/** One request being served: on which node, for whom, at which version. */
export interface RequestScope extends BrokerParts {
  readonly node: ClusterNode;
  readonly version: number;
  readonly clientId: string;
  readonly clientHost: string;
  /** A fault rule wants fetched batches to arrive damaged. */
  readonly corrupted: boolean;
  /** The error that a fault rule wants for one partition. */
  faulted(topic: string, partition: number): ErrorName | undefined;
  /** Calls back once if the connection closes before the answer is out. The answer takes it back. */
  onAbandoned(callback: () => void): () => void;
}

/** Says that a request has no answer (acks = 0), or that the connection is to be closed instead of one. */
export const NO_ANSWER = Symbol('no answer');
export const CLOSE = Symbol('close the connection');

export type Answer<A> = AnswerOf<A> | typeof NO_ANSWER | typeof CLOSE;

/** An API that this broker serves: its versions, and how it answers. */
export interface ServedApi {
  readonly api: Api;
  readonly name: ApiName;
  readonly versions: VersionRange;
  /** Serves one request; a promise when the answer has to wait for something. */
  handle(request: never, scope: RequestScope): unknown;
  /** The answer that says `error` to a request, as Kafka would build it. */
  refuse(request: never, error: number, scope: RequestScope): unknown;
}

export function serve<A extends Api>(
  api: A,
  versions: readonly [from: number, to: number],
  handle: (request: ReceivedRequestOf<A>, scope: RequestScope) => Answer<A> | Promise<Answer<A>>,
  refuse: (request: ReceivedRequestOf<A>, error: number, scope: RequestScope) => Answer<A> | Promise<Answer<A>>,
): ServedApi {
  return {
    api,
    name: api.name,
    versions: { from: versions[0], to: versions[1] },
    handle,
    refuse,
  };
}
