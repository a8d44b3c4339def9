import {
  systemNetworkPorts,
  type BrokerConnection,
  type ConnectionPool,
  type ConnectionPurpose,
  type NetworkPorts,
} from '../network/index.js';
import { ERROR_CODES, Metadata, protocolError, type ResponseOf } from '../protocol/index.js';
import {
  KrafkaClosedError,
  KrafkaConnectionError,
  KrafkaError,
  KrafkaProtocolError,
  TypedEvents,
  type Deadline,
} from '../support/index.js';
import { AnyBroker, START_OVER } from './any-broker.js';
import { parseBrokers } from './broker-address.js';
import { ClusterMetadata, type BrokerNode, type TopicMetadata } from './cluster-metadata.js';
import { Coordinators, type CoordinatorType } from './coordinators.js';
import { MetadataRefresher } from './metadata-refresher.js';
import { MetadataUpkeep } from './metadata-upkeep.js';
import {
  applyLeaders,
  applyMetadata,
  withBroker,
  withoutTopics,
  type LeaderChange,
  type MetadataUpdate,
} from './metadata-update.js';
import { outOfTime } from './retrying.js';
import { SharedLookups, type WaitOptions } from './shared-lookups.js';
import { TopicInterest } from './topic-interest.js';
import { within } from './within.js';

/** What a {@link Cluster} is made of. */
export interface ClusterOptions {
  /** Bootstrap addresses, `host:port`: where the cluster is found at first, and found again when it has moved away. */
  readonly brokers: readonly string[];
  /** Where connections come from. Borrowed: whoever made the pool closes it. */
  readonly pool: ConnectionPool;
  /**
   * How old metadata may get while it is used, in milliseconds; a topic nobody asks for during a whole such period is
   * dropped. Default 300,000.
   */
  readonly metadataMaxAgeMs?: number;
  /**
   * Whether asking for a topic that does not exist lets the broker create it, where its own `auto.create.topics.enable`
   * allows that. Default true, as in the Java client; refreshing what is known never creates anything.
   */
  readonly allowAutoTopicCreation?: boolean;
}

/** What a {@link Cluster} tells of itself. */
export interface ClusterEvents {
  /** A new snapshot took the place of the one before: something in it is different. */
  readonly metadata: ClusterMetadata;
}

/** {@link WaitOptions} and what the connection is for. */
export interface AnyConnectionOptions extends WaitOptions {
  /** Default `data`. */
  readonly purpose?: ConnectionPurpose;
}

/** Topics by name or by id, as Metadata asks for them; null for all. */
type AskedTopics = readonly { readonly name: string | null; readonly topicId?: string }[] | null;

const METADATA_MAX_AGE_MS = 300_000;

/**
 * The cluster as the rooms above see it: who leads what, who coordinates whom, and a connection to each. Owns the
 * metadata snapshot; nothing else replaces it. Makes no request before it is asked something.
 */
export class Cluster {
  readonly pool: ConnectionPool;
  readonly events: TypedEvents<ClusterEvents> = new TypedEvents();
  readonly #bootstrap: readonly string[];
  readonly #ports: NetworkPorts;
  readonly #mayCreate: boolean;
  readonly #anyBroker: AnyBroker;
  readonly #refresher: MetadataRefresher;
  readonly #upkeep: MetadataUpkeep;
  readonly #interest = new TopicInterest();
  readonly #users = new Set<() => Iterable<string>>();
  readonly #topics: SharedLookups<TopicMetadata>;
  readonly #coordinators: Coordinators;
  readonly #ended = new AbortController();
  #metadata = ClusterMetadata.empty;

  /** @throws KrafkaConfigError when a bootstrap address is none */
  constructor(options: ClusterOptions, ports: Partial<NetworkPorts> = {}) {
    this.pool = options.pool;
    this.#bootstrap = parseBrokers(options.brokers, 'brokers');
    this.#mayCreate = options.allowAutoTopicCreation ?? true;
    this.#ports = { ...systemNetworkPorts, ...ports };
    this.#anyBroker = new AnyBroker({
      pool: options.pool,
      bootstrap: this.#bootstrap,
      metadata: () => this.#metadata,
      ports: this.#ports,
    });
    this.#refresher = new MetadataRefresher({ request: (topics) => this.#update(topics) });
    this.#upkeep = new MetadataUpkeep({
      refresh: (topics) => this.#refreshQuietly(topics),
      endPeriod: () => this.#endPeriod(),
      isInUse: () => this.#interest.size > 0,
      maxAgeMs: options.metadataMaxAgeMs ?? METADATA_MAX_AGE_MS,
      ports: this.#ports,
    });
    this.#topics = new SharedLookups({
      attempt: (name) => this.#lookUpTopic(name),
      expired: (name, deadline, last) => this.#topicExpired(name, deadline, last),
      ports: this.#ports,
    });
    this.#coordinators = new Coordinators({
      ask: (question) => this.#ask(question),
      broker: (nodeId) => this.#metadata.brokers.get(nodeId),
      found: (node) => this.#swap(withBroker(this.#metadata, node)),
      ports: this.#ports,
    });
  }

  /** What is known at this moment. */
  get metadata(): ClusterMetadata {
    return this.#metadata;
  }

  /** Aborts with a KrafkaClosedError when the cluster is closed. */
  get closed(): AbortSignal {
    return this.#ended.signal;
  }

  /** The addresses the client was given. */
  get bootstrap(): readonly string[] {
    return this.#bootstrap;
  }

  /**
   * A topic with at least one partition: the one that is known, else waits until there is one. A partition's leader may
   * still be missing (-1). The topic is kept fresh while it is used.
   *
   * @throws KrafkaProtocolError UNKNOWN_TOPIC_OR_PARTITION when the deadline passes and there is still no such topic;
   *   at once when it never will be there for us, e.g. TOPIC_AUTHORIZATION_FAILED or INVALID_TOPIC_EXCEPTION
   * @throws KrafkaTimeoutError when the deadline passes and no broker could say
   */
  async topic(name: string, deadline: Deadline, signal?: AbortSignal): Promise<TopicMetadata> {
    this.#assertOpen();
    const known = this.#interest.use(name);
    if (known !== undefined) return known;
    return this.#topics.find(name, { deadline, signal });
  }

  /** The topic as it is known, or undefined when it has to be asked for. Counts as using the topic. */
  cachedTopic(name: string): TopicMetadata | undefined {
    return this.#interest.use(name);
  }

  /** Keeps topics fresh, used or not, until the answer is called. They need not exist yet. */
  track(topics: readonly string[]): () => void {
    this.#assertOpen();
    const release = this.#interest.pin(topics, this.#metadata);
    if (topics.length > 0) this.#upkeep.inUse();
    return release;
  }

  /**
   * Keeps fresh what somebody uses without asking for it here each time, until the answer is called: `used` is asked at the
   * end of each period, and names the topics that were in use at any moment of it.
   */
  trackUse(used: () => Iterable<string>): () => void {
    this.#users.add(used);
    return () => void this.#users.delete(used);
  }

  /**
   * Asks for news: of these topics, or of every topic in use, and of the brokers. One try of every broker there is to
   * ask, and bounded by their timeouts when `wait` does not bound it; requests are shared with whoever asks at the same
   * time.
   *
   * @throws KrafkaConnectionError when no broker answers, naming the addresses and the last failure
   * @throws KrafkaTimeoutError when the deadline passes before
   */
  async refresh(topics: readonly string[] = this.#interest.names, wait?: WaitOptions): Promise<ClusterMetadata> {
    this.#assertOpen();
    for (const name of topics) this.#interest.want(name, this.#metadata.topics.get(name));
    if (topics.length > 0) this.#upkeep.inUse();
    const { metadata } = await this.#within(wait, this.#refresher.fetch(topics));
    return metadata;
  }

  /**
   * Asks for topics of which only the ids are known, and keeps those that there are, as {@link refresh} does: one
   * request, of a broker that can be asked by id (KIP-516, Kafka 3.1 and later).
   *
   * @throws KrafkaConnectionError when no broker answers
   */
  async refreshById(topicIds: readonly string[]): Promise<ClusterMetadata> {
    this.#assertOpen();
    const response = await this.#askMetadata(topicIds.map((topicId) => ({ topicId, name: null })));
    this.#takeOver(applyMetadata(this.#metadata, response).metadata);
    for (const { name } of response.topics) {
      if (name !== null && this.#metadata.topics.has(name)) this.#interest.want(name, this.#metadata.topics.get(name));
    }
    this.#upkeep.inUse();
    return this.#metadata;
  }

  /**
   * What the cluster says of topics, or of every topic there is, without keeping them: for looking around, not for
   * producing or consuming. `problems` holds the error codes of topics that could not be described, by name.
   *
   * @throws KrafkaConnectionError when no broker answers
   * @throws KrafkaTimeoutError when the deadline passes before
   */
  async look(topics: readonly string[] | 'all', wait?: WaitOptions): Promise<MetadataUpdate> {
    this.#assertOpen();
    const names = topics === 'all' ? null : topics.map((name) => ({ name }));
    const response = await this.#within(wait, this.#askMetadata(names));
    this.#takeOver(applyMetadata(this.#metadata, { ...response, topics: [] }).metadata);
    return applyMetadata(ClusterMetadata.empty, response);
  }

  /** Takes over the leaders that a Produce or Fetch response told of (KIP-951), where they are news. */
  leaderMoved(...changes: readonly LeaderChange[]): void {
    this.#swap(applyLeaders(this.#metadata, changes));
    for (const { topic, partition, leaderEpoch } of changes) {
      // News that could not be placed: of a partition or a broker that is not known yet.
      const known = this.#metadata.topics.get(topic)?.partitions[partition];
      if (known === undefined || known.leaderEpoch < leaderEpoch) this.suspect(topic, partition);
    }
  }

  /** What is known of the topic is wrong: it is refreshed soon, once for all who say so. Nothing, where it is not used. */
  suspect(topic: string, _partition?: number): void {
    if (this.#interest.has(topic) || this.#metadata.topics.has(topic)) this.#upkeep.suspect([topic]);
  }

  /** The connection to a broker when it is known and ready. Waits for nothing. */
  readyConnection(nodeId: number, purpose: ConnectionPurpose = 'data'): BrokerConnection | undefined {
    const broker = this.#metadata.brokers.get(nodeId);
    return broker === undefined ? undefined : this.pool.ready(broker.address, purpose);
  }

  /**
   * A connection to a broker of the cluster. When it can't be reached, or is not known, metadata is refreshed soon.
   *
   * @throws KrafkaConnectionError
   */
  async connection(nodeId: number, purpose: ConnectionPurpose, wait: WaitOptions): Promise<BrokerConnection> {
    this.#assertOpen();
    const broker = this.#metadata.brokers.get(nodeId);
    if (broker === undefined) {
      this.#upkeep.suspect(this.#interest.names);
      throw new KrafkaConnectionError(`broker ${nodeId}`, 'no broker of the cluster has this id at the moment');
    }
    try {
      return this.pool.ready(broker.address, purpose) ?? (await this.pool.getConnection(broker.address, purpose, wait));
    } catch (error) {
      if (error instanceof KrafkaError && error.retriable && !this.closed.aborted)
        this.#upkeep.suspect(this.#interest.names);
      throw error;
    }
  }

  /** A connection to whichever broker is ready, or is reached first. */
  async anyConnection({ purpose, ...wait }: AnyConnectionOptions): Promise<BrokerConnection> {
    this.#assertOpen();
    return this.#anyBroker.connection(wait, purpose);
  }

  /** A connection to the broker that takes requests for the controller; asked anew after NOT_CONTROLLER. */
  async controller(options: AnyConnectionOptions): Promise<BrokerConnection> {
    this.#assertOpen();
    const { purpose = 'data', ...wait } = options;
    if (!this.#metadata.brokers.has(this.#metadata.controllerId)) await this.refresh([], wait);
    const { controllerId, brokers } = this.#metadata;
    return brokers.has(controllerId) ? this.connection(controllerId, purpose, wait) : this.anyConnection(options);
  }

  /**
   * The coordinator of a group or a transactional id: the one that is known, else looked up.
   *
   * @throws KrafkaTimeoutError when the deadline passes
   * @throws KrafkaProtocolError at once when the answer is final, e.g. GROUP_AUTHORIZATION_FAILED
   */
  async coordinator(type: CoordinatorType, key: string, wait: WaitOptions): Promise<BrokerNode> {
    this.#assertOpen();
    return this.#coordinators.find(type, key, wait);
  }

  /** The coordinator has moved: the next one to ask looks it up. With `node`, only if that is still the one known. */
  forgetCoordinator(type: CoordinatorType, key: string, node?: BrokerNode): void {
    this.#coordinators.forget(type, key, node);
  }

  /** The cluster's finalized features by name, with their level, as a connected broker told them (KIP-584). */
  async features(wait: WaitOptions): Promise<ReadonlyMap<string, number>> {
    return (await this.anyConnection(wait)).brokerFeatures;
  }

  /** Ends everything that waits here with a KrafkaClosedError, and all timers. Connections are the pool's. */
  close(): void {
    if (this.closed.aborted) return;
    const error = new KrafkaClosedError('the cluster');
    this.#ended.abort(error);
    this.#upkeep.close();
    this.#topics.close(error);
    this.#coordinators.close(error);
  }

  #assertOpen(): void {
    this.closed.throwIfAborted();
  }

  /** The one place where the snapshot is replaced. */
  #swap(next: ClusterMetadata): void {
    if (next === this.#metadata || this.closed.aborted) return;
    const before = this.#metadata;
    this.#metadata = next;
    this.#interest.update(next);
    if (before.brokers !== next.brokers) this.#tellPool(before.brokers, next.brokers);
    if (before.clusterId !== null && before.clusterId !== next.clusterId) {
      this.#ports.logger.warn('another cluster answers at the addresses of this one', {
        before: before.clusterId,
        now: next.clusterId,
      });
      this.#coordinators.forgetAll();
    }
    this.events.emit('metadata', next);
  }

  /** Tells the pool which brokers have left, or come back. The addresses we were given are always worth a dial. */
  #tellPool(before: ClusterMetadata['brokers'], next: ClusterMetadata['brokers']): void {
    const addresses = new Set(Array.from(next.values(), ({ address }) => address));
    for (const { address } of before.values()) {
      if (!addresses.delete(address) && !this.#bootstrap.includes(address)) this.pool.forget(address);
    }
    for (const address of addresses) this.pool.remember(address);
  }

  #ask<T>(question: (connection: BrokerConnection) => Promise<T>): Promise<T> {
    return this.#anyBroker.ask(question, this.pool.config.requestTimeoutMs);
  }

  #within<T>(wait: WaitOptions | undefined, work: Promise<T>): Promise<T> {
    if (wait === undefined) return work;
    return within(this.#ports.clock, wait, `metadata from ${this.#bootstrap.join(', ')}`, work);
  }

  async #update(topics: readonly string[], create = false): Promise<MetadataUpdate> {
    const response = await this.#askMetadata(
      topics.map((name) => ({ name })),
      create,
    );
    const update = applyMetadata(this.#metadata, response);
    this.#takeOver(update.metadata);
    return update;
  }

  /** What the cluster says of topics, null for all; asked at the bootstrap addresses when a broker sends us there. */
  async #askMetadata(topics: AskedTopics, create = false): Promise<ResponseOf<typeof Metadata>> {
    const question = (connection: BrokerConnection): Promise<ResponseOf<typeof Metadata>> =>
      askMetadata(connection, topics, create);
    try {
      return await this.#ask(question);
    } catch (error) {
      if (!(error instanceof KrafkaError) || error.code !== START_OVER) throw error;
      this.#ports.logger.info('a broker asks this client to start over at its bootstrap addresses');
      this.#anyBroker.startOver();
      return await this.#ask(question);
    }
  }

  /** What a broker has just told is the snapshot. */
  #takeOver(metadata: ClusterMetadata): void {
    this.#swap(metadata);
    this.#anyBroker.settled();
  }

  async #lookUpTopic(name: string): Promise<TopicMetadata> {
    let { metadata, problems } = await this.#refresher.fetch([name]);
    if (this.#mayCreate && problems.get(name) === ERROR_CODES.UNKNOWN_TOPIC_OR_PARTITION) {
      // On its own, so that no other topic that happens to be gone comes back by it.
      ({ metadata, problems } = await this.#update([name], true));
    }
    const topic = metadata.topics.get(name);
    if (topic !== undefined && topic.partitions.length > 0) {
      // Whoever still waits for it: what the snapshot has is kept fresh, or somebody may go by what nobody refreshes.
      this.#interest.want(name, topic);
      this.#upkeep.inUse();
      return topic;
    }
    throw protocolError(problems.get(name) ?? ERROR_CODES.LEADER_NOT_AVAILABLE, { topic: name, api: 'Metadata' });
  }

  #topicExpired(name: string, deadline: Deadline, last: KrafkaError | undefined): KrafkaError {
    if (last instanceof KrafkaProtocolError && last.code === 'UNKNOWN_TOPIC_OR_PARTITION') {
      const detail = `waited for it for ${deadline.budget} of ${deadline.budgetMs} ms`;
      return protocolError(ERROR_CODES.UNKNOWN_TOPIC_OR_PARTITION, { topic: name, detail });
    }
    const where = last instanceof KrafkaProtocolError ? '' : ` from ${this.#bootstrap.join(', ')}`;
    return outOfTime(deadline, `the metadata of topic '${name}'${where}`, last);
  }

  async #refreshQuietly(topics: readonly string[]): Promise<boolean> {
    const before = this.#metadata;
    const wanted = topics.filter((name) => this.#interest.has(name) || before.topics.has(name));
    return (await this.#refresher.fetch(wanted)).metadata !== before;
  }

  #endPeriod(): readonly string[] {
    for (const used of this.#users) {
      for (const name of used()) this.#interest.want(name, this.#metadata.topics.get(name));
    }
    this.#swap(withoutTopics(this.#metadata, this.#interest.endPeriod()));
    return this.#interest.names;
  }
}

/** A broker that has nothing to say of its cluster is starting up, or has been told to send us away (KIP-1102). */
async function askMetadata(
  connection: BrokerConnection,
  topics: AskedTopics,
  allowAutoTopicCreation: boolean,
): Promise<ResponseOf<typeof Metadata>> {
  const creates = allowAutoTopicCreation || connection.versionOf(Metadata) < 4;
  const response = await connection.sendRequest(Metadata, { topics, allowAutoTopicCreation: creates });
  if (response.errorCode !== ERROR_CODES.NONE) {
    throw protocolError(response.errorCode, { api: 'Metadata', address: connection.address });
  }
  if (response.brokers.length === 0) {
    throw new KrafkaConnectionError(connection.address, 'knows no broker of its cluster yet, not even itself');
  }
  return response;
}
