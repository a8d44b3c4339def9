import { inspect } from 'node:util';
import { Metadata, Produce } from '../../../lib/core/protocol/index.js';
import { BrokerConnection, ConnectionConfig, type ConnectionOptions } from '../../../lib/core/network/index.js';
import { KrafkaAuthenticationError } from '../../../lib/core/support/index.js';
import { EmbeddedBroker } from '../../../lib/testing/index.js';
import { testTls } from '../../support/tls/index.js';
import { BY_NAME, produceTo } from './records.js';

const metadata = { topics: [], allowAutoTopicCreation: false };
const PASSWORD = 'p\u00e4ss-w\u00f6rd,=with';

let broker: EmbeddedBroker | undefined;
afterEach(async () => {
  await broker?.close();
  broker = undefined;
});

async function start(options: Parameters<typeof EmbeddedBroker.start>[0]): Promise<string> {
  broker = await EmbeddedBroker.start({ topics: { t: 1 }, ...options });
  return broker.bootstrap;
}

/** How many brokers somebody sees who is let in. */
async function brokersSeenAt(address: string, options: ConnectionOptions): Promise<number> {
  const connection = await BrokerConnection.connect(address, ConnectionConfig.from(options));
  const { brokers } = await connection.sendRequest(Metadata, metadata);
  await connection.close();
  return brokers.length;
}

async function refused(address: string, options: ConnectionOptions): Promise<Error> {
  const connection = await BrokerConnection.connect(address, ConnectionConfig.from(options)).catch(
    (error: Error) => error,
  );
  if (connection instanceof Error) return connection;
  // With TLS 1.3 a server refuses a client's certificate only after the client believes to be connected.
  return await connection.sendRequest(Metadata, metadata).then(
    () => Promise.reject(new Error('was let in')),
    (error: Error) => error,
  );
}

describe('TLS', () => {
  const { client, server, ca } = testTls;

  it('is verified against the given authority, by name and by address', async () => {
    const address = await start({ tls: server });
    expect(await brokersSeenAt(address, { tls: { ca } })).toBe(1);
    expect(await brokersSeenAt(address, { tls: { ca, servername: 'localhost' } })).toBe(1);
    expect(await brokersSeenAt(`localhost:${address.split(':')[1]}`, { tls: { ca } })).toBe(1);
  });

  it('can be left unverified, by saying so', async () => {
    expect(await brokersSeenAt(await start({ tls: server }), { tls: { rejectUnauthorized: false } })).toBe(1);
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'shows a client certificate where the broker asks for one (%s)',
    async (version) => {
      const address = await start({ tls: { ...server, clientCa: ca } });
      const tls = { ca, minVersion: version, maxVersion: version };
      expect(await brokersSeenAt(address, { tls: { ...tls, cert: client.cert, key: client.key } })).toBe(1);
      const { encryptedKey, passphrase } = client;
      expect(await brokersSeenAt(address, { tls: { ...tls, cert: client.cert, key: encryptedKey, passphrase } })).toBe(
        1,
      );
      const error = await refused(address, { tls });
      expect(error).toBeInstanceOf(KrafkaAuthenticationError);
      expect(error).toMatchObject({ address, retriable: false });
      expect(error.message).toMatch(/refused the TLS handshake/);
    },
  );

  it('brings large values there and back whole', async () => {
    const address = await start({ tls: server });
    const connection = await BrokerConnection.connect(address, ConnectionConfig.from({ tls: { ca } }));
    const answers = await Promise.all(
      [900_000, 10, 100_000].map((bytes) =>
        connection.sendRequest(Produce, produceTo('t', 'v'.repeat(bytes)), BY_NAME),
      ),
    );
    expect(answers.map(({ responses }) => responses[0]?.partitionResponses[0]?.errorCode)).toEqual([0, 0, 0]);
    expect(broker?.records('t').map((record) => record.value?.length)).toEqual([900_000, 10, 100_000]);
    await connection.close();
  });
});

describe.each(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const)('SASL %s', (mechanism) => {
  const users = { 'ann=a,b': PASSWORD };

  it('lets in who knows the password', async () => {
    const address = await start({ sasl: { mechanism, users } });
    expect(await brokersSeenAt(address, { sasl: { mechanism, username: 'ann=a,b', password: PASSWORD } })).toBe(1);
  });

  it('works inside TLS', async () => {
    const address = await start({ sasl: { mechanism, users }, tls: testTls.server });
    expect(
      await brokersSeenAt(address, {
        tls: { ca: testTls.ca },
        sasl: { mechanism, username: 'ann=a,b', password: PASSWORD },
      }),
    ).toBe(1);
  });

  it.each([
    ['a wrong password', 'ann=a,b', `${PASSWORD}!`],
    ['an unknown name', 'bob', PASSWORD],
  ])('keeps out who comes with %s, and repeats no secret', async (_what, username, password) => {
    const address = await start({ sasl: { mechanism, users } });
    const error = await refused(address, { sasl: { mechanism, username, password } });
    expect(error).toBeInstanceOf(KrafkaAuthenticationError);
    expect(error).toMatchObject({ address, retriable: false });
    expect(error.message).toContain(mechanism);
    expect(inspect(error, { depth: Infinity, showHidden: true })).not.toContain(PASSWORD);
  });

  it('names the mechanism that a broker wants instead', async () => {
    const address = await start({ sasl: { mechanism, users } });
    const error = await refused(address, { sasl: { mechanism: 'oauthbearer', tokenProvider: () => 'token' } });
    expect(error).toBeInstanceOf(KrafkaAuthenticationError);
    expect(error.message).toContain(`takes ${mechanism}`);
  });

  it('is suspected when a client without it is turned away', async () => {
    const error = await refused(await start({ sasl: { mechanism, users } }), {});
    expect(error.message).toMatch(/'sasl'/);
  });
});

it('tells a client that brings credentials where nobody asks for them', async () => {
  const address = await start({});
  const error = await refused(address, { sasl: { mechanism: 'plain', username: 'ann', password: PASSWORD } });
  expect(error).toBeInstanceOf(KrafkaAuthenticationError);
  expect(error.message).toMatch(/listener without SASL/);
});
