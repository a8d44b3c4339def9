import type { Admin, CreatedTopic } from '../core/admin/index.js';
import { retrying, type Cluster } from '../core/cluster/index.js';
import { Deadline, KrafkaProtocolError, type Ports } from '../core/support/index.js';

/** A topic as an application wants it when it has to be created. One that exists stays as it is. */
export interface TopicDeclaration {
  /** The topic, named as Kafka allows it. */
  readonly name: string;
  /** Default: the broker's `num.partitions`. */
  readonly partitions?: number | undefined;
  /** Default: the broker's `default.replication.factor`. */
  readonly replicationFactor?: number | undefined;
  /** Topic configuration in Kafka's names and words, e.g. `{ 'retention.ms': '3600000' }`. */
  readonly configs?: Readonly<Record<string, string>> | undefined;
}

const CREATE_TIMEOUT_MS = 30_000;

/** What {@link Topics} is made of. */
export interface TopicsParts {
  readonly cluster: Pick<Cluster, 'cachedTopic' | 'look' | 'refresh'>;
  readonly admin: Pick<Admin, 'createTopics'>;
  /** The topics that the application counts on. */
  readonly declared: readonly TopicDeclaration[];
  readonly ports: Ports;
  /** How long a cluster that does not answer is asked again. */
  readonly connectTimeoutMs: number;
}

/** Which topics there are, and the creation of those that an application counts on. */
export class Topics {
  readonly #parts: TopicsParts;
  /** What is asked for now; the answers are the cluster's to keep, which hears of it when a topic is gone. */
  readonly #asking = new Map<string, Promise<number>>();
  #declared: Promise<void> | undefined;

  constructor(parts: TopicsParts) {
    this.#parts = parts;
  }

  /** The names of all topics but Kafka's own. @throws KrafkaConnectionError when no broker answers */
  async names(): Promise<readonly string[]> {
    const { metadata } = await this.#look('all');
    return [...metadata.topics.values()].filter((topic) => !topic.isInternal).map((topic) => topic.name);
  }

  /** Those of the names that there is a topic for. @throws KrafkaConnectionError when no broker answers */
  async existing(names: readonly string[]): Promise<ReadonlySet<string>> {
    if (names.length === 0) return new Set();
    const { metadata } = await this.#look(names);
    return new Set(metadata.topics.keys());
  }

  /** How many partitions a topic has, where that is known without asking. */
  partitionsOf(name: string): number | undefined {
    const count = this.#parts.cluster.cachedTopic(name)?.partitions.length;
    return count === 0 ? undefined : count;
  }

  /** Creates those of the declared topics that are missing, once. A create right is needed only when one is. @throws KrafkaError */
  createDeclared(): Promise<void> {
    if (this.#declared === undefined) {
      this.#declared = this.#createDeclared();
      this.#declared.catch(() => (this.#declared = undefined));
    }
    return this.#declared;
  }

  /**
   * How many partitions a topic has, which is created when it is missing: when it went missing later, too. Asked only where the
   * cluster's metadata does not tell. `beside` is asked for in the same request, for whoever will use those topics next.
   *
   * @throws KrafkaProtocolError UNKNOWN_TOPIC_OR_PARTITION when it is missing and `mayCreate` is false
   */
  async ensure(declaration: TopicDeclaration, mayCreate = true, beside: readonly string[] = []): Promise<number> {
    const { name } = declaration;
    const known = this.partitionsOf(name);
    if (known !== undefined) return known;
    let asking = this.#asking.get(name);
    if (asking === undefined) {
      asking = this.#ensure(declaration, mayCreate, beside).finally(() => this.#asking.delete(name));
      this.#asking.set(name, asking);
    }
    return asking;
  }

  /** Asks for topics that will be used soon, whether they are there or not. @throws KrafkaConnectionError when no broker answers */
  async learn(names: readonly string[]): Promise<void> {
    if (names.length > 0) await this.#parts.cluster.refresh(names);
  }

  async #ensure(declaration: TopicDeclaration, mayCreate: boolean, beside: readonly string[]): Promise<number> {
    const { name } = declaration;
    // Kept, unlike what is only looked at: it is about to be read or written.
    const metadata = await this.#patiently(() => this.#parts.cluster.refresh([name, ...beside]));
    const partitions = metadata.topics.get(name)?.partitions.length ?? 0;
    if (partitions > 0) return partitions;
    if (!mayCreate) {
      throw new KrafkaProtocolError('UNKNOWN_TOPIC_OR_PARTITION', 'there is no such topic, and it may not be created', {
        topic: name,
      });
    }
    const [topic] = await this.#create([declaration]);
    if (topic === undefined)
      throw new KrafkaProtocolError('UNKNOWN_SERVER_ERROR', 'it was not created', { topic: name });
    return topic.partitions;
  }

  async #createDeclared(): Promise<void> {
    const { declared } = this.#parts;
    const there = await this.existing(declared.map(({ name }) => name));
    const missing = declared.filter(({ name }) => !there.has(name));
    if (missing.length > 0) await this.#create(missing);
  }

  async #create(declarations: readonly TopicDeclaration[]): Promise<readonly CreatedTopic[]> {
    // Another instance may create them at the same time.
    const topics = await this.#parts.admin.createTopics(declarations, {
      existing: 'ignore',
      timeoutMs: CREATE_TIMEOUT_MS,
    });
    for (const { created, name, partitions } of topics) {
      if (created) this.#parts.ports.logger.info('a topic was created', { topic: name, partitions });
    }
    return topics;
  }

  #look(topics: readonly string[] | 'all'): ReturnType<Cluster['look']> {
    return this.#patiently(() => this.#parts.cluster.look(topics));
  }

  // Brokers may be starting up beside the application.
  #patiently<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
    const { ports, connectTimeoutMs } = this.#parts;
    const deadline = new Deadline(ports.clock, connectTimeoutMs, 'connectTimeoutMs');
    return retrying({ deadline, ports, waitedFor: 'the metadata of topics' }, ask);
  }
}
