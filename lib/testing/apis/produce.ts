import {
  BATCH_HEADER_BYTES,
  ERROR_CODES,
  Produce,
  type AnswerOf,
  type ReceivedRequestOf,
} from '../../core/protocol/index.js';
import type { ClusterNode } from '../cluster/node.js';
import { appendProduced, notAppended, type PartitionAppended } from '../producing/partition-append.js';
import { CLOSE, NO_ANSWER, serve, type Answer, type RequestScope, type ServedApi } from './served-api.js';

type Request = ReceivedRequestOf<typeof Produce>;
type AskedTopic = Request['topicData'][number];
type TopicAnswer = AnswerOf<typeof Produce>['responses'][number];

const TOPIC_IDS_SINCE = 13;
/** Where a batch has its attributes, and the one that is meant; the rest of the batch may be anything. */
const ATTRIBUTES_AT = 21;
const TRANSACTIONAL = 1 << 4;

/** Whether the first batch of any partition is transactional. */
const hasTransactionalBatch = ({ partitionData }: AskedTopic): boolean =>
  partitionData.some(
    ({ records }) =>
      records !== null &&
      records.length >= BATCH_HEADER_BYTES &&
      (records.readInt16BE(ATTRIBUTES_AT) & TRANSACTIONAL) !== 0,
  );

function produceTo(asked: AskedTopic, request: Request, unidentified: boolean, scope: RequestScope): TopicAnswer {
  const { cluster, version } = scope;
  const byId = version >= TOPIC_IDS_SINCE;
  const topic = byId ? cluster.topicById(asked.topicId) : cluster.topic(asked.name);
  const partitionResponses = asked.partitionData.map(({ index, records }): PartitionAppended => {
    const fault = scope.faulted(topic?.name ?? asked.name, index);
    if (fault !== undefined) return notAppended(index, fault);
    if (unidentified) return notAppended(index, 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED');
    if (topic === undefined) return notAppended(index, byId ? 'UNKNOWN_TOPIC_ID' : 'UNKNOWN_TOPIC_OR_PARTITION');
    const partition = topic.partitions[index];
    if (partition === undefined) return notAppended(index, 'UNKNOWN_TOPIC_OR_PARTITION');
    return appendProduced(topic, partition, records, request, scope);
  });
  return { name: asked.name, topicId: asked.topicId, partitionResponses };
}

function produce(request: Request, scope: RequestScope): Answer<typeof Produce> {
  // Nothing of such a request is taken: it is not known whose transaction it is.
  const unidentified = request.transactionalId === null && request.topicData.some(hasTransactionalBatch);
  const asked = lastOfEach(request.topicData);
  const responses = asked.map((topic) => produceTo(topic, request, unidentified, scope));
  const partitions = responses.flatMap(({ partitionResponses }) => partitionResponses);
  // Nobody waits for an answer to acks = 0: the only way to say that something failed is to close the connection.
  if (request.acks === 0) {
    return partitions.some(({ errorCode }) => errorCode !== ERROR_CODES.NONE) ? CLOSE : NO_ANSWER;
  }
  return { responses, nodeEndpoints: leadersIn(partitions, scope) };
}

/** Each topic and partition once, as it is given last; a topic of no partitions not at all. */
function lastOfEach(topics: readonly AskedTopic[]): readonly AskedTopic[] {
  const merged = new Map<string, { topic: AskedTopic; partitions: Map<number, AskedTopic['partitionData'][number]> }>();
  for (const topic of topics) {
    const place = `${topic.topicId}/${topic.name}`;
    let known = merged.get(place);
    if (known === undefined) merged.set(place, (known = { topic, partitions: new Map() }));
    for (const partition of topic.partitionData) known.partitions.set(partition.index, partition);
  }
  return [...merged.values()]
    .filter(({ partitions }) => partitions.size > 0)
    .map(({ topic, partitions }) => ({ ...topic, partitionData: [...partitions.values()] }));
}

function leadersIn(partitions: readonly PartitionAppended[], { cluster }: RequestScope) {
  const leaders = new Set<ClusterNode>();
  for (const { currentLeader } of partitions) {
    const leader = currentLeader === undefined ? undefined : cluster.nodes.get(currentLeader.leaderId ?? -1);
    if (leader !== undefined) leaders.add(leader);
  }
  return [...leaders].map(({ id, host, port }) => ({ nodeId: id, host, port, rack: null }));
}

export const producing: readonly ServedApi[] = [
  serve(Produce, [3, 13], produce, (request, _error, scope) => produce(request, scope)),
];
