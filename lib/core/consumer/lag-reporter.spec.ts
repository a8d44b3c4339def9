import { TypedEvents } from '../support/index.js';
import { AssignedPartition } from './assigned-partition.js';
import type { ConsumerEvents } from './consumer-events.js';
import { LagReporter } from './lag-reporter.js';
import { FakeClock } from './spec-support/fake-clock.js';

function setUp() {
  const clock = new FakeClock();
  const events = new TypedEvents<ConsumerEvents>();
  const one = new AssignedPartition('t', 0, 'committed', { maxDecompressedBytes: 1 }, () => undefined);
  one.begin(0, -1, true);
  const reporter = new LagReporter({ events, clock, partitions: () => [one], committedOnly: false });
  const told: number[] = [];
  const listen = (): void => void events.on('lag', ({ lag }) => told.push(lag));
  return { clock, one, reporter, told, listen };
}

describe('LagReporter', () => {
  it('tells once a second of a lag that changes, its end included, and then rests', async () => {
    const { clock, one, reporter, told, listen } = setUp();
    listen();
    one.highWatermark = 10;
    reporter.arm();
    reporter.arm();
    expect(clock.timers).toEqual([1_000]);
    await clock.advance(1_000);
    expect(told).toEqual([10]);
    await clock.advance(1_000);
    expect(told).toEqual([10]);
    one.handedOut(10, 1);
    await clock.advance(1_000);
    expect(told).toEqual([10, 0]);
    expect(clock.timers).toEqual([]);
  });

  it('has no timer while nobody listens, nor once it is closed', () => {
    const { clock, reporter, listen } = setUp();
    reporter.arm();
    expect(clock.timers).toEqual([]);
    listen();
    reporter.arm();
    reporter.close();
    reporter.arm();
    expect(clock.timers).toEqual([]);
  });
});
