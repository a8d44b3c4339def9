import { KrafkaConfigError } from '../core/support/index.js';
import { matches, topicOf, topicPatternOf } from './topic-name.js';

describe('A pattern', () => {
  it('is the name of a topic, taken as it is', () => {
    for (const name of ['orders.placed', '123.50', 'a_b-c', 'x'.repeat(249)]) expect(topicOf(name)).toBe(name);
    expect(topicOf(123.5)).toBe('123.5');
  });

  it.each([
    [{ cmd: 'sum' }],
    [''],
    ['.'],
    ['..'],
    ['a b'],
    ['a/b'],
    ['ä'],
    ['x'.repeat(250)],
    [undefined],
    [true],
    [/x/],
  ])('is refused by name where no topic can have it: %p', (pattern) => {
    expect(() => topicOf(pattern)).toThrow(KrafkaConfigError);
    expect(() => topicOf(pattern)).toThrow(/topic/);
  });

  it('names the object it was in the refusal', () => {
    expect(() => topicPatternOf({ cmd: 'sum' })).toThrow('pattern {"cmd":"sum"}');
  });

  it('may be a RegExp for a handler, which answers the same every time whatever its flags', () => {
    const sticky = topicPatternOf(/orders\./g);
    expect([matches(sticky, 'orders.placed'), matches(sticky, 'orders.placed'), matches(sticky, 'x')]).toEqual([
      true,
      true,
      false,
    ]);
  });
});
