import { FakeClock, settled } from '../network/spec-support/fake-clock.js';
import {
  Deadline,
  KrafkaConnectionError,
  KrafkaProtocolError,
  KrafkaTimeoutError,
  seededRandom,
  sleep,
} from '../support/index.js';
import { retrying } from './retrying.js';

const refused = new KrafkaConnectionError('a:1', 'refused');

function setUp(budgetMs = 10_000) {
  const clock = new FakeClock();
  const ports = { clock, random: { ...seededRandom(1), next: () => 0.5 } };
  return { clock, options: { ports, deadline: new Deadline(clock, budgetMs, 'budgetMs'), waitedFor: 'the thing' } };
}

describe('retrying', () => {
  it('gives back what the first attempt that succeeds does, telling each its number', async () => {
    const { clock, options } = setUp();
    const numbers: number[] = [];
    const result = retrying(options, async (number) => {
      numbers.push(number);
      if (number < 3) throw refused;
      return 'done';
    });
    await clock.advance(1_000);
    await expect(result).resolves.toBe('done');
    expect(numbers).toEqual([1, 2, 3]);
  });

  it('waits 100 ms, doubling up to a second', async () => {
    const { clock, options } = setUp(6_000);
    const start = clock.monotonic();
    const at: number[] = [];
    const result = retrying(options, async () => {
      at.push(clock.monotonic() - start);
      throw refused;
    }).catch((error: unknown) => error);
    await clock.advance(6_000);
    await result;
    expect(at).toEqual([0, 100, 300, 700, 1_500, 2_500, 3_500, 4_500, 5_500]);
  });

  it('does not try again what can not succeed', async () => {
    const { options } = setUp();
    const fatal = new KrafkaProtocolError('INVALID_TOPIC_EXCEPTION', 'no');
    await expect(retrying(options, () => Promise.reject(fatal))).rejects.toBe(fatal);
    const bug = new TypeError('bug');
    await expect(retrying(options, () => Promise.reject(bug))).rejects.toBe(bug);
  });

  it('ends at the deadline with what was waited for and the last failure', async () => {
    const { clock, options } = setUp(250);
    const result = retrying(options, () => Promise.reject(refused)).catch((error: unknown) => error);
    await clock.advance(250);
    const error = (await result) as KrafkaTimeoutError;
    expect(error).toBeInstanceOf(KrafkaTimeoutError);
    expect(error.message).toContain('budgetMs of 250 ms');
    expect(error.message).toContain('the thing, which last failed with: a:1: refused');
    expect(error.cause).toBe(refused);
  });

  it('does not let running out of time in the last attempt hide what went wrong before', async () => {
    const { clock, options } = setUp(250);
    const result = retrying(options, async (number) => {
      if (number === 1) throw refused;
      await sleep(clock, 200);
      throw options.deadline.error('an answer');
    }).catch((error: unknown) => error);
    await clock.advance(300);
    expect(((await result) as KrafkaTimeoutError).cause).toBe(refused);
  });

  it('stops at once when the signal aborts', async () => {
    const { options } = setUp();
    const abort = new AbortController();
    const reason = new Error('enough');
    let attempts = 0;
    const result = retrying({ ...options, signal: abort.signal }, () => {
      attempts++;
      return Promise.reject(refused);
    }).catch((error: unknown) => error);
    await settled();
    abort.abort(reason);
    expect(await result).toBe(reason);
    expect(attempts).toBe(1);
  });
});
