import { INT64_MAX, ZERO_UUID } from '../../schema/index.js';
import { Writer } from '../../wire/index.js';
import type { FetchRequest } from './tables.js';

type Topic = FetchRequest['topics'][number];
type Partition = Topic['partitions'][number];
type ForgottenTopic = NonNullable<FetchRequest['forgottenTopicsData']>[number];

const NO_TOPICS: readonly ForgottenTopic[] = [];
const NO_PARTITIONS: readonly number[] = [];

/**
 * Writes a Fetch request: the bytes that the table's codec writes, in less time.
 *
 * Hot: guarded by `npm run bench -- consume`.
 */
export function writeFetchRequest(writer: Writer, request: FetchRequest, version: number): void {
  const flexible = version >= 12;
  const replicaId = request.replicaId ?? -1;
  if (version <= 14) writer.int32(replicaId);
  else if (replicaId !== -1) throw unsayable('replicaId');
  writer.int32(request.maxWaitMs);
  writer.int32(request.minBytes);
  writer.int32(request.maxBytes ?? 2_147_483_647);
  writer.int8(request.isolationLevel ?? 0);
  if (version >= 7) {
    writer.int32(request.sessionId ?? 0);
    writer.int32(request.sessionEpoch ?? -1);
  }
  const { topics } = request;
  writer.count(topics.length, flexible);
  for (const topic of topics) writeTopic(writer, topic, version);
  const forgotten = request.forgottenTopicsData ?? NO_TOPICS;
  if (version >= 7) writeForgotten(writer, forgotten, version);
  else if (forgotten.length > 0) throw unsayable('forgottenTopicsData');
  if (version >= 11) writer.text(request.rackId ?? '', flexible);
  writeTags(writer, request, version);
}

function writeTopic(writer: Writer, topic: Topic, version: number): void {
  const flexible = version >= 12;
  if (version >= 13) writer.uuid(topic.topicId ?? ZERO_UUID);
  else writer.text(topic.topic as string, flexible);
  const { partitions } = topic;
  writer.count(partitions.length, flexible);
  for (const partition of partitions) {
    writer.int32(partition.partition);
    if (version >= 9) writer.int32(partition.currentLeaderEpoch ?? -1);
    writer.int64(partition.fetchOffset);
    const lastFetchedEpoch = partition.lastFetchedEpoch ?? -1;
    if (version >= 12) writer.int32(lastFetchedEpoch);
    else if (lastFetchedEpoch !== -1) throw unsayable('lastFetchedEpoch');
    if (version >= 5) writer.int64(partition.logStartOffset ?? -1);
    writer.int32(partition.partitionMaxBytes);
    if (flexible) writePartitionTags(writer, partition, version);
  }
  if (flexible) writer.unsignedVarint(0);
}

function writePartitionTags(writer: Writer, partition: Partition, version: number): void {
  const directory = version >= 17 ? (partition.replicaDirectoryId ?? ZERO_UUID) : ZERO_UUID;
  const highWatermark = version >= 18 ? (partition.highWatermark ?? INT64_MAX) : INT64_MAX;
  writer.unsignedVarint((directory === ZERO_UUID ? 0 : 1) + (highWatermark === INT64_MAX ? 0 : 1));
  if (directory !== ZERO_UUID) {
    writer.unsignedVarint(0);
    writer.unsignedVarint(16);
    writer.uuid(directory);
  }
  if (highWatermark !== INT64_MAX) {
    writer.unsignedVarint(1);
    writer.unsignedVarint(8);
    writer.int64(highWatermark);
  }
}

function writeForgotten(writer: Writer, forgotten: readonly ForgottenTopic[], version: number): void {
  const flexible = version >= 12;
  writer.count(forgotten.length, flexible);
  for (const topic of forgotten) {
    if (version >= 13) writer.uuid(topic.topicId ?? ZERO_UUID);
    else writer.text(topic.topic ?? '', flexible);
    const partitions = topic.partitions ?? NO_PARTITIONS;
    writer.count(partitions.length, flexible);
    for (const partition of partitions) writer.int32(partition);
    if (flexible) writer.unsignedVarint(0);
  }
}

// Only replicas say who they are: a consumer's request ends with no tags.
function writeTags(writer: Writer, request: FetchRequest, version: number): void {
  const { replicaId = -1, replicaEpoch = -1 } = request.replicaState ?? {};
  const isReplica = replicaId !== -1 || replicaEpoch !== -1;
  if (isReplica && version < 15) throw unsayable('replicaState');
  if (version < 12) return;
  const clusterId = request.clusterId ?? null;
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

function unsayable(field: string): RangeError {
  return new RangeError(`'${field}' can't be said in this version`);
}
