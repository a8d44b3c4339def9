export { BrokerConnection } from './broker-connection.js';
export type { CloseOptions, CloseReport, ConnectOptions } from './connection-lifetime.js';
export { BrokerConnectionBundle } from './broker-connection-bundle.js';
export { ConnectionConfig } from './connection-config.js';
export type { ConnectionOptions } from './connection-options.js';
export { ConnectionPool, type AddressHealth, type ConnectionPurpose } from './connection-pool.js';
export type { ConnectionStats } from './connection-stats.js';
export type { ByteReceiver, ByteStream, Dialer, DialTarget } from './dialer.js';
export { systemNetworkPorts, type NetworkPorts } from './network-ports.js';
export { RequestPriority } from './request-priority.js';
export type {
  OAuthBearerSaslOptions,
  OAuthBearerToken,
  PasswordSaslOptions,
  SaslContext,
  SaslConversation,
  SaslMechanism,
  SaslOptions,
} from './sasl/index.js';
export type { SendOptions } from './send-options.js';
export { socketDialer } from './socket-dialer.js';
export { TlsSettings, type TlsOptions } from './tls-settings.js';
