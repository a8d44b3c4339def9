import {
  Krafka,
  type Admin,
  type ConfigChange,
  type ConnectionOptions,
  type KrafkaOptions,
} from '../../lib/core/index.js';
import { EmbeddedBroker } from '../../lib/testing/index.js';

/** What a test may ask of the cluster it is given. */
export interface TestClusterOptions {
  /** How many brokers the embedded cluster has, default 1. A real one has as many as it has. */
  readonly brokers?: number;
  /** The shortest session the embedded cluster takes, default Kafka's 6,000. A real one takes what it takes. */
  readonly groupMinSessionTimeoutMs?: number;
  /** How often members of the consumer protocol beat at the embedded cluster, default Kafka's 5,000. A real one says so itself. */
  readonly groupConsumerHeartbeatIntervalMs?: number;
}

/**
 * The cluster an integration test runs against: the embedded broker, or with KAFKA_BROKERS in the environment the
 * real Kafka it names (KAFKA_CONNECTION holds its connection options as JSON, where it asks for any).
 */
export class TestCluster {
  static async open(options: TestClusterOptions = {}): Promise<TestCluster> {
    const brokers = process.env['KAFKA_BROKERS'];
    if (brokers !== undefined && brokers !== '') {
      const connection = JSON.parse(process.env['KAFKA_CONNECTION'] ?? '{}') as ConnectionOptions;
      return new TestCluster('kafka', brokers, connection, undefined);
    }
    const embedded = await EmbeddedBroker.start({
      brokers: options.brokers ?? 1,
      groupMinSessionTimeoutMs: options.groupMinSessionTimeoutMs ?? 6_000,
      groupConsumerHeartbeatIntervalMs: options.groupConsumerHeartbeatIntervalMs ?? 5_000,
    });
    return new TestCluster('embedded', embedded.bootstrap, {}, embedded);
  }

  readonly #made: Krafka[] = [];
  #own: Krafka | undefined;

  private constructor(
    readonly kind: 'embedded' | 'kafka',
    readonly bootstrap: string,
    /** What a client must be given to be let in. */
    readonly connection: ConnectionOptions,
    /** The embedded broker with its fault controls, where that is what runs. */
    readonly embedded: EmbeddedBroker | undefined,
  ) {}

  /** A client of this cluster; closed with it. */
  krafka(
    options: Partial<Omit<KrafkaOptions, 'connection'>> & { readonly connection?: ConnectionOptions } = {},
  ): Krafka {
    const connection = { ...this.connection, ...options.connection };
    const krafka = new Krafka({ clientId: 'krafka-tests', ...options, brokers: this.bootstrap, connection });
    this.#made.push(krafka);
    return krafka;
  }

  /** A name nobody else has: for topics, groups, transactional ids. */
  name(word: string): string {
    return `${word}-${process.pid}-${Math.random().toString(36).slice(2, 10)}`;
  }

  /**
   * A fresh topic, each partition led by a broker that knows it: Kafka tells who leads a moment before that broker has
   * heard of it, and refuses whoever asks once and not again, as a raw request does.
   */
  async newTopic(
    partitions = 1,
    configs: Readonly<Record<string, string>> = {},
    name = this.name('topic'),
  ): Promise<string> {
    const admin = this.#admin();
    await admin.createTopics([{ name, partitions, configs }]);
    if (this.kind === 'kafka') {
      await admin.listOffsets(
        Array.from({ length: partitions }, (_, partition) => ({ topic: name, partition, at: 'latest' as const })),
      );
    }
    return name;
  }

  /**
   * Changes configurations, and waits until every broker goes by them: what Kafka answers is that they are written, and
   * a broker that is creating a thousand partitions meanwhile gets to them seconds later.
   */
  async configure(changes: readonly ConfigChange[]): Promise<void> {
    await this.#admin().incrementalAlterConfigs(changes);
    // Brokers follow the cluster's log in order: who leads the first topic has read the changes, and who leads the
    // second, made after that, is done with them.
    await this.#untilEveryBrokerLeadsANewTopic();
    await this.#untilEveryBrokerLeadsANewTopic();
  }

  async #untilEveryBrokerLeadsANewTopic(): Promise<void> {
    const { brokers } = await this.#admin().describeCluster();
    await this.newTopic(brokers.length, {}, this.name('led'));
  }

  #admin(): Admin {
    this.#own ??= this.krafka({ clientId: 'krafka-tests-setup' });
    return this.#own.admin();
  }

  async close(): Promise<void> {
    await Promise.all(this.#made.map((krafka) => krafka.close()));
    await this.embedded?.close();
  }
}

/** The cluster for this test file; see {@link TestCluster.open}. */
export const openTestCluster = (options?: TestClusterOptions): Promise<TestCluster> => TestCluster.open(options);
