import fc from 'fast-check';
import { ProducerStates, sequenceAfter, type ProducerStamp } from './producer-state.js';

const LARGEST = 2_147_483_647;

const stamp = (baseSequence: number, count = 1, producerEpoch = 0): ProducerStamp => ({
  producerId: 1,
  producerEpoch,
  baseSequence,
  lastOffsetDelta: count - 1,
  isTransactional: false,
});

describe('sequenceAfter', () => {
  it('counts as a number of 31 bits does', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: LARGEST }), fc.integer({ min: 0, max: 100_000 }), (sequence, delta) => {
        expect(sequenceAfter(sequence, delta)).toBe((sequence + delta) % (LARGEST + 1));
      }),
    );
  });
});

describe('ProducerStates', () => {
  it('appends the batches of a producer that retries what it will, in order and once', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 1, max: 4 }), fc.nat(6)), { maxLength: 30 }), (sends) => {
        const states = new ProducerStates();
        const appended: { readonly stamp: ProducerStamp; readonly offset: number }[] = [];
        let end = 0;
        let next = 0;
        for (const [count, back] of sends) {
          const again = back === 0 ? undefined : appended.at(-back);
          const sent = again?.stamp ?? stamp(next, count);
          const verdict = states.judge(sent);
          if (again !== undefined) {
            const expected = back <= 5 ? { kind: 'duplicate', baseOffset: again.offset } : { kind: 'refused' };
            expect(verdict).toMatchObject(expected);
            continue;
          }
          expect(verdict.kind).toBe('append');
          states.appended(sent, end, 0);
          appended.push({ stamp: sent, offset: end });
          end += count;
          next += count;
        }
      }),
    );
  });

  it('forgets what the log has lost', () => {
    const states = new ProducerStates();
    states.appended(stamp(0, 2), 0, 0);
    states.appended(stamp(2, 1), 2, 0);
    states.truncate(2);
    expect(states.judge(stamp(2, 1)).kind).toBe('append');
    expect(states.judge(stamp(3, 1)).kind).toBe('refused');
    states.truncate(0);
    expect(states.judge(stamp(9, 1)).kind).toBe('append');
  });
});
