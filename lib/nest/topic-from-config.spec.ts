import { fromConfig, oneTopicOf, topicPatternsOf } from './topic-from-config.js';

describe('A topic from the configuration', () => {
  it.each([
    ['an object', { 'orders.topic': 'a' }],
    ['a function', (key: string) => (key === 'orders.topic' ? 'a' : undefined)],
    ['a service with get(), as ConfigService', { get: (key: string) => (key === 'orders.topic' ? 'a' : undefined) }],
  ])('is looked up in %s', (_what, names) => {
    expect(topicPatternsOf(fromConfig('orders.topic'), names)).toEqual(['a']);
    expect(oneTopicOf(fromConfig('orders.topic'), names)).toBe('a');
  });

  it('may name several, as an array or a text with commas', () => {
    expect(topicPatternsOf(fromConfig('t'), { t: 'a, b' })).toEqual(['a', 'b']);
    expect(topicPatternsOf(fromConfig('t'), { t: ['a', 'b'] })).toEqual(['a', 'b']);
    expect(() => oneTopicOf(fromConfig('t'), { t: 'a,b' })).toThrow("fromConfig('t')' names 2 topics");
  });

  it('falls back to what the decorator says', () => {
    expect(topicPatternsOf(fromConfig('t', 'own'), {})).toEqual(['own']);
    expect(topicPatternsOf(fromConfig('t', 'own'), undefined)).toEqual(['own']);
    expect(topicPatternsOf(fromConfig('t', 'own'), { t: 'given' })).toEqual(['given']);
  });

  it('is refused by its key when it is missing or no topic name', () => {
    expect(() => topicPatternsOf(fromConfig('t'), {})).toThrow("Option 'topicNames.t' is missing: fromConfig('t')");
    expect(() => topicPatternsOf(fromConfig('toString'), {})).toThrow("'topicNames.toString' is missing");
    expect(() => topicPatternsOf(fromConfig('t'), { t: 'a b' })).toThrow(
      "'topicNames.t' is no legal topic name for fromConfig('t'): 'a b'",
    );
    expect(() => topicPatternsOf(fromConfig('t'), () => 7 as never)).toThrow("'topicNames.t' must be the name");
    expect(() => topicPatternsOf(fromConfig('t'), { t: [] })).toThrow("'topicNames.t' must be the name");
  });

  it('leaves every other pattern as it is', () => {
    expect(topicPatternsOf(/a/, {})).toEqual([/a/]);
    expect(topicPatternsOf('a', {})).toEqual(['a']);
    expect(oneTopicOf('a', undefined)).toBe('a');
  });
});
