import {
  KrafkaError,
  type Consumer,
  type ConsumerOptions,
  type ConsumerRecord,
  type Krafka,
} from '../../../lib/core/index.js';
import type { EmbeddedBroker } from '../../../lib/testing/index.js';
import { TestCluster } from '../../support/test-cluster.js';
import { expected, gate, inOrder, produce, take, until, values } from './tools.js';

// Real brokers commit no faults to order.
const withFaults = process.env['KAFKA_BROKERS'] ? describe.skip : describe;

/** Runs a consumer and gathers what it sees. */
const running = async (consumer: Consumer): Promise<{ seen: ConsumerRecord[]; end: () => Promise<void> }> => {
  const seen: ConsumerRecord[] = [];
  const run = consumer.run({ eachRecord: async (record) => void seen.push(record) });
  await consumer.start();
  return {
    seen,
    end: async () => {
      await consumer.close();
      await run;
    },
  };
};

withFaults('a consumer of a broker that', () => {
  let cluster: TestCluster;
  let broker: EmbeddedBroker;
  let krafka: Krafka;

  beforeEach(async () => {
    cluster = await TestCluster.open({ brokers: 3 });
    broker = cluster.embedded as EmbeddedBroker;
    krafka = cluster.krafka();
  });
  afterEach(() => cluster.close());

  const LIVELY = { heartbeatIntervalMs: 20, sessionTimeoutMs: 6_000 };
  const consumerOf = (topic: string, options: Partial<ConsumerOptions> = {}): Consumer =>
    krafka.consumer({ groupId: 'faults', topics: [topic], fromBeginning: true, ...LIVELY, ...options });

  it('moves leaders about: every record is read once', async () => {
    const topic = await cluster.newTopic(3);
    const consumer = consumerOf(topic);
    const { seen, end } = await running(consumer);
    for (let round = 0; round < 4; round++) {
      await produce(krafka, topic, 100, { from: round * 100 });
      for (const partition of [0, 1, 2]) {
        broker.moveLeader(topic, partition, broker.nodeIds[(partition + round) % 3] as number);
      }
      await until(() => seen.length >= (round + 1) * 100);
    }
    expect(inOrder(seen)).toEqual(expected(400));
    await end();
  });

  it('moves the coordinator: the member stays, and commits go to the new one', async () => {
    const topic = await cluster.newTopic(1);
    await produce(krafka, topic, 5, { partition: 0 });
    const consumer = consumerOf(topic);
    const { seen, end } = await running(consumer);
    await until(() => seen.length === 5);
    const other = broker.nodeIds.find((id) => id !== broker.coordinatorOf('group', 'faults')) as number;
    broker.moveCoordinator('group', 'faults', other);
    await consumer.commit();
    expect(broker.committed('faults', topic, 0)).toBe(5);
    await end();
  });

  it('stops a node: its partitions are read elsewhere', async () => {
    const topic = cluster.name('replicated');
    broker.createTopic(topic, { partitions: 6, replicationFactor: 3 });
    const consumer = consumerOf(topic);
    const { seen, end } = await running(consumer);
    await produce(krafka, topic, 200);
    const stopped = broker.nodeIds.find((id) => id !== broker.coordinatorOf('group', 'faults')) as number;
    await broker.stopNode(stopped);
    await produce(krafka, topic, 200, { from: 200 });
    await until(() => seen.length >= 400);
    expect(inOrder(seen)).toEqual(expected(400));
    await broker.restartNode(stopped);
    await end();
  });

  it.each(['classic', 'consumer'] as const)(
    'is gone for good: with nothing to commit a member of a %s group has closed long before its time is over',
    async (groupProtocol) => {
      const topic = await cluster.newTopic(1);
      const options =
        groupProtocol === 'classic' ? {} : { heartbeatIntervalMs: undefined, sessionTimeoutMs: undefined };
      const consumer = consumerOf(topic, { groupProtocol, ...options });
      await consumer.start();
      await consumer.commit();
      for (const nodeId of broker.nodeIds) await broker.stopNode(nodeId);
      await consumer.close({ timeoutMs: 3_600_000 });
      expect(consumer.groupState()).toBe('left');
    },
  );

  it('forgets fetch sessions: they are opened anew, and nothing is missed', async () => {
    const topic = await cluster.newTopic(3);
    const consumer = consumerOf(topic);
    const { seen, end } = await running(consumer);
    for (let round = 0; round < 3; round++) {
      broker.dropFetchSessions();
      await produce(krafka, topic, 50, { from: round * 50 });
      await until(() => seen.length >= (round + 1) * 50);
    }
    expect(inOrder(seen)).toEqual(expected(150));
    expect(consumer.stats().sessionResets).toBeGreaterThan(0);
    expect(consumer.stats().incrementalFetches).toBeGreaterThan(0);
    await end();
  });

  it('closes no session on us unasked: a closed consumer closes its own', async () => {
    const topic = await cluster.newTopic(1);
    const consumer = consumerOf(topic);
    await produce(krafka, topic, 1, { partition: 0 });
    await take(consumer, 1);
    expect(broker.fetchSessions).toBe(1);
    await consumer.close();
    expect(broker.fetchSessions).toBe(0);
  });

  it('sends a corrupt batch once: it is fetched again', async () => {
    const topic = await cluster.newTopic(1);
    await produce(krafka, topic, 5, { partition: 0 });
    broker.faults.next('Fetch', { corrupt: true });
    const consumer = consumerOf(topic);
    expect(values(await take(consumer, 5))).toEqual(expected(5));
    await consumer.close();
  });

  it('has a corrupt batch for good: the consumer fails by name', async () => {
    const topic = await cluster.newTopic(1);
    await produce(krafka, topic, 5, { partition: 0 });
    broker.faults.add({ api: 'Fetch', fault: { corrupt: true }, times: Infinity });
    const consumer = consumerOf(topic);
    await expect(take(consumer, 1)).rejects.toMatchObject({ code: 'CORRUPT_MESSAGE', topic, partition: 0 });
    await consumer.close();
  });

  it('may not tell what is committed of a topic: the others go on', async () => {
    const [closed, open] = [await cluster.newTopic(1), await cluster.newTopic(1)];
    await produce(krafka, open, 5, { partition: 0 });
    broker.faults.add({
      api: 'OffsetFetch',
      fault: { error: 'TOPIC_AUTHORIZATION_FAILED', topic: closed, partition: 0 },
      times: Infinity,
    });
    const consumer = consumerOf(open, { topics: [closed, open] });
    const failed: string[] = [];
    consumer.events.on('partitionFailed', ({ topic, error }) => failed.push(`${topic} ${error.code}`));
    expect(values(await take(consumer, 5))).toEqual(expected(5));
    expect(failed).toEqual([`${closed} TOPIC_AUTHORIZATION_FAILED`]);
    await expect(consumer.committed([{ topic: closed, partition: 0 }])).rejects.toMatchObject({
      code: 'TOPIC_AUTHORIZATION_FAILED',
    });
    await consumer.close();
  });

  it.each(['TOPIC_AUTHORIZATION_FAILED', 'UNKNOWN_SERVER_ERROR'] as const)(
    'does not take an automatic commit (%s): that is told, and made up for by a later one',
    async (error) => {
      const topic = await cluster.newTopic(1);
      await produce(krafka, topic, 5, { partition: 0 });
      broker.faults.next('OffsetCommit', { error, topic, partition: 0 });
      const consumer = consumerOf(topic, { autoCommitIntervalMs: 20 });
      const failed: string[] = [];
      consumer.events.on('commitFailed', (told) => failed.push(told.error.code));
      const { seen, end } = await running(consumer);
      await until(() => broker.committed('faults', topic, 0) === 5);
      expect(seen).toHaveLength(5);
      expect(failed).toEqual([error]);
      await end();
    },
  );

  it('may not tell a partition: the others go on', async () => {
    const topic = await cluster.newTopic(2);
    for (const partition of [0, 1]) await produce(krafka, topic, 5, { partition });
    broker.faults.add({
      api: 'Fetch',
      fault: { error: 'TOPIC_AUTHORIZATION_FAILED', topic, partition: 0 },
      times: Infinity,
    });
    const consumer = consumerOf(topic);
    const failed: string[] = [];
    consumer.events.on('partitionFailed', ({ partition, error }) => failed.push(`${partition} ${error.code}`));
    expect(values(await take(consumer, 5))).toEqual(expected(5));
    await until(() => failed.length === 1);
    expect(failed).toEqual(['0 TOPIC_AUTHORIZATION_FAILED']);
    await consumer.close();
  });

  it('loses records in an unclean election: reading goes on where the logs part, and it is told', async () => {
    const topic = await cluster.newTopic(1);
    for (let index = 0; index < 10; index++) await produce(krafka, topic, 1, { partition: 0, from: index });
    const consumer = consumerOf(topic);
    const resets: unknown[] = [];
    const { seen, end } = await running(consumer);
    consumer.events.on('reset', (event) => resets.push(event));
    await until(() => seen.length === 10);
    broker.loseRecords(topic, 0, 6);
    await produce(krafka, topic, 6, { partition: 0, word: 'new' });
    await until(() => seen.length >= 16);
    expect(values(seen.slice(10))).toEqual(expected(6, 'new'));
    expect(resets).toEqual([{ topic, partition: 0, reason: 'truncated', from: 10, to: 6 }]);
    await end();
  });

  it('throws the member out: its partitions are lost, not revoked, and it joins again', async () => {
    const topic = await cluster.newTopic(2);
    const calls: string[] = [];
    const consumer = consumerOf(topic, {
      rebalanceListener: {
        assigned: () => void calls.push('assigned'),
        revoked: () => void calls.push('revoked'),
        lost: () => void calls.push('lost'),
      },
    });
    const { seen, end } = await running(consumer);
    broker.faults.next('Heartbeat', { error: 'ILLEGAL_GENERATION' });
    await until(() => calls.length >= 3);
    await produce(krafka, topic, 10);
    await until(() => seen.length === 10);
    await end();
    expect(calls).toEqual(['assigned', 'lost', 'assigned', 'revoked']);
  });

  it('says that an offset is unstable: it is waited for, not taken for absent', async () => {
    const topic = await cluster.newTopic(1);
    await produce(krafka, topic, 10, { partition: 0 });
    const first = consumerOf(topic);
    await first.start();
    await first.commit([{ topic, partition: 0, offset: 5 }]);
    await first.seek({ topic, partition: 0 }, 5);
    await first.close();
    broker.faults.add({
      api: 'OffsetFetch',
      fault: { error: 'UNSTABLE_OFFSET_COMMIT', topic, partition: 0 },
      times: 3,
    });
    const second = consumerOf(topic, { fromBeginning: false });
    await second.start();
    expect(second.position({ topic, partition: 0 })).toBe(5);
    await second.close();
  });

  it.each(['COORDINATOR_LOAD_IN_PROGRESS', 'NOT_COORDINATOR', 'COORDINATOR_NOT_AVAILABLE'] as const)(
    'answers %s to everything at first: it is tried again until it works',
    async (error) => {
      const topic = await cluster.newTopic(1);
      await produce(krafka, topic, 3, { partition: 0 });
      for (const api of ['JoinGroup', 'SyncGroup', 'OffsetFetch', 'OffsetCommit', 'Heartbeat'] as const) {
        broker.faults.add({ api, fault: { error }, times: 2 });
      }
      const consumer = consumerOf(topic);
      const { seen, end } = await running(consumer);
      await until(() => seen.length === 3);
      await consumer.commit();
      expect(broker.committed('faults', topic, 0)).toBe(3);
      await end();
    },
  );

  it('loses the answer to a commit: the next one says the same again', async () => {
    const topic = await cluster.newTopic(1);
    await produce(krafka, topic, 3, { partition: 0 });
    const consumer = consumerOf(topic);
    const { seen, end } = await running(consumer);
    await until(() => seen.length === 3);
    broker.faults.next('OffsetCommit', { disconnect: 'after' });
    await consumer.commit();
    expect(broker.committed('faults', topic, 0)).toBe(3);
    expect(consumer.groupState()).toBe('stable');
    await end();
  });

  it('refuses a commit as from an old generation: the user is told', async () => {
    const topic = await cluster.newTopic(1);
    const consumer = consumerOf(topic);
    const { end } = await running(consumer);
    broker.faults.next('OffsetCommit', { error: 'ILLEGAL_GENERATION' });
    await expect(consumer.commit([{ topic, partition: 0, offset: 1 }])).rejects.toMatchObject({
      code: 'ILLEGAL_GENERATION',
    });
    await until(() => consumer.stats().rebalances === 2);
    await end();
  });

  it('gives us up while a commit is tried again: it is not made by the member that we are after that', async () => {
    const topic = await cluster.newTopic(1);
    const consumer = consumerOf(topic, { autoCommit: false });
    const { end } = await running(consumer);
    broker.faults.add({ api: 'OffsetCommit', fault: { error: 'COORDINATOR_LOAD_IN_PROGRESS' }, times: Infinity });
    const committed = consumer.commit([{ topic, partition: 0, offset: 1 }]).then(
      () => 'committed',
      (error: unknown) => error,
    );
    await until(() => consumer.stats().commits > 0);
    broker.faults.next('Heartbeat', { error: 'ILLEGAL_GENERATION' });
    await until(() => consumer.stats().rebalances === 2 && consumer.groupState() === 'stable');
    broker.faults.clear();
    expect(await committed).toBeInstanceOf(KrafkaError);
    expect(broker.committed('faults', topic, 0)).toBeUndefined();
    await end();
  });

  it('has no room for our group: the consumer fails by name', async () => {
    const topic = await cluster.newTopic(1);
    broker.faults.next('JoinGroup', { error: 'GROUP_AUTHORIZATION_FAILED' });
    const consumer = consumerOf(topic);
    const fatal = gate();
    consumer.events.on('fatal', () => fatal.open());
    await expect(consumer.start()).rejects.toMatchObject({ code: 'GROUP_AUTHORIZATION_FAILED' });
    await fatal.opened;
    await consumer.close();
  });

  it('does not know a leader at first: the position is asked for until one is there', async () => {
    const topic = await cluster.newTopic(1);
    await produce(krafka, topic, 3, { partition: 0 });
    broker.faults.add({ api: 'ListOffsets', fault: { error: 'NOT_LEADER_OR_FOLLOWER', topic }, times: 2 });
    const consumer = consumerOf(topic);
    expect(values(await take(consumer, 3))).toEqual(expected(3));
    await consumer.close();
  });

  it('leads hundreds of partitions: one ListOffsets a leader finds where they begin', async () => {
    const topic = await cluster.newTopic(300);
    const consumer = consumerOf(topic);
    await consumer.start();
    expect(broker.requests.count('ListOffsets')).toBe(3);
    expect(consumer.stats().offsetLookups).toBe(3);
    await consumer.close();
  });

  it('does not know the consumer protocol: under auto the group is a classic one', async () => {
    broker.setApiVersions({ ConsumerGroupHeartbeat: false });
    const topic = await cluster.newTopic(2);
    await produce(krafka, topic, 10);
    const consumer = krafka.consumer({ groupId: 'old', topics: [topic], fromBeginning: true, groupProtocol: 'auto' });
    const states: string[] = [];
    consumer.events.on('state', ({ state }) => states.push(state));
    expect(inOrder(await take(consumer, 10))).toEqual(expected(10));
    await consumer.close();
    expect(states).toEqual(['joining', 'stable', 'leaving', 'left']);
    expect(broker.requests.count('JoinGroup')).toBeGreaterThan(0);
    const insisting = krafka.consumer({ groupId: 'old', topics: [topic], groupProtocol: 'consumer' });
    await expect(insisting.start()).rejects.toMatchObject({ code: 'UNSUPPORTED_VERSION' });
    await insisting.close();
  });

  it('speaks what Kafka 2.4 spoke: everything works without topic ids and flexible versions', async () => {
    broker.setApiVersions({
      Fetch: { max: 11 },
      Metadata: { max: 9 },
      ListOffsets: { max: 5 },
      OffsetFetch: { max: 6 },
      OffsetCommit: { max: 7 },
      JoinGroup: { max: 6 },
      SyncGroup: { max: 4 },
      Heartbeat: { max: 4 },
      LeaveGroup: { max: 4 },
      FindCoordinator: { max: 3 },
      OffsetForLeaderEpoch: { max: 3 },
    });
    const topic = await cluster.newTopic(3);
    await produce(krafka, topic, 100);
    const consumer = consumerOf(topic);
    expect(inOrder(await take(consumer, 100))).toEqual(expected(100));
    await consumer.close();
  });
});
