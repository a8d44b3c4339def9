import type { BrokerConnection } from '../network/index.js';
import { ERROR_CODES, FindCoordinator, protocolError, type ResponseOf } from '../protocol/index.js';
import { Deferred, KrafkaError, KrafkaProtocolError, type Deadline, type Ports } from '../support/index.js';
import type { BrokerNode } from './cluster-metadata.js';
import { describeBroker } from './metadata-update.js';
import { outOfTime } from './retrying.js';
import { SharedLookups, type WaitOptions } from './shared-lookups.js';

/** What a coordinator coordinates. */
export type CoordinatorType = 'group' | 'transaction';

export interface CoordinatorsOptions {
  /** Puts a question to any broker that answers. */
  readonly ask: <T>(question: (connection: BrokerConnection) => Promise<T>) => Promise<T>;
  /** The broker of this id as metadata has it now. */
  readonly broker: (nodeId: number) => BrokerNode | undefined;
  /** Hears of every coordinator found. */
  readonly found: (node: BrokerNode) => void;
  readonly ports: Ports;
}

type Answer = { readonly errorCode: number; readonly errorMessage: string | null; readonly node: BrokerNode };

const KEY_TYPE: Readonly<Record<CoordinatorType, number>> = { group: 0, transaction: 1 };
// The first version that asks for several keys at once (KIP-699).
const BATCHED_SINCE = 4;
const MOST_REMEMBERED = 10_000;

/**
 * Finds and remembers the coordinators of groups and transactional ids. Lookups of one key are shared, and those of one
 * turn go in one request where the broker takes several. Owns the memory of them.
 */
export class Coordinators {
  readonly #options: CoordinatorsOptions;
  readonly #known = new Map<string, BrokerNode>();
  readonly #lookups: SharedLookups<BrokerNode>;
  readonly #gathering = new Map<CoordinatorType, Map<string, Deferred<Answer>>>();

  constructor(options: CoordinatorsOptions) {
    this.#options = options;
    this.#lookups = new SharedLookups({
      attempt: (id) => this.#attempt(id),
      expired: (id, deadline, last) => expired(id, deadline, last),
      ports: options.ports,
    });
  }

  /**
   * The coordinator of a group or transactional id: remembered, else looked up until the deadline.
   *
   * @throws KrafkaTimeoutError when the deadline passes
   * @throws KrafkaProtocolError when the broker refuses for good, e.g. GROUP_AUTHORIZATION_FAILED
   */
  async find(type: CoordinatorType, key: string, wait: WaitOptions): Promise<BrokerNode> {
    const id = idOf(type, key);
    const known = this.#known.get(id);
    // Its address may have changed since it was found.
    if (known !== undefined) return this.#options.broker(known.nodeId) ?? known;
    return this.#lookups.find(id, wait);
  }

  /** The next `find` looks it up again; with `node`, only if that is still the one remembered. */
  forget(type: CoordinatorType, key: string, node?: BrokerNode): void {
    const id = idOf(type, key);
    if (node === undefined || this.#known.get(id)?.nodeId === node.nodeId) this.#known.delete(id);
  }

  /** Another cluster answers now: nothing remembered holds. */
  forgetAll(): void {
    this.#known.clear();
  }

  close(error: KrafkaError): void {
    this.#lookups.close(error);
  }

  async #attempt(id: string): Promise<BrokerNode> {
    const { type, key } = partsOf(id);
    const answer = await this.#gather(type, key);
    if (answer.errorCode !== ERROR_CODES.NONE) {
      const detail = [`${type} '${key}'`, answer.errorMessage].filter(Boolean).join(': ');
      throw protocolError(answer.errorCode, { api: 'FindCoordinator', detail });
    }
    this.#options.found(answer.node);
    this.#remember(id, answer.node);
    return this.#options.broker(answer.node.nodeId) ?? answer.node;
  }

  #remember(id: string, node: BrokerNode): void {
    this.#known.delete(id);
    this.#known.set(id, node);
    if (this.#known.size <= MOST_REMEMBERED) return;
    for (const oldest of this.#known.keys()) {
      this.#known.delete(oldest);
      return;
    }
  }

  #gather(type: CoordinatorType, key: string): Promise<Answer> {
    let batch = this.#gathering.get(type);
    if (batch === undefined) {
      const started = new Map<string, Deferred<Answer>>();
      batch = started;
      this.#gathering.set(type, batch);
      void Promise.resolve().then(() => {
        this.#gathering.delete(type);
        return this.#ask(type, started);
      });
    }
    const deferred = batch.get(key) ?? new Deferred<Answer>();
    batch.set(key, deferred);
    return deferred.promise;
  }

  /** Never rejects: what came of it is told to everyone in the batch. */
  async #ask(type: CoordinatorType, batch: ReadonlyMap<string, Deferred<Answer>>): Promise<void> {
    const keys = [...batch.keys()];
    try {
      const answers = await this.#options.ask((connection) => findCoordinators(connection, type, keys));
      for (const [key, deferred] of batch) {
        const answer = answers.get(key);
        if (answer === undefined)
          deferred.reject(protocolError(ERROR_CODES.COORDINATOR_NOT_AVAILABLE, { api: 'FindCoordinator' }));
        else deferred.resolve(answer);
      }
    } catch (error) {
      for (const deferred of batch.values()) deferred.reject(error);
    }
  }
}

async function findCoordinators(
  connection: BrokerConnection,
  type: CoordinatorType,
  keys: readonly string[],
): Promise<ReadonlyMap<string, Answer>> {
  const version = connection.versionOf(FindCoordinator);
  const keyType = KEY_TYPE[type];
  if (version >= BATCHED_SINCE) {
    const response = await connection.sendRequest(FindCoordinator, { key: '', keyType, coordinatorKeys: keys });
    return new Map(response.coordinators.map((told) => [told.key, answerOf(told)]));
  }
  if (version === 0 && type === 'transaction') {
    throw new KrafkaProtocolError('UNSUPPORTED_VERSION', 'the broker is too old to have transactions', {
      api: 'FindCoordinator',
      address: connection.address,
    });
  }
  return new Map(
    await Promise.all(
      keys.map(async (key): Promise<[string, Answer]> => [
        key,
        answerOf(await connection.sendRequest(FindCoordinator, { key, keyType })),
      ]),
    ),
  );
}

type Told = Pick<ResponseOf<typeof FindCoordinator>, 'errorCode' | 'errorMessage' | 'nodeId' | 'host' | 'port'>;

function answerOf({ errorCode, errorMessage, nodeId, host, port }: Told): Answer {
  const nobody = errorCode === ERROR_CODES.NONE && nodeId < 0;
  return {
    errorCode: nobody ? ERROR_CODES.COORDINATOR_NOT_AVAILABLE : errorCode,
    errorMessage,
    node: describeBroker({ nodeId, host, port, rack: null }),
  };
}

function expired(id: string, deadline: Deadline, last: KrafkaError | undefined): KrafkaError {
  const { type, key } = partsOf(id);
  return outOfTime(deadline, `the coordinator of ${type} '${key}'`, last);
}

const idOf = (type: CoordinatorType, key: string): string => `${type}:${key}`;

function partsOf(id: string): { type: CoordinatorType; key: string } {
  const colon = id.indexOf(':');
  return { type: id.slice(0, colon) as CoordinatorType, key: id.slice(colon + 1) };
}
