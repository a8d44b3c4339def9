import {
  CreatePartitions,
  CreateTopics,
  DeleteTopics,
  ERROR_CODES,
  ZERO_UUID,
  type AnswerOf,
  type ErrorName,
  type ReceivedRequestOf,
} from '../../core/protocol/index.js';
import type { Cluster } from '../cluster/cluster.js';
import { TopicConfig, configProblem } from '../cluster/topic-config.js';
import { collisionName, topicNameProblem } from '../cluster/topic-name.js';
import { serve, type RequestScope, type ServedApi } from './served-api.js';

type CreateRequest = ReceivedRequestOf<typeof CreateTopics>;
type NewTopic = CreateRequest['topics'][number];
type CreateAnswer = AnswerOf<typeof CreateTopics>['topics'][number];
type PartitionsRequest = ReceivedRequestOf<typeof CreatePartitions>;
type MorePartitions = PartitionsRequest['topics'][number];
type DeleteRequest = ReceivedRequestOf<typeof DeleteTopics>;
type DeleteAnswer = AnswerOf<typeof DeleteTopics>['responses'][number];

const BY_ID_SINCE = 6;

/** Why something can't be done, as the answer says it. */
interface Refusal {
  readonly error: ErrorName;
  readonly message: string | null;
}

const refuse = (error: ErrorName, message: string | null): Refusal => ({ error, message });
const isRefusal = (value: object): value is Refusal => 'error' in value && 'message' in value;

function nameProblem(name: string, cluster: Cluster): Refusal | undefined {
  const illegal = topicNameProblem(name);
  if (illegal !== undefined) return refuse('INVALID_TOPIC_EXCEPTION', `Topic name is invalid: ${illegal}`);
  if (cluster.topic(name) !== undefined) return refuse('TOPIC_ALREADY_EXISTS', `Topic '${name}' already exists.`);
  const like = [...cluster.topics.keys()].find((other) => collisionName(other) === collisionName(name));
  if (like === undefined) return undefined;
  return refuse('INVALID_TOPIC_EXCEPTION', `Topic '${name}' collides with existing topic: ${like}`);
}

function replicasProblem(replicas: readonly number[], first: readonly number[], cluster: Cluster): string | undefined {
  if (replicas.length === 0) return 'an empty replica list';
  const stranger = replicas.find((id) => !cluster.nodes.has(id));
  if (stranger !== undefined) return `broker ${stranger}, but no such broker is registered`;
  const twice = replicas.find((id, index) => replicas.indexOf(id) !== index);
  if (twice !== undefined) return `the broker ${twice} more than once`;
  if (replicas.length === first.length) return undefined;
  return `a partition with ${replicas.length} replica(s), but this is not consistent with previous partitions, which have ${first.length} replica(s)`;
}

/** Replicas that were chosen by hand, checked. */
function chosenPlacement(
  assignments: readonly (readonly number[])[],
  cluster: Cluster,
): readonly (readonly number[])[] | Refusal {
  for (const replicas of assignments) {
    const problem = replicasProblem(replicas, assignments[0] as readonly number[], cluster);
    if (problem !== undefined) {
      return refuse('INVALID_REPLICA_ASSIGNMENT', `The manual partition assignment includes ${problem}.`);
    }
  }
  return assignments;
}

function placementOf(topic: NewTopic, cluster: Cluster): readonly (readonly number[])[] | Refusal {
  const { numPartitions, replicationFactor, assignments } = topic;
  if (assignments.length > 0) {
    if (replicationFactor !== -1) {
      return refuse(
        'INVALID_REQUEST',
        'A manual partition assignment was specified, but replication factor was not set to -1.',
      );
    }
    if (numPartitions !== -1) {
      return refuse(
        'INVALID_REQUEST',
        'A manual partition assignment was specified, but numPartitions was not set to -1.',
      );
    }
    const ordered = assignments.toSorted((a, b) => a.partitionIndex - b.partitionIndex);
    if (ordered.some(({ partitionIndex }, index) => partitionIndex !== index)) {
      return refuse('INVALID_REPLICA_ASSIGNMENT', 'partitions should be a consecutive 0-based integer sequence');
    }
    return chosenPlacement(
      ordered.map(({ brokerIds }) => brokerIds),
      cluster,
    );
  }
  if (replicationFactor < -1 || replicationFactor === 0) {
    return refuse(
      'INVALID_REPLICATION_FACTOR',
      'Replication factor must be larger than 0, or -1 to use the default value.',
    );
  }
  if (numPartitions < -1 || numPartitions === 0) {
    return refuse('INVALID_PARTITIONS', 'Number of partitions was set to an invalid non-positive value.');
  }
  if (replicationFactor > cluster.onlineNodes.length) {
    return refuse(
      'INVALID_REPLICATION_FACTOR',
      `Unable to replicate the partition ${replicationFactor} time(s): The target replication factor of ` +
        `${replicationFactor} cannot be reached because only ${cluster.onlineNodes.length} broker(s) are registered or some brokers have all their log directories cordoned.`,
    );
  }
  return cluster.place(numPartitions === -1 ? 1 : numPartitions, replicationFactor === -1 ? 1 : replicationFactor);
}

const refusedTopic = (name: string, errorCode: number, errorMessage: string | null = null): CreateAnswer => ({
  name,
  topicId: ZERO_UUID,
  errorCode,
  errorMessage,
  numPartitions: -1,
  replicationFactor: -1,
  configs: [],
});

function createTopic(topic: NewTopic, request: CreateRequest, { cluster }: RequestScope): CreateAnswer {
  const { name, configs } = topic;
  const refused = ({ error, message }: Refusal): CreateAnswer => refusedTopic(name, ERROR_CODES[error], message);
  if (request.topics.filter((other) => other.name === name).length > 1) {
    return refused(refuse('INVALID_REQUEST', 'Duplicate topic name.'));
  }
  const problem = nameProblem(name, cluster);
  if (problem !== undefined) return refused(problem);
  for (const config of configs) {
    const wrong = configProblem(config.name, config.value);
    if (wrong !== undefined) return refused(refuse('INVALID_CONFIG', wrong));
  }
  const placement = placementOf(topic, cluster);
  if (isRefusal(placement)) return refused(placement);
  const set = configs.map((config) => [config.name, config.value ?? ''] as const);
  const made = request.validateOnly
    ? { id: cluster.newUuid(), config: new TopicConfig(set) }
    : cluster.createTopic({ name, partitions: placement.length, placement, configs: set });
  return {
    name,
    topicId: made.id,
    errorCode: ERROR_CODES.NONE,
    errorMessage: null,
    numPartitions: placement.length,
    replicationFactor: placement[0]?.length ?? -1,
    configs: made.config.entries().map(({ configType: _type, ...entry }) => entry),
  };
}

function deleteTopic(
  asked: { readonly name: string | null; readonly topicId: string },
  { cluster, groups }: RequestScope,
): DeleteAnswer {
  const byId = asked.name === null;
  const topic = asked.name === null ? cluster.topicById(asked.topicId) : cluster.topic(asked.name);
  if (topic === undefined) {
    return {
      ...asked,
      errorCode: ERROR_CODES[byId ? 'UNKNOWN_TOPIC_ID' : 'UNKNOWN_TOPIC_OR_PARTITION'],
      errorMessage: `This server does not host this ${byId ? 'topic ID' : 'topic-partition'}.`,
    };
  }
  cluster.deleteTopic(topic);
  groups.topicDeleted(topic.name);
  return { name: topic.name, topicId: topic.id, errorCode: ERROR_CODES.NONE };
}

const toDelete = (request: DeleteRequest, version: number) =>
  version >= BY_ID_SINCE ? request.topics : request.topicNames.map((name) => ({ name, topicId: ZERO_UUID }));

function addPartitions(
  asked: MorePartitions,
  request: PartitionsRequest,
  { cluster }: RequestScope,
): Refusal | undefined {
  const topic = cluster.topic(asked.name);
  if (request.topics.filter(({ name }) => name === asked.name).length > 1) {
    return refuse('INVALID_REQUEST', 'Duplicate topic in request.');
  }
  if (topic === undefined) return refuse('UNKNOWN_TOPIC_OR_PARTITION', null);
  const now = topic.partitions.length;
  const added = asked.count - now;
  if (added < 0) {
    return refuse(
      'INVALID_PARTITIONS',
      `The topic ${asked.name} currently has ${now} partition(s); ${asked.count} would not be an increase.`,
    );
  }
  if (added === 0) return refuse('INVALID_PARTITIONS', `Topic already has ${now} partition(s).`);
  let placement: readonly (readonly number[])[] | Refusal;
  if (asked.assignments === null) {
    placement = cluster.place(added, topic.replicationFactor);
  } else if (asked.assignments.length !== added) {
    const message = `Attempted to add ${added} additional partition(s), but only ${asked.assignments.length} assignment(s) were specified.`;
    return refuse('INVALID_REPLICA_ASSIGNMENT', message);
  } else {
    placement = chosenPlacement(
      asked.assignments.map(({ brokerIds }) => brokerIds),
      cluster,
    );
  }
  if (isRefusal(placement)) return placement;
  if (!request.validateOnly) cluster.addPartitions(topic, placement);
  return undefined;
}

export const topics: readonly ServedApi[] = [
  serve(
    CreateTopics,
    [2, 7],
    (request, scope) => {
      // A name that is given twice is answered once.
      const first = request.topics.filter(({ name }, at) => request.topics.findIndex((t) => t.name === name) === at);
      return { topics: first.map((topic) => createTopic(topic, request, scope)) };
    },
    (request, error) => ({ topics: request.topics.map(({ name }) => refusedTopic(name, error)) }),
  ),
  serve(
    DeleteTopics,
    [1, 6],
    (request, scope) => ({ responses: toDelete(request, scope.version).map((asked) => deleteTopic(asked, scope)) }),
    (request, errorCode, { version }) => ({
      responses: toDelete(request, version).map((asked) => ({ ...asked, errorCode })),
    }),
  ),
  serve(
    CreatePartitions,
    [0, 3],
    (request, scope) => ({
      throttleTimeMs: 0,
      results: request.topics.map((asked) => {
        const refusal = addPartitions(asked, request, scope);
        return {
          name: asked.name,
          errorCode: ERROR_CODES[refusal?.error ?? 'NONE'],
          errorMessage: refusal?.message ?? null,
        };
      }),
    }),
    (request, errorCode) => ({
      throttleTimeMs: 0,
      results: request.topics.map(({ name }) => ({ name, errorCode })),
    }),
  ),
];
