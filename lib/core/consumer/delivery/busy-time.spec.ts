import { FakeClock } from '../spec-support/fake-clock.js';
import { BusyTime } from './busy-time.js';

describe('BusyTime', () => {
  it('counts once what overlaps, and what goes on', () => {
    const clock = new FakeClock();
    const busy = new BusyTime(clock);
    expect(busy.idleRatio).toBe(1);
    clock.pass(50);
    busy.enter();
    clock.pass(10);
    busy.enter();
    clock.pass(10);
    busy.leave();
    clock.pass(5);
    busy.leave();
    clock.pass(25);
    expect(busy.idleRatio).toBe(0.75);
    busy.enter();
    clock.pass(100);
    expect(busy.idleRatio).toBe(0.375);
  });
});
