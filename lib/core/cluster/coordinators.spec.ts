import { settled } from '../network/spec-support/fake-clock.js';
import type { Cluster } from './cluster.js';
import { ScriptedCluster, type ReceivedAt } from './spec-support/scripted-cluster.js';

const told = (key: string, nodeId: number, errorCode = 0, errorMessage: string | null = null): object => ({
  key,
  nodeId,
  host: `b${nodeId}`,
  port: 9092,
  errorCode,
  errorMessage,
});
const keysOf = ({ request }: ReceivedAt): string[] => request['coordinatorKeys'] as string[];

/** Lets the brokers speak FindCoordinator up to this version only. */
function limitTo(scripted: ScriptedCluster, maxVersion: number): void {
  for (const broker of scripted.brokers.values()) {
    const { apiKeys } = broker.versions;
    broker.versions = {
      ...broker.versions,
      apiKeys: apiKeys.map((api) => (api.apiKey === 10 ? { ...api, minVersion: 0, maxVersion } : api)),
    };
  }
}

describe('coordinators', () => {
  let scripted: ScriptedCluster;
  let cluster: Cluster;
  beforeEach(() => {
    scripted = new ScriptedCluster(2);
    cluster = scripted.cluster();
  });
  const find = (key: string, type: 'group' | 'transaction' = 'group', budgetMs = 10_000) =>
    cluster.coordinator(type, key, { deadline: scripted.deadline(budgetMs) });

  it('are looked up once and remembered', async () => {
    const node = await find('g');
    expect(node).toMatchObject({ nodeId: 1, address: 'b1:9092' });
    await expect(find('g')).resolves.toEqual(node);
    expect(scripted.requests('FindCoordinator')).toHaveLength(1);
  });

  it('of one turn are asked for in one request, and each once', async () => {
    await Promise.all([find('a'), find('b'), find('a')]);
    const requests = scripted.requests('FindCoordinator');
    expect(requests.map(keysOf)).toEqual([['a', 'b']]);
    expect(requests[0]!.request).toMatchObject({ keyType: 0 });
  });

  it('of groups and of transactional ids are not mixed up', async () => {
    await Promise.all([find('x'), find('x', 'transaction')]);
    const asked = scripted.requests('FindCoordinator').map((one) => [one.request['keyType'], keysOf(one)]);
    expect(asked).toEqual([
      [0, ['x']],
      [1, ['x']],
    ]);
  });

  it('are asked for one by one of brokers that know no batches', async () => {
    limitTo(scripted, 3);
    await Promise.all([find('a'), find('b')]);
    expect(scripted.requests('FindCoordinator').map(({ version, request }) => [version, request['key']])).toEqual([
      [3, 'a'],
      [3, 'b'],
    ]);
  });

  it('of transactional ids are not asked for of brokers from before transactions', async () => {
    limitTo(scripted, 0);
    await expect(find('g')).resolves.toMatchObject({ nodeId: 1 });
    await expect(find('t', 'transaction')).rejects.toMatchObject({ code: 'UNSUPPORTED_VERSION' });
  });

  it('are looked up again once forgotten', async () => {
    const node = await find('g');
    cluster.forgetCoordinator('group', 'g');
    scripted.on('FindCoordinator', (received) => ({ coordinators: keysOf(received).map((key) => told(key, 2)) }));
    await expect(find('g')).resolves.toMatchObject({ nodeId: 2 });
    cluster.forgetCoordinator('group', 'g', node);
    await find('g');
    expect(scripted.requests('FindCoordinator')).toHaveLength(2);
  });

  it('that are not there yet are looked for until they are', async () => {
    let left = 2;
    scripted.on('FindCoordinator', (received) => ({
      coordinators: keysOf(received).map((key) => (left-- > 0 ? told(key, -1, 15) : told(key, 2))),
    }));
    const found = find('g');
    await scripted.clock.advance(1_000);
    await expect(found).resolves.toMatchObject({ nodeId: 2 });
    expect(scripted.requests('FindCoordinator')).toHaveLength(3);
  });

  it('without a node, or missing from the answer, are not there yet', async () => {
    const answers = [() => [told('g', -1)], () => [], () => [told('g', 1)]];
    scripted.on('FindCoordinator', () => ({ coordinators: answers.shift()!() }));
    const found = find('g');
    await scripted.clock.advance(1_000);
    await expect(found).resolves.toMatchObject({ nodeId: 1 });
  });

  it('that we may not know of are an error at once, naming the group', async () => {
    scripted.on('FindCoordinator', (received) => ({
      coordinators: keysOf(received).map((key) => (key === 'secret' ? told(key, -1, 30, 'not for you') : told(key, 1))),
    }));
    const [secret, open] = await Promise.allSettled([find('secret'), find('open')]);
    expect(open.status).toBe('fulfilled');
    expect((secret as PromiseRejectedResult).reason).toMatchObject({
      code: 'GROUP_AUTHORIZATION_FAILED',
      message: expect.stringContaining("group 'secret': not for you"),
    });
  });

  it('that never come are a timeout that says what was waited for', async () => {
    scripted.on('FindCoordinator', (received) => ({ coordinators: keysOf(received).map((key) => told(key, -1, 15)) }));
    const found = find('g', 'group', 500).catch((error: unknown) => error);
    await scripted.clock.advance(500);
    expect((await found) as Error).toMatchObject({
      code: 'TIMEOUT',
      message: expect.stringMatching(/testMs of 500 ms .* coordinator of group 'g'.*COORDINATOR_NOT_AVAILABLE/),
    });
  });

  it('become known brokers, so that a connection to them is at hand', async () => {
    await find('g');
    expect(cluster.metadata.brokers.get(1)?.address).toBe('b1:9092');
    await cluster.connection(1, 'coordination:me', { deadline: scripted.deadline() });
    expect(cluster.readyConnection(1, 'coordination:me')).toBeDefined();
  });

  it('are told with the address that metadata has by now', async () => {
    await find('g');
    scripted.start(1, 'moved', 9094);
    await cluster.refresh([]);
    await expect(find('g')).resolves.toMatchObject({ nodeId: 1, address: 'moved:9094' });
  });

  it('are sought where the brokers say they are, though metadata has them elsewhere', async () => {
    await cluster.refresh([]);
    expect(cluster.metadata.brokers.get(2)).toMatchObject({ address: 'b2:9092' });
    scripted.stop(2).start(2, 'moved', 9092);
    scripted.on('FindCoordinator', (request) => ({
      coordinators: keysOf(request).map((key) => ({ ...told(key, 2), host: 'moved' })),
    }));
    expect(await find('g')).toMatchObject({ nodeId: 2, address: 'moved:9092' });
    expect((await cluster.connection(2, 'data', { deadline: scripted.deadline() })).address).toBe('moved:9092');
    expect(scripted.requests('Metadata')).toHaveLength(1);
  });

  it('are all forgotten when another cluster answers', async () => {
    await cluster.refresh([]);
    await find('g');
    scripted.clusterId = 'another';
    await cluster.refresh([]);
    await find('g');
    expect(scripted.requests('FindCoordinator')).toHaveLength(2);
  });

  it('are not looked for by a closed cluster', async () => {
    scripted.on('FindCoordinator', () => undefined);
    const found = find('g');
    await settled();
    cluster.close();
    await expect(found).rejects.toMatchObject({ code: 'CLOSED' });
    await expect(find('g')).rejects.toMatchObject({ code: 'CLOSED' });
  });
});
