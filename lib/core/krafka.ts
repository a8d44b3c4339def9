import { Admin, KrafkaAggregateError, type AdminOptions } from './admin/index.js';
import { Cluster, parseBrokers, within } from './cluster/index.js';
import { Consumer, type ConsumerOptions, type DecodedRecord, type DecodingConsumerOptions } from './consumer/index.js';
import {
  ConnectionConfig,
  ConnectionPool,
  systemNetworkPorts,
  type ConnectionOptions,
  type NetworkPorts,
} from './network/index.js';
import { Producer, type ProducerOptions, type RecordContent, type TransactionScope } from './producer/index.js';
import { ShareConsumer, type ShareConsumerOptions } from './share-consumer/index.js';
import {
  aBoolean,
  aDuration,
  aFunction,
  anObjectWith,
  aString,
  checkCloseTimeout,
  checkOptions,
  Deadline,
  KrafkaClosedError,
  KrafkaConfigError,
  KrafkaError,
  optional,
  type Logger,
  type OptionRules,
} from './support/index.js';
import {
  checkTransactionsOptions,
  TransactionalProducers,
  type KrafkaTransactionOptions,
  type TransactionsOptions,
} from './transactional-producers.js';

/** What a {@link Krafka} is made of. */
export interface KrafkaOptions {
  /** Where to find the cluster: `'host:9092,host:9092'` or an array of such. The port is 9092 where none is named. */
  readonly brokers: string | readonly string[];
  /** The name this client gives itself in every request: quotas and broker logs go by it. Default `krafka`. */
  readonly clientId?: string | undefined;
  /** How brokers are connected to. */
  readonly connection?: ConnectionOptions | ConnectionConfig | undefined;
  /** Connections of somebody else's: shared, and never closed here. `clientId` and `connection` are then the pool's. */
  readonly pool?: ConnectionPool | undefined;
  /** Where to say what happens. Default: nowhere. */
  readonly logger?: Logger | undefined;
  /** How old metadata may get while it is used, in milliseconds. Default 300,000. */
  readonly metadataMaxAgeMs?: number | undefined;
  /**
   * Whether asking for a topic that does not exist lets the broker create it, where its own `auto.create.topics.enable`
   * allows that. Default true.
   */
  readonly allowAutoTopicCreation?: boolean | undefined;
  /** How {@link Krafka.transaction} works. */
  readonly transactions?: TransactionsOptions | undefined;
}

/** How a {@link Krafka} is closed. */
export interface KrafkaCloseOptions {
  /** How long everything together may take, in milliseconds. Default 30,000. */
  readonly timeoutMs?: number;
}

const TRANSACTION_RULES: OptionRules<KrafkaTransactionOptions> = {
  transactionalId: optional(aString),
  signal: optional(anObjectWith<AbortSignal>('addEventListener', 'removeEventListener')),
};

interface Closing {
  close(options: { readonly timeoutMs: number }): Promise<unknown>;
}

const CLOSE_TIMEOUT_MS = 30_000;
/** How much of the time to close consumers may use. */
const CONSUMERS_SHARE = 2 / 3;
/** The least that connections are given to close, when everything before them has used up the time, in milliseconds. */
const LEAST_FOR_THE_POOL_MS = 100;
/** The most: whoever waited for an answer that matters is closed by now. In milliseconds. */
const MOST_FOR_THE_POOL_MS = 1_000;
/** How long after its time something is left behind instead of waited for, in milliseconds. */
const OVERSTAY_MS = 500;

/** A producer that its client forgets once it is closed. */
class OwnProducer<Key, Value> extends Producer<Key, Value> {
  readonly #forget: (producer: Closing) => void;

  constructor(
    cluster: Cluster,
    options: ProducerOptions<Key, Value>,
    ports: NetworkPorts,
    forget: (producer: Closing) => void,
  ) {
    super(cluster, options, ports);
    this.#forget = forget;
  }

  override close(options?: Parameters<Producer['close']>[0]): Promise<void> {
    return super.close(options).finally(() => this.#forget(this));
  }
}

/**
 * A client of one cluster: its producers, consumers and admins share connections and metadata. Making one does no I/O.
 *
 * ```ts
 * const krafka = new Krafka({ brokers: 'localhost:9092', clientId: 'etl' });
 * const producer = krafka.producer();
 * await producer.send({ topic: 'a', key: 'k', value: 'v' });
 * await krafka.close();
 * ```
 */
export class Krafka {
  /** How brokers are connected to, checked and complete. */
  readonly config: ConnectionConfig;
  readonly pool: ConnectionPool;
  readonly cluster: Cluster;
  readonly #ownsPool: boolean;
  readonly #ports: NetworkPorts;
  readonly #consumers = new Set<Consumer | ShareConsumer>();
  readonly #producers = new Set<Closing>();
  readonly #transactions: TransactionalProducers;
  #closing: Promise<void> | undefined;

  /** @throws KrafkaConfigError naming the option that is unknown, wrong, or would be ignored */
  constructor(options: KrafkaOptions, ports: Partial<NetworkPorts> = {}) {
    const checked = checkOptions<KrafkaOptions>(
      options,
      {
        brokers: parseBrokers,
        clientId: optional(aString),
        connection: (value) => value as KrafkaOptions['connection'],
        pool: optional(anObjectWith<ConnectionPool>('ready', 'getConnection')),
        logger: optional(anObjectWith<Logger>('debug', 'info', 'warn', 'error')),
        metadataMaxAgeMs: optional(aDuration(1)),
        allowAutoTopicCreation: optional(aBoolean),
        transactions: checkTransactionsOptions,
      },
      '',
    );
    const { logger = ports.logger ?? systemNetworkPorts.logger } = checked;
    this.#ports = { ...systemNetworkPorts, ...ports, logger };
    this.#ownsPool = checked.pool === undefined;
    this.config = checked.pool === undefined ? ownConfig(checked) : borrowedConfig(checked, checked.pool);
    this.pool = checked.pool ?? new ConnectionPool(this.config, this.#ports);
    this.cluster = new Cluster(
      {
        brokers: checked.brokers as readonly string[],
        pool: this.pool,
        metadataMaxAgeMs: checked.metadataMaxAgeMs,
        allowAutoTopicCreation: checked.allowAutoTopicCreation,
      },
      this.#ports,
    );
    this.#transactions = new TransactionalProducers(
      checked.transactions ?? {},
      this.config.clientId,
      this.#ports,
      (producer) => this.producer(producer),
    );
  }

  /**
   * A producer of this cluster; connects when it is first used.
   *
   * @throws KrafkaConfigError naming the option at fault
   * @throws KrafkaClosedError
   */
  producer<Key = RecordContent, Value = RecordContent>(
    options: ProducerOptions<Key, Value> = {},
  ): Producer<Key, Value> {
    this.#assertOpen();
    // What is no object is for the producer to refuse, by name.
    this.#checkWindow((options as ProducerOptions<Key, Value> | null)?.maxInFlight);
    const producer = new OwnProducer<Key, Value>(this.cluster, options, this.#ports, (closed) =>
      this.#producers.delete(closed),
    );
    this.#producers.add(producer);
    return producer;
  }

  /**
   * Runs `work` in a transaction: what it sends, and the offsets it commits, `read_committed` consumers see all or nothing of.
   * It is committed when `work` resolves (after everything that was sent in it, awaited or not, is written) and aborted when
   * `work` rejects or anything in it fails. Transactions go on side by side, `transactions.maxConcurrent` at a time.
   *
   * ```ts
   * await krafka.transaction(async (tx) => {
   *   await tx.send({ topic: 'payments', value: 'paid' });
   *   await tx.sendOffsets([{ topic, partition, offset: offset + 1 }], consumer.groupMetadata());
   * });
   * ```
   *
   * @throws KrafkaConfigError naming the option, before anything is done
   * @throws what `work` throws, or what else failed first, with nothing committed
   * @throws KrafkaFencedError when another client has taken over the transactional id; nothing is committed
   * @throws KrafkaTimeoutError after `transactionTimeoutMs`; nothing is committed
   * @throws KrafkaError TRANSACTION_OUTCOME_UNKNOWN when the commit was not answered: it may have happened
   */
  async transaction<Result>(
    work: (tx: TransactionScope) => Result | Promise<Result>,
    options: KrafkaTransactionOptions = {},
  ): Promise<Result> {
    this.#assertOpen();
    aFunction(work, 'transaction.work');
    const checked = checkOptions<KrafkaTransactionOptions>(options, TRANSACTION_RULES, 'transaction');
    return this.#transactions.run(work, checked);
  }

  /**
   * A consumer of this cluster; connects, and joins its group, when it is started, iterated or run.
   *
   * @throws KrafkaConfigError naming the option at fault
   * @throws KrafkaClosedError
   */
  consumer<Key = Buffer, Value = Buffer>(
    options: DecodingConsumerOptions<Key, Value>,
  ): Consumer<DecodedRecord<Key, Value>>;
  consumer(options: ConsumerOptions): Consumer;
  consumer(options: ConsumerOptions): unknown {
    this.#assertOpen();
    const consumer = new Consumer(this.cluster, options, this.#ports);
    this.#consumers.add(consumer);
    consumer.events.on('closed', () => void this.#consumers.delete(consumer));
    return consumer;
  }

  /**
   * A member of a share group of this cluster (KIP-932); connects, and joins its group, when it is started, iterated or run.
   *
   * @throws KrafkaConfigError naming the option at fault
   * @throws KrafkaClosedError
   */
  shareConsumer(options: ShareConsumerOptions): ShareConsumer {
    this.#assertOpen();
    const consumer = new ShareConsumer(this.cluster, options, this.#ports);
    this.#consumers.add(consumer);
    consumer.events.on('closed', () => void this.#consumers.delete(consumer));
    return consumer;
  }

  /**
   * The administrator's side of this cluster.
   *
   * @throws KrafkaConfigError naming the option at fault
   * @throws KrafkaClosedError
   */
  admin(options: AdminOptions = {}): Admin {
    this.#assertOpen();
    return new Admin(this.cluster, options, this.#ports);
  }

  /**
   * Closes everything made here: consumers (handlers finish, offsets are committed, groups are left), then producers
   * (what was sent is delivered), then what admins still wait for, and the connections unless they were lent. All of it
   * is closed even when some of it fails to; the failures are thrown when it is done. Calling it again waits for the
   * same end.
   *
   * @throws KrafkaConfigError at once, when the options are wrong
   * @throws KrafkaError what could not be closed in good order; KrafkaAggregateError when several
   */
  close(options: KrafkaCloseOptions = {}): Promise<void> {
    const timeoutMs = checkCloseTimeout(options, CLOSE_TIMEOUT_MS);
    this.#closing ??= this.#close(timeoutMs);
    return this.#closing;
  }

  async #close(timeoutMs: number): Promise<void> {
    const deadline = new Deadline(this.#ports.clock, timeoutMs, 'close timeoutMs');
    // A handler that does not finish must not cost the producers the time to deliver what was sent.
    const consumersMs = deadline.remainingMs * CONSUMERS_SHARE;
    const failures = await this.#closeAll('a consumer', this.#consumers, consumersMs);
    failures.push(...(await this.#closeAll('a producer', this.#producers, deadline.remainingMs)));
    this.cluster.close();
    if (this.#ownsPool) {
      const poolMs = Math.min(MOST_FOR_THE_POOL_MS, Math.max(deadline.remainingMs, LEAST_FOR_THE_POOL_MS));
      failures.push(...(await this.#closeAll('the connection pool', [this.pool], poolMs)));
    }
    if (failures.length === 1) throw failures[0];
    if (failures.length > 1) {
      throw new KrafkaAggregateError(`${failures.length} parts of the client did not close in good order`, failures);
    }
  }

  /** Closes several things side by side, and answers with what went wrong. What overstays its time is left behind. */
  async #closeAll(what: string, things: Iterable<Closing>, timeoutMs: number): Promise<KrafkaError[]> {
    const { clock } = this.#ports;
    const outcomes = await Promise.allSettled(
      Array.from(things, (thing) => {
        const deadline = new Deadline(clock, timeoutMs + OVERSTAY_MS, 'close timeoutMs');
        return within(clock, { deadline }, `${what} to close`, thing.close({ timeoutMs: Math.floor(timeoutMs) }));
      }),
    );
    return outcomes.flatMap((outcome) => {
      if (outcome.status === 'fulfilled') return [];
      const error: unknown = outcome.reason;
      if (error instanceof KrafkaError) return [error];
      return [new KrafkaError(`${what} did not close: ${String(error)}`, { code: 'CLOSE', cause: error })];
    });
  }

  /** What a connection does not take would only wait in its queue. */
  #checkWindow(maxInFlight: number | undefined): void {
    const most = this.config.maxInFlight;
    if (maxInFlight === undefined || !(maxInFlight > most)) return;
    throw new KrafkaConfigError(
      'producer.maxInFlight',
      `of ${maxInFlight} can't be more than connection.maxInFlight, ${most}`,
    );
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new KrafkaClosedError('the Krafka client');
  }
}

function ownConfig({ clientId, connection }: KrafkaOptions): ConnectionConfig {
  const config = ConnectionConfig.from(connection, 'connection');
  if (clientId === undefined) return config;
  const other = connection instanceof ConnectionConfig ? undefined : connection?.clientId;
  if (other !== undefined && other !== clientId) {
    throw new KrafkaConfigError('connection.clientId', `says '${other}' where clientId says '${clientId}'`);
  }
  return config.with({ clientId });
}

function borrowedConfig({ clientId, connection }: KrafkaOptions, pool: ConnectionPool): ConnectionConfig {
  if (connection !== undefined) throw new KrafkaConfigError('connection', 'would be ignored: the pool has its own');
  if (clientId !== undefined && clientId !== pool.config.clientId) {
    throw new KrafkaConfigError('clientId', `would be ignored: that of the pool is '${pool.config.clientId}'`);
  }
  return pool.config;
}
