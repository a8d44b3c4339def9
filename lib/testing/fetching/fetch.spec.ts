import { Fetch, ListOffsets, OffsetForLeaderEpoch, Produce, batchesIn, errorName } from '../../core/protocol/index.js';
import { aBatch, type GivenRecord } from '../spec-support/batches.js';
import { SpecBroker } from '../spec-support/spec-broker.js';
import type { WireClient } from '../spec-support/wire-client.js';

interface Asked {
  readonly partition?: number;
  readonly offset?: number;
  readonly maxBytes?: number;
  readonly epoch?: number;
  readonly fetchedEpoch?: number;
}
interface Given {
  readonly topic?: string;
  readonly maxWaitMs?: number;
  readonly minBytes?: number;
  readonly maxBytes?: number;
  readonly session?: readonly [id: number, epoch: number];
  readonly forget?: readonly number[];
  readonly version?: number;
  readonly topicId?: string;
}

describe('a fetch', () => {
  let spec: SpecBroker;
  let client: WireClient;

  beforeEach(async () => {
    spec = await SpecBroker.start({ topics: { orders: 3 }, fetchSessionSlots: 2 });
    client = await spec.connect();
  });
  afterEach(() => spec.close());

  const produce = async (values: readonly (string | GivenRecord)[], partition = 0): Promise<Buffer> => {
    const records = await aBatch(values, { timestamp: spec.clock.now() });
    await client.send(Produce, 9, {
      acks: -1,
      timeoutMs: 1000,
      topicData: [{ name: 'orders', partitionData: [{ index: partition, records }] }],
    });
    return records;
  };

  const fetching = (asked: readonly Asked[], given: Given = {}, from = client) => {
    const { version = 12, session = [0, -1], topic = 'orders', topicId } = given;
    const named = topicId === undefined ? { topic } : { topicId };
    const correlationId = from.write(Fetch, version, {
      maxWaitMs: given.maxWaitMs ?? 0,
      minBytes: given.minBytes ?? 1,
      maxBytes: given.maxBytes ?? 1_000_000,
      sessionId: session[0],
      sessionEpoch: session[1],
      topics: asked.length === 0 ? [] : [{ ...named, partitions: asked.map(toPartition) }],
      forgottenTopicsData: given.forget === undefined ? [] : [{ ...named, partitions: given.forget }],
    });
    return async () => {
      const answer = await from.answer(Fetch, version, correlationId);
      return {
        error: errorName(answer.errorCode),
        sessionId: answer.sessionId,
        partitions: answer.responses.flatMap(({ partitions }) =>
          partitions.map(({ partitionIndex, errorCode, highWatermark, records, divergingEpoch }) => ({
            partition: partitionIndex,
            error: errorName(errorCode),
            highWatermark,
            bytes: records?.length ?? 0,
            offsets: [...batchesIn(records ?? Buffer.alloc(0))].map(({ header }) => header.baseOffset),
            diverging: divergingEpoch.epoch === -1 ? undefined : divergingEpoch,
          })),
        ),
      };
    };
  };
  const fetch = (asked: readonly Asked[], given?: Given) => fetching(asked, given)();

  it('finds the batch that an offset lies in', async () => {
    await produce(['a', 'b', 'c']);
    await produce(['d']);
    expect((await fetch([{ offset: 1 }])).partitions[0]).toMatchObject({ offsets: [0, 3], highWatermark: 4 });
    expect((await fetch([{ offset: 3 }])).partitions[0]).toMatchObject({ offsets: [3] });
    expect((await fetch([{ offset: 4 }])).partitions[0]).toMatchObject({ error: 'NONE', offsets: [] });
  });

  it('is refused beyond the ends of the log', async () => {
    await produce(['a']);
    for (const offset of [2, -1]) {
      expect((await fetch([{ offset }])).partitions).toMatchObject([
        { error: 'OFFSET_OUT_OF_RANGE', highWatermark: -1 },
      ]);
    }
  });

  it('is refused for what there is not', async () => {
    expect((await fetch([{ partition: 9 }])).partitions[0]?.error).toBe('UNKNOWN_TOPIC_OR_PARTITION');
    expect((await fetch([{}], { topic: 'missing' })).partitions[0]?.error).toBe('UNKNOWN_TOPIC_OR_PARTITION');
    const stranger = await fetch([{}], { topicId: 'AAAAAAAAAAAAAAAAAAAAAg', version: 13 });
    expect(stranger.partitions[0]?.error).toBe('UNKNOWN_TOPIC_ID');
  });

  it('gets its first batch whole however little it asks for, and others only as far as the bytes go', async () => {
    const { length } = await produce(['a'.repeat(100)]);
    await produce(['b'.repeat(100)]);
    await produce(['c'.repeat(100)], 1);
    expect((await fetch([{ maxBytes: 1 }, { partition: 1 }])).partitions).toMatchObject([
      { bytes: length, offsets: [0] },
      { bytes: length, offsets: [0] },
    ]);
    expect((await fetch([{}, { partition: 1 }], { maxBytes: 1 })).partitions).toMatchObject([
      { bytes: length, offsets: [0] },
      { bytes: 0, offsets: [] },
    ]);
  });

  it('gets its first batch whole even when it asks for no bytes', async () => {
    const { length } = await produce(['a']);
    await produce(['b']);
    await produce(['c'], 1);
    for (const given of [{}, { maxBytes: 0 }]) {
      const { partitions } = await fetch([{ maxBytes: 0 }, { partition: 1, maxBytes: 0 }], given);
      expect(partitions.map(({ bytes }) => bytes)).toEqual([length, 0]);
    }
  });

  it('reads a partition once, as it asks for it last', async () => {
    await produce(['a']);
    await produce(['b']);
    const { partitions } = await fetch([{ offset: 0 }, { partition: 1 }, { offset: 1 }]);
    expect(partitions.map(({ partition, offsets }) => [partition, offsets])).toEqual([
      [0, [1]],
      [1, []],
    ]);
  });

  it('is told last of what there is not', async () => {
    const { partitions } = await fetch([{ partition: 9 }, { partition: 1 }]);
    expect(partitions.map(({ partition, error }) => [partition, error])).toEqual([
      [1, 'NONE'],
      [9, 'UNKNOWN_TOPIC_OR_PARTITION'],
    ]);
  });

  it('may get its last batch cut short', async () => {
    const { length } = await produce(['a'.repeat(100)]);
    await produce(['b'.repeat(100)]);
    expect((await fetch([{ maxBytes: length + 50 }])).partitions[0]).toMatchObject({
      bytes: length + 50,
      offsets: [0],
    });
  });

  it('waits until there is enough, and no longer', async () => {
    const { length } = await produce(['a']);
    const answer = fetching(
      [{ offset: 1 }, { partition: 1 }],
      { maxWaitMs: 60_000, minBytes: 2 * length },
      await spec.connect(),
    );
    await spec.received('Fetch', 1);
    await produce(['b']);
    expect(spec.clock.pending).toBe(1);
    await produce(['c'], 1);
    expect((await answer()).partitions).toMatchObject([{ offsets: [1] }, { offsets: [0] }]);
    expect(spec.clock.pending).toBe(0);
  });

  it('gets what there is when its wait is over', async () => {
    await produce(['a']);
    const answer = fetching([{}], { maxWaitMs: 500, minBytes: 100_000 });
    await spec.received('Fetch', 1);
    spec.clock.advance(500);
    expect((await answer()).partitions[0]).toMatchObject({ offsets: [0] });
  });

  it('does not wait for a partition that it can’t have', async () => {
    const answer = await fetch([{}, { partition: 1, offset: 7 }], { maxWaitMs: 60_000 });
    expect(answer.partitions[1]?.error).toBe('OFFSET_OUT_OF_RANGE');
  });

  it('holds the leader epoch that it is asked with against its own', async () => {
    spec.broker.moveLeader('orders', 0, 1);
    const errorAt = async (epoch: number) => (await fetch([{ epoch }])).partitions[0]?.error;
    expect([await errorAt(0), await errorAt(1), await errorAt(2), await errorAt(-1)]).toEqual([
      'FENCED_LEADER_EPOCH',
      'NONE',
      'UNKNOWN_LEADER_EPOCH',
      'NONE',
    ]);
  });

  it('tells who has read what was lost where the logs part', async () => {
    await produce(['a', 'b']);
    await produce(['c']);
    spec.broker.loseRecords('orders', 0, 2);
    await produce(['x']);
    expect((await fetch([{ offset: 3, fetchedEpoch: 0 }])).partitions[0]).toMatchObject({
      error: 'NONE',
      bytes: 0,
      diverging: { epoch: 0, endOffset: 2 },
    });
    const ends = await client.send(OffsetForLeaderEpoch, 4, {
      topics: [{ topic: 'orders', partitions: [0, 1, 2].map((leaderEpoch) => ({ partition: 0, leaderEpoch })) }],
    });
    expect(ends.topics[0]?.partitions.map(({ leaderEpoch, endOffset }) => [leaderEpoch, endOffset])).toEqual([
      [0, 2],
      [1, 3],
      [-1, -1],
    ]);
  });

  describe('in a session', () => {
    const begin = async (asked: readonly Asked[], given: Given = {}): Promise<number> =>
      (await fetch(asked, { ...given, session: [0, 0] })).sessionId;

    it('is told only what is new', async () => {
      await produce(['a']);
      const id = await begin([{ offset: 1 }, { partition: 1 }]);
      expect((await fetch([], { session: [id, 1] })).partitions).toEqual([]);
      await produce(['b'], 1);
      expect((await fetch([], { session: [id, 2] })).partitions).toMatchObject([{ partition: 1, offsets: [0] }]);
      expect((await fetch([{ partition: 1, offset: 1 }], { session: [id, 3] })).partitions).toEqual([]);
    });

    it('is told again of what it does not move on from', async () => {
      await produce(['a']);
      const id = await begin([{}]);
      expect((await fetch([], { session: [id, 1] })).partitions).toMatchObject([{ offsets: [0] }]);
    });

    it('is told of an error, and of its end', async () => {
      const id = await begin([{ offset: 9 }]);
      expect((await fetch([], { session: [id, 1] })).partitions).toMatchObject([{ error: 'OFFSET_OUT_OF_RANGE' }]);
      expect((await fetch([{ offset: 0 }], { session: [id, 2] })).partitions).toMatchObject([{ error: 'NONE' }]);
      expect((await fetch([], { session: [id, 3] })).partitions).toEqual([]);
    });

    it('adds and forgets partitions, and ends with the last', async () => {
      const id = await begin([{}]);
      await produce(['a'], 2);
      expect((await fetch([{ partition: 2 }], { session: [id, 1] })).partitions).toMatchObject([{ partition: 2 }]);
      expect((await fetch([], { session: [id, 2], forget: [2] })).partitions).toEqual([]);
      expect(await fetch([], { session: [id, 3], forget: [0] })).toMatchObject({ error: 'NONE', sessionId: 0 });
      expect((await fetch([], { session: [id, 4] })).error).toBe('FETCH_SESSION_ID_NOT_FOUND');
    });

    it('can begin with no partitions', async () => {
      const { sessionId } = await fetch([], { session: [0, 0] });
      expect(sessionId).not.toBe(0);
      const { error, partitions } = await fetch([{}], { session: [sessionId, 1] });
      expect([error, partitions.length]).toEqual(['NONE', 1]);
    });

    it('must bear its id and its next epoch', async () => {
      const id = await begin([{}]);
      expect(await fetch([], { session: [id + 1, 1] })).toMatchObject({
        error: 'FETCH_SESSION_ID_NOT_FOUND',
        sessionId: 0,
      });
      expect(await fetch([], { session: [id, 2] })).toMatchObject({
        error: 'INVALID_FETCH_SESSION_EPOCH',
        sessionId: 0,
      });
      expect((await fetch([], { session: [id, 1] })).error).toBe('NONE');
      expect((await fetch([], { session: [id, 1] })).error).toBe('INVALID_FETCH_SESSION_EPOCH');
    });

    it('is ended by a full fetch that names it', async () => {
      const id = await begin([{}]);
      const next = await fetch([{}], { session: [id, 0] });
      expect(next.sessionId).not.toBe(id);
      expect((await fetch([], { session: [id, 1] })).error).toBe('FETCH_SESSION_ID_NOT_FOUND');
      expect(await fetch([], { session: [next.sessionId, -1] })).toMatchObject({ error: 'NONE', sessionId: 0 });
      expect((await fetch([], { session: [next.sessionId, 1] })).error).toBe('FETCH_SESSION_ID_NOT_FOUND');
    });

    it('keeps to names or to ids', async () => {
      const id = await begin([{}]);
      expect((await fetch([], { session: [id, 1], version: 13 })).error).toBe('FETCH_SESSION_TOPIC_ID_ERROR');
    });

    it('is not begun when there is no room, until an old one may go', async () => {
      const first = await begin([{}]);
      const second = await begin([{}]);
      expect([first > 0, second > 0, await begin([{}])]).toEqual([true, true, 0]);
      spec.clock.advance(120_000);
      expect((await fetch([], { session: [second, 1] })).error).toBe('NONE');
      expect(await begin([{}])).toBeGreaterThan(0);
      expect((await fetch([], { session: [first, 1] })).error).toBe('FETCH_SESSION_ID_NOT_FOUND');
      expect((await fetch([], { session: [second, 2] })).error).toBe('NONE');
    });

    it('can be dropped', async () => {
      const id = await begin([{}]);
      spec.broker.dropFetchSessions();
      expect((await fetch([], { session: [id, 1] })).error).toBe('FETCH_SESSION_ID_NOT_FOUND');
    });
  });

  describe('after a look for an offset', () => {
    const find = async (timestamp: number, version = 8) => {
      const answer = await client.send(ListOffsets, version, {
        replicaId: -1,
        isolationLevel: 0,
        topics: [{ name: 'orders', partitions: [{ partitionIndex: 0, timestamp }] }],
      });
      const [one] = answer.topics[0]?.partitions ?? [];
      return one === undefined ? undefined : [errorName(one.errorCode), one.offset, one.timestamp];
    };

    it('knows the ends, and the first record since a time', async () => {
      await produce([
        { value: 'a', timestamp: 1_000 },
        { value: 'b', timestamp: 3_000 },
      ]);
      await produce([{ value: 'c', timestamp: 2_000 }]);
      expect(await find(-1)).toEqual(['NONE', 3, -1]);
      expect(await find(-2)).toEqual(['NONE', 0, -1]);
      expect(await find(-3)).toEqual(['NONE', 1, 3_000]);
      expect(await find(1_001)).toEqual(['NONE', 1, 3_000]);
      expect(await find(2_000)).toEqual(['NONE', 1, 3_000]);
      expect(await find(3_001)).toEqual(['NONE', -1, -1]);
    });

    it('does not answer what its version can’t ask', async () => {
      expect(await find(-3, 6)).toEqual(['UNSUPPORTED_VERSION', -1, -1]);
      expect(await find(-4, 7)).toEqual(['UNSUPPORTED_VERSION', -1, -1]);
    });
  });
});

const toPartition = ({ partition = 0, offset = 0, maxBytes = 1_000_000, epoch = -1, fetchedEpoch = -1 }: Asked) => ({
  partition,
  fetchOffset: offset,
  partitionMaxBytes: maxBytes,
  currentLeaderEpoch: epoch,
  lastFetchedEpoch: fetchedEpoch,
});
