import { createSecureContext } from 'node:tls';
import { inspect } from 'node:util';
import { testTls } from '../../../test/support/tls/index.js';
import { KrafkaConfigError } from '../support/index.js';
import { ConnectionConfig } from './connection-config.js';
import type { ConnectionOptions } from './connection-options.js';

const SECRET = 'hunter2-secret';

function refusal(options: unknown): KrafkaConfigError {
  try {
    ConnectionConfig.from(options as ConnectionOptions);
  } catch (error) {
    if (error instanceof KrafkaConfigError) return error;
    throw error;
  }
  throw new Error('was not refused');
}

describe('ConnectionConfig', () => {
  it('has the defaults of the guide', () => {
    expect(ConnectionConfig.from()).toMatchObject({
      clientId: 'krafka',
      connectionsPerBroker: 1,
      highPriorityChannelCapacity: 64,
      normalPriorityChannelCapacity: 256,
      maxInFlight: 5,
      requestTimeoutMs: 30_000,
      connectTimeoutMs: 10_000,
      idleTimeoutMs: 540_000,
      maxResponseSize: 104_857_600,
      reconnectBackoffMs: 50,
      reconnectBackoffMaxMs: 1_000,
      keepAliveMs: 30_000,
      tls: undefined,
      sasl: undefined,
    });
  });

  it('is frozen, and given back as it is when it is one already', () => {
    const config = ConnectionConfig.from({ connectionsPerBroker: 4 });
    expect(Object.isFrozen(config)).toBe(true);
    expect(ConnectionConfig.from(config)).toBe(config);
    expect(config).toBeInstanceOf(ConnectionConfig);
  });

  it('names an unknown option and the nearest known one', () => {
    expect(refusal({ connectionPerBroker: 2 })).toMatchObject({
      option: 'connectionPerBroker',
      nearest: 'connectionsPerBroker',
    });
    expect(refusal({ tls: { rejectUnauthorised: true } })).toMatchObject({
      option: 'tls.rejectUnauthorised',
      nearest: 'rejectUnauthorized',
    });
    expect(refusal({ sasl: { mechanism: 'plain', user: 'a', password: 'b' } }).option).toBe('sasl.user');
  });

  it('puts the path of its owner before the name', () => {
    expect(() => ConnectionConfig.from({ maxInFlight: 0 }, 'connection')).toThrow("'connection.maxInFlight'");
    const swapped = { reconnectBackoffMs: 10, reconnectBackoffMaxMs: 5 };
    expect(() => ConnectionConfig.from(swapped, 'connection')).toThrow("'connection.reconnectBackoffMaxMs'");
  });

  it.each([
    [{ connectionsPerBroker: 0 }, 'connectionsPerBroker'],
    [{ connectionsPerBroker: 65 }, 'connectionsPerBroker'],
    [{ connectionsPerBroker: 1.5 }, 'connectionsPerBroker'],
    [{ highPriorityChannelCapacity: '64' }, 'highPriorityChannelCapacity'],
    [{ normalPriorityChannelCapacity: 0 }, 'normalPriorityChannelCapacity'],
    [{ requestTimeoutMs: 0 }, 'requestTimeoutMs'],
    [{ requestTimeoutMs: 90_000_000 }, 'requestTimeoutMs'],
    [{ connectTimeoutMs: Infinity }, 'connectTimeoutMs'],
    [{ idleTimeoutMs: -1 }, 'idleTimeoutMs'],
    [{ maxResponseSize: 1_023 }, 'maxResponseSize'],
    [{ clientId: '' }, 'clientId'],
    [{ clientId: 'x'.repeat(250) }, 'clientId'],
    [{ reconnectBackoffMs: 100, reconnectBackoffMaxMs: 50 }, 'reconnectBackoffMaxMs'],
    [{ tls: 'yes' }, 'tls'],
    [{ tls: { servername: '10.0.0.1' } }, 'tls.servername'],
    [{ tls: { minVersion: 'TLSv1.4' } }, 'tls.minVersion'],
    [{ tls: { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.2' } }, 'tls.maxVersion'],
    [{ tls: { maxVersion: 'TLSv1.1' } }, 'tls.maxVersion'],
    [{ tls: { secureContext: {} } }, 'tls.secureContext'],
    [{ tls: { ALPNProtocols: [] } }, 'tls.ALPNProtocols'],
    [{ tls: { ALPNProtocols: [''] } }, 'tls.ALPNProtocols'],
    [{ tls: { ALPNProtocols: [1] } }, 'tls.ALPNProtocols'],
    [{ tls: { ALPNProtocols: ['x'.repeat(256)] } }, 'tls.ALPNProtocols'],
    [{ tls: { ALPNProtocols: Buffer.from('\x02kafka', 'latin1') } }, 'tls.ALPNProtocols'],
    [{ tls: { ALPNProtocols: Buffer.from('\x05kafka\0', 'latin1') } }, 'tls.ALPNProtocols'],
    [{ sasl: 'plain' }, 'sasl'],
    [{ sasl: {} }, 'sasl.mechanism'],
    [{ sasl: { mechanism: 'scram-sha-1', username: 'a', password: 'b' } }, 'sasl.mechanism'],
    [{ sasl: { mechanism: 'plain', username: 'a' } }, 'sasl.password'],
    [{ sasl: { mechanism: 'plain', username: 'a\0b', password: 'c' } }, 'sasl.username'],
    [{ sasl: { mechanism: 'plain', username: 'a', password: '\ud800' } }, 'sasl.password'],
    [{ sasl: { mechanism: 'oauthbearer', tokenProvider: 'token' } }, 'sasl.tokenProvider'],
    [{ sasl: { name: 'GSSAPI', begin: 'now' } }, 'sasl'],
    [{ sasl: { begin: () => undefined } }, 'sasl.name'],
  ])('refuses %j, naming the option', (options, option) => {
    expect(refusal(options).option).toBe(option);
  });

  it.each([
    ['a passphrase without a key', { tls: { passphrase: 'x' } }, 'tls.passphrase'],
    ['a key without its certificate', { tls: { key: 'x' } }, 'tls.key'],
    ['a certificate without its key', { tls: { cert: 'x' } }, 'tls.cert'],
    ['a key beside a pfx', { tls: { pfx: 'x', key: 'y', cert: 'z' } }, 'tls.cert'],
    ['an authority nobody is held against', { tls: { ca: 'x', rejectUnauthorized: false } }, 'tls.ca'],
    [
      'a check nobody listens to',
      { tls: { checkServerIdentity: () => undefined, rejectUnauthorized: false } },
      'tls.checkServerIdentity',
    ],
    ['parts beside a whole context', { tls: { secureContext: createSecureContext(), ca: 'x' } }, 'tls.ca'],
    [
      'a token provider for a password mechanism',
      { sasl: { mechanism: 'plain', username: 'a', password: 'b', tokenProvider: (): string => 't' } },
      'sasl.tokenProvider',
    ],
    [
      'a password for a token mechanism',
      { sasl: { mechanism: 'oauthbearer', tokenProvider: (): string => 't', password: 'b' } },
      'sasl.password',
    ],
  ])('refuses %s, because it would be ignored', (_what, options, option) => {
    expect(refusal(options).option).toBe(option);
  });

  it('tells at once of keys that can not be read, without showing them', () => {
    const error = refusal({ tls: { ca: 'nonsense', cert: 'nonsense', key: SECRET } });
    expect(error.option).toBe('tls');
    expect(inspect(error)).not.toContain(SECRET);
  });

  it.each<[string, (secret: unknown) => object]>([
    ['a password', (password) => ({ sasl: { mechanism: 'plain', username: 'ann', password } })],
    ['a SCRAM password', (password) => ({ sasl: { mechanism: 'scram-sha-512', username: 'ann', password } })],
    ['a passphrase', (passphrase) => ({ tls: { passphrase } })],
  ])('shows nothing of %s that is no text', (_what, optionsWith) => {
    for (const secret of [31_337, 31_337n, [31_337], true]) {
      const error = refusal(optionsWith(secret));
      expect(error.option).toMatch(/^(sasl\.password|tls\.passphrase)$/);
      expect(inspect(error)).not.toMatch(/31_?337/);
      expect(error.message).not.toContain('true');
    }
  });

  it('takes the names of mechanisms in either case', () => {
    const sasl = { mechanism: 'SCRAM-SHA-512', username: 'a', password: 'b' } as const;
    expect(ConnectionConfig.from({ sasl }).sasl?.name).toBe('SCRAM-SHA-512');
  });

  it("takes a mechanism of one's own", () => {
    const sasl = { name: 'CUSTOM', begin: () => ({ respond: () => undefined }) };
    expect(ConnectionConfig.from({ sasl }).sasl).toBe(sasl);
  });

  it.each([
    ['plain', { sasl: { mechanism: 'plain', username: 'ann', password: SECRET } }],
    ['scram', { sasl: { mechanism: 'scram-sha-256', username: 'ann', password: SECRET } }],
    [
      'a token',
      { sasl: { mechanism: 'oauthbearer', tokenProvider: (): string => SECRET, extensions: { key: SECRET } } },
    ],
    ['a mechanism of its own', { sasl: { name: 'CUSTOM', begin: () => undefined, secret: SECRET } }],
  ])('shows nothing of the secret of %s, however it is printed', (_what, options) => {
    const config = ConnectionConfig.from(options as ConnectionOptions);
    for (const printed of [
      inspect(config, { depth: Infinity, showHidden: true }),
      inspect({ nested: { config } }, { depth: Infinity }),
      JSON.stringify(config),
      JSON.stringify({ nested: config }),
      inspect(config.tls),
    ]) {
      expect(printed).not.toContain(SECRET);
    }
  });

  it.each([
    { mechanism: 'plain', username: 'ann', password: SECRET },
    { mechanism: 'scram-sha-256', username: 'ann', password: SECRET },
    { mechanism: 'oauthbearer', tokenProvider: (): string => SECRET, extensions: { key: SECRET } },
  ] as const)('keeps the secret of $mechanism even when the mechanism itself is printed', (sasl) => {
    const config = ConnectionConfig.from({ sasl });
    expect(inspect(config.sasl, { depth: Infinity, showHidden: true })).not.toContain(SECRET);
    expect(JSON.stringify(config.sasl)).not.toContain(SECRET);
  });

  it('shows nothing of TLS keys, but that they are there', () => {
    const { cert, encryptedKey, passphrase } = testTls.client;
    const tls = { ca: testTls.ca, cert, key: encryptedKey, passphrase, servername: 'kafka.test' };
    const config = ConnectionConfig.from({ tls });
    expect(config.tls?.toJSON()).toEqual({
      ca: '[given]',
      cert: '[given]',
      key: '[given]',
      passphrase: '[given]',
      servername: 'kafka.test',
    });
    const printed = inspect(config, { depth: Infinity, showHidden: true }) + JSON.stringify(config);
    expect(printed).not.toContain(passphrase);
    expect(printed).not.toContain('PRIVATE KEY');
  });

  it('refuses a passphrase that does not open the key, without showing it', () => {
    const { cert, encryptedKey } = testTls.client;
    const error = refusal({ tls: { cert, key: encryptedKey, passphrase: SECRET } });
    expect(error.option).toBe('tls');
    expect(inspect(error)).not.toContain(SECRET);
  });

  it('can be had again with some options changed', () => {
    const config = ConnectionConfig.from({
      maxInFlight: 3,
      tls: true,
      sasl: { mechanism: 'plain', username: 'a', password: 'b' },
    });
    const changed = config.with({ clientId: 'etl' });
    expect(changed).toMatchObject({ clientId: 'etl', maxInFlight: 3 });
    expect(changed.sasl).toBe(config.sasl);
    expect(changed.tls).toBe(config.tls);
    expect(() => config.with({ maxInFlight: -1 })).toThrow(KrafkaConfigError);
  });
});
