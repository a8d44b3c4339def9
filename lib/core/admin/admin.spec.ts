import { namesOf, ScriptedCluster } from '../cluster/spec-support/scripted-cluster.js';
import { settled } from '../network/spec-support/fake-clock.js';
import { Admin } from './admin.js';
import { failureOf, setUp } from './spec-support/scripted-admin.js';

/** As jsdom and the polyfills have it. */
class ForeignSignal extends EventTarget implements AbortSignal {
  aborted = false;
  reason: unknown = undefined;
  onabort = null;

  throwIfAborted(): void {
    if (this.aborted) throw this.reason as Error;
  }

  abort(reason: Error): void {
    this.aborted = true;
    this.reason = reason;
    this.dispatchEvent(new Event('abort'));
  }
}

describe('an admin call', () => {
  it('ends with its budget even when no broker says anything, leaving connections alone', async () => {
    const { scripted, admin } = setUp();
    scripted.on('Metadata', () => undefined);
    const failure = failureOf(admin.listTopics({ timeoutMs: 1_000 }));
    await scripted.clock.advance(1_000);
    expect(await failure).toMatchObject({ code: 'TIMEOUT', message: expect.stringContaining('timeoutMs of 1000 ms') });
    expect(scripted.dialer.peers.some(({ destroyed }) => destroyed)).toBe(false);
  });

  it('says, when its budget is over, what went wrong', async () => {
    const scripted = new ScriptedCluster(0);
    const admin = new Admin(scripted.cluster({ brokers: ['gone:1'] }), { timeoutMs: 3_000 }, scripted.ports);
    const failure = failureOf(admin.describeCluster());
    await scripted.clock.advance(3_000);
    expect((await failure).message).toMatch(
      /timeoutMs of 3000 ms passed while waiting for the brokers of the cluster.*gone:1.*refused/,
    );
  });

  it('ends when its signal aborts', async () => {
    const { scripted, admin } = setUp();
    scripted.on('Metadata', () => undefined);
    const abort = new AbortController();
    const failure = failureOf(admin.listTopics({ signal: abort.signal }));
    await settled();
    const reason = new Error('enough');
    abort.abort(reason);
    expect(await failure).toBe(reason);
  });

  it.each(['before the call', 'during it'])('hears a signal of another library that aborts %s', async (when) => {
    const { scripted, admin } = setUp();
    scripted.on('Metadata', () => undefined);
    const foreign = new ForeignSignal();
    const reason = new Error('enough');
    if (when === 'before the call') foreign.abort(reason);
    const failure = failureOf(admin.listTopics({ signal: foreign }));
    await settled();
    foreign.abort(reason);
    expect(await failure).toBe(reason);
    expect(await failureOf(admin.listTopics({ signal: foreign }))).toBe(reason);
    expect(await failureOf(admin.listTopics({ signal: { aborted: false } as AbortSignal }))).toMatchObject({
      option: 'options.signal',
    });
  });

  it('ends when the admin is closed, and none begins afterwards', async () => {
    const { scripted, admin } = setUp();
    scripted.on('Metadata', () => undefined);
    const failure = failureOf(admin.listTopics());
    await settled();
    await admin.close();
    await admin.close();
    expect(await failure).toMatchObject({ code: 'CLOSED' });
    expect(await failureOf(admin.listTopics())).toMatchObject({ code: 'CLOSED' });
  });

  it('goes to brokers with the names it was given', async () => {
    const { scripted, admin } = setUp();
    scripted.topic('a', [[1, 0]]);
    await admin.describeTopics(['a']);
    expect(namesOf(scripted.requests('Metadata')[0]!.request)).toEqual(['a']);
  });

  it('never stands in the way of records: its requests have a connection of their own', async () => {
    const { scripted, cluster, admin } = setUp();
    scripted.topic('t', [[1, 0]]);
    scripted.on('DeleteRecords', ({ request }) => ({
      topics: (request['topics'] as { name: string; partitions: { partitionIndex: number }[] }[]).map((topic) => ({
        ...topic,
        partitions: topic.partitions.map((partition) => ({ ...partition, lowWatermark: 0, errorCode: 0 })),
      })),
    }));
    await admin.deleteRecords([{ topic: 't', partition: 0, offset: 0 }]);
    const [metadata] = scripted.requests('Metadata');
    const [request] = scripted.requests('DeleteRecords');
    expect(request!.peer).not.toBe(metadata!.peer);
    expect(cluster.pool.ready('b1:9092')).toBeDefined();
  });

  it('lets what it changed be seen by those who use the topic', async () => {
    const { scripted, cluster, admin } = setUp();
    scripted.topic('t', [[1, 0]]);
    await cluster.topic('t', scripted.deadline());
    scripted.on('CreatePartitions', () => {
      scripted.topic('t', [
        [1, 0],
        [1, 0],
      ]);
      return { results: [{ name: 't', errorCode: 0 }] };
    });
    await admin.createPartitions([{ topic: 't', count: 2 }]);
    await scripted.clock.advance(1_000);
    expect(cluster.cachedTopic('t')?.partitions).toHaveLength(2);
  });
});
