import { BadRequestException, ConflictException, ForbiddenException, HttpException } from '@nestjs/common';
import { KafkaRetriableException, RpcException } from '@nestjs/microservices';
import { KrafkaConfigError, KrafkaSerializationError, seededRandom } from '../../core/support/index.js';
import { isWorthRetrying } from './classify.js';
import { checkFailureOptions, DEFAULT_FAILURE_POLICY, failurePolicy } from './failure-policy.js';
import { judge } from './verdict.js';

const random = { ...seededRandom(1), next: () => 0.5 };

describe('A failure policy', () => {
  it('is finite and loses nothing where nobody says otherwise', () => {
    expect(DEFAULT_FAILURE_POLICY).toEqual({ retries: 3, backoffMs: 200, maxBackoffMs: 10_000, then: 'dead-letter' });
  });

  it('takes what it leaves open from the next further out', () => {
    const outer = failurePolicy({ then: 'skip' }, DEFAULT_FAILURE_POLICY);
    expect(failurePolicy({ retries: 5 }, outer)).toEqual({ ...DEFAULT_FAILURE_POLICY, retries: 5, then: 'skip' });
    expect(failurePolicy(undefined, outer)).toBe(outer);
  });

  it.each([
    [{ retrys: 1 }, 'onFailure.retrys', /did you mean 'retries'/],
    [{ retries: -1 }, 'onFailure.retries', /at least 0/],
    [{ then: 'retry-topics' }, 'onFailure.then', /'dead-letter', 'skip', 'stop'/],
    [{ backoffMs: '200' }, 'onFailure.backoffMs', /whole number of milliseconds/],
  ])('refuses %p by its path', (options, path, problem) => {
    let refusal: unknown;
    try {
      checkFailureOptions(options, 'onFailure');
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toBeInstanceOf(KrafkaConfigError);
    expect(refusal).toMatchObject({ option: path, message: expect.stringMatching(problem) as string });
  });

  it('lets a handler be called retries + 1 times, each wait twice the one before, up to the longest', () => {
    const policy = { retries: 4, backoffMs: 100, maxBackoffMs: 300, then: 'skip' } as const;
    const verdicts = [1, 2, 3, 4, 5].map((attempt) => judge(policy, attempt, new Error('no'), random));
    expect(verdicts).toEqual([
      { kind: 'retry', afterMs: 100 },
      { kind: 'retry', afterMs: 200 },
      { kind: 'retry', afterMs: 300 },
      { kind: 'retry', afterMs: 300 },
      { kind: 'skip', because: 'the retries are used up' },
    ]);
  });

  it('does not try again what can only fail again', () => {
    expect(judge(DEFAULT_FAILURE_POLICY, 1, new BadRequestException(), random)).toEqual({
      kind: 'dead-letter',
      because: 'trying again would not help',
    });
  });
});

describe('An error', () => {
  it.each([
    ['a refused payload', new BadRequestException()],
    ['a refused caller', new ForbiddenException()],
    ['any status from 400 to 499', new ConflictException()],
    ["a guard's refusal", new RpcException('Forbidden resource')],
    ['an RpcException that carries such a status', new RpcException({ statusCode: 422, message: 'no' })],
    ['a plain object with such a status', { status: 404 }],
    ['something that has no form as bytes', new KrafkaSerializationError('no')],
  ])('is not worth a retry: %s', (_what, error) => {
    expect(isWorthRetrying(error)).toBe(false);
  });

  it.each([
    ['an ordinary one', new Error('no')],
    ['nothing', undefined],
    ['a text', 'no'],
    ["Nest's own words", { status: 'error', message: 'Internal server error' }],
    ['a server error', new HttpException('no', 503)],
    ['too many requests', new HttpException('no', 429)],
    ['one that asks for it, whatever it says', new KafkaRetriableException({ statusCode: 400 })],
  ])('is worth a retry: %s', (_what, error) => {
    expect(isWorthRetrying(error)).toBe(true);
  });
});
