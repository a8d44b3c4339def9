import type { BrokerNode, Cluster, TopicMetadata } from '../cluster/index.js';
import type { CommittedOffset, OffsetToCommit, TopicPartition, TopicPartitionOffset } from '../consumer/index.js';
import { systemNetworkPorts, type NetworkPorts } from '../network/index.js';
import { aListOf, aString, KrafkaClosedError } from '../support/index.js';
import { AdminCall } from './admin-call.js';
import { checkAdminOptions, checkCall, type AdminOptions, type CallOptions } from './call-options.js';
import {
  alterConfigs,
  checkAlterConfigs,
  checkConfigChanges,
  checkConfigQueries,
  checkDescribeConfigs,
  describeConfigs,
  type AlterConfigsOptions,
  type ConfigChange,
  type ConfigDescription,
  type ConfigQuery,
  type DescribeConfigsOptions,
} from './configs.js';
import {
  alterGroupOffsets,
  checkCommits,
  checkListGroupOffsets,
  deleteGroupOffsets,
  listGroupOffsets,
  type ListGroupOffsetsOptions,
} from './group-offsets.js';
import { createTopics } from './create-topics.js';
import {
  checkListGroups,
  deleteGroups,
  describeGroups,
  listGroups,
  type GroupDescription,
  type GroupListing,
  type ListGroupsOptions,
} from './groups.js';
import {
  checkListOffsets,
  checkOffsetQueries,
  checkPartitionOffsets,
  checkPartitions,
  deleteRecords,
  listOffsets,
  type ListedOffset,
  type ListOffsetsOptions,
  type OffsetQuery,
} from './partition-offsets.js';
import { checkResetOffsets, resetOffsets, type ResetOffset, type ResetOffsetsOptions } from './reset-offsets.js';
import {
  alterShareGroupOffsets,
  checkListShareGroupOffsets,
  deleteShareGroupOffsets,
  listShareGroupOffsets,
  type ListShareGroupOffsetsOptions,
  type ShareGroupOffset,
} from './share-group-offsets.js';
import {
  checkCreatePartitions,
  checkCreateTopics,
  checkDeleteTopics,
  checkListTopics,
  checkNewPartitions,
  checkTopicSpecs,
  type CreatedTopic,
  type CreatePartitionsOptions,
  type CreateTopicsOptions,
  type DeleteTopicsOptions,
  type ListTopicsOptions,
  type NewPartitions,
  type TopicSpec,
} from './topic-options.js';
import { createPartitions, deleteTopics, describeTopics, listTopics } from './topics.js';

/** What the cluster says of itself. */
export interface ClusterDescription {
  readonly clusterId: string | null;
  /** The node that takes requests for the controller; under KRaft any broker, which passes them on. -1 when unknown. */
  readonly controllerId: number;
  readonly brokers: readonly BrokerNode[];
}

/**
 * Topics, configurations, groups and offsets, as an administrator sees them.
 *
 * Every call has one budget of time, in which it finds the broker that must answer, and tries again what failed for now.
 * What was asked about several things is done for as many as possible: when one fails, its error is thrown, when several
 * do, a {@link KrafkaAggregateError} with all of them; what is not named there succeeded. A topic that does not exist is
 * not waited for, but for the moment that news of a new one takes to travel.
 */
export class Admin {
  readonly #cluster: Cluster;
  readonly #ports: NetworkPorts;
  readonly #timeoutMs: number;
  readonly #ended = new AbortController();

  /** @throws KrafkaConfigError */
  constructor(cluster: Cluster, options: AdminOptions = {}, ports: Partial<NetworkPorts> = {}) {
    this.#cluster = cluster;
    this.#timeoutMs = checkAdminOptions(options).timeoutMs;
    this.#ports = { ...systemNetworkPorts, ...ports };
  }

  /**
   * Creates topics; what it answers with is in the order asked for.
   *
   * @throws KrafkaProtocolError TOPIC_ALREADY_EXISTS, INVALID_REPLICATION_FACTOR, INVALID_CONFIG, ... naming the topic
   */
  async createTopics(topics: readonly TopicSpec[], options?: CreateTopicsOptions): Promise<CreatedTopic[]> {
    const checked = checkCreateTopics(options);
    const specs = checkTopicSpecs(topics);
    return createTopics(this.#call(checked), specs, checked);
  }

  /**
   * Deletes topics with all their records. Brokers hear of it one by one: some may know the topic for a moment yet.
   *
   * @throws KrafkaProtocolError UNKNOWN_TOPIC_OR_PARTITION, TOPIC_DELETION_DISABLED, ... naming the topic
   */
  async deleteTopics(names: readonly string[], options?: DeleteTopicsOptions): Promise<void> {
    const checked = checkDeleteTopics(options);
    return deleteTopics(this.#call(checked), checkNames(names, 'names'), checked);
  }

  /** Every topic that we may see, in the order of their names. */
  async listTopics(options?: ListTopicsOptions): Promise<TopicMetadata[]> {
    const checked = checkListTopics(options);
    return listTopics(this.#call(checked), checked.includeInternal);
  }

  /**
   * These topics with their partitions, in the order asked for.
   *
   * @throws KrafkaProtocolError UNKNOWN_TOPIC_OR_PARTITION, TOPIC_AUTHORIZATION_FAILED naming the topic
   */
  async describeTopics(names: readonly string[], options?: CallOptions): Promise<TopicMetadata[]> {
    return describeTopics(this.#call(checkCall(options)), checkNames(names, 'names'));
  }

  /**
   * Gives topics more partitions. Keys go to other partitions from then on.
   *
   * @throws KrafkaProtocolError INVALID_PARTITIONS, ... naming the topic
   */
  async createPartitions(topics: readonly NewPartitions[], options?: CreatePartitionsOptions): Promise<void> {
    const checked = checkCreatePartitions(options);
    return createPartitions(this.#call(checked), checkNewPartitions(topics), checked);
  }

  /** The cluster's id, controller and brokers. */
  async describeCluster(options?: CallOptions): Promise<ClusterDescription> {
    const call = this.#call(checkCall(options));
    const { metadata } = await call.one('the brokers of the cluster', () => this.#cluster.look([], call.wait));
    const { clusterId, controllerId, brokers } = metadata;
    return { clusterId, controllerId, brokers: [...brokers.values()].toSorted((a, b) => a.nodeId - b.nodeId) };
  }

  /** The configurations of topics, brokers or groups, in the order asked for. */
  async describeConfigs(
    resources: readonly ConfigQuery[],
    options?: DescribeConfigsOptions,
  ): Promise<ConfigDescription[]> {
    const checked = checkDescribeConfigs(options);
    return describeConfigs(this.#call(checked), checkConfigQueries(resources), checked);
  }

  /** Changes entries of configurations, and leaves all others as they are (KIP-339). */
  async incrementalAlterConfigs(changes: readonly ConfigChange[], options?: AlterConfigsOptions): Promise<void> {
    const checked = checkAlterConfigs(options);
    return alterConfigs(this.#call(checked), checkConfigChanges(changes), checked);
  }

  /** Every group that we may see, of all brokers, in the order of their ids. */
  async listGroups(options?: ListGroupsOptions): Promise<GroupListing[]> {
    const checked = checkListGroups(options);
    return listGroups(this.#call(checked), checked);
  }

  /**
   * These groups with their members, in the order asked for; `type` tells which kind each is. Classic groups, those of
   * KIP-848 and share groups are described; others, like those of Kafka Streams, are as good as not there.
   *
   * @throws KrafkaProtocolError GROUP_ID_NOT_FOUND, GROUP_AUTHORIZATION_FAILED naming the group
   */
  async describeGroups(groupIds: readonly string[], options?: CallOptions): Promise<GroupDescription[]> {
    return describeGroups(this.#call(checkCall(options)), checkNames(groupIds, 'groupIds'));
  }

  /**
   * Deletes groups with their offsets.
   *
   * @throws KrafkaProtocolError NON_EMPTY_GROUP, GROUP_ID_NOT_FOUND naming the group
   */
  async deleteGroups(groupIds: readonly string[], options?: CallOptions): Promise<void> {
    return deleteGroups(this.#call(checkCall(options)), checkNames(groupIds, 'groupIds'));
  }

  /** Offsets of partitions, in the order asked for; one request per leader, all leaders at once. */
  async listOffsets(queries: readonly OffsetQuery[], options?: ListOffsetsOptions): Promise<ListedOffset[]> {
    const checked = checkListOffsets(options);
    return listOffsets(this.#call(checked), checkOffsetQueries(queries), checked.isolationLevel);
  }

  /** Every offset that a group has committed, or those of some partitions; without those where it has none. */
  async listGroupOffsets(groupId: string, options?: ListGroupOffsetsOptions): Promise<CommittedOffset[]> {
    const checked = checkListGroupOffsets(options);
    return listGroupOffsets(this.#call(checked), aString(groupId, 'groupId'), checked);
  }

  /**
   * Commits offsets for a group that has no members.
   *
   * @throws KrafkaProtocolError UNKNOWN_MEMBER_ID when it has
   */
  async alterGroupOffsets(groupId: string, offsets: readonly OffsetToCommit[], options?: CallOptions): Promise<void> {
    const call = this.#call(checkCall(options));
    return alterGroupOffsets(call, aString(groupId, 'groupId'), checkCommits(offsets));
  }

  /**
   * Puts a group that has no members somewhere else, and tells where.
   *
   * @throws KrafkaProtocolError UNKNOWN_MEMBER_ID when it has
   */
  async resetOffsets(groupId: string, options: ResetOffsetsOptions): Promise<ResetOffset[]> {
    const checked = checkResetOffsets(options);
    return resetOffsets(this.#call(checked), aString(groupId, 'groupId'), checked);
  }

  /**
   * Forgets offsets of a group (KIP-496).
   *
   * @throws KrafkaProtocolError GROUP_SUBSCRIBED_TO_TOPIC while a member reads the topic
   */
  async deleteGroupOffsets(
    groupId: string,
    partitions: readonly TopicPartition[],
    options?: CallOptions,
  ): Promise<void> {
    const call = this.#call(checkCall(options));
    return deleteGroupOffsets(call, aString(groupId, 'groupId'), checkPartitions(partitions, 'partitions'));
  }

  /**
   * Where a share group stands in the partitions that it has read, or in some of them (KIP-932). Brokers know of none in
   * a group that does not exist.
   *
   * @throws KrafkaProtocolError GROUP_AUTHORIZATION_FAILED naming the group
   */
  async listShareGroupOffsets(groupId: string, options?: ListShareGroupOffsetsOptions): Promise<ShareGroupOffset[]> {
    const checked = checkListShareGroupOffsets(options);
    return listShareGroupOffsets(this.#call(checked), aString(groupId, 'groupId'), checked);
  }

  /**
   * Puts a share group that has no members somewhere else; what it knew of single records there is forgotten.
   *
   * @throws KrafkaProtocolError NON_EMPTY_GROUP when it has members, GROUP_ID_NOT_FOUND
   */
  async alterShareGroupOffsets(
    groupId: string,
    offsets: readonly TopicPartitionOffset[],
    options?: CallOptions,
  ): Promise<void> {
    const call = this.#call(checkCall(options));
    return alterShareGroupOffsets(call, aString(groupId, 'groupId'), checkPartitionOffsets(offsets, 'offsets'));
  }

  /**
   * Has a share group without members forget topics: it begins in them as a new group does.
   *
   * @throws KrafkaProtocolError NON_EMPTY_GROUP when it has members, GROUP_ID_NOT_FOUND, UNKNOWN_TOPIC_OR_PARTITION
   */
  async deleteShareGroupOffsets(groupId: string, topics: readonly string[], options?: CallOptions): Promise<void> {
    const call = this.#call(checkCall(options));
    return deleteShareGroupOffsets(call, aString(groupId, 'groupId'), checkNames(topics, 'topics'));
  }

  /**
   * Deletes the records before an offset in each partition, and tells where the partition begins now.
   *
   * @throws KrafkaProtocolError OFFSET_OUT_OF_RANGE, POLICY_VIOLATION (a compacted topic), ... naming the partition
   */
  async deleteRecords(before: readonly TopicPartitionOffset[], options?: CallOptions): Promise<TopicPartitionOffset[]> {
    return deleteRecords(this.#call(checkCall(options)), checkPartitionOffsets(before, 'before'));
  }

  /** Ends what waits here with a KrafkaClosedError; further calls are refused with one. Holds no connections of its own. */
  close(): Promise<void> {
    this.#ended.abort(new KrafkaClosedError('the admin'));
    return Promise.resolve();
  }

  #call(options: CallOptions): AdminCall {
    const ends = [this.#ended.signal, this.#cluster.closed, ...(options.signal === undefined ? [] : [options.signal])];
    const signal = AbortSignal.any(ends);
    signal.throwIfAborted();
    return new AdminCall(this.#cluster, this.#ports, { ...options, signal }, this.#timeoutMs);
  }
}

const checkNames = (given: unknown, path: string): readonly string[] => aListOf(aString)(given, path);
