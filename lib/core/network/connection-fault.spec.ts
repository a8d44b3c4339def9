import { KrafkaAuthenticationError, KrafkaConnectionError, KrafkaTimeoutError } from '../support/index.js';
import { connectionFault } from './connection-fault.js';

const faulty = (code: string, message = 'something'): Error => Object.assign(new Error(message), { code });

describe('connectionFault', () => {
  it.each([
    'ERR_TLS_CERT_ALTNAME_INVALID',
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'SELF_SIGNED_CERT_IN_CHAIN',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    'CERT_HAS_EXPIRED',
    'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
    'ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE',
    'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA',
  ])('takes %s for a failed authentication, which trying again does not mend', (code) => {
    const error = connectionFault('b:9093', 'connecting', faulty(code));
    expect(error).toBeInstanceOf(KrafkaAuthenticationError);
    expect(error).toMatchObject({ address: 'b:9093', retriable: false });
  });

  it.each(['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH'])(
    'takes %s for the network, which trying again may mend',
    (code) => {
      const cause = faulty(code);
      const error = connectionFault('b:9093', 'connecting', cause);
      expect(error).toBeInstanceOf(KrafkaConnectionError);
      expect(error).toMatchObject({ address: 'b:9093', retriable: true, cause });
      expect(error.message).toContain(code);
    },
  );

  it('tells of a port that speaks no TLS', () => {
    const error = connectionFault('b:9092', 'connecting', faulty('ERR_SSL_WRONG_VERSION_NUMBER'));
    expect(error).toMatchObject({ code: 'NOT_TLS', retriable: false });
    expect(error.message).toMatch(/b:9092: .*TLS/);
  });

  it('names every attempt of happy eyeballs', () => {
    const both = new AggregateError([faulty('ECONNREFUSED', 'connect ECONNREFUSED ::1:1'), faulty('ETIMEDOUT', '')]);
    expect(connectionFault('localhost:1', 'connecting', both).message).toBe(
      'localhost:1: connecting failed: connect ECONNREFUSED ::1:1; ETIMEDOUT',
    );
  });

  it('leaves what is typed already as it is', () => {
    const timeout = new KrafkaTimeoutError({ budget: 'x', budgetMs: 1, waitedFor: 'y' });
    expect(connectionFault('b:1', 'connecting', timeout)).toBe(timeout);
  });
});
