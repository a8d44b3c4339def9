import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { socketDialer, type Dialer } from '../../lib/core/network/index.js';

/** What was done to connections so far. */
export interface Troubles {
  cut: number;
  swallowed: number;
  delayed: number;
  truncated: number;
}

/** Two sockets, one to the client and one to the broker, and what becomes of the answers between them. */
class Pair {
  swallowing = false;
  /** How many bytes of answers still come through before the connection is cut. */
  left = Infinity;

  constructor(
    readonly client: Socket,
    readonly broker: Socket,
  ) {
    client.on('data', (chunk) => pass(chunk, client, broker));
    broker.on('data', (chunk) => {
      if (this.swallowing) return;
      if (chunk.length >= this.left) {
        client.write(chunk.subarray(0, this.left));
        this.cut();
        return;
      }
      this.left -= chunk.length;
      pass(chunk, broker, client);
    });
  }

  cut(): void {
    this.client.destroy();
    this.broker.destroy();
  }
}

/**
 * TCP proxies between a client and every broker that it dials: they cut connections, also in the middle of an answer, hold
 * answers up, and swallow the answers of requests that the broker has heeded.
 */
export class TroubleProxy {
  readonly troubles: Troubles = { cut: 0, swallowed: 0, delayed: 0, truncated: 0 };
  readonly #servers = new Map<string, Promise<Server>>();
  readonly #pairs = new Set<Pair>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #unplugged = false;
  #strikes = 0;

  /** What the client is to dial with. */
  readonly dialer: Dialer = {
    dial: async (target, receiver, signal) => {
      if (this.#unplugged) throw new Error('unplugged by the test');
      const server = await this.#serverFor(target.host, target.port);
      const { port } = server.address() as AddressInfo;
      return socketDialer.dial({ ...target, host: '127.0.0.1', port }, receiver, signal);
    },
  };

  /** Does one connection some harm, of each kind in turn; false where there is none to do it to. */
  strike(random: () => number): boolean {
    const pairs = [...this.#pairs];
    const pair = pairs[Math.floor(random() * pairs.length)];
    if (pair === undefined) return false;
    switch (this.#strikes++ % 4) {
      case 0:
        this.troubles.cut++;
        pair.cut();
        break;
      case 1:
        this.troubles.swallowed++;
        pair.swallowing = true;
        this.#later(20 + random() * 200, () => pair.cut());
        break;
      case 2:
        this.troubles.delayed++;
        pair.broker.pause();
        this.#later(20 + random() * 300, () => pair.broker.resume());
        break;
      default:
        this.troubles.truncated++;
        pair.left = 1 + Math.floor(random() * 30);
    }
    return true;
  }

  /** Cuts everything, for good: for the cluster, the client is dead; the client itself goes on trying. */
  unplug(): void {
    this.#unplugged = true;
    for (const pair of this.#pairs) pair.cut();
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    for (const pair of this.#pairs) pair.cut();
    for (const server of await Promise.all(this.#servers.values())) server.close();
  }

  #later(delayMs: number, callback: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      callback();
    }, delayMs);
    this.#timers.add(timer);
  }

  #serverFor(host: string, port: number): Promise<Server> {
    const key = `${host}:${port}`;
    let server = this.#servers.get(key);
    if (server === undefined) {
      server = this.#listen(host, port);
      this.#servers.set(key, server);
    }
    return server;
  }

  async #listen(host: string, port: number): Promise<Server> {
    const server = createServer({ noDelay: true }, (client) => {
      if (this.#unplugged) {
        client.destroy();
        return;
      }
      const broker = connect({ host, port, noDelay: true });
      const pair = new Pair(client, broker);
      this.#pairs.add(pair);
      for (const socket of [client, broker]) {
        socket.on('error', () => undefined);
        socket.on('close', () => {
          this.#pairs.delete(pair);
          pair.cut();
        });
      }
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return server;
  }
}

function pass(chunk: Buffer, from: Socket, to: Socket): void {
  if (to.write(chunk)) return;
  from.pause();
  to.once('drain', () => from.resume());
}
