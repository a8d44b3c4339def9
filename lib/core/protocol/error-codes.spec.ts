import {
  KrafkaAuthenticationError,
  KrafkaFencedError,
  KrafkaProtocolError,
  KrafkaRecordTooLargeError,
} from '../support/index.js';
import { ERROR_CODES, errorName, isRetriable, isStaleMetadata, protocolError } from './error-codes.js';

describe('error codes', () => {
  it('name every code from -1 to 133 exactly once', () => {
    const codes = Object.values(ERROR_CODES).toSorted((a, b) => a - b);
    expect(codes).toEqual(Array.from({ length: 135 }, (_, index) => index - 1));
  });

  it('go from name to code and back', () => {
    for (const [name, code] of Object.entries(ERROR_CODES)) expect(errorName(code)).toBe(name);
  });

  it('take a code of a newer broker for an unknown server error, and say which it was', () => {
    expect(errorName(9_999)).toBe('UNKNOWN_SERVER_ERROR');
    expect(isRetriable(9_999)).toBe(false);
    expect(protocolError(9_999).message).toContain('9999');
  });

  it('are retriable as the Java client has it', () => {
    expect(isRetriable(ERROR_CODES.NOT_COORDINATOR)).toBe(true);
    expect(isRetriable(ERROR_CODES.NOT_LEADER_OR_FOLLOWER)).toBe(true);
    expect(isRetriable(ERROR_CODES.REBALANCE_IN_PROGRESS)).toBe(false);
    expect(isRetriable(ERROR_CODES.NONE)).toBe(false);
  });

  it('know which of them mean stale metadata', () => {
    expect(isStaleMetadata(ERROR_CODES.FENCED_LEADER_EPOCH)).toBe(true);
    expect(isStaleMetadata(ERROR_CODES.REQUEST_TIMED_OUT)).toBe(false);
  });
});

describe('protocolError', () => {
  it("carries Kafka's name, where it happened and whether to try again", () => {
    const error = protocolError(ERROR_CODES.NOT_LEADER_OR_FOLLOWER, { api: 'Produce', topic: 'a', partition: 3 });
    expect(error).toBeInstanceOf(KrafkaProtocolError);
    expect(error).toMatchObject({
      code: 'NOT_LEADER_OR_FOLLOWER',
      retriable: true,
      topic: 'a',
      partition: 3,
      api: 'Produce',
    });
  });

  it("repeats the broker's own words", () => {
    expect(protocolError(ERROR_CODES.POLICY_VIOLATION, { detail: 'no dots' }).message).toContain('(no dots)');
  });

  it.each(['PRODUCER_FENCED', 'FENCED_INSTANCE_ID'] as const)('is a KrafkaFencedError for %s', (name) => {
    const error = protocolError(ERROR_CODES[name], { api: 'JoinGroup', detail: 'by b' });
    expect(error).toBeInstanceOf(KrafkaFencedError);
    expect(error.message).toMatch(new RegExp(`${name}.*JoinGroup.*by b`));
  });

  it('is a KrafkaRecordTooLargeError for a batch of a known topic', () => {
    expect(protocolError(ERROR_CODES.MESSAGE_TOO_LARGE, { topic: 'a' })).toBeInstanceOf(KrafkaRecordTooLargeError);
    expect(protocolError(ERROR_CODES.MESSAGE_TOO_LARGE)).toBeInstanceOf(KrafkaProtocolError);
  });

  it('is a KrafkaAuthenticationError naming the address for refused credentials', () => {
    const error = protocolError(ERROR_CODES.SASL_AUTHENTICATION_FAILED, { address: 'b:9092' });
    expect(error).toBeInstanceOf(KrafkaAuthenticationError);
    expect(error).toMatchObject({ address: 'b:9092', retriable: false });
  });
});
