import {
  batchesIn,
  decodeBatch,
  verifyBatch,
  type ConsumerRecord,
  type DecodeOptions,
  type RecordBatch,
} from '../protocol/index.js';
import { KrafkaError, KrafkaProtocolError } from '../support/index.js';
import type { AcknowledgedRange } from './acknowledge-type.js';
import { Custody, type CustodyKeeper } from './custody.js';
import type { SharePartition } from './share-partition.js';
import { ShareRecord } from './share-record.js';

/** Offsets that the broker has given to this member, both ends included, and how often it has given them out. */
export interface AcquiredRange {
  readonly firstOffset: number;
  readonly lastOffset: number;
  readonly deliveryCount: number;
}

/** What one batch comes to: its records that are ours, and verdicts on offsets of ours that hold none. */
export interface TakenRecords {
  readonly records: readonly ShareRecord[];
  readonly verdicts: readonly AcknowledgedRange[];
  /** Why the batch can't be read, where it can't: its offsets are among the verdicts, released. */
  readonly error?: KrafkaError;
}

export interface AcquiredRecordsOptions {
  readonly partition: SharePartition;
  /** The batches that the broker sent: more than what was acquired of them, perhaps. */
  readonly bytes: Buffer;
  readonly ranges: readonly AcquiredRange[];
  /** When the locks expire, on the monotonic clock. */
  readonly lockedUntil: number;
  readonly keeper: CustodyKeeper;
  readonly decoding: Pick<DecodeOptions, 'maxDecompressedBytes'>;
}

/**
 * Checks what a broker says it has given us, before anything is made of it.
 *
 * @throws KrafkaProtocolError MALFORMED
 */
export function checkRanges(ranges: readonly AcquiredRange[], { topic, partition }: SharePartition): void {
  let behind = -1;
  for (const { firstOffset, lastOffset } of ranges) {
    if (firstOffset <= behind || lastOffset < firstOffset) {
      throw new KrafkaProtocolError('MALFORMED', `acquired offsets ${firstOffset} to ${lastOffset} follow ${behind}`, {
        api: 'ShareFetch',
        topic,
        partition,
      });
    }
    behind = lastOffset;
  }
}

/**
 * What one answer gave us of one partition, as it came: a batch is checked against its CRC, decompressed and decoded
 * when it is taken. An offset that was acquired and holds no record is a gap, which the broker is told so that it goes
 * on; one that can't be read is released: the group's delivery limit ends that.
 */
export class AcquiredRecords {
  readonly partition: SharePartition;
  readonly lockedUntil: number;
  readonly #options: AcquiredRecordsOptions;
  readonly #batches: Iterator<RecordBatch, void>;
  /** What is acquired of the batches not yet taken. */
  #ranges: AcquiredRange[];
  #bytes: number;

  constructor(options: AcquiredRecordsOptions) {
    this.#options = options;
    this.partition = options.partition;
    this.lockedUntil = options.lockedUntil;
    this.#ranges = [...options.ranges];
    this.#bytes = options.bytes.length;
    this.#batches = batchesIn(options.bytes, options.partition);
  }

  /** Bytes of batches not yet taken. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Offsets acquired, of batches not yet taken. */
  get count(): number {
    return this.#ranges.reduce((sum, { firstOffset, lastOffset }) => sum + lastOffset - firstOffset + 1, 0);
  }

  /** What is acquired of batches not yet taken. */
  get ranges(): readonly AcquiredRange[] {
    return this.#ranges;
  }

  /** Takes the next batch of which something is ours; undefined when nothing is left. */
  take(): TakenRecords | Promise<TakenRecords> | undefined {
    while (this.#ranges.length > 0) {
      let batch: RecordBatch | undefined;
      try {
        batch = this.#batches.next().value ?? undefined;
      } catch (error) {
        return this.#unreadable(this.#upTo(Infinity), error);
      }
      // A batch that is cut off at the end was acquired in vain: it is for the next one to read.
      if (batch === undefined) return { records: [], verdicts: verdictsOn(this.#upTo(Infinity), 'release') };
      this.#bytes = Math.max(0, this.#bytes - batch.bytes.length);
      // Offsets before the batch are between batches: compaction took whole ones.
      const before = this.#upTo(batch.header.baseOffset);
      const ours = this.#upTo(batch.header.nextOffset);
      if (ours.length > 0) return this.#read(batch, ours, before);
      if (before.length > 0) return { records: [], verdicts: verdictsOn(before, 'gap') };
    }
    return undefined;
  }

  /** Takes everything, undecoded: nobody will want it any more. */
  drop(): void {
    this.#ranges = [];
    this.#bytes = 0;
  }

  #read(
    batch: RecordBatch,
    ours: readonly AcquiredRange[],
    before: readonly AcquiredRange[],
  ): TakenRecords | Promise<TakenRecords> {
    const { decoding, partition } = this.#options;
    const gaps = verdictsOn(before, 'gap');
    const failed = (error: unknown): TakenRecords => {
      const unreadable = this.#unreadable(ours, error);
      return { ...unreadable, verdicts: [...gaps, ...unreadable.verdicts] };
    };
    const read = (records: readonly ConsumerRecord[]): TakenRecords => this.#sorted(records, ours, gaps);
    try {
      verifyBatch(batch.bytes, partition);
      const { topic, partition: number } = partition;
      const decoded = decodeBatch(batch, { topic, partition: number, ...decoding });
      return Array.isArray(decoded) ? read(decoded) : decoded.then(read, failed);
    } catch (error) {
      return failed(error);
    }
  }

  #sorted(
    decoded: readonly ConsumerRecord[],
    ours: readonly AcquiredRange[],
    verdicts: AcknowledgedRange[],
  ): TakenRecords {
    const { keeper, partition, lockedUntil } = this.#options;
    const records: ShareRecord[] = [];
    let index = 0;
    for (const { firstOffset, lastOffset, deliveryCount } of ours) {
      let expected = firstOffset;
      for (; index < decoded.length; index++) {
        const record = decoded[index] as ConsumerRecord;
        const { offset } = record;
        if (offset < firstOffset) continue;
        if (offset > lastOffset) break;
        if (offset > expected) verdicts.push({ firstOffset: expected, lastOffset: offset - 1, type: 'gap' });
        const custody = new Custody(keeper, partition, offset, deliveryCount, lockedUntil);
        records.push(new ShareRecord(record, custody));
        expected = offset + 1;
      }
      if (expected <= lastOffset) verdicts.push({ firstOffset: expected, lastOffset, type: 'gap' });
    }
    return { records, verdicts };
  }

  #unreadable(ranges: readonly AcquiredRange[], error: unknown): TakenRecords {
    const { topic, partition } = this.partition;
    const known =
      error instanceof KrafkaError
        ? error
        : new KrafkaProtocolError('MALFORMED', `a batch can't be read: ${String(error)}`, {
            topic,
            partition,
            cause: error,
          });
    return { records: [], verdicts: verdictsOn(ranges, 'release'), error: known };
  }

  /** Takes what is acquired before an offset. */
  #upTo(end: number): AcquiredRange[] {
    const taken: AcquiredRange[] = [];
    for (let range = this.#ranges[0]; range !== undefined && range.firstOffset < end; range = this.#ranges[0]) {
      if (range.lastOffset < end) {
        taken.push(range);
        this.#ranges.shift();
      } else {
        taken.push({ ...range, lastOffset: end - 1 });
        this.#ranges[0] = { ...range, firstOffset: end };
      }
    }
    return taken;
  }
}

const verdictsOn = (ranges: readonly AcquiredRange[], type: 'gap' | 'release'): AcknowledgedRange[] =>
  ranges.map(({ firstOffset, lastOffset }) => ({ firstOffset, lastOffset, type }));
