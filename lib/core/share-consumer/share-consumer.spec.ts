import { ScriptedCluster } from '../cluster/spec-support/scripted-cluster.js';
import { batchAt } from '../consumer/spec-support/batches.js';
import { settled } from '../network/spec-support/fake-clock.js';
import { ShareConsumer } from './share-consumer.js';
import { fetchAnswer, fetched, TOPIC_ID } from './spec-support/scripted-broker.js';

/** A consumer of one partition with two records; further fetches are held until they are answered. */
function setUp() {
  const scripted = new ScriptedCluster().topic('t', [[1, 0]], { id: TOPIC_ID });
  const broker = scripted.brokers.get(1)!;
  broker.versions = {
    ...broker.versions,
    finalizedFeatures: [{ name: 'share.version', maxVersionLevel: 1, minVersionLevel: 1 }],
  };
  scripted.on('ShareGroupHeartbeat', () => ({
    errorCode: 0,
    errorMessage: null,
    memberEpoch: 1,
    heartbeatIntervalMs: 5_000,
    assignment: { topicPartitions: [{ topicId: TOPIC_ID, partitions: [0] }] },
  }));
  const acquiredRecords = [{ firstOffset: 0, lastOffset: 1, deliveryCount: 1 }];
  const first = fetchAnswer([fetched(0, { records: batchAt(0, ['a', 'b']), acquiredRecords })]);
  scripted.on('ShareFetch', () => (scripted.requests('ShareFetch').length === 1 ? first : undefined));
  scripted.on('ShareAcknowledge', ({ request }) => ({
    ...fetchAnswer([]),
    responses: (request['topics'] as { topicId: string; partitions: { partitionIndex: number }[] }[]).map(
      ({ topicId, partitions }) => ({
        topicId,
        partitions: partitions.map(({ partitionIndex }) => ({
          ...{ partitionIndex, errorCode: 0, errorMessage: null },
          currentLeader: { leaderId: -1, leaderEpoch: -1 },
        })),
      }),
    ),
  }));
  const consumer = new ShareConsumer(scripted.cluster(), { groupId: 'g', topics: ['t'] }, scripted.ports);
  const answerFetch = async (): Promise<void> => {
    scripted.answer(scripted.requests('ShareFetch').at(-1)!, { throttleTimeMs: 0, ...fetchAnswer([]) });
    await settled();
  };
  return { scripted, consumer, answerFetch, fetches: () => scripted.requests('ShareFetch').length };
}

/** The same with a run whose handler ends when it is told to. */
async function busy(signal?: AbortSignal) {
  const up = setUp();
  let handed = 0;
  let end = (): void => undefined;
  const run = up.consumer.run({
    eachRecord: () => {
      handed++;
      return new Promise((resolve) => (end = resolve));
    },
    signal,
  });
  await up.scripted.clock.advance(0);
  return { ...up, run, handed: () => handed, end: () => end() };
}

describe('a share consumer', () => {
  it('acquires nothing more once it is being closed, however long its handlers take', async () => {
    const { answerFetch, consumer, end, fetches, handed, run } = await busy();
    expect([handed(), fetches()]).toEqual([1, 2]);
    const closed = consumer.close();
    await answerFetch();
    expect(fetches()).toBe(2);
    end();
    await Promise.all([closed, run]);
    expect(fetches()).toBe(2);
  });

  it('acquires nothing more once its run is being ended', async () => {
    const leaving = new AbortController();
    const { answerFetch, consumer, end, fetches, run } = await busy(leaving.signal);
    leaving.abort();
    await answerFetch();
    expect(fetches()).toBe(2);
    end();
    await run;
    await consumer.close();
    expect(fetches()).toBe(2);
  });

  it('acquires nothing for a run whose signal has aborted before', async () => {
    const { consumer, fetches, handed, run } = await busy(AbortSignal.abort());
    await run;
    expect([handed(), fetches()]).toEqual([0, 0]);
    await consumer.close();
  });

  it('acquires again for a loop that goes on after it was left', async () => {
    const { answerFetch, consumer, fetches, scripted } = setUp();
    const loop = consumer[Symbol.asyncIterator]();
    const first = loop.next();
    await scripted.clock.advance(0);
    await first;
    await loop.return?.();
    await answerFetch();
    expect(fetches()).toBe(2);
    expect((await loop.next()).value?.offset).toBe(1);
    await settled();
    expect(fetches()).toBe(3);
    await loop.return?.();
    await answerFetch();
    await consumer.close();
  });
});
