import type { BrokerConnection, CloseOptions, CloseReport, ConnectOptions } from './broker-connection.js';
import type { ConnectionConfig } from './connection-config.js';
import type { ConnectionStats } from './connection-stats.js';
import type { NetworkPorts } from './network-ports.js';

/** `connectionsPerBroker` sockets to one broker. */
export class BrokerConnectionBundle {
  static connect(
    _address: string,
    _config?: ConnectionConfig,
    _ports?: Partial<NetworkPorts>,
    _options?: ConnectOptions,
  ): Promise<BrokerConnectionBundle> {
    throw new Error('not built yet');
  }
  readonly address!: string;
  /** `connectionsPerBroker`. */
  readonly length!: number;
  get usableCount(): number {
    throw new Error('not built yet');
  }
  /** The next usable member, in turn. Throws a retriable KrafkaConnectionError when there is none. */
  select(): BrokerConnection {
    throw new Error('not built yet');
  }
  /** The member at a place, when it is usable; a dead one is redialed in the background. */
  get(_index: number): BrokerConnection | undefined {
    throw new Error('not built yet');
  }
  /** The member at a place, redialed when it is dead: what partition affinity waits for. One attempt. */
  connection(_index: number, _options?: ConnectOptions): Promise<BrokerConnection> {
    throw new Error('not built yet');
  }
  stats(): ConnectionStats {
    throw new Error('not built yet');
  }
  close(_options?: CloseOptions): Promise<CloseReport> {
    throw new Error('not built yet');
  }
}
