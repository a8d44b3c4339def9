import { malformed } from './malformed.js';

/**
 * Reads Kafka's primitive types from one frame. Everything it hands out is a view of that frame, every length is held
 * against the bytes that are left, and a frame that lies is a `MALFORMED` error, never a crash or an allocation.
 *
 * Hot: guarded by `npm run bench -- consume`.
 */
export class Reader {
  readonly buffer: Buffer;
  position: number;
  readonly end: number;

  constructor(buffer: Buffer, position = 0, end = buffer.length) {
    this.buffer = buffer;
    this.position = position;
    this.end = end;
  }

  get remaining(): number {
    return this.end - this.position;
  }

  /** Moves on by `bytes` and answers where they begin. */
  take(bytes: number): number {
    const start = this.position;
    if (bytes < 0 || bytes > this.end - start) {
      throw malformed(`${bytes} bytes wanted at ${start}, ${this.end - start} left`);
    }
    this.position = start + bytes;
    return start;
  }

  int8(): number {
    return this.buffer.readInt8(this.take(1));
  }

  boolean(): boolean {
    return this.int8() !== 0;
  }

  int16(): number {
    return this.buffer.readInt16BE(this.take(2));
  }

  uint16(): number {
    return this.buffer.readUInt16BE(this.take(2));
  }

  int32(): number {
    return this.buffer.readInt32BE(this.take(4));
  }

  uint32(): number {
    return this.buffer.readUInt32BE(this.take(4));
  }

  /** 64 bits that must be a safe integer: no offset, timestamp or id that Kafka makes is larger. */
  int64(): number {
    const start = this.take(8);
    const value = this.buffer.readInt32BE(start) * 4_294_967_296 + this.buffer.readUInt32BE(start + 4);
    if (!Number.isSafeInteger(value)) throw malformed(`the 64-bit number at ${start} is not a safe integer`);
    return value;
  }

  float64(): number {
    return this.buffer.readDoubleBE(this.take(8));
  }

  unsignedVarint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.buffer[this.take(1)] as number;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (shift === 28 && byte > 0x0f) break;
        return value >>> 0;
      }
    }
    throw malformed(`the varint before ${this.position} is longer than 32 bits`);
  }

  utf8(byteLength: number): string {
    const start = this.take(byteLength);
    return this.buffer.utf8Slice(start, start + byteLength);
  }

  /** A view of the frame, not a copy. */
  view(byteLength: number): Buffer {
    const start = this.take(byteLength);
    return this.buffer.subarray(start, start + byteLength);
  }

  /** An array's length, refused when its elements of at least `leastBytes` each could not fit in what is left. */
  arrayLength(length: number, leastBytes: number): number {
    if (length * leastBytes > this.end - this.position) {
      throw malformed(`an array of ${length} at ${this.position}, ${this.end - this.position} bytes left`);
    }
    return length;
  }
}
