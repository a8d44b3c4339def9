import { connect as connectPlain, type OnReadOpts, type Socket, type TcpNetConnectOpts } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ByteReceiver, ByteStream, Dialer, DialTarget } from './dialer.js';

/**
 * The machine's own sockets. A name with several addresses is tried as RFC 8305 asks (happy eyeballs), small requests
 * are never held back (TCP_NODELAY).
 *
 * A plain socket reads straight into the receiver's space (`onread`); a TLS socket has to decrypt and brings buffers
 * of its own.
 */
export const socketDialer: Dialer = {
  async dial(target, receiver, signal) {
    signal.throwIfAborted();
    const socket = target.tls === undefined ? plainSocket(target, receiver) : tlsSocket(target, target.tls, receiver);
    const stream = new SocketStream(socket, receiver);
    await opened(socket, target.tls === undefined ? 'connect' : 'secureConnect', signal);
    stream.report();
    return stream;
  },
};

function plainSocket(target: DialTarget, receiver: ByteReceiver): Socket {
  const onread: OnReadOpts = {
    buffer: () => receiver.space(),
    callback: (count) => {
      receiver.filled(count);
      return true;
    },
  };
  return connectPlain({ ...destination(target), onread });
}

function tlsSocket(target: DialTarget, tls: NonNullable<DialTarget['tls']>, receiver: ByteReceiver): Socket {
  const socket = connectTls({ ...destination(target), ...tls.connectOptions(target.host) });
  // These two are the plain socket's business, and tls.connect does not pass them on to it.
  socket.setNoDelay(true);
  socket.setKeepAlive(target.keepAliveMs > 0, target.keepAliveMs);
  socket.on('data', (chunk: Buffer) => receiver.received(chunk));
  return socket;
}

function destination(target: DialTarget): TcpNetConnectOpts {
  return {
    host: target.host,
    port: target.port,
    autoSelectFamily: true,
    noDelay: true,
    keepAlive: target.keepAliveMs > 0,
    keepAliveInitialDelay: target.keepAliveMs,
  };
}

function opened(socket: Socket, event: 'connect' | 'secureConnect', signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (settlement: () => void): void => {
      socket.off(event, onOpen);
      socket.off('error', onError);
      socket.off('close', onClose);
      signal.removeEventListener('abort', onAbort);
      settlement();
    };
    const onOpen = (): void => settle(resolve);
    const onError = (error: Error): void => settle(() => reject(error));
    const onClose = (): void => settle(() => reject(new Error('the peer hung up')));
    const onAbort = (): void => {
      socket.destroy();
      settle(() => reject(signal.reason as Error));
    };
    socket.on(event, onOpen);
    socket.on('error', onError);
    socket.on('close', onClose);
    signal.addEventListener('abort', onAbort);
  });
}

/** Hot: guarded by `npm run bench -- produce`. */
class SocketStream implements ByteStream {
  readonly #socket: Socket;
  readonly #receiver: ByteReceiver;
  #error: Error | undefined;
  /** True while some of the last write has not left. */
  #waiting = false;
  readonly #onTaken = (): void => {
    if (!this.#waiting || this.#socket.writableLength > 0) return;
    this.#waiting = false;
    this.#receiver.drained();
  };
  readonly #onClose = (): void => this.#receiver.closed(this.#error);

  constructor(socket: Socket, receiver: ByteReceiver) {
    this.#socket = socket;
    this.#receiver = receiver;
    // Heard at all times: an 'error' event without a listener ends the process.
    socket.on('error', (error) => (this.#error ??= error));
  }

  /** From now on the receiver is told of the stream's end. */
  report(): void {
    this.#socket.on('close', this.#onClose);
  }

  write(chunks: readonly Buffer[]): boolean {
    const socket = this.#socket;
    const last = chunks.length - 1;
    // However many chunks, one writev.
    if (last > 0) socket.cork();
    for (let index = 0; index < last; index++) socket.write(chunks[index] as Buffer);
    socket.write(chunks[last] as Buffer, this.#onTaken);
    if (last > 0) socket.uncork();
    this.#waiting = socket.writableLength > 0;
    return !this.#waiting;
  }

  destroy(): void {
    this.#socket.off('close', this.#onClose);
    this.#socket.destroy();
  }
}
