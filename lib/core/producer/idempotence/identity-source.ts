import { retrying, type Cluster } from '../../cluster/index.js';
import { ERROR_CODES, InitProducerId, protocolError } from '../../protocol/index.js';
import { Deadline, type KrafkaError, type Ports } from '../../support/index.js';
import type { Identity } from './partition-sequences.js';

/** What the source of a producer's identity tells. */
export interface IdentityListener {
  /** There is an identity now, the first or another. */
  known(identity: Identity): void;
  /** None could be had so far, or none ever will where the error is not retriable; the next one to ask tries again. */
  unavailable(error: KrafkaError): void;
}

type IdentityState =
  | { readonly kind: 'none' }
  | { readonly kind: 'asking' }
  | { readonly kind: 'known'; readonly identity: Identity }
  | { readonly kind: 'closed' };

const LAST_EPOCH = 0x7fff;

/** A broker insists on one although only transactions have a use for it. */
const NO_TRANSACTION_TIMEOUT = 0x7fff_ffff;

/** The producer id of an idempotent producer without transactions: any broker hands one out (KIP-98). */
export class IdentitySource {
  readonly #cluster: Pick<Cluster, 'anyConnection'>;
  readonly #ports: Ports;
  readonly #requestTimeoutMs: number;
  readonly #listener: IdentityListener;
  readonly #closing = new AbortController();
  #state: IdentityState = { kind: 'none' };

  constructor(options: {
    readonly cluster: Pick<Cluster, 'anyConnection'>;
    readonly ports: Ports;
    /** How long it is tried for before those who wait hear what is in the way. */
    readonly requestTimeoutMs: number;
    readonly listener: IdentityListener;
  }) {
    this.#cluster = options.cluster;
    this.#ports = options.ports;
    this.#requestTimeoutMs = options.requestTimeoutMs;
    this.#listener = options.listener;
  }

  get current(): Identity | undefined {
    return this.#state.kind === 'known' ? this.#state.identity : undefined;
  }

  /** Asks for one, unless there is one or it is being asked for. */
  ask(): void {
    if (this.#state.kind !== 'none') return;
    this.#state = { kind: 'asking' };
    this.#fetch().then(
      (identity) => {
        if (this.#state.kind === 'closed') return;
        this.#state = { kind: 'known', identity };
        this.#listener.known(identity);
      },
      (error: unknown) => {
        if (this.#state.kind === 'closed') return;
        this.#state = { kind: 'none' };
        this.#listener.unavailable(error as KrafkaError);
      },
    );
  }

  /**
   * The same id with the next epoch, which fences whatever the last one has on its way (KIP-360). After the last epoch
   * there is none until a new id was asked for.
   */
  raise(): Identity | undefined {
    if (this.#state.kind !== 'known') return undefined;
    const { producerId, producerEpoch } = this.#state.identity;
    if (producerEpoch === LAST_EPOCH) {
      this.#state = { kind: 'none' };
      this.ask();
      return undefined;
    }
    const identity = { producerId, producerEpoch: producerEpoch + 1 };
    this.#state = { kind: 'known', identity };
    this.#listener.known(identity);
    return identity;
  }

  close(): void {
    this.#state = { kind: 'closed' };
    this.#closing.abort();
  }

  #fetch(): Promise<Identity> {
    const deadline = new Deadline(this.#ports.clock, this.#requestTimeoutMs, 'requestTimeoutMs');
    const { signal } = this.#closing;
    const waitedFor = 'a producer id';
    return retrying({ deadline, ports: this.#ports, signal, waitedFor }, async () => {
      const connection = await this.#cluster.anyConnection({ deadline, signal });
      const response = await connection.sendRequest(
        InitProducerId,
        { transactionalId: null, transactionTimeoutMs: NO_TRANSACTION_TIMEOUT },
        { deadline, signal },
      );
      if (response.errorCode !== ERROR_CODES.NONE) {
        throw protocolError(response.errorCode, { api: 'InitProducerId', address: connection.address });
      }
      return { producerId: response.producerId, producerEpoch: response.producerEpoch };
    });
  }
}
