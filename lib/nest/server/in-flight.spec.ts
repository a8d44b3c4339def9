import { Deferred } from '../../core/support/index.js';
import { HandClock } from '../spec-support/hand-clock.js';
import { InFlight } from './in-flight.js';

describe('Work in flight', () => {
  it('is waited for, also what it brings with it', async () => {
    const clock = new HandClock();
    const inFlight = new InFlight();
    const [first, second] = [new Deferred<void>(), new Deferred<void>()];
    inFlight.track(first.promise.then(() => inFlight.track(second.promise)));
    const draining = inFlight.drain(clock, 1_000);
    first.resolve();
    await clock.pass(10);
    second.resolve();
    await expect(draining).resolves.toBe(0);
    expect(clock.waits).toEqual([]);
  });

  it('is waited for no longer than the bound, and what is left is told', async () => {
    const clock = new HandClock();
    const inFlight = new InFlight();
    inFlight.track(new Promise(() => undefined));
    const draining = inFlight.drain(clock, 1_000);
    await clock.pass(1_000);
    await expect(draining).resolves.toBe(1);
  });

  it('lets streams go that have not ended when its time is up, and those that come later at once', async () => {
    const clock = new HandClock();
    const inFlight = new InFlight();
    const gone: string[] = [];
    const hold = (name: string): (() => void) => {
      const letGo = (): void => void gone.push(name);
      inFlight.hold(letGo);
      return letGo;
    };
    inFlight.release(hold('ended'));
    hold('endless');
    inFlight.track(new Promise(() => undefined));
    const draining = inFlight.drain(clock, 1_000);
    await clock.pass(999);
    expect(gone).toEqual([]);
    await clock.pass(1);
    await draining;
    hold('late');
    expect(gone).toEqual(['endless', 'late']);
  });
});
