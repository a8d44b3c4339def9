import { SaslAuthenticate, SaslHandshake, type Api, type ResponseOf } from '../protocol/index.js';
import { splitAddress } from './address.js';
import { BrokerVersions } from './broker-versions.js';
import type { ConnectionConfig } from './connection-config.js';
import type { ByteReceiver } from './dialer.js';
import type { NetworkPorts } from './network-ports.js';
import { PendingRequest } from './pending-request.js';
import type { RequestPipeline } from './request-pipeline.js';
import { RequestPriority } from './request-priority.js';
import { authenticate } from './sasl/index.js';

/** A session is renewed in this part of its lifetime, at random, so that not all connections do it at once (KIP-368). */
const RENEWAL = { from: 0.85, to: 0.95 } as const;

/**
 * How a connection becomes usable, and stays so: dialed, versions agreed upon, authenticated; and authenticated anew
 * before the broker ends the session.
 */
export class Handshake {
  readonly #address: string;
  readonly #config: ConnectionConfig;
  readonly #ports: NetworkPorts;
  readonly #pipeline: RequestPipeline;
  /** Aborted when the connection is over, or the attempt given up. */
  readonly #signal: AbortSignal;
  #doing = 'connecting';

  constructor(
    address: string,
    config: ConnectionConfig,
    ports: NetworkPorts,
    pipeline: RequestPipeline,
    signal: AbortSignal,
  ) {
    this.#address = address;
    this.#config = config;
    this.#ports = ports;
    this.#pipeline = pipeline;
    this.#signal = signal;
  }

  /** What is being waited for, for errors. */
  get doing(): string {
    return this.#doing;
  }

  /** Opens the stream and says what its broker speaks. Throws what the network says, or a KrafkaError. */
  async open(receiver: ByteReceiver): Promise<BrokerVersions> {
    const { tls, sasl, keepAliveMs } = this.#config;
    const target = { ...splitAddress(this.#address), tls, keepAliveMs };
    const stream = await this.#ports.dialer.dial(target, receiver, this.#signal);
    // Nobody waits any more for a stream that comes too late.
    if (this.#signal.aborted) stream.destroy();
    this.#signal.throwIfAborted();
    this.#pipeline.attach(stream);
    this.#doing = 'asking for versions';
    const versions = await BrokerVersions.negotiate(this.#address, (api, version, request) =>
      this.#exchange(api, version, request),
    );
    this.#doing = 'authenticating';
    if (sasl !== undefined) await this.#authenticate(versions);
    return versions;
  }

  /** Authenticates anew, while nothing else is in flight: a broker wants that (KIP-368). */
  async renew(versions: BrokerVersions): Promise<void> {
    this.#doing = 'renewing the session';
    await this.#authenticate(versions);
  }

  async #authenticate(versions: BrokerVersions): Promise<void> {
    const { sasl } = this.#config;
    if (sasl === undefined) return;
    const { clock, random } = this.#ports;
    const context = {
      address: this.#address,
      randomBytes: (length: number) => random.bytes(length),
      signal: this.#signal,
    };
    const lifetimeMs = await authenticate(sasl, context, {
      handshake: (request) => this.#exchange(SaslHandshake, versions.pick(SaslHandshake, { version: 1 }), request),
      authenticate: (request) => this.#exchange(SaslAuthenticate, versions.versionOf(SaslAuthenticate), request),
    });
    const share = RENEWAL.from + (RENEWAL.to - RENEWAL.from) * random.next();
    this.#pipeline.renewAt = lifetimeMs > 0 ? clock.monotonic() + lifetimeMs * share : Infinity;
  }

  #exchange<A extends Api>(api: A, version: number, request: object): Promise<ResponseOf<A>> {
    const { requestTimeoutMs } = this.#config;
    const pending = new PendingRequest(
      api,
      version,
      request,
      RequestPriority.High,
      undefined,
      requestTimeoutMs,
      this.#pipeline,
    );
    return this.#pipeline.exchange(pending) as Promise<ResponseOf<A>>;
  }
}
