import { encodeRetryLetter, type RetryLetter } from '../failure-policy/retry-letter.js';
import { aDelivery, aHandler, aPartition } from '../spec-support/delivery.js';
import { aRecord } from '../spec-support/records.js';
import { HandlerRegistry } from './handler-registry.js';
import type { KrafkaContext } from './krafka-context.js';
import { redeliverTo } from './retry-delivery.js';

const LETTER: RetryLetter = {
  place: { topic: 'orders', partition: 3, offset: 40, timestamp: 7, timestampType: 'CreateTime' },
  groupId: 'group',
  handler: 'Orders.placed',
  hop: 0,
  attempts: 4,
  dueAt: 0,
};

/** A record as it is in a retry topic. */
function aLetter(changes: Partial<RetryLetter> = {}) {
  const original = aRecord({ topic: 'orders', value: '{"id":1}', headers: { trace: 't' } });
  const { headers, value } = encodeRetryLetter(original, { ...LETTER, ...changes }, new Error('no'), undefined);
  return aRecord({ topic: 'orders-retry-0', value: value as Buffer, headers: headers ?? {} });
}

function setUp(work: (context: KrafkaContext) => void = () => undefined) {
  const parts = aDelivery({ groupId: 'group-retry' });
  const calls: unknown[] = [];
  const registry = new HandlerRegistry();
  const failing = { retries: 5, retryTopics: { delaysMs: [100, 1_000] } };
  registry.add(
    aHandler(async (data, context) => {
      calls.push([data, (context as KrafkaContext).attempt]);
      work(context as KrafkaContext);
    }, failing),
  );
  registry.add(aHandler(async () => void calls.push('the other'), undefined, { name: 'Orders.other' }));
  return { ...parts, calls, redeliver: redeliverTo(registry, parts.delivery, 'group') };
}

describe('A record in a retry topic', () => {
  it('is given to the handler that failed, with one call more', async () => {
    const { redeliver, calls } = setUp();
    expect(await redeliver(aLetter(), aPartition())).toBeUndefined();
    expect(calls).toEqual([[{ id: 1 }, 5]]);
  });

  it('stands still until it is due, no longer than its topic delays', async () => {
    const { redeliver, calls, clock } = setUp();
    expect(await redeliver(aLetter({ dueAt: 60 }), aPartition())).toMatchObject({ delayMs: 60 });
    expect(await redeliver(aLetter({ dueAt: 1e15 }), aPartition())).toMatchObject({ delayMs: 100 });
    expect(calls).toEqual([]);
    await clock.pass(60);
    expect(await redeliver(aLetter({ dueAt: 60 }), aPartition())).toBeUndefined();
    expect(calls).toHaveLength(1);
  });

  it('that fails again goes on to the next, without calls in between, and to the dead letters from the last', async () => {
    const { redeliver, calls, retries, deadLetters } = setUp(() => {
      throw new Error('no');
    });
    await redeliver(aLetter(), aPartition());
    expect(retries).toEqual([{ ...LETTER, hop: 1, attempts: 5, dueAt: 1_000 }]);
    await redeliver(aLetter({ hop: 1, attempts: 5 }), aPartition());
    expect(deadLetters).toHaveLength(1);
    expect(calls).toHaveLength(2);
  });

  it("of another group is that group's", async () => {
    const { redeliver, calls } = setUp();
    await redeliver(aLetter({ groupId: 'another' }), aPartition());
    expect(calls).toEqual([]);
  });

  it('whose handler is gone is a dead letter', async () => {
    const { redeliver, calls, deadLetters } = setUp();
    await redeliver(aLetter({ handler: 'Orders.renamed' }), aPartition());
    expect(calls).toEqual([]);
    expect(deadLetters).toMatchObject([{ error: { code: 'HANDLER_GONE' } }]);
  });

  it('that was put there by others is left out, and that is told', async () => {
    const { redeliver, delivery, logger } = setUp();
    await redeliver(aRecord({ topic: 'orders-retry-0', headers: { 'retry_topic-attempts': '1' } }), aPartition());
    expect(delivery.counts.unmatched).toBe(1);
    expect(logger.lines).toEqual([expect.stringContaining('not put there by this transport')]);
  });
});
