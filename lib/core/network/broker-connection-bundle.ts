import { checkCloseTimeout, KrafkaClosedError, KrafkaConnectionError } from '../support/index.js';
import type { BrokerConnection } from './broker-connection.js';
import { DEFAULT_CLOSE_MS, type CloseOptions, type CloseReport, type ConnectOptions } from './connection-lifetime.js';
import { ConnectionConfig } from './connection-config.js';
import { ConnectionSlot } from './connection-slot.js';
import { sumStats, type ConnectionStats } from './connection-stats.js';
import { DialBackoff } from './dial-backoff.js';
import { systemNetworkPorts, type NetworkPorts } from './network-ports.js';
import { waitFor } from './waiting.js';

/**
 * `connectionsPerBroker` sockets to one broker. A broker works on one request a connection at a time, so several carry
 * more; whoever needs order stays on one of them (`get(i)`).
 *
 * A member that dies is dialed again when somebody comes across it, after the address' backoff, and nobody who uses
 * the others notices. The number of members never changes.
 */
export class BrokerConnectionBundle {
  readonly address: string;
  readonly #ports: NetworkPorts;
  readonly #slots: readonly ConnectionSlot[];
  #next = 0;
  #closed = false;

  /** A bundle with no connection yet: {@link open} dials. A pool gives its own `backoff`, shared by the address. */
  constructor(address: string, config: ConnectionConfig, ports: NetworkPorts, backoff: DialBackoff) {
    this.address = address;
    this.#ports = ports;
    this.#slots = Array.from(
      { length: config.connectionsPerBroker },
      () => new ConnectionSlot(address, config, ports, backoff),
    );
  }

  /**
   * Dials all members at once and waits for each to succeed or fail. Rejects as `BrokerConnection.connect` does when
   * none succeeds; a member that fails beside others is dialed again later.
   */
  static async connect(
    address: string,
    config?: ConnectionConfig,
    ports: Partial<NetworkPorts> = {},
    options: ConnectOptions = {},
  ): Promise<BrokerConnectionBundle> {
    const checked = ConnectionConfig.from(config);
    const all = { ...systemNetworkPorts, ...ports };
    const bundle = new BrokerConnectionBundle(address, checked, all, dialBackoff(checked, all));
    try {
      const dials = await Promise.allSettled(bundle.#slots.map((slot) => slot.open(options)));
      const failed = dials.find((dial) => dial.status === 'rejected');
      if (bundle.usableCount === 0 && failed !== undefined) throw failed.reason;
      return bundle;
    } catch (error) {
      await bundle.close({ timeoutMs: 0 });
      throw error;
    }
  }

  /** How many members there are, dead ones included: `connectionsPerBroker`. */
  get length(): number {
    return this.#slots.length;
  }

  /** How many members can be used now. */
  get usableCount(): number {
    let count = 0;
    for (const slot of this.#slots) if (slot.connection !== undefined) count++;
    return count;
  }

  /** How many members somebody counts on: all that were dialed and not given up for idleness. */
  get wantedCount(): number {
    return this.#slots.filter((slot) => slot.wanted).length;
  }

  /** The next usable member, in turn. Throws a retriable KrafkaConnectionError when there is none. */
  select(): BrokerConnection {
    const connection = this.ready();
    if (connection !== undefined) return connection;
    if (this.#closed) throw new KrafkaClosedError(`the bundle to ${this.address}`);
    throw new KrafkaConnectionError(this.address, `none of ${this.length} connections is usable`);
  }

  /** As {@link select}, but undefined when there is none. */
  ready(): BrokerConnection | undefined {
    const slots = this.#slots;
    for (let tried = 0; tried < slots.length; tried++) {
      const slot = slots[this.#next] as ConnectionSlot;
      this.#next = (this.#next + 1) % slots.length;
      const { connection } = slot;
      if (connection !== undefined) return connection;
      slot.want();
    }
    return undefined;
  }

  /** The member at a place, when it is usable; otherwise it is dialed in the background. */
  get(index: number): BrokerConnection | undefined {
    const slot = this.#slots[index];
    const connection = slot?.connection;
    if (connection === undefined) slot?.want();
    return connection;
  }

  /** The member at a place, dialed when it is dead: what partition affinity waits for. Rejects when the attempt fails. */
  async connection(index: number, options: ConnectOptions = {}): Promise<BrokerConnection> {
    const slot = this.#slots[index];
    if (slot === undefined) throw new RangeError(`a bundle of ${this.length} has no connection ${index}`);
    return await slot.open(options);
  }

  /** Waits until at least one member is usable; dials all that are not. Rejects when every attempt fails. */
  async open(options: ConnectOptions = {}): Promise<void> {
    if (this.usableCount > 0) return;
    const first = Promise.any(this.#slots.map((slot) => slot.open())).catch((error: AggregateError) => {
      throw error.errors[0];
    });
    await waitFor(first, `a connection to ${this.address}`, this.#ports.clock, options);
  }

  /** Dials in the background whatever is dead. */
  want(): void {
    for (const slot of this.#slots) if (slot.wanted) slot.want();
  }

  /** Nobody counts on what is dead any more. */
  rest(): void {
    for (const slot of this.#slots) slot.rest();
  }

  /** The sum over the members, past ones included. */
  stats(): ConnectionStats {
    return sumStats(this.#slots.map((slot) => slot.stats()));
  }

  /** Closes all members side by side, as `BrokerConnection.close` does. */
  async close(options?: CloseOptions): Promise<CloseReport> {
    checkCloseTimeout(options, DEFAULT_CLOSE_MS);
    this.#closed = true;
    const reports = await Promise.all(this.#slots.map((slot) => slot.close(options)));
    return { abandoned: reports.reduce((sum, { abandoned }) => sum + abandoned, 0) };
  }
}

/** The backoff of one address by the config's options. */
export function dialBackoff(config: ConnectionConfig, ports: NetworkPorts): DialBackoff {
  return new DialBackoff(
    { baseMs: config.reconnectBackoffMs, capMs: config.reconnectBackoffMaxMs },
    ports.clock,
    ports.random,
  );
}
