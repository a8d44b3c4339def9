import * as fc from 'fast-check';
import { RequestPriority } from './request-priority.js';
import { RequestQueue, type QueueEntry } from './request-queue.js';

class Entry implements QueueEntry {
  previous: QueueEntry | undefined = undefined;
  next: QueueEntry | undefined = undefined;

  constructor(
    readonly id: number,
    readonly priority: RequestPriority,
  ) {}
}

/** Two arrays, and nothing clever. */
class NaiveQueue {
  high: Entry[] = [];
  normal: Entry[] = [];

  constructor(
    readonly highCapacity: number,
    readonly normalCapacity: number,
  ) {}

  of(priority: RequestPriority): Entry[] {
    return priority === RequestPriority.High ? this.high : this.normal;
  }

  get all(): Entry[] {
    return [...this.high, ...this.normal];
  }

  get queued(): number {
    return this.high.slice(0, this.highCapacity).length + this.normal.slice(0, this.normalCapacity).length;
  }
}

type Step =
  | { readonly do: 'push'; readonly priority: RequestPriority }
  | { readonly do: 'take' }
  | { readonly do: 'leave'; readonly whose: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('push' as const), priority: fc.constantFrom('high', 'normal') }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('take' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('leave' as const), whose: fc.nat(40) }) },
);

describe('RequestQueue', () => {
  it('behaves as two plain lists, of which the high one goes first, through any pushes, takes and departures', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 200 }),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 5 }),
        (steps, highCapacity, normalCapacity) => {
          const queue = new RequestQueue<Entry>(highCapacity, normalCapacity);
          const naive = new NaiveQueue(highCapacity, normalCapacity);
          let id = 0;
          for (const one of steps) {
            if (one.do === 'push') {
              const entry = new Entry(id++, one.priority);
              queue.push(entry);
              naive.of(one.priority).push(entry);
            } else {
              const leaving = one.do === 'take' ? naive.all[0] : naive.all[one.whose % Math.max(1, naive.all.length)];
              if (leaving === undefined) continue;
              queue.remove(leaving);
              const list = naive.of(leaving.priority);
              list.splice(list.indexOf(leaving), 1);
            }
            expect(queue.peek()).toBe(naive.all[0]);
            expect([...queue].map((entry) => entry.id)).toEqual(naive.all.map((entry) => entry.id));
            expect(queue.queued).toBe(naive.queued);
            expect(queue.waiting).toBe(naive.all.length - naive.queued);
            expect(queue.isEmpty).toBe(naive.all.length === 0);
            expect(queue.isFull('high')).toBe(naive.high.length >= highCapacity);
            expect(queue.isFull('normal')).toBe(naive.normal.length >= normalCapacity);
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  it('lets whoever is at hand leave while it is gone through', () => {
    const queue = new RequestQueue<Entry>(2, 2);
    for (let id = 0; id < 6; id++) queue.push(new Entry(id, id % 2 === 0 ? 'high' : 'normal'));
    const seen: number[] = [];
    for (const entry of queue) {
      seen.push(entry.id);
      queue.remove(entry);
    }
    expect(seen).toEqual([0, 2, 4, 1, 3, 5]);
    expect(queue.isEmpty).toBe(true);
  });
});
