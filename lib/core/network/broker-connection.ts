import type { Api, RequestOf, ResponseOf } from '../protocol/index.js';
import type { Deadline, KrafkaError } from '../support/index.js';
import type { ConnectionConfig } from './connection-config.js';
import type { ConnectionStats } from './connection-stats.js';
import type { NetworkPorts } from './network-ports.js';
import type { RequestPriority } from './request-priority.js';
import type { SendOptions } from './send-options.js';

/** How an attempt to connect may be cut short. */
export interface ConnectOptions {
  readonly deadline?: Deadline;
  readonly signal?: AbortSignal;
}

/** How a connection, bundle or pool is closed. */
export interface CloseOptions {
  /** How long requests under way may take to be answered, in milliseconds. Default 5,000; 0 for not at all. */
  readonly timeoutMs?: number;
}

/** What a close left behind. */
export interface CloseReport {
  /** Requests that were still unanswered and were failed. */
  readonly abandoned: number;
}

/** One socket to one broker, ready for requests. */
export class BrokerConnection {
  static connect(
    _address: string,
    _config?: ConnectionConfig,
    _ports?: Partial<NetworkPorts>,
    _options?: ConnectOptions,
  ): Promise<BrokerConnection> {
    throw new Error('not built yet');
  }
  readonly address!: string;
  /** False once it is closing or closed. */
  get usable(): boolean {
    throw new Error('not built yet');
  }
  /** Requests written and not yet answered. */
  get inFlight(): number {
    throw new Error('not built yet');
  }
  /** Finalized features of the cluster by name, with their level (KIP-584). */
  get brokerFeatures(): ReadonlyMap<string, number> {
    throw new Error('not built yet');
  }
  versionOf(_api: Api): number {
    throw new Error('not built yet');
  }
  supports(_api: Api): boolean {
    throw new Error('not built yet');
  }
  sendRequest<A extends Api>(
    api: A,
    request: RequestOf<A>,
    options: SendOptions & { readonly awaitResponse: false },
  ): Promise<undefined>;
  sendRequest<A extends Api>(api: A, request: RequestOf<A>, options?: SendOptions): Promise<ResponseOf<A>>;
  sendRequest(_api: Api, _request: unknown, _options?: SendOptions): Promise<unknown> {
    throw new Error('not built yet');
  }
  sendRequestWithPriority<A extends Api>(
    api: A,
    request: RequestOf<A>,
    priority: RequestPriority,
    options: SendOptions & { readonly awaitResponse: false },
  ): Promise<undefined>;
  sendRequestWithPriority<A extends Api>(
    api: A,
    request: RequestOf<A>,
    priority: RequestPriority,
    options?: SendOptions,
  ): Promise<ResponseOf<A>>;
  sendRequestWithPriority(
    _api: Api,
    _request: unknown,
    _priority: RequestPriority,
    _options?: SendOptions,
  ): Promise<unknown> {
    throw new Error('not built yet');
  }
  stats(): ConnectionStats {
    throw new Error('not built yet');
  }
  /** Hears once of the end: the error, or undefined after close(). The answer removes the listener. */
  onClose(_listener: (error: KrafkaError | undefined) => void): () => void {
    throw new Error('not built yet');
  }
  close(_options?: CloseOptions): Promise<CloseReport> {
    throw new Error('not built yet');
  }
}
