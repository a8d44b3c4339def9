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

  describe('when the log makes reading go on elsewhere', () => {
    it('goes along at once where nothing is in hand', () => {
      const tracker = trackerAt(10);
      tracker.move(10, 20, 4);
      expect(tracker.toCommit()).toEqual({ offset: 20, leaderEpoch: 4 });
      tracker.move(20, 15, 5);
      expect(tracker.toCommit()).toEqual({ offset: 15, leaderEpoch: 5 });
    });

    it('waits for what is in hand, part by part, and then goes along', () => {
      const tracker = trackerAt(10);
      const { timeline } = tracker;
      tracker.move(14, 20, 4);
      expect(tracker.toCommit()).toBeUndefined();
      tracker.advance(timeline, 12, 1);
      expect(tracker.toCommit()).toEqual({ offset: 12, leaderEpoch: 1 });
      tracker.advance(timeline, 14, 1);
      expect(tracker.toCommit()).toEqual({ offset: 20, leaderEpoch: 4 });
      tracker.advance(timeline, 14, 1);
      expect(tracker.committable).toBe(20);
      tracker.advance(tracker.timeline, 21, 4);
      expect(tracker.committable).toBe(21);
    });

    it('waits for what is in hand and still in the log, where that was cut off: the rest counts for nothing', () => {
      const tracker = trackerAt(10);
      const { timeline } = tracker;
      tracker.move(14, 12, 2);
      expect(tracker.committable).toBe(10);
      tracker.advance(timeline, 11, 1);
      expect(tracker.committable).toBe(11);
      tracker.advance(timeline, 13, 1);
      expect(tracker.committable).toBe(12);
      tracker.advance(timeline, 14, 1);
      expect(tracker.toCommit()).toEqual({ offset: 12, leaderEpoch: 2 });
    });

    it('goes back with a log that was cut off before what is in hand', () => {
      const tracker = trackerAt(10);
      const { timeline } = tracker;
      tracker.move(11, 5, 2);
      expect(tracker.committable).toBe(5);
      tracker.advance(timeline, 11, 1);
      expect(tracker.committable).toBe(5);
    });

    it('waits for what is in hand, however often that happens', () => {
      const tracker = trackerAt(10);
      const { timeline } = tracker;
      tracker.move(11, 20, 1);
      tracker.move(20, 30, 1);
      expect(tracker.counts(timeline)).toBe(true);
      expect(tracker.committable).toBe(10);
      tracker.advance(timeline, 11, 1);
      expect(tracker.committable).toBe(30);
      expect(tracker.counts(timeline)).toBe(false);
    });

    it('counts nothing of what was handed back', () => {
      const tracker = trackerAt(10);
      const { timeline } = tracker;
      tracker.move(11, 20, 1);
      tracker.handBack();
      tracker.advance(timeline, 11, 1);
      expect(tracker.committable).toBe(10);
    });
  });

  it('behaves as the naive model does, whatever is acknowledged, skipped, sought and cut off in whatever order', () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ kind: fc.constant('begin' as const), gap: fc.integer({ min: 1, max: 3 }) }) },
      { weight: 4, arbitrary: fc.record({ kind: fc.constant('done' as const), pick: fc.nat() }) },
      {
        weight: 1,
        arbitrary: fc.record({ kind: fc.constant('advance' as const), gap: fc.integer({ min: 1, max: 3 }) }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('skip' as const), gap: fc.integer({ min: 0, max: 3 }) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('seek' as const), to: fc.nat({ max: 50 }) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('move' as const), to: fc.nat({ max: 50 }) }) },
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
          } else if (s.kind === 'move') {
            tracker.move(position(), s.to, 1);
            model = model.filter(({ next }) => next <= s.to);
            const last = model.findLast((entry) => !entry.done) === undefined ? undefined : model.at(-1);
            if (last !== undefined) last.next = s.to;
            else [model, base] = [[], s.to];
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
