import { backoffMs } from './backoff.js';
import type { Random } from './random.js';

const chance = (value: number): Random => ({ next: () => value, bytes: (length) => Buffer.alloc(length) });
const backoff = { baseMs: 100, capMs: 1_000 };

describe('backoffMs', () => {
  it('doubles with every failure up to the cap', () => {
    const waits = [1, 2, 3, 4, 5, 60].map((failures) => backoffMs(backoff, failures, chance(0.5)));
    expect(waits).toEqual([100, 200, 400, 800, 1_000, 1_000]);
  });

  it('spreads by a fifth either way and never passes the cap', () => {
    expect(backoffMs(backoff, 1, chance(0))).toBe(80);
    expect(backoffMs(backoff, 1, chance(0.999_999))).toBeCloseTo(120, 3);
    expect(backoffMs(backoff, 9, chance(0.999_999))).toBe(1_000);
  });
});
