import type { BrokerConnection, ConnectionPool, ConnectionPurpose, NetworkPorts } from '../network/index.js';
import type { ErrorName } from '../protocol/index.js';
import {
  Deadline,
  KrafkaAuthenticationError,
  KrafkaClosedError,
  KrafkaConfigError,
  KrafkaConnectionError,
  KrafkaError,
  KrafkaProtocolError,
} from '../support/index.js';
import { chooseBrokers } from './broker-choice.js';
import type { ClusterMetadata } from './cluster-metadata.js';
import { firstAnswer, NoAnswer } from './first-answer.js';
import type { WaitOptions } from './shared-lookups.js';

/** What a broker says that wants the client to start over (KIP-1102). */
export const START_OVER: ErrorName = 'REBOOTSTRAP_REQUIRED';

/** How long a broker may keep silent before another one is asked as well, milliseconds. */
export const PATIENCE_MS = 2_000;

export interface AnyBrokerOptions {
  readonly pool: ConnectionPool;
  readonly bootstrap: readonly string[];
  readonly metadata: () => ClusterMetadata;
  readonly ports: NetworkPorts;
}

/** Asks what any broker can answer, of whichever does. Owns the record of who failed lately. */
export class AnyBroker {
  readonly #options: AnyBrokerOptions;
  readonly #failures = new Map<string, number>();
  #startingOver = false;

  constructor(options: AnyBrokerOptions) {
    this.#options = options;
  }

  /**
   * Puts a question, which must be harmless to ask twice, to one broker after the other until one answers. A silent
   * one is left behind, not waited out: `dialTimeoutMs` bounds the reaching of each, and the question bounds itself.
   *
   * @throws KrafkaAuthenticationError as soon as one broker refuses who we are
   * @throws KrafkaConnectionError when nobody answers, naming every address that was tried and the last failure
   */
  ask<T>(question: (connection: BrokerConnection) => Promise<T>, dialTimeoutMs: number): Promise<T> {
    const deadline = new Deadline(this.#options.ports.clock, dialTimeoutMs, 'requestTimeoutMs');
    return this.#tryInTurn(deadline, async (address) => question(await this.#connect(address, 'data', { deadline })));
  }

  /** A connection to some broker: the least loaded of those that are ready, else whichever is reached first. */
  connection(wait: WaitOptions, purpose: ConnectionPurpose = 'data'): Promise<BrokerConnection> {
    return this.#tryInTurn(wait.deadline, (address) => this.#connect(address, purpose, wait));
  }

  /** From now on only the bootstrap addresses are asked, until {@link settled} (KIP-1102). */
  startOver(): void {
    this.#startingOver = true;
  }

  /** Fresh metadata has come: the brokers it tells of count, and only what failed among them is remembered. */
  settled(): void {
    this.#startingOver = false;
    const { bootstrap, metadata } = this.#options;
    const current = new Set([...bootstrap, ...Array.from(metadata().brokers.values(), (broker) => broker.address)]);
    for (const address of this.#failures.keys()) if (!current.has(address)) this.#failures.delete(address);
  }

  async #connect(address: string, purpose: ConnectionPurpose, wait: WaitOptions): Promise<BrokerConnection> {
    const { pool } = this.#options;
    return pool.ready(address, purpose) ?? (await pool.getConnection(address, purpose, wait));
  }

  async #tryInTurn<T>(deadline: Deadline, attempt: (address: string) => Promise<T>): Promise<T> {
    const { pool, bootstrap, metadata, ports } = this.#options;
    const candidates = chooseBrokers({
      known: this.#startingOver ? [] : Array.from(metadata().brokers.values(), (broker) => broker.address),
      bootstrap,
      load: (address) => pool.ready(address)?.inFlight,
      failures: (address) => this.#failures.get(address) ?? 0,
      random: ports.random,
    });
    const ask = async (address: string): Promise<T> => {
      try {
        const answer = await attempt(address);
        this.#failures.delete(address);
        return answer;
      } catch (error) {
        this.#failures.set(address, (this.#failures.get(address) ?? 0) + 1);
        throw error;
      }
    };
    try {
      return await firstAnswer({
        candidates,
        ask,
        isFinal: (error) => deadline.expired || isFinal(error),
        patienceMs: PATIENCE_MS,
        clock: ports.clock,
      });
    } catch (error) {
      throw error instanceof NoAnswer ? nobodyAnswered(error as NoAnswer<string>) : error;
    }
  }
}

/** Trying the next address can't help: we are refused, sent away, closed, misconfigured, aborted, or at fault ourselves. */
const isFinal = (error: unknown): boolean =>
  !(error instanceof KrafkaError) ||
  error.code === START_OVER ||
  error instanceof KrafkaAuthenticationError ||
  error instanceof KrafkaClosedError ||
  error instanceof KrafkaConfigError;

function nobodyAnswered({ failures }: NoAnswer<string>): unknown {
  const last = failures.at(-1);
  if (last === undefined || failures.length === 1) return last?.error;
  // Not the brokers' absence but what they say, or what they are asked.
  if (failures.every(({ error }) => error instanceof KrafkaProtocolError && !error.retriable)) return last.error;
  const addresses = failures.map(({ candidate }) => candidate).join(', ');
  return new KrafkaConnectionError(
    addresses,
    `no broker answered; the last failure: ${(last.error as Error).message}`,
    {
      cause: last.error,
      // One that may come up yet is worth another round.
      retriable: failures.some(({ error }) => error instanceof KrafkaError && error.retriable),
    },
  );
}
