import { FetchSize } from './fetch-size.js';

const MIB = 1024 * 1024;
const LONG = 100;

describe('FetchSize', () => {
  it('begins with a megabyte, and with less where no more is allowed', () => {
    expect(new FetchSize(1, 50 * MIB).bytes).toBe(MIB);
    expect(new FetchSize(1, 4096).bytes).toBe(4096);
  });

  it('never asks for less than the broker is to wait for', () => {
    const size = new FetchSize(3 * MIB, 50 * MIB);
    expect(size.bytes).toBe(3 * MIB);
    size.answered({ bytes: 3 * MIB, tookMs: 1, starved: false });
    expect(size.bytes).toBe(3 * MIB);
  });

  it('doubles while handlers wait for full answers that take long, up to what is allowed', () => {
    const size = new FetchSize(1, 5 * MIB);
    const asked = Array.from({ length: 5 }, () => {
      size.answered({ bytes: size.bytes, tookMs: LONG, starved: true });
      return size.bytes / MIB;
    });
    expect(asked).toEqual([2, 4, 5, 5, 5]);
  });

  it('stays as it is when answers come fast, or are not full', () => {
    const size = new FetchSize(1, 50 * MIB);
    size.answered({ bytes: MIB, tookMs: 1, starved: true });
    size.answered({ bytes: MIB / 4, tookMs: LONG, starved: true });
    expect(size.bytes).toBe(MIB);
  });

  it('halves as soon as handlers still have something to work on', () => {
    const size = new FetchSize(1, 50 * MIB);
    for (let times = 0; times < 3; times++) size.answered({ bytes: size.bytes, tookMs: LONG, starved: true });
    expect(size.bytes).toBe(8 * MIB);
    size.answered({ bytes: 8 * MIB, tookMs: LONG, starved: false });
    expect(size.bytes).toBe(4 * MIB);
  });
});
