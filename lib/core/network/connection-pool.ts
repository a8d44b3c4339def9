import { checkCloseTimeout, KrafkaClosedError } from '../support/index.js';
import type { BrokerConnection } from './broker-connection.js';
import { DEFAULT_CLOSE_MS, type CloseOptions, type CloseReport, type ConnectOptions } from './connection-lifetime.js';
import { BrokerConnectionBundle, dialBackoff } from './broker-connection-bundle.js';
import { ConnectionConfig } from './connection-config.js';
import { ConnectionSlot } from './connection-slot.js';
import { sumStats, type ConnectionStats } from './connection-stats.js';
import type { DialBackoff } from './dial-backoff.js';
import { systemNetworkPorts, type NetworkPorts } from './network-ports.js';

/**
 * What a connection is for. `data` is a bundle that all share. The others are single connections of one owner, whose
 * id is the suffix: a long poll (`fetch`) blocks only itself, and a heartbeat (`coordination`) stands behind nobody.
 */
export type ConnectionPurpose = 'data' | `fetch:${string}` | `coordination:${string}`;

/** How many of an address' connections work, of those that somebody counts on. */
export interface AddressHealth {
  readonly usable: number;
  readonly total: number;
}

/** Everything about one address. */
interface AddressConnections {
  readonly backoff: DialBackoff;
  bundle: BrokerConnectionBundle | undefined;
  readonly slots: Map<ConnectionPurpose, ConnectionSlot>;
  /** Whether no broker is known to be there any more: what is lost there is not missed. */
  left: boolean;
}

/**
 * Every connection of a client, by address and purpose. It alone dials, replaces and closes them: whoever is given one
 * borrows it.
 *
 * An address that does not answer is left alone for a while (`reconnectBackoffMs`), by all purposes together, and
 * delays no other address. Nothing is dialed that nobody has asked for.
 */
export class ConnectionPool {
  readonly config: ConnectionConfig;
  readonly #ports: NetworkPorts;
  readonly #addresses = new Map<string, AddressConnections>();
  /** What connections did that were released. */
  #past: ConnectionStats = sumStats([]);
  #report: Promise<CloseReport> | undefined;

  /** `ports` are the machine's own where not given. Nothing is dialed yet. */
  constructor(config: ConnectionConfig = ConnectionConfig.from(), ports: Partial<NetworkPorts> = {}) {
    this.config = ConnectionConfig.from(config);
    this.#ports = { ...systemNetworkPorts, ...ports };
  }

  /** A connection that is there and usable: one of the bundle in turn, or the owner's own. Waits for nothing. */
  ready(address: string, purpose: ConnectionPurpose = 'data'): BrokerConnection | undefined {
    const at = this.#addresses.get(address);
    return purpose === 'data' ? at?.bundle?.ready() : at?.slots.get(purpose)?.connection;
  }

  /**
   * A usable connection, dialed when there is none: one attempt, after the address' backoff, shared by all who want the
   * same. Rejects as `BrokerConnection.connect` does, with the deadline's error, or with KrafkaClosedError; trying
   * again is for whoever owns the deadline.
   */
  async getConnection(
    address: string,
    purpose: ConnectionPurpose = 'data',
    options: ConnectOptions = {},
  ): Promise<BrokerConnection> {
    if (purpose === 'data') return (await this.getBundle(address, options)).select();
    const { slots, backoff } = this.#at(address);
    let slot = slots.get(purpose);
    if (slot === undefined) {
      slot = new ConnectionSlot(address, this.config, this.#ports, backoff);
      slots.set(purpose, slot);
    }
    return await slot.open(options);
  }

  /** The address' bundle, with at least one usable member. Rejects as {@link getConnection}. */
  async getBundle(address: string, options: ConnectOptions = {}): Promise<BrokerConnectionBundle> {
    const at = this.#at(address);
    at.bundle ??= new BrokerConnectionBundle(address, this.config, this.#ports, at.backoff);
    await at.bundle.open(options);
    return at.bundle;
  }

  /** The address' bundle, when somebody has asked for it before. */
  bundle(address: string): BrokerConnectionBundle | undefined {
    return this.#addresses.get(address)?.bundle;
  }

  /** Closes every connection of one owner, at all addresses side by side; others are untouched. */
  async release(purpose: Exclude<ConnectionPurpose, 'data'>, options?: CloseOptions): Promise<CloseReport> {
    checkCloseTimeout(options, DEFAULT_CLOSE_MS);
    const released: ConnectionSlot[] = [];
    for (const { slots } of this.#addresses.values()) {
      const slot = slots.get(purpose);
      if (slot === undefined) continue;
      slots.delete(purpose);
      released.push(slot);
    }
    const reports = await Promise.all(released.map((slot) => slot.close(options)));
    this.#past = sumStats([this.#past, ...released.map((slot) => slot.stats())]);
    return total(reports);
  }

  /** Closes one owner's connection to one address at once, whatever is under way on it; it is dialed anew when it is wanted. */
  drop(address: string, purpose: Exclude<ConnectionPurpose, 'data'>): void {
    const slots = this.#addresses.get(address)?.slots;
    const slot = slots?.get(purpose);
    if (slot === undefined) return;
    slots?.delete(purpose);
    void slot.close({ timeoutMs: 0 });
    this.#past = sumStats([this.#past, slot.stats()]);
  }

  /**
   * The broker at this address is gone for all that is known. What works there goes on; what is dead, or dies from now on,
   * is neither counted on nor dialed again, and nothing is kept of an address that has no connection left: brokers may
   * change their addresses all the time. Whoever asks for the address has it dialed as any other.
   */
  forget(address: string): void {
    const at = this.#addresses.get(address);
    if (at === undefined) return;
    at.left = true;
    for (const [other, one] of this.#addresses) if (one.left) this.#letRest(other, one);
  }

  /** There is a broker at this address again. */
  remember(address: string): void {
    const at = this.#addresses.get(address);
    if (at !== undefined) at.left = false;
  }

  /**
   * How many connections of each address are usable, of how many that somebody counts on; addresses that all have been
   * left for idleness, or by their broker, are not there. Whatever is dead is dialed in the background: being asked after is being wanted.
   */
  health(): ReadonlyMap<string, AddressHealth> {
    const health = new Map<string, AddressHealth>();
    for (const [address, at] of this.#addresses) {
      const { bundle, slots } = at;
      if (at.left) this.#letRest(address, at);
      const wanted = [...slots.values()].filter((slot) => slot.wanted);
      const usable = wanted.filter((slot) => slot.connection !== undefined).length + (bundle?.usableCount ?? 0);
      const all = wanted.length + (bundle?.wantedCount ?? 0);
      if (all > 0) health.set(address, { usable, total: all });
      bundle?.want();
      for (const slot of wanted) slot.want();
    }
    return health;
  }

  /** The sum over all connections, past ones included. */
  stats(): ConnectionStats {
    const stats = [this.#past];
    for (const { bundle, slots } of this.#addresses.values()) {
      if (bundle !== undefined) stats.push(bundle.stats());
      for (const slot of slots.values()) stats.push(slot.stats());
    }
    return sumStats(stats);
  }

  /**
   * Closes everything side by side, each as `BrokerConnection.close` does, and answers how many requests were left
   * unanswered. Attempts to connect are given up. Closing twice is closing once.
   *
   * @throws KrafkaConfigError at once, when the options are wrong
   */
  close(options?: CloseOptions): Promise<CloseReport> {
    checkCloseTimeout(options, DEFAULT_CLOSE_MS);
    this.#report ??= this.#close(options);
    return this.#report;
  }

  async #close(options: CloseOptions | undefined): Promise<CloseReport> {
    const closing: Promise<CloseReport>[] = [];
    for (const { bundle, slots } of this.#addresses.values()) {
      if (bundle !== undefined) closing.push(bundle.close(options));
      for (const slot of slots.values()) closing.push(slot.close(options));
    }
    const report = total(await Promise.all(closing));
    if (report.abandoned > 0)
      this.#ports.logger.warn('the connection pool closed on unanswered requests', { ...report });
    return report;
  }

  /** Nothing dead is counted on at an address that was left; and when nothing else is there, nothing is kept of it. */
  #letRest(address: string, { bundle, slots }: AddressConnections): void {
    bundle?.rest();
    for (const slot of slots.values()) slot.rest();
    if ((bundle?.wantedCount ?? 0) > 0 || [...slots.values()].some((slot) => slot.wanted)) return;
    this.#addresses.delete(address);
    const gone = [...slots.values()].map((slot) => slot.stats());
    this.#past = sumStats([this.#past, ...gone, ...(bundle === undefined ? [] : [bundle.stats()])]);
  }

  #at(address: string): AddressConnections {
    if (this.#report !== undefined) throw new KrafkaClosedError('the connection pool');
    let at = this.#addresses.get(address);
    if (at === undefined) {
      at = { backoff: dialBackoff(this.config, this.#ports), bundle: undefined, slots: new Map(), left: false };
      this.#addresses.set(address, at);
    }
    at.left = false;
    return at;
  }
}

function total(reports: readonly CloseReport[]): CloseReport {
  return { abandoned: reports.reduce((sum, { abandoned }) => sum + abandoned, 0) };
}
