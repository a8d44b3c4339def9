import { DescribeCluster, ERROR_CODES, Metadata, ZERO_UUID, type AnswerOf } from '../../core/protocol/index.js';
import type { Cluster } from '../cluster/cluster.js';
import type { Partition } from '../cluster/partition.js';
import type { Topic } from '../cluster/topic.js';
import { topicNameProblem } from '../cluster/topic-name.js';
import { serve, type RequestScope, type ServedApi } from './served-api.js';

type TopicAnswer = AnswerOf<typeof Metadata>['topics'][number];
type PartitionAnswer = TopicAnswer['partitions'][number];

// All operations, as a broker without authorizer has them: bits by AclOperation's numbers.
const TOPIC_OPERATIONS = 3_576;
const CLUSTER_OPERATIONS = 7_968;
const UNASKED = -2_147_483_648;

const NAMELESS_SINCE = 12;

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
    topicAuthorizedOperations: operations ? TOPIC_OPERATIONS : UNASKED,
  };
}

const topicError = (errorCode: number, name: string | null, topicId: string = ZERO_UUID): TopicAnswer => ({
  errorCode,
  name,
  topicId,
  isInternal: false,
  partitions: [],
});

function missingTopic(name: string, mayCreate: boolean, { cluster, autoCreateTopics }: RequestScope): TopicAnswer {
  if (topicNameProblem(name) !== undefined) return topicError(ERROR_CODES.INVALID_TOPIC_EXCEPTION, name);
  // As in Kafka the topic is there from the next request on; this one is still told that it is not.
  if (mayCreate && autoCreateTopics) cluster.createTopic({ name, partitions: 1 });
  return topicError(ERROR_CODES.UNKNOWN_TOPIC_OR_PARTITION, name);
}

export const metadata: readonly ServedApi[] = [
  serve(
    Metadata,
    [0, 13],
    (request, scope) => {
      const { cluster, version } = scope;
      const operations = request.includeTopicAuthorizedOperations;
      const wanted = request.topics === null || (version === 0 && request.topics.length === 0) ? null : request.topics;
      const topics =
        wanted === null
          ? [...cluster.topics.values()].map((topic) => topicAnswer(topic, scope, operations))
          : wanted.map(({ name, topicId }) => {
              if (name !== null) {
                const topic = cluster.topic(name);
                if (topic !== undefined) return topicAnswer(topic, scope, operations);
                return missingTopic(name, request.allowAutoTopicCreation, scope);
              }
              const topic = cluster.topicById(topicId);
              if (topic !== undefined) return topicAnswer(topic, scope, operations);
              return topicError(ERROR_CODES.UNKNOWN_TOPIC_ID, version >= NAMELESS_SINCE ? null : '', topicId);
            });
      return {
        brokers: brokersOf(cluster),
        clusterId: cluster.id,
        controllerId: cluster.controllerId,
        topics,
        clusterAuthorizedOperations: request.includeClusterAuthorizedOperations ? CLUSTER_OPERATIONS : UNASKED,
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
    (request, { cluster }) => ({
      throttleTimeMs: 0,
      ...(request.endpointType === 1
        ? { errorCode: ERROR_CODES.NONE }
        : { errorCode: ERROR_CODES.MISMATCHED_ENDPOINT_TYPE, errorMessage: 'this is the broker endpoint' }),
      endpointType: 1,
      clusterId: cluster.id,
      controllerId: cluster.controllerId,
      brokers: brokersOf(cluster).map(({ nodeId, ...broker }) => ({ brokerId: nodeId, ...broker, isFenced: false })),
      clusterAuthorizedOperations: request.includeClusterAuthorizedOperations ? CLUSTER_OPERATIONS : UNASKED,
    }),
    (_request, errorCode, { cluster }) => ({ throttleTimeMs: 0, errorCode, clusterId: cluster.id, brokers: [] }),
  ),
];
