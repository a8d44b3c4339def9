import type { FailureOptions } from '../failure-policy/failure-policy.js';
import { aHandler, KeepingLogger } from '../spec-support/delivery.js';
import { HandlerRegistry } from './handler-registry.js';
import { strandedRetries, tellOfStrandedRetries, type RetryTopicsView } from './stranded-retries.js';

const registryOf = (onFailure: FailureOptions, pattern: string | RegExp = 'orders'): HandlerRegistry => {
  const registry = new HandlerRegistry();
  registry.add(aHandler(async () => undefined, onFailure, { pattern }));
  return registry;
};

/** Topics of one partition by their ends, and how far a group has committed. */
function aView(ends: Record<string, number>, committed: Record<string, number>) {
  const asked: string[] = [];
  const view: RetryTopicsView = {
    topics: {
      existing: async (names) => new Set(names.filter((name) => name in ends)),
      names: async () => Object.keys(ends),
    },
    admin: {
      listGroupOffsets: async (groupId) => {
        asked.push(groupId);
        return Object.entries(committed).map(([topic, offset]) => ({ topic, partition: 0, offset }) as never);
      },
      listOffsets: async (queries) =>
        queries.map(({ topic, at }) => ({ topic, partition: 0, offset: at === 'latest' ? ends[topic] : 0 }) as never),
    },
  };
  return { view, asked };
}

const oneDelay = registryOf({ retryTopics: { delaysMs: [1] } });

describe('Retry topics that are left behind', () => {
  it('hold records where the group has retried some of the topic, and not all there are', async () => {
    const ends = { 'orders-retry-0': 9, 'orders-retry-1': 3, 'orders-retry-2': 2, 'orders-retry-3': 0 };
    const { view, asked } = aView(ends, { 'orders-retry-0': 5, 'orders-retry-2': 2 });
    expect(await strandedRetries(oneDelay, 'g-retry', view)).toEqual(['orders-retry-1']);
    expect(asked).toEqual(['g-retry']);
  });

  it('are found where the handler has none any more, and where a RegExp found its topic', async () => {
    const { view } = aView({ orders: 1, 'orders-retry-0': 2 }, { 'orders-retry-0': 1 });
    expect(await strandedRetries(registryOf({}), 'g-retry', view)).toEqual(['orders-retry-0']);
    expect(await strandedRetries(registryOf({}, /^orders$/), 'g-retry', view)).toEqual(['orders-retry-0']);
  });

  it('are not those of other groups, which share them', async () => {
    const { view } = aView({ 'orders-retry-1': 3 }, { 'payments-retry-0': 5 });
    expect(await strandedRetries(oneDelay, 'g-retry', view)).toEqual([]);
  });

  it('cost no question of offsets where there is none', async () => {
    const { view, asked } = aView({ 'orders-retry-0': 3 }, {});
    expect(await strandedRetries(oneDelay, 'g-retry', view)).toEqual([]);
    expect(asked).toEqual([]);
  });

  it('are told by name; a group that may not ask does not keep the next one from it', async () => {
    const logger = new KeepingLogger();
    const { view } = aView({ 'orders-retry-1': 3 }, { 'orders-retry-0': 5 });
    const { listGroupOffsets } = view.admin;
    const admin: RetryTopicsView['admin'] = {
      ...view.admin,
      listGroupOffsets: async (groupId) => {
        if (groupId === 'closed-retry') throw new Error('not allowed');
        return listGroupOffsets(groupId);
      },
    };
    const groups = ['closed', 'open'].map((groupId) => ({ groupId, registry: oneDelay }));
    await tellOfStrandedRetries(groups, { ...view, admin, ports: { logger } });
    expect(logger.lines.map((line) => line.slice(0, 42))).toEqual([
      'debug whether retry topics were left behin',
      'warn records wait in orders-retry-1, which',
    ]);
    expect(logger.details).toMatchObject([{ group: 'closed' }, { group: 'open' }]);
  });
});
