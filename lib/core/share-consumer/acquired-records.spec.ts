import { batchAt, emptied, markerAt } from '../consumer/spec-support/batches.js';
import { AcquiredRecords, checkRanges, type AcquiredRange, type TakenRecords } from './acquired-records.js';
import { partitionOf } from './spec-support/scripted-broker.js';

const range = (firstOffset: number, lastOffset: number, deliveryCount = 1): AcquiredRange => ({
  firstOffset,
  lastOffset,
  deliveryCount,
});

const acquiredOf = (bytes: Buffer, ...ranges: AcquiredRange[]): AcquiredRecords =>
  new AcquiredRecords({
    partition: partitionOf(3),
    bytes,
    ranges,
    lockedUntil: 100,
    keeper: {} as never,
    decoding: { maxDecompressedBytes: 1_000_000 },
  });

/** Everything there is to take: records as offset and delivery count, verdicts as they are. */
function all(acquired: AcquiredRecords): unknown[] {
  const taken: unknown[] = [];
  for (let next = acquired.take(); next !== undefined; next = acquired.take()) {
    const { records, verdicts, error } = next as TakenRecords;
    taken.push(
      ...records.map((record) => `${record.offset}x${record.deliveryCount}`),
      ...verdicts.map(({ firstOffset, lastOffset, type }) => `${type} ${firstOffset}-${lastOffset}`),
      ...(error === undefined ? [] : [error.code]),
    );
  }
  return taken;
}

describe('acquired records', () => {
  it('are those of the ranges, with their delivery counts, of the batches that came', () => {
    const bytes = Buffer.concat([batchAt(5, ['a', 'b', 'c']), batchAt(8, ['d', 'e', 'f'])]);
    const acquired = acquiredOf(bytes, range(6, 6, 2), range(8, 9));
    expect([acquired.count, acquired.bytes]).toEqual([3, bytes.length]);
    expect(all(acquired)).toEqual(['6x2', '8x1', '9x1']);
    expect([acquired.count, acquired.take()]).toEqual([0, undefined]);
  });

  it('tell of offsets that hold no record: markers, what compaction took, and whole batches of it', () => {
    const bytes = Buffer.concat([
      batchAt(0, ['a']),
      markerAt(1, 'commit', 7),
      emptied(batchAt(2, ['x', 'y'])),
      batchAt(9, ['b']),
    ]);
    expect(all(acquiredOf(bytes, range(0, 9)))).toEqual(['0x1', 'gap 1-1', 'gap 2-3', '9x1', 'gap 4-8']);
  });

  it('are released where the batch was cut off', () => {
    const whole = Buffer.concat([batchAt(0, ['a']), batchAt(1, ['b', 'c'])]);
    expect(all(acquiredOf(whole.subarray(0, whole.length - 1), range(0, 2)))).toEqual(['0x1', 'release 1-2']);
    expect(all(acquiredOf(Buffer.alloc(0), range(0, 2)))).toEqual(['release 0-2']);
  });

  it('are released where a batch is corrupt, and the others are read', () => {
    const broken = batchAt(1, ['b', 'c']);
    broken[broken.length - 2] = (broken[broken.length - 2] as number) ^ 1;
    const bytes = Buffer.concat([batchAt(0, ['a']), broken, batchAt(3, ['d'])]);
    expect(all(acquiredOf(bytes, range(0, 3)))).toEqual(['0x1', 'release 1-2', 'CORRUPT_MESSAGE', '3x1']);
  });

  it('are released altogether where no batch can be told from the next', () => {
    const bytes = batchAt(0, ['a']);
    bytes[16] = 9;
    expect(all(acquiredOf(bytes, range(0, 5)))).toEqual(['release 0-5', expect.any(String)]);
  });

  it('do not look at batches of which nothing is acquired', () => {
    const broken = batchAt(0, ['a', 'b']);
    broken[broken.length - 2] = (broken[broken.length - 2] as number) ^ 1;
    expect(all(acquiredOf(Buffer.concat([broken, batchAt(2, ['c'])]), range(2, 2)))).toEqual(['2x1']);
  });

  it('do not go through offsets one by one that a broker only claims', () => {
    const claimed = acquiredOf(batchAt(0, ['a']), range(0, Number.MAX_SAFE_INTEGER - 1));
    expect(all(claimed)).toEqual(['0x1', `release 1-${Number.MAX_SAFE_INTEGER - 1}`]);
  });

  it('are refused where the ranges can not be', () => {
    expect(() => checkRanges([range(1, 3), range(4, 4)], partitionOf(0))).not.toThrow();
    for (const ranges of [[range(3, 2)], [range(1, 3), range(3, 4)], [range(5, 6), range(1, 2)], [range(-2, 1)]]) {
      expect(() => checkRanges(ranges, partitionOf(0))).toThrow(expect.objectContaining({ code: 'MALFORMED' }));
    }
  });
});
