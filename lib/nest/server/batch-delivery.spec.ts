import { BadRequestException } from '@nestjs/common';
import type { RecordBatch } from '../../core/consumer/index.js';
import { aDelivery, aHandler, aPartition } from '../spec-support/delivery.js';
import { aRecord } from '../spec-support/records.js';
import { dispatchBatchesTo } from './batch-delivery.js';
import type { Delivery } from './delivery.js';
import { HandlerRegistry, type Handler } from './handler-registry.js';
import type { KrafkaBatchContext } from './krafka-batch-context.js';

type Work = (numbers: readonly string[], context: KrafkaBatchContext) => void;

function setUp(
  handlers: readonly { readonly work: Work; readonly changes?: Partial<Handler> }[],
  onFailure = { retries: 1, backoffMs: 10 },
  delivering: Partial<Delivery> = {},
) {
  const parts = aDelivery(delivering);
  const calls: string[] = [];
  const resolved: number[] = [];
  const partition = aPartition();
  const registry = new HandlerRegistry();
  for (const { work, changes } of handlers) {
    const callback = async (data: readonly string[], context: unknown): Promise<void> => {
      calls.push(data.join());
      work(data, context as KrafkaBatchContext);
    };
    registry.add(aHandler(callback as never, onFailure, { kind: 'batch', ...changes }));
  }
  const records = ['a', 'b', 'c'].map((value, offset) => aRecord({ topic: 'orders', offset, value }));
  const batch: RecordBatch = {
    topic: 'orders',
    partition: 0,
    records,
    signal: partition.signal,
    resolve: (offset) => resolved.push(offset),
    commit: () => Promise.resolve(),
  };
  return { ...parts, calls, resolved, partition, deliver: () => dispatchBatchesTo(registry, parts.delivery)(batch) };
}

const fine: Work = () => undefined;

describe('A batch', () => {
  it('is done when its handler is', async () => {
    const { deliver, calls, resolved } = setUp([{ work: fine }]);
    await deliver();
    expect({ calls, resolved }).toEqual({ calls: ['a,b,c'], resolved: [] });
  });

  it('is tried again whole, then record by record: what fails alone is given up, the rest is done as it goes', async () => {
    const work: Work = (numbers) => {
      if (numbers.includes('b')) throw new Error('not b');
    };
    const { deliver, calls, resolved, clock, deadLetters, delivery } = setUp([{ work }]);
    const delivering = deliver();
    await clock.pass(1_000);
    await delivering;
    expect(calls).toEqual(['a,b,c', 'a,b,c', 'a', 'b', 'c']);
    expect(resolved).toEqual([0, 1, 2]);
    expect(deadLetters).toMatchObject([{ offset: 1 }]);
    expect(delivery.counts).toMatchObject({ retries: 1, deadLetters: 1 });
  });

  it('whose error no retry can mend is handed out record by record at once', async () => {
    const work: Work = (numbers) => {
      if (numbers.includes('c')) throw new BadRequestException();
    };
    const { deliver, calls, clock, deadLetters } = setUp([{ work }]);
    await deliver();
    expect(calls).toEqual(['a,b,c', 'a', 'b', 'c']);
    expect(deadLetters).toMatchObject([{ offset: 2 }]);
    expect(clock.now()).toBe(0);
  });

  it('comes again whole when its handler puts it off, however often', async () => {
    let times = 3;
    const work: Work = (_numbers, context) => {
      if (times-- > 0) context.nack(5);
    };
    const { deliver, calls, clock, delivery } = setUp([{ work }], { retries: 0, backoffMs: 0 });
    const delivering = deliver();
    await clock.pass(1_000);
    await delivering;
    expect(calls).toHaveLength(4);
    expect(delivery.counts).toMatchObject({ retries: 0, deadLetters: 0 });
  });

  it('is left to whoever gets the partition when that is taken away', async () => {
    const revoke = { call: (): void => undefined };
    const work: Work = () => {
      revoke.call();
      throw new Error('aborted');
    };
    const { deliver, calls, partition, deadLetters } = setUp([{ work }], { retries: 0, backoffMs: 0 });
    revoke.call = () => partition.revoke();
    await expect(deliver()).rejects.toThrow('taken away');
    expect({ calls, deadLetters }).toEqual({ calls: ['a,b,c'], deadLetters: [] });
  });

  it('has those that no handler is for among the dead letters, where unmatched records go there', async () => {
    const chosen: Partial<Handler> = { when: { field: 'type', is: 'x' } };
    const { deliver, calls, delivery, deadLetters } = setUp([{ work: fine, changes: chosen }], undefined, {
      unmatched: 'dead-letter',
    });
    await deliver();
    expect(calls).toEqual([]);
    expect(deadLetters).toMatchObject([0, 1, 2].map((offset) => ({ offset, error: { code: 'UNMATCHED' } })));
    expect(delivery.counts).toMatchObject({ unmatched: 3, deadLetters: 3 });
  });

  it('reaches each of several handlers, and of those that choose only what is theirs; the rest is counted', async () => {
    const chosen: Partial<Handler> = { when: { field: 'type', is: 'x' } };
    const { deliver, calls, delivery } = setUp([{ work: fine, changes: chosen }]);
    await deliver();
    expect(calls).toEqual([]);
    expect(delivery.counts.unmatched).toBe(3);
    const both = setUp([{ work: fine, changes: chosen }, { work: fine }]);
    await both.deliver();
    expect(both.calls).toEqual(['a,b,c']);
    expect(both.delivery.counts.unmatched).toBe(0);
  });
});
