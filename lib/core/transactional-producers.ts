import { Producer, type ProducerOptions, type TransactionOptions, type TransactionScope } from './producer/index.js';
import {
  aString,
  aWhole,
  checkOptions,
  Deadline,
  KrafkaConfigError,
  optional,
  Turns,
  withDefault,
  type OptionRules,
  type Ports,
} from './support/index.js';

/** How the producers of `krafka.transaction` work; what transactions can't do without is not asked. */
export type TransactionalProducerOptions = Omit<ProducerOptions, 'transactionalId' | 'acks' | 'idempotent'>;

/** How `krafka.transaction` works. */
export interface TransactionsOptions {
  /**
   * How many transactions go on at once; more wait their turn. Each has a transactional producer of its own, made when it is
   * first needed and kept. Default 8.
   */
  readonly maxConcurrent?: number | undefined;
  /**
   * What the transactional ids of those producers begin with; a number follows. Of all clients that run at the same time only
   * one may have it: the newest fences the others. A name that outlives the process lets a restarted service abort at once what
   * a crash left open. Default: the client id and a random word, so that nobody is fenced; what a crash leaves open is aborted
   * after `transactionTimeoutMs`.
   */
  readonly transactionalIdPrefix?: string | undefined;
  /** The options of those producers, `transactionTimeoutMs` among them. Default: those of any producer. */
  readonly producer?: TransactionalProducerOptions | undefined;
}

/** How one `krafka.transaction` is done. */
export interface KrafkaTransactionOptions extends TransactionOptions {
  /**
   * The transactional id, where the work wants one of its own: its transactions go one after another, and whoever had the id
   * before is fenced. Its producer is kept as long as the client: for a handful of ids. Default: one that is free of those that `transactions` describes.
   */
  readonly transactionalId?: string | undefined;
}

const RULES: OptionRules<TransactionsOptions> = {
  maxConcurrent: withDefault(aWhole('transactions', 1), 8),
  transactionalIdPrefix: optional(aString),
  producer: (value) => value as TransactionalProducerOptions | undefined,
};

/** @throws KrafkaConfigError naming the option */
export function checkTransactionsOptions(given: unknown, path: string): TransactionsOptions {
  const checked = checkOptions(given, RULES, path);
  for (const name of ['transactionalId', 'acks', 'idempotent'] as const) {
    if (checked.producer !== undefined && name in checked.producer) {
      throw new KrafkaConfigError(`${path}.producer.${name}`, 'would be ignored: transactions decide that themselves');
    }
  }
  Producer.check({ ...checked.producer, transactionalId: 'any' }, `${path}.producer`);
  return checked;
}

/** How long a transaction waits for its turn where `deliveryTimeoutMs` is not given: its default. */
const TURN_TIMEOUT_MS = 120_000;

/**
 * The transactional producers of one client, each kept for the next transaction: making one costs a request that the
 * coordinator writes down.
 *
 * One under an id that was made up here and that finds itself fenced (only its coordinator can have done that, having found a
 * transaction too slow) is replaced. Under an id that somebody chose it stays fenced, for the one who did that is the owner.
 */
export class TransactionalProducers {
  readonly #options: TransactionsOptions;
  readonly #ports: Ports;
  readonly #make: (options: ProducerOptions) => Producer;
  readonly #turns: Turns;
  readonly #isOurs: boolean;
  readonly #idle: Producer[] = [];
  readonly #named = new Map<string, Producer>();
  #prefix: string | undefined;
  #made = 0;

  constructor(
    options: TransactionsOptions,
    clientId: string,
    ports: Ports,
    make: (options: ProducerOptions) => Producer,
  ) {
    this.#options = options;
    this.#ports = ports;
    this.#make = make;
    this.#turns = new Turns(ports.clock, options.maxConcurrent ?? 1);
    this.#isOurs = options.transactionalIdPrefix === undefined;
    this.#prefix = options.transactionalIdPrefix ?? `${clientId}-${ports.random.bytes(6).toString('hex')}`;
  }

  /** Runs `work` in a transaction of whichever producer is free, or of the one that has the `transactionalId`. */
  async run<Result>(
    work: (tx: TransactionScope) => Result | Promise<Result>,
    { transactionalId, signal }: KrafkaTransactionOptions,
  ): Promise<Result> {
    if (transactionalId !== undefined) return this.#producerOf(transactionalId).transaction(work, { signal });
    const { producer: { deliveryTimeoutMs = TURN_TIMEOUT_MS } = {} } = this.#options;
    const deadline = new Deadline(this.#ports.clock, deliveryTimeoutMs, 'deliveryTimeoutMs');
    const release = await this.#turns.take(
      deadline,
      `one of ${this.#options.maxConcurrent} transactions to end`,
      signal,
    );
    const producer = this.#idle.pop() ?? this.#produce(`${this.#prefix}-${this.#made++}`);
    try {
      return await producer.transaction(work, { signal });
    } finally {
      // Whatever the work failed of: the next one is not to find out.
      if (producer.isFenced && this.#isOurs) void producer.close({ timeoutMs: 0 });
      else this.#idle.push(producer);
      release();
    }
  }

  #producerOf(transactionalId: string): Producer {
    let producer = this.#named.get(transactionalId);
    if (producer === undefined) {
      producer = this.#produce(transactionalId);
      this.#named.set(transactionalId, producer);
    }
    return producer;
  }

  #produce(transactionalId: string): Producer {
    return this.#make({ ...this.#options.producer, transactionalId });
  }
}
