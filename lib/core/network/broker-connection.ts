import type { Api, RequestOf, ResponseOf } from '../protocol/index.js';
import {
  checkCloseTimeout,
  describe,
  KrafkaClosedError,
  KrafkaConfigError,
  KrafkaConnectionError,
  KrafkaTimeoutError,
  TypedEvents,
  type Deadline,
  type KrafkaError,
  type Timer,
} from '../support/index.js';
import { splitAddress } from './address.js';
import type { BrokerVersions } from './broker-versions.js';
import { ConnectionConfig } from './connection-config.js';
import { connectionFault, hungUp, oldestError, siblingsError } from './connection-fault.js';
import {
  DEFAULT_CLOSE_MS,
  type CloseOptions,
  type CloseReport,
  type ConnectOptions,
  type Ending,
} from './connection-lifetime.js';
import type { ConnectionStats } from './connection-stats.js';
import type { ByteReceiver } from './dialer.js';
import { FrameReader } from './frame-reader.js';
import { Handshake } from './handshake.js';
import { systemNetworkPorts, type NetworkPorts } from './network-ports.js';
import { PendingRequest } from './pending-request.js';
import { RequestPipeline } from './request-pipeline.js';
import { priorityOf, RequestPriority } from './request-priority.js';
import type { SendOptions } from './send-options.js';

/** What opens a connection is short; nobody who has not proved to be a broker is given more memory than that. */
const OPENING_FRAME_BYTES = 1024 * 1024;

type State =
  /** Dialing, asking for versions, authenticating. */
  | { readonly name: 'opening' }
  | { readonly name: 'ready'; readonly versions: BrokerVersions }
  /** Takes nothing new; what was accepted before is still seen to. */
  | { readonly name: 'closing'; readonly versions: BrokerVersions | undefined }
  | { readonly name: 'closed'; readonly versions: BrokerVersions | undefined; readonly ending: Ending };

/**
 * One socket to one broker, ready for requests: versions negotiated, authenticated.
 *
 * It reads no error codes in answers, except those of its own opening, and `throttleTimeMs` (KIP-219), for which it
 * falls silent altogether: the broker reads nothing from it meanwhile, heartbeats included.
 *
 * When the network or the broker fails it, it closes: everything in flight and waiting is rejected with a typed error,
 * retriable but for what is the request's own fault. It never reconnects; bundles and pools do.
 */
export class BrokerConnection {
  readonly address: string;
  readonly #config: ConnectionConfig;
  readonly #ports: NetworkPorts;
  readonly #reader: FrameReader;
  readonly #pipeline: RequestPipeline;
  readonly #handshake: Handshake;
  /** Aborted at the end, with the reason, so that neither a dial nor a token provider outlives the connection. */
  readonly #lifetime = new AbortController();
  #state: State = { name: 'opening' };
  #events = new TypedEvents<{ close: KrafkaError | undefined }>();
  #report: Promise<CloseReport> | undefined;
  #abandonedAtClose = 0;

  private constructor(address: string, config: ConnectionConfig, ports: NetworkPorts) {
    this.address = address;
    this.#config = config;
    this.#ports = ports;
    this.#pipeline = new RequestPipeline(address, config, ports.clock, {
      onFault: (error) => this.#end({ kind: 'fault', error }),
      onIdle: () => this.#end({ kind: 'idle' }),
      onRenewalDue: () => void this.#renew(),
    });
    this.#reader = new FrameReader(address, Math.min(OPENING_FRAME_BYTES, config.maxResponseSize), this.#pipeline);
    this.#handshake = new Handshake(address, config, ports, this.#pipeline, this.#lifetime.signal);
  }

  /**
   * Opens a connection to `host:port`, within `connectTimeoutMs` altogether.
   *
   * Throws KrafkaConnectionError (unreachable, or no Kafka there), KrafkaAuthenticationError, KrafkaTimeoutError,
   * KrafkaProtocolError (no common language), KrafkaConfigError (the address is none), or the signal's reason.
   */
  static async connect(
    address: string,
    config?: ConnectionConfig,
    ports: Partial<NetworkPorts> = {},
    options: ConnectOptions = {},
  ): Promise<BrokerConnection> {
    const connection = new BrokerConnection(address, ConnectionConfig.from(config), {
      ...systemNetworkPorts,
      ...ports,
    });
    await connection.#open(options);
    return connection;
  }

  /** False once it is closing or closed. */
  get usable(): boolean {
    return this.#state.name === 'ready';
  }

  /** Requests written and not yet answered. */
  get inFlight(): number {
    return this.#pipeline.inFlight;
  }

  /** Finalized features of the cluster by name, with their level (KIP-584), as of the opening. */
  get brokerFeatures(): ReadonlyMap<string, number> {
    return this.#versions.features;
  }

  /** The highest common version. Throws KrafkaProtocolError (`UNSUPPORTED_VERSION`) that names both ranges. */
  versionOf(api: Api): number {
    return this.#versions.versionOf(api);
  }

  /** True when there is a common version. */
  supports(api: Api): boolean {
    return this.#versions.supports(api);
  }

  /**
   * Sends a request and answers with the broker's response, whatever error codes are in it; high priority for
   * heartbeats, Metadata, FindCoordinator and the like, normal for the rest.
   *
   * The request must not be changed before it is settled. Rejects with KrafkaProtocolError (`UNSUPPORTED_VERSION`,
   * `INVALID_REQUEST`, `MALFORMED`), KrafkaTimeoutError, KrafkaConnectionError, KrafkaClosedError, or the signal's
   * reason. With `awaitResponse: false` it resolves to undefined once the request has left.
   */
  sendRequest<A extends Api>(
    api: A,
    request: RequestOf<A>,
    options: SendOptions & { readonly awaitResponse: false },
  ): Promise<undefined>;
  sendRequest<A extends Api>(api: A, request: RequestOf<A>, options?: SendOptions): Promise<ResponseOf<A>>;
  sendRequest(api: Api, request: unknown, options?: SendOptions): Promise<unknown> {
    return this.#send(api, request, undefined, options);
  }

  /** As {@link sendRequest}, in the channel that the caller chooses. */
  sendRequestWithPriority<A extends Api>(
    api: A,
    request: RequestOf<A>,
    priority: RequestPriority,
    options: SendOptions & { readonly awaitResponse: false },
  ): Promise<undefined>;
  sendRequestWithPriority<A extends Api>(
    api: A,
    request: RequestOf<A>,
    priority: RequestPriority,
    options?: SendOptions,
  ): Promise<ResponseOf<A>>;
  sendRequestWithPriority(
    api: Api,
    request: unknown,
    priority: RequestPriority,
    options?: SendOptions,
  ): Promise<unknown> {
    return this.#send(api, request, priority, options);
  }

  stats(): ConnectionStats {
    return this.#pipeline.stats();
  }

  /**
   * Hears once of the end: of the error, or of undefined after `close()` or idleness. A listener that comes late hears
   * of it at once. The answer removes the listener.
   */
  onClose(listener: (error: KrafkaError | undefined) => void): () => void {
    const remove = this.#events.on('close', listener);
    if (this.#state.name === 'closed') this.#tellListeners(this.#state.ending);
    return remove;
  }

  /**
   * Takes no more requests, waits up to `timeoutMs` for those it has, fails the rest with KrafkaClosedError, and
   * answers how many those were. Closing twice is closing once. Borrowers of a pool's connection never call it.
   *
   * @throws KrafkaConfigError at once, when the options are wrong
   */
  close(options: CloseOptions = {}): Promise<CloseReport> {
    const timeoutMs = checkCloseTimeout(options, DEFAULT_CLOSE_MS);
    this.#report ??= this.#finish(timeoutMs);
    return this.#report;
  }

  get #versions(): BrokerVersions {
    // Nobody has a connection before it was ready, or it was closed without ever having been.
    return (this.#state as Extract<State, { name: 'ready' }>).versions;
  }

  #send(
    api: Api,
    request: unknown,
    given: RequestPriority | undefined,
    options: SendOptions | undefined,
  ): Promise<unknown> {
    if (this.#state.name !== 'ready') return Promise.reject(this.#refusal());
    const wrong = wrongCall(api, given);
    if (wrong !== undefined) return Promise.reject(wrong);
    const priority = given ?? priorityOf(api);
    if (options?.timeoutMs !== undefined && !(options.timeoutMs >= 0 && options.timeoutMs < Infinity)) {
      return Promise.reject(
        new KrafkaConfigError('timeoutMs', `must be a number of milliseconds, got ${options.timeoutMs}`),
      );
    }
    let version: number;
    try {
      version = this.#state.versions.pick(api, options);
    } catch (error) {
      return Promise.reject(error);
    }
    const { requestTimeoutMs } = this.#config;
    return this.#pipeline.submit(
      new PendingRequest(api, version, request, priority, options, requestTimeoutMs, this.#pipeline),
    );
  }

  /** Why nothing can be sent any more. */
  #refusal(): KrafkaError {
    const ending = this.#state.name === 'closed' ? this.#state.ending : undefined;
    switch (ending?.kind) {
      case 'fault':
        return new KrafkaConnectionError(this.address, 'the connection is closed', { cause: ending.error });
      case 'idle':
        return new KrafkaConnectionError(this.address, 'the connection was closed after idleTimeoutMs');
      default:
        return new KrafkaClosedError(`the connection to ${this.address}`);
    }
  }

  async #open(options: ConnectOptions): Promise<void> {
    splitAddress(this.address);
    options.signal?.throwIfAborted();
    const onAbort = (): void => this.#end({ kind: 'owner' }, options.signal?.reason);
    options.signal?.addEventListener('abort', onAbort);
    const timer = this.#limit(options.deadline);
    try {
      const versions = await this.#unlessEnded(this.#handshake.open(this.#receiver()));
      this.#reader.limit(this.#config.maxResponseSize);
      this.#state = { name: 'ready', versions };
      this.#pipeline.flow();
    } catch (error) {
      this.#end({ kind: 'fault', error: this.#lost(this.#handshake.doing, error) });
      throw this.#lifetime.signal.reason;
    } finally {
      timer.cancel();
      options.signal?.removeEventListener('abort', onAbort);
    }
  }

  /** Before the broker ends the session. */
  async #renew(): Promise<void> {
    let timer: Timer | undefined;
    try {
      // What is in flight has time limits of its own: a slow answer is not a slow renewal.
      await this.#unlessEnded(this.#pipeline.hold());
      timer = this.#limit();
      await this.#unlessEnded(this.#handshake.renew(this.#versions));
      this.#pipeline.flow();
    } catch (error) {
      this.#end({ kind: 'fault', error: this.#lost(this.#handshake.doing, error) });
    } finally {
      timer?.cancel();
    }
  }

  /** Waits for work, but not beyond the end of the connection: a token provider may never come back. */
  async #unlessEnded<T>(work: Promise<T>): Promise<T> {
    const { signal } = this.#lifetime;
    let onEnd: (() => void) | undefined;
    const end = new Promise<never>((_resolve, reject) => {
      onEnd = () => reject(signal.reason as Error);
      signal.addEventListener('abort', onEnd);
    });
    try {
      const done = await Promise.race([work, end]);
      signal.throwIfAborted();
      return done;
    } finally {
      if (onEnd !== undefined) signal.removeEventListener('abort', onEnd);
    }
  }

  /** Ends the connection unless what it does is done in `connectTimeoutMs`, and by the caller's deadline. */
  #limit(deadline?: Deadline): Timer {
    const budgetMs = this.#config.connectTimeoutMs;
    const callersMs = deadline?.remainingMs ?? Infinity;
    return this.#ports.clock.setTimer(Math.min(budgetMs, callersMs), () => {
      const waitedFor = `${this.address}: ${this.#handshake.doing}`;
      const error =
        deadline !== undefined && callersMs < budgetMs
          ? deadline.error(waitedFor)
          : new KrafkaTimeoutError({ budget: 'connectTimeoutMs', budgetMs, waitedFor });
      this.#end({ kind: 'fault', error });
    });
  }

  async #finish(timeoutMs: number): Promise<CloseReport> {
    if (this.#state.name === 'ready') this.#state = { name: 'closing', versions: this.#state.versions };
    if (timeoutMs > 0) {
      const timer = this.#ports.clock.setTimer(timeoutMs, () => this.#end({ kind: 'owner' }));
      await this.#pipeline.drain();
      timer.cancel();
    }
    this.#end({ kind: 'owner' });
    return { abandoned: this.#abandonedAtClose };
  }

  /** The one way to the closed state. `reason` is what whoever waits for the opening is told. */
  #end(ending: Ending, reason: unknown = ending.kind === 'fault' ? ending.error : this.#refusal()): void {
    const state = this.#state;
    if (state.name === 'closed') return;
    this.#state = { name: 'closed', versions: state.name === 'opening' ? undefined : state.versions, ending };
    this.#reader.stop();
    this.#lifetime.abort(reason);
    const abandoned =
      ending.kind === 'fault'
        ? this.#pipeline.close(siblingsError(ending.error, this.address), oldestError(ending.error, this.address))
        : this.#pipeline.close(this.#refusal());
    if (state.name === 'closing') this.#abandonedAtClose = abandoned;
    this.#tellListeners(ending);
  }

  #tellListeners(ending: Ending): void {
    const told = this.#events;
    this.#events = new TypedEvents();
    told.emit('close', ending.kind === 'fault' ? ending.error : undefined);
  }

  #receiver(): ByteReceiver {
    const reader = this.#reader;
    const onUnreadable = (error: unknown): void =>
      this.#end({ kind: 'fault', error: connectionFault(this.address, 'reading', error) });
    return {
      space: () => reader.space(),
      filled: (count) => {
        try {
          reader.filled(count);
        } catch (error) {
          onUnreadable(error);
        }
      },
      received: (chunk) => {
        try {
          reader.received(chunk);
        } catch (error) {
          onUnreadable(error);
        }
      },
      drained: () => this.#pipeline.onDrained(),
      closed: (error) => this.#end({ kind: 'fault', error: this.#lost('the connection', error) }),
    };
  }

  #lost(doing: string, error: unknown): KrafkaError {
    if (error !== undefined && !hungUp(error)) return connectionFault(this.address, doing, error);
    const how = error instanceof Error ? ` (${error.message})` : '';
    return new KrafkaConnectionError(this.address, `the broker closed the connection${how}${this.#hint()}`, {
      cause: error,
    });
  }

  /** What a broker usually means that hangs up without a word. */
  #hint(): string {
    const { tls, sasl } = this.#config;
    const { bytesReceived, responseCount } = this.#pipeline.stats();
    if (bytesReceived === 0) {
      return tls === undefined
        ? "; so does a TLS listener with a plain client: is the option 'tls' missing?"
        : "; so does a plain listener with a TLS client: is the option 'tls' wrong here?";
    }
    if (sasl === undefined && responseCount === 0) {
      return "; so does a SASL listener with a client that proves nothing: is the option 'sasl' missing?";
    }
    return '';
  }
}

/** What a caller without types may have mistaken. */
function wrongCall(
  api: Partial<Api> | undefined,
  priority: RequestPriority | undefined,
): KrafkaConfigError | undefined {
  if (typeof api?.request?.encode !== 'function') {
    return new KrafkaConfigError('api', `must be one of 'apis', as apis.Metadata is, got ${describe(api)}`);
  }
  if (priority !== undefined && priority !== RequestPriority.High && priority !== RequestPriority.Normal) {
    return new KrafkaConfigError('priority', 'must be RequestPriority.High or RequestPriority.Normal');
  }
  return undefined;
}
