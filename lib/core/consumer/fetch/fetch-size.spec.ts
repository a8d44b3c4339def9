import { FetchSize, type FetchAnswer } from './fetch-size.js';

const KIB = 1024;
const MIB = 1024 * KIB;
const slow: FetchAnswer = { full: true, tookMs: 100, starved: true };

describe('FetchSize', () => {
  it('shares a megabyte and a half among few partitions, and asks none for less than a quarter', () => {
    const size = new FetchSize(1, MIB);
    expect([1, 2, 6, 1_000].map((partitions) => size.bytesFor(partitions) / KIB)).toEqual([1024, 768, 256, 256]);
  });

  it('asks for no more than is allowed', () => {
    expect(new FetchSize(1, 4 * KIB).bytesFor(6)).toBe(4 * KIB);
  });

  it('asks for all that is allowed where the broker is told to wait for much', () => {
    expect(new FetchSize(MIB, 5 * MIB).bytesFor(6)).toBe(5 * MIB);
  });

  it('doubles while handlers wait for full answers that take long, up to what is allowed', () => {
    const size = new FetchSize(1, MIB);
    const asked = Array.from({ length: 4 }, () => [size.answered(slow), size.bytesFor(6) / KIB]);
    expect(asked).toEqual([
      [true, 512],
      [true, 1024],
      [false, 1024],
      [false, 1024],
    ]);
  });

  it('stays as it is when answers come fast, or are not full', () => {
    const size = new FetchSize(1, MIB);
    expect(size.answered({ ...slow, tookMs: 1 })).toBe(false);
    expect(size.answered({ ...slow, full: false })).toBe(false);
    expect(size.bytesFor(6)).toBe(256 * KIB);
  });

  it('halves as soon as handlers still have something to work on', () => {
    const size = new FetchSize(1, MIB);
    size.answered(slow);
    size.answered(slow);
    expect(size.answered({ ...slow, starved: false })).toBe(true);
    expect(size.bytesFor(6)).toBe(512 * KIB);
  });
});
