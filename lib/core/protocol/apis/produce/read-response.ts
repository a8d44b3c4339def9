import { ZERO_UUID } from '../../schema/index.js';
import type { Reader } from '../../wire/index.js';
import { NO_LEADER, readLeaderIdAndEpoch, readNodeEndpoints } from '../leader-discovery.js';
import type { ProduceResponse } from './tables.js';

type Topic = ProduceResponse['responses'][number];
type Partition = Topic['partitionResponses'][number];
type RecordError = Partition['recordErrors'][number];

/**
 * Reads a Produce response: the value that the table's codec reads, in less time.
 *
 * Hot: guarded by `npm run bench -- produce`.
 */
export function readProduceResponse(reader: Reader, version: number): ProduceResponse {
  const flexible = version >= 9;
  const responses: Topic[] = [];
  for (let left = reader.length(flexible, flexible ? 3 : 6); left > 0; left--)
    responses.push(readTopic(reader, version));
  const throttleTimeMs = reader.int32();
  let nodeEndpoints: ProduceResponse['nodeEndpoints'] = [];
  if (flexible) {
    for (let left = reader.tagCount(); left > 0; left--) {
      const tag = reader.unsignedVarint();
      const part = reader.part(reader.unsignedVarint());
      if (tag === 0 && version >= 10) nodeEndpoints = readNodeEndpoints(part);
    }
  }
  return { responses, throttleTimeMs, nodeEndpoints };
}

function readTopic(reader: Reader, version: number): Topic {
  const flexible = version >= 9;
  const topicId = version >= 13 ? reader.uuid() : ZERO_UUID;
  const name = version >= 13 ? '' : reader.text(flexible);
  const partitionResponses: Partition[] = [];
  for (let left = reader.length(flexible, 22); left > 0; left--)
    partitionResponses.push(readPartition(reader, version));
  if (flexible) reader.skipTags();
  return { name, topicId, partitionResponses };
}

function readPartition(reader: Reader, version: number): Partition {
  const flexible = version >= 9;
  const index = reader.int32();
  const errorCode = reader.int16();
  const baseOffset = reader.int64();
  const logAppendTimeMs = reader.int64();
  const logStartOffset = version >= 5 ? reader.int64() : -1;
  const recordErrors: RecordError[] = [];
  let errorMessage: string | null = null;
  if (version >= 8) {
    for (let left = reader.length(flexible, 5); left > 0; left--) {
      recordErrors.push({ batchIndex: reader.int32(), batchIndexErrorMessage: reader.string(flexible) });
      if (flexible) reader.skipTags();
    }
    errorMessage = reader.string(flexible);
  }
  let currentLeader: Partition['currentLeader'] = NO_LEADER;
  if (flexible) {
    for (let left = reader.tagCount(); left > 0; left--) {
      const tag = reader.unsignedVarint();
      const part = reader.part(reader.unsignedVarint());
      if (tag === 0 && version >= 10) currentLeader = readLeaderIdAndEpoch(part);
    }
  }
  return {
    index,
    errorCode,
    baseOffset,
    logAppendTimeMs,
    logStartOffset,
    recordErrors,
    errorMessage,
    currentLeader,
  };
}
