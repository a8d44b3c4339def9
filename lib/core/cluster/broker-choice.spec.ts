import { seededRandom } from '../support/index.js';
import { chooseBrokers, MOST_KNOWN_TRIED, type BrokerChoice } from './broker-choice.js';

const choose = (choice: Partial<BrokerChoice>, seed = 1): string[] =>
  chooseBrokers({
    known: [],
    bootstrap: [],
    load: () => undefined,
    failures: () => 0,
    random: seededRandom(seed),
    ...choice,
  });

const firstOf100 = (choice: Partial<BrokerChoice>): Set<string> =>
  new Set(Array.from({ length: 100 }, (_, seed) => choose(choice, seed)[0]!));

/** How often each failed in a row. */
const lately = (address: string): number => ({ a: 2, b: 1 })[address] ?? 0;

describe('the brokers to ask', () => {
  it('are the bootstrap addresses, in any order, while nothing is known', () => {
    expect(choose({ bootstrap: ['a', 'b'] }).toSorted()).toEqual(['a', 'b']);
    expect(firstOf100({ bootstrap: ['a', 'b'] })).toEqual(new Set(['a', 'b']));
  });

  it('begin with the least loaded that has a ready connection', () => {
    expect(choose({ known: ['a', 'b', 'c'], load: (address) => ({ b: 3, c: 1 })[address] })).toEqual(['c', 'b', 'a']);
  });

  it('are spread over those that are equally loaded, and over those that are not connected', () => {
    expect(firstOf100({ known: ['a', 'b', 'c'], load: () => 0 })).toEqual(new Set(['a', 'b', 'c']));
    expect(firstOf100({ known: ['a', 'b', 'c'] })).toEqual(new Set(['a', 'b', 'c']));
  });

  it('leave for later those that failed lately', () => {
    expect(choose({ known: ['a', 'b', 'c'], failures: lately })).toEqual(['c', 'b', 'a']);
    expect(choose({ bootstrap: ['a', 'b', 'c'], failures: lately })).toEqual(['c', 'b', 'a']);
  });

  it('are few of those that are known, and then every bootstrap address, none of them twice', () => {
    const known = Array.from({ length: 50 }, (_, index) => `known-${index}`);
    const chosen = choose({ known, bootstrap: ['known-7', 'boot'] });
    expect(chosen.slice(0, MOST_KNOWN_TRIED).every((address) => known.includes(address))).toBe(true);
    expect(chosen).toContain('boot');
    expect(chosen).toContain('known-7');
    expect(new Set(chosen).size).toBe(chosen.length);
  });
});
