import { Krafka, type Admin, type KrafkaError } from '../../../lib/core/index.js';
import { EmbeddedBroker } from '../../../lib/testing/index.js';

const failureOf = (promise: Promise<unknown>): Promise<KrafkaError> =>
  promise.then(
    () => Promise.reject(new Error('it succeeded')),
    (error: unknown) => error as KrafkaError,
  );

describe('the admin of brokers that misbehave', () => {
  let broker: EmbeddedBroker;
  let krafka: Krafka;
  let admin: Admin;
  beforeEach(async () => {
    broker = await EmbeddedBroker.start({ brokers: 3, topics: { t: 30 } });
    krafka = new Krafka({ brokers: broker.bootstrap });
    admin = krafka.admin();
  });
  afterEach(async () => {
    await krafka.close();
    await broker.close();
  });

  it('asks each leader once about all of its partitions', async () => {
    await expect(admin.listOffsets([{ topic: 't', at: 'latest' }])).resolves.toHaveLength(30);
    expect(broker.requests.list('ListOffsets').map(({ nodeId }) => nodeId)).toHaveLength(3);
    expect(new Set(broker.requests.list('ListOffsets').map(({ nodeId }) => nodeId)).size).toBe(3);
  });

  it('asks again about the one partition whose leader has moved, and only about that', async () => {
    const fault = broker.faults.next('ListOffsets', { error: 'NOT_LEADER_OR_FOLLOWER', topic: 't', partition: 0 });
    const only = { topic: 't', partition: 0, at: 'latest' } as const;
    await expect(admin.listOffsets([only])).resolves.toMatchObject([{ offset: 0 }]);
    expect(fault.applied).toBe(1);
    broker.requests.clear();
    const again = broker.faults.add({
      api: 'ListOffsets',
      nodeId: broker.leaderOf('t', 0),
      fault: { error: 'NOT_LEADER_OR_FOLLOWER', topic: 't', partition: 0 },
    });
    await expect(admin.listOffsets([{ topic: 't', at: 'latest' }])).resolves.toHaveLength(30);
    expect(again.applied).toBe(1);
    expect(broker.requests.count('ListOffsets')).toBe(3 + 1);
  });

  it('asks the controller that is, after the one that was', async () => {
    const fault = broker.faults.next('CreateTopics', { error: 'NOT_CONTROLLER' });
    await expect(admin.createTopics([{ name: 'new' }])).resolves.toMatchObject([{ created: true }]);
    expect(fault.applied).toBe(1);
  });

  it('creates a topic although the answer was lost, and says so when it finds it there', async () => {
    broker.faults.next('CreateTopics', { disconnect: 'before' });
    await expect(admin.createTopics([{ name: 'first' }])).resolves.toMatchObject([{ created: true }]);
    broker.faults.next('CreateTopics', { disconnect: 'after' });
    expect(await failureOf(admin.createTopics([{ name: 'second' }]))).toMatchObject({
      code: 'TOPIC_ALREADY_EXISTS',
      message: expect.stringContaining('an earlier try of this call got no answer'),
    });
    broker.faults.next('CreateTopics', { disconnect: 'after' });
    await expect(admin.createTopics([{ name: 'third' }], { existing: 'ignore' })).resolves.toMatchObject([
      { name: 'third', partitions: 1 },
    ]);
  });

  it('finds a coordinator that has moved', async () => {
    await admin.alterGroupOffsets('g', [{ topic: 't', partition: 0, offset: 0 }]);
    const from = broker.coordinatorOf('group', 'g');
    broker.moveCoordinator(
      'group',
      'g',
      broker.nodeIds.find((id) => id !== from)!,
    );
    await expect(admin.listGroupOffsets('g')).resolves.toMatchObject([{ topic: 't', partition: 0, offset: 0 }]);
    await expect(admin.describeGroups(['g'])).resolves.toMatchObject([{ groupId: 'g', state: 'Empty' }]);
  });

  it('lists groups of every broker that is there', async () => {
    const groups = Array.from({ length: 12 }, (_, index) => `g${index}`);
    for (const group of groups) await admin.alterGroupOffsets(group, [{ topic: 't', partition: 0, offset: 0 }]);
    expect((await admin.listGroups()).map(({ groupId }) => groupId)).toEqual(groups.toSorted());
    expect(new Set(broker.requests.list('ListGroups').map(({ nodeId }) => nodeId)).size).toBe(3);
    expect((await admin.describeGroups(groups)).map(({ groupId }) => groupId)).toEqual(groups);
  });

  it('gives up when its budget is over, naming what it waited for', async () => {
    const latest = [{ topic: 't', partition: 3, at: 'latest' }] as const;
    // Connected by now: the budget is for the refusals alone.
    await admin.listOffsets(latest);
    broker.faults.add({ api: 'ListOffsets', fault: { error: 'NOT_LEADER_OR_FOLLOWER' }, times: Infinity });
    const error = await failureOf(admin.listOffsets(latest, { timeoutMs: 1_000 }));
    expect(error).toMatchObject({ code: 'TIMEOUT', cause: { code: 'NOT_LEADER_OR_FOLLOWER' } });
    expect(error.message).toContain("timeoutMs of 1000 ms passed while waiting for topic 't' partition 3");
  });

  it('goes on with the brokers that are left', async () => {
    await admin.describeCluster();
    await broker.stopNode(1);
    await expect(admin.createTopics([{ name: 'u', partitions: 4, replicationFactor: 2 }])).resolves.toMatchObject([
      { partitions: 4 },
    ]);
    expect((await admin.describeCluster()).brokers.map(({ nodeId }) => nodeId)).toEqual([2, 3]);
    await expect(admin.listOffsets([{ topic: 'u', at: 'earliest' }])).resolves.toHaveLength(4);
  });

  it('speaks to old brokers in the versions they know', async () => {
    broker.setApiVersions({
      CreateTopics: { max: 4 },
      DeleteTopics: { max: 3 },
      ListOffsets: { max: 1 },
      OffsetFetch: { max: 5 },
      OffsetCommit: { max: 5 },
      DescribeGroups: { max: 2 },
      ListGroups: { max: 2 },
      Metadata: { max: 5 },
      FindCoordinator: { max: 2 },
    });
    await expect(admin.createTopics([{ name: 'old', partitions: 2 }])).resolves.toMatchObject([
      { name: 'old', partitions: 2, created: true },
    ]);
    await expect(admin.listOffsets([{ topic: 'old', at: 'latest' }])).resolves.toHaveLength(2);
    await admin.alterGroupOffsets('g', [{ topic: 'old', partition: 0, offset: 0 }]);
    await expect(admin.listGroupOffsets('g')).resolves.toHaveLength(1);
    await expect(admin.describeGroups(['g'])).resolves.toMatchObject([{ type: 'classic' }]);
    expect(await failureOf(admin.describeGroups(['typo']))).toMatchObject({ code: 'GROUP_ID_NOT_FOUND' });
    expect(await failureOf(admin.listOffsets([{ topic: 'old', at: 'max-timestamp' }]))).toMatchObject({
      code: 'UNSUPPORTED_VERSION',
    });
    expect(await failureOf(admin.listGroups({ states: ['Empty'] }))).toMatchObject({ code: 'UNSUPPORTED_VERSION' });
    await admin.deleteTopics(['old']);
    expect((await admin.listTopics()).map(({ name }) => name)).toEqual(['t']);
  });
});
