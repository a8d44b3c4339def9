import { spawn } from 'node:child_process';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { openTestCluster, type TestCluster } from '../../support/test-cluster.js';

let cluster: TestCluster;
beforeAll(async () => void (cluster = await openTestCluster()));
afterAll(() => cluster.close());

interface Left {
  readonly code: number | null;
  readonly signal: string | null;
  readonly printed: string;
}

/** Does something in a process of its own, and waits until that has ended by itself. */
function inAProcess(address: string, deed: string): Promise<Left> {
  const loader = new URL('../../support/typescript.mjs', import.meta.url).href;
  const script = fileURLToPath(new URL('./leaving-process.ts', import.meta.url));
  const args = ['--import', loader, script, address, JSON.stringify(cluster.connection), deed];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  child.stdout.on('data', (chunk) => (printed += String(chunk)));
  return new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal, printed })));
}

describe('a process', () => {
  it.each(['close a connection', 'close a bundle', 'close a pool'])('ends by itself after it did: %s', async (deed) => {
    const address = cluster.bootstrap.split(',')[0] as string;
    expect(await inAProcess(address, deed)).toEqual({ code: 0, signal: null, printed: '{"abandoned":0}\n' });
  });

  it('ends by itself after it failed to reach anybody', async () => {
    const left = await inAProcess('127.0.0.1:1', 'fail to connect');
    expect(left).toEqual({ code: 0, signal: null, printed: '{"failed":"KrafkaConnectionError"}\n' });
  });

  it('ends by itself after it met a port that takes connections and says nothing', async () => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => sockets.push(socket.on('error', () => undefined)));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const left = await inAProcess(`127.0.0.1:${(server.address() as AddressInfo).port}`, 'fail to connect');
    expect(left).toEqual({ code: 0, signal: null, printed: '{"failed":"KrafkaTimeoutError"}\n' });
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
});
