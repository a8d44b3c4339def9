import { failureOf, limit, setUp } from './spec-support/scripted-admin.js';

const partition = (partitionIndex: number, committedOffset: number, errorCode = 0): object => ({
  partitionIndex,
  committedOffset,
  committedLeaderEpoch: -1,
  metadata: null,
  errorCode,
});

describe('offsets of groups', () => {
  it('are listed without the partitions that have none, by name even from brokers that prefer ids', async () => {
    const { scripted, admin } = setUp();
    scripted.on('OffsetFetch', () => ({
      groups: [
        {
          groupId: 'g',
          topics: [{ name: 't', partitions: [partition(2, 7), partition(1, -1), partition(0, 5)] }],
          errorCode: 0,
        },
      ],
    }));
    await expect(admin.listGroupOffsets('g')).resolves.toEqual([
      { topic: 't', partition: 0, offset: 5, leaderEpoch: -1, metadata: '' },
      { topic: 't', partition: 2, offset: 7, leaderEpoch: -1, metadata: '' },
    ]);
    expect(scripted.requests('OffsetFetch')[0]).toMatchObject({
      version: 9,
      request: { groups: [{ groupId: 'g', topics: null }] },
    });
  });

  it('are asked for in the older form where the broker knows only that', async () => {
    const { scripted, admin } = setUp();
    limit(scripted, 9, 6);
    scripted.on('OffsetFetch', () => ({ topics: [{ name: 't', partitions: [partition(0, 5)] }], errorCode: 0 }));
    await expect(admin.listGroupOffsets('g', { partitions: [{ topic: 't', partition: 0 }] })).resolves.toHaveLength(1);
    expect(await failureOf(admin.listGroupOffsets('g', { requireStable: true }))).toMatchObject({
      code: 'UNSUPPORTED_VERSION',
    });
  });

  it('that are not decided yet are waited for', async () => {
    const { scripted, admin } = setUp();
    const answers = [partition(0, -1, 88), partition(0, 5)];
    scripted.on('OffsetFetch', () => ({
      groups: [{ groupId: 'g', topics: [{ name: 't', partitions: [answers.shift()] }], errorCode: 0 }],
    }));
    const offsets = admin.listGroupOffsets('g', { requireStable: true });
    await scripted.clock.advance(1_000);
    await expect(offsets).resolves.toMatchObject([{ offset: 5 }]);
  });

  it('are committed as nobody, and partitions that failed for now are tried again alone', async () => {
    const { scripted, admin } = setUp();
    let first = true;
    scripted.on('OffsetCommit', ({ request }) => {
      const [topic] = request['topics'] as { partitions: { partitionIndex: number }[] }[];
      const answer = {
        topics: [
          {
            name: 't',
            partitions: topic!.partitions.map(({ partitionIndex }) => ({
              partitionIndex,
              errorCode: first && partitionIndex === 1 ? 14 : 0,
            })),
          },
        ],
      };
      first = false;
      return answer;
    });
    const altered = admin.alterGroupOffsets('g', [
      { topic: 't', partition: 0, offset: 3, metadata: 'm' },
      { topic: 't', partition: 1, offset: 4, leaderEpoch: 2 },
    ]);
    await scripted.clock.advance(1_000);
    await altered;
    const [one, two] = scripted.requests('OffsetCommit');
    expect(one).toMatchObject({ version: 9, request: { groupId: 'g', memberId: '', generationIdOrMemberEpoch: -1 } });
    expect((two!.request['topics'] as { partitions: object[] }[])[0]!.partitions).toMatchObject([
      { partitionIndex: 1, committedOffset: 4, committedLeaderEpoch: 2, committedMetadata: '' },
    ]);
  });

  it('of a group that has members can not be altered, and the error says why', async () => {
    const { scripted, admin } = setUp();
    scripted.on('OffsetCommit', () => ({
      topics: [{ name: 't', partitions: [{ partitionIndex: 0, errorCode: 25 }] }],
    }));
    const error = await failureOf(admin.alterGroupOffsets('g', [{ topic: 't', partition: 0, offset: 0 }]));
    expect(error).toMatchObject({
      code: 'UNKNOWN_MEMBER_ID',
      message: expect.stringContaining('only while it has no members'),
    });
  });

  describe('are reset', () => {
    const ends = { first: 10, end: 20 };
    function withGroup() {
      const parts = setUp();
      parts.scripted
        .topic('t', [
          [1, 0],
          [1, 0],
        ])
        .topic('u', [[1, 0]]);
      parts.scripted.on('OffsetFetch', () => ({
        groups: [{ groupId: 'g', topics: [{ name: 't', partitions: [partition(0, 15)] }], errorCode: 0 }],
      }));
      parts.scripted.on('ListOffsets', ({ request }) => ({
        topics: (
          request['topics'] as { name: string; partitions: { partitionIndex: number; timestamp: number }[] }[]
        ).map(({ name, partitions }) => ({
          name,
          partitions: partitions.map(({ partitionIndex, timestamp }) => ({
            partitionIndex,
            errorCode: 0,
            timestamp: -1,
            leaderEpoch: -1,
            offset: timestamp === -2 ? ends.first : timestamp === -1 ? ends.end : timestamp > 1_000 ? -1 : 13,
          })),
        })),
      }));
      parts.scripted.on('OffsetCommit', ({ request }) => ({
        topics: (request['topics'] as { name: string; partitions: { partitionIndex: number }[] }[]).map(
          ({ name, partitions }) => ({
            name,
            partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode: 0 })),
          }),
        ),
      }));
      return parts;
    }
    const offsetsAfter = async (to: object | string): Promise<(number | undefined)[][]> => {
      const plan = await withGroup().admin.resetOffsets('g', { to: to as never });
      return plan.map(({ partition: index, previous, offset }) => [index, previous, offset]);
    };

    it.each([
      [
        'earliest',
        [
          [0, 15, 10],
          [1, undefined, 10],
        ],
      ],
      [
        'latest',
        [
          [0, 15, 20],
          [1, undefined, 20],
        ],
      ],
      [
        { timestamp: 500 },
        [
          [0, 15, 13],
          [1, undefined, 13],
        ],
      ],
      [
        { timestamp: 5_000 },
        [
          [0, 15, 20],
          [1, undefined, 20],
        ],
      ],
      [
        { offset: 12 },
        [
          [0, 15, 12],
          [1, undefined, 12],
        ],
      ],
      [
        { offset: 0 },
        [
          [0, 15, 10],
          [1, undefined, 10],
        ],
      ],
      [
        { offset: 99 },
        [
          [0, 15, 20],
          [1, undefined, 20],
        ],
      ],
      [{ shiftBy: -3 }, [[0, 15, 12]]],
      [{ shiftBy: 100 }, [[0, 15, 20]]],
    ])('to %j', async (to, expected) => {
      expect(await offsetsAfter(to)).toEqual(expected);
    });

    it('in the topics named, and not at all in a dry run', async () => {
      const { scripted, admin } = withGroup();
      const plan = await admin.resetOffsets('g', { to: 'latest', topics: ['u'], dryRun: true });
      expect(plan).toEqual([{ topic: 'u', partition: 0, previous: undefined, offset: 20 }]);
      expect(scripted.requests('OffsetCommit')).toEqual([]);
      await admin.resetOffsets('g', { to: 'latest', topics: ['u'] });
      expect(scripted.requests('OffsetCommit')).toHaveLength(1);
    });

    it.each([[{}], [{ timestamp: 1, offset: 2 }], ['lastest'], [{ offset: -1 }]])('not to %j', async (to) => {
      expect(await failureOf(withGroup().admin.resetOffsets('g', { to: to as never }))).toMatchObject({
        name: 'KrafkaConfigError',
      });
    });
  });

  it('are forgotten, but not while the group reads the topic', async () => {
    const { scripted, admin } = setUp();
    scripted.on('OffsetDelete', () => ({
      errorCode: 0,
      topics: [{ name: 't', partitions: [{ partitionIndex: 0, errorCode: 86 }] }],
    }));
    expect(await failureOf(admin.deleteGroupOffsets('g', [{ topic: 't', partition: 0 }]))).toMatchObject({
      code: 'GROUP_SUBSCRIBED_TO_TOPIC',
      topic: 't',
      partition: 0,
    });
    scripted.on('OffsetDelete', () => ({ errorCode: 69, topics: [] }));
    expect(await failureOf(admin.deleteGroupOffsets('g', [{ topic: 't', partition: 0 }]))).toMatchObject({
      code: 'GROUP_ID_NOT_FOUND',
    });
  });
});
