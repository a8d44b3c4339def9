import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { BrokerConnection, ConnectionConfig, type ConnectionOptions } from '../../../lib/core/network/index.js';
import {
  KrafkaAuthenticationError,
  KrafkaConnectionError,
  KrafkaTimeoutError,
  type KrafkaError,
} from '../../../lib/core/support/index.js';
import { testTls } from '../../support/tls/index.js';

const servers: Server[] = [];
const sockets = new Set<Socket>();

async function listen(server: Server): Promise<string> {
  servers.push(server);
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
});

async function failure(address: string, options: ConnectionOptions = {}): Promise<KrafkaError> {
  return await BrokerConnection.connect(address, ConnectionConfig.from(options)).then(
    async (connection) => {
      await connection.close();
      throw new Error('was connected');
    },
    (error: KrafkaError) => error,
  );
}

const tlsServer = (): Server =>
  createTlsServer(testTls.server).on('tlsClientError', (_error, socket) => void socket.destroy());

describe('connecting to what is no broker', () => {
  it('names a port where nobody listens', async () => {
    const server = createServer();
    const address = await listen(server);
    await new Promise((resolve) => server.close(resolve));
    const error = await failure(address);
    expect(error).toBeInstanceOf(KrafkaConnectionError);
    expect(error).toMatchObject({ address, retriable: true });
    expect(error.message).toMatch(/ECONNREFUSED/);
  });

  it('names a host that nobody knows', async () => {
    const error = await failure('no-such-host.invalid:9092');
    expect(error).toBeInstanceOf(KrafkaConnectionError);
    expect(error).toMatchObject({ address: 'no-such-host.invalid:9092', retriable: true });
  });

  it('names a port that speaks HTTP', async () => {
    const address = await listen(createHttpServer((_request, response) => response.end('hello')));
    const error = await failure(address);
    expect(error).toMatchObject({ code: 'NOT_KAFKA', address, retriable: false });
    expect(error.message).toMatch(/HTTP/);
  });

  it('names a port that speaks TLS, by the alert it answers with', async () => {
    const address = await listen(
      createServer((socket) => {
        socket.on('error', () => undefined);
        socket.once('data', () => socket.end(Buffer.from([0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x46])));
      }),
    );
    const error = await failure(address);
    expect(error).toMatchObject({ code: 'NOT_KAFKA', address, retriable: false });
    expect(error.message).toMatch(/TLS.*'tls'/);
  });

  it('suspects a port that speaks TLS, when it hangs up', async () => {
    const address = await listen(tlsServer());
    const error = await failure(address);
    expect(error).toBeInstanceOf(KrafkaConnectionError);
    expect(error).toMatchObject({ address });
    expect(error.message).toMatch(/TLS.*'tls'/);
  });

  it('names a port that speaks HTTP to a client that speaks TLS', async () => {
    const address = await listen(createHttpServer((_request, response) => response.end('hello')));
    const error = await failure(address, { tls: true });
    expect(error).toBeInstanceOf(KrafkaConnectionError);
    expect(error).toMatchObject({ code: 'NOT_TLS', address, retriable: false });
  });

  it('suspects a plain port, when it hangs up on a client that speaks TLS', async () => {
    const address = await listen(createServer((socket) => void socket.once('data', () => socket.destroy())));
    const error = await failure(address, { tls: true });
    expect(error).toBeInstanceOf(KrafkaConnectionError);
    expect(error.message).toMatch(/plain listener.*'tls'/);
  });

  it.each([
    ['plain', {}],
    ['TLS', { tls: true }],
  ])('gives up within connectTimeoutMs on a port that says nothing to a %s client', async (_what, options) => {
    const address = await listen(createServer());
    const error = await failure(address, { ...options, connectTimeoutMs: 300 });
    expect(error).toBeInstanceOf(KrafkaTimeoutError);
    expect(error).toMatchObject({ budget: 'connectTimeoutMs', budgetMs: 300 });
    expect(error.message).toContain(address);
  });

  it('does not take a broker for one whose certificate nobody vouches for', async () => {
    const address = await listen(tlsServer());
    const error = await failure(address, { tls: true });
    expect(error).toBeInstanceOf(KrafkaAuthenticationError);
    expect(error).toMatchObject({ address, retriable: false });
    expect(error.message).toMatch(/certificate can't be verified/);
  });

  it('does not take a broker for another one', async () => {
    const address = await listen(tlsServer());
    const error = await failure(address, { tls: { ca: testTls.ca, servername: 'kafka.example' } });
    expect(error).toBeInstanceOf(KrafkaAuthenticationError);
    expect(error.message).toMatch(/kafka\.example/);
  });
});
