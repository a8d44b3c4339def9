import { aHandler } from '../spec-support/delivery.js';
import { HandlerRegistry, type Handler } from './handler-registry.js';
import { chooseTopics } from './topic-choice.js';

const handler = (pattern: Handler['pattern'], kind: Handler['kind'] = 'event'): Handler =>
  aHandler(() => Promise.resolve(), undefined, { pattern, kind });

describe('The handler registry', () => {
  it('keeps every event handler of a pattern, in the order in which they came', () => {
    const registry = new HandlerRegistry();
    const handlers = [handler('orders'), handler('orders')];
    handlers.forEach((one) => registry.add(one));
    expect(registry.of('orders')?.events).toEqual(handlers);
    expect(registry.patterns.map(({ pattern }) => pattern)).toEqual(['orders']);
  });

  it('keeps one message handler for a pattern, the last, and tells of the one before', () => {
    const registry = new HandlerRegistry();
    const [first, second] = [handler('price', 'message'), handler('price', 'message')] as const;
    expect(registry.add(first)).toBeUndefined();
    expect(registry.add(second)).toBe(first);
    expect(registry.of('price')?.message).toBe(second);
  });

  it('prefers the exact name, then the first RegExp that fits', () => {
    const registry = new HandlerRegistry();
    const [wide, narrow, exact] = [
      handler(/orders\..*/g),
      handler(/orders\.placed/),
      handler('orders.placed'),
    ] as const;
    [wide, narrow, exact].forEach((one) => registry.add(one));
    expect(registry.of('orders.placed')?.events).toEqual([exact]);
    expect(registry.of('orders.shipped')?.events).toEqual([wide]);
    expect(registry.of('orders.shipped')?.events).toEqual([wide]);
    expect(registry.of('payments')).toBeUndefined();
  });

  it('counts equal RegExps as one pattern', () => {
    const registry = new HandlerRegistry();
    registry.add(handler(/a.*/));
    registry.add(handler(/a.*/));
    expect(registry.of('ab')?.events).toHaveLength(2);
  });

  it('finds handlers that come after the first look', () => {
    const registry = new HandlerRegistry();
    expect(registry.of('orders')).toBeUndefined();
    registry.add(handler('orders'));
    expect(registry.of('orders')?.events).toHaveLength(1);
  });

  it('does not confuse a topic with what every object has', () => {
    expect(new HandlerRegistry().of('constructor')).toBeUndefined();
  });
});

describe('The topics of a group', () => {
  it('are those that exist, and those that are missing are told', () => {
    expect(chooseTopics(['b', 'a', 'gone'], new Set(['a', 'b', 'c']))).toEqual({
      topics: ['a', 'b'],
      missing: ['gone'],
    });
  });

  it('are all that a RegExp fits, each once', () => {
    expect(chooseTopics([/^a/, 'ab'], new Set(['a', 'ab', 'b'])).topics).toEqual(['a', 'ab']);
  });

  it('do not take in dead letters and replies of topics by accident', () => {
    const existing = new Set([
      'orders.placed',
      'orders.placed-dlt',
      'orders.price',
      'orders.price.reply',
      'orders.placed-retry-0',
      'orders.placed-retry-11',
      'orders.dlt',
    ]);
    expect(chooseTopics([/^orders\..*/], existing).topics).toEqual(['orders.dlt', 'orders.placed', 'orders.price']);
    expect(chooseTopics([/-retry-\d+$/], existing).topics).toHaveLength(2);
    expect(chooseTopics([/-dlt$/], existing).topics).toEqual(['orders.placed-dlt']);
  });
});
