import type { ByteReceiver, ByteStream, Dialer, DialTarget } from '../dialer.js';

/** The far end of a stream that a {@link MemoryDialer} opened. */
export class MemoryPeer implements ByteStream {
  readonly #receiver: ByteReceiver;
  readonly target: DialTarget;
  /** Hears of every write, with its chunks put together. */
  onWrite: (bytes: Buffer) => void = () => undefined;
  /** How many writes there were. */
  writes = 0;
  /** True once the near end has destroyed the stream. */
  destroyed = false;
  #stalled = false;

  constructor(target: DialTarget, receiver: ByteReceiver) {
    this.target = target;
    this.#receiver = receiver;
  }

  write(chunks: readonly Buffer[]): boolean {
    if (this.destroyed) throw new Error('written to a stream that was destroyed');
    this.writes++;
    this.onWrite(Buffer.concat(chunks));
    return !this.#stalled;
  }

  destroy(): void {
    this.destroyed = true;
  }

  /** From now on every write waits for {@link drain}. */
  stall(): void {
    this.#stalled = true;
  }

  /** Takes what waits; `stalled` says whether the next write will wait again. */
  drain(stalled = false): void {
    this.#stalled = stalled;
    this.#receiver.drained();
  }

  /** Sends bytes the way a plain socket brings them: into the receiver's space, `pieceBytes` at a time. */
  send(bytes: Buffer, pieceBytes = Infinity): void {
    for (let start = 0; start < bytes.length && !this.destroyed;) {
      const count = bytes.copy(this.#receiver.space(), 0, start, Math.min(bytes.length, start + pieceBytes));
      start += count;
      this.#receiver.filled(count);
    }
  }

  /** Sends bytes the way a TLS socket brings them: in a buffer of their own. */
  sendChunk(bytes: Buffer): void {
    if (!this.destroyed) this.#receiver.received(Buffer.from(bytes));
  }

  /** Ends the stream from the far side. */
  end(error?: Error): void {
    if (!this.destroyed) this.#receiver.closed(error);
  }
}

/** What happens at an address of a {@link MemoryDialer}. */
export type Listener = (peer: MemoryPeer) => void;

/** Byte streams without a network: what listens where is told by the test. */
export class MemoryDialer implements Dialer {
  readonly #listeners = new Map<string, Listener | Error | 'silence'>();
  /** Every stream that was opened, in order. */
  readonly peers: MemoryPeer[] = [];
  /** Every address that was dialed, in order. */
  readonly dials: string[] = [];

  /** From now on dialing `address` meets the listener, fails with the error, or gets no answer. */
  listen(address: string, listener: Listener | Error | 'silence'): this {
    this.#listeners.set(address, listener);
    return this;
  }

  async dial(target: DialTarget, receiver: ByteReceiver, signal: AbortSignal): Promise<ByteStream> {
    const address = `${target.host}:${target.port}`;
    this.dials.push(address);
    await Promise.resolve();
    signal.throwIfAborted();
    const listener = this.#listeners.get(address) ?? Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
    if (listener instanceof Error) throw listener;
    if (listener === 'silence') {
      return await new Promise<never>((_resolve, reject) =>
        signal.addEventListener('abort', () => reject(signal.reason as Error)),
      );
    }
    const peer = new MemoryPeer(target, receiver);
    this.peers.push(peer);
    listener(peer);
    return peer;
  }
}
