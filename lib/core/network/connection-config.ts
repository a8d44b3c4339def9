import type { ConnectionOptions } from './connection-options.js';
import type { SaslMechanism } from './sasl/index.js';
import type { TlsSettings } from './tls-settings.js';

/** How brokers are connected to: checked as a whole, frozen, and safe to print. */
export class ConnectionConfig {
  readonly clientId!: string;
  readonly connectionsPerBroker!: number;
  readonly highPriorityChannelCapacity!: number;
  readonly normalPriorityChannelCapacity!: number;
  readonly maxInFlight!: number;
  readonly requestTimeoutMs!: number;
  readonly connectTimeoutMs!: number;
  readonly idleTimeoutMs!: number;
  readonly maxResponseSize!: number;
  readonly reconnectBackoffMs!: number;
  readonly reconnectBackoffMaxMs!: number;
  readonly keepAliveMs!: number;
  readonly tls!: TlsSettings | undefined;
  readonly sasl!: SaslMechanism | undefined;

  /** The options checked and completed; a config is given back as it is. Throws KrafkaConfigError. */
  static from(options?: ConnectionOptions | ConnectionConfig): ConnectionConfig {
    void options;
    throw new Error('not built yet');
  }

  /** The same config but for the options named. Throws KrafkaConfigError. */
  with(changes: ConnectionOptions): ConnectionConfig {
    void changes;
    throw new Error('not built yet');
  }
}
