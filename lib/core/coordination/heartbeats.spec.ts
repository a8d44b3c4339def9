import { Deferred } from '../support/index.js';
import { settled } from '../consumer/spec-support/fake-clock.js';
import { fakePorts } from '../consumer/spec-support/ports.js';
import { Heartbeats } from './heartbeats.js';

function setUp(intervalMs = 1_000) {
  const ports = fakePorts();
  const at: number[] = [];
  /** What the next heartbeats come to, first one first; after that they arrive. */
  const outcomes: (() => Promise<void>)[] = [];
  const begin = ports.clock.now();
  const beats = new Heartbeats({
    intervalMs,
    ports,
    beat: async () => {
      at.push(ports.clock.now() - begin);
      await outcomes.shift()?.();
    },
  });
  return { beats, at, outcomes, ...ports };
}

describe('Heartbeats', () => {
  it('beat once an interval, from an interval after the start to the stop', async () => {
    const { beats, at, clock } = setUp();
    beats.start();
    await clock.advance(3_500);
    beats.stop();
    await clock.advance(5_000);
    expect(at).toEqual([1_000, 2_000, 3_000]);
    expect(clock.timers).toEqual([]);
  });

  it('may begin at once', async () => {
    const { beats, at, clock } = setUp();
    beats.start('at once');
    await clock.advance(1_500);
    expect(at).toEqual([0, 1_000]);
  });

  it('count the interval from when the last one left, not from when it was answered', async () => {
    const { beats, at, outcomes, clock } = setUp();
    const slow = new Deferred<void>();
    outcomes.push(() => slow.promise);
    beats.start();
    await clock.advance(1_700);
    slow.resolve();
    await clock.advance(1_300);
    expect(at).toEqual([1_000, 2_000, 3_000]);
  });

  it('are never two at once, however slow the answer', async () => {
    const { beats, at, outcomes, clock } = setUp();
    const slow = new Deferred<void>();
    outcomes.push(() => slow.promise);
    beats.start();
    await clock.advance(10_000);
    expect(at).toEqual([1_000]);
    slow.resolve();
    await clock.advance(0);
    expect(at).toEqual([1_000, 10_000]);
  });

  it('come sooner after one that did not arrive, and later again when it goes on', async () => {
    const { beats, at, outcomes, clock } = setUp(5_000);
    for (let times = 0; times < 3; times++) outcomes.push(() => Promise.reject(new Error('lost')));
    beats.start();
    await clock.advance(20_000);
    const waits = at.slice(1).map((time, index) => time - (at[index] as number));
    expect(waits.slice(0, 3).every((wait) => wait <= 500)).toBe(true);
    expect(waits[3]).toBe(5_000);
  });

  it('never come less often than the interval because of failures', async () => {
    const { beats, at, outcomes, clock } = setUp(50);
    outcomes.push(() => Promise.reject(new Error('lost')));
    beats.start();
    await clock.advance(110);
    expect(at).toEqual([50, 100]);
  });

  it('come at once when there is something to tell, and then after a whole interval', async () => {
    const { beats, at, clock } = setUp();
    beats.start();
    await clock.advance(300);
    beats.soon();
    await clock.advance(1_200);
    expect(at).toEqual([300, 1_300]);
  });

  it('come right after the one that is under way when there is something to tell', async () => {
    const { beats, at, outcomes, clock } = setUp();
    const slow = new Deferred<void>();
    outcomes.push(() => slow.promise);
    beats.start('at once');
    beats.soon();
    beats.soon();
    await settled();
    expect(at).toEqual([0]);
    slow.resolve();
    await clock.advance(0);
    expect(at).toEqual([0, 0]);
  });

  it('change their pace with the next one', async () => {
    const { beats, at, clock } = setUp();
    beats.start();
    await clock.advance(1_000);
    beats.intervalMs = 200;
    await clock.advance(1_500);
    expect(at).toEqual([1_000, 2_000, 2_200, 2_400]);
  });

  it('schedule nothing when they were stopped while one was under way', async () => {
    const { beats, outcomes, clock } = setUp();
    const slow = new Deferred<void>();
    outcomes.push(() => slow.promise);
    beats.start('at once');
    beats.stop();
    slow.resolve();
    await clock.advance(0);
    expect(clock.timers).toEqual([]);
    beats.soon();
    expect(clock.timers).toEqual([]);
  });
});
