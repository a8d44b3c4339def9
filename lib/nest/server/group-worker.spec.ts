import { KrafkaHandlerError } from '../../core/consumer/index.js';
import {
  Deferred,
  KrafkaConnectionError,
  KrafkaError,
  KrafkaFencedError,
  seededRandom,
} from '../../core/support/index.js';
import type { SharedKrafka } from '../shared-krafka.js';
import { KeepingLogger } from '../spec-support/delivery.js';
import { HandClock, turns } from '../spec-support/hand-clock.js';
import { HandConsumer } from '../spec-support/hand-consumer.js';
import { aRecord } from '../spec-support/records.js';
import type { TopicPattern } from '../topic-name.js';
import { GroupWorker } from './group-worker.js';

function setUp(patterns: readonly TopicPattern[], existing: string[]) {
  const clock = new HandClock();
  const logger = new KeepingLogger();
  const consumers: HandConsumer[] = [];
  const handled: string[] = [];
  const told: string[] = [];
  const failures: Error[] = [];
  let refusal: Error | undefined;
  let answered = Promise.resolve();
  let joined = Promise.resolve();
  const look = async () => {
    await answered;
    const failure = failures.shift();
    if (failure !== undefined) throw failure;
  };
  const shared = {
    ports: { clock, logger, random: seededRandom(1) },
    topics: {
      existing: async (names: readonly string[]) => {
        await look();
        return new Set(existing.filter((topic) => names.includes(topic)));
      },
      names: async () => {
        await look();
        return existing;
      },
    },
    consumer: (options: ConstructorParameters<typeof HandConsumer>[0]) => {
      const consumer = new HandConsumer(options, refusal, joined);
      consumers.push(consumer);
      return consumer.consumer;
    },
  } as unknown as SharedKrafka;
  const worker = new GroupWorker({
    groupId: 'orders',
    patterns,
    options: { fetchMinBytes: 5 },
    shared,
    onCrash: { restarts: 3, backoffMs: 1_000, maxBackoffMs: 4_000, then: 'stay' },
    run: () => ({ eachRecord: (record) => void handled.push(record.topic) }),
    events: {
      state: (state) => told.push(state),
      fatal: (error) => told.push(error.code),
      restarted: () => told.push('restarted'),
    },
  });
  return {
    worker,
    clock,
    logger,
    consumers,
    handled,
    told,
    existing,
    failures,
    refuseStart: (error: Error) => (refusal = error),
    /** Whoever looks for topics from here on is answered when the door opens. */
    lookBehind: (door: Promise<void>) => (answered = door),
    /** Consumers that are made from here on have their partitions when the door opens. */
    joinBehind: (door: Promise<void>) => (joined = door),
  };
}

describe('A group of handlers', () => {
  it('is ready when its consumer has its partitions, with the options it was given', async () => {
    const { worker, consumers, handled, clock } = setUp(['b', 'a'], ['a', 'b', 'c']);
    await worker.start();
    expect(consumers[0]?.options).toEqual({ fetchMinBytes: 5, groupId: 'orders', topics: ['a', 'b'] });
    expect(worker.health).toEqual({
      state: 'stable',
      partitions: 0,
      lag: undefined,
      atWork: [],
      stuck: [],
      missingTopics: [],
      error: undefined,
    });
    void consumers[0]?.hand(aRecord({ topic: 'a' }));
    expect(handled).toEqual(['a']);
    expect(clock.waits).toEqual([]);
  });

  it('does not wait for a topic that is missing, warns of it, and reads it when it is there', async () => {
    const { worker, consumers, clock, logger, existing } = setUp(['a', 'late'], ['a']);
    await worker.start();
    expect(consumers[0]?.options.topics).toEqual(['a']);
    expect(worker.health.missingTopics).toEqual(['late']);
    expect(logger.lines).toEqual([expect.stringContaining("warn handlers wait for topics that don't exist")]);
    await clock.pass(20_000);
    expect(consumers[0]?.subscribed).toEqual([]);
    existing.push('late');
    await clock.pass(5_000);
    expect(consumers[0]?.subscribed).toEqual([['a', 'late']]);
    expect(worker.health.missingTopics).toEqual([]);
    expect(logger.lines).toHaveLength(2);
    expect(clock.waits).toEqual([]);
  });

  it('starts its consumer later when none of its topics is there yet', async () => {
    const { worker, consumers, clock, existing } = setUp(['late'], []);
    await worker.start();
    expect(worker.health).toMatchObject({ state: 'waiting', partitions: 0, missingTopics: ['late'] });
    existing.push('late');
    await clock.pass(5_000);
    expect(consumers.map(({ options }) => options.topics)).toEqual([['late']]);
    expect(worker.health.state).toBe('stable');
  });

  it('takes in new topics that fit a RegExp', async () => {
    const { worker, consumers, clock, existing } = setUp([/^orders\./], ['orders.placed']);
    await worker.start();
    existing.push('orders.shipped', 'payments');
    await clock.pass(30_000);
    expect(consumers[0]?.subscribed).toEqual([['orders.placed', 'orders.shipped']]);
  });

  it('looks again after a failed look', async () => {
    const { worker, consumers, clock, existing, failures, logger } = setUp(['late'], []);
    await worker.start();
    existing.push('late');
    failures.push(new KrafkaConnectionError('b:9092', 'refused'));
    await clock.pass(5_000);
    expect(logger.lines.at(-1)).toMatch(/^warn .*tried again/);
    await clock.pass(5_000);
    expect(consumers).toHaveLength(1);
  });

  it('fails to start when its consumer does, and leaves nothing behind', async () => {
    const { worker, consumers, clock, refuseStart } = setUp(['a'], ['a']);
    refuseStart(new KrafkaError('no right to the group', { code: 'GROUP_AUTHORIZATION_FAILED' }));
    await expect(worker.start()).rejects.toMatchObject({ code: 'GROUP_AUTHORIZATION_FAILED' });
    expect(consumers[0]?.closes).toBe(1);
    expect(clock.waits).toEqual([]);
  });

  it('tells of its states, and of a consumer that can not go on', async () => {
    const { worker, consumers, told, clock } = setUp(['a'], ['a']);
    await worker.start();
    consumers[0]?.events.emit('state', { state: 'rebalancing', previous: 'stable' });
    consumers[0]?.crash(new KrafkaFencedError('fenced'));
    await clock.pass(0);
    expect(told).toEqual(['rebalancing', 'FENCED']);
    expect(worker.health).toMatchObject({ state: 'fatal', error: { code: 'FENCED' } });
  });

  it('tells how far behind it is, which handlers are at work, and which its consumer calls stuck', async () => {
    const { worker, consumers } = setUp(['a'], ['a']);
    await worker.start();
    const [consumer] = consumers as [HandConsumer];
    consumer.partitions.push({ topic: 'a', partition: 0 }, { topic: 'a', partition: 1 });
    consumer.facts = { lag: 20, handlingMs: 700 };
    consumer.stuck = [{ topic: 'a', partition: 1, handlingMs: 700 }];
    expect(worker.health).toMatchObject({
      partitions: 2,
      lag: 40,
      atWork: [
        { topic: 'a', partition: 0, handlingMs: 700 },
        { topic: 'a', partition: 1, handlingMs: 700 },
      ],
      stuck: [{ topic: 'a', partition: 1, handlingMs: 700 }],
    });
  });

  it('looks for nothing any more once it is closed', async () => {
    const { worker, consumers, clock } = setUp(['a', 'late'], ['a']);
    await worker.start();
    await worker.close(1_000);
    expect(consumers[0]?.closes).toBe(1);
    expect(clock.waits).toEqual([]);
  });

  it('that is closed while it looks for its topics begins to read none of them', async () => {
    const { worker, consumers, clock, lookBehind } = setUp(['a', 'late'], ['a']);
    const door = new Deferred<void>();
    void lookBehind(door.promise);
    const starting = worker.start();
    await worker.close(1_000);
    door.resolve();
    await expect(starting).rejects.toMatchObject({ code: 'CLOSED' });
    expect(consumers).toEqual([]);
    expect(clock.waits).toEqual([]);
  });

  it('that is closed while its consumer joins calls no handler, and tells of no crash', async () => {
    const { worker, consumers, told, joinBehind } = setUp(['a'], ['a']);
    const door = new Deferred<void>();
    void joinBehind(door.promise);
    const starting = worker.start();
    await turns();
    await worker.close(1_000);
    door.resolve();
    await expect(starting).rejects.toMatchObject({ code: 'CLOSED' });
    expect(consumers.map(({ closes, isRun }) => ({ closes: closes > 0, isRun }))).toEqual([
      { closes: true, isRun: false },
    ]);
    expect(told).toEqual([]);
  });

  describe('whose consumer died', () => {
    const fall = new KrafkaError('the coordinator is out of its mind', { code: 'UNKNOWN_SERVER_ERROR' });

    it('has it started again after a wait, and goes on', async () => {
      const { worker, consumers, told, clock } = setUp(['a'], ['a']);
      await worker.start();
      consumers[0]?.crash(fall);
      await clock.pass(0);
      expect(worker.health).toMatchObject({ state: 'restarting', error: { code: 'UNKNOWN_SERVER_ERROR' } });
      await clock.pass(1_500);
      expect(consumers.map(({ closes }) => closes)).toEqual([1, 0]);
      expect(worker.health).toMatchObject({ state: 'stable', error: undefined });
      expect(told).toEqual(['UNKNOWN_SERVER_ERROR', 'restarted']);
    });

    it('has it started again though a handler of the dead one does not end', async () => {
      const { worker, consumers, told, clock } = setUp(['a'], ['a']);
      await worker.start();
      const [dead] = consumers as [HandConsumer];
      dead.handlersEnd = new Deferred<void>().promise;
      dead.crash(fall);
      await clock.pass(3_000);
      expect(consumers).toHaveLength(2);
      expect(told).toEqual(['UNKNOWN_SERVER_ERROR', 'restarted']);
    });

    it.each(['fatal', 'restarting'])('is closed in time though a handler of it does not end (%s)', async (state) => {
      const { worker, consumers, clock } = setUp(['a'], ['a']);
      await worker.start();
      const [dead] = consumers as [HandConsumer];
      dead.handlersEnd = new Deferred<void>().promise;
      dead.crash(state === 'fatal' ? new KrafkaFencedError('fenced') : fall);
      await clock.pass(0);
      // The one that is started again is in the middle of being closed for that.
      if (state === 'restarting') await clock.pass(clock.waits[0] ?? 0);
      expect(worker.health.state).toBe(state);
      const closing = worker.close(1_000).catch((error: unknown) => error);
      await clock.pass(1_500);
      expect(await closing).toMatchObject({ code: 'TIMEOUT' });
      expect(consumers).toHaveLength(1);
      expect(clock.waits).toEqual([]);
    });

    it('gives up after as many times in a row as the policy says', async () => {
      const { worker, consumers, clock, refuseStart, told } = setUp(['a'], ['a']);
      await worker.start();
      refuseStart(fall);
      consumers[0]?.crash(fall);
      await clock.pass(60_000);
      expect(consumers).toHaveLength(4);
      expect(worker.health.state).toBe('fatal');
      expect(told).toHaveLength(4);
      expect(clock.waits).toEqual([]);
    });

    it('counts anew when it had run for long', async () => {
      const { worker, consumers, clock } = setUp(['a'], ['a']);
      await worker.start();
      for (let n = 0; n < 6; n++) {
        await clock.pass(10_000);
        consumers.at(-1)?.crash(fall);
      }
      await clock.pass(10_000);
      expect(worker.health.state).toBe('stable');
      expect(consumers).toHaveLength(7);
    });

    it('is not started again when a policy said stop, or another instance has taken its place', async () => {
      for (const error of [
        new KrafkaHandlerError(
          { topic: 'a', partition: 0, offset: 0 },
          new KrafkaError('stop', { code: 'HANDLER_FAILED' }),
        ),
        new KrafkaFencedError('another has the same groupInstanceId'),
      ]) {
        const { worker, consumers, clock } = setUp(['a'], ['a']);
        await worker.start();
        consumers[0]?.crash(error);
        await clock.pass(60_000);
        expect([consumers.length, worker.health.state]).toEqual([1, 'fatal']);
      }
    });

    it('is not started again once it is closed', async () => {
      const { worker, consumers, clock } = setUp(['a'], ['a']);
      await worker.start();
      consumers[0]?.crash(fall);
      await clock.pass(0);
      await worker.close(1_000);
      await clock.pass(60_000);
      expect(consumers).toHaveLength(1);
    });
  });
});
