/** Every API of the protocol by Kafka's name, for `connection.sendRequest(apis.Metadata, { ... })`. */
export * as apis from './protocol/apis/index.js';
export * from './admin/index.js';
export {
  Cluster,
  ClusterMetadata,
  type BrokerNode,
  type ClusterEvents,
  type CoordinatorType,
  type PartitionMetadata,
  type TopicMetadata,
} from './cluster/index.js';
export * from './consumer/index.js';
export * from './krafka.js';
export {
  BrokerConnection,
  BrokerConnectionBundle,
  ConnectionConfig,
  ConnectionPool,
  RequestPriority,
  systemNetworkPorts,
  type AddressHealth,
  type ByteReceiver,
  type ByteStream,
  type CloseOptions,
  type CloseReport,
  type ConnectionOptions,
  type ConnectionPurpose,
  type ConnectionStats,
  type ConnectOptions,
  type Dialer,
  type DialTarget,
  type NetworkPorts,
  type OAuthBearerSaslOptions,
  type OAuthBearerToken,
  type PasswordSaslOptions,
  type SaslContext,
  type SaslConversation,
  type SaslMechanism,
  type SaslOptions,
  // Producers have SendOptions of their own, which are the ones people meet.
  type SendOptions as RequestOptions,
  type TlsOptions,
} from './network/index.js';
export * from './producer/index.js';
export * from './share-consumer/index.js';
export type {
  KrafkaTransactionOptions,
  TransactionalProducerOptions,
  TransactionsOptions,
} from './transactional-producers.js';
export {
  ConsumerRecord,
  errorName,
  isRetriable,
  ZERO_UUID,
  type Api,
  type ErrorName,
  type HeaderValue,
  type ReceivedHeaders,
  type ReceivedHeaderValue,
  type RecordHeaders,
  type RequestOf,
  type ResponseOf,
  type TimestampType,
} from './protocol/index.js';
export {
  Deadline,
  KrafkaAuthenticationError,
  KrafkaBufferFullError,
  KrafkaClosedError,
  KrafkaConfigError,
  KrafkaConnectionError,
  KrafkaError,
  KrafkaFencedError,
  KrafkaProtocolError,
  KrafkaRecordTooLargeError,
  KrafkaSerializationError,
  KrafkaTimeoutError,
  KrafkaUnsupportedFeatureError,
  seededRandom,
  silentLogger,
  systemClock,
  systemRandom,
  TypedEvents,
  type Clock,
  type LogDetails,
  type Logger,
  type Ports,
  type Random,
  type Timer,
} from './support/index.js';
