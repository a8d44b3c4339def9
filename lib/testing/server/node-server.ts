import net, { type Server, type Socket } from 'node:net';
import tls from 'node:tls';
import type { ClusterNode } from '../cluster/node.js';
import { ClientConnection, type ConnectionParts } from './client-connection.js';

/** What a TLS listener shows and asks for; PEM texts. */
export interface EmbeddedTls {
  readonly key: string | Buffer;
  readonly cert: string | Buffer;
  /** With this, clients must show a certificate that it signed (mutual TLS). */
  readonly clientCa?: string | Buffer;
}

/** The listener of one node and the connections that came through it. */
export class NodeServer {
  readonly #node: ClusterNode;
  readonly #parts: ConnectionParts;
  readonly #tls: EmbeddedTls | undefined;
  readonly #nextConnectionId: () => number;
  readonly #connections = new Map<Socket, ClientConnection | undefined>();
  #server: Server | undefined;

  constructor(
    node: ClusterNode,
    parts: ConnectionParts,
    nextConnectionId: () => number,
    tlsOptions: EmbeddedTls | undefined,
  ) {
    this.#node = node;
    this.#parts = parts;
    this.#nextConnectionId = nextConnectionId;
    this.#tls = tlsOptions;
  }

  /** Connections that are open, those still in their TLS handshake not counted. */
  get connections(): number {
    let count = 0;
    for (const connection of this.#connections.values()) if (connection !== undefined) count += 1;
    return count;
  }

  /** Begins to listen; on the port it had before, if it listened before. */
  async listen(): Promise<void> {
    const server = this.#newServer();
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#node.port, this.#node.host, () => {
        server.off('error', reject);
        resolve();
      });
    });
    this.#server = server;
    const address = server.address();
    if (address !== null && typeof address === 'object') this.#node.port = address.port;
  }

  /** Closes every connection at once; the listener stays. */
  killConnections(): void {
    for (const [socket, connection] of this.#connections) {
      if (connection === undefined) socket.destroy();
      else connection.close();
    }
  }

  async close(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    this.killConnections();
    await closed;
  }

  #newServer(): Server {
    if (this.#tls === undefined) return net.createServer((socket) => this.#accept(socket));
    const { key, cert, clientCa } = this.#tls;
    const server = tls.createServer({
      key,
      cert,
      ...(clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: true }),
    });
    // The raw socket is known before the handshake, so that close() can end one that never finishes.
    server.on('connection', (socket: Socket) => {
      this.#connections.set(socket, undefined);
      socket.on('close', () => this.#connections.delete(socket));
    });
    server.on('secureConnection', (socket) => this.#accept(socket));
    // A client that fails the handshake has been told by TLS itself.
    server.on('tlsClientError', (_error, socket) => socket.destroy());
    return server;
  }

  #accept(socket: Socket): void {
    const connection = new ClientConnection(this.#nextConnectionId(), this.#node, socket, this.#parts, () =>
      this.#connections.delete(socket),
    );
    this.#connections.set(socket, connection);
  }
}
