import { getEventListeners } from 'node:events';
import { FakeClock, settled } from '../network/spec-support/fake-clock.js';
import {
  Deadline,
  Deferred,
  KrafkaClosedError,
  KrafkaConnectionError,
  KrafkaProtocolError,
  seededRandom,
} from '../support/index.js';
import { outOfTime } from './retrying.js';
import { SharedLookups } from './shared-lookups.js';

function setUp() {
  const clock = new FakeClock();
  const attempts: { readonly key: string; readonly answer: Deferred<string> }[] = [];
  const lookups = new SharedLookups<string>({
    attempt: (key) => {
      const answer = new Deferred<string>();
      attempts.push({ key, answer });
      return answer.promise;
    },
    expired: (key, deadline, last) => outOfTime(deadline, key, last),
    ports: { clock, random: { ...seededRandom(1), next: () => 0.5 } },
  });
  const find = (key: string, budgetMs = 10_000, signal?: AbortSignal): Promise<string> => {
    const found = lookups.find(key, { deadline: new Deadline(clock, budgetMs, 'testMs'), signal });
    found.catch(() => undefined);
    return found;
  };
  return { clock, attempts, lookups, find };
}

const retriable = new KrafkaConnectionError('a:1', 'refused');
const final = new KrafkaProtocolError('GROUP_AUTHORIZATION_FAILED', 'no');

describe('shared lookups', () => {
  it('are made once for all who ask for a key at the same time', async () => {
    const { attempts, find } = setUp();
    const found = Promise.all([find('x'), find('x'), find('y')]);
    await settled();
    expect(attempts.map(({ key }) => key)).toEqual(['x', 'y']);
    attempts[0]!.answer.resolve('X');
    attempts[1]!.answer.resolve('Y');
    await expect(found).resolves.toEqual(['X', 'X', 'Y']);
  });

  it('are made anew by whoever asks afterwards', async () => {
    const { attempts, find } = setUp();
    const first = find('x');
    attempts[0]!.answer.resolve('1');
    await first;
    const second = find('x');
    attempts[1]!.answer.resolve('2');
    await expect(second).resolves.toBe('2');
  });

  it('are tried again with one backoff for everybody', async () => {
    const { clock, attempts, find } = setUp();
    const found = Promise.all([find('x'), find('x')]);
    attempts[0]!.answer.reject(retriable);
    await clock.advance(99);
    expect(attempts).toHaveLength(1);
    await clock.advance(1);
    expect(attempts).toHaveLength(2);
    attempts[1]!.answer.reject(retriable);
    await clock.advance(200);
    expect(attempts).toHaveLength(3);
    attempts[2]!.answer.resolve('X');
    await expect(found).resolves.toEqual(['X', 'X']);
  });

  it('fail everybody at once when the failure is final', async () => {
    const { attempts, find, clock } = setUp();
    const both = [find('x'), find('x')];
    attempts[0]!.answer.reject(final);
    for (const one of both) await expect(one).rejects.toBe(final);
    expect(clock.timersWaiting).toBe(0);
  });

  it('pass on what is no KrafkaError as it is', async () => {
    const { attempts, find } = setUp();
    const bug = new TypeError('bug');
    const found = find('x');
    attempts[0]!.answer.reject(bug);
    await expect(found).rejects.toBe(bug);
  });

  it('end for one whose deadline passes, with the last failure, and go on for the others', async () => {
    const { clock, attempts, find } = setUp();
    const patient = find('x');
    const hasty = find('x', 150);
    attempts[0]!.answer.reject(retriable);
    await clock.advance(150);
    await expect(hasty).rejects.toThrow(
      'testMs of 150 ms passed while waiting for x, which last failed with: a:1: refused',
    );
    attempts[1]!.answer.resolve('X');
    await expect(patient).resolves.toBe('X');
  });

  it('end for one whose signal aborts, and go on for the others', async () => {
    const { attempts, find } = setUp();
    const abort = new AbortController();
    const reason = new Error('enough');
    const patient = find('x');
    const gone = find('x', 10_000, abort.signal);
    await settled();
    abort.abort(reason);
    await expect(gone).rejects.toBe(reason);
    attempts[0]!.answer.resolve('X');
    await expect(patient).resolves.toBe('X');
    await expect(find('x', 1, abort.signal)).rejects.toBe(reason);
  });

  it('end with the first failure for one who wants a single try, and go on for the others', async () => {
    const { clock, attempts, lookups, find } = setUp();
    const deadline = new Deadline(clock, 10_000, 'testMs');
    const patient = find('x');
    const hasty = lookups.find('x', { deadline, once: true });
    attempts[0]!.answer.reject(retriable);
    await expect(hasty).rejects.toBe(retriable);
    await clock.advance(1_000);
    attempts[1]!.answer.resolve('X');
    await expect(patient).resolves.toBe('X');
    const alone = lookups.find('y', { deadline, once: true });
    attempts[2]!.answer.reject(retriable);
    await expect(alone).rejects.toBe(retriable);
    expect(clock.timersWaiting).toBe(0);
    await clock.advance(10_000);
    expect(attempts).toHaveLength(3);
  });

  it('stop when nobody waits any more, leaving no timer behind', async () => {
    const { clock, attempts, find } = setUp();
    const hasty = find('x', 50);
    attempts[0]!.answer.reject(retriable);
    await clock.advance(50);
    await expect(hasty).rejects.toThrow('testMs of 50 ms');
    expect(clock.timersWaiting).toBe(0);
    await clock.advance(10_000);
    expect(attempts).toHaveLength(1);
  });

  it('start afresh for one who comes while the last attempt for nobody is still under way', async () => {
    const { clock, attempts, find } = setUp();
    const hasty = find('x', 50);
    await clock.advance(50);
    await expect(hasty).rejects.toThrow('testMs');
    const second = find('x');
    expect(attempts).toHaveLength(2);
    attempts[0]!.answer.resolve('of the past');
    await settled();
    attempts[1]!.answer.resolve('X');
    await expect(second).resolves.toBe('X');
  });

  it('end with the error they are closed with', async () => {
    const { clock, attempts, find, lookups } = setUp();
    const both = [find('x'), find('y')];
    attempts[0]!.answer.reject(retriable);
    await settled();
    const closed = new KrafkaClosedError('the thing');
    lookups.close(closed);
    for (const one of both) await expect(one).rejects.toBe(closed);
    await clock.advance(10_000);
    expect(attempts).toHaveLength(2);
    expect(clock.timersWaiting).toBe(0);
  });

  it('has one listener on a signal, however many wait by it', async () => {
    const { lookups, attempts, clock } = setUp();
    const { signal } = new AbortController();
    const found = Array.from({ length: 20 }, (_, index) =>
      lookups.find(`topic-${index}`, { deadline: new Deadline(clock, 1_000, 'waitMs'), signal }),
    );
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    for (const { key, answer } of attempts) answer.resolve(key);
    await Promise.all(found);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});
