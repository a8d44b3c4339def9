import net from 'node:net';
import { once } from 'node:events';
import {
  Reader,
  decodeResponseHeader,
  encodeRequestFrame,
  type Api,
  type RequestOf,
  type ResponseOf,
} from '../../core/protocol/index.js';

/** A bare Kafka client for specs: requests out, frames in, in order. It retries nothing and hides nothing. */
export class WireClient {
  readonly #socket: net.Socket;
  readonly #frames: Buffer[] = [];
  #pending = Buffer.alloc(0);
  #closed = false;
  #waiting: (() => void)[] = [];
  #correlation = 0;

  private constructor(
    socket: net.Socket,
    readonly clientId: string,
  ) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#pending = Buffer.concat([this.#pending, chunk]);
      while (this.#pending.length >= 4 && this.#pending.length >= 4 + this.#pending.readInt32BE(0)) {
        const end = 4 + this.#pending.readInt32BE(0);
        this.#frames.push(this.#pending.subarray(4, end));
        this.#pending = this.#pending.subarray(end);
      }
      this.#wake();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#closed = true;
      this.#wake();
    });
  }

  static async connect(address: string, clientId = 'spec', open = net.connect): Promise<WireClient> {
    const [host = '127.0.0.1', port] = address.split(':');
    const socket = open({ host, port: Number(port) });
    await once(socket, 'connect');
    return new WireClient(socket, clientId);
  }

  /** Bytes of an answer that has not come whole. */
  get partialBytes(): number {
    return this.#pending.length;
  }

  /** Writes a request and returns its correlation id; whoever wants the answer calls {@link answer}. */
  write<A extends Api>(api: A, version: number, request: RequestOf<A>): number {
    const correlationId = ++this.#correlation;
    this.#socket.write(Buffer.concat(encodeRequestFrame(api, version, correlationId, this.clientId, request)));
    return correlationId;
  }

  writeRaw(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  /** The next answer on the connection, which must belong to `correlationId`. */
  async answer<A extends Api>(api: A, version: number, correlationId: number): Promise<ResponseOf<A>> {
    const reader = new Reader(await this.frame());
    const got = decodeResponseHeader(reader, api, version);
    if (got !== correlationId) throw new Error(`answer ${got} came instead of ${correlationId}`);
    const response = api.response.decode(reader, version) as ResponseOf<A>;
    if (reader.remaining !== 0) throw new Error(`${reader.remaining} bytes follow the answer`);
    return response;
  }

  async send<A extends Api>(api: A, version: number, request: RequestOf<A>): Promise<ResponseOf<A>> {
    return this.answer(api, version, this.write(api, version, request));
  }

  /** The next whole frame, without its length. */
  async frame(): Promise<Buffer> {
    for (;;) {
      const frame = this.#frames.shift();
      if (frame !== undefined) return frame;
      if (this.#closed) throw new Error('the broker closed the connection');
      await this.#news();
    }
  }

  /** Resolves when the broker has closed the connection. */
  async closed(): Promise<void> {
    while (!this.#closed) await this.#news();
  }

  #news(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#socket.destroy();
    await this.closed();
  }
}
