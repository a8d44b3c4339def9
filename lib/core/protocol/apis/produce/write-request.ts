import { ZERO_UUID } from '../../schema/index.js';
import type { Writer } from '../../wire/index.js';
import type { ProduceRequest } from './tables.js';

/**
 * Writes a Produce request, its record batches by reference: the bytes that the table's codec writes, in less time.
 *
 * Hot: guarded by `npm run bench -- produce`.
 */
export function writeProduceRequest(writer: Writer, request: ProduceRequest, version: number): void {
  const flexible = version >= 9;
  writer.string(request.transactionalId ?? null, flexible);
  writer.int16(request.acks);
  writer.int32(request.timeoutMs);
  writer.lengthOf(request.topicData, flexible);
  for (const { name, topicId = ZERO_UUID, partitionData } of request.topicData) {
    if (version >= 13) writer.uuid(topicId);
    else writer.text(name as string, flexible);
    writer.lengthOf(partitionData, flexible);
    for (const partition of partitionData) {
      writer.int32(partition.index);
      writer.bytes(partition.records, flexible);
      if (flexible) writer.unsignedVarint(0);
    }
    if (flexible) writer.unsignedVarint(0);
  }
  if (flexible) writer.unsignedVarint(0);
}
