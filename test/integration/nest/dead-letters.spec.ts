import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import {
  EventPattern,
  KrafkaDeadLetters,
  KrafkaServer,
  OnFailure,
  RecordHeaders,
  RecordKey,
} from '../../../lib/index.js';
import { checkModuleOptions } from '../../../lib/nest/options.js';
import { SharedKrafka } from '../../../lib/nest/shared-krafka.js';
import { NestApps, until } from '../../support/nest-apps.js';
import { SkippingClock } from '../../support/skipping-clock.js';
import { openTestCluster, type TestCluster } from '../../support/test-cluster.js';

let cluster: TestCluster;
let apps: NestApps;

beforeAll(async () => {
  cluster = await openTestCluster();
});

beforeEach(() => {
  apps = new NestApps(cluster);
});

afterEach(() => apps.close());

afterAll(() => cluster.close());

/** A service whose handler fails with numbers until it is mended, and five of its letters. */
async function aServiceWithLetters() {
  const topic = await cluster.newTopic(2);
  const done: unknown[] = [];
  const state = { mended: false };

  class Closed extends Error {}

  @Controller()
  class Orders {
    @EventPattern(topic)
    @OnFailure({ retries: 0 })
    placed(@Payload() payload: unknown, @RecordKey() key: unknown, @RecordHeaders() headers: unknown): void {
      if (!state.mended) throw new Closed(`not ${String(payload)}`);
      done.push({ payload, key, headers });
    }
  }
  const app = await apps.service({ controllers: [Orders] });
  const messages = [0, 1, 2, 3, 4].map((n) => ({
    key: `k${n}`,
    value: `v${n}`,
    headers: { n: String(n) },
    partition: n % 2,
  }));
  await apps.emit(topic, ...messages);
  await until('the dead letters', () => app.get(KrafkaServer).deliveryCounts().deadLetters === 5);
  return { topic, done, state, app, deadLetters: app.get(KrafkaDeadLetters) };
}

describe('Dead letters', () => {
  it('are listed with what they say of themselves, so many at a time', async () => {
    const { topic, deadLetters } = await aServiceWithLetters();
    const first = await deadLetters.list(topic, { limit: 2 });
    const second = await deadLetters.list(`${topic}-dlt`, { from: first.next });
    expect({ first: first.done, second: second.done }).toEqual({ first: false, second: true });
    const letters = [...first.letters, ...second.letters];
    expect(letters.map(({ payload }) => String(payload)).toSorted()).toEqual(['v0', 'v1', 'v2', 'v3', 'v4']);
    expect(letters.find(({ payload }) => payload === 'v3')).toMatchObject({
      topic: `${topic}-dlt`,
      partition: 1,
      original: { topic, partition: 1, offset: 1 },
      error: { name: 'Closed', message: 'not v3' },
    });
    expect(await deadLetters.list(topic, { from: second.next })).toEqual({
      letters: [],
      next: second.next,
      done: true,
    });
  });

  it('are replayed as the records they were, no more than are asked for, and go on where they left off', async () => {
    const { topic, deadLetters, state, done } = await aServiceWithLetters();
    state.mended = true;
    const first = await deadLetters.replay(topic, { limit: 3, filter: ({ payload }) => payload !== 'v2' });
    expect(first).toMatchObject({ done: false, failure: undefined });
    expect(first.replayed + first.skipped).toBe(3);
    const second = await deadLetters.replay(topic, { from: first.next, filter: ({ payload }) => payload !== 'v2' });
    expect(second).toMatchObject({ done: true, failure: undefined });
    expect(first.replayed + second.replayed).toBe(4);
    expect(first.skipped + second.skipped).toBe(1);
    await until('all that were replayed', () => done.length === 4);
    expect(done).toContainEqual({ payload: 'v3', key: 'k3', headers: { n: '3' } });
    expect(await deadLetters.replay(topic, { from: second.next })).toMatchObject({ replayed: 0, done: true });
  });

  it('that fail again do not go round', async () => {
    const { topic, deadLetters, app } = await aServiceWithLetters();
    const report = await deadLetters.replay(topic);
    expect(report).toMatchObject({ replayed: 5, done: true });
    await until('their return', () => app.get(KrafkaServer).deliveryCounts().deadLetters === 10);
    expect((await deadLetters.list(topic, { from: report.next })).letters).toHaveLength(5);
  });

  it('stay where they are when they can not be written, and the report says why and where to go on', async () => {
    const { topic, deadLetters } = await aServiceWithLetters();
    const report = await deadLetters.replay(topic, { to: cluster.name('nowhere') });
    expect(report).toMatchObject({ replayed: 0, done: false, next: { 0: 0, 1: 0 } });
    expect(report.failure).toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION' });
  });

  it.each([
    ['time is up', 'TIMEOUT', (clock: SkippingClock) => clock.skip(10_000)],
    [
      'the filter fails',
      'REPLAY_FAILED',
      () => {
        throw new Error('a bug');
      },
    ],
  ])('that were replayed before %s are in the report, which says why it ended', async (_what, code, interrupt) => {
    const { topic, state, done } = await aServiceWithLetters();
    state.mended = true;
    const clock = new SkippingClock();
    const shared = new SharedKrafka(checkModuleOptions(apps.options()), undefined, { clock });
    const deadLetters = new KrafkaDeadLetters(apps.add(shared));
    let looked = 0;
    const filter = (): boolean => {
      if (++looked === 3) interrupt(clock);
      return true;
    };
    const first = await deadLetters.replay(topic, { filter, timeoutMs: 10_000 });
    expect(first).toMatchObject({ done: false, failure: { code } });
    expect(first.replayed).toBeGreaterThan(0);
    const second = await deadLetters.replay(topic, { from: first.next });
    expect(second).toMatchObject({ done: true, failure: undefined });
    expect(first.replayed + second.replayed).toBe(5);
    await until('each of them', () => done.length === 5);
  });

  it('of a topic that has none are an error by name', async () => {
    const { app } = await aServiceWithLetters();
    await expect(app.get(KrafkaDeadLetters).list(cluster.name('none'))).rejects.toMatchObject({
      code: 'UNKNOWN_TOPIC_OR_PARTITION',
    });
    await expect(app.get(KrafkaDeadLetters).list('any', { limit: 0 })).rejects.toThrow("Option 'limit' must be");
  });
});
