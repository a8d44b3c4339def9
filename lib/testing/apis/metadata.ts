import {
  DescribeCluster,
  ERROR_CODES,
  Metadata,
  ZERO_UUID,
  type AnswerOf,
  type ErrorName,
  type ReceivedRequestOf,
} from '../../core/protocol/index.js';
import type { Cluster } from '../cluster/cluster.js';
import type { Partition } from '../cluster/partition.js';
import type { Topic } from '../cluster/topic.js';
import { topicNameProblem } from '../cluster/topic-name.js';
import { CLUSTER_OPERATIONS, OPERATIONS_UNASKED, TOPIC_OPERATIONS } from './operations.js';
import { serve, type RequestScope, type ServedApi } from './served-api.js';

type Request = ReceivedRequestOf<typeof Metadata>;
type AskedTopic = NonNullable<Request['topics']>[number];
type TopicAnswer = AnswerOf<typeof Metadata>['topics'][number];
type PartitionAnswer = TopicAnswer['partitions'][number];

const IDS_SINCE = 12;
const BROKER_ENDPOINT = 1;
const CONTROLLER_ENDPOINT = 2;

const brokersOf = (cluster: Cluster) =>
  cluster.onlineNodes.map(({ id, host, port }) => ({ nodeId: id, host, port, rack: null }));

function partitionAnswer(partition: Partition, { cluster, version }: RequestScope): PartitionAnswer {
  const offline = partition.replicas.filter((id) => !cluster.nodes.get(id)?.online);
  const leaderless = partition.leaderId === -1;
  return {
    errorCode: leaderless ? ERROR_CODES.LEADER_NOT_AVAILABLE : ERROR_CODES.NONE,
    partitionIndex: partition.index,
    leaderId: partition.leaderId,
    leaderEpoch: partition.leaderEpoch,
    replicaNodes: version === 0 ? partition.replicas.filter((id) => !offline.includes(id)) : partition.replicas,
    isrNodes: partition.isr,
    offlineReplicas: offline,
  };
}

function topicAnswer(topic: Topic, scope: RequestScope, operations: boolean): TopicAnswer {
  return {
    errorCode: ERROR_CODES.NONE,
    name: topic.name,
    topicId: topic.id,
    isInternal: topic.isInternal,
    partitions: topic.partitions.map((partition) => partitionAnswer(partition, scope)),
    topicAuthorizedOperations: operations ? TOPIC_OPERATIONS : OPERATIONS_UNASKED,
  };
}

const topicError = (
  errorCode: number,
  name: string | null,
  topicId: string = ZERO_UUID,
  operations = false,
): TopicAnswer => ({
  errorCode,
  name,
  topicId,
  isInternal: false,
  partitions: [],
  topicAuthorizedOperations: operations ? TOPIC_OPERATIONS : OPERATIONS_UNASKED,
});

function missingTopic(
  name: string,
  mayCreate: boolean,
  operations: boolean,
  { cluster, autoCreateTopics }: RequestScope,
): TopicAnswer {
  if (topicNameProblem(name) !== undefined) {
    return topicError(ERROR_CODES.INVALID_TOPIC_EXCEPTION, name, ZERO_UUID, operations);
  }
  // As in Kafka the topic is there from the next request on; this one is still told that it is not.
  if (mayCreate && autoCreateTopics) cluster.createTopic({ name, partitions: 1 });
  return topicError(ERROR_CODES.UNKNOWN_TOPIC_OR_PARTITION, name, ZERO_UUID, operations);
}

function endpointRefusal(type: number): { readonly errorCode: number; readonly errorMessage: string } {
  if (type !== CONTROLLER_ENDPOINT) {
    return { errorCode: ERROR_CODES.UNSUPPORTED_ENDPOINT_TYPE, errorMessage: `Unsupported endpoint type ${type}` };
  }
  const errorMessage =
    'The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER';
  return { errorCode: ERROR_CODES.MISMATCHED_ENDPOINT_TYPE, errorMessage };
}

/** What is wrong with the topics that are asked for, all together. */
function askedProblem(topics: readonly AskedTopic[], version: number): ErrorName {
  if (version < IDS_SINCE) {
    return topics.some(({ name, topicId }) => name === null || topicId !== ZERO_UUID) ? 'INVALID_REQUEST' : 'NONE';
  }
  return topics.some(({ name, topicId }) => name === null && topicId === ZERO_UUID) ? 'UNKNOWN_SERVER_ERROR' : 'NONE';
}

/**
 * Each topic once: ids that no topic has, then topics, then names that there are not. Where any is asked for by its id,
 * names are not looked at.
 */
function topicsOf(asked: readonly AskedTopic[], request: Request, scope: RequestScope): readonly TopicAnswer[] {
  const { cluster } = scope;
  const operations = request.includeTopicAuthorizedOperations;
  const ids = new Set(asked.map(({ topicId }) => topicId).filter((id) => id !== ZERO_UUID));
  const names = new Set(ids.size > 0 ? [] : asked.flatMap(({ name }) => name ?? []));
  const strangers: TopicAnswer[] = [];
  const known: TopicAnswer[] = [];
  const missing: TopicAnswer[] = [];
  for (const id of ids) {
    const topic = cluster.topicById(id);
    if (topic === undefined) strangers.push(topicError(ERROR_CODES.UNKNOWN_TOPIC_ID, null, id));
    else known.push(topicAnswer(topic, scope, operations));
  }
  for (const name of names) {
    const topic = cluster.topic(name);
    if (topic === undefined) missing.push(missingTopic(name, request.allowAutoTopicCreation, operations, scope));
    else known.push(topicAnswer(topic, scope, operations));
  }
  return [...strangers, ...known, ...missing];
}

export const metadata: readonly ServedApi[] = [
  serve(
    Metadata,
    [0, 13],
    (request, scope) => {
      const { cluster, version } = scope;
      const operations = request.includeTopicAuthorizedOperations;
      const wanted = request.topics === null || (version === 0 && request.topics.length === 0) ? null : request.topics;
      const problem = askedProblem(wanted ?? [], version);
      if (problem !== 'NONE') {
        const topics = (wanted ?? []).map(({ name, topicId }) => topicError(ERROR_CODES[problem], name ?? '', topicId));
        return { brokers: [], clusterId: cluster.id, controllerId: -1, topics };
      }
      return {
        brokers: brokersOf(cluster),
        clusterId: cluster.id,
        controllerId: cluster.controllerId,
        topics:
          wanted === null
            ? [...cluster.topics.values()].map((topic) => topicAnswer(topic, scope, operations))
            : topicsOf(wanted, request, scope),
        clusterAuthorizedOperations: request.includeClusterAuthorizedOperations
          ? CLUSTER_OPERATIONS
          : OPERATIONS_UNASKED,
      };
    },
    (request, errorCode, { cluster }) => ({
      brokers: brokersOf(cluster),
      clusterId: cluster.id,
      controllerId: cluster.controllerId,
      topics: (request.topics ?? []).map(({ name, topicId }) => topicError(errorCode, name, topicId)),
      errorCode,
    }),
  ),
  serve(
    DescribeCluster,
    [0, 2],
    (request, { cluster }) => {
      if (request.endpointType !== BROKER_ENDPOINT) {
        return {
          throttleTimeMs: 0,
          ...endpointRefusal(request.endpointType),
          clusterId: '',
          brokers: [],
        };
      }
      return {
        throttleTimeMs: 0,
        errorCode: ERROR_CODES.NONE,
        endpointType: BROKER_ENDPOINT,
        clusterId: cluster.id,
        controllerId: cluster.controllerId,
        brokers: brokersOf(cluster).map(({ nodeId, ...broker }) => ({ brokerId: nodeId, ...broker, isFenced: false })),
        clusterAuthorizedOperations: request.includeClusterAuthorizedOperations
          ? CLUSTER_OPERATIONS
          : OPERATIONS_UNASKED,
      };
    },
    (_request, errorCode, { cluster }) => ({ throttleTimeMs: 0, errorCode, clusterId: cluster.id, brokers: [] }),
  ),
];
