import type { Krafka } from '../../../lib/core/index.js';
import { batchesIn, decodeBatch, Fetch, verifyBatch, type ConsumerRecord } from '../../../lib/core/protocol/index.js';
import { Deadline, systemClock } from '../../../lib/core/support/index.js';

/** A record as it is in the log, with the sequence facts of its batch. */
export interface WrittenRecord {
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: ConsumerRecord['headers'];
  readonly compression: string;
}

/** Everything in a topic by partition and offset, read with plain fetches and each batch's CRC checked. */
export async function writtenTo(krafka: Krafka, topic: string): Promise<WrittenRecord[]> {
  const deadline = new Deadline(systemClock, 30_000, 'test');
  const { id, partitions } = await krafka.cluster.topic(topic, deadline);
  const written: WrittenRecord[] = [];
  for (const { partition } of partitions) {
    for (let offset = 0; ;) {
      const next = await fetchFrom(offset, partition);
      if (next === offset) break;
      offset = next;
    }
  }
  return written;

  async function fetchFrom(offset: number, partition: number): Promise<number> {
    const leader = krafka.cluster.metadata.leaderOf(topic, partition);
    const connection = await krafka.cluster.connection(leader!.nodeId, 'fetch:test', { deadline });
    const response = await connection.sendRequest(Fetch, {
      replicaId: -1,
      maxWaitMs: 0,
      minBytes: 0,
      maxBytes: 50_000_000,
      isolationLevel: 0,
      sessionId: 0,
      sessionEpoch: -1,
      topics: [
        {
          topic,
          topicId: id,
          partitions: [{ partition, fetchOffset: offset, partitionMaxBytes: 10_000_000, currentLeaderEpoch: -1 }],
        },
      ],
      forgottenTopicsData: [],
    });
    const answer = response.responses[0]?.partitions[0];
    if (answer === undefined || answer.errorCode !== 0) throw new Error(`fetch failed: ${answer?.errorCode}`);
    let next = offset;
    for (const batch of batchesIn(answer.records ?? Buffer.alloc(0))) {
      verifyBatch(batch.bytes);
      for (const record of await decodeBatch(batch, { topic, partition })) {
        if (record.offset < offset) continue;
        written.push({
          partition,
          offset: record.offset,
          timestamp: record.timestamp,
          key: record.key?.toString() ?? null,
          value: record.value?.toString() ?? null,
          headers: record.headers,
          compression: batch.header.compression,
        });
      }
      next = batch.header.nextOffset;
    }
    return next;
  }
}
