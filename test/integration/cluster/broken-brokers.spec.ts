import { Deadline, Krafka, systemClock, type KrafkaError, type KrafkaOptions } from '../../../lib/core/index.js';
import { EmbeddedBroker } from '../../../lib/testing/index.js';

const within = (budgetMs = 20_000): Deadline => new Deadline(systemClock, budgetMs, 'testMs');
const failureOf = (promise: Promise<unknown>): Promise<KrafkaError> =>
  promise.then(
    () => Promise.reject(new Error('it succeeded')),
    (error: unknown) => error as KrafkaError,
  );

describe('a cluster whose brokers misbehave', () => {
  let broker: EmbeddedBroker;
  const made: Krafka[] = [];
  beforeEach(async () => {
    broker = await EmbeddedBroker.start({ brokers: 3, topics: { t: 3 } });
  });
  afterEach(async () => {
    await Promise.all(made.splice(0).map((krafka) => krafka.close()));
    await broker.close();
  });
  const connect = (options: Partial<KrafkaOptions> = {}): Krafka => {
    const krafka = new Krafka({ brokers: broker.bootstrap, ...options });
    made.push(krafka);
    return krafka;
  };

  it('is still found when some of the addresses given are dead', async () => {
    const krafka = connect({ brokers: ['127.0.0.1:1', broker.address(2), '127.0.0.1:2'] });
    await expect(krafka.cluster.topic('t', within())).resolves.toMatchObject({ name: 't' });
    expect(krafka.cluster.metadata.brokers.size).toBe(3);
  });

  it('is asked at another broker when one cuts the connection in the middle of its answer', async () => {
    const krafka = connect();
    const fault = broker.faults.add({ api: 'Metadata', fault: { cutAt: 9 }, times: 2 });
    await expect(krafka.cluster.refresh(['t'])).resolves.toMatchObject({ controllerId: expect.any(Number) });
    expect(fault.applied).toBe(2);
  });

  it('is asked at another broker when one says nothing', async () => {
    const krafka = connect();
    const fault = broker.faults.add({ api: 'Metadata', fault: { silence: true }, times: 1 });
    await expect(krafka.cluster.topic('t', within())).resolves.toMatchObject({ name: 't' });
    expect(fault.applied).toBe(1);
  });

  it('tells of a new leader once somebody finds the old one wrong', async () => {
    const krafka = connect();
    await krafka.cluster.topic('t', within());
    const from = broker.leaderOf('t', 0);
    const to = broker.nodeIds.find((id) => id !== from)!;
    broker.moveLeader('t', 0, to);
    const moved = new Promise<void>((resolve) => {
      krafka.cluster.events.on('metadata', (metadata) => {
        if (metadata.leaderOf('t', 0)?.nodeId === to) resolve();
      });
    });
    for (let index = 0; index < 50; index++) krafka.cluster.suspect('t', 0);
    broker.requests.clear();
    await moved;
    expect(broker.requests.count('Metadata')).toBe(1);
  });

  it('moves on to the brokers that are left when one is gone', async () => {
    const krafka = connect();
    await krafka.cluster.topic('t', within());
    const gone = broker.leaderOf('t', 0);
    const noticed = new Promise<void>((resolve) => {
      krafka.cluster.events.on('metadata', (metadata) => {
        if (!metadata.brokers.has(gone)) resolve();
      });
    });
    await broker.stopNode(gone);
    krafka.cluster.suspect('t', 0);
    await noticed;
    expect(krafka.cluster.metadata.brokers.has(gone)).toBe(false);
    expect(krafka.cluster.metadata.leaderOf('t', 0)?.nodeId).not.toBe(gone);
  });

  it('is found again, by the addresses given, when every broker that was known has gone', async () => {
    const other = await EmbeddedBroker.start({ topics: { t: 5 } });
    try {
      const krafka = connect({ brokers: [broker.address(1), other.bootstrap] });
      // Whichever of the two answers first is the cluster; then it goes.
      const { clusterId } = await krafka.cluster.refresh(['t']);
      await krafka.cluster.topic('t', within());
      const partitions = krafka.cluster.cachedTopic('t')!.partitions.length;
      const first = partitions === 5 ? other : broker;
      await first.close();
      await expect(krafka.cluster.refresh()).resolves.not.toMatchObject({ clusterId });
      expect(krafka.cluster.cachedTopic('t')?.partitions).toHaveLength(partitions === 5 ? 3 : 5);
    } finally {
      await other.close();
    }
  });

  it('finds a coordinator that has moved, and waits for one that is not there yet', async () => {
    const krafka = connect();
    const before = await krafka.cluster.coordinator('group', 'g', { deadline: within() });
    const to = broker.nodeIds.find((id) => id !== before.nodeId)!;
    broker.moveCoordinator('group', 'g', to);
    krafka.cluster.forgetCoordinator('group', 'g', before);
    const fault = broker.faults.add({
      api: 'FindCoordinator',
      fault: { error: 'COORDINATOR_NOT_AVAILABLE' },
      times: 2,
    });
    await expect(krafka.cluster.coordinator('group', 'g', { deadline: within() })).resolves.toMatchObject({
      nodeId: to,
    });
    expect(fault.applied).toBe(2);
  });

  it('fails every waiting call when it is gone altogether, naming the addresses', async () => {
    const krafka = connect();
    const addresses = broker.bootstrap.split(',');
    await broker.close();
    // Time enough to find each address dead.
    const timeoutMs = 3_000;
    const errors = await Promise.all([
      failureOf(krafka.cluster.topic('t', within(timeoutMs))),
      failureOf(krafka.cluster.coordinator('group', 'g', { deadline: within(timeoutMs) })),
      failureOf(krafka.admin({ timeoutMs }).listTopics()),
    ]);
    for (const error of errors) {
      expect(error.code).toBe('TIMEOUT');
      for (const address of addresses) expect(error.message).toContain(address);
    }
  });

  it('speaks to old brokers in the versions they know', async () => {
    await broker.close();
    broker = await EmbeddedBroker.start({
      topics: { t: 2 },
      apiVersions: { Metadata: { max: 4 }, FindCoordinator: { max: 1 } },
    });
    const krafka = connect();
    await expect(krafka.cluster.topic('t', within())).resolves.toMatchObject({ partitions: { length: 2 } });
    await expect(krafka.cluster.coordinator('group', 'g', { deadline: within() })).resolves.toMatchObject({
      nodeId: 1,
    });
    expect(broker.requests.list('Metadata').map(({ version }) => version)).toContain(4);
    expect(broker.requests.list('FindCoordinator').map(({ version }) => version)).toEqual([1]);
  });

  it('lets clients wait for topics with one request at a time, however many wait', async () => {
    const krafka = connect({ allowAutoTopicCreation: false });
    await krafka.cluster.refresh([]);
    broker.requests.clear();
    const waiting = Array.from({ length: 200 }, () => krafka.cluster.topic('later', within()));
    await failureOf(krafka.cluster.topic('later', within(50)));
    expect(broker.requests.count('Metadata')).toBe(1);
    broker.createTopic('later', 1);
    await Promise.all(waiting);
    expect(broker.requests.count('Metadata')).toBe(2);
  });
});
