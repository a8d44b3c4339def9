import { jest } from '@jest/globals';
import { LONGEST_MS, sleep, systemClock, type Clock, type Timer } from './clock.js';
import { Deadline } from './deadline.js';
import { KrafkaTimeoutError } from './errors.js';

class ManualClock implements Clock {
  time = 0;
  timers: { at: number; callback: () => void; cancelled: boolean }[] = [];
  now = (): number => this.time;
  monotonic = (): number => this.time;
  endOfTurn = (callback: () => void): void => callback();
  setTimer(delayMs: number, callback: () => void): Timer {
    const timer = { at: this.time + delayMs, callback, cancelled: false };
    this.timers.push(timer);
    return { cancel: () => void (timer.cancelled = true) };
  }
  advance(ms: number): void {
    this.time += ms;
    for (const timer of this.timers) if (!timer.cancelled && timer.at <= this.time) timer.callback();
  }
}

describe('a timer of the machine’s clock', () => {
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => void jest.useRealTimers());

  it.each([LONGEST_MS, LONGEST_MS + 1, 2 ** 32, 3 * LONGEST_MS + 5])('rings after %i ms, once', (delayMs) => {
    const rung = jest.fn();
    systemClock.setTimer(delayMs, rung);
    jest.advanceTimersByTime(delayMs - 1);
    expect(rung).not.toHaveBeenCalled();
    jest.advanceTimersByTime(1);
    expect(rung).toHaveBeenCalledTimes(1);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('never rings where that is for ever', () => {
    const rung = jest.fn();
    systemClock.setTimer(Infinity, rung);
    jest.advanceTimersByTime(4 * LONGEST_MS);
    expect(rung).not.toHaveBeenCalled();
    expect(jest.getTimerCount()).toBe(1);
  });

  it('is cancelled, however long it has waited', () => {
    const timer = systemClock.setTimer(3 * LONGEST_MS, () => undefined);
    jest.advanceTimersByTime(LONGEST_MS + 1);
    timer.cancel();
    expect(jest.getTimerCount()).toBe(0);
  });
});

describe('sleep', () => {
  it('ends when its time has come', async () => {
    const clock = new ManualClock();
    const slept = sleep(clock, 100);
    clock.advance(100);
    await expect(slept).resolves.toBeUndefined();
  });

  it('ends with the reason of the signal, and leaves no timer behind', async () => {
    const clock = new ManualClock();
    const abort = new AbortController();
    const slept = sleep(clock, 100, abort.signal);
    abort.abort(new Error('enough'));
    await expect(slept).rejects.toThrow('enough');
    expect(clock.timers.every((timer) => timer.cancelled)).toBe(true);
  });

  it('does not begin under a signal that is already aborted', async () => {
    const clock = new ManualClock();
    await expect(sleep(clock, 100, AbortSignal.abort(new Error('too late')))).rejects.toThrow('too late');
    expect(clock.timers).toHaveLength(0);
  });
});

describe('Deadline', () => {
  it('is one budget however often it is asked', () => {
    const clock = new ManualClock();
    const deadline = new Deadline(clock, 1_000, 'maxBlockMs');
    clock.advance(400);
    expect(deadline.remainingMs).toBe(600);
    clock.advance(700);
    expect(deadline.remainingMs).toBe(0);
    expect(deadline.expired).toBe(true);
  });

  it('ends sooner where what comes after needs a part of it, however late that is asked', () => {
    const clock = new ManualClock();
    const deadline = new Deadline(clock, 12_000, 'close timeoutMs');
    clock.advance(6_000);
    expect(deadline.sooner(1 / 6).remainingMs).toBe(5_000);
    expect(deadline.sooner(1 / 2, 100)).toMatchObject({ remainingMs: 5_900, budgetMs: 12_000 });
    clock.advance(6_000);
    expect(deadline.sooner(1 / 6).remainingMs).toBe(0);
  });

  it('can be tightened, and what ends sooner with it, but never comes to end later', () => {
    const clock = new ManualClock();
    const deadline = new Deadline(clock, 30_000, 'close timeoutMs');
    const sooner = deadline.sooner(1 / 2);
    const heard: number[] = [];
    const unhear = sooner.onTightened(() => heard.push(sooner.remainingMs));
    clock.advance(10_000);
    deadline.tighten(600);
    deadline.tighten(5_000);
    expect(deadline).toMatchObject({ remainingMs: 600, budgetMs: 600 });
    expect(sooner).toMatchObject({ remainingMs: 300, budgetMs: 600 });
    unhear();
    deadline.tighten(0);
    expect([deadline.expired, sooner.expired]).toEqual([true, true]);
    expect(heard).toEqual([300]);
  });

  it('says which budget it was, how long, and what was waited for', () => {
    const error = new Deadline(new ManualClock(), 1_000, 'maxBlockMs').error("metadata of topic 'a'");
    expect(error).toBeInstanceOf(KrafkaTimeoutError);
    expect(error).toMatchObject({ code: 'TIMEOUT', retriable: true, budget: 'maxBlockMs', budgetMs: 1_000 });
    expect(error.message).toBe("maxBlockMs of 1000 ms passed while waiting for metadata of topic 'a'");
  });
});
