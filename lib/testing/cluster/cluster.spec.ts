import {
  Fetch,
  FindCoordinator,
  Heartbeat,
  InitProducerId,
  ListOffsets,
  Metadata,
  Produce,
  errorName,
  type ErrorName,
} from '../../core/protocol/index.js';
import { KrafkaConfigError } from '../../core/support/index.js';
import { aBatch } from '../spec-support/batches.js';
import { SpecBroker } from '../spec-support/spec-broker.js';
import { WireClient } from '../spec-support/wire-client.js';

describe('a cluster of several nodes', () => {
  let spec: SpecBroker;

  beforeEach(async () => {
    spec = await SpecBroker.start({ brokers: 3, topics: { orders: 3 } });
  });
  afterEach(() => spec.close());

  const leaders = () => [0, 1, 2].map((partition) => spec.broker.leaderOf('orders', partition));

  const produce = async (client: WireClient, partition: number, version = 10) => {
    const records = await aBatch(['a'], { timestamp: spec.clock.now() });
    const answer = await client.send(Produce, version, {
      acks: -1,
      timeoutMs: 1000,
      topicData: [{ name: 'orders', partitionData: [{ index: partition, records }] }],
    });
    const [one] = answer.responses[0]?.partitionResponses ?? [];
    return {
      error: errorName(one?.errorCode ?? 0),
      leader: one?.currentLeader,
      endpoints: answer.nodeEndpoints.map(({ nodeId, host, port }) => [nodeId, `${host}:${port}`]),
    };
  };

  it('spreads leaders and replicas over its nodes', async () => {
    expect(leaders().toSorted((a, b) => a - b)).toEqual([1, 2, 3]);
    const answer = await (await spec.connect(2)).send(Metadata, 12, { topics: [{ name: 'orders' }] });
    expect(answer.brokers.map(({ nodeId, host, port }) => [nodeId, `${host}:${port}`])).toEqual(
      [1, 2, 3].map((id) => [id, spec.broker.address(id)]),
    );
    for (const partition of answer.topics[0]?.partitions ?? []) {
      expect(partition.replicaNodes.toSorted((a, b) => a - b)).toEqual([1, 2, 3]);
      expect(partition.isrNodes).toEqual(partition.replicaNodes);
      expect(partition.leaderId).toBe(partition.replicaNodes[0]);
    }
    expect(spec.broker.bootstrap.split(',')).toEqual([1, 2, 3].map((id) => spec.broker.address(id)));
  });

  it('tells who asks the wrong node for a partition which is the right one', async () => {
    const [leader = 0] = leaders();
    const wrong = leader === 1 ? 2 : 1;
    const client = await spec.connect(wrong);
    expect(await produce(client, 0)).toEqual({
      error: 'NOT_LEADER_OR_FOLLOWER',
      leader: { leaderId: leader, leaderEpoch: 0 },
      endpoints: [[leader, spec.broker.address(leader)]],
    });
    expect((await produce(client, 0, 9)).error).toBe('NOT_LEADER_OR_FOLLOWER');
    const fetched = await client.send(Fetch, 16, {
      maxWaitMs: 0,
      minBytes: 0,
      sessionEpoch: -1,
      topics: [{ topicId: await idOf('orders'), partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1 }] }],
    });
    expect(fetched.responses[0]?.partitions[0]).toMatchObject({
      errorCode: 6,
      currentLeader: { leaderId: leader, leaderEpoch: 0 },
    });
    expect(fetched.nodeEndpoints[0]?.nodeId).toBe(leader);
    const listed = await client.send(ListOffsets, 7, {
      replicaId: -1,
      isolationLevel: 0,
      topics: [{ name: 'orders', partitions: [{ partitionIndex: 0, timestamp: -1 }] }],
    });
    expect(errorName(listed.topics[0]?.partitions[0]?.errorCode ?? 0)).toBe('NOT_LEADER_OR_FOLLOWER');
    expect(spec.broker.records('orders')).toEqual([]);
  });

  const idOf = async (topic: string): Promise<string> => {
    const answer = await (await spec.connect()).send(Metadata, 12, { topics: [{ name: topic }] });
    return answer.topics[0]?.topicId ?? '';
  };

  it('moves a leader, with a new epoch, and wakes who waits at the old one', async () => {
    spec.broker.moveLeader('orders', 0, 1);
    const client = await spec.connect(1);
    const correlationId = client.write(Fetch, 12, {
      maxWaitMs: 60_000,
      minBytes: 1,
      sessionEpoch: -1,
      topics: [{ topic: 'orders', partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1000 }] }],
    });
    await spec.received('Fetch', 1);
    spec.broker.moveLeader('orders', 0, 3);
    const woken = await client.answer(Fetch, 12, correlationId);
    expect(errorName(woken.responses[0]?.partitions[0]?.errorCode ?? 0)).toBe('NOT_LEADER_OR_FOLLOWER');
    const answer = await client.send(Metadata, 9, { topics: [{ name: 'orders' }] });
    expect(answer.topics[0]?.partitions[0]?.leaderId).toBe(3);
    expect(answer.topics[0]?.partitions[0]?.leaderEpoch).toBeGreaterThanOrEqual(1);
    expect((await produce(await spec.connect(3), 0)).error).toBe('NONE');
  });

  it('lets others lead what a stopped node led, and has it back on its port', async () => {
    const stopped = leaders()[0] ?? 0;
    const address = spec.broker.address(stopped);
    const client = await spec.connect(stopped);
    await spec.broker.stopNode(stopped);
    await client.closed();
    await expect(WireClient.connect(address)).rejects.toThrow(/ECONNREFUSED/);
    expect(leaders()).not.toContain(stopped);
    const other = await spec.connect(leaders()[0]);
    expect((await produce(other, 0)).error).toBe('NONE');
    const answer = await other.send(Metadata, 9, { topics: [{ name: 'orders' }] });
    expect(answer.brokers.map(({ nodeId }) => nodeId)).not.toContain(stopped);
    expect(answer.topics[0]?.partitions[0]).toMatchObject({ leaderEpoch: 1, offlineReplicas: [stopped] });
    expect(answer.topics[0]?.partitions[0]?.isrNodes).not.toContain(stopped);
    await spec.broker.restartNode(stopped);
    expect(spec.broker.address(stopped)).toBe(address);
    expect(leaders()[0]).not.toBe(stopped);
    const back = await (await spec.connect(stopped)).send(Metadata, 9, { topics: [{ name: 'orders' }] });
    expect(back.topics[0]?.partitions[0]?.isrNodes).toContain(stopped);
  });

  it('has no leader for what only a stopped node had, until it is back', async () => {
    spec.broker.createTopic('lonely', { partitions: 1, replicationFactor: 1 });
    const only = spec.broker.leaderOf('lonely', 0);
    await spec.broker.stopNode(only);
    expect(spec.broker.leaderOf('lonely', 0)).toBe(-1);
    const client = await spec.connect(only === 1 ? 2 : 1);
    const answer = await client.send(Metadata, 9, { topics: [{ name: 'lonely' }] });
    expect(answer.topics[0]?.partitions[0]).toMatchObject({ errorCode: 5, leaderId: -1 });
    await spec.broker.restartNode(only);
    expect(spec.broker.leaderOf('lonely', 0)).toBe(only);
  });

  it('has a coordinator for each group and transactional id, and others who are not', async () => {
    const client = await spec.connect();
    const find = async (key: string, keyType: number) =>
      (await client.send(FindCoordinator, 4, { keyType, coordinatorKeys: [key] })).coordinators[0]?.nodeId ?? 0;
    expect(await find('g', 0)).toBe(spec.broker.coordinatorOf('group', 'g'));
    const errors = await Promise.all(
      [1, 2, 3].map(async (id): Promise<ErrorName> => {
        const request = { groupId: 'g', generationId: 1, memberId: 'm' };
        return errorName((await (await spec.connect(id)).send(Heartbeat, 4, request)).errorCode);
      }),
    );
    expect(errors.toSorted()).toEqual(['NOT_COORDINATOR', 'NOT_COORDINATOR', 'UNKNOWN_MEMBER_ID']);
    spec.broker.moveCoordinator('transaction', 't', 2);
    expect(await find('t', 1)).toBe(2);
    const init = async (id: number) =>
      errorName(
        (await (await spec.connect(id)).send(InitProducerId, 4, { transactionalId: 't', transactionTimeoutMs: 1000 }))
          .errorCode,
      );
    expect([await init(1), await init(2)]).toEqual(['NOT_COORDINATOR', 'NONE']);
    await spec.broker.stopNode(2);
    expect(await find('t', 1)).not.toBe(2);
  });

  it('cuts the connections of one node or of all', async () => {
    const [one, two] = [await spec.connect(1), await spec.connect(2)];
    expect([spec.broker.connections(), spec.broker.connections(1), spec.broker.connections(3)]).toEqual([2, 1, 0]);
    spec.broker.killConnections(1);
    await one.closed();
    await two.send(Metadata, 9, { topics: null });
    spec.broker.killConnections();
    await two.closed();
    expect(spec.broker.connections()).toBe(0);
    await (await spec.connect(1)).send(Metadata, 9, { topics: null });
  });

  it('makes a topic that is asked for, where it may', async () => {
    await spec.close();
    spec = await SpecBroker.start({ autoCreateTopics: true });
    const client = await spec.connect();
    const errorOf = async (name: string, allowAutoTopicCreation: boolean) => {
      const answer = await client.send(Metadata, 9, { topics: [{ name }], allowAutoTopicCreation });
      return errorName(answer.topics[0]?.errorCode ?? 0);
    };
    expect(await errorOf('asked.for', false)).toBe('UNKNOWN_TOPIC_OR_PARTITION');
    expect(await errorOf('asked.for', false)).toBe('UNKNOWN_TOPIC_OR_PARTITION');
    expect(await errorOf('asked.for', true)).toBe('UNKNOWN_TOPIC_OR_PARTITION');
    expect(await errorOf('asked.for', false)).toBe('NONE');
    expect(await errorOf('not legal', true)).toBe('INVALID_TOPIC_EXCEPTION');
  });

  it('is moved about only in ways that make sense', async () => {
    const { broker } = spec;
    expect(() => broker.moveLeader('orders', 0, 9)).toThrow(/9 is none of 1, 2, 3/);
    expect(() => broker.moveLeader('orders', 9, 1)).toThrow(KrafkaConfigError);
    expect(() => broker.moveCoordinator('group', 'g', 0)).toThrow(KrafkaConfigError);
    expect(() => broker.killConnections(9)).toThrow(KrafkaConfigError);
    await broker.stopNode(3);
    await expect(broker.stopNode(3)).rejects.toThrow(/3 is stopped/);
    expect(() => broker.moveLeader('orders', 0, 3)).toThrow(/3 is stopped/);
    await expect(broker.restartNode(1)).rejects.toThrow(/1 is running/);
  });
});
