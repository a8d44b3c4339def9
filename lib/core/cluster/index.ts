export { parseBrokers } from './broker-address.js';
export {
  ClusterMetadata,
  type BrokerNode,
  type ClusterFacts,
  type PartitionMetadata,
  type TopicMetadata,
} from './cluster-metadata.js';
export { Cluster, type AnyConnectionOptions, type ClusterEvents, type ClusterOptions } from './cluster.js';
export type { CoordinatorType } from './coordinators.js';
export type { LeaderChange, MetadataUpdate } from './metadata-update.js';
export { DEFAULT_BACKOFF, outOfTime, retrying, type RetryOptions } from './retrying.js';
export type { WaitOptions } from './shared-lookups.js';
export { within } from './within.js';
