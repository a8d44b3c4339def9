import { ShareSession } from './share-session.js';
import { partitionOf } from './spec-support/scripted-broker.js';

describe('a share session', () => {
  it('names everything at first, and then only what changes', () => {
    const session = new ShareSession();
    const [a, b, c] = [partitionOf(0), partitionOf(1), partitionOf(2)];
    expect(session.plan([a, b])).toEqual({ epoch: 0, full: true, added: [a, b], forgotten: [] });
    session.advance();
    expect(session.plan([a, b])).toEqual({ epoch: 1, full: false, added: [], forgotten: [] });
    session.advance();
    expect(session.plan([b, c])).toEqual({ epoch: 2, full: false, added: [c], forgotten: [a] });
    expect([session.has(a), session.has(c), session.find(c.topicId, 2), session.nameOf(c.topicId)]).toEqual([
      false,
      true,
      c,
      't',
    ]);
  });

  it('takes a topic that was made anew for another one', () => {
    const session = new ShareSession();
    const before = partitionOf(0);
    const after = { ...before, topicId: 'AAAAAAAAAAAAAAAAAAAAAg' };
    session.plan([before]);
    session.advance();
    expect(session.plan([after])).toMatchObject({ added: [after], forgotten: [before] });
  });

  it('begins anew when it is lost', () => {
    const session = new ShareSession();
    session.plan([partitionOf(0)]);
    session.advance();
    session.reset();
    expect([session.isOpen, session.has(partitionOf(0))]).toEqual([false, false]);
    expect(session.plan([partitionOf(0)])).toMatchObject({ epoch: 0, full: true });
  });
});
