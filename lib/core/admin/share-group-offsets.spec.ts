import { failureOf, setUp, TOPIC_ID } from './spec-support/scripted-admin.js';

const coordinators = {
  coordinators: [{ key: 'g', nodeId: 1, host: 'b1', port: 9092, errorCode: 0, errorMessage: null }],
};
const place = (partitionIndex: number, parts: object = {}): object => ({
  partitionIndex,
  startOffset: partitionIndex * 10,
  leaderEpoch: 3,
  lag: 7,
  errorCode: 0,
  errorMessage: null,
  ...parts,
});
const described = (partitions: object[], parts: object = {}): object => ({
  groups: [
    {
      groupId: 'g',
      topics: [{ topicName: 't', topicId: TOPIC_ID, partitions }],
      errorCode: 0,
      errorMessage: null,
      ...parts,
    },
  ],
});

function asking() {
  const up = setUp();
  up.scripted.on('FindCoordinator', () => coordinators);
  return up;
}

describe('offsets of share groups', () => {
  it('are told in order, with their lag, without partitions that the group has not begun', async () => {
    const { scripted, admin } = asking();
    scripted.on('DescribeShareGroupOffsets', () =>
      described([place(2, { lag: -1 }), place(0, { startOffset: -1 }), place(1)]),
    );
    expect(await admin.listShareGroupOffsets('g')).toEqual([
      { topic: 't', partition: 1, offset: 10, leaderEpoch: 3, lag: 7 },
      { topic: 't', partition: 2, offset: 20, leaderEpoch: 3, lag: undefined },
    ]);
    await admin.listShareGroupOffsets('g', { partitions: [{ topic: 't', partition: 1 }] });
    expect(scripted.requests('DescribeShareGroupOffsets').map(({ request }) => request['groups'])).toEqual([
      [{ groupId: 'g', topics: null }],
      [{ groupId: 'g', topics: [{ topicName: 't', partitions: [1] }] }],
    ]);
  });

  it('that can not be told are an error naming group or partition', async () => {
    const { scripted, admin } = asking();
    scripted.on('DescribeShareGroupOffsets', () => described([place(0), place(1, { errorCode: 29 })]));
    expect(await failureOf(admin.listShareGroupOffsets('g'))).toMatchObject({
      code: 'TOPIC_AUTHORIZATION_FAILED',
      topic: 't',
      partition: 1,
    });
    scripted.on('DescribeShareGroupOffsets', () => described([], { errorCode: 30, errorMessage: 'no' }));
    expect(await failureOf(admin.listShareGroupOffsets('g'))).toMatchObject({
      code: 'GROUP_AUTHORIZATION_FAILED',
      message: expect.stringContaining("share group 'g': no"),
    });
  });

  it('are altered for each partition by itself: one that is refused is named, the others are done', async () => {
    const { scripted, admin } = asking();
    scripted.on('AlterShareGroupOffsets', () => ({
      errorCode: 0,
      errorMessage: null,
      responses: [{ topicName: 't', topicId: TOPIC_ID, partitions: [place(0), place(1, { errorCode: 29 })] }],
    }));
    const offsets = [0, 1].map((partition) => ({ topic: 't', partition, offset: 5 }));
    expect(await failureOf(admin.alterShareGroupOffsets('g', offsets))).toMatchObject({
      code: 'TOPIC_AUTHORIZATION_FAILED',
      topic: 't',
      partition: 1,
    });
  });

  it('are not altered while the group has members, which the broker says of the whole group', async () => {
    const { scripted, admin } = asking();
    const refusal = { errorCode: 68, errorMessage: 'has members', responses: [] };
    scripted.on('AlterShareGroupOffsets', () => refusal).on('DeleteShareGroupOffsets', () => refusal);
    const offsets = [{ topic: 't', partition: 0, offset: 0 }];
    for (const asked of [admin.alterShareGroupOffsets('g', offsets), admin.deleteShareGroupOffsets('g', ['t'])]) {
      expect(await failureOf(asked)).toMatchObject({
        code: 'NON_EMPTY_GROUP',
        message: expect.stringContaining("share group 'g': has members"),
      });
    }
  });

  it('are refused where they can not be', async () => {
    const { admin } = asking();
    await expect(admin.alterShareGroupOffsets('g', [{ topic: 't', partition: 0, offset: -1 }])).rejects.toThrow(
      "'offsets[0].offset'",
    );
    await expect(admin.listShareGroupOffsets('g', { partition: [] } as never)).rejects.toThrow(
      "did you mean 'partitions'",
    );
  });
});
