import { DialBackoff } from './dial-backoff.js';
import { FakeClock } from './spec-support/fake-clock.js';

function backoff(): { clock: FakeClock; address: DialBackoff } {
  const clock = new FakeClock();
  // The middle of the jitter.
  const random = { next: () => 0.5, bytes: (length: number) => Buffer.alloc(length) };
  return { clock, address: new DialBackoff({ baseMs: 50, capMs: 1_000 }, clock, random) };
}

describe('DialBackoff', () => {
  it('doubles from failure to failure, up to its cap, and begins anew after a success that was one', async () => {
    const { clock, address } = backoff();
    const rests: number[] = [];
    for (let failure = 0; failure < 7; failure++) {
      expect(address.remainingMs).toBe(0);
      address.failed();
      rests.push(address.remainingMs);
      await clock.advance(address.remainingMs);
    }
    expect(rests).toEqual([50, 100, 200, 400, 800, 1_000, 1_000]);
    let answered = false;
    address.succeeded(() => answered);
    expect(address.remainingMs).toBe(0);
    address.failed();
    expect(address.remainingMs).toBe(1_000);
    address.succeeded(() => answered);
    answered = true;
    for (const restMs of [50, 100]) {
      address.failed();
      expect(address.remainingMs).toBe(restMs);
      await clock.advance(restMs);
    }
  });

  it('counts attempts that fail side by side once', async () => {
    const { clock, address } = backoff();
    for (let attempt = 0; attempt < 8; attempt++) address.failed();
    expect(address.remainingMs).toBe(50);
    await clock.advance(50);
    for (let attempt = 0; attempt < 8; attempt++) address.failed();
    expect(address.remainingMs).toBe(100);
  });
});
