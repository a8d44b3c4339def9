import {
  BATCH_HEADER_BYTES,
  decodeBatch,
  readBatchHeader,
  verifyBatch,
  type ConsumerRecord,
  type DecodeOptions,
  type RecordBatch,
} from '../../protocol/index.js';
import { AbortedTransactions, type AbortedTransaction } from './aborted-transactions.js';

/** The records of one batch that are to be handed out, and where reading goes on behind the batch. */
export interface TakenBatch {
  /** Empty when there was nothing to hand out up to `nextOffset`: markers, aborted records, compacted batches. */
  readonly records: readonly ConsumerRecord[];
  readonly nextOffset: number;
}

interface Piece {
  bytes: Buffer;
  at: number;
  readonly aborted: AbortedTransactions | undefined;
}

const NOTHING: readonly ConsumerRecord[] = Object.freeze([]);

/**
 * What was read ahead of one partition, as it came: a batch is checked against its CRC, decompressed and decoded when
 * it is taken, and its bytes are let go of then. Views of the response frame, no copies.
 *
 * Hot: guarded by `npm run bench -- consume`.
 */
export class PartitionBuffer {
  readonly #decoding: DecodeOptions;
  #pieces: Piece[] = [];
  #bytes = 0;
  #records = 0;
  #version = 0;
  #batches = 0;

  constructor(decoding: DecodeOptions) {
    this.#decoding = decoding;
  }

  /** Bytes of batches not yet taken. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How many records the batches not yet taken say they hold, those that nobody is to see included. */
  get records(): number {
    return this.#records;
  }

  /** Changes when everything is thrown away: a batch that was being decoded meanwhile is stale then. */
  get version(): number {
    return this.#version;
  }

  /** Batches taken so far: while it does not change, nobody reads. */
  get batches(): number {
    return this.#batches;
  }

  get isEmpty(): boolean {
    return this.#pieces.length === 0;
  }

  /**
   * Adds what a fetch brought, which holds so many records. `aborted` are the transactions a reader of committed records must not see; null reads
   * everything.
   */
  push(bytes: Buffer, aborted: readonly AbortedTransaction[] | null, records = 0): void {
    // Two pieces are what reading ahead comes to. Whoever gathers more is slow, and would keep as many whole frames.
    for (const piece of this.#pieces.slice(0, -1)) detach(piece);
    this.#pieces.push({ bytes, at: 0, aborted: aborted === null ? undefined : new AbortedTransactions(aborted) });
    this.#bytes += bytes.length;
    this.#records += records;
  }

  /** Lets go of the frames that the bytes came in, where those hold much else: for a partition that stands still. */
  detach(): void {
    for (const piece of this.#pieces) detach(piece);
  }

  /** Throws away everything: the position has moved elsewhere. */
  clear(): void {
    this.#pieces = [];
    this.#bytes = 0;
    this.#records = 0;
    this.#version++;
  }

  /**
   * Takes the next batch with records at or after `from`; undefined when there is none. Batches of which nothing is to
   * be seen are passed over, their whole span with them.
   *
   * @throws KrafkaProtocolError when a batch is corrupt or can't be decoded; the buffer is then of no more use
   */
  take(from: number): TakenBatch | Promise<TakenBatch> | undefined {
    let passedTo = from;
    for (let piece = this.#pieces[0]; piece !== undefined; piece = this.#pieces[0]) {
      const batch = this.#nextBatch(piece);
      if (batch === undefined) {
        this.#bytes -= piece.bytes.length - piece.at;
        this.#pieces.shift();
        // What batches say of themselves is not to be trusted: it never outlives them.
        if (this.#pieces.length === 0) this.#records = 0;
        continue;
      }
      const { header } = batch;
      if (header.nextOffset <= from) continue;
      if (piece.aborted === undefined ? header.isControl : piece.aborted.hides(batch)) {
        passedTo = header.nextOffset;
        continue;
      }
      verifyBatch(batch.bytes, this.#decoding);
      const decoded = decodeBatch(batch, this.#decoding);
      if (!Array.isArray(decoded)) return decoded.then((records) => taken(records, from, header.nextOffset));
      const result = taken(decoded, from, header.nextOffset);
      if (result.records.length > 0) return result;
      passedTo = header.nextOffset;
    }
    return passedTo > from ? { records: NOTHING, nextOffset: passedTo } : undefined;
  }

  #nextBatch(piece: Piece): RecordBatch | undefined {
    const { bytes, at } = piece;
    if (bytes.length - at < BATCH_HEADER_BYTES) return undefined;
    const header = readBatchHeader(bytes, at, this.#decoding);
    const end = at + header.sizeInBytes;
    if (end > bytes.length) return undefined;
    piece.at = end;
    this.#batches++;
    this.#bytes -= header.sizeInBytes;
    this.#records = Math.max(0, this.#records - header.recordCount);
    return { header, bytes: bytes.subarray(at, end) };
  }
}

/** What a fetch brought, by the headers of its batches. */
export interface Arrived {
  /** Where reading goes on behind the whole batches. */
  readonly next: number;
  /** How many records the batches say they hold. */
  readonly records: number;
}

/** Looks at what a fetch brought; undefined when it holds no whole batch, only the beginning of one. */
export function arrivedIn(bytes: Buffer): Arrived | undefined {
  let next: number | undefined;
  let records = 0;
  for (let at = 0; bytes.length - at >= BATCH_HEADER_BYTES;) {
    const header = readBatchHeader(bytes, at);
    at += header.sizeInBytes;
    if (at > bytes.length) break;
    next = header.nextOffset;
    records += header.recordCount;
  }
  return next === undefined ? undefined : { next, records };
}

/** Gives a piece bytes of its own, where it is the lesser part of the frame that it keeps alive. */
function detach(piece: Piece): void {
  const rest = piece.bytes.subarray(piece.at);
  if (rest.length * 2 >= rest.buffer.byteLength) return;
  piece.bytes = Buffer.from(rest);
  piece.at = 0;
}

function taken(records: readonly ConsumerRecord[], from: number, nextOffset: number): TakenBatch {
  // A fetch begins with the batch that holds the offset asked for, so records before it may come first.
  const first = records[0];
  if (first === undefined || first.offset >= from) return { records, nextOffset };
  return { records: records.filter((record) => record.offset >= from), nextOffset };
}
