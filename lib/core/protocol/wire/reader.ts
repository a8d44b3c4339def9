import { malformed } from './malformed.js';

/** The last UUID read: answers of the hot paths name the same topic time after time. */
let lastRead = { a: 0, b: 0, c: 0, d: 0, text: 'AAAAAAAAAAAAAAAAAAAAAA' };

/**
 * Reads Kafka's primitive types from one frame. Everything it hands out is a view of that frame, every length is held
 * against the bytes that are left, and a frame that lies is a `MALFORMED` error, never a crash or an allocation.
 *
 * `compact` chooses the form of flexible versions (KIP-482): lengths as unsigned varints, one higher, 0 for null.
 *
 * Hot: guarded by `npm run bench -- consume`.
 */
export class Reader {
  readonly buffer: Buffer;
  position: number;
  readonly end: number;

  constructor(buffer: Buffer, position = 0, end = buffer.length) {
    if (position < 0 || position > end || end > buffer.length) {
      throw new RangeError(`${position} to ${end} is no part of ${buffer.length} bytes`);
    }
    this.buffer = buffer;
    this.position = position;
    this.end = end;
  }

  /** Bytes not yet read. */
  get remaining(): number {
    return this.end - this.position;
  }

  /** Moves on by `bytes` and answers where they begin. */
  take(bytes: number): number {
    const start = this.position;
    // Written so that NaN is refused as well.
    if (!(bytes >= 0 && bytes <= this.end - start)) {
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

  /** Seven bits a byte, least significant first; up to 32 bits. */
  unsignedVarint(): number {
    const first = this.buffer[this.position] as number;
    if (first < 0x80 && this.position < this.end) {
      this.position += 1;
      return first;
    }
    return this.#longVarint();
  }

  /** A UUID in Kafka's text form: 22 characters of URL-safe base64. */
  uuid(): string {
    const { buffer } = this;
    const start = this.take(16);
    const a = buffer.readInt32BE(start);
    const b = buffer.readInt32BE(start + 4);
    const c = buffer.readInt32BE(start + 8);
    const d = buffer.readInt32BE(start + 12);
    const last = lastRead;
    if (a === last.a && b === last.b && c === last.c && d === last.d) return last.text;
    const text = buffer.base64urlSlice(start, start + 16);
    lastRead = { a, b, c, d, text };
    return text;
  }

  utf8(byteLength: number): string {
    const start = this.take(byteLength);
    return this.buffer.utf8Slice(start, start + byteLength);
  }

  /** Text of 32,767 bytes at most, or null. */
  string(compact: boolean): string | null {
    const length = compact ? this.unsignedVarint() - 1 : this.int16();
    if (length < 0) return this.#null(length);
    if (length > 32_767) throw malformed(`a text of ${length} bytes at ${this.position}, 32767 at most`);
    return this.utf8(length);
  }

  /** Text of 32,767 bytes at most; null is malformed. */
  text(compact: boolean): string {
    const text = this.string(compact);
    if (text === null) throw malformed("can't be null");
    return text;
  }

  /** A view of the frame, not a copy. */
  view(byteLength: number): Buffer {
    const start = this.take(byteLength);
    return this.buffer.subarray(start, start + byteLength);
  }

  /** Bytes or records: a view of the frame, or null. */
  bytes(compact: boolean): Buffer | null {
    const length = compact ? this.unsignedVarint() - 1 : this.int32();
    return length < 0 ? this.#null(length) : this.view(length);
  }

  /** The length of an array, -1 for null; refused when elements of at least `leastBytes` each could not be left. */
  count(compact: boolean, leastBytes: number): number {
    const length = compact ? this.unsignedVarint() - 1 : this.int32();
    if (length < 0) this.#null(length);
    else this.arrayLength(length, leastBytes);
    return length;
  }

  /** The length of an array that can't be null; refused when elements of at least `leastBytes` could not be left. */
  length(compact: boolean, leastBytes: number): number {
    const length = this.count(compact, leastBytes);
    if (length < 0) throw malformed("can't be null");
    return length;
  }

  /** Moves on by `bytes` and answers a reader of them: no more than them can be read, and `expectEnd` says no less. */
  part(bytes: number): Reader {
    const start = this.take(bytes);
    return new Reader(this.buffer, start, start + bytes);
  }

  /** Finds bytes that nobody read malformed. */
  expectEnd(): void {
    if (this.position !== this.end) throw malformed(`${this.end - this.position} bytes are left over`);
  }

  /** How many tagged fields follow (KIP-482): each a tag, a length and as many bytes. */
  tagCount(): number {
    return this.arrayLength(this.unsignedVarint(), 2);
  }

  /** Skips all tagged fields. */
  skipTags(): void {
    for (let left = this.tagCount(); left > 0; left--) {
      this.unsignedVarint();
      this.take(this.unsignedVarint());
    }
  }

  /** `length` itself, refused when as many elements of at least `leastBytes` each could not be left. */
  arrayLength(length: number, leastBytes: number): number {
    if (length < 0 || length * leastBytes > this.end - this.position) {
      throw malformed(`an array of ${length} at ${this.position}, ${this.end - this.position} bytes left`);
    }
    return length;
  }

  #longVarint(): number {
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

  #null(length: number): null {
    if (length !== -1) throw malformed(`a length of ${length} before ${this.position}`);
    return null;
  }
}
