import {
  socketDialer,
  type ByteReceiver,
  type ByteStream,
  type Dialer,
  type DialTarget,
} from '../../../lib/core/network/index.js';

/** The machine's sockets, which the test may cut, and whose answers it may swallow. */
export class FlakyDialer implements Dialer {
  /** While true, bytes that come are dropped: requests are applied, and nobody hears. */
  swallowing = false;
  readonly #open = new Map<ByteStream, ByteReceiver>();

  async dial(target: DialTarget, receiver: ByteReceiver, signal: AbortSignal): Promise<ByteStream> {
    const stream = await socketDialer.dial(
      target,
      {
        space: () => receiver.space(),
        filled: (count) => {
          if (!this.swallowing) receiver.filled(count);
        },
        received: (chunk) => {
          if (!this.swallowing) receiver.received(chunk);
        },
        drained: () => receiver.drained(),
        closed: (error) => {
          this.#open.delete(stream);
          receiver.closed(error);
        },
      },
      signal,
    );
    this.#open.set(stream, receiver);
    return {
      write: (chunks) => stream.write(chunks),
      destroy: () => {
        this.#open.delete(stream);
        stream.destroy();
      },
    };
  }

  /** Cuts every socket there is. */
  cut(): void {
    this.swallowing = false;
    for (const [stream, receiver] of this.#open) {
      stream.destroy();
      receiver.closed(new Error('cut by the test'));
    }
    this.#open.clear();
  }
}
