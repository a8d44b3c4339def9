import type { BrokerConnection, ConnectionPool, ConnectionPurpose, NetworkPorts } from '../network/index.js';
import type { Deadline, TypedEvents } from '../support/index.js';
import type { BrokerNode, ClusterMetadata, LeaderChange, TopicMetadata } from './cluster-metadata.js';

export type CoordinatorType = 'group' | 'transaction';

export interface WaitOptions {
  readonly deadline: Deadline;
  readonly signal?: AbortSignal | undefined;
}

export interface ClusterOptions {
  readonly brokers: readonly string[];
  readonly pool: ConnectionPool;
  readonly metadataMaxAgeMs?: number;
  readonly allowAutoTopicCreation?: boolean;
}

// The signatures the neighbours build on; the implementation follows in the next commits.
export declare class Cluster {
  constructor(options: ClusterOptions, ports?: Partial<NetworkPorts>);
  readonly pool: ConnectionPool;
  readonly events: TypedEvents<{ metadata: ClusterMetadata }>;
  get metadata(): ClusterMetadata;
  topic(name: string, deadline: Deadline, signal?: AbortSignal): Promise<TopicMetadata>;
  cachedTopic(name: string): TopicMetadata | undefined;
  /** Keeps topics fresh and never evicted until the answer is called: what a consumer holds on to. */
  track(topics: readonly string[]): () => void;
  refresh(topics?: readonly string[]): Promise<ClusterMetadata>;
  leaderMoved(...changes: readonly LeaderChange[]): void;
  suspect(topic: string, partition?: number): void;
  connection(nodeId: number, purpose: ConnectionPurpose, options: WaitOptions): Promise<BrokerConnection>;
  readyConnection(nodeId: number, purpose: ConnectionPurpose): BrokerConnection | undefined;
  anyConnection(options: WaitOptions & { readonly purpose?: ConnectionPurpose }): Promise<BrokerConnection>;
  controller(options: WaitOptions): Promise<BrokerConnection>;
  coordinator(type: CoordinatorType, key: string, options: WaitOptions): Promise<BrokerNode>;
  /** With `node`, forgets only while that node is still the one known. */
  forgetCoordinator(type: CoordinatorType, key: string, node?: BrokerNode): void;
  close(): void;
}
