import { ClusterMetadata, type BrokerNode, type LeaderChange, type TopicMetadata } from '../../cluster/index.js';
import type { BrokerConnection } from '../../network/index.js';
import { ERROR_CODES, protocolError } from '../../protocol/index.js';
import { KrafkaConnectionError, seededRandom, silentLogger, TypedEvents, type Deadline } from '../../support/index.js';
import type { ProducerOptions } from '../options.js';
import { Producer } from '../producer.js';
import type { RecordContent } from '../record.js';
import type { ProducerCluster } from '../sender/sender.js';
import { FakeBundle, type FakeConnection, type ProduceOnWire } from './fake-broker.js';
import { HandClock } from './hand-clock.js';

/** A cluster of which the test knows everything: brokers 1, 2, ... whose connections only show what was sent. */
export class FakeCluster {
  readonly events = new TypedEvents<{ metadata: ClusterMetadata }>();
  readonly bundles = new Map<number, FakeBundle>();
  /** What was reported stale. */
  readonly suspected: string[] = [];
  /** What `connection()` answers; by default it resolves when the broker has a usable connection. */
  connect: (nodeId: number) => Promise<void> = () => Promise.resolve();
  connectCalls = 0;
  topicCalls = 0;
  refreshCalls = 0;
  metadata: ClusterMetadata;
  readonly #clock: HandClock;
  /** Who names what it used, and the topics that were used in this period. */
  readonly #users = new Set<() => Iterable<string>>();
  readonly #used = new Set<string>();
  readonly #awaited = new Map<string, { resolve: (topic: TopicMetadata) => void; reject: (error: Error) => void }[]>();

  constructor(clock: HandClock, options: { brokers: number; connectionsPerBroker: number }) {
    this.#clock = clock;
    const brokers = new Map<number, BrokerNode>();
    for (let nodeId = 1; nodeId <= options.brokers; nodeId++) {
      const address = `broker-${nodeId}:9092`;
      brokers.set(nodeId, { nodeId, host: `broker-${nodeId}`, port: 9092, rack: null, address });
      this.bundles.set(nodeId, new FakeBundle(address, options.connectionsPerBroker));
    }
    this.metadata = ClusterMetadata.empty.with({ clusterId: 'fake', controllerId: 1, brokers });
  }

  get pool(): { bundle(address: string): FakeBundle | undefined } {
    return { bundle: (address) => [...this.bundles.values()].find((bundle) => bundle.address === address) };
  }

  /** The first connection to a broker. */
  broker(nodeId = 1, place = 0): FakeConnection {
    return this.bundles.get(nodeId)?.members[place] as FakeConnection;
  }

  /** Every connection to every broker. */
  get connections(): FakeConnection[] {
    return [...this.bundles.values()].flatMap(({ members }) => members.filter((member) => member !== undefined));
  }

  /** Produce requests that wait for the test, on whatever connection. */
  get onWire(): ProduceOnWire[] {
    return this.connections.flatMap(({ onWire }) => onWire);
  }

  /** Makes a topic known, or changes its leaders: one broker id a partition. */
  topicHas(
    name: string,
    leaders: readonly number[],
    options: { epoch?: number; id?: string; replicas?: readonly number[] } = {},
  ): void {
    const topics = new Map(this.metadata.topics);
    const topic: TopicMetadata = {
      name,
      id: options.id ?? idOf(name),
      isInternal: false,
      partitions: leaders.map((leader, partition) => ({
        partition,
        leader,
        leaderEpoch: options.epoch ?? 1,
        replicas: options.replicas ?? [1],
        isr: options.replicas ?? [1],
        offlineReplicas: [],
      })),
    };
    topics.set(name, topic);
    this.#used.add(name);
    this.#become(this.metadata.with({ topics }));
    if (leaders.length === 0) return;
    for (const waiter of this.#awaited.get(name) ?? []) waiter.resolve(topic);
    this.#awaited.delete(name);
  }

  /** The topic is gone. */
  topicIsGone(name: string): void {
    const topics = new Map(this.metadata.topics);
    topics.delete(name);
    this.#become(this.metadata.with({ topics }));
  }

  /** A period of metadataMaxAgeMs ends: what nobody used during it is forgotten. */
  periodEnds(): void {
    for (const used of this.#users) for (const name of used()) this.#used.add(name);
    const kept = [...this.metadata.topics].filter(([name]) => this.#used.has(name));
    this.#used.clear();
    if (kept.length < this.metadata.topics.size) this.#become(this.metadata.with({ topics: new Map(kept) }));
  }

  /** Whoever waits for the topic is refused. */
  refuseTopic(name: string, error: Error): void {
    for (const waiter of this.#awaited.get(name) ?? []) waiter.reject(error);
    this.#awaited.delete(name);
  }

  topic(name: string, deadline: Deadline): Promise<TopicMetadata> {
    this.topicCalls++;
    this.#used.add(name);
    const known = this.metadata.topics.get(name);
    if (known !== undefined && known.partitions.length > 0) return Promise.resolve(known);
    return new Promise((resolve, reject) => {
      this.#awaited.set(name, [...(this.#awaited.get(name) ?? []), { resolve, reject }]);
      this.#clock.setTimer(deadline.remainingMs, () => {
        reject(protocolError(ERROR_CODES.UNKNOWN_TOPIC_OR_PARTITION, { topic: name }));
      });
    });
  }

  cachedTopic(name: string): TopicMetadata | undefined {
    this.#used.add(name);
    return this.metadata.topics.get(name);
  }

  trackUse(used: () => Iterable<string>): () => void {
    this.#users.add(used);
    return () => void this.#users.delete(used);
  }

  refresh(_topics: readonly string[], _wait: { readonly deadline: Deadline }): Promise<ClusterMetadata> {
    this.refreshCalls++;
    return Promise.resolve(this.metadata);
  }

  async connection(nodeId: number): Promise<FakeConnection> {
    this.connectCalls++;
    await this.connect(nodeId);
    const connection = this.bundles.get(nodeId)?.members.find((member) => member?.usable === true);
    if (connection === undefined) throw new KrafkaConnectionError(`broker-${nodeId}:9092`, 'refused by the test');
    return connection;
  }

  anyConnection(): Promise<FakeConnection> {
    return this.connection(1);
  }

  leaderMoved({ topic, partition, leaderId, leaderEpoch }: LeaderChange): void {
    const known = this.metadata.topics.get(topic);
    const epochBefore = known?.partitions[partition]?.leaderEpoch;
    if (known === undefined || epochBefore === undefined || leaderEpoch <= epochBefore) return;
    const partitions = known.partitions.map((one) =>
      one.partition === partition ? { ...one, leader: leaderId, leaderEpoch } : one,
    );
    this.#become(this.metadata.with({ topics: new Map(this.metadata.topics).set(topic, { ...known, partitions }) }));
  }

  suspect(topic: string, partition?: number): void {
    this.suspected.push(partition === undefined ? topic : `${topic}/${partition}`);
  }

  #become(metadata: ClusterMetadata): void {
    this.metadata = metadata;
    this.events.emit('metadata', metadata);
  }
}

/** 22 characters that are different for each name. */
export const idOf = (name: string): string => Buffer.from(name.padEnd(16, '.').slice(0, 16)).toString('base64url');

/** A producer in a world where nothing happens by itself. */
export interface FakeWorld<Key = RecordContent, Value = RecordContent> {
  readonly clock: HandClock;
  readonly cluster: FakeCluster;
  readonly producer: Producer<Key, Value>;
  /** The one connection to broker 1. */
  readonly broker: FakeConnection;
}

/** A producer on a fake cluster that knows a topic `t`, whose partitions (6) are led by broker 1. */
export function fakeWorld<Key = RecordContent, Value = RecordContent>(
  options: ProducerOptions<Key, Value> = {},
  world: { brokers?: number; connectionsPerBroker?: number; leaders?: readonly number[]; seed?: number } = {},
): FakeWorld<Key, Value> {
  const clock = new HandClock();
  const cluster = new FakeCluster(clock, {
    brokers: world.brokers ?? 1,
    connectionsPerBroker: world.connectionsPerBroker ?? 1,
  });
  cluster.topicHas('t', world.leaders ?? [1, 1, 1, 1, 1, 1]);
  const producer = new Producer<Key, Value>(cluster as unknown as ProducerCluster, options, {
    clock,
    random: seededRandom(world.seed ?? 1),
    logger: silentLogger,
  });
  return { clock, cluster, producer, broker: cluster.broker() };
}

/**
 * As {@link fakeWorld}, once each partition has an acknowledged record, of sequence 0: from then on several batches of a
 * partition may be in flight. What was sent for that is forgotten.
 */
export async function warmWorld(
  ...options: Parameters<typeof fakeWorld<RecordContent, RecordContent>>
): Promise<FakeWorld> {
  const world = fakeWorld(...options);
  const { clock, cluster, producer } = world;
  const { partitions } = cluster.metadata.topics.get('t') as TopicMetadata;
  const warm = producer.sendAll(
    partitions.map(({ partition }) => ({ topic: 't', partition, value: '' })),
    { immediate: true },
  );
  for (let round = 0; round < partitions.length; round++) {
    await clock.settle();
    for (const produce of cluster.onWire) produce.answer();
  }
  await warm;
  for (const connection of cluster.connections) connection.produced.length = 0;
  return world;
}

/** What became of a promise so far. */
export interface Watched<T> {
  state: 'pending' | 'fulfilled' | 'rejected';
  value?: T;
  reason?: Error;
}

/** Watches a promise without waiting for it. */
export function watch<T>(promise: Promise<T>): Watched<T> {
  const watched: Watched<T> = { state: 'pending' };
  promise.then(
    (value) => Object.assign(watched, { state: 'fulfilled', value }),
    (reason: unknown) => Object.assign(watched, { state: 'rejected', reason }),
  );
  return watched;
}

export type { BrokerConnection };
