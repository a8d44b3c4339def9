import { KrafkaClosedError, sleep, type KrafkaError } from '../support/index.js';
import { BrokerConnection } from './broker-connection.js';
import type { CloseOptions, CloseReport, ConnectOptions } from './connection-lifetime.js';
import type { ConnectionConfig } from './connection-config.js';
import { sumStats, type ConnectionStats } from './connection-stats.js';
import type { DialBackoff } from './dial-backoff.js';
import type { NetworkPorts } from './network-ports.js';
import { waitFor } from './waiting.js';

type State =
  /** Nobody has wanted it yet, or it was closed because nobody used it, or nobody counts on it any more. */
  | { readonly name: 'resting' }
  /** The one dial that all who want it wait for. */
  | { readonly name: 'dialing'; readonly dial: Promise<BrokerConnection>; readonly attempt: AbortController }
  | { readonly name: 'connected'; readonly connection: BrokerConnection }
  /** Wanted, and lost or never reached; dialed again when it is wanted again. */
  | { readonly name: 'dead' }
  | { readonly name: 'closed'; readonly report: Promise<CloseReport> };

/**
 * One place for one connection, which may come, go and come again. It owns its connection: nobody else closes it.
 *
 * ```
 *   resting ── wanted ──► dialing ──► connected ── lost ──► dead ── wanted ──► dialing
 *      ▲                     └── failed ──────────────────►  │
 *      ├───────────────────────── idle ◄── connected         ├ (the address is left alone for its backoff first)
 *      └───────────────────────────────────── rest() ────────┘
 * ```
 */
export class ConnectionSlot {
  readonly #address: string;
  readonly #config: ConnectionConfig;
  readonly #ports: NetworkPorts;
  readonly #backoff: DialBackoff;
  #state: State = { name: 'resting' };
  /** What the connections did that this place has seen the end of. */
  #past: ConnectionStats = sumStats([]);

  constructor(address: string, config: ConnectionConfig, ports: NetworkPorts, backoff: DialBackoff) {
    this.#address = address;
    this.#config = config;
    this.#ports = ports;
    this.#backoff = backoff;
  }

  /** The connection, when it is there and usable. */
  get connection(): BrokerConnection | undefined {
    const state = this.#state;
    return state.name === 'connected' && state.connection.usable ? state.connection : undefined;
  }

  /** True while somebody counts on it: it was asked for, and not given up for idleness since. */
  get wanted(): boolean {
    return this.#state.name !== 'resting' && this.#state.name !== 'closed';
  }

  /** Lets a dead or resting connection be dialed in the background. */
  want(): void {
    // Who wants it will hear of the failure when they ask for it themselves.
    if (this.connection === undefined && this.#state.name !== 'closed') this.#dial().catch(() => undefined);
  }

  /** Nobody counts on it any more, where it is dead; one that works, or is being dialed, is somebody's. */
  rest(): void {
    if (this.#state.name === 'dead') this.#state = { name: 'resting' };
  }

  /**
   * The connection, dialed when it isn't there: once the address' backoff is over, and once for all who ask meanwhile.
   * Rejects when that one attempt fails; trying again is for whoever owns the deadline.
   */
  open(options: ConnectOptions = {}): Promise<BrokerConnection> {
    if (this.#state.name === 'closed') {
      return Promise.reject(new KrafkaClosedError(`the connection to ${this.#address}`));
    }
    const { connection } = this;
    if (connection !== undefined) return Promise.resolve(connection);
    return waitFor(this.#dial(), `a connection to ${this.#address}`, this.#ports.clock, options);
  }

  stats(): ConnectionStats {
    const state = this.#state;
    return state.name === 'connected' ? sumStats([this.#past, state.connection.stats()]) : this.#past;
  }

  close(options?: CloseOptions): Promise<CloseReport> {
    const state = this.#state;
    if (state.name === 'closed') return state.report;
    const report =
      state.name === 'connected' ? state.connection.close(options) : Promise.resolve<CloseReport>({ abandoned: 0 });
    this.#state = { name: 'closed', report };
    if (state.name === 'dialing') state.attempt.abort(new KrafkaClosedError(`the connection to ${this.#address}`));
    return report;
  }

  #dial(): Promise<BrokerConnection> {
    if (this.#state.name === 'dialing') return this.#state.dial;
    const attempt = new AbortController();
    const dial = this.#attempt(attempt.signal);
    this.#state = { name: 'dialing', dial, attempt };
    return dial;
  }

  async #attempt(signal: AbortSignal): Promise<BrokerConnection> {
    try {
      const restMs = this.#backoff.remainingMs;
      if (restMs > 0) await sleep(this.#ports.clock, restMs, signal);
      const connection = await BrokerConnection.connect(this.#address, this.#config, this.#ports, { signal });
      if (signal.aborted) {
        await connection.close({ timeoutMs: 0 });
        throw signal.reason;
      }
      this.#backoff.succeeded(() => connection.stats().responseCount > 0);
      this.#state = { name: 'connected', connection };
      connection.onClose((error) => this.#onClose(connection, error));
      return connection;
    } catch (error) {
      if (this.#state.name === 'dialing') {
        this.#backoff.failed();
        this.#state = { name: 'dead' };
        this.#ports.logger.debug('a broker could not be reached', { address: this.#address, error });
      }
      throw error;
    }
  }

  #onClose(connection: BrokerConnection, error: KrafkaError | undefined): void {
    const stats = connection.stats();
    this.#past = sumStats([this.#past, stats]);
    if (this.#state.name !== 'connected' || this.#state.connection !== connection) return;
    this.#state = { name: error === undefined ? 'resting' : 'dead' };
    if (error === undefined) return;
    // A broker that takes connections only to drop them is not to be dialed in a tight loop.
    if (stats.responseCount === 0) this.#backoff.failed();
    this.#ports.logger.debug('a connection was lost', { address: this.#address, error });
  }
}
