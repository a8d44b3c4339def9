import { ERROR_CODES, ZERO_UUID, type Metadata, type ResponseOf } from '../protocol/index.js';
import { formatAddress } from './broker-address.js';
import type { BrokerNode, ClusterMetadata, PartitionMetadata, TopicMetadata } from './cluster-metadata.js';

type MetadataResponse = ResponseOf<typeof Metadata>;
type TopicAnswer = MetadataResponse['topics'][number];
type PartitionAnswer = TopicAnswer['partitions'][number];

/** A leader told of in a Produce or Fetch response (KIP-951). */
export interface LeaderChange {
  readonly topic: string;
  readonly partition: number;
  readonly leaderId: number;
  readonly leaderEpoch: number;
  /** Where that leader is, from the response's `nodeEndpoints`, when it is there. */
  readonly node?: { readonly host: string; readonly port: number; readonly rack?: string | null } | undefined;
}

/** What came of a Metadata response. */
export interface MetadataUpdate {
  readonly metadata: ClusterMetadata;
  /** The error codes of topics that the broker could not describe, by name. */
  readonly problems: ReadonlyMap<string, number>;
}

/**
 * The snapshot after a Metadata response. Brokers are replaced; a topic that is gone or refused is dropped; topics that
 * the response does not speak of stay. Nothing changed gives the same snapshot back.
 *
 * A broker that lags behind is recognised by its leader epochs, partition by partition. They compare only within one
 * topic id: a topic that was deleted and created again starts over, and a broker too old to tell ids is believed.
 */
export function applyMetadata(previous: ClusterMetadata, response: MetadataResponse): MetadataUpdate {
  const sameCluster =
    previous.clusterId === null || response.clusterId === null || previous.clusterId === response.clusterId;
  const topics = new Map(sameCluster ? previous.topics : []);
  const problems = new Map<string, number>();
  for (const answer of response.topics) {
    if (answer.name === null) continue;
    const known = topics.get(answer.name);
    if (answer.errorCode !== ERROR_CODES.NONE) problems.set(answer.name, answer.errorCode);
    switch (answer.errorCode) {
      case ERROR_CODES.NONE:
        topics.set(answer.name, describeTopic(answer, answer.name, known));
        break;
      case ERROR_CODES.UNKNOWN_TOPIC_OR_PARTITION:
      case ERROR_CODES.UNKNOWN_TOPIC_ID:
      case ERROR_CODES.INVALID_TOPIC_EXCEPTION:
      case ERROR_CODES.TOPIC_AUTHORIZATION_FAILED:
        topics.delete(answer.name);
        break;
      default: // The broker can't tell at the moment: what was known stays.
    }
  }
  const facts = {
    clusterId: response.clusterId ?? previous.clusterId,
    controllerId: response.controllerId,
    brokers: describeBrokers(response, previous.brokers),
    topics: sameEntries(previous.topics, topics) ? previous.topics : topics,
  };
  const unchanged =
    previous.version > 0 &&
    facts.clusterId === previous.clusterId &&
    facts.controllerId === previous.controllerId &&
    facts.brokers === previous.brokers &&
    facts.topics === previous.topics;
  return { metadata: unchanged ? previous : previous.with(facts), problems };
}

/**
 * The snapshot after news of leaders. News of a topic or broker that is not known, or no newer than what is, changes
 * nothing.
 */
export function applyLeaders(previous: ClusterMetadata, changes: readonly LeaderChange[]): ClusterMetadata {
  let brokers: Map<number, BrokerNode> | undefined;
  let topics: Map<string, TopicMetadata> | undefined;
  for (const { topic: name, partition: index, leaderId, leaderEpoch, node } of changes) {
    const topic = (topics ?? previous.topics).get(name);
    const partition = topic?.partitions[index];
    if (topic === undefined || partition === undefined || leaderEpoch <= partition.leaderEpoch) continue;
    const knownNode = (brokers ?? previous.brokers).get(leaderId);
    if (node !== undefined) {
      const told = describeBroker({ ...node, nodeId: leaderId, rack: node.rack ?? null });
      if (knownNode === undefined || !sameBroker(knownNode, told)) {
        brokers ??= new Map(previous.brokers);
        brokers.set(leaderId, told);
      }
    } else if (knownNode === undefined) {
      continue;
    }
    topics ??= new Map(previous.topics);
    topics.set(name, {
      ...topic,
      partitions: topic.partitions.with(index, { ...partition, leader: leaderId, leaderEpoch }),
    });
  }
  return topics === undefined ? previous : previous.with({ topics, brokers: brokers ?? previous.brokers });
}

/** The snapshot with a broker where FindCoordinator, which tells of no racks, says it is now. */
export function withBroker(previous: ClusterMetadata, broker: BrokerNode): ClusterMetadata {
  const known = previous.brokers.get(broker.nodeId);
  if (known?.address === broker.address) return previous;
  const told = known === undefined ? broker : describeBroker({ ...broker, rack: known.rack });
  return previous.with({ brokers: new Map(previous.brokers).set(broker.nodeId, told) });
}

/** The snapshot without these topics. */
export function withoutTopics(previous: ClusterMetadata, names: readonly string[]): ClusterMetadata {
  if (!names.some((name) => previous.topics.has(name))) return previous;
  const topics = new Map(previous.topics);
  for (const name of names) topics.delete(name);
  return previous.with({ topics });
}

/** A broker from the fields that every response tells it by. */
export function describeBroker(told: Omit<BrokerNode, 'address'>): BrokerNode {
  const { nodeId, host, port, rack } = told;
  return Object.freeze({ nodeId, host, port, rack, address: formatAddress(host, port) });
}

function describeBrokers(
  response: MetadataResponse,
  previous: ReadonlyMap<number, BrokerNode>,
): ReadonlyMap<number, BrokerNode> {
  const brokers = new Map<number, BrokerNode>();
  for (const answer of response.brokers) {
    const told = describeBroker(answer);
    const known = previous.get(told.nodeId);
    brokers.set(told.nodeId, known !== undefined && sameBroker(known, told) ? known : told);
  }
  return sameEntries(previous, brokers) ? previous : brokers;
}

function describeTopic(answer: TopicAnswer, name: string, known: TopicMetadata | undefined): TopicMetadata {
  const sameIncarnation = known !== undefined && known.id === answer.topicId;
  const partitions = placePartitions(answer.partitions, (told) => {
    const before = sameIncarnation ? known.partitions[told.partition] : undefined;
    if (before === undefined) return told;
    if (answer.topicId !== ZERO_UUID && told.leaderEpoch < before.leaderEpoch) return before;
    return samePartition(before, told) ? before : told;
  });
  // Partitions that are not numbered through: a broker that is still learning of the topic.
  if (partitions === undefined) {
    return sameIncarnation ? known : { name, id: answer.topicId, isInternal: answer.isInternal, partitions: [] };
  }
  // Within one topic id the number of partitions only grows, so fewer of them are old news.
  if (sameIncarnation && answer.topicId !== ZERO_UUID) partitions.push(...known.partitions.slice(partitions.length));
  const unchanged =
    sameIncarnation &&
    known.isInternal === answer.isInternal &&
    known.partitions.length === partitions.length &&
    partitions.every((partition, index) => partition === known.partitions[index]);
  return unchanged ? known : { name, id: answer.topicId, isInternal: answer.isInternal, partitions };
}

function placePartitions(
  answers: readonly PartitionAnswer[],
  choose: (told: PartitionMetadata) => PartitionMetadata,
): PartitionMetadata[] | undefined {
  const placed = Array.from({ length: answers.length }, (): PartitionMetadata | undefined => undefined);
  for (const answer of answers) {
    const index = answer.partitionIndex;
    if (index < 0 || index >= placed.length || placed[index] !== undefined) return undefined;
    placed[index] = choose({
      partition: index,
      leader: answer.leaderId,
      leaderEpoch: answer.leaderEpoch,
      replicas: answer.replicaNodes,
      isr: answer.isrNodes,
      offlineReplicas: answer.offlineReplicas,
    });
  }
  return placed as PartitionMetadata[];
}

const sameBroker = (a: BrokerNode, b: BrokerNode): boolean =>
  a.host === b.host && a.port === b.port && a.rack === b.rack;

const samePartition = (a: PartitionMetadata, b: PartitionMetadata): boolean =>
  a.leader === b.leader &&
  a.leaderEpoch === b.leaderEpoch &&
  sameNumbers(a.replicas, b.replicas) &&
  sameNumbers(a.isr, b.isr) &&
  sameNumbers(a.offlineReplicas, b.offlineReplicas);

const sameNumbers = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((value, index) => value === b[index]);

function sameEntries<K, V>(a: ReadonlyMap<K, V>, b: ReadonlyMap<K, V>): boolean {
  if (a.size !== b.size) return false;
  for (const [key, value] of b) if (a.get(key) !== value) return false;
  return true;
}
