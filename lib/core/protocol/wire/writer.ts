/**
 * Writes Kafka's primitive types, big-endian, into one growing buffer.
 *
 * Large byte fields are taken by reference: the writer ends its current piece, notes the caller's buffer, and goes
 * on behind it. What comes out is a list of chunks for one `writev`, so record batches are never copied.
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
    this.#reserve(1);
    this.#position = this.#buffer.writeInt8(value, this.#position);
  }

  boolean(value: boolean): void {
    this.int8(value ? 1 : 0);
  }

  int16(value: number): void {
    this.#reserve(2);
    this.#position = this.#buffer.writeInt16BE(value, this.#position);
  }

  uint16(value: number): void {
    this.#reserve(2);
    this.#position = this.#buffer.writeUInt16BE(value, this.#position);
  }

  int32(value: number): void {
    this.#reserve(4);
    this.#position = this.#buffer.writeInt32BE(value, this.#position);
  }

  uint32(value: number): void {
    this.#reserve(4);
    this.#position = this.#buffer.writeUInt32BE(value, this.#position);
  }

  /** A safe integer as 64 bits. */
  int64(value: number): void {
    if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is not a safe integer`);
    this.#reserve(8);
    const high = Math.floor(value / 4_294_967_296);
    this.#position = this.#buffer.writeInt32BE(high, this.#position);
    this.#position = this.#buffer.writeUInt32BE(value - high * 4_294_967_296, this.#position);
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

  /** Copies bytes in. */
  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#position);
    this.#position += bytes.length;
  }

  /** Takes bytes by reference; the caller must not change them until they are sent. */
  reference(bytes: Buffer): void {
    if (bytes.length < 1024) {
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

  /** Text in the old form: its length in UTF-8 bytes as an int16, then its bytes. */
  string(text: string): void {
    const length = Buffer.byteLength(text);
    if (length > 32_767) throw new RangeError(`a text of ${length} bytes, 32767 at most`);
    this.int16(length);
    this.utf8(text, length);
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
