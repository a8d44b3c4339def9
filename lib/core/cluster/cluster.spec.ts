import { settled } from '../network/spec-support/fake-clock.js';
import type { Cluster } from './cluster.js';
import type { ClusterMetadata } from './cluster-metadata.js';
import { namesOf, ScriptedCluster, topicAnswer, type ReceivedAt } from './spec-support/scripted-cluster.js';

const ID = 'AAAAAAAAAAAAAAAAAAAAAQ';
const MAX_AGE_MS = 300_000;

const asked = (scripted: ScriptedCluster): (string[] | null)[] =>
  scripted.requests('Metadata').map(({ request }) => namesOf(request));
const failureOf = (promise: Promise<unknown>): Promise<Error & { code?: string; cause?: unknown }> =>
  promise.then(
    () => Promise.reject(new Error('it succeeded')),
    (error: unknown) => error as Error,
  );

describe('making a cluster', () => {
  it('does no I/O and sets no timer', async () => {
    const scripted = new ScriptedCluster();
    const cluster = scripted.cluster();
    await settled();
    expect(scripted.dialer.dials).toEqual([]);
    expect(scripted.clock.timersSet).toBe(0);
    expect(cluster.metadata.brokers.size).toBe(0);
  });

  it('refuses bootstrap addresses that are none', () => {
    expect(() => new ScriptedCluster().cluster({ brokers: ['http://a'] })).toThrow('without a scheme');
  });
});

describe('a topic', () => {
  it('is asked for once by all who want it, and then known', async () => {
    const scripted = new ScriptedCluster().topic('t', [[1, 0]]);
    const cluster = scripted.cluster();
    const deadline = scripted.deadline();
    expect(cluster.cachedTopic('t')).toBeUndefined();
    const [one, two] = await Promise.all([cluster.topic('t', deadline), cluster.topic('t', deadline)]);
    expect(one).toBe(two);
    expect(cluster.cachedTopic('t')).toBe(one);
    await cluster.topic('t', deadline);
    expect(asked(scripted)).toEqual([['t']]);
  });

  it('that does not exist yet is waited for', async () => {
    const scripted = new ScriptedCluster();
    const cluster = scripted.cluster();
    const topic = cluster.topic('t', scripted.deadline());
    await scripted.clock.advance(300);
    scripted.topic('t', [[1, 0]]);
    await scripted.clock.advance(1_000);
    await expect(topic).resolves.toMatchObject({ name: 't' });
  });

  it('without partitions is not there yet; a partition without leader is', async () => {
    const scripted = new ScriptedCluster().topic('t', []);
    const cluster = scripted.cluster();
    const topic = cluster.topic('t', scripted.deadline());
    await scripted.clock.advance(300);
    scripted.topic('t', [[-1, 0]]);
    await scripted.clock.advance(1_000);
    expect((await topic).partitions[0]?.leader).toBe(-1);
  });

  it('that never comes is UNKNOWN_TOPIC_OR_PARTITION when the deadline passes, by its name and not before', async () => {
    const scripted = new ScriptedCluster();
    const failure = failureOf(scripted.cluster().topic('typo', scripted.deadline(5_000)));
    let done = false;
    void failure.then(() => (done = true));
    await scripted.clock.advance(4_999);
    expect(done).toBe(false);
    await scripted.clock.advance(1);
    expect(await failure).toMatchObject({
      name: 'KrafkaProtocolError',
      code: 'UNKNOWN_TOPIC_OR_PARTITION',
      topic: 'typo',
      message: expect.stringContaining('testMs of 5000 ms'),
    });
  });

  it('of nobody is not asked for any more', async () => {
    const scripted = new ScriptedCluster();
    const failure = failureOf(scripted.cluster().topic('typo', scripted.deadline(1_000)));
    await scripted.clock.advance(1_000);
    await failure;
    const before = asked(scripted).length;
    await scripted.clock.advance(60_000);
    expect(asked(scripted)).toHaveLength(before);
  });

  it.each(['TOPIC_AUTHORIZATION_FAILED', 'INVALID_TOPIC_EXCEPTION'] as const)(
    'fails at once with %s',
    async (error) => {
      const scripted = new ScriptedCluster().topic('t', [], { error });
      expect(await failureOf(scripted.cluster().topic('t', scripted.deadline()))).toMatchObject({
        code: error,
        topic: 't',
      });
    },
  );

  it('is not created by asking, unless that is allowed; and then no other topic is', async () => {
    const scripted = new ScriptedCluster().topic('known', [[1, 0]]);
    const cluster = scripted.cluster({ allowAutoTopicCreation: true });
    await cluster.topic('known', scripted.deadline());
    scripted.topics.delete('known');
    const missing = cluster.topic('new', scripted.deadline());
    await settled();
    void cluster.refresh();
    await scripted.clock.advance(200);
    scripted.topic('new', [[1, 0]]);
    await scripted.clock.advance(500);
    await missing;
    const creating = scripted.requests('Metadata').filter(({ request }) => request['allowAutoTopicCreation'] === true);
    expect(creating.length).toBeGreaterThan(0);
    for (const { request } of creating) expect(namesOf(request)).toEqual(['new']);

    const careful = new ScriptedCluster();
    const failure = failureOf(careful.cluster().topic('new', careful.deadline(500)));
    await careful.clock.advance(500);
    await failure;
    expect(careful.requests('Metadata').some(({ request }) => request['allowAutoTopicCreation'] === true)).toBe(false);
  });

  it('that is idle for a whole period is forgotten, one that is used never, and fetched again on a miss', async () => {
    const scripted = new ScriptedCluster().topic('busy', [[1, 0]]).topic('idle', [[1, 0]]);
    const cluster = scripted.cluster();
    await cluster.topic('busy', scripted.deadline());
    await cluster.topic('idle', scripted.deadline());
    for (let period = 0; period < 3; period++) {
      cluster.cachedTopic('busy');
      await scripted.clock.advance(MAX_AGE_MS);
    }
    expect(cluster.cachedTopic('idle')).toBeUndefined();
    expect([...cluster.metadata.topics.keys()]).toEqual(['busy']);
    expect(asked(scripted).slice(2)).toEqual([['busy', 'idle'], ['busy'], ['busy']]);
    await expect(cluster.topic('idle', scripted.deadline())).resolves.toMatchObject({ name: 'idle' });
  });

  it('is kept for as long as somebody names it as used, though it is never asked for', async () => {
    const scripted = new ScriptedCluster().topic('t', [[1, 0]]);
    const cluster = scripted.cluster();
    await cluster.topic('t', scripted.deadline());
    const untrack = cluster.trackUse(() => ['t']);
    await scripted.clock.advance(4 * MAX_AGE_MS);
    expect(cluster.metadata.topics.has('t')).toBe(true);
    expect(asked(scripted)).toHaveLength(5);
    untrack();
    await scripted.clock.advance(2 * MAX_AGE_MS);
    expect(cluster.metadata.topics.has('t')).toBe(false);
  });

  it('that was found when nobody waited for it any more is kept fresh, and forgotten, like any other', async () => {
    const scripted = new ScriptedCluster().topic('t', [[1, 0]]);
    const silent: ReceivedAt[] = [];
    const cluster = scripted.cluster();
    scripted.on('Metadata', (received) => void silent.push(received));
    const failure = failureOf(cluster.topic('t', scripted.deadline(100)));
    await scripted.clock.advance(100);
    await failure;
    for (const received of silent) scripted.answer(received, { throttleTimeMs: 0, ...scripted.metadata(['t']) });
    scripted.on('Metadata', undefined);
    await settled();
    expect(cluster.metadata.topics.has('t')).toBe(true);
    await scripted.clock.advance(2 * MAX_AGE_MS);
    expect(cluster.metadata.topics.has('t')).toBe(false);
  });

  it('that is tracked is never forgotten, and is noticed when it comes into being', async () => {
    const scripted = new ScriptedCluster();
    const cluster = scripted.cluster();
    const release = cluster.track(['t']);
    await scripted.clock.advance(2 * MAX_AGE_MS);
    scripted.topic('t', [[1, 0]]);
    await scripted.clock.advance(MAX_AGE_MS);
    expect(cluster.metadata.topics.has('t')).toBe(true);
    release();
    await scripted.clock.advance(3 * MAX_AGE_MS);
    expect(cluster.metadata.topics.has('t')).toBe(false);
  });
});

describe('an idle cluster', () => {
  it('has no timers left once nothing is used any more', async () => {
    const scripted = new ScriptedCluster().topic('t', [[1, 0]]);
    const pool = scripted.pool({ idleTimeoutMs: 0 });
    const cluster = scripted.cluster({ pool });
    await cluster.topic('t', scripted.deadline());
    await scripted.clock.advance(3 * MAX_AGE_MS);
    const before = scripted.received.length;
    expect(scripted.clock.timersWaiting).toBe(0);
    await scripted.clock.advance(10 * MAX_AGE_MS);
    expect(scripted.received).toHaveLength(before);
  });
});

describe('metadata', () => {
  it('tells of each change once', async () => {
    const scripted = new ScriptedCluster().topic('t', [[1, 0]], { id: ID });
    const cluster = scripted.cluster();
    const seen: ClusterMetadata[] = [];
    cluster.events.on('metadata', (metadata) => void seen.push(metadata));
    await cluster.refresh(['t']);
    await cluster.refresh(['t']);
    expect(seen).toEqual([cluster.metadata]);
    scripted.topic('t', [[1, 1]], { id: ID });
    await cluster.refresh();
    expect(seen).toHaveLength(2);
    expect(asked(scripted)).toEqual([['t'], ['t'], ['t']]);
  });

  it('that is suspected by many is refreshed once', async () => {
    const scripted = new ScriptedCluster().topic('t', [[1, 0]]).topic('u', [[1, 0]]);
    const cluster = scripted.cluster();
    await cluster.refresh(['t', 'u']);
    for (let index = 0; index < 100; index++) cluster.suspect('t', index);
    cluster.suspect('u');
    await scripted.clock.advance(1_000);
    expect(asked(scripted).slice(1)).toEqual([['t', 'u']]);
  });

  it('takes leaders that are news at once, and asks of those it can not place', async () => {
    const scripted = new ScriptedCluster(2).topic('t', [[1, 0]], { id: ID });
    const cluster = scripted.cluster();
    await cluster.refresh(['t']);
    cluster.leaderMoved({ topic: 't', partition: 0, leaderId: 2, leaderEpoch: 1 });
    expect(cluster.metadata.leaderOf('t', 0)?.nodeId).toBe(2);
    await scripted.clock.advance(1_000);
    expect(asked(scripted)).toHaveLength(1);
    cluster.leaderMoved({ topic: 't', partition: 0, leaderId: 3, leaderEpoch: 2 });
    expect(cluster.metadata.leaderOf('t', 0)?.nodeId).toBe(2);
    await scripted.clock.advance(1_000);
    expect(asked(scripted)).toHaveLength(2);
  });

  it('from a broker that knows no brokers is not taken over', async () => {
    const scripted = new ScriptedCluster().topic('t', [[1, 0]]);
    const cluster = scripted.cluster();
    await cluster.refresh(['t']);
    scripted.on('Metadata', () => ({ ...scripted.metadata(['t']), brokers: [] }));
    await expect(cluster.refresh(['t'])).rejects.toThrow('knows no broker');
    expect(cluster.metadata.brokers.size).toBe(1);
  });

  it('can be looked at without being kept, but for the brokers it tells of', async () => {
    const scripted = new ScriptedCluster(2).topic('t', [[2, 0]]).topic('u', [[1, 0]]);
    const cluster = scripted.cluster();
    const { metadata, problems } = await cluster.look(['t', 'nope']);
    expect(metadata.leaderOf('t', 0)?.nodeId).toBe(2);
    expect([...problems.keys()]).toEqual(['nope']);
    expect(cluster.metadata.topics.size).toBe(0);
    expect(cluster.metadata.brokers.size).toBe(2);
    expect([...(await cluster.look('all')).metadata.topics.keys()].toSorted()).toEqual(['t', 'u']);
    expect(scripted.requests('Metadata').some(({ request }) => request['allowAutoTopicCreation'] === true)).toBe(false);
  });

  it('can be asked for by id, and is kept then', async () => {
    const id = Buffer.from('t'.repeat(16)).toString('base64url');
    const gone = Buffer.from('g'.repeat(16)).toString('base64url');
    const scripted = new ScriptedCluster(2).topic('t', [[2, 0]], { id });
    const cluster = scripted.cluster();
    scripted.on('Metadata', () => ({
      ...scripted.metadata(['t']),
      topics: [
        ...scripted.metadata(['t']).topics,
        { ...topicAnswer('', [], { id: gone, error: 'UNKNOWN_TOPIC_ID' }), name: null },
      ],
    }));
    const metadata = await cluster.refreshById([id, gone]);
    expect(scripted.requests('Metadata')[0]?.request).toMatchObject({
      topics: [
        { topicId: id, name: null },
        { topicId: gone, name: null },
      ],
      allowAutoTopicCreation: false,
    });
    expect(metadata.topicNameOf(id)).toBe('t');
    expect(metadata.topicNameOf(gone)).toBeUndefined();
    expect(cluster.cachedTopic('t')?.partitions).toHaveLength(1);
  });

  it('is waited for by each caller as long as it has time, without cutting the request short', async () => {
    const scripted = new ScriptedCluster().on('Metadata', () => undefined);
    const cluster = scripted.cluster();
    const failure = failureOf(cluster.refresh([], { deadline: scripted.deadline(1_000) }));
    await scripted.clock.advance(1_000);
    expect((await failure).message).toContain('testMs of 1000 ms passed while waiting for metadata from b1:9092');
    expect(scripted.dialer.peers.every(({ destroyed }) => !destroyed)).toBe(true);
  });
});

describe('finding a broker that answers', () => {
  it('tries bootstrap addresses in turn', async () => {
    const scripted = new ScriptedCluster();
    const cluster = scripted.cluster({ brokers: ['gone:1', 'b1:9092', 'gone:2'] });
    await cluster.refresh([]);
    expect(scripted.dialer.dials.at(-1)).toBe('b1:9092');
  });

  it('asks the next one when a broker accepts connections and says nothing', async () => {
    const scripted = new ScriptedCluster(2);
    scripted.on('Metadata', ({ nodeId }) => (nodeId === 1 ? undefined : scripted.metadata([])));
    const cluster = scripted.cluster({ brokers: ['b1:9092', 'b2:9092'] });
    const refreshed = cluster.refresh([]);
    await scripted.clock.advance(2_000);
    await expect(refreshed).resolves.toMatchObject({ clusterId: 'scripted' });
  });

  it('forgets the addresses of brokers that left, but not those it was given; one that comes back counts again', async () => {
    const scripted = new ScriptedCluster(2).start(3, 'b3', 9092);
    const pool = scripted.pool();
    const cluster = scripted.cluster({ brokers: ['b1:9092', 'b2:9092'], pool });
    await cluster.refresh([]);
    const wait = { deadline: scripted.deadline() };
    for (const nodeId of [1, 2, 3]) await cluster.connection(nodeId, 'data', wait);
    scripted.stop(2, true).stop(3, true);
    await cluster.refresh([]);
    // Dials that were under way fail.
    await scripted.clock.advance(1_000);
    expect(pool.health()).toEqual(
      new Map([
        ['b1:9092', { usable: 1, total: 1 }],
        ['b2:9092', { usable: 0, total: 1 }],
      ]),
    );
    scripted.start(3, 'b3', 9092);
    await cluster.refresh([]);
    await cluster.connection(3, 'data', wait);
    scripted.stop(3);
    expect(pool.health().get('b3:9092')).toEqual({ usable: 0, total: 1 });
  });

  it('starts over at the bootstrap addresses when no known broker is left', async () => {
    const scripted = new ScriptedCluster(1).start(2, 'old', 9092);
    const cluster = scripted.cluster({ brokers: ['b1:9092'] });
    scripted.stop(1, true);
    scripted.dialer.listen('b1:9092', scripted.brokers.get(1)!.serve);
    await cluster.refresh([]);
    expect([...cluster.metadata.brokers.values()].map(({ address }) => address)).toEqual(['old:9092']);
    scripted.stop(2, true).start(3, 'new', 9092);
    await cluster.refresh([]);
    expect([...cluster.metadata.brokers.values()].map(({ address }) => address)).toEqual(['new:9092']);
  });

  it.each<[string, (cluster: Cluster) => Promise<unknown>]>([
    ['refreshed', (cluster) => cluster.refresh([])],
    ['looked at', (cluster) => cluster.look('all')],
    ['asked for by id', (cluster) => cluster.refreshById([])],
  ])('starts over at the bootstrap addresses when a broker asks for it, %s', async (_how, ask) => {
    const scripted = new ScriptedCluster(1).start(2, 'retired', 9092);
    const cluster = scripted.cluster({ brokers: ['b1:9092'] });
    await cluster.refresh([]);
    scripted.stop(1);
    scripted.dialer.listen('b1:9092', scripted.brokers.get(1)!.serve);
    await cluster.connection(2, 'data', { deadline: scripted.deadline() });
    scripted.received.length = 0;
    scripted.on('Metadata', ({ nodeId }) => ({ ...scripted.metadata([]), errorCode: nodeId === 2 ? 129 : 0 }));
    const asking = ask(cluster);
    asking.catch(() => undefined);
    await scripted.clock.advance(100);
    await asking;
    expect(scripted.requests('Metadata').map(({ nodeId }) => nodeId)).toEqual([2, 1]);
    expect(scripted.logged.some(({ message }) => message.includes('start over'))).toBe(true);
    // What it was told there counts again.
    scripted.on('Metadata', undefined).stop(1);
    await cluster.refresh([]);
    expect(scripted.requests('Metadata').map(({ nodeId }) => nodeId)).toEqual([2, 1, 2]);
  });

  it('prefers brokers it is connected to', async () => {
    const scripted = new ScriptedCluster(3);
    const cluster = scripted.cluster();
    await cluster.refresh([]);
    const dials = scripted.dialer.dials.length;
    for (let tries = 0; tries < 5; tries++) await cluster.anyConnection({ deadline: scripted.deadline() });
    expect(scripted.dialer.dials).toHaveLength(dials);
  });

  it('fails, when nobody answers, naming every address and the last failure, and may be tried again', async () => {
    const scripted = new ScriptedCluster(0);
    const cluster = scripted.cluster({ brokers: ['a:1', 'b:2'] });
    const error = await failureOf(cluster.refresh([]));
    expect(error).toMatchObject({ name: 'KrafkaConnectionError', retriable: true });
    expect(error.message).toMatch(/a:1/);
    expect(error.message).toMatch(/b:2/);
    expect(error.message).toMatch(/refused/);
    expect(error.cause).toMatchObject({ name: 'KrafkaConnectionError' });
  });

  it('tells all that in the timeout of whoever waits, too', async () => {
    const scripted = new ScriptedCluster(0);
    const cluster = scripted.cluster({ brokers: ['a:1', 'b:2'] });
    const failure = failureOf(cluster.topic('t', scripted.deadline(3_000)));
    await scripted.clock.advance(3_000);
    const error = await failure;
    expect(error.name).toBe('KrafkaTimeoutError');
    expect(error.message).toMatch(/metadata of topic 't' from a:1, b:2.*refused/);
  });

  it('fails at once when a broker refuses who we are', async () => {
    const scripted = new ScriptedCluster().on('SaslHandshake', () => ({ errorCode: 0, mechanisms: ['PLAIN'] }));
    scripted.on('SaslAuthenticate', () => ({ errorCode: 58, errorMessage: 'no', authBytes: Buffer.alloc(0) }));
    const pool = scripted.pool({ sasl: { mechanism: 'plain', username: 'u', password: 'hunter2' } });
    const cluster = scripted.cluster({ pool, brokers: ['b1:9092', 'b2:9092'] });
    const error = await failureOf(cluster.topic('t', scripted.deadline(60_000)));
    expect(error.name).toBe('KrafkaAuthenticationError');
    expect(error.message).not.toContain('hunter2');
  });

  it('fails at once when the only address does not speak Kafka', async () => {
    const scripted = new ScriptedCluster(0);
    scripted.dialer.listen('web:80', (peer) => {
      peer.onWrite = () => queueMicrotask(() => peer.send(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')));
    });
    const error = await failureOf(scripted.cluster({ brokers: ['web:80'] }).topic('t', scripted.deadline(60_000)));
    expect(error).toMatchObject({ name: 'KrafkaConnectionError', retriable: false, address: 'web:80' });
  });
});

describe('a connection', () => {
  it('to a known broker is at hand synchronously once it is ready', async () => {
    const scripted = new ScriptedCluster();
    const cluster = scripted.cluster();
    expect(cluster.readyConnection(1, 'data')).toBeUndefined();
    await cluster.refresh([]);
    const connection = await cluster.connection(1, 'data', { deadline: scripted.deadline() });
    expect(cluster.readyConnection(1, 'data')).toBe(connection);
    expect(cluster.readyConnection(1, 'fetch:x')).toBeUndefined();
  });

  it('to a broker that is not known fails retriably, and lets metadata be refreshed', async () => {
    const scripted = new ScriptedCluster(1);
    const cluster = scripted.cluster();
    expect(await failureOf(cluster.connection(7, 'data', { deadline: scripted.deadline() }))).toMatchObject({
      name: 'KrafkaConnectionError',
      retriable: true,
      message: expect.stringContaining('broker 7'),
    });
    await scripted.clock.advance(100);
    expect(asked(scripted)).toEqual([[]]);
  });

  it('that fails lets metadata be refreshed: the leader may be another by now', async () => {
    const scripted = new ScriptedCluster(2).topic('t', [[2, 0]], { id: ID });
    const cluster = scripted.cluster();
    await cluster.refresh(['t']);
    scripted.stop(2).topic('t', [[1, 1]], { id: ID });
    await failureOf(cluster.connection(2, 'data', { deadline: scripted.deadline() }));
    await scripted.clock.advance(1_000);
    expect(cluster.metadata.leaderOf('t', 0)?.nodeId).toBe(1);
  });

  it('to the controller goes where metadata says, and to any broker when it says nobody', async () => {
    const scripted = new ScriptedCluster(2);
    scripted.controllerId = 2;
    const cluster = scripted.cluster();
    await expect(cluster.controller({ deadline: scripted.deadline() })).resolves.toMatchObject({ address: 'b2:9092' });
    scripted.controllerId = -1;
    await cluster.refresh([]);
    await expect(cluster.controller({ deadline: scripted.deadline() })).resolves.toMatchObject({ usable: true });
  });

  it('tells the features of the cluster', async () => {
    const scripted = new ScriptedCluster();
    const features = await scripted.cluster().features({ deadline: scripted.deadline() });
    expect(features.get('transaction.version')).toBe(2);
  });
});

describe('a closed cluster', () => {
  it('ends what waits, refuses what comes, leaves no timer, and does not close the pool', async () => {
    const scripted = new ScriptedCluster().topic('t', [[1, 0]]);
    const pool = scripted.pool({ idleTimeoutMs: 0 });
    const cluster = scripted.cluster({ pool });
    await cluster.topic('t', scripted.deadline());
    const waiting = failureOf(cluster.topic('never', scripted.deadline()));
    await scripted.clock.advance(150);
    cluster.suspect('t');
    cluster.close();
    cluster.close();
    // A connection keeps the alarm of its last request; metadata would come of age much later.
    await scripted.clock.advance(31_000);
    expect(scripted.clock.timersWaiting).toBe(0);
    expect(await waiting).toMatchObject({ code: 'CLOSED' });
    await expect(cluster.topic('t', scripted.deadline())).rejects.toMatchObject({ code: 'CLOSED' });
    await expect(cluster.refresh([])).rejects.toMatchObject({ code: 'CLOSED' });
    await expect(cluster.connection(1, 'data', { deadline: scripted.deadline() })).rejects.toMatchObject({
      code: 'CLOSED',
    });
    expect(pool.ready('b1:9092')?.usable).toBe(true);
    const before = scripted.received.length;
    await scripted.clock.advance(MAX_AGE_MS);
    expect(scripted.received).toHaveLength(before);
  });
});
