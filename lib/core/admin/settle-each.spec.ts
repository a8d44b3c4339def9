import { FakeClock } from '../network/spec-support/fake-clock.js';
import { Deadline, KrafkaConnectionError, KrafkaError, KrafkaProtocolError, seededRandom } from '../support/index.js';
import { KrafkaAggregateError } from './aggregate-error.js';
import { allOrThrow, merged, settleEach, type Settled } from './settle-each.js';

const refused = new KrafkaConnectionError('a:1', 'refused');
const final = new KrafkaProtocolError('INVALID_CONFIG', 'no');
const unknown = new KrafkaProtocolError('UNKNOWN_TOPIC_OR_PARTITION', 'none', { retriable: true });

type Answer = string | KrafkaError;

/** Settles items by a list of answers each, the last of which counts from then on. */
function setUp(
  script: Readonly<Record<string, readonly Answer[]>>,
  options: { budgetMs?: number; unknownTries?: number } = {},
) {
  const clock = new FakeClock();
  const attempts: (readonly string[])[] = [];
  const { budgetMs = 10_000, unknownTries } = options;
  const settled = settleEach<string, string>(
    Object.keys(script),
    {
      deadline: new Deadline(clock, budgetMs, 'timeoutMs'),
      ports: { clock, random: { ...seededRandom(1), next: () => 0.5 } },
      describe: (key) => `item '${key}'`,
      unknownTries,
    },
    async (pending, attempt) => {
      attempts.push(pending);
      return new Map(pending.map((key) => [key, script[key]!.at(Math.min(attempt, script[key]!.length) - 1)!]));
    },
  );
  return { clock, attempts, settled };
}

describe('settling many items', () => {
  it('is over in one attempt when all are done', async () => {
    const { attempts, settled } = setUp({ a: ['A'], b: ['B'] });
    expect([...(await settled).done]).toEqual([
      ['a', 'A'],
      ['b', 'B'],
    ]);
    expect(attempts).toEqual([['a', 'b']]);
  });

  it('tries again only what failed for now', async () => {
    const { clock, attempts, settled } = setUp({ a: ['A'], b: [refused, 'B'], c: [final] });
    await clock.advance(1_000);
    const { done, failed } = await settled;
    expect(Object.fromEntries(done)).toEqual({ a: 'A', b: 'B' });
    expect([...failed]).toEqual([['c', final]]);
    expect(attempts).toEqual([['a', 'b', 'c'], ['b']]);
  });

  it('gives up at the deadline, saying of each item what it last failed with', async () => {
    const { clock, settled } = setUp({ a: [refused], b: ['B'] }, { budgetMs: 500 });
    await clock.advance(500);
    const { done, failed } = await settled;
    expect([...done.keys()]).toEqual(['b']);
    expect(failed.get('a')).toMatchObject({
      code: 'TIMEOUT',
      message: "timeoutMs of 500 ms passed while waiting for item 'a', which last failed with: a:1: refused",
    });
  });

  it('believes that a topic is not there after hearing it a few times', async () => {
    const { clock, attempts, settled } = setUp({ a: [unknown] });
    await clock.advance(10_000);
    expect((await settled).failed.get('a')).toBe(unknown);
    expect(attempts).toHaveLength(4);
  });

  it('believes it at once of somebody who must know', async () => {
    const { attempts, settled } = setUp({ a: [unknown] }, { unknownTries: 1 });
    expect((await settled).failed.get('a')).toBe(unknown);
    expect(attempts).toHaveLength(1);
  });

  it('puts the failure of an attempt down to every item in it', async () => {
    const clock = new FakeClock();
    const options = {
      deadline: new Deadline(clock, 1_000, 'timeoutMs'),
      ports: { clock, random: seededRandom(1) },
      describe: String,
    };
    const { failed } = await settleEach(['a', 'b'], options, () => Promise.reject(final));
    expect([...failed]).toEqual([
      ['a', final],
      ['b', final],
    ]);
    const bug = new TypeError('bug');
    await expect(settleEach(['a'], options, () => Promise.reject(bug))).rejects.toBe(bug);
  });

  it('fails an item that the answer says nothing of', async () => {
    const clock = new FakeClock();
    const options = {
      deadline: new Deadline(clock, 1_000, 'timeoutMs'),
      ports: { clock, random: seededRandom(1) },
      describe: String,
    };
    const { failed } = await settleEach<string, string>(['a'], options, () => Promise.resolve(new Map()));
    expect(failed.get('a')).toMatchObject({
      code: 'UNKNOWN_SERVER_ERROR',
      message: expect.stringContaining('says nothing of a'),
    });
  });

  it('asks nobody when there is nothing to settle', async () => {
    const { attempts, settled } = setUp({});
    expect((await settled).done.size).toBe(0);
    expect(attempts).toEqual([]);
  });
});

const outcome = (failures: Record<string, KrafkaError>): Settled<string, string> => ({
  done: new Map([['ok', 'OK']]),
  failed: new Map(Object.entries(failures)),
});

describe('the outcome of a call', () => {
  it('is everything that was done, when nothing failed', () => {
    expect([...allOrThrow(outcome({}), 'things').keys()]).toEqual(['ok']);
  });

  it('is the error itself, when one thing failed', () => {
    expect(() => allOrThrow(outcome({ a: final }), 'things')).toThrow(final);
  });

  it('is an error with all of them, when several failed', () => {
    const failures = { a: final, b: refused };
    let error: unknown;
    try {
      allOrThrow(outcome(failures), 'things to be made');
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(KrafkaAggregateError);
    expect(error).toMatchObject({ code: 'SEVERAL', retriable: false, errors: [final, refused] });
    expect((error as Error).message).toContain('2 of 3 things to be made failed: INVALID_CONFIG: no; a:1: refused');
  });

  it('is one error, when a whole request failed', () => {
    expect(() => allOrThrow(outcome({ a: refused, b: refused }), 'things')).toThrow(refused);
  });

  it('is an error of their own code, when several failed alike', () => {
    const failures = { a: final, b: new KrafkaProtocolError('INVALID_CONFIG', 'no either') };
    expect(() => allOrThrow(outcome(failures), 'things')).toThrow(expect.objectContaining({ code: 'INVALID_CONFIG' }));
  });

  it('of several parts is that of all of them', () => {
    const both = merged([outcome({ a: final }), { done: new Map([['also', '!']]), failed: new Map() }]);
    expect([...both.done.keys()]).toEqual(['ok', 'also']);
    expect([...both.failed.keys()]).toEqual(['a']);
  });
});
