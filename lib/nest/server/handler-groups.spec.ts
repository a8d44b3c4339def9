// Nest's parts count on it.
// oxlint-disable-next-line import/no-unassigned-import
import 'reflect-metadata';
import { KrafkaConfigError } from '../../core/support/index.js';
import { DEFAULT_FAILURE_POLICY } from '../failure-policy/failure-policy.js';
import type { TopicPattern } from '../topic-name.js';
import { Payloads } from '../wire/payloads.js';
import { rawSerde, type SerdeOptions } from '../wire/serde.js';
import { HandlerGroups } from './handler-groups.js';
import {
  checkFieldsAreReadable,
  checkWhereFailuresGo,
  planWorkers,
  readingPlanOf,
  retriedPatterns,
  retryTopicsOf,
  type PlanDefaults,
} from './worker-plan.js';

const defaults: PlanDefaults = { commitMode: 'auto', concurrency: { by: 'key', limit: 4 } };

type Said = readonly [pattern: TopicPattern, extras?: Record<string, unknown>, isEvent?: boolean];

function groupsOf(...handlers: readonly Said[]): HandlerGroups {
  const groups = new HandlerGroups(DEFAULT_FAILURE_POLICY);
  for (const [pattern, extras = {}, isEvent = true] of handlers) {
    groups.add({ pattern, callback: async () => undefined, isEvent, extras });
  }
  return groups;
}

/** The plans of the topics of the first group. */
function plansOf(...handlers: readonly Said[]) {
  const [group] = groupsOf(...handlers).all;
  return (group?.registry.patterns ?? []).map((topic) => readingPlanOf(topic, defaults));
}

const search = (options: object = {}) => ({ consumerGroup: { groupId: 'search', options } });

describe('The handlers of an application', () => {
  it('are in the group that they name, else in its own', () => {
    const groups = groupsOf(['a'], ['a', search()], ['b', search({ fromBeginning: true })]);
    expect(groups.all.map(({ groupId, options }) => [groupId, options])).toEqual([
      [undefined, {}],
      ['search', { fromBeginning: true }],
    ]);
    expect(groups.of('a')).toHaveLength(2);
  });

  it('can not say different things of one group', () => {
    expect(() => groupsOf(['a', search({ fetchMinBytes: 1 })], ['b', search({ fetchMinBytes: 2 })])).toThrow(
      "Option '@ConsumerGroup('search').fetchMinBytes' is said twice and differently, once by pattern b",
    );
  });

  it('can say the same of one group, each in its own words', () => {
    const anHour = () => search({ offsetReset: { durationMs: 3_600_000 }, assignors: ['range'] });
    expect(groupsOf(['a', anHour()], ['b', anHour()]).all).toHaveLength(1);
  });

  it.each([
    [{ concurrency: { by: 'keys' } }, "Option 'pattern a.concurrency.by' must be one of"],
    [{ commitMode: 'later' }, "Option 'pattern a.commitMode' must be one of"],
    [{ when: { header: 'h', field: 'f', is: 'x' } }, "Option 'pattern a.when.header' or 'pattern a.when.field'"],
    [{ batch: { maxRecords: 0 } }, "Option 'pattern a.batch.maxRecords' must be"],
    [search({ autoCommit: false }), 'is not for a server'],
    [search({ groupId: 'x' }), 'is the first argument'],
  ])('are refused with %j', (extras, problem) => {
    expect(() => groupsOf(['a', extras])).toThrow(KrafkaConfigError);
    expect(() => groupsOf(['a', extras])).toThrow(problem);
  });

  it('may say to Nest what they like beside that', () => {
    expect(() => groupsOf(['a', { handlerName: 'Orders.placed', theirs: { by: 'nobody' } }])).not.toThrow();
  });

  it('have names of their own, whatever their classes are called', () => {
    const extras = { handlerName: 'Orders.placed' };
    const names = groupsOf(['a', extras], ['a', extras], ['b', extras], ['a'], ['a']).of('a');
    expect(names.map(({ name }) => name)).toEqual(['Orders.placed', 'Orders.placed#2', 'a', 'a#2']);
  });
});

describe('How the topics of a pattern are read', () => {
  it("is what its handlers say, else the application's word", () => {
    expect(plansOf(['a'], ['b', { concurrency: { by: 'none' } }], ['c', { batch: { maxRecords: 7 } }])).toEqual([
      { commitMode: 'auto', concurrency: { by: 'key', limit: 4 }, batch: undefined },
      { commitMode: 'auto', concurrency: { by: 'none', limit: undefined }, batch: undefined },
      { commitMode: 'auto', concurrency: { by: 'partition', limit: 4 }, batch: { maxRecords: 7, maxWaitMs: 0 } },
    ]);
    expect(plansOf(['a', { commitMode: 'manual' }])).toEqual([
      { commitMode: 'manual', concurrency: { by: 'partition', limit: 4 }, batch: undefined },
    ]);
  });

  it('is shared by handlers that say nothing of it', () => {
    expect(plansOf(['a', { commitMode: 'manual' }], ['a'])).toMatchObject([{ commitMode: 'manual' }]);
  });

  it.each<[string, readonly Said[], string]>([
    [
      'modes',
      [
        ['a', { commitMode: 'manual' }],
        ['a', { commitMode: 'auto' }],
      ],
      'pattern a.commitMode',
    ],
    [
      'concurrency',
      [
        ['a', { concurrency: { by: 'key' } }],
        ['a', { concurrency: { by: 'none' } }],
      ],
      'pattern a.concurrency',
    ],
    [
      'batches',
      [
        ['a', { batch: { maxRecords: 1 } }],
        ['a', { batch: { maxRecords: 2 } }],
      ],
      'pattern a.batch',
    ],
    ['kinds', [['a', { batch: {} }], ['a']], 'pattern a'],
    [
      'kinds of patterns',
      [
        ['a', { batch: {} }],
        ['a', {}, false],
      ],
      'pattern a',
    ],
    [
      'delays',
      [
        ['a', { onFailure: { then: 'retry-topics', retryTopics: { delaysMs: [1] } } }],
        ['a', { onFailure: { then: 'retry-topics', retryTopics: { delaysMs: [2] } } }],
      ],
      'pattern a.onFailure.retryTopics',
    ],
    ['itself', [['a', { commitMode: 'manual', concurrency: { by: 'key' } }]], 'pattern a.concurrency.by'],
  ])('can not be two things at once: %s', (_what, handlers, option) => {
    let refusal: unknown;
    try {
      plansOf(...handlers);
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toBeInstanceOf(KrafkaConfigError);
    expect(refusal).toMatchObject({ option });
  });

  it('takes one consumer for each commit mode', () => {
    const [group] = groupsOf(['a'], ['b', { commitMode: 'manual' }], ['c', { batch: {} }]).all;
    const plans = planWorkers(group!.registry, defaults);
    expect(plans.map(({ commitMode, patterns }) => [commitMode, patterns.map(({ pattern }) => pattern)])).toEqual([
      ['auto', ['a', 'c']],
      ['manual', ['b']],
    ]);
  });

  it('counts the retry topics that there are to be', () => {
    const retried = { onFailure: { then: 'retry-topics', retryTopics: { delaysMs: [1, 2] } } };
    const [group] = groupsOf(['a', retried], ['a'], ['b']).all;
    expect(group!.registry.patterns.map(retryTopicsOf)).toEqual([2, 0]);
    expect(retriedPatterns(group!.registry)).toEqual(['a']);
  });
});

describe('A topic', () => {
  const check = (length: number, extras: Record<string, unknown> = {}, unmatched: 'skip' | 'dead-letter' = 'skip') => {
    const [group] = groupsOf(['t'.repeat(length), extras]).all;
    checkWhereFailuresGo(group!.registry, unmatched);
  };
  const skips = { onFailure: { then: 'skip' } };
  const tenDelays = { onFailure: { retryTopics: { delaysMs: Array.from({ length: 11 }, () => 1) } } };

  it.each([
    ['its dead letters', 246, {}, 'skip'],
    ['its last retry topic', 241, tenDelays, 'skip'],
    ['what no handler is for', 246, { ...skips, when: { header: 'h', is: 'x' } }, 'dead-letter'],
  ] as const)('whose name leaves no room for that of %s is refused', (_what, length, extras, unmatched) => {
    expect(() => check(length, extras, unmatched)).toThrow(
      /^Option 'pattern t+' is too long: records that fail would go to/,
    );
    expect(() => check(length - 1, extras, unmatched)).not.toThrow();
  });

  it('may have any name where failed records go nowhere else', () => {
    expect(() => check(249, skips, 'dead-letter')).not.toThrow();
  });
});

describe('Handlers that are told apart by a field of the payload', () => {
  const byField = { when: { field: 'type', is: 'placed' } };
  const check = (pattern: TopicPattern, serde: SerdeOptions, extras: Record<string, unknown> = byField) => {
    const [group] = groupsOf([pattern, extras]).all;
    checkFieldsAreReadable(group!.registry, new Payloads({ serde }));
  };
  const ofOrders = { topics: { orders: rawSerde } };

  it.each([
    ['orders', { default: rawSerde }],
    ['orders', ofOrders],
    [/^ord/, { default: rawSerde }],
    [/^ord/, ofOrders],
  ])('are refused where a serde reads the topic: %s, %j', (pattern, serde) => {
    expect(() => check(pattern, serde)).toThrow(`Option 'pattern ${String(pattern)}.when.field' of`);
  });

  it('are welcome where the topic is JSON, and by a header everywhere', () => {
    expect(() => check('payments', ofOrders)).not.toThrow();
    expect(() => check(/^pay/, ofOrders)).not.toThrow();
    expect(() => check('orders', ofOrders, { when: { header: 'type', is: 'placed' } })).not.toThrow();
  });
});
