import { getEventListeners } from 'node:events';
import { sleep, systemClock } from './clock.js';
import { Deadline } from './deadline.js';
import { onAbort, unlessAborted } from './on-abort.js';
import { Turns } from './turns.js';

const MANY = 20;

describe('onAbort', () => {
  it('calls everybody who waits, with the reason, and nobody who was told not to wait meanwhile', () => {
    const abort = new AbortController();
    const heard: unknown[] = [];
    onAbort(abort.signal, (reason) => {
      heard.push(reason);
      stop();
    });
    const stop = onAbort(abort.signal, () => heard.push('never'));
    onAbort(abort.signal, (reason) => heard.push(reason));
    abort.abort('enough');
    expect(heard).toEqual(['enough', 'enough']);
  });

  it.each<[string, (signal: AbortSignal) => Promise<unknown>]>([
    ['for work', (signal) => unlessAborted(new Promise(() => undefined), signal)],
    ['to sleep', (signal) => sleep(systemClock, 600_000, signal)],
    [
      'for a turn',
      (signal) => new Turns(systemClock, 0).take(new Deadline(systemClock, 600_000, 'budget'), 'a turn', signal),
    ],
  ])('has one listener at a signal, however many wait by it %s', async (_what, wait) => {
    const abort = new AbortController();
    const waiting = Array.from({ length: MANY }, () => wait(abort.signal));
    expect(getEventListeners(abort.signal, 'abort')).toHaveLength(1);
    abort.abort(new Error('enough'));
    for (const outcome of await Promise.allSettled(waiting)) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { message: 'enough' } });
    }
  });
});

describe('unlessAborted', () => {
  it('is the outcome of the work, which leaves no listener behind', async () => {
    const { signal } = new AbortController();
    await expect(unlessAborted(Promise.resolve('done'), undefined)).resolves.toBe('done');
    await expect(unlessAborted(Promise.resolve('done'), signal)).resolves.toBe('done');
    await expect(unlessAborted(Promise.reject(new Error('no')), signal)).rejects.toThrow('no');
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  it("throws the reason of a signal that has aborted before, and work that fails then is nobody's", async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(unlessAborted(Promise.resolve('done'), signal)).rejects.toThrow('enough');
    await expect(unlessAborted(Promise.reject(new Error('no')), signal)).rejects.toThrow('enough');
  });
});
