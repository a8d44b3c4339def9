import { malformed } from '../../core/protocol/index.js';

/** Cuts a stream of bytes into the frames of the protocol: four bytes of length, then so many bytes. */
export class FrameSplitter {
  readonly #maxFrameBytes: number;
  #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(maxFrameBytes: number) {
    this.#maxFrameBytes = maxFrameBytes;
  }

  /** Bytes that wait to be cut. */
  get waitingBytes(): number {
    return this.#bytes;
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
  }

  /** The next whole frame, without its length; a length that can't be meant is a `MALFORMED` error. */
  next(): Buffer | undefined {
    if (this.#bytes < 4) return undefined;
    let first = this.#chunks[0] as Buffer;
    if (first.length < 4) first = this.#join();
    const length = first.readInt32BE(0);
    if (length < 0 || length > this.#maxFrameBytes) throw malformed(`a frame of ${length} bytes`);
    const end = length + 4;
    if (this.#bytes < end) return undefined;
    if (first.length < end) first = this.#join();
    if (first.length === end) this.#chunks.shift();
    else this.#chunks[0] = first.subarray(end);
    this.#bytes -= end;
    return first.subarray(4, end);
  }

  #join(): Buffer {
    const joined = Buffer.concat(this.#chunks, this.#bytes);
    this.#chunks = [joined];
    return joined;
  }
}
