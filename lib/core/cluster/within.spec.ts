import { getEventListeners } from 'node:events';
import { FakeClock } from '../network/spec-support/fake-clock.js';
import { Deadline } from '../support/index.js';
import { within } from './within.js';

describe('within', () => {
  it('has one listener at a signal, however many wait by it', async () => {
    const clock = new FakeClock();
    const abort = new AbortController();
    const wait = { deadline: new Deadline(clock, 1_000, 'testMs'), signal: abort.signal };
    const never = new Promise<never>(() => undefined);
    const waiting = Array.from({ length: 20 }, () => within(clock, wait, 'news', never));
    expect(getEventListeners(abort.signal, 'abort')).toHaveLength(1);
    const reason = new Error('enough');
    abort.abort(reason);
    for (const outcome of await Promise.allSettled(waiting)) expect(outcome).toEqual({ status: 'rejected', reason });
    expect(clock.timersWaiting).toBe(0);
    await expect(within(clock, wait, 'news', never)).rejects.toBe(reason);
    expect(getEventListeners(abort.signal, 'abort')).toEqual([]);
  });
});
