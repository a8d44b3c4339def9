import { BadRequestException } from '@nestjs/common';
import { EMPTY, NEVER, Observable, of, throwError } from 'rxjs';
import { aDelivery, aHandler, aPartition } from '../spec-support/delivery.js';
import { turns } from '../spec-support/hand-clock.js';
import { aRecord } from '../spec-support/records.js';
import { deliverEvent } from './event-delivery.js';
import type { KrafkaContext } from './krafka-context.js';

const record = aRecord({ topic: 'orders', offset: 7, value: '{"sku":"a"}', key: 'k' });

describe('An event', () => {
  it('reaches its handler parsed, with its context', async () => {
    const { delivery } = aDelivery();
    const calls: [unknown, KrafkaContext][] = [];
    const handler = aHandler(async (data, context) => {
      calls.push([data, context as KrafkaContext]);
    });
    await expect(deliverEvent(delivery, [handler], record, aPartition())).resolves.toBe(true);
    expect(calls).toHaveLength(1);
    expect(calls[0]?.[0]).toEqual({ sku: 'a' });
    expect(calls[0]?.[1]).toMatchObject({ record, attempt: 1 });
  });

  it.each([
    ['nothing', undefined],
    ['a value', 5],
    ['an empty stream', EMPTY],
    ['a stream', of(1, 2)],
  ])('is done when its handler returned %s', async (_what, result) => {
    const { delivery } = aDelivery();
    let calls = 0;
    const handler = aHandler(async () => {
      calls += 1;
      return result;
    });
    await expect(deliverEvent(delivery, [handler], record, aPartition())).resolves.toBe(true);
    expect(calls).toBe(1);
  });

  it('is not done before the stream of its handler is', async () => {
    const { delivery, clock } = aDelivery();
    let done = false;
    void deliverEvent(delivery, [aHandler(async () => NEVER)], record, aPartition()).then(() => (done = true));
    await clock.pass(1_000_000);
    expect(done).toBe(false);
  });

  it('lets the stream of its handler go when closing waits no longer, whatever that does at its end, and is not done', async () => {
    for (const teardown of [() => undefined, throwErrorNow]) {
      const { delivery, letGo, deadLetters, logger } = aDelivery();
      const partition = aPartition();
      const source = new Observable(() => teardown);
      const delivering = deliverEvent(delivery, [aHandler(async () => source)], record, partition);
      await turns();
      partition.revoke();
      await Promise.all([letGo(), expect(delivering).rejects.toThrow('taken away')]);
      expect(deadLetters).toEqual([]);
      expect(logger.lines).toHaveLength(teardown === throwErrorNow ? 1 : 0);
    }
  });

  it.each([
    ['rejects', () => Promise.reject(new Error('no'))],
    ['throws', () => throwErrorNow()],
    ['returns a stream that fails', async () => throwError(() => new Error('no'))],
    ['throws nothing at all', () => Promise.reject(undefined)],
  ])(
    'is tried again with growing waits, then goes to its dead-letter topic, when its handler %s',
    async (_what, fail) => {
      const { delivery, clock, deadLetters } = aDelivery();
      const attempts: number[] = [];
      const handler = aHandler((_data, context) => {
        attempts.push((context as KrafkaContext).attempt);
        return fail();
      });
      const delivering = deliverEvent(delivery, [handler], record, aPartition());
      await clock.pass(0);
      expect(attempts).toEqual([1]);
      await clock.pass(5_000);
      await expect(delivering).resolves.toBe(false);
      expect(attempts).toEqual([1, 2, 3, 4]);
      expect(deadLetters).toMatchObject([{ offset: 7 }]);
      expect(delivery.counts).toMatchObject({ retries: 3, skipped: 0, deadLetters: 1 });
    },
  );

  it('is done when a retry succeeds, and each call is given the payload afresh', async () => {
    const { delivery, clock, deadLetters } = aDelivery();
    const seen: unknown[] = [];
    const handler = aHandler(async (data: { sku: string }) => {
      seen.push({ ...data });
      data.sku = 'spoilt';
      if (seen.length < 2) throw new Error('no');
    });
    const delivering = deliverEvent(delivery, [handler], record, aPartition());
    await clock.pass(5_000);
    await expect(delivering).resolves.toBe(true);
    expect(seen).toEqual([{ sku: 'a' }, { sku: 'a' }]);
    expect(deadLetters).toEqual([]);
  });

  it('that can only fail again goes to its dead-letter topic at once', async () => {
    const { delivery, deadLetters, clock } = aDelivery();
    const error = new BadRequestException('sku must be a text');
    await deliverEvent(delivery, [aHandler(() => Promise.reject(error))], record, aPartition());
    expect(deadLetters).toEqual([{ offset: 7, error }]);
    expect(clock.now()).toBe(0);
  });

  it('is left out, and that is told, when the policy says skip', async () => {
    const { delivery, deadLetters, logger } = aDelivery();
    const handler = aHandler(() => Promise.reject(new Error('no')), { retries: 0, then: 'skip' });
    await expect(deliverEvent(delivery, [handler], record, aPartition())).resolves.toBe(false);
    expect(deadLetters).toEqual([]);
    expect(delivery.counts.skipped).toBe(1);
    expect(logger.lines.some((line) => line.startsWith('error an event is left out'))).toBe(true);
    expect(logger.details[0]).toMatchObject({ record: 'orders[0]@7', error: 'no' });
  });

  it('stops the consumer, undone, when the policy says stop', async () => {
    const { delivery } = aDelivery();
    const error = new Error('no');
    const handler = aHandler(() => Promise.reject(error), { retries: 0, then: 'stop' });
    await expect(deliverEvent(delivery, [handler], record, aPartition())).rejects.toMatchObject({
      code: 'HANDLER_FAILED',
      cause: error,
      message: expect.stringContaining('orders[0]@7') as string,
    });
  });

  it('runs every handler, and the failure of one calls only that one again', async () => {
    const { delivery, clock, deadLetters } = aDelivery();
    let good = 0;
    let bad = 0;
    const handlers = [
      aHandler(async () => void (good += 1)),
      aHandler(async () => {
        bad += 1;
        throw new Error('no');
      }),
      aHandler(async () => void (good += 1)),
    ];
    const delivering = deliverEvent(delivery, handlers, record, aPartition());
    await clock.pass(5_000);
    await expect(delivering).resolves.toBe(true);
    expect({ good, bad }).toEqual({ good: 2, bad: 4 });
    expect(deadLetters).toHaveLength(1);
  });

  it('is left to whoever gets the partition next when it is taken away between two tries', async () => {
    const { delivery, clock, deadLetters } = aDelivery();
    const partition = aPartition();
    let calls = 0;
    const delivering = deliverEvent(
      delivery,
      [
        aHandler(async () => {
          calls += 1;
          throw new Error('no');
        }),
      ],
      record,
      partition,
    );
    delivering.catch(() => undefined);
    await clock.pass(0);
    partition.revoke();
    await expect(delivering).rejects.toThrow('taken away');
    await clock.pass(60_000);
    expect({ calls, deadLetters }).toEqual({ calls: 1, deadLetters: [] });
  });

  it('whose handler fails because its partition was taken away is no failure', async () => {
    const { delivery, deadLetters } = aDelivery();
    const partition = aPartition();
    const handler = aHandler(
      async () => {
        partition.revoke();
        throw new Error('aborted');
      },
      { retries: 0 },
    );
    await expect(deliverEvent(delivery, [handler], record, partition)).rejects.toThrow('taken away');
    expect(deadLetters).toEqual([]);
  });
});

function throwErrorNow(): never {
  throw new Error('no');
}
