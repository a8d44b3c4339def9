import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import tls from 'node:tls';
import { once } from 'node:events';
import {
  ApiVersions,
  Metadata,
  SaslAuthenticate,
  SaslHandshake,
  encodeRequestFrame,
  errorName,
} from '../../core/protocol/index.js';
import { EmbeddedBroker } from '../embedded-broker.js';
import { WireClient } from '../spec-support/wire-client.js';

const users = { ann: 'secret', 'a,b=c': 'other' };
const plain = (user: string, password: string, as = ''): Buffer => Buffer.from(`${as}\0${user}\0${password}`);

describe.each(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const)('authentication by %s', (mechanism) => {
  let broker: EmbeddedBroker;
  let client: WireClient;

  beforeEach(async () => {
    broker = await EmbeddedBroker.start({ sasl: { mechanism, users } });
    client = await WireClient.connect(broker.bootstrap);
  });
  afterEach(async () => {
    await client.close();
    await broker.close();
  });

  const handshake = async (name: string = mechanism) => client.send(SaslHandshake, 1, { mechanism: name });
  const authenticate = async (authBytes: Buffer) => {
    const answer = await client.send(SaslAuthenticate, 2, { authBytes });
    return { ...answer, error: errorName(answer.errorCode) };
  };

  /** Runs the exchange as a client does; the error it ends with. */
  const logIn = async (user: string, password: string): Promise<string> => {
    await handshake();
    if (mechanism === 'PLAIN') return (await authenticate(plain(user, password))).error;
    const scram = new ScramClient(mechanism === 'SCRAM-SHA-256' ? 'sha256' : 'sha512', user, password);
    const first = await authenticate(scram.first());
    if (first.error !== 'NONE') return first.error;
    const final = await authenticate(scram.final(first.authBytes.toString()));
    if (final.error === 'NONE') expect(final.authBytes.toString()).toBe(scram.serverSignature);
    return final.error;
  };

  it('lets in who knows the password', async () => {
    expect(await logIn('ann', 'secret')).toBe('NONE');
    expect((await client.send(Metadata, 9, { topics: null })).brokers).toHaveLength(1);
  });

  it('lets in a user whose name has signs of the mechanism’s own', async () => {
    expect(await logIn('a,b=c', 'other')).toBe('NONE');
  });

  it.each([
    ['a wrong password', 'ann', 'wrong'],
    ['a user there is not', 'bob', 'secret'],
    ['a name that every object has', 'constructor', 'secret'],
  ])('says no to %s, and hangs up', async (_what, user, password) => {
    expect(await logIn(user, password)).toBe('SASL_AUTHENTICATION_FAILED');
    await client.closed();
  });

  it('hangs up on who asks for anything before', async () => {
    await client.send(ApiVersions, 3, { clientSoftwareName: 'a', clientSoftwareVersion: '1' });
    client.write(Metadata, 9, { topics: null });
    await client.closed();
  });

  it('hangs up on who asks for anything in between', async () => {
    await handshake();
    client.write(ApiVersions, 0, {});
    await client.closed();
  });

  it('names the mechanism that it has to who asks for another', async () => {
    const answer = await handshake('OAUTHBEARER');
    expect([errorName(answer.errorCode), answer.mechanisms]).toEqual(['UNSUPPORTED_SASL_MECHANISM', [mechanism]]);
    await client.closed();
  });

  it('can be done again by the same user, and by no other', async () => {
    expect(await logIn('ann', 'secret')).toBe('NONE');
    expect(await logIn('ann', 'secret')).toBe('NONE');
    await client.send(Metadata, 9, { topics: null });
    expect(await logIn('a,b=c', 'other')).toBe('SASL_AUTHENTICATION_FAILED');
  });

  it('refuses what is no token of the mechanism', async () => {
    await handshake();
    expect((await authenticate(Buffer.from('nonsense'))).error).toBe('SASL_AUTHENTICATION_FAILED');
    await client.closed();
  });
});

describe.each(['SCRAM-SHA-256', 'SCRAM-SHA-512'] as const)('authentication by %s', (mechanism) => {
  it('takes a proof for the nonce that it gave only', async () => {
    const broker = await EmbeddedBroker.start({ sasl: { mechanism, users } });
    const client = await WireClient.connect(broker.bootstrap);
    await client.send(SaslHandshake, 1, { mechanism });
    const scram = new ScramClient(mechanism === 'SCRAM-SHA-256' ? 'sha256' : 'sha512', 'ann', 'secret');
    const first = await client.send(SaslAuthenticate, 2, { authBytes: scram.first() });
    const authBytes = scram.final(first.authBytes.toString(), 'clientnonceother');
    const final = await client.send(SaslAuthenticate, 2, { authBytes });
    expect(errorName(final.errorCode)).toBe('SASL_AUTHENTICATION_FAILED');
    await client.close();
    await broker.close();
  });
});

describe('authentication', () => {
  it('takes tokens without a header after the first version of the handshake', async () => {
    const broker = await EmbeddedBroker.start({ sasl: { mechanism: 'PLAIN', users } });
    const client = await WireClient.connect(broker.bootstrap);
    await client.send(SaslHandshake, 0, { mechanism: 'PLAIN' });
    const token = plain('ann', 'secret', 'ann');
    const length = Buffer.alloc(4);
    length.writeInt32BE(token.length, 0);
    client.writeRaw(Buffer.concat([length, token]));
    expect(await client.frame()).toHaveLength(0);
    await client.send(Metadata, 9, { topics: null });
    await client.close();
    await broker.close();
  });

  it('is not asked for where there is none', async () => {
    const broker = await EmbeddedBroker.start();
    const client = await WireClient.connect(broker.bootstrap);
    const answer = await client.send(SaslHandshake, 1, { mechanism: 'PLAIN' });
    expect(errorName(answer.errorCode)).toBe('ILLEGAL_SASL_STATE');
    await client.close();
    await broker.close();
  });
});

describe('TLS', () => {
  const pem = (name: string): Buffer => readFileSync(join('test', 'support', 'tls', name));
  const server = () => ({ key: pem('server.key.pem'), cert: pem('server.cert.pem') });

  const connect = (broker: EmbeddedBroker, options: tls.ConnectionOptions = {}): Promise<tls.TLSSocket> => {
    const [host = '', port] = broker.bootstrap.split(':');
    const socket = tls.connect({ host, port: Number(port), ca: pem('authority.cert.pem'), ...options });
    return once(socket, 'secureConnect').then(() => socket);
  };
  const metadata = Buffer.concat(encodeRequestFrame(Metadata, 1, 7, null, { topics: [] }));

  it('wraps the protocol, and knows its connections', async () => {
    const broker = await EmbeddedBroker.start({ tls: server() });
    const socket = await connect(broker, { checkServerIdentity: () => undefined });
    socket.write(metadata);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.readInt32BE(4)).toBe(7);
    expect(broker.connections()).toBe(1);
    socket.destroy();
    await broker.close();
  });

  it('asks for a certificate where it is to', async () => {
    const broker = await EmbeddedBroker.start({ tls: { ...server(), clientCa: pem('authority.cert.pem') } });
    const known = await connect(broker, {
      key: pem('client.key.pem'),
      cert: pem('client.cert.pem'),
      checkServerIdentity: () => undefined,
    });
    known.write(metadata);
    await once(known, 'data');
    known.destroy();
    const stranger = await connect(broker, { checkServerIdentity: () => undefined });
    stranger.write(metadata);
    await expect(once(stranger, 'data')).rejects.toThrow(
      /certificate required|handshake failure|ECONNRESET|socket hang up/,
    );
    await broker.close();
  });

  it('does not keep the broker open for who never shakes hands', async () => {
    const broker = await EmbeddedBroker.start({ tls: server() });
    const client = await WireClient.connect(broker.bootstrap);
    await broker.close();
    await client.closed();
    expect(broker.connections()).toBe(0);
  });
});

/** A client of SCRAM (RFC 5802), written apart from the broker's side. */
class ScramClient {
  readonly #hash: 'sha256' | 'sha512';
  readonly #password: string;
  readonly #bare: string;
  serverSignature = '';

  constructor(hash: 'sha256' | 'sha512', user: string, password: string) {
    this.#hash = hash;
    this.#password = password;
    this.#bare = `n=${user.replaceAll('=', '=3D').replaceAll(',', '=2C')},r=clientnonce`;
  }

  first(): Buffer {
    return Buffer.from(`n,,${this.#bare}`);
  }

  final(server: string, nonce?: string): Buffer {
    const fields = new Map(server.split(',').map((field) => [field.slice(0, 1), field.slice(2)]));
    const salt = Buffer.from(fields.get('s') ?? '', 'base64');
    const length = this.#hash === 'sha256' ? 32 : 64;
    const salted = pbkdf2Sync(this.#password, salt, Number(fields.get('i')), length, this.#hash);
    const withoutProof = `c=biws,r=${nonce ?? fields.get('r') ?? ''}`;
    const message = `${this.#bare},${server},${withoutProof}`;
    const mac = (key: Buffer, text: string): Buffer => createHmac(this.#hash, key).update(text).digest();
    const clientKey = mac(salted, 'Client Key');
    const signature = mac(createHash(this.#hash).update(clientKey).digest(), message);
    const proof = Buffer.from(clientKey.map((byte, index) => byte ^ (signature[index] ?? 0)));
    this.serverSignature = `v=${mac(mac(salted, 'Server Key'), message).toString('base64')}`;
    return Buffer.from(`${withoutProof},p=${proof.toString('base64')}`);
  }
}
