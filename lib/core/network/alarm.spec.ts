import { Alarm } from './alarm.js';
import { FakeClock } from './spec-support/fake-clock.js';

describe('Alarm', () => {
  it('rings when the earliest thing is due, once', async () => {
    const clock = new FakeClock();
    const rings: number[] = [];
    const alarm = new Alarm(clock, () => rings.push(clock.monotonic()));
    const start = clock.monotonic();
    alarm.by(start + 300);
    alarm.by(start + 100);
    alarm.by(start + 200);
    await clock.advance(1_000);
    expect(rings).toEqual([start + 100]);
  });

  it('sets no timer for what is due later than it is set for', () => {
    const clock = new FakeClock();
    const alarm = new Alarm(clock, () => undefined);
    for (let request = 0; request < 1_000; request++) alarm.by(clock.monotonic() + 30_000 + request);
    expect(clock.timersSet).toBe(1);
  });

  it('can be asked again from within its ring', async () => {
    const clock = new FakeClock();
    let rings = 0;
    const alarm: Alarm = new Alarm(clock, () => {
      if (++rings < 3) alarm.by(clock.monotonic() + 10);
    });
    alarm.by(clock.monotonic() + 10);
    await clock.advance(100);
    expect(rings).toBe(3);
    expect(clock.timersWaiting).toBe(0);
  });

  it('has no timer once it is cancelled, or when nothing is ever due', () => {
    const clock = new FakeClock();
    const alarm = new Alarm(clock, () => undefined);
    alarm.by(Infinity);
    expect(clock.timersWaiting).toBe(0);
    alarm.by(clock.monotonic() + 10);
    alarm.cancel();
    expect(clock.timersWaiting).toBe(0);
  });
});
