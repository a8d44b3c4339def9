import { ERROR_CODES, type ErrorName } from '../../protocol/index.js';
import { KrafkaConnectionError, type KrafkaError } from '../../support/index.js';
import { AssignedPartition, type OffsetSpec } from '../assigned-partition.js';
import { settled } from '../spec-support/fake-clock.js';
import { fakePorts } from '../spec-support/ports.js';
import { ScriptedCluster, type BrokerRequest } from '../spec-support/scripted-cluster.js';
import { OffsetResolver } from './offset-resolver.js';

interface AskedPartition {
  readonly partitionIndex: number;
  readonly timestamp: number;
  readonly currentLeaderEpoch: number;
}

/** Answers every partition of a ListOffsets. */
const answering =
  (answer: (topic: string, asked: AskedPartition) => { error?: ErrorName; offset?: number }) =>
  ({ body }: BrokerRequest) => ({
    topics: body.topics.map(({ name, partitions }: { name: string; partitions: AskedPartition[] }) => ({
      name,
      partitions: partitions.map((asked) => {
        const { error = 'NONE', offset = -1 } = answer(name, asked);
        return { partitionIndex: asked.partitionIndex, errorCode: ERROR_CODES[error], offset, leaderEpoch: 1 };
      }),
    })),
  });

function setUp(isolationLevel: 'read_uncommitted' | 'read_committed' = 'read_uncommitted') {
  const ports = fakePorts();
  const cluster = new ScriptedCluster();
  const found: string[] = [];
  const refused: KrafkaError[] = [];
  const resolver = new OffsetResolver({
    cluster,
    ports,
    requestTimeoutMs: 30_000,
    isolationLevel,
    onResolved: ({ key }, { offset }) => found.push(`${key} ${offset}`),
    onRefused: (_, error) => refused.push(error),
  });
  return { cluster, resolver, found, refused, ...ports };
}

const partition = (number: number): AssignedPartition =>
  new AssignedPartition('t', number, 'latest', { maxDecompressedBytes: 1 }, () => undefined);

describe('OffsetResolver', () => {
  it('asks each leader once for all its partitions, all leaders at once', async () => {
    const { cluster, resolver, found } = setUp();
    cluster.lead({ t: Array.from({ length: 50 }, (_, index) => 1 + (index % 3)) });
    let under = 0;
    let most = 0;
    cluster.answer = async (request) => {
      most = Math.max(most, ++under);
      await settled();
      under--;
      return answering((_topic, { partitionIndex }) => ({ offset: partitionIndex }))(request);
    };
    for (let number = 0; number < 50; number++) resolver.resolve(partition(number), 'earliest');
    for (let turn = 0; turn < 3; turn++) await settled();
    expect(cluster.requests('ListOffsets').map(({ nodeId }) => nodeId)).toEqual([1, 2, 3]);
    expect(most).toBe(3);
    expect(resolver.requests).toBe(3);
    expect(found).toHaveLength(50);
  });

  it.each<[OffsetSpec, number]>([
    ['earliest', -2],
    ['latest', -1],
    [{ timestamp: 77 }, 77],
  ])('asks for %p as timestamp %d', async (spec, timestamp) => {
    const { cluster, resolver } = setUp();
    cluster.lead({ t: [1] });
    cluster.answer = answering(() => ({ offset: 5 }));
    const one = partition(0);
    one.currentLeaderEpoch = 4;
    resolver.resolve(one, spec);
    await settled();
    expect(cluster.sent[0]?.body).toMatchObject({ isolationLevel: 0, replicaId: -1 });
    expect(cluster.sent[0]?.body.topics[0].partitions).toEqual([
      { partitionIndex: 0, timestamp, currentLeaderEpoch: 4 },
    ]);
  });

  it('asks for the end as readers of committed records see it', async () => {
    const { cluster, resolver } = setUp('read_committed');
    cluster.lead({ t: [1] });
    cluster.answer = answering(() => ({ offset: 5 }));
    resolver.resolve(partition(0), 'latest');
    await settled();
    expect(cluster.sent[0]?.body.isolationLevel).toBe(1);
  });

  it('goes to the end when no record is as young as was asked for', async () => {
    const { cluster, resolver, found } = setUp();
    cluster.lead({ t: [1] });
    cluster.answer = answering((_, { timestamp }) => ({ offset: timestamp === -1 ? 9 : -1 }));
    resolver.resolve(partition(0), { timestamp: 77 });
    await settled();
    expect(found).toEqual(['t/0 9']);
  });

  it('backs off for each partition on its own, from 100 ms up to 30 s', async () => {
    const { cluster, resolver, found, clock } = setUp();
    cluster.lead({ t: [1, 1] });
    const asked: number[][] = [[], []];
    cluster.answer = answering((_, { partitionIndex }) => {
      asked[partitionIndex]?.push(clock.now());
      return partitionIndex === 0 ? { error: 'LEADER_NOT_AVAILABLE' } : { offset: 3 };
    });
    resolver.resolve(partition(0), 'latest');
    await clock.advance(50);
    resolver.resolve(partition(1), 'latest');
    await clock.advance(200_000);
    expect(found).toEqual(['t/1 3']);
    const [times] = asked as [number[]];
    const waits = times.slice(1).map((time, index) => time - (times[index] as number));
    waits.forEach((wait, index) => {
      const plain = Math.min(30_000, 100 * 2 ** index);
      expect(wait).toBeGreaterThanOrEqual(plain * 0.8);
      expect(wait).toBeLessThanOrEqual(Math.min(30_000, plain * 1.2) + 1);
    });
    expect(waits.length).toBeGreaterThan(9);
    expect(cluster.suspected).toContain('t');
  });

  it('asks the new leader at once when one is known, whatever the backoff', async () => {
    const { cluster, resolver, found, clock } = setUp();
    cluster.lead({ t: [1] });
    cluster.answer = (request) =>
      answering(() => (request.nodeId === 1 ? { error: 'NOT_LEADER_OR_FOLLOWER' } : { offset: 3 }))(request);
    resolver.resolve(partition(0), 'latest');
    await clock.advance(20_000);
    cluster.lead({ t: [{ leader: 2, epoch: 2 }] });
    resolver.metadataChanged();
    await settled();
    expect(found).toEqual(['t/0 3']);
  });

  it('keeps to its backoff when metadata changes that does not concern it', async () => {
    const { cluster, resolver, clock } = setUp();
    cluster.lead({ t: [1] });
    cluster.answer = answering(() => ({ error: 'NOT_LEADER_OR_FOLLOWER' }));
    resolver.resolve(partition(0), 'latest');
    await clock.advance(10_000);
    const before = cluster.sent.length;
    for (let times = 0; times < 10; times++) resolver.metadataChanged();
    await settled();
    expect(cluster.sent).toHaveLength(before);
  });

  it('waits for a leader where there is none', async () => {
    const { cluster, resolver, found } = setUp();
    cluster.lead({ t: [-1] });
    resolver.resolve(partition(0), 'latest');
    await settled();
    expect(cluster.suspected).toEqual(['t']);
    cluster.answer = answering(() => ({ offset: 3 }));
    cluster.lead({ t: [2] });
    resolver.metadataChanged();
    await settled();
    expect(found).toEqual(['t/0 3']);
  });

  it('asks again when a leader cannot be reached', async () => {
    const { cluster, resolver, found, clock } = setUp();
    cluster.lead({ t: [1] });
    cluster.unreachable.set(1, new KrafkaConnectionError('b:1', 'refused'));
    cluster.answer = answering(() => ({ offset: 3 }));
    resolver.resolve(partition(0), 'latest');
    await clock.advance(1_000);
    expect(found).toEqual([]);
    cluster.unreachable.clear();
    await clock.advance(2_000);
    expect(found).toEqual(['t/0 3']);
  });

  it('drops the answer to a question that a newer one has replaced', async () => {
    const { cluster, resolver, found } = setUp();
    cluster.lead({ t: [1] });
    const answers: (() => void)[] = [];
    cluster.answer = (request) =>
      new Promise((resolve) =>
        answers.push(() => resolve(answering((_, { timestamp }) => ({ offset: timestamp === -2 ? 0 : 9 }))(request))),
      );
    const one = partition(0);
    resolver.resolve(one, 'earliest');
    await settled();
    resolver.resolve(one, 'latest');
    await settled();
    answers[1]?.();
    await settled();
    answers[0]?.();
    await settled();
    expect(found).toEqual(['t/0 9']);
  });

  it('drops the answer for a partition that was given up or is not asked about any more', async () => {
    const { cluster, resolver, found } = setUp();
    cluster.lead({ t: [1, 1] });
    cluster.answer = async (request) => {
      await settled();
      return answering(() => ({ offset: 9 }))(request);
    };
    const [released, dropped] = [partition(0), partition(1)];
    resolver.resolve(released, 'earliest');
    resolver.resolve(dropped, 'earliest');
    released.release(new Error('gone'));
    resolver.drop(dropped);
    await settled();
    await settled();
    expect(found).toEqual([]);
  });

  it('asks again when a broker fails in a way it has no name for', async () => {
    const { cluster, resolver, found, refused, clock } = setUp();
    cluster.lead({ t: [1] });
    cluster.answer = answering(() => ({ error: 'UNKNOWN_SERVER_ERROR' }));
    resolver.resolve(partition(0), 'latest');
    await settled();
    cluster.answer = answering(() => ({ offset: 7 }));
    await clock.advance(1_000);
    expect(refused).toEqual([]);
    expect(found).toEqual(['t/0 7']);
  });

  it('waits for an answer as long as its requests may take', async () => {
    const { cluster, resolver } = setUp();
    cluster.lead({ t: [1] });
    cluster.answer = answering(() => ({ offset: 7 }));
    resolver.resolve(partition(0), 'latest');
    await settled();
    expect(cluster.requests('ListOffsets')[0]?.options).toEqual({ timeoutMs: 30_000 });
  });

  it('gives up on what will not change, naming the partition', async () => {
    const { cluster, resolver, refused, clock } = setUp();
    cluster.lead({ t: [1] });
    cluster.answer = answering(() => ({ error: 'TOPIC_AUTHORIZATION_FAILED' }));
    resolver.resolve(partition(0), 'latest');
    await settled();
    expect(refused).toMatchObject([{ code: 'TOPIC_AUTHORIZATION_FAILED', topic: 't', partition: 0 }]);
    expect(clock.timers).toEqual([]);
  });

  it('leaves no timer when everything is known, or when it is closed', async () => {
    const { cluster, resolver, clock } = setUp();
    cluster.lead({ t: [1, -1] });
    cluster.answer = answering(() => ({ offset: 1 }));
    resolver.resolve(partition(0), 'latest');
    await settled();
    expect(clock.timers).toEqual([]);
    resolver.resolve(partition(1), 'latest');
    await settled();
    expect(clock.timers).toHaveLength(1);
    resolver.close();
    expect(clock.timers).toEqual([]);
  });
});
