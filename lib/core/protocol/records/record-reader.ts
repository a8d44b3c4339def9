import { malformedBatch, type BatchPlace } from './batch-errors.js';

/**
 * A cursor over the records of one batch, uncompressed. Every length is held against the bytes that are left.
 *
 * Hot: guarded by `npm run bench -- consume`.
 */
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
    const bytes = this.bytes;
    let position = this.position;
    let unsigned = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      if (position >= this.end) throw this.malformed('ends within a number');
      const byte = bytes[position++] as number;
      unsigned |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (shift === 28 && byte > 0x0f) break;
        this.position = position;
        return (unsigned >>> 1) ^ -(unsigned & 1);
      }
    }
    throw this.malformed('has a number of more than 32 bits');
  }

  /** A zig-zag varint of 64 bits that must be a safe integer. */
  varlong(): number {
    const bytes = this.bytes;
    let position = this.position;
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (position >= this.end) throw this.malformed('ends within a number');
      const byte = bytes[position++] as number;
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
        this.position = position;
        const sign = -(low & 1);
        const value = ((high >>> 1) ^ sign) * 4_294_967_296 + ((((low >>> 1) | (high << 31)) ^ sign) >>> 0);
        if (!Number.isSafeInteger(value)) throw this.malformed('has a timestamp that is not a safe integer');
        return value;
      }
    }
    throw this.malformed('has a number of more than 64 bits');
  }

  /** Moves over what has a zig-zag length before it, -1 being null; answers the length. */
  skip(): number {
    const length = this.varint();
    if (length > 0) {
      if (length > this.end - this.position)
        throw this.malformed(`has ${length} bytes of content, ${this.end - this.position} are left`);
      this.position += length;
    } else if (length < -1) {
      throw this.malformed(`has content of ${length} bytes`);
    }
    return length;
  }

  malformed(problem: string): Error {
    return malformedBatch(`a record ${problem}, at byte ${this.position} of its batch's records`, this.#place);
  }
}
