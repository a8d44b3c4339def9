import { namesOf, ScriptedCluster } from '../cluster/spec-support/scripted-cluster.js';
import { settled } from '../network/spec-support/fake-clock.js';
import { Admin } from './admin.js';
import { failureOf, setUp } from './spec-support/scripted-admin.js';

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
});
