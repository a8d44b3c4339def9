import { auditLedger } from '../../chaos/ledger.js';

const found = (...numbers: number[]): { partition: number; offset: number; number: number }[] =>
  numbers.map((number, offset) => ({ partition: 0, offset, number }));

describe('auditLedger, the judge of the chaos run', () => {
  it('finds nothing wrong with a whole ledger', () => {
    expect(auditLedger([1, 2, 3], found(1, 2, 3))).toEqual({ lost: [], duplicated: [], reordered: [] });
  });

  it('sees a loss, a duplicate and a reordering', () => {
    expect(auditLedger([1, 2, 3], found(1, 3)).lost).toEqual([2]);
    expect(auditLedger([1, 2], found(1, 2, 2)).duplicated).toEqual([2]);
    expect(auditLedger([1, 2, 3], found(1, 3, 2)).reordered).toEqual([2]);
  });

  it('forgives what was written and never acknowledged', () => {
    expect(auditLedger([1], found(1, 2)).lost).toEqual([]);
  });
});
