import { malformedBatch, type BatchPlace } from './batch-errors.js';

/** A cursor over the records of one batch, uncompressed. Every length is held against the bytes that are left. */
export class RecordReader {
  readonly bytes: Buffer;
  position: number;
  readonly end: number;
  readonly #place: BatchPlace | undefined;

  constructor(bytes: Buffer, position: number, end: number, place?: BatchPlace) {
    this.bytes = bytes;
    this.position = position;
    this.end = end;
    this.#place = place;
  }

  /** A zig-zag varint of 32 bits. */
  varint(): number {
    const { bytes } = this;
    let unsigned = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = bytes[this.#take()] as number;
      unsigned |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (shift === 28 && byte > 0x0f) break;
        return (unsigned >>> 1) ^ -(unsigned & 1);
      }
    }
    throw this.malformed('has a number of more than 32 bits');
  }

  varintAt(position: number): number {
    this.position = position;
    return this.varint();
  }

  /** A zig-zag varint of 64 bits that must be a safe integer. */
  varlong(): number {
    const { bytes } = this;
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = bytes[this.#take()] as number;
      if (shift < 28) {
        low |= (byte & 0x7f) << shift;
      } else if (shift === 28) {
        low |= byte << 28;
        high = (byte & 0x7f) >>> 4;
      } else {
        if (shift === 63 && byte > 1) break;
        high |= (byte & 0x7f) << (shift - 32);
      }
      if (byte < 0x80) {
        const sign = -(low & 1);
        const value = ((high >>> 1) ^ sign) * 4_294_967_296 + ((((low >>> 1) | (high << 31)) ^ sign) >>> 0);
        if (!Number.isSafeInteger(value)) throw this.malformed('has a timestamp that is not a safe integer');
        return value;
      }
    }
    throw this.malformed('has a number of more than 64 bits');
  }

  varlongAt(position: number): number {
    this.position = position;
    return this.varlong();
  }

  /** Moves over what has a zig-zag length before it, -1 being null; answers the length. */
  skip(): number {
    const length = this.varint();
    const left = this.end - this.position;
    if (length < -1 || length > left) throw this.malformed(`has content of ${length} bytes where ${left} are left`);
    if (length > 0) this.position += length;
    return length;
  }

  /** The error of a record that breaks the format at `position`. */
  malformed(problem: string, position = this.position): Error {
    return malformedBatch(`a record ${problem} (byte ${position} of its batch)`, this.#place);
  }

  #take(): number {
    if (this.position >= this.end) throw this.malformed('ends within a number');
    return this.position++;
  }
}
