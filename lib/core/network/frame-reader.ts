import { KrafkaConnectionError } from '../support/index.js';
import { recognisePeer } from './foreign-peer.js';

/** Where bytes are read to while nobody knows how long the next frame is. */
const STAGING_BYTES = 16 * 1024;

/** A response can't be shorter than its correlation id. */
const LEAST_FRAME_BYTES = 4;

/** Whoever takes the frames that a {@link FrameReader} has put together. */
export interface FrameSink {
  /** A whole frame, without its length, in a buffer that is nobody else's. */
  onFrame(frame: Buffer): void;
}

/**
 * Puts a stream of bytes together to frames, each in one buffer of its own.
 *
 * ```
 *            length unknown                        length known
 *   socket ─► staging (16 KiB) ─┬─ whole frames: copied out, they are small
 *                               └─ the beginning of a frame: copied into the frame's own buffer, and then
 *   socket ───────────────────────────────────────► straight into the rest of it
 * ```
 *
 * So a large answer is copied for its first 16 KiB at most. A source that brings buffers of its own (TLS) comes in by
 * {@link received}: frames that lie whole in one chunk are views of it.
 *
 * Hot: guarded by `npm run bench -- consume`.
 */
export class FrameReader {
  readonly #address: string;
  readonly #sink: FrameSink;
  #maxFrameBytes: number;
  #staging: Buffer | undefined;
  /** The bytes of a length of which fewer than four have come. */
  readonly #length = Buffer.alloc(4);
  #lengthFilled = 0;
  /** The frame that is being read: its buffer, and how much of it is there. */
  #frame: Buffer | undefined;
  #frameFilled = 0;
  #space: Buffer | undefined;
  #stopped = false;

  constructor(address: string, maxFrameBytes: number, sink: FrameSink) {
    this.#address = address;
    this.#maxFrameBytes = maxFrameBytes;
    this.#sink = sink;
  }

  /** Accepts frames of up to this many bytes from now on. */
  limit(maxFrameBytes: number): void {
    this.#maxFrameBytes = maxFrameBytes;
  }

  /** Delivers nothing any more, whatever is still fed in. */
  stop(): void {
    this.#stopped = true;
    this.#frame = undefined;
    this.#space = undefined;
  }

  /** Where the next bytes are to be put; the same buffer until {@link filled} is told of some. */
  space(): Buffer {
    if (this.#space === undefined) {
      this.#space =
        this.#frame === undefined
          ? (this.#staging ??= Buffer.allocUnsafeSlow(STAGING_BYTES))
          : this.#frame.subarray(this.#frameFilled);
    }
    return this.#space;
  }

  /** The first `count` bytes of the space were filled. Throws KrafkaConnectionError when they can't be Kafka's. */
  filled(count: number): void {
    this.#space = undefined;
    if (this.#stopped) return;
    if (this.#frame === undefined) {
      this.#consume(this.#staging as Buffer, 0, count, false);
    } else {
      this.#frameFilled += count;
      if (this.#frameFilled === this.#frame.length) this.#finish(this.#frame);
    }
  }

  /** A chunk came in a buffer of its own. Throws KrafkaConnectionError when it can't be Kafka's. */
  received(chunk: Buffer): void {
    this.#space = undefined;
    if (this.#stopped) return;
    let start = 0;
    if (this.#frame !== undefined) {
      start = Math.min(chunk.length, this.#frame.length - this.#frameFilled);
      chunk.copy(this.#frame, this.#frameFilled, 0, start);
      this.#frameFilled += start;
      if (this.#frameFilled === this.#frame.length) this.#finish(this.#frame);
    }
    this.#consume(chunk, start, chunk.length, true);
  }

  /** Goes through bytes that begin where a frame's length does, or in the middle of it. */
  #consume(source: Buffer, start: number, end: number, owned: boolean): void {
    while (start < end && !this.#stopped) {
      let length: number;
      if (this.#lengthFilled === 0 && end - start >= 4) {
        length = source.readInt32BE(start);
        start += 4;
      } else {
        const taken = Math.min(end - start, 4 - this.#lengthFilled);
        source.copy(this.#length, this.#lengthFilled, start, start + taken);
        this.#lengthFilled += taken;
        start += taken;
        if (this.#lengthFilled < 4) return;
        this.#lengthFilled = 0;
        length = this.#length.readInt32BE(0);
      }
      if (length < LEAST_FRAME_BYTES || length > this.#maxFrameBytes) throw this.#refusal(length);
      const available = end - start;
      if (available < length) {
        this.#frame = Buffer.allocUnsafeSlow(length);
        source.copy(this.#frame, 0, start, end);
        this.#frameFilled = available;
        return;
      }
      // What was staged is overwritten by the next read; small frames share one slab of Node's.
      const frame = owned ? source.subarray(start, start + length) : Buffer.allocUnsafe(length);
      if (!owned) source.copy(frame, 0, start, start + length);
      start += length;
      this.#sink.onFrame(frame);
    }
  }

  #finish(frame: Buffer): void {
    this.#frame = undefined;
    this.#frameFilled = 0;
    this.#sink.onFrame(frame);
  }

  #refusal(length: number): KrafkaConnectionError {
    this.stop();
    this.#length.writeInt32BE(length, 0);
    const foreign = recognisePeer(this.#length);
    if (foreign !== undefined) {
      return new KrafkaConnectionError(this.#address, foreign, { code: 'NOT_KAFKA', retriable: false });
    }
    const problem =
      length < LEAST_FRAME_BYTES
        ? `the peer announced an answer of ${length} bytes, which is no Kafka`
        : `the peer announced an answer of ${length} bytes, more than the ${this.#maxFrameBytes} that maxResponseSize allows here`;
    return new KrafkaConnectionError(this.#address, problem, { code: 'RESPONSE_SIZE', retriable: false });
  }
}
