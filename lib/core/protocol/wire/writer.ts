import { describe, describeNumber } from '../../support/index.js';

/** Byte fields below this are copied: one more chunk for the socket costs more than the copy. */
const REFERENCED_FROM = 1024;
/** Below this a loop over the characters beats the call into Node's encoder. */
const SHORT_TEXT = 24;

/** The last UUID written: requests of the hot paths name the same topic time after time. */
let lastWritten = { text: 'AAAAAAAAAAAAAAAAAAAAAA', bytes: new Uint8Array(16) };

/**
 * Writes Kafka's primitive types, big-endian, into one growing buffer. A value that is not of the type is a RangeError
 * or TypeError, which the codecs turn into one that names the field.
 *
 * Large byte fields are taken by reference: the writer ends its current piece, notes the caller's buffer, and goes
 * on behind it. What comes out is a list of chunks for one `writev`, so record batches are never copied.
 *
 * `compact` chooses the form of flexible versions (KIP-482): lengths as unsigned varints, one higher, 0 for null.
 *
 * Hot: guarded by `npm run bench -- produce`.
 */
export class Writer {
  #buffer: Buffer;
  #position = 0;
  /** Where the piece of #buffer that is not yet among the chunks begins. */
  #pieceStart = 0;
  #chunks: Buffer[] = [];
  #chunkBytes = 0;

  constructor(initialBytes = 512) {
    this.#buffer = Buffer.allocUnsafe(initialBytes);
  }

  /** Bytes written so far, referenced ones included. */
  get length(): number {
    return this.#chunkBytes + (this.#position - this.#pieceStart);
  }

  /** Everything written, in order. The writer must not be used afterwards. */
  chunks(): Buffer[] {
    this.#endPiece();
    return this.#chunks;
  }

  /** Everything written as one buffer: for tests and small messages. */
  toBuffer(): Buffer {
    const chunks = this.chunks();
    return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
  }

  /** Overwrites four bytes at `offset`, which must lie in the first piece: the length that leads a frame. */
  patchInt32(offset: number, value: number): void {
    const first = this.#chunks[0] ?? this.#buffer;
    first.writeInt32BE(value, offset);
  }

  int8(value: number): void {
    if ((value << 24) >> 24 !== value) throw outOfRange('-128 to 127', value);
    this.#reserve(1);
    this.#buffer[this.#position++] = value;
  }

  boolean(value: boolean): void {
    this.int8(value ? 1 : 0);
  }

  int16(value: number): void {
    if ((value << 16) >> 16 !== value) throw outOfRange('-32768 to 32767', value);
    this.#write16(value);
  }

  uint16(value: number): void {
    if ((value & 0xffff) !== value) throw outOfRange('0 to 65535', value);
    this.#write16(value);
  }

  int32(value: number): void {
    if ((value | 0) !== value) throw outOfRange('-2147483648 to 2147483647', value);
    this.#write32(value);
  }

  uint32(value: number): void {
    if (value >>> 0 !== value) throw outOfRange('0 to 4294967295', value);
    this.#write32(value);
  }

  /** A safe integer as 64 bits. */
  int64(value: number): void {
    if (!Number.isSafeInteger(value)) throw outOfRange('the safe integers', value);
    const high = Math.floor(value / 4_294_967_296);
    this.#reserve(8);
    this.#write32(high);
    this.#write32(value - high * 4_294_967_296);
  }

  float64(value: number): void {
    this.#reserve(8);
    this.#position = this.#buffer.writeDoubleBE(value, this.#position);
  }

  /** Seven bits a byte, least significant first; up to 32 bits. */
  unsignedVarint(value: number): void {
    this.#reserve(5);
    const buffer = this.#buffer;
    let position = this.#position;
    let rest = value >>> 0;
    while (rest > 0x7f) {
      buffer[position++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    buffer[position++] = rest;
    this.#position = position;
  }

  /** A UUID given in Kafka's text form: 22 characters of URL-safe base64. */
  uuid(text: string): void {
    if (typeof text !== 'string') throw new TypeError(`must be a UUID, got ${describe(text)}`);
    this.#reserve(16);
    if (text === lastWritten.text) {
      this.#buffer.set(lastWritten.bytes, this.#position);
      this.#position += 16;
      return;
    }
    if (text.length !== 22 || this.#buffer.base64urlWrite(text, this.#position, 16) !== 16) {
      throw new RangeError(`must be a UUID of 22 base64url characters, got ${JSON.stringify(text)}`);
    }
    const bytes = new Uint8Array(16);
    bytes.set(this.#buffer.subarray(this.#position, this.#position + 16));
    lastWritten = { text, bytes };
    this.#position += 16;
  }

  /** Text of 32,767 bytes at most in UTF-8, or null. */
  string(text: string | null, compact: boolean): void {
    if (text !== null) this.text(text, compact);
    else if (compact) this.unsignedVarint(0);
    else this.int16(-1);
  }

  /** Text of 32,767 bytes at most in UTF-8. */
  text(text: string, compact: boolean): void {
    if (typeof text !== 'string') throw new TypeError(`must be a string, got ${describe(text)}`);
    // Short plain text, which topic names and ids are: the length in bytes is that in characters.
    const length = text.length;
    if (length <= SHORT_TEXT) {
      this.#reserve(2 + length);
      const buffer = this.#buffer;
      let position = this.#position;
      if (compact) {
        buffer[position++] = length + 1;
      } else {
        buffer[position++] = 0;
        buffer[position++] = length;
      }
      let index = 0;
      for (; index < length; index++) {
        const code = text.charCodeAt(index);
        if (code > 0x7f) break;
        buffer[position++] = code;
      }
      if (index === length) {
        this.#position = position;
        return;
      }
    }
    const bytes = Buffer.byteLength(text);
    if (bytes > 32_767) throw new RangeError(`is ${bytes} bytes long, 32767 at most`);
    if (compact) this.unsignedVarint(bytes + 1);
    else this.int16(bytes);
    this.utf8(text, bytes);
  }

  /** The length of an array or of bytes; -1 for null. */
  count(length: number, compact: boolean): void {
    if (compact) this.unsignedVarint(length + 1);
    else this.int32(length);
  }

  /** The length of an array, whose items follow. */
  lengthOf(items: readonly unknown[], compact: boolean): void {
    if (!Array.isArray(items)) throw new TypeError(`must be an array, got ${describe(items)}`);
    this.count(items.length, compact);
  }

  /** Bytes, or several pieces of them, or null: taken by reference when they are large. */
  bytes(value: Buffer | readonly Buffer[] | null, compact: boolean): void {
    if (value === null) {
      this.count(-1, compact);
    } else if (Buffer.isBuffer(value)) {
      this.count(value.length, compact);
      this.reference(value);
    } else {
      this.#pieces(value, compact);
    }
  }

  /** Copies bytes in. */
  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#position);
    this.#position += bytes.length;
  }

  /** Takes bytes by reference; the caller must not change them until they are sent. */
  reference(bytes: Buffer): void {
    if (bytes.length < REFERENCED_FROM) {
      this.raw(bytes);
      return;
    }
    this.#endPiece();
    this.#chunks.push(bytes);
    this.#chunkBytes += bytes.length;
  }

  /** UTF-8 text whose length in bytes is already known. */
  utf8(text: string, byteLength: number): void {
    this.#reserve(byteLength);
    this.#position += this.#buffer.utf8Write(text, this.#position, byteLength);
  }

  #pieces(pieces: readonly Buffer[], compact: boolean): void {
    let length = 0;
    for (const piece of Array.isArray(pieces) ? pieces : [pieces]) {
      if (!Buffer.isBuffer(piece)) throw new TypeError(`must be a Buffer or Buffers, got ${describe(piece)}`);
      length += piece.length;
    }
    this.count(length, compact);
    for (const piece of pieces) this.reference(piece);
  }

  #write16(value: number): void {
    this.#reserve(2);
    const buffer = this.#buffer;
    const position = this.#position;
    buffer[position] = value >>> 8;
    buffer[position + 1] = value;
    this.#position = position + 2;
  }

  #write32(value: number): void {
    this.#reserve(4);
    const buffer = this.#buffer;
    const position = this.#position;
    buffer[position] = value >>> 24;
    buffer[position + 1] = value >>> 16;
    buffer[position + 2] = value >>> 8;
    buffer[position + 3] = value;
    this.#position = position + 4;
  }

  #endPiece(): void {
    if (this.#position === this.#pieceStart) return;
    const piece = this.#buffer.subarray(this.#pieceStart, this.#position);
    this.#chunks.push(piece);
    this.#chunkBytes += piece.length;
    this.#pieceStart = this.#position;
  }

  #reserve(bytes: number): void {
    if (this.#position + bytes <= this.#buffer.length) return;
    const unfinished = this.#position - this.#pieceStart;
    const grown = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, unfinished + bytes));
    this.#buffer.copy(grown, 0, this.#pieceStart, this.#position);
    this.#buffer = grown;
    this.#pieceStart = 0;
    this.#position = unfinished;
  }
}

function outOfRange(range: string, value: unknown): RangeError {
  return new RangeError(`must be a whole number, ${range}, got ${describeNumber(value)}`);
}
