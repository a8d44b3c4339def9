import type { ConsumerRecord } from '../../protocol/index.js';
import { batchAt, emptied, markerAt } from '../spec-support/batches.js';
import { arrivedIn, PartitionBuffer, type TakenBatch } from './partition-buffer.js';

const bufferOf = (...pieces: Buffer[][]): PartitionBuffer => {
  const buffer = new PartitionBuffer({ topic: 'a', partition: 0 });
  for (const batches of pieces) buffer.push(Buffer.concat(batches), null);
  return buffer;
};

/** Everything there is from an offset on, as offsets, and where reading ended. */
async function readAll(buffer: PartitionBuffer, from: number): Promise<{ offsets: number[]; next: number }> {
  const records: ConsumerRecord[] = [];
  let next = from;
  for (;;) {
    const taken: TakenBatch | undefined = await buffer.take(next);
    if (taken === undefined) return { offsets: records.map(({ offset }) => offset), next };
    expect(taken.nextOffset).toBeGreaterThan(next);
    records.push(...taken.records);
    next = taken.nextOffset;
  }
}

/** Reads as a reader of committed records does. */
const readCommitted = (batches: Buffer[], aborted: [producerId: number, firstOffset: number][], from = 0) => {
  const buffer = new PartitionBuffer({ topic: 'a', partition: 0 });
  buffer.push(
    Buffer.concat(batches),
    aborted.map(([producerId, firstOffset]) => ({ producerId, firstOffset })),
  );
  return readAll(buffer, from);
};

describe('PartitionBuffer', () => {
  it('hands out batch after batch, and lets go of their bytes as it does', () => {
    const [first, second] = [batchAt(10, ['a', 'b']), batchAt(12, ['c'])];
    const buffer = bufferOf([first, second]);
    expect(buffer.bytes).toBe(first.length + second.length);
    expect((buffer.take(10) as TakenBatch).records.map(({ valueText }) => valueText)).toEqual(['a', 'b']);
    expect(buffer.bytes).toBe(second.length);
    expect((buffer.take(12) as TakenBatch).records.map(({ valueText }) => valueText)).toEqual(['c']);
    expect(buffer.take(13)).toBeUndefined();
    expect(buffer).toMatchObject({ bytes: 0, isEmpty: true });
  });

  it('leaves out records before the offset, with which the first batch may begin', async () => {
    expect(await readAll(bufferOf([batchAt(10, ['a', 'b', 'c'])]), 11)).toEqual({ offsets: [11, 12], next: 13 });
  });

  it('passes over batches that lie before the offset altogether', async () => {
    expect(await readAll(bufferOf([batchAt(5, ['x']), batchAt(10, ['a'])]), 10)).toEqual({ offsets: [10], next: 11 });
  });

  it('advances over the whole span of an empty or fully compacted batch', async () => {
    const gone = emptied(batchAt(10, ['a', 'b', 'c']));
    expect(await readAll(bufferOf([gone]), 10)).toEqual({ offsets: [], next: 13 });
    expect(await readAll(bufferOf([gone, batchAt(13, ['d'])]), 10)).toEqual({ offsets: [13], next: 14 });
    expect(arrivedIn(gone)).toEqual({ next: 13, records: 0 });
  });

  it('never hands out control records, read_committed or not, and advances over them', async () => {
    expect(await readAll(bufferOf([batchAt(10, ['a']), markerAt(11, 'commit', 7)]), 10)).toEqual({
      offsets: [10],
      next: 12,
    });
  });

  it('ignores a batch that is cut off at the end', async () => {
    const cut = batchAt(11, ['b']).subarray(0, -1);
    const buffer = bufferOf([batchAt(10, ['a']), cut]);
    expect(await readAll(buffer, 10)).toEqual({ offsets: [10], next: 11 });
    expect(buffer.bytes).toBe(0);
    expect(arrivedIn(Buffer.concat([batchAt(10, ['a']), cut]))).toEqual({ next: 11, records: 1 });
    expect(arrivedIn(cut)).toBeUndefined();
  });

  describe('in a frame that it shares with others', () => {
    const framed = (...batches: Buffer[]): Buffer => {
      const whole = Buffer.concat(batches);
      const frame = Buffer.from(new ArrayBuffer(100_000));
      whole.copy(frame, 500);
      return frame.subarray(500, 500 + whole.length);
    };
    const keptBy = (taken: ReturnType<PartitionBuffer['take']>): number =>
      (taken as TakenBatch).records[0]?.value?.buffer.byteLength ?? 0;

    it('keeps views of the frame, and bytes of its own once it stands still', async () => {
      const buffer = new PartitionBuffer({ topic: 'a', partition: 0 });
      const batches = [batchAt(10, ['a']), batchAt(11, ['b']), batchAt(12, ['c'])];
      buffer.push(framed(...batches), null);
      const { bytes } = buffer;
      expect(keptBy(buffer.take(10))).toBe(100_000);
      buffer.detach();
      expect(buffer.bytes).toBe(bytes - (batches[0] as Buffer).length);
      expect(keptBy(buffer.take(11))).toBeLessThan(100_000);
      expect(await readAll(buffer, 12)).toEqual({ offsets: [12], next: 13 });
      expect(buffer.bytes).toBe(0);
    });

    it('keeps two frames alive at most, however many small pieces it gathers', () => {
      const buffer = new PartitionBuffer({ topic: 'a', partition: 0 });
      for (let offset = 0; offset < 5; offset++) buffer.push(framed(batchAt(offset, ['a'])), null);
      const kept = [0, 1, 2, 3, 4].map((offset) => keptBy(buffer.take(offset)));
      expect(kept.map((bytes) => bytes === 100_000)).toEqual([false, false, false, true, true]);
    });

    it('copies nothing where the frame is mostly its own', () => {
      const buffer = new PartitionBuffer({ topic: 'a', partition: 0 });
      const own = Buffer.from(new ArrayBuffer(batchAt(10, ['a']).length));
      batchAt(10, ['a']).copy(own);
      buffer.push(own, null);
      buffer.detach();
      expect((buffer.take(10) as TakenBatch).records[0]?.value?.buffer).toBe(own.buffer);
    });
  });

  it('refuses a batch whose CRC is wrong, naming the place', () => {
    const corrupt = Buffer.from(batchAt(10, ['abc']));
    corrupt.writeUInt8((corrupt.at(-2) as number) ^ 1, corrupt.length - 2);
    const buffer = bufferOf([corrupt]);
    expect(() => buffer.take(10)).toThrow(/CORRUPT_MESSAGE.*topic 'a' partition 0/);
  });

  describe('read_committed', () => {
    it('hides what an aborted transaction wrote, and only that', async () => {
      const batches = [batchAt(0, ['a'], { producerId: 7 }), batchAt(1, ['b'], { producerId: 8 }), batchAt(2, ['c'])];
      expect(await readCommitted([...batches, markerAt(3, 'abort', 7), markerAt(4, 'commit', 8)], [[7, 0]])).toEqual({
        offsets: [1, 2],
        next: 5,
      });
    });

    it('sees what the same producer wrote after its abort', async () => {
      const batches = [
        batchAt(0, ['a'], { producerId: 7 }),
        markerAt(1, 'abort', 7),
        batchAt(2, ['b'], { producerId: 7 }),
        markerAt(3, 'commit', 7),
      ];
      expect(await readCommitted(batches, [[7, 0]])).toEqual({ offsets: [2], next: 4 });
    });

    it('hides several aborted transactions of one producer in one fetch, whatever order the broker lists them in', async () => {
      const batches = [
        batchAt(0, ['a'], { producerId: 7 }),
        markerAt(1, 'abort', 7),
        batchAt(2, ['b'], { producerId: 7 }),
        markerAt(3, 'commit', 7),
        batchAt(4, ['c'], { producerId: 7 }),
        markerAt(5, 'abort', 7),
      ];
      expect(
        await readCommitted(batches, [
          [7, 4],
          [7, 0],
        ]),
      ).toEqual({ offsets: [2], next: 6 });
    });

    it('goes on hiding when the marker comes with a later fetch', async () => {
      const buffer = new PartitionBuffer({ topic: 'a', partition: 0 });
      const aborted = [{ producerId: 7, firstOffset: 0 }];
      buffer.push(batchAt(0, ['a'], { producerId: 7 }), aborted);
      buffer.push(
        Buffer.concat([batchAt(1, ['b'], { producerId: 7 }), markerAt(2, 'abort', 7), batchAt(3, ['c'])]),
        aborted,
      );
      expect(await readAll(buffer, 0)).toEqual({ offsets: [3], next: 4 });
    });

    it('is not taken in by a COMMIT marker of an older transaction', async () => {
      // The broker lists only the second transaction: the first one's commit must not end it.
      const batches = [
        batchAt(0, ['a'], { producerId: 7 }),
        markerAt(1, 'commit', 7),
        batchAt(2, ['b'], { producerId: 7 }),
        markerAt(3, 'abort', 7),
      ];
      expect(await readCommitted(batches, [[7, 2]])).toEqual({ offsets: [0], next: 4 });
    });
  });
});
