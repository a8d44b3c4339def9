import { INT64_MAX, ZERO_UUID } from '../../schema/index.js';
import { Writer } from '../../wire/index.js';
import type { FetchRequest } from './tables.js';

type Topic = FetchRequest['topics'][number];
type Partition = Topic['partitions'][number];
type ForgottenTopic = NonNullable<FetchRequest['forgottenTopicsData']>[number];
type ReplicaState = NonNullable<FetchRequest['replicaState']>;

const NO_TOPICS: readonly ForgottenTopic[] = [];
const NO_PARTITIONS: readonly number[] = [];
const NO_REPLICA: ReplicaState = {};

/**
 * Writes a Fetch request: the bytes that the table's codec writes, in less time. What is left out is its default.
 *
 * Hot: guarded by `npm run bench -- consume`.
 */
export function writeFetchRequest(writer: Writer, request: FetchRequest, version: number): void {
  const flexible = version >= 12;
  const { replicaId = -1, maxBytes = 2_147_483_647, isolationLevel = 0, sessionId = 0, sessionEpoch = -1 } = request;
  const { topics, forgottenTopicsData = NO_TOPICS, rackId = '' } = request;
  if (version <= 14) writer.int32(replicaId);
  else if (replicaId !== -1) throw unsayable('replicaId');
  writer.int32(request.maxWaitMs);
  writer.int32(request.minBytes);
  writer.int32(maxBytes);
  writer.int8(isolationLevel);
  if (version >= 7) {
    writer.int32(sessionId);
    writer.int32(sessionEpoch);
  }
  writer.lengthOf(topics, flexible);
  for (const topic of topics) writeTopic(writer, topic, version);
  if (version >= 7) writeForgotten(writer, forgottenTopicsData, version);
  else if (!Array.isArray(forgottenTopicsData) || forgottenTopicsData.length > 0)
    throw unsayable('forgottenTopicsData');
  if (version >= 11) writer.text(rackId, flexible);
  writeTags(writer, request, version);
}

function writeTopic(writer: Writer, { topic, topicId = ZERO_UUID, partitions }: Topic, version: number): void {
  const flexible = version >= 12;
  if (version >= 13) writer.uuid(topicId);
  else writer.text(topic as string, flexible);
  writer.lengthOf(partitions, flexible);
  for (const partition of partitions) {
    const { currentLeaderEpoch = -1, lastFetchedEpoch = -1, logStartOffset = -1 } = partition;
    writer.int32(partition.partition);
    if (version >= 9) writer.int32(currentLeaderEpoch);
    writer.int64(partition.fetchOffset);
    if (version >= 12) writer.int32(lastFetchedEpoch);
    else if (lastFetchedEpoch !== -1) throw unsayable('lastFetchedEpoch');
    if (version >= 5) writer.int64(logStartOffset);
    writer.int32(partition.partitionMaxBytes);
    if (flexible) writePartitionTags(writer, partition, version);
  }
  if (flexible) writer.unsignedVarint(0);
}

// Only replicas have these, and they came late: a consumer's partition ends with no tags.
function writePartitionTags(writer: Writer, partition: Partition, version: number): void {
  const { replicaDirectoryId = ZERO_UUID, highWatermark = INT64_MAX } = partition;
  const hasDirectory = version >= 17 && replicaDirectoryId !== ZERO_UUID;
  const hasHighWatermark = version >= 18 && highWatermark !== INT64_MAX;
  writer.unsignedVarint((hasDirectory ? 1 : 0) + (hasHighWatermark ? 1 : 0));
  if (hasDirectory) {
    writer.unsignedVarint(0);
    writer.unsignedVarint(16);
    writer.uuid(replicaDirectoryId);
  }
  if (hasHighWatermark) {
    writer.unsignedVarint(1);
    writer.unsignedVarint(8);
    writer.int64(highWatermark);
  }
}

function writeForgotten(writer: Writer, forgotten: readonly ForgottenTopic[], version: number): void {
  const flexible = version >= 12;
  writer.lengthOf(forgotten, flexible);
  for (const one of forgotten) {
    if (typeof one !== 'object') throw new TypeError('must be an object');
    const { topic = '', topicId = ZERO_UUID, partitions = NO_PARTITIONS } = one;
    if (version >= 13) writer.uuid(topicId);
    else writer.text(topic, flexible);
    writer.lengthOf(partitions, flexible);
    for (const partition of partitions) writer.int32(partition);
    if (flexible) writer.unsignedVarint(0);
  }
}

// Only replicas say who they are: a consumer's request ends with no tags.
function writeTags(writer: Writer, request: FetchRequest, version: number): void {
  const { clusterId = null, replicaState = NO_REPLICA } = request;
  if (typeof replicaState !== 'object') throw new TypeError("'replicaState' must be an object");
  const { replicaId = -1, replicaEpoch = -1 } = replicaState;
  const isReplica = replicaId !== -1 || replicaEpoch !== -1;
  if (isReplica && version < 15) throw unsayable('replicaState');
  if (version < 12) return;
  writer.unsignedVarint((clusterId === null ? 0 : 1) + (isReplica ? 1 : 0));
  if (clusterId !== null) {
    const body = new Writer(64);
    body.text(clusterId, true);
    writer.unsignedVarint(0);
    writer.unsignedVarint(body.length);
    writer.raw(body.toBuffer());
  }
  if (isReplica) {
    writer.unsignedVarint(1);
    writer.unsignedVarint(13);
    writer.int32(replicaId);
    writer.int64(replicaEpoch);
    writer.unsignedVarint(0);
  }
}

// The words for the caller come from the table's codec, which is asked when this one fails.
function unsayable(field: string): RangeError {
  return new RangeError(`'${field}' can't be said in this version`);
}
