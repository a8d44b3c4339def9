import { jest } from '@jest/globals';
import { ERROR_CODES, type ErrorName } from '../../protocol/index.js';
import {
  Deadline,
  Deferred,
  KrafkaClosedError,
  KrafkaConnectionError,
  KrafkaProtocolError,
  type KrafkaError,
} from '../../support/index.js';
import { AssignedPartition } from '../assigned-partition.js';
import { batchAt } from '../spec-support/batches.js';
import { settled } from '../spec-support/fake-clock.js';
import { fakePorts } from '../spec-support/ports.js';
import { idOf, ScriptedCluster, type BrokerRequest } from '../spec-support/scripted-cluster.js';
import type { TakenBatch } from './partition-buffer.js';
import { Fetcher } from './fetcher.js';

interface PartitionAnswer {
  readonly partition: number;
  readonly topic?: string;
  readonly records?: Buffer | null;
  readonly error?: ErrorName;
  readonly leader?: { leaderId: number; leaderEpoch: number };
  readonly preferred?: number;
  readonly aborted?: { producerId: number; firstOffset: number }[] | null;
}

/** A Fetch response with these partitions. */
const answer = (
  partitions: PartitionAnswer[],
  head: { error?: ErrorName; sessionId?: number; nodes?: object[] } = {},
) => ({
  errorCode: ERROR_CODES[head.error ?? 'NONE'],
  sessionId: head.sessionId ?? 7,
  nodeEndpoints: head.nodes ?? [],
  responses: partitions.map(
    ({ partition, topic = 't', records = null, error = 'NONE', leader, preferred = -1, aborted }) => ({
      topic: '',
      topicId: idOf(topic),
      partitions: [
        {
          partitionIndex: partition,
          errorCode: ERROR_CODES[error],
          highWatermark: 100,
          lastStableOffset: 90,
          currentLeader: leader ?? { leaderId: -1, leaderEpoch: -1 },
          preferredReadReplica: preferred,
          abortedTransactions: aborted ?? null,
          records,
        },
      ],
    }),
  ),
});

/** The partitions named in a Fetch, as `number@offset`. */
const named = ({ body }: BrokerRequest): string[] =>
  body.topics.flatMap(({ partitions }: { partitions: { partition: number; fetchOffset: number }[] }) =>
    partitions.map(({ partition, fetchOffset }) => `${partition}@${fetchOffset}`),
  );
const forgotten = ({ body }: BrokerRequest): number[] =>
  body.forgottenTopicsData.flatMap(({ partitions }: { partitions: number[] }) => partitions);

function setUp(
  options: { hastens?: boolean; settings?: object; leaders?: (number | { leader: number; epoch: number })[] } = {},
) {
  const ports = fakePorts();
  const cluster = new ScriptedCluster();
  cluster.lead({ t: options.leaders ?? [1, 1] });
  const arrived: string[] = [];
  const events: string[] = [];
  /** Fetches that the brokers hold, oldest first, with the way to answer them. */
  const held: { request: BrokerRequest; deferred: Deferred<unknown> }[] = [];
  cluster.answer = (request) => {
    const deferred = new Deferred<unknown>();
    held.push({ request, deferred });
    return deferred.promise;
  };
  const fetcher: Fetcher = new Fetcher({
    cluster,
    settings: {
      fetchMinBytes: 1,
      fetchMaxBytes: 50_000_000,
      fetchMaxWaitMs: 500,
      maxPartitionFetchBytes: 1_000,
      bufferBytes: 1_000_000,
      isolationLevel: 'read_uncommitted',
      rack: 'r1',
      requestTimeoutMs: 30_000,
      ...options.settings,
    },
    ports,
    purpose: 'fetch:me',
    hastens: options.hastens ?? false,
    otherPurposes: ['data'],
    onProgress: () => undefined,
    onData: ({ key }) => arrived.push(key),
    onOutOfRange: ({ key }) => events.push(`out of range ${key}`),
    onNewLeader: ({ key }) => events.push(`new leader ${key}`),
    onFailed: (partition, error) => {
      events.push(`failed ${partition.key} ${error.code}`);
      partition.fail(error);
    },
    onFatal: (error: KrafkaError) => events.push(`fatal ${error.code}`),
  });
  /** Answers the oldest fetch that is held, and lets what follows happen. */
  const reply = async (value: unknown): Promise<void> => {
    const oldest = held.shift();
    if (oldest === undefined) throw new Error('no fetch is held');
    if (value instanceof Error) oldest.deferred.reject(value);
    else oldest.deferred.resolve(value);
    await settled();
  };
  const fetches = (nodeId?: number): BrokerRequest[] => cluster.requests('Fetch', nodeId);
  return { fetcher, cluster, arrived, events, held, reply, fetches, ...ports };
}

/** A partition that stands at an offset. */
function standing(number: number, offset = 10, topic = 't'): AssignedPartition {
  const one = new AssignedPartition(topic, number, 'committed', { maxDecompressedBytes: 1_000_000 }, () => undefined);
  one.begin(offset, -1, true);
  return one;
}

describe('Fetcher', () => {
  it('has one fetch in flight for each broker, on a connection for fetching only', async () => {
    const { fetcher, fetches } = setUp({ leaders: [1, 2, 1] });
    fetcher.add([standing(0), standing(1), standing(2)]);
    await settled();
    expect(fetches().map(({ nodeId, purpose }) => [nodeId, purpose])).toEqual([
      [1, 'fetch:me'],
      [2, 'fetch:me'],
    ]);
    expect(fetches().map(named)).toEqual([['0@10', '2@10'], ['1@10']]);
    fetcher.wake(standing(0));
    await settled();
    expect(fetches()).toHaveLength(2);
  });

  describe('a partition that is added while the broker holds a fetch', () => {
    const interrupted = new KrafkaClosedError('the connection to b:1');

    it('is read at once where it was assigned by hand: the fetch is given up, and nothing else', async () => {
      const { fetcher, cluster, clock, fetches, reply, events } = setUp({ hastens: true });
      fetcher.add([standing(0)]);
      await settled();
      const added = [standing(1), standing(2)];
      cluster.lead({ t: [1, 1, 1] });
      fetcher.add(added);
      for (const one of added) fetcher.wake(one);
      await clock.advance(5);
      expect(cluster.dropped).toEqual(['b:1 fetch:me']);
      await reply(interrupted);
      expect(fetches().map(named)).toEqual([['0@10'], ['0@10', '1@10', '2@10']]);
      expect(fetches()[1]?.body.sessionEpoch).toBe(0);
      // Everybody is asked for by now: nobody gains by another interruption.
      for (const one of added) fetcher.wake(one);
      await clock.advance(100);
      expect(cluster.dropped).toHaveLength(1);
      expect({ events, suspected: cluster.suspected, resets: fetcher.counters.sessionResets }).toEqual({
        events: [],
        suspected: [],
        resets: 0,
      });
    });

    it('is named by the next fetch where the answer came after all, and whose failure is a failure again', async () => {
      const { fetcher, cluster, clock, fetches, reply } = setUp({ hastens: true });
      fetcher.add([standing(0)]);
      await settled();
      fetcher.add([standing(1)]);
      await clock.advance(5);
      expect(cluster.dropped).toHaveLength(1);
      await reply(answer([]));
      expect(fetches().map(named)).toEqual([['0@10'], ['1@10']]);
      await reply(new KrafkaConnectionError('b:1', 'lost'));
      expect(fetcher.counters.sessionResets).toBe(1);
      expect(cluster.suspected).not.toEqual([]);
    });

    it('waits for an answer that comes in a moment, and where a group assigned it for any', async () => {
      for (const hastens of [true, false]) {
        const { fetcher, cluster, clock, fetches, reply } = setUp({ hastens });
        fetcher.add([standing(0)]);
        await settled();
        fetcher.add([standing(1)]);
        await clock.advance(hastens ? 4 : 400);
        await reply(answer([]));
        await clock.advance(400);
        expect(cluster.dropped).toEqual([]);
        expect(named(fetches().at(-1) as BrokerRequest)).toContain('1@10');
      }
    });

    it('is read once its position is known', async () => {
      const { fetcher, cluster, clock } = setUp({ hastens: true });
      fetcher.add([standing(0)]);
      await settled();
      const one = new AssignedPartition('t', 1, 'latest', { maxDecompressedBytes: 1 }, () => undefined);
      fetcher.add([one]);
      await clock.advance(100);
      expect(cluster.dropped).toEqual([]);
      one.begin(10, -1, false);
      fetcher.wake(one);
      await clock.advance(5);
      expect(cluster.dropped).toEqual(['b:1 fetch:me']);
    });
  });

  it('asks as it was told to, and waits for the answer longer than the broker may hold it', async () => {
    const { fetcher, fetches } = setUp();
    fetcher.add([standing(0)]);
    await settled();
    expect(fetches()[0]?.body).toMatchObject({
      maxWaitMs: 500,
      minBytes: 1,
      maxBytes: 50_000_000,
      isolationLevel: 0,
      sessionId: 0,
      sessionEpoch: 0,
      rackId: 'r1',
    });
    expect(fetches()[0]?.options.timeoutMs).toBe(30_500);
  });

  it('buffers what comes, tells of it, and goes on behind it', async () => {
    const { fetcher, arrived, reply, fetches } = setUp();
    const one = standing(0);
    fetcher.add([one]);
    await settled();
    await reply(answer([{ partition: 0, records: batchAt(10, ['a', 'b']) }]));
    expect(arrived).toEqual(['t/0']);
    expect((one.take() as TakenBatch).records.map(({ valueText }) => valueText)).toEqual(['a', 'b']);
    expect(one.position).toBe(10);
    expect(fetches().map(named)).toEqual([['0@10'], ['0@12']]);
    expect(one.highWatermark).toBe(100);
    expect(one.lag(false)).toBe(90);
    expect(one.lag(true)).toBe(80);
    expect(fetcher.counters).toMatchObject({ fetches: 2, incrementalFetches: 1, fetchedEntries: 2, requestBytes: 60 });
  });

  it('names nothing in the steady state', async () => {
    const { fetcher, reply, fetches } = setUp();
    fetcher.add([standing(0), standing(1)]);
    await settled();
    await reply(answer([]));
    await reply(answer([]));
    expect(fetches().map(named)).toEqual([['0@10', '1@10'], [], []]);
    expect(fetches().map(({ body }) => body.sessionEpoch)).toEqual([0, 1, 2]);
  });

  describe('reading ahead', () => {
    const big = 'x'.repeat(1_200);

    it('leaves out a partition whose buffer is full, until it has drained', async () => {
      const { fetcher, reply, fetches } = setUp();
      const [full, other] = [standing(0), standing(1)];
      fetcher.add([full, other]);
      await settled();
      await reply(answer([{ partition: 0, records: batchAt(10, [big]) }]));
      expect(forgotten(fetches()[1] as BrokerRequest)).toEqual([0]);
      void full.take();
      full.handedOut(11, 1);
      fetcher.wake(full);
      await reply(answer([]));
      expect(named(fetches()[2] as BrokerRequest)).toEqual(['0@11']);
    });

    it('fetches nothing while all are full, and goes on as soon as one has drained', async () => {
      const { fetcher, reply, fetches } = setUp();
      const one = standing(0);
      fetcher.add([one]);
      await settled();
      await reply(answer([{ partition: 0, records: batchAt(10, [big]) }]));
      expect(fetches()).toHaveLength(1);
      void one.take();
      fetcher.wake(one);
      await settled();
      expect(fetches()).toHaveLength(2);
    });

    it('has the broker hold a fetch no longer than the partition that was left out has been full', async () => {
      const { fetcher, reply, fetches, clock } = setUp();
      const [full, idle] = [standing(0), standing(1)];
      fetcher.add([full, idle]);
      await settled();
      await reply(answer([{ partition: 0, records: batchAt(10, [big]) }]));
      const waits: number[] = [];
      for (let times = 0; times < 12; times++) {
        const wait = fetches().at(-1)?.body.maxWaitMs as number;
        waits.push(wait);
        clock.pass(wait);
        await reply(answer([]));
      }
      expect(waits).toEqual([1, 1, 2, 4, 8, 16, 32, 64, 128, 256, 500, 500]);
    });

    it('lets go of the frames that a partition shares with others when nobody reads it', async () => {
      const { fetcher, reply, clock } = setUp();
      const [still, idle] = [standing(0), standing(1)];
      fetcher.add([still, idle]);
      await settled();
      const detach = jest.spyOn(still.buffer, 'detach');
      await reply(answer([{ partition: 0, records: batchAt(10, ['a']) }]));
      clock.pass(900);
      await reply(answer([]));
      expect(detach).not.toHaveBeenCalled();
      clock.pass(900);
      await reply(answer([]));
      expect(detach).toHaveBeenCalled();
    });

    it('asks for twice as much while handlers wait for full answers that take long, and for half when they do not', async () => {
      const sizes = { maxPartitionFetchBytes: 8 * 1024 * 1024, bufferBytes: 64 * 1024 * 1024 };
      const { fetcher, reply, fetches, clock } = setUp({ settings: sizes });
      const [one, other] = [standing(0), standing(1)];
      fetcher.add([one, other]);
      await settled();
      const much = 'x'.repeat(800_000);
      clock.pass(200);
      await reply(answer([{ partition: 0, records: batchAt(10, [much]) }]));
      expect([one, other].map(({ partitionMaxBytes }) => partitionMaxBytes / 1024)).toEqual([1536, 1536]);
      clock.pass(200);
      await reply(answer([{ partition: 1, records: batchAt(10, [much]) }]));
      expect([one, other].map(({ partitionMaxBytes }) => partitionMaxBytes / 1024)).toEqual([768, 768]);
      const asked = fetches().map(({ body }) => body.topics[0]?.partitions[0]?.partitionMaxBytes / 1024);
      expect(asked).toEqual([768, 1536]);
    });

    it('asks for more of much before that is handed out, and hands out little at once', async () => {
      const { fetcher, cluster, arrived, reply } = setUp();
      const order: string[] = [];
      const [one, other] = [standing(0), standing(1)];
      fetcher.add([one, other]);
      await settled();
      const { answer: hold } = cluster;
      cluster.answer = (request) => {
        order.push(`asked after ${arrived.length} deliveries`);
        return hold(request);
      };
      await reply(answer([{ partition: 0, records: batchAt(10, ['little']) }]));
      await reply(answer([{ partition: 1, records: batchAt(10, [big]) }]));
      expect(order).toEqual(['asked after 1 deliveries', 'asked after 1 deliveries']);
      expect(arrived).toEqual(['t/0', 't/1']);
    });

    it('asks for one more answer while it has a whole one, cut where a broker cuts it, and not for a third', async () => {
      const { fetcher, cluster, arrived, reply, fetches } = setUp();
      const one = standing(0);
      fetcher.add([one]);
      await settled();
      const { answer: hold } = cluster;
      const deliveries: number[] = [];
      cluster.answer = (request) => {
        deliveries.push(arrived.length);
        return hold(request);
      };
      const half = 'x'.repeat(Math.floor(one.partitionMaxBytes * 0.6));
      const whole = (offset: number): Buffer =>
        Buffer.concat([batchAt(offset, [half]), batchAt(offset + 1, [half])]).subarray(0, one.partitionMaxBytes);
      await reply(answer([{ partition: 0, records: whole(10) }]));
      expect(named(fetches()[1] as BrokerRequest)).toEqual(['0@11']);
      expect(deliveries).toEqual([0]);
      await reply(answer([{ partition: 0, records: whole(11) }]));
      expect(fetches()).toHaveLength(2);
      expect(one.buffer.bytes).toBe(2 * one.partitionMaxBytes);
    });

    it('shares bufferBytes out: no partition may hold more than its share twice', () => {
      const { fetcher } = setUp({
        settings: { bufferBytes: 600_000, maxPartitionFetchBytes: 1_000_000 },
      });
      const [one, two, three] = [standing(0), standing(1), standing(2)];
      fetcher.add([one]);
      expect(one.partitionMaxBytes).toBe(300_000);
      fetcher.add([two, three]);
      expect([one, two, three].map(({ partitionMaxBytes }) => partitionMaxBytes)).toEqual([100_000, 100_000, 100_000]);
      fetcher.remove([one, two]);
      expect(three.partitionMaxBytes).toBe(300_000);
    });
  });

  describe('drops what is stale', () => {
    it.each<[string, (partition: AssignedPartition) => void]>([
      ['sought', (partition) => partition.seek(50)],
      ['paused', (partition) => partition.pause()],
      ['revoked', (partition) => partition.retire(new Error('gone'))],
      ['validated', (partition) => partition.validate()],
    ])('when the partition was %s while the fetch was under way', async (_, change) => {
      const { fetcher, arrived, reply } = setUp();
      const one = standing(0);
      fetcher.add([one]);
      await settled();
      change(one);
      await reply(answer([{ partition: 0, records: batchAt(10, ['a']) }]));
      expect(arrived).toEqual([]);
      expect(one.buffer.isEmpty).toBe(true);
    });

    it('but takes what it asked for when the partition was paused and resumed meanwhile', async () => {
      const { fetcher, arrived, reply } = setUp();
      const one = standing(0);
      fetcher.add([one]);
      await settled();
      one.pause();
      one.resume();
      await reply(answer([{ partition: 0, records: batchAt(10, ['a']) }]));
      expect(arrived).toEqual(['t/0']);
    });
  });

  describe('sessions', () => {
    it.each(['FETCH_SESSION_ID_NOT_FOUND', 'INVALID_FETCH_SESSION_EPOCH'] as const)(
      'that are lost (%s) are opened anew at once, everything named',
      async (error) => {
        const { fetcher, reply, fetches, events } = setUp();
        fetcher.add([standing(0), standing(1)]);
        await settled();
        await reply(answer([]));
        await reply(answer([], { error, sessionId: 0 }));
        expect(named(fetches()[2] as BrokerRequest)).toEqual(['0@10', '1@10']);
        expect(fetches()[2]?.body.sessionEpoch).toBe(0);
        expect(fetcher.counters.sessionResets).toBe(1);
        expect(events).toEqual([]);
      },
    );

    it('that a broker refuses even to open are tried again with backoff', async () => {
      const { fetcher, reply, fetches, clock } = setUp();
      fetcher.add([standing(0)]);
      await settled();
      await reply(answer([], { error: 'FETCH_SESSION_TOPIC_ID_ERROR', sessionId: 0 }));
      expect(fetches()).toHaveLength(1);
      await clock.advance(200);
      expect(fetches()).toHaveLength(2);
    });

    it('are closed with the words of an ordinary fetch, and the final epoch', async () => {
      const { fetcher, reply, fetches, held, clock } = setUp();
      fetcher.add([standing(0)]);
      await settled();
      await reply(answer([]));
      const stopped = fetcher.stop(new Deadline(clock, 1_000, 'close timeoutMs'));
      await settled();
      const last = fetches().at(-1) as BrokerRequest;
      // The broker is holding a fetch on the fetching connection: it hears of the end on another.
      expect(last.purpose).toBe('data');
      expect(last.body).toMatchObject({ sessionId: 7, sessionEpoch: -1, maxWaitMs: 500, minBytes: 1, topics: [] });
      held.at(-1)?.deferred.resolve(answer([]));
      await stopped;
      const count = fetches().length;
      await clock.advance(10_000);
      expect(fetches()).toHaveLength(count);
    });

    it('that cannot be closed politely are left to expire', async () => {
      const { fetcher, reply, held, clock } = setUp();
      fetcher.add([standing(0)]);
      await settled();
      await reply(answer([]));
      const stopped = fetcher.stop(new Deadline(clock, 1_000, 'close timeoutMs'));
      await settled();
      held.at(-1)?.deferred.reject(new KrafkaConnectionError('b:1', 'reset'));
      await expect(stopped).resolves.toBeUndefined();
    });
  });

  describe('leaders', () => {
    it('that moved are followed at once where the response tells the new one (KIP-951)', async () => {
      const { fetcher, reply, cluster, fetches } = setUp();
      fetcher.add([standing(0)]);
      await settled();
      cluster.leaderMoved = (change) => {
        cluster.moved.push(change);
        cluster.lead({ t: [{ leader: 2, epoch: 5 }, 1] });
        fetcher.metadataChanged();
      };
      const nodes = [{ nodeId: 2, host: 'b', port: 2, rack: null }];
      await reply(
        answer([{ partition: 0, error: 'NOT_LEADER_OR_FOLLOWER', leader: { leaderId: 2, leaderEpoch: 5 } }], { nodes }),
      );
      expect(cluster.moved).toMatchObject([{ topic: 't', partition: 0, leaderId: 2, leaderEpoch: 5, node: nodes[0] }]);
      expect(fetches(2).map(named)).toEqual([['0@10']]);
      expect(fetches(2)[0]?.body.topics[0].partitions[0].currentLeaderEpoch).toBe(5);
    });

    it.each([
      'NOT_LEADER_OR_FOLLOWER',
      'UNKNOWN_LEADER_EPOCH',
      'UNKNOWN_TOPIC_OR_PARTITION',
      'UNKNOWN_TOPIC_ID',
      'KAFKA_STORAGE_ERROR',
      'OFFSET_NOT_AVAILABLE',
    ] as const)('that are not to be had (%s) are suspected, and the partition backs off alone', async (error) => {
      const { fetcher, reply, cluster, fetches, clock } = setUp();
      fetcher.add([standing(0), standing(1)]);
      await settled();
      await reply(answer([{ partition: 0, error }]));
      expect(cluster.suspected).toContain('t');
      expect(forgotten(fetches()[1] as BrokerRequest)).toEqual([0]);
      expect(fetches()[1]?.body.maxWaitMs).toBeLessThanOrEqual(120);
      clock.pass(120);
      await reply(answer([]));
      expect(named(fetches()[2] as BrokerRequest)).toEqual(['0@10']);
    });

    it('that are alone in their trouble are asked again when their backoff is over', async () => {
      const { fetcher, reply, fetches, clock } = setUp();
      fetcher.add([standing(0)]);
      await settled();
      await reply(answer([{ partition: 0, error: 'NOT_LEADER_OR_FOLLOWER' }]));
      expect(fetches()).toHaveLength(1);
      expect(clock.timers).toHaveLength(1);
      await clock.advance(120);
      expect(fetches()).toHaveLength(2);
    });

    it('that are new have what was read compared with their log first', async () => {
      const { fetcher, cluster, events } = setUp();
      const one = standing(0);
      fetcher.add([one]);
      one.handedOut(11, 1);
      cluster.lead({ t: [{ leader: 2, epoch: 2 }, 1] });
      fetcher.metadataChanged();
      expect(events).toEqual(['new leader t/0']);
      expect(one.phase.kind).toBe('validating');
      expect(one.fetchOffset).toBe(11);
    });

    it('that are new before the one before has said whether its log agrees are asked anew', async () => {
      const { fetcher, cluster, events } = setUp();
      const one = standing(0);
      fetcher.add([one]);
      one.handedOut(11, 1);
      for (const [leader, epoch] of [
        [2, 2],
        [1, 3],
      ] as const) {
        cluster.lead({ t: [{ leader, epoch }, 1] });
        fetcher.metadataChanged();
      }
      expect(events).toEqual(['new leader t/0', 'new leader t/0']);
      expect(one).toMatchObject({ currentLeaderEpoch: 3, phase: { kind: 'validating' } });
    });

    it('of a re-created topic begin their epochs anew', async () => {
      const { fetcher, cluster, events, fetches, reply } = setUp({ leaders: [{ leader: 1, epoch: 9 }] });
      const one = standing(0);
      fetcher.add([one]);
      await settled();
      one.handedOut(11, 9);
      cluster.lead({ t: [{ leader: 1, epoch: 0 }] }, { t: idOf('other') });
      fetcher.metadataChanged();
      expect(one.currentLeaderEpoch).toBe(0);
      expect(events).toEqual([]);
      await reply(answer([]));
      expect(fetches()[1]?.body.topics[0].topicId).toBe(idOf('other'));
      expect(fetches()[1]?.body.forgottenTopicsData[0].topicId).toBe(idOf('t'));
    });

    it('that cannot be reached are suspected, and asked again with backoff and a new session', async () => {
      const { fetcher, cluster, reply, fetches, clock, events } = setUp();
      fetcher.add([standing(0)]);
      await settled();
      await reply(answer([]));
      await reply(new KrafkaConnectionError('b:1', 'reset'));
      expect(cluster.suspected).toEqual(['t']);
      expect(fetches()).toHaveLength(2);
      await clock.advance(150);
      expect(fetches()[2]?.body).toMatchObject({ sessionEpoch: 0, sessionId: 7 });
      expect(named(fetches()[2] as BrokerRequest)).toEqual(['0@10']);
      expect(events).toEqual([]);
    });

    it('that refuse us for good end the consumer', async () => {
      const { fetcher, cluster, events } = setUp();
      cluster.unreachable.set(1, new KrafkaConnectionError('b:1', 'wrong password', { retriable: false }));
      fetcher.add([standing(0)]);
      await settled();
      expect(events).toEqual(['fatal CONNECTION']);
    });
  });

  describe('a nearer replica (KIP-392)', () => {
    it('is read where the leader names one, and left when it has not what is wanted', async () => {
      const { fetcher, reply, fetches, events } = setUp({ leaders: [1] });
      fetcher.add([standing(0)]);
      await settled();
      await reply(answer([{ partition: 0, preferred: 3 }]));
      expect(fetches(3).map(named)).toEqual([['0@10']]);
      await reply(answer([{ partition: 0, error: 'OFFSET_OUT_OF_RANGE' }]));
      // A replica may be behind: only the leader's word counts.
      expect(events).toEqual([]);
      expect(fetches(1)).toHaveLength(2);
    });

    it('is left when it cannot be reached', async () => {
      const { fetcher, reply, fetches } = setUp({ leaders: [1] });
      fetcher.add([standing(0)]);
      await settled();
      await reply(answer([{ partition: 0, preferred: 3 }]));
      await reply(new KrafkaConnectionError('b:3', 'reset'));
      expect(fetches(1)).toHaveLength(2);
    });

    it('is asked of the leader again after five minutes', async () => {
      const { fetcher, reply, fetches, clock } = setUp({ leaders: [1] });
      fetcher.add([standing(0)]);
      await settled();
      await reply(answer([{ partition: 0, preferred: 3 }]));
      clock.pass(300_000);
      await reply(answer([{ partition: 0 }]));
      expect(fetches(1)).toHaveLength(2);
    });
  });

  describe('what cannot be read', () => {
    it('an offset out of range is told', async () => {
      const { fetcher, reply, events } = setUp();
      fetcher.add([standing(0)]);
      await settled();
      await reply(answer([{ partition: 0, error: 'OFFSET_OUT_OF_RANGE' }]));
      expect(events).toEqual(['out of range t/0']);
    });

    it('an offset out of range behind what was read ahead waits until that is handed out', async () => {
      const { fetcher, reply, events, clock } = setUp();
      const one = standing(0);
      fetcher.add([one]);
      await settled();
      await reply(answer([{ partition: 0, records: batchAt(10, ['a']) }]));
      await reply(answer([{ partition: 0, error: 'OFFSET_OUT_OF_RANGE' }]));
      expect(events).toEqual([]);
      void one.take();
      one.handedOut(11, 1);
      await clock.advance(200);
      await reply(answer([{ partition: 0, error: 'OFFSET_OUT_OF_RANGE' }]));
      expect(events).toEqual(['out of range t/0']);
    });

    it('a partition we may not read fails, and the others go on', async () => {
      const { fetcher, reply, events, fetches } = setUp();
      fetcher.add([standing(0), standing(1)]);
      await settled();
      await reply(answer([{ partition: 0, error: 'TOPIC_AUTHORIZATION_FAILED' }]));
      expect(events).toEqual(['failed t/0 TOPIC_AUTHORIZATION_FAILED']);
      expect(forgotten(fetches()[1] as BrokerRequest)).toEqual([0]);
    });

    it('a corrupt batch is fetched again twice, then the partition fails', async () => {
      const { fetcher, reply, events, clock } = setUp();
      const one = standing(0);
      fetcher.add([one]);
      await settled();
      const corrupt = Buffer.from(batchAt(10, ['abc']));
      corrupt.writeUInt8((corrupt.at(-2) as number) ^ 1, corrupt.length - 2);
      for (let times = 0; times < 3; times++) {
        expect(events).toEqual([]);
        await reply(answer([{ partition: 0, records: corrupt }]));
        let error: unknown;
        try {
          void one.take();
        } catch (thrown) {
          error = thrown;
        }
        fetcher.corrupt(one, error as KrafkaError);
        // What was fetched on behind the corrupt batch comes too late.
        await reply(answer([{ partition: 0, records: batchAt(11, ['def']) }]));
        await clock.advance(1_000);
      }
      expect(events).toEqual(['failed t/0 CORRUPT_MESSAGE']);
    });

    it('what no codec can read fails its partition at once: it would come no different', async () => {
      const { fetcher, events } = setUp();
      const one = standing(0);
      fetcher.add([one]);
      fetcher.corrupt(one, new KrafkaProtocolError('UNSUPPORTED_COMPRESSION_TYPE', 'codec 7'));
      expect(events).toEqual(['failed t/0 UNSUPPORTED_COMPRESSION_TYPE']);
    });

    it('records that end before a whole batch does are fetched again', async () => {
      const { fetcher, reply, arrived, fetches } = setUp();
      fetcher.add([standing(0)]);
      await settled();
      await reply(answer([{ partition: 0, records: batchAt(10, ['abc']).subarray(0, 65) }]));
      expect(arrived).toEqual([]);
      expect(fetches()).toHaveLength(2);
    });
  });

  it('hides aborted records from readers of committed ones', async () => {
    const { fetcher, reply, fetches } = setUp({ settings: { isolationLevel: 'read_committed' } });
    const one = standing(0);
    fetcher.add([one]);
    await settled();
    expect(fetches()[0]?.body.isolationLevel).toBe(1);
    const records = Buffer.concat([batchAt(10, ['a'], { producerId: 5 }), batchAt(11, ['b'])]);
    await reply(answer([{ partition: 0, records, aborted: [{ producerId: 5, firstOffset: 10 }] }]));
    expect((one.take() as TakenBatch).records.map(({ offset }) => offset)).toEqual([11]);
  });

  it('goes by name, and no higher than version 12, while a topic id is not known', async () => {
    const { fetcher, cluster, fetches } = setUp();
    cluster.lead({ t: [1] }, { t: 'AAAAAAAAAAAAAAAAAAAAAA' });
    fetcher.add([standing(0)]);
    await settled();
    expect(fetches()[0]?.options.maxVersion).toBe(12);
    expect(fetches()[0]?.body.topics[0].topic).toBe('t');
  });
});
