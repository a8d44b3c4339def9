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
import { TopicConfig, configsProblem } from '../cluster/topic-config.js';
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
/** Kafka's most partitions that one CreateTopics may ask for. */
const MOST_PARTITIONS = 10_000;
const DEFAULT_PARTITIONS = 1;
/** The log of the controllers, which is a topic for them only. */
const CLUSTER_METADATA = '__cluster_metadata';

/** Why something can't be done, as the answer says it. */
interface Refusal {
  readonly error: ErrorName;
  readonly message: string | null;
}

const refuse = (error: ErrorName, message: string | null): Refusal => ({ error, message });
const isTwice = (word: string, words: readonly string[]): boolean => words.indexOf(word) !== words.lastIndexOf(word);
const isRefusal = (value: object): value is Refusal => 'error' in value && 'message' in value;

/** What is wrong with a new name, given the names that there were before the request. */
function nameProblem(name: string, existing: readonly string[]): Refusal | undefined {
  const illegal = topicNameProblem(name);
  if (illegal !== undefined) return refuse('INVALID_TOPIC_EXCEPTION', `Topic name is invalid: ${illegal}`);
  if (existing.includes(name)) return refuse('TOPIC_ALREADY_EXISTS', `Topic '${name}' already exists.`);
  const like = existing.find((other) => collisionName(other) === collisionName(name));
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
    const places = assignments.map(({ partitionIndex }) => partitionIndex);
    const twice = places.find((place, at) => places.indexOf(place) !== at);
    if (twice !== undefined) {
      const message = `Found multiple manual partition assignments for partition ${twice}`;
      return refuse('INVALID_REPLICA_ASSIGNMENT', message);
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
  return cluster.place(
    numPartitions === -1 ? DEFAULT_PARTITIONS : numPartitions,
    replicationFactor === -1 ? 1 : replicationFactor,
  );
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

const notATopic = (name: string, message: string): CreateAnswer =>
  refusedTopic(name, ERROR_CODES.INVALID_REQUEST, message);

/** Makes what is asked for; what can't be looked at as a topic of its own is answered last. */
function createTopics(request: CreateRequest, scope: RequestScope): readonly CreateAnswer[] {
  const names = request.topics.map(({ name }) => name);
  const wanted = request.topics.filter(({ name }) => !isTwice(name, names) && name !== CLUSTER_METADATA);
  const partitions = wanted.reduce((sum, topic) => sum + partitionsOf(topic), 0);
  const existing = [...scope.cluster.topics.keys()];
  const answers = wanted.map((topic) =>
    partitions > MOST_PARTITIONS
      ? refusedTopic(topic.name, ERROR_CODES.POLICY_VIOLATION, 'Excessively large number of partitions per request.')
      : createTopic(topic, request, existing, scope),
  );
  return [
    ...answers,
    ...(names.includes(CLUSTER_METADATA) && !isTwice(CLUSTER_METADATA, names)
      ? [notATopic(CLUSTER_METADATA, `Creation of internal topic ${CLUSTER_METADATA} is prohibited.`)]
      : []),
    // A name that is given twice is answered once.
    ...[...new Set(names.filter((name) => isTwice(name, names)))].map((name) =>
      notATopic(name, 'Duplicate topic name.'),
    ),
  ];
}

const partitionsOf = ({ assignments, numPartitions }: NewTopic): number => {
  if (assignments.length > 0) return assignments.length;
  return numPartitions === -1 ? DEFAULT_PARTITIONS : Math.max(0, numPartitions);
};

function createTopic(
  topic: NewTopic,
  request: CreateRequest,
  existing: readonly string[],
  { cluster }: RequestScope,
): CreateAnswer {
  const { name, configs } = topic;
  const refused = ({ error, message }: Refusal): CreateAnswer => refusedTopic(name, ERROR_CODES[error], message);
  const problem = nameProblem(name, existing);
  if (problem !== undefined) return refused(problem);
  const wrong = configsProblem(new Map(configs.map((config) => [config.name, config.value])));
  if (wrong !== undefined) return refused(refuse('INVALID_CONFIG', wrong));
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

/** A topic to delete as a request names it: by its name or, from v6 on, by its id. */
interface Doomed {
  readonly name: string | null;
  readonly topicId: string;
}

/** Deletes what is named once and in one way; the rest is answered once each, and left as it is. */
function deleteTopics(all: readonly Doomed[], scope: RequestScope): readonly DeleteAnswer[] {
  const refused: DeleteAnswer[] = [];
  const reject = (name: string | null, topicId: string, errorMessage: string): void => {
    refused.push({ name, topicId, errorCode: ERROR_CODES.INVALID_REQUEST, errorMessage });
  };
  const names: string[] = [];
  const ids: string[] = [];
  for (const { name, topicId } of all) {
    if (name === null && topicId === ZERO_UUID) reject(name, topicId, 'Neither topic name nor id were specified.');
    else if (name === null) ids.push(topicId);
    else if (topicId === ZERO_UUID) names.push(name);
    else reject(name, topicId, 'You may not specify both topic name and topic id.');
  }
  const doomed: Doomed[] = [];
  for (const name of new Set(names)) {
    const id = scope.cluster.topic(name)?.id ?? ZERO_UUID;
    if (isTwice(name, names)) reject(name, ZERO_UUID, 'Duplicate topic name.');
    else if (!ids.includes(id)) doomed.push({ name, topicId: ZERO_UUID });
    else reject(name, id, 'The provided topic name maps to an ID that was already supplied.');
  }
  for (const id of new Set(ids)) {
    if (isTwice(id, ids)) reject(null, id, 'Duplicate topic id.');
    else if (!refused.some(({ topicId }) => topicId === id)) doomed.push({ name: null, topicId: id });
  }
  return [...refused, ...doomed.map((asked) => deleteTopic(asked, scope))];
}

function deleteTopic(asked: Doomed, { cluster, groups }: RequestScope): DeleteAnswer {
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

const growthOf = (name: string, refusal: Refusal | undefined) => ({
  name,
  errorCode: ERROR_CODES[refusal?.error ?? 'NONE'],
  errorMessage: refusal?.message ?? null,
});

/** Adds partitions topic by topic; a name that is given twice is refused, once, before the others. */
function growTopics(request: PartitionsRequest, scope: RequestScope): AnswerOf<typeof CreatePartitions>['results'] {
  const names = request.topics.map(({ name }) => name);
  const twice = [...new Set(names.filter((name) => isTwice(name, names)))];
  return [
    ...twice.map((name) => growthOf(name, refuse('INVALID_REQUEST', 'Duplicate topic name.'))),
    ...request.topics
      .filter(({ name }) => !isTwice(name, names))
      .map((asked) => growthOf(asked.name, addPartitions(asked, request, scope))),
  ];
}

export const topics: readonly ServedApi[] = [
  serve(
    CreateTopics,
    [2, 7],
    (request, scope) => ({ topics: createTopics(request, scope) }),
    (request, error) => ({ topics: request.topics.map(({ name }) => refusedTopic(name, error)) }),
  ),
  serve(
    DeleteTopics,
    [1, 6],
    (request, scope) => ({ responses: deleteTopics(toDelete(request, scope.version), scope) }),
    (request, errorCode, { version }) => ({
      responses: toDelete(request, version).map((asked) => ({ ...asked, errorCode })),
    }),
  ),
  serve(
    CreatePartitions,
    [0, 3],
    (request, scope) => ({
      throttleTimeMs: 0,
      results: growTopics(request, scope),
    }),
    (request, errorCode) => ({
      throttleTimeMs: 0,
      results: request.topics.map(({ name }) => ({ name, errorCode })),
    }),
  ),
];
