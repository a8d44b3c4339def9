import { BadRequestException, ConflictException, ForbiddenException, HttpException } from '@nestjs/common';
import { KafkaRetriableException, RpcException } from '@nestjs/microservices';
import { KrafkaConfigError, KrafkaSerializationError, seededRandom } from '../../core/support/index.js';
import { isWorthRetrying } from './classify.js';
import { checkFailureOptions, DEFAULT_FAILURE_POLICY, failurePolicy } from './failure-policy.js';
import { judge } from './verdict.js';

const random = { ...seededRandom(1), next: () => 0.5 };

describe('A failure policy', () => {
  it('is finite and loses nothing where nobody says otherwise', () => {
    expect(DEFAULT_FAILURE_POLICY).toEqual({
      retries: 3,
      backoffMs: 200,
      maxBackoffMs: 10_000,
      then: 'dead-letter',
      retryTopics: { delaysMs: [1_000, 10_000, 60_000] },
      neverRetry: [],
      alwaysRetry: [],
    });
  });

  it('takes what it leaves open from the next further out', () => {
    const outer = failurePolicy({ then: 'skip' }, DEFAULT_FAILURE_POLICY);
    expect(failurePolicy({ retries: 5 }, outer)).toEqual({ ...DEFAULT_FAILURE_POLICY, retries: 5, then: 'skip' });
    expect(failurePolicy(undefined, outer)).toBe(outer);
  });

  it.each([
    [{ retrys: 1 }, 'onFailure.retrys', /did you mean 'retries'/],
    [{ retries: -1 }, 'onFailure.retries', /at least 0/],
    [{ then: 'retry-topic' }, 'onFailure.then', /did you mean 'retry-topics'/],
    [{ then: 'skip', retryTopics: {} }, 'onFailure.retryTopics', /ignored with 'then: skip'/],
    [{ retryTopics: { delaysMs: [] } }, 'onFailure.retryTopics.delaysMs', /1 to 20/],
    [{ neverRetry: ['TypeError'] }, 'onFailure.neverRetry[0]', /class of errors/],
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
    const policy = { ...DEFAULT_FAILURE_POLICY, retries: 4, backoffMs: 100, maxBackoffMs: 300, then: 'skip' } as const;
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

describe('Retry topics', () => {
  const policy = failurePolicy({ retries: 1, retryTopics: { delaysMs: [5, 50] } }, DEFAULT_FAILURE_POLICY);

  it('have the record after the retries in place, one after the other, and then the dead-letter topic', () => {
    const because = 'the retries are used up';
    expect(policy.then).toBe('retry-topics');
    expect(judge(policy, 1, new Error('no'), random)).toMatchObject({ kind: 'retry' });
    expect(judge(policy, 2, new Error('no'), random)).toEqual({ kind: 'retry-topic', hop: 0, afterMs: 5, because });
    expect(judge(policy, 1, new Error('no'), random, 0)).toEqual({ kind: 'retry-topic', hop: 1, afterMs: 50, because });
    expect(judge(policy, 1, new Error('no'), random, 1)).toEqual({ kind: 'dead-letter', because });
  });

  it('are spared what can only fail again', () => {
    expect(judge(policy, 1, new BadRequestException(), random)).toMatchObject({ kind: 'dead-letter' });
  });
});

describe('An error', () => {
  class Hopeless extends Error {}
  class Hasty extends BadRequestException {}

  it('is what the policy says it is, subclasses too', () => {
    const policy = { neverRetry: [Hopeless], alwaysRetry: [BadRequestException] };
    expect(isWorthRetrying(new Hopeless(), policy)).toBe(false);
    expect(isWorthRetrying(new Hasty(), policy)).toBe(true);
    expect(isWorthRetrying(new Error('no'), policy)).toBe(true);
  });

  it.each([
    ['a refused payload', new BadRequestException()],
    ['a refused caller', new ForbiddenException()],
    ['any status from 400 to 499', new ConflictException()],
    ["a guard's refusal", new RpcException('Forbidden resource')],
    ['an RpcException that carries such a status', new RpcException({ statusCode: 422, message: 'no' })],
    ['a plain object with such a status', { status: 404 }],
    [
      "an RpcException of class-validator's errors",
      new RpcException([{ property: 'id', constraints: { isInt: 'no' } }]),
    ],
    ["class-validator's errors themselves", [{ property: 'line', children: [] }]],
    ['something that has no form as bytes', new KrafkaSerializationError('no')],
  ])('is not worth a retry: %s', (_what, error) => {
    expect(isWorthRetrying(error)).toBe(false);
  });

  it.each([
    ['an ordinary one', new Error('no')],
    ['nothing', undefined],
    ['a text', 'no'],
    ['a list of something else', new RpcException([{ id: 1 }])],
    ['an empty list', []],
    ["Nest's own words", { status: 'error', message: 'Internal server error' }],
    ['a server error', new HttpException('no', 503)],
    ['too many requests', new HttpException('no', 429)],
    ['one that asks for it, whatever it says', new KafkaRetriableException({ statusCode: 400 })],
  ])('is worth a retry: %s', (_what, error) => {
    expect(isWorthRetrying(error)).toBe(true);
  });
});
