import type { SaslOptions } from './sasl/index.js';
import type { TlsOptions, TlsSettings } from './tls-settings.js';

/** How brokers are connected to; the one argument of `ConnectionConfig.from`. */
export interface ConnectionOptions {
  /** The name this client gives itself in every request: quotas and broker logs go by it. Default `krafka`. */
  readonly clientId?: string;
  /** Sockets per broker for data, 1 to 64. Default 1. */
  readonly connectionsPerBroker?: number;
  /**
   * Places in a connection's high-priority channel. A request that comes when they are taken waits behind them, in order and
   * within its own time limit; `stats()` counts it as waiting. Default 64.
   */
  readonly highPriorityChannelCapacity?: number;
  /** Places in a connection's normal-priority channel, as of the other. Default 256. */
  readonly normalPriorityChannelCapacity?: number;
  /** Normal-priority requests written to a connection and not yet answered, at most. Default 5. */
  readonly maxInFlight?: number;
  /** How long a broker may take to answer a request, in milliseconds from its writing. Default 30,000. */
  readonly requestTimeoutMs?: number;
  /** How long a connection may take to become usable: TCP, TLS, versions and SASL together. Default 10,000. */
  readonly connectTimeoutMs?: number;
  /** After how long without a request a connection is closed, in milliseconds; 0 for never. Default 540,000. */
  readonly idleTimeoutMs?: number;
  /** The largest answer that is accepted, in bytes. Default 100 MiB. */
  readonly maxResponseSize?: number;
  /** How long to leave an address alone after a failed attempt, doubling up to the maximum, with jitter. Default 50. */
  readonly reconnectBackoffMs?: number;
  /** The most that grows to, in milliseconds. Default 1,000. */
  readonly reconnectBackoffMaxMs?: number;
  /** How long a socket is silent before TCP asks whether the peer is there, in milliseconds; 0 for never. Default 30,000. */
  readonly keepAliveMs?: number;
  /** `true`, or Node's TLS options; the broker's certificate is verified unless `rejectUnauthorized` is false. Default false. */
  readonly tls?: boolean | TlsOptions | TlsSettings;
  /** Who we are to the brokers. Default: nobody. */
  readonly sasl?: SaslOptions;
}
