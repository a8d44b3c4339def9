import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { APIS, type ApiName } from '../../../lib/core/protocol/index.js';

/** One request as it came out of the client's socket. */
export interface RecordedRequest {
  readonly name: ApiName | undefined;
  readonly correlationId: number;
}

/** Stands between a client and a broker, and notes every request in the order in which it leaves the client. */
export class RequestRecorder {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Requests of all connections, in the order of arrival. */
  readonly requests: RecordedRequest[] = [];
  #reading = true;

  /** Listens on a port of its own and passes everything on to `bootstrap`. */
  static async open(bootstrap: string): Promise<RequestRecorder> {
    const [host, port] = (bootstrap.split(',')[0] as string).split(':') as [string, string];
    const recorder = new RequestRecorder(host, Number(port));
    await new Promise<void>((resolve) => recorder.#server.listen(0, '127.0.0.1', resolve));
    return recorder;
  }

  private constructor(host: string, port: number) {
    this.#server = createServer((client) => {
      const broker = connect({ host, port, noDelay: true });
      for (const [one, other] of [
        [client, broker],
        [broker, client],
      ] as const) {
        this.#sockets.add(one);
        one.on('error', () => undefined);
        one.on('close', () => {
          this.#sockets.delete(one);
          other.destroy();
        });
      }
      broker.on('data', (bytes) => client.write(bytes));
      client.on('data', this.#noting(client, broker));
      if (!this.#reading) client.pause();
    });
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The names of what was recorded since a point. */
  names(from = 0): (ApiName | undefined)[] {
    return this.requests.slice(from).map(({ name }) => name);
  }

  /** Reads nothing from clients any more, so that their sockets fill up. */
  pause(): void {
    this.#reading = false;
    for (const socket of this.#sockets) socket.pause();
  }

  resume(): void {
    this.#reading = true;
    for (const socket of this.#sockets) socket.resume();
  }

  /** Cuts every connection. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #noting(client: Socket, broker: Socket): (bytes: Buffer) => void {
    let head = Buffer.alloc(0);
    let bodyLeft = 0;
    return (bytes) => {
      broker.write(bytes);
      for (let rest = bytes; rest.length > 0;) {
        if (bodyLeft > 0) {
          const taken = Math.min(bodyLeft, rest.length);
          bodyLeft -= taken;
          rest = rest.subarray(taken);
          continue;
        }
        // Length, key, version and correlation id.
        const wanted = 12 - head.length;
        head = Buffer.concat([head, rest.subarray(0, wanted)]);
        rest = rest.subarray(wanted);
        if (head.length < 12) break;
        this.requests.push({ name: APIS.get(head.readInt16BE(4))?.name, correlationId: head.readInt32BE(8) });
        bodyLeft = head.readInt32BE(0) - 8;
        head = Buffer.alloc(0);
      }
      if (!this.#reading) client.pause();
    };
  }
}
