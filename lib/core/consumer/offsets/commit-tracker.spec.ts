import * as fc from 'fast-check';
import { CommitTracker, type Ticket } from './commit-tracker.js';

/** A tracker at this offset, which the group holds. */
function trackerAt(offset: number): CommitTracker {
  const tracker = new CommitTracker();
  tracker.restart(offset, -1, true);
  return tracker;
}

describe('CommitTracker', () => {
  it('has nothing to commit before a position is known', () => {
    expect(new CommitTracker().toCommit()).toBeUndefined();
  });

  it('commits a position that the group does not hold, even before any record', () => {
    const tracker = new CommitTracker();
    tracker.restart(100, -1, false);
    expect(tracker.toCommit()).toEqual({ offset: 100, leaderEpoch: -1 });
  });

  it('commits what is done, never what was only handed out', () => {
    const tracker = trackerAt(10);
    const ticket = tracker.begin(11, 3);
    expect(tracker.toCommit()).toBeUndefined();
    tracker.done(ticket);
    expect(tracker.toCommit()).toEqual({ offset: 11, leaderEpoch: 3 });
    tracker.acknowledge(11);
    expect(tracker.toCommit()).toBeUndefined();
  });

  it('waits for the gap: later records that are done first are committed with the one that was missing', () => {
    const tracker = trackerAt(10);
    const [first, second, third] = [tracker.begin(11, 1), tracker.begin(12, 1), tracker.begin(13, 2)] as const;
    tracker.done(third);
    tracker.done(second);
    expect(tracker.committable).toBe(10);
    tracker.done(first);
    expect(tracker.toCommit()).toEqual({ offset: 13, leaderEpoch: 2 });
    expect(tracker.outstanding).toBe(0);
  });

  it('moves over holes at the end only once what is before them is done', () => {
    const tracker = trackerAt(10);
    const ticket = tracker.begin(11, 1);
    tracker.skip(20);
    expect(tracker.committable).toBe(10);
    tracker.done(ticket);
    expect(tracker.committable).toBe(20);
    tracker.skip(25);
    expect(tracker.committable).toBe(25);
  });

  it('is not moved by what was handed out before a seek', () => {
    const tracker = trackerAt(10);
    const { timeline } = tracker;
    const late = tracker.begin(11, 1);
    tracker.restart(5, -1, false);
    const ticket = tracker.begin(6, 1);
    tracker.done(late);
    tracker.advance(timeline, 11, 1);
    expect(tracker.committable).toBe(5);
    tracker.done(ticket);
    expect(tracker.committable).toBe(6);
  });

  it('behaves as the naive model does, whatever is acknowledged, skipped and sought in whatever order', () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ kind: fc.constant('begin' as const), gap: fc.integer({ min: 1, max: 3 }) }) },
      { weight: 4, arbitrary: fc.record({ kind: fc.constant('done' as const), pick: fc.nat() }) },
      {
        weight: 1,
        arbitrary: fc.record({ kind: fc.constant('advance' as const), gap: fc.integer({ min: 1, max: 3 }) }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('skip' as const), gap: fc.integer({ min: 0, max: 3 }) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('seek' as const), to: fc.nat({ max: 50 }) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('commit' as const) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('revoke' as const), committed: fc.nat({ max: 50 }) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const tracker = trackerAt(0);
        // The model: everything handed out since the last seek, as a list of [next, done].
        let model: { next: number; done: boolean }[] = [];
        let base = 0;
        let committed = 0;
        const given: { ticket: Ticket; entry: { next: number; done: boolean } }[] = [];
        const position = (): number => model.at(-1)?.next ?? base;
        for (const s of steps) {
          if (s.kind === 'begin') {
            const entry = { next: position() + s.gap, done: false };
            model.push(entry);
            given.push({ ticket: tracker.begin(entry.next, 1), entry });
          } else if (s.kind === 'done' && given.length > 0) {
            const [{ ticket, entry }] = given.splice(s.pick % given.length, 1) as [(typeof given)[number]];
            entry.done = true;
            tracker.done(ticket);
          } else if (s.kind === 'advance' && model.every((entry) => entry.done)) {
            model.push({ next: position() + s.gap, done: true });
            tracker.advance(tracker.timeline, position(), 1);
          } else if (s.kind === 'skip') {
            const last = model.findLast((entry) => !entry.done) === undefined ? undefined : model.at(-1);
            const next = position() + s.gap;
            if (last === undefined) model.push({ next, done: true });
            else last.next = next;
            tracker.skip(next);
          } else if (s.kind === 'seek' || s.kind === 'revoke') {
            model = [];
            base = s.kind === 'seek' ? s.to : s.committed;
            if (s.kind === 'revoke') committed = base;
            tracker.restart(base, -1, s.kind === 'revoke');
          } else if (s.kind === 'commit') {
            const { offset } = tracker.toCommit() ?? { offset: committed };
            committed = offset;
            tracker.acknowledge(offset);
          }
          const gap = model.findIndex((entry) => !entry.done);
          const expected = gap === -1 ? position() : gap === 0 ? base : (model[gap - 1] as { next: number }).next;
          expect(tracker.committable).toBe(expected);
          expect(tracker.dirty).toBe(expected !== committed);
          expect(tracker.outstanding).toBe(gap === -1 ? 0 : model.length - gap);
        }
      }),
    );
  });
});
