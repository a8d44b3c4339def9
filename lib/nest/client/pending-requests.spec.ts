import { getEventListeners } from 'node:events';
import type { WritePacket } from '@nestjs/microservices';
import { KrafkaTimeoutError } from '../../core/support/index.js';
import { HandClock } from '../spec-support/hand-clock.js';
import { PendingRequests } from './pending-requests.js';

function setUp() {
  const clock = new HandClock();
  const requests = new PendingRequests(clock, 'me');
  const packets: WritePacket[] = [];
  const add = (timeoutMs = 1_000, signal?: AbortSignal) =>
    requests.add((packet) => packets.push(packet), { timeoutMs, waitedFor: () => 'the reply', signal });
  return { clock, requests, packets, add };
}

describe('Pending requests', () => {
  it('are each given their own replies, until the last', () => {
    const { requests, packets, add } = setUp();
    const id = add();
    requests.settle(id, { response: 1, isDisposed: false });
    requests.settle(id, { response: 2, isDisposed: true });
    requests.settle(id, { response: 3, isDisposed: true });
    expect(packets.map(({ response }) => response as unknown)).toEqual([1, 2]);
    expect(requests.stats()).toEqual({ pending: 0, matched: 2, late: 1, foreign: 0 });
  });

  it('fail when their deadline passes, with an error that says what was waited for', async () => {
    const { clock, requests, packets, add } = setUp();
    const id = add(2_000);
    await clock.pass(1_999);
    expect(packets).toEqual([]);
    await clock.pass(1);
    expect(packets[0]?.err).toBeInstanceOf(KrafkaTimeoutError);
    expect(packets[0]?.err).toMatchObject({ budget: 'requestTimeoutMs', budgetMs: 2_000, waitedFor: 'the reply' });
    requests.settle(id, { response: 'late', isDisposed: true });
    expect(requests.stats()).toMatchObject({ pending: 0, late: 1 });
  });

  it('have one deadline for all their replies', async () => {
    const { clock, requests, packets, add } = setUp();
    const id = add(1_000);
    await clock.pass(900);
    requests.settle(id, { response: 1, isDisposed: false });
    await clock.pass(100);
    expect(packets[1]?.err).toBeInstanceOf(KrafkaTimeoutError);
  });

  it('end with the reason of the signal they were given, and hear it no longer once they have ended', async () => {
    const { clock, requests, packets, add } = setUp();
    const controller = new AbortController();
    add(1_000, controller.signal);
    const answered = add(1_000, controller.signal);
    // However many wait by it: of more than ten listeners Node warns as of a leak.
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1);
    requests.settle(answered, { response: 1, isDisposed: true });
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1);
    controller.abort(new Error('enough'));
    expect(packets).toEqual([
      { response: 1, isDisposed: true },
      { err: new Error('enough'), isDisposed: true },
    ]);
    expect({ ...requests.stats(), waits: clock.waits }).toMatchObject({ pending: 0, waits: [] });
    expect(() => add(1_000, controller.signal)).toThrow('enough');
    expect(requests.stats().pending).toBe(0);
  });

  it('may wait for ever', () => {
    const { clock, add } = setUp();
    add(0);
    expect(clock.waits).toEqual([]);
  });

  it('are forgotten with their timers', () => {
    const { clock, requests, packets, add } = setUp();
    const id = add();
    requests.remove(id);
    requests.settle(id, { response: 1, isDisposed: true });
    requests.fail(id, new Error('no'));
    expect({ packets, waits: clock.waits, has: requests.has(id) }).toEqual({ packets: [], waits: [], has: false });
  });

  it('fail all at once, each once', () => {
    const { requests, packets, add } = setUp();
    add();
    add();
    const error = new Error('closed');
    requests.failAll(error);
    requests.failAll(error);
    expect(packets).toEqual([
      { err: error, isDisposed: true },
      { err: error, isDisposed: true },
    ]);
  });

  it('that are made anew when others fail are not among those that fail', () => {
    const { requests } = setUp();
    const outcomes: unknown[] = [];
    // As `retry()` does; bounded, so that a defect ends.
    const ask = (triesLeft: number): void => {
      requests.add(
        ({ err }) => {
          outcomes.push(err);
          if (triesLeft > 0) ask(triesLeft - 1);
        },
        { timeoutMs: 0, waitedFor: () => 'the reply' },
      );
    };
    ask(100);
    ask(100);
    requests.failAll('closed');
    expect({ outcomes, pending: requests.stats().pending }).toEqual({ outcomes: ['closed', 'closed'], pending: 2 });
  });

  it('count the replies to others who share the partition', () => {
    const { requests, packets, add } = setUp();
    add();
    requests.settle('another.0', { response: 1, isDisposed: true });
    expect(packets).toEqual([]);
    expect(requests.stats()).toMatchObject({ pending: 1, foreign: 1, late: 0 });
  });

  it('never share an id', () => {
    const { add } = setUp();
    expect(new Set(Array.from({ length: 100 }, () => add())).size).toBe(100);
  });
});
