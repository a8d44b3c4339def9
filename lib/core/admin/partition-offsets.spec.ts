import type { ReceivedAt } from '../cluster/spec-support/scripted-cluster.js';
import { failureOf, setUp } from './spec-support/scripted-admin.js';

const listing = ({ nodeId, request }: ReceivedAt): object => ({
  topics: (request['topics'] as { name: string; partitions: { partitionIndex: number; timestamp: number }[] }[]).map(
    ({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex, timestamp }) => ({
        partitionIndex,
        errorCode: 0,
        timestamp: -1,
        offset: nodeId * 100 + partitionIndex - timestamp * 10,
        leaderEpoch: 0,
      })),
    }),
  ),
});

describe('offsets of partitions', () => {
  it('are asked of each leader in one request, all leaders at once', async () => {
    const { scripted, admin } = setUp(3);
    const leaders = Array.from({ length: 60 }, (_, index) => [(index % 3) + 1, 0] as const);
    scripted.topic('t', leaders).on('ListOffsets', listing);
    const offsets = await admin.listOffsets([{ topic: 't', at: 'latest' }]);
    expect(offsets).toHaveLength(60);
    expect(offsets.map(({ partition }) => partition)).toEqual(leaders.map((_, index) => index));
    expect(
      scripted
        .requests('ListOffsets')
        .map(({ nodeId }) => nodeId)
        .toSorted((a, b) => a - b),
    ).toEqual([1, 2, 3]);
  });

  it('of one partition may be several: one request each', async () => {
    const { scripted, admin } = setUp();
    scripted.topic('t', [[1, 0]]).on('ListOffsets', listing);
    const offsets = await admin.listOffsets([
      { topic: 't', partition: 0, at: 'earliest' },
      { topic: 't', partition: 0, at: 'latest' },
      { topic: 't', partition: 0, at: 'max-timestamp' },
      { topic: 't', partition: 0, at: { timestamp: 5 } },
    ]);
    expect(offsets.map(({ offset }) => offset)).toEqual([120, 110, 130, 50]);
    expect(scripted.requests('ListOffsets')).toHaveLength(4);
  });

  it('are asked of the new leader when it has moved', async () => {
    const { scripted, admin } = setUp(2);
    scripted.topic('t', [[1, 0]]).on('ListOffsets', (received) => {
      if (received.nodeId === 2) return listing(received);
      scripted.topic('t', [[2, 1]]);
      return {
        topics: [
          { name: 't', partitions: [{ partitionIndex: 0, errorCode: 6, timestamp: -1, offset: -1, leaderEpoch: -1 }] },
        ],
      };
    });
    const offsets = admin.listOffsets([{ topic: 't', partition: 0, at: 'earliest' }]);
    await scripted.clock.advance(1_000);
    await expect(offsets).resolves.toMatchObject([{ offset: 220 }]);
  });

  it('of a topic or partition that is not there are an error that names it', async () => {
    const { scripted, admin } = setUp();
    scripted.topic('t', [[1, 0]]).on('ListOffsets', listing);
    const failure = failureOf(
      admin.listOffsets([
        { topic: 't', partition: 9, at: 'latest' },
        { topic: 't', partition: 0, at: 'latest' },
      ]),
    );
    await scripted.clock.advance(2_000);
    expect(await failure).toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION', topic: 't', partition: 9 });
  });

  it('never create the topic', async () => {
    const { scripted, admin } = setUp();
    const failure = failureOf(admin.listOffsets([{ topic: 'typo', at: 'latest' }]));
    await scripted.clock.advance(2_000);
    await failure;
    expect(scripted.requests('Metadata').some(({ request }) => request['allowAutoTopicCreation'] === true)).toBe(false);
  });

  it.each([
    [[{ topic: 't', at: 'lastest' }], "did you mean 'latest'"],
    [[{ topic: 't', at: { timestamp: -1 } }], 'queries[0].at.timestamp'],
    [[{ topic: 't' }], 'queries[0].at'],
    [[{ topic: 't', partition: -1, at: 'latest' }], 'queries[0].partition'],
  ])('refuse %j', async (queries, problem) => {
    expect((await failureOf(setUp().admin.listOffsets(queries as never))).message).toContain(problem);
  });
});

describe('deleting records', () => {
  it('tells where each partition begins now', async () => {
    const { scripted, admin } = setUp();
    scripted.topic('t', [[1, 0]]);
    scripted.on('DeleteRecords', () => ({
      topics: [{ name: 't', partitions: [{ partitionIndex: 0, lowWatermark: 7, errorCode: 0 }] }],
    }));
    await expect(admin.deleteRecords([{ topic: 't', partition: 0, offset: 7 }])).resolves.toEqual([
      { topic: 't', partition: 0, offset: 7 },
    ]);
    expect(scripted.requests('DeleteRecords')[0]?.request['topics']).toEqual([
      { name: 't', partitions: [{ partitionIndex: 0, offset: 7 }] },
    ]);
  });
});
