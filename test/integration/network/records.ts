import type { Produce, RequestOf } from '../../../lib/core/protocol/index.js';
import { RecordBatchBuilder } from '../../../lib/core/protocol/records/index.js';

/** A batch of one record, which nobody has to remember having sent. */
export function oneRecord(value: string): Buffer[] {
  const builder = new RecordBatchBuilder({ maxBytes: 10 * 1024 * 1024 });
  builder.append(1_700_000_000_000, null, value);
  return builder.seal({ producerId: -1, producerEpoch: -1, baseSequence: -1, transactional: false });
}

/** A Produce request of one record for partition 0 of a topic, in a version that names topics. */
export function produceTo(topic: string, value: string, acks = 1): RequestOf<typeof Produce> {
  return {
    acks,
    timeoutMs: 30_000,
    topicData: [{ name: topic, partitionData: [{ index: 0, records: oneRecord(value) }] }],
  };
}

/** The highest version of Produce and of Fetch that names topics. */
export const BY_NAME = { maxVersion: 12 } as const;
