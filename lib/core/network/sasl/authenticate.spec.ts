import { inspect } from 'node:util';
import { ERROR_CODES } from '../../protocol/index.js';
import { KrafkaAuthenticationError, KrafkaConnectionError } from '../../support/index.js';
import { authenticate, type SaslExchange } from './authenticate.js';
import { OAuthBearerMechanism } from './oauthbearer.js';
import { PlainMechanism } from './plain.js';
import type { SaslMechanism } from './sasl-mechanism.js';
import { ScramMechanism } from './scram.js';

const SECRET = 'hunter2-secret';
const context = {
  address: 'b:9092',
  randomBytes: (length: number) => Buffer.alloc(length, 1),
  signal: new AbortController().signal,
};

interface Answer {
  readonly errorCode?: number;
  readonly errorMessage?: string | null;
  readonly authBytes?: Buffer;
  readonly sessionLifetimeMs?: number;
}

/** A broker that gives these answers one after the other, the last one for ever. */
class Broker implements SaslExchange {
  readonly heard: string[] = [];
  handshakeError = 0;
  mechanisms = ['PLAIN'];
  readonly #answers: readonly Answer[];

  constructor(...answers: readonly Answer[]) {
    this.#answers = answers;
  }

  readonly handshake = async ({ mechanism }: { mechanism: string }) => {
    this.heard.push(mechanism);
    return { errorCode: this.handshakeError, mechanisms: this.mechanisms };
  };

  readonly authenticate = async ({ authBytes }: { authBytes: Buffer }) => {
    const answer = this.#answers[Math.min(this.heard.length, this.#answers.length) - 1];
    this.heard.push(authBytes.toString());
    return { errorCode: 0, errorMessage: null, authBytes: Buffer.alloc(0), sessionLifetimeMs: 0, ...answer };
  };
}

async function failure(mechanism: SaslMechanism, broker: Broker): Promise<Error> {
  return await authenticate(mechanism, context, broker).then(
    () => Promise.reject(new Error('was let in')),
    (error: Error) => error,
  );
}

const plain = new PlainMechanism('ann', SECRET);

describe('authenticate', () => {
  it('says PLAIN as RFC 4616 has it, and answers for how long it holds', async () => {
    const broker = new Broker({ sessionLifetimeMs: 60_000 });
    expect(await authenticate(plain, context, broker)).toBe(60_000);
    expect(broker.heard).toEqual(['PLAIN', `\0ann\0${SECRET}`]);
  });

  it('names whom to act as under PLAIN', async () => {
    const broker = new Broker({});
    await authenticate(new PlainMechanism('ann', 'pw', 'bob'), context, broker);
    expect(broker.heard[1]).toBe('bob\0ann\0pw');
  });

  it("is a KrafkaAuthenticationError with address, mechanism and the broker's words when the password is wrong", async () => {
    const broker = new Broker({
      errorCode: ERROR_CODES.SASL_AUTHENTICATION_FAILED,
      errorMessage: 'Invalid username or password',
    });
    const error = await failure(plain, broker);
    expect(error).toBeInstanceOf(KrafkaAuthenticationError);
    expect(error).toMatchObject({ address: 'b:9092', retriable: false });
    expect(error.message).toMatch(/b:9092: .*PLAIN.*Invalid username or password/);
    expect(inspect(error, { depth: Infinity, showHidden: true })).not.toContain(SECRET);
  });

  it('names the mechanisms that a broker takes when ours is not among them', async () => {
    const broker = new Broker({});
    broker.handshakeError = ERROR_CODES.UNSUPPORTED_SASL_MECHANISM;
    broker.mechanisms = ['SCRAM-SHA-512', 'OAUTHBEARER'];
    const error = await failure(plain, broker);
    expect(error).toBeInstanceOf(KrafkaAuthenticationError);
    expect(error.message).toContain('does not take PLAIN; it takes SCRAM-SHA-512, OAUTHBEARER');
  });

  it('guesses at a listener without SASL', async () => {
    const broker = new Broker({});
    broker.handshakeError = ERROR_CODES.ILLEGAL_SASL_STATE;
    expect((await failure(plain, broker)).message).toMatch(/listener without SASL/);
  });

  it('does not take a broker that can not prove itself for the broker', async () => {
    const serverFirst = `r=${Buffer.alloc(24, 1).toString('base64')}X,s=c2FsdA==,i=4096`;
    const broker = new Broker({ authBytes: Buffer.from(serverFirst) }, { authBytes: Buffer.from('v=AAAA') });
    const error = await failure(new ScramMechanism('sha256', 'ann', SECRET), broker);
    expect(error).toBeInstanceOf(KrafkaAuthenticationError);
    expect(error.message).toMatch(/SCRAM-SHA-256: .*signature/);
    expect(inspect(error, { depth: Infinity, showHidden: true })).not.toContain(SECRET);
  });

  it('does not take a broker that leaves its proof out for the broker', async () => {
    const serverFirst = `r=${Buffer.alloc(24, 1).toString('base64')}X,s=c2FsdA==,i=4096`;
    const broker = new Broker({ authBytes: Buffer.from(serverFirst) }, {});
    await expect(authenticate(new ScramMechanism('sha256', 'a', 'b'), context, broker)).rejects.toThrow(/signature/);
  });

  it('lets no broker go on for ever', async () => {
    const endless: SaslMechanism = { name: 'ENDLESS', begin: () => ({ respond: () => Buffer.from('again') }) };
    const broker = new Broker({});
    expect((await failure(endless, broker)).message).toMatch(/does not come to an end/);
    expect(broker.heard.length).toBeLessThan(20);
  });

  it('passes on what the network says, as it is', async () => {
    const broker = new Broker({});
    const reset = new KrafkaConnectionError('b:9092', 'reset');
    const failing: SaslExchange = { handshake: broker.handshake, authenticate: () => Promise.reject(reset) };
    await expect(authenticate(plain, context, failing)).rejects.toBe(reset);
  });
});

describe('OAuthBearerMechanism', () => {
  it('sends the token and its extensions as RFC 7628 and KIP-342 have it', async () => {
    const broker = new Broker({ sessionLifetimeMs: 5 });
    const mechanism = new OAuthBearerMechanism(() => ({ value: SECRET, extensions: { traceId: 'own' } }), {
      logicalCluster: 'lkc',
      traceId: 'all',
    });
    expect(await authenticate(mechanism, context, broker)).toBe(5);
    expect(broker.heard[1]).toBe(`n,,\u0001auth=Bearer ${SECRET}\u0001logicalCluster=lkc\u0001traceId=own\u0001\u0001`);
  });

  it('asks its provider anew every time', async () => {
    let asked = 0;
    const mechanism = new OAuthBearerMechanism(async () => `token${++asked}`);
    const broker = new Broker({});
    await authenticate(mechanism, context, broker);
    await authenticate(mechanism, context, broker);
    expect(broker.heard.filter((text) => /token1|token2/.test(text))).toHaveLength(2);
  });

  it('answers a refusal in JSON, to hear what it means', async () => {
    const broker = new Broker(
      { authBytes: Buffer.from('{"status":"invalid_token"}') },
      { errorCode: ERROR_CODES.SASL_AUTHENTICATION_FAILED, errorMessage: '{"status":"invalid_token"}' },
    );
    const error = await failure(new OAuthBearerMechanism(() => SECRET), broker);
    expect(broker.heard[2]).toBe('\u0001');
    expect(error).toBeInstanceOf(KrafkaAuthenticationError);
    expect(error.message).toContain('invalid_token');
    expect(inspect(error, { depth: Infinity })).not.toContain(SECRET);
  });

  it.each([
    ['a provider that fails', () => Promise.reject(new Error('503'))],
    ['a provider that gives nothing', () => undefined as unknown as string],
    ['a token that can not be sent', () => 'line\nbreak'],
    ['an extension that can not be named', () => ({ value: 't', extensions: { auth: 'x' } })],
    ['an extension with a separator in it', () => ({ value: 't', extensions: { a: 'x\u0001y' } })],
  ])('makes a retriable error of %s: nobody was refused', async (_what, provider) => {
    const error = await failure(new OAuthBearerMechanism(provider), new Broker({}));
    expect(error).toBeInstanceOf(KrafkaConnectionError);
    expect(error).toMatchObject({ code: 'TOKEN_PROVIDER', retriable: true, address: 'b:9092' });
  });
});
