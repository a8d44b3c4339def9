import type { TlsSettings } from './tls-settings.js';

/** Where and how a {@link Dialer} is to open a byte stream. */
export interface DialTarget {
  /** A name or an IP address, without brackets. */
  readonly host: string;
  readonly port: number;
  /** Undefined for a plain stream. */
  readonly tls: TlsSettings | undefined;
  /** How long the stream is silent before TCP asks whether the peer is there, in milliseconds; 0 for never. */
  readonly keepAliveMs: number;
}

/**
 * The reading end of a byte stream: bytes come either straight into the space it offers, or in a buffer of their own.
 * None of its methods throws.
 */
export interface ByteReceiver {
  /** Where the next bytes are to be put; the same buffer until some of it was filled. Never empty. */
  space(): Buffer;
  /** The first `count` bytes of the space last offered were filled. */
  filled(count: number): void;
  /** Bytes came in a buffer that nobody else will touch. */
  received(chunk: Buffer): void;
  /** Everything given to {@link ByteStream.write} has left, after it had answered false. */
  drained(): void;
  /** The stream is over: by an error, or, without one, because the peer ended it. Called once, and last. */
  closed(error: Error | undefined): void;
}

/** The writing end of a byte stream. */
export interface ByteStream {
  /**
   * Sends the chunks in one go. True when all of them left at once; false when some wait, and `drained()` will follow.
   * The chunks must not change before that.
   */
  write(chunks: readonly Buffer[]): boolean;
  /** Ends the stream at once, whatever waits; `closed()` is not called for it. */
  destroy(): void;
}

/**
 * Opens byte streams: plain, over TLS, or simulated. A rejection is whatever the network said (`ECONNREFUSED`, a
 * certificate's fault...); the connection above tells what it means. An aborted signal ends the attempt at once and
 * rejects with the signal's reason.
 */
export interface Dialer {
  dial(target: DialTarget, receiver: ByteReceiver, signal: AbortSignal): Promise<ByteStream>;
}
