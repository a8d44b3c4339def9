import type { Deadline } from '../support/index.js';

/**
 * How one request is sent.
 *
 * A request that its caller gives up in flight, by `deadline` or `signal`, may still be on its way through the socket:
 * the buffers in it must not be used again.
 */
export interface SendOptions {
  /**
   * How long the broker may take to answer, in milliseconds from the moment of writing; by default the connection's
   * `requestTimeoutMs`. When it passes, the connection is closed: nobody knows what the broker is doing with it. A
   * request still waiting to be written after that long is given up and never sent.
   */
  readonly timeoutMs?: number;
  /**
   * The caller's whole budget, waiting and answer together. When it passes before the request was written, the request
   * is never sent; afterwards the caller is told, the answer is dropped when it comes, and the connection lives on.
   */
  readonly deadline?: Deadline;
  /** Rejects with the signal's reason: unsent, the request is never sent; sent, its answer is dropped. */
  readonly signal?: AbortSignal;
  /** Exactly this version, which the broker must speak. */
  readonly version?: number;
  /** The highest common version, but none above this. */
  readonly maxVersion?: number;
  /** False for a request that brokers do not answer (Produce with `acks: 0`): settled once it has left. */
  readonly awaitResponse?: boolean;
}
