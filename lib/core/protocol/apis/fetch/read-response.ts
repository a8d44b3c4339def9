import { ZERO_UUID } from '../../schema/index.js';
import type { Reader } from '../../wire/index.js';
import { NO_LEADER, readLeaderIdAndEpoch, readNodeEndpoints } from '../leader-discovery.js';
import type { FetchResponse } from './tables.js';

type Topic = FetchResponse['responses'][number];
type Partition = Topic['partitions'][number];
type AbortedTransaction = NonNullable<Partition['abortedTransactions']>[number];

// One for all partitions, as nearly all are: not to be written to.
const NO_DIVERGENCE: Partition['divergingEpoch'] = Object.freeze({ epoch: -1, endOffset: -1 });
const NO_SNAPSHOT: Partition['snapshotId'] = Object.freeze({ endOffset: -1, epoch: -1 });

/**
 * Reads a Fetch response: the value that the table's codec reads, in less time. The records are views of the frame.
 *
 * Hot: guarded by `npm run bench -- consume`.
 */
export function readFetchResponse(reader: Reader, version: number): FetchResponse {
  const flexible = version >= 12;
  const throttleTimeMs = reader.int32();
  const errorCode = version >= 7 ? reader.int16() : 0;
  const sessionId = version >= 7 ? reader.int32() : 0;
  const responses: Topic[] = [];
  for (let left = reader.length(flexible, flexible ? 3 : 6); left > 0; left--)
    responses.push(readTopic(reader, version));
  let nodeEndpoints: FetchResponse['nodeEndpoints'] = [];
  if (flexible) {
    for (let left = reader.tagCount(); left > 0; left--) {
      const tag = reader.unsignedVarint();
      const part = reader.part(reader.unsignedVarint());
      if (tag === 0 && version >= 16) nodeEndpoints = readNodeEndpoints(part);
    }
  }
  return { throttleTimeMs, errorCode, sessionId, responses, nodeEndpoints };
}

function readTopic(reader: Reader, version: number): Topic {
  const flexible = version >= 12;
  const topicId = version >= 13 ? reader.uuid() : ZERO_UUID;
  const topic = version >= 13 ? '' : reader.text(flexible);
  const partitions: Partition[] = [];
  for (let left = reader.length(flexible, 24); left > 0; left--) partitions.push(readPartition(reader, version));
  if (flexible) reader.skipTags();
  return { topic, topicId, partitions };
}

function readPartition(reader: Reader, version: number): Partition {
  const flexible = version >= 12;
  const partition: Partition = {
    partitionIndex: reader.int32(),
    errorCode: reader.int16(),
    highWatermark: reader.int64(),
    lastStableOffset: reader.int64(),
    logStartOffset: version >= 5 ? reader.int64() : -1,
    divergingEpoch: NO_DIVERGENCE,
    currentLeader: NO_LEADER,
    snapshotId: NO_SNAPSHOT,
    abortedTransactions: readAbortedTransactions(reader, flexible),
    preferredReadReplica: version >= 11 ? reader.int32() : -1,
    records: reader.bytes(flexible),
  };
  if (flexible) readPartitionTags(reader, partition);
  return partition;
}

function readAbortedTransactions(reader: Reader, flexible: boolean): AbortedTransaction[] | null {
  const count = reader.count(flexible, 16);
  if (count < 0) return null;
  const aborted: AbortedTransaction[] = [];
  for (let left = count; left > 0; left--) {
    aborted.push({ producerId: reader.int64(), firstOffset: reader.int64() });
    if (flexible) reader.skipTags();
  }
  return aborted;
}

function readPartitionTags(reader: Reader, partition: Partition): void {
  for (let left = reader.tagCount(); left > 0; left--) {
    const tag = reader.unsignedVarint();
    const part = reader.part(reader.unsignedVarint());
    if (tag === 0) {
      partition.divergingEpoch = { epoch: part.int32(), endOffset: part.int64() };
    } else if (tag === 1) {
      partition.currentLeader = readLeaderIdAndEpoch(part);
      continue;
    } else if (tag === 2) {
      partition.snapshotId = { endOffset: part.int64(), epoch: part.int32() };
    } else {
      continue;
    }
    part.skipTags();
    part.expectEnd();
  }
}
