import type { BrokerConnection, CloseOptions, CloseReport, ConnectOptions } from './broker-connection.js';
import type { BrokerConnectionBundle } from './broker-connection-bundle.js';
import type { ConnectionConfig } from './connection-config.js';
import type { ConnectionStats } from './connection-stats.js';
import type { NetworkPorts } from './network-ports.js';

/** What a connection is for; the suffix is its owner's id. `data` is a bundle that all share. */
export type ConnectionPurpose = 'data' | `fetch:${string}` | `coordination:${string}`;

/** How many of an address' connections work, of those that are wanted. */
export interface AddressHealth {
  readonly usable: number;
  readonly total: number;
}

/** Every connection of a client, by address and purpose. */
export class ConnectionPool {
  readonly config: ConnectionConfig;

  constructor(config: ConnectionConfig, _ports: Partial<NetworkPorts> = {}) {
    this.config = config;
  }
  /** The connection when it is there and usable. Waits for nothing. */
  ready(_address: string, _purpose: ConnectionPurpose = 'data'): BrokerConnection | undefined {
    throw new Error('not built yet');
  }
  getConnection(
    _address: string,
    _purpose: ConnectionPurpose = 'data',
    _options: ConnectOptions = {},
  ): Promise<BrokerConnection> {
    throw new Error('not built yet');
  }
  getBundle(_address: string, _options: ConnectOptions = {}): Promise<BrokerConnectionBundle> {
    throw new Error('not built yet');
  }
  bundle(_address: string): BrokerConnectionBundle | undefined {
    throw new Error('not built yet');
  }
  release(_purpose: ConnectionPurpose, _options?: CloseOptions): Promise<CloseReport> {
    throw new Error('not built yet');
  }
  health(): ReadonlyMap<string, AddressHealth> {
    throw new Error('not built yet');
  }
  stats(): ConnectionStats {
    throw new Error('not built yet');
  }
  close(_options?: CloseOptions): Promise<CloseReport> {
    throw new Error('not built yet');
  }
}
