import { seededRandom, silentLogger } from '../../support/index.js';
import { BrokerConnection } from '../broker-connection.js';
import { ConnectionConfig } from '../connection-config.js';
import type { ConnectionOptions } from '../connection-options.js';
import type { NetworkPorts } from '../network-ports.js';
import { FakeClock } from './fake-clock.js';
import { MemoryDialer, type MemoryPeer } from './memory-dialer.js';
import { ScriptedBroker, type Script } from './scripted-broker.js';

/** Where the broker of a {@link Simulation} listens. */
export const ADDRESS = 'broker:9092';

/** A clock that stands still, a network without sockets, and one broker that does as it is told. */
export class Simulation {
  readonly clock = new FakeClock();
  readonly dialer = new MemoryDialer();
  readonly broker: ScriptedBroker;
  readonly ports: NetworkPorts;

  constructor(script?: Script) {
    this.broker = new ScriptedBroker(script);
    this.dialer.listen(ADDRESS, this.broker.serve);
    this.ports = { clock: this.clock, dialer: this.dialer, random: seededRandom(1), logger: silentLogger };
  }

  connect(options: ConnectionOptions = {}): Promise<BrokerConnection> {
    return BrokerConnection.connect(ADDRESS, ConnectionConfig.from(options), this.ports);
  }

  /** The broker's end of the newest stream. */
  get peer(): MemoryPeer {
    return this.dialer.peers.at(-1) as MemoryPeer;
  }
}

/** What a promise has come to by now. */
export async function outcome<T>(promise: Promise<T>): Promise<T | Error | 'pending'> {
  return await Promise.race([
    promise.catch((error: Error) => error),
    new Promise<'pending'>((resolve) => setImmediate(() => setImmediate(() => resolve('pending')))),
  ]);
}
