import { BufferMemory } from './buffer-memory.js';

const KIB = 1024;

describe('BufferMemory', () => {
  it('hands out powers of two, and exactly what is asked for above a MiB', () => {
    expect([1, 1024, 1025, 60_000, 65_536, 1_048_577].map((bytes) => BufferMemory.capacityFor(bytes))).toEqual([
      1024, 1024, 2048, 65_536, 65_536, 1_048_577,
    ]);
  });

  it('counts what it hands out, and has no more than its total', () => {
    const memory = new BufferMemory(4 * KIB);
    expect(memory.take(2 * KIB, 0)?.length).toBe(2 * KIB);
    expect(memory.take(1_500, 0)?.length).toBe(2 * KIB);
    expect(memory.take(1, 0)).toBeUndefined();
    expect([memory.used, memory.peak]).toEqual([4 * KIB, 4 * KIB]);
    memory.release(2 * KIB);
    expect([memory.used, memory.peak]).toEqual([2 * KIB, 4 * KIB]);
    expect(memory.take(1, 0)?.length).toBe(KIB);
  });

  it('hands out again what it was given to keep', () => {
    const memory = new BufferMemory(8 * KIB);
    const buffer = memory.take(2 * KIB, 0)!;
    memory.release(buffer.length);
    memory.keep(buffer);
    expect(memory.pooled).toBe(2 * KIB);
    expect(memory.take(1_500, 0)).toBe(buffer);
    expect(memory.pooled).toBe(0);
  });

  it('never holds and keeps more than its total: kept buffers make room', () => {
    const memory = new BufferMemory(4 * KIB);
    const buffers = [memory.take(KIB, 0)!, memory.take(KIB, 0)!, memory.take(KIB, 0)!, memory.take(KIB, 0)!];
    for (const buffer of buffers) {
      memory.release(KIB);
      memory.keep(buffer);
    }
    expect(memory.pooled).toBe(4 * KIB);
    memory.take(2 * KIB, 0);
    expect(memory.used + memory.pooled).toBe(4 * KIB);
    memory.overcommit(10 * KIB);
    expect(memory.pooled).toBe(0);
    memory.keep(Buffer.alloc(KIB));
    expect(memory.pooled).toBe(0);
  });

  it('keeps nothing that did not come from it', () => {
    const memory = new BufferMemory(8 * KIB);
    memory.keep(Buffer.alloc(1_500));
    memory.keep(Buffer.alloc(2 * 1024 * KIB));
    expect(memory.pooled).toBe(0);
  });

  it('passes its total only for what can’t be waited for', () => {
    const memory = new BufferMemory(KIB);
    memory.take(KIB, 0);
    expect(memory.takeAnyway(2 * KIB).length).toBe(2 * KIB);
    expect(memory.used).toBe(3 * KIB);
  });
});
