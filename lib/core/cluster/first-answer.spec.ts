import { FakeClock, settled } from '../network/spec-support/fake-clock.js';
import { Deferred } from '../support/index.js';
import { firstAnswer, NoAnswer } from './first-answer.js';

/** Candidates that answer when they are told to. */
function setUp(candidates: readonly string[], isFinal: (error: unknown) => boolean = () => false) {
  const clock = new FakeClock();
  const asked: string[] = [];
  const answers = new Map(candidates.map((candidate) => [candidate, new Deferred<string>()]));
  const answer = firstAnswer({
    candidates,
    ask: (candidate) => {
      asked.push(candidate);
      return answers.get(candidate)!.promise;
    },
    isFinal,
    patienceMs: 2_000,
    clock,
  });
  answer.catch(() => undefined);
  return { clock, asked, answer, of: (candidate: string) => answers.get(candidate)! };
}

describe('the first answer', () => {
  it('is asked of one candidate only, when that one answers', async () => {
    const { asked, answer, of, clock } = setUp(['a', 'b']);
    of('a').resolve('A');
    await expect(answer).resolves.toBe('A');
    expect(asked).toEqual(['a']);
    expect(clock.timersWaiting).toBe(0);
  });

  it('is asked of the next as soon as one fails', async () => {
    const { asked, answer, of } = setUp(['a', 'b', 'c']);
    of('a').reject(new Error('a'));
    await settled();
    expect(asked).toEqual(['a', 'b']);
    of('b').resolve('B');
    await expect(answer).resolves.toBe('B');
  });

  it('is asked of the next beside one that keeps silent', async () => {
    const { clock, asked, answer, of } = setUp(['a', 'b']);
    await clock.advance(1_999);
    expect(asked).toEqual(['a']);
    await clock.advance(1);
    expect(asked).toEqual(['a', 'b']);
    of('b').resolve('B');
    await expect(answer).resolves.toBe('B');
  });

  it('may still come from the one that was slow', async () => {
    const { clock, answer, of } = setUp(['a', 'b']);
    await clock.advance(2_000);
    of('a').resolve('A');
    await expect(answer).resolves.toBe('A');
  });

  it('is asked of one more when one fails that was left behind already', async () => {
    const { clock, asked, of } = setUp(['a', 'b', 'c']);
    await clock.advance(2_000);
    expect(asked).toEqual(['a', 'b']);
    of('a').reject(new Error('late'));
    await settled();
    expect(asked).toEqual(['a', 'b', 'c']);
  });

  it('is none when all have failed, with the failure of each', async () => {
    const { answer, of } = setUp(['a', 'b']);
    of('a').reject(new Error('first'));
    await settled();
    of('b').reject(new Error('second'));
    const error = await answer.then(
      () => undefined,
      (reason: unknown) => reason as NoAnswer<string>,
    );
    expect(error).toBeInstanceOf(NoAnswer);
    expect(error!.failures.map(({ candidate, error: why }) => [candidate, (why as Error).message])).toEqual([
      ['a', 'first'],
      ['b', 'second'],
    ]);
  });

  it('is none when there is nobody to ask', async () => {
    await expect(setUp([]).answer).rejects.toBeInstanceOf(NoAnswer);
  });

  it('is not looked for any longer after a final failure', async () => {
    const fatal = new Error('fatal');
    const { asked, answer, of, clock } = setUp(['a', 'b'], (error) => error === fatal);
    of('a').reject(fatal);
    await expect(answer).rejects.toBe(fatal);
    expect(asked).toEqual(['a']);
    expect(clock.timersWaiting).toBe(0);
  });
});
