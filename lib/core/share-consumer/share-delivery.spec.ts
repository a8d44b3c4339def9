import { batchAt } from '../consumer/spec-support/batches.js';
import { settled } from '../consumer/spec-support/fake-clock.js';
import { KrafkaError } from '../support/index.js';
import type { ShareRecord } from './share-record.js';
import { ShareRun, shareRunSettings, type ShareRunOptions } from './share-run.js';
import { ShareStream } from './share-stream.js';
import { fetchAnswer, fetched, LOCK_MS, partitionOf, setUp } from './spec-support/scripted-broker.js';

/** A queue with `count` records, from offset 0 on. */
async function filled(count = 4) {
  const up = setUp();
  up.leader.add(partitionOf(0));
  const records = batchAt(
    0,
    Array.from({ length: count }, (_, index) => `v${index}`),
  );
  const acquiredRecords = [{ firstOffset: 0, lastOffset: count - 1, deliveryCount: 1 }];
  await (await up.last()).answer(fetchAnswer([fetched(0, { records, acquiredRecords })]));
  return up;
}

async function running(options: ShareRunOptions, implicit = true) {
  const up = await filled();
  const failures: string[] = [];
  const closing = new AbortController();
  const run = new ShareRun(shareRunSettings(options), {
    queue: up.queue,
    implicit,
    signal: closing.signal,
    onHandlerFailed: (error, fatal) => failures.push(`${error.offset} ${fatal}`),
    onLeaving: () => failures.push('leaving'),
  });
  run.ready();
  return { ...up, run, failures, closing };
}

/** A handler that ends when it is told to. */
function slow() {
  const started: ShareRecord[] = [];
  const ends: ((error?: Error) => void)[] = [];
  const eachRecord = (record: ShareRecord): Promise<void> =>
    new Promise((resolve, reject) => {
      started.push(record);
      ends.push((error) => (error === undefined ? resolve() : reject(error)));
    });
  return { started, ends, eachRecord };
}

describe('a run over a share group', () => {
  it('has as many handlers under way as it may, and accepts a record when its handler has ended', async () => {
    const { started, ends, eachRecord } = slow();
    await running({ eachRecord, concurrency: 2 });
    expect(started.map(({ offset }) => offset)).toEqual([0, 1]);
    expect(started[1]?.isAcquired).toBe(true);
    ends[1]?.();
    await settled();
    expect(started.map(({ offset, isAcquired }) => [offset, isAcquired])).toEqual([
      [0, true],
      [1, false],
      [2, true],
    ]);
  });

  it('leaves a record alone of which the handler has said what becomes of it, or that is explicit', async () => {
    const seen: ShareRecord[] = [];
    const handler = (record: ShareRecord): void => {
      seen.push(record);
      if (record.offset === 0) record.reject();
    };
    await running({ eachRecord: handler }, false);
    expect(seen.map(({ isAcquired }) => isAcquired)).toEqual([false, true, true, true]);
  });

  it.each(['release', 'reject'] as const)('goes on when a handler fails, with %s', async (onError) => {
    const { started, ends, eachRecord } = slow();
    const { failures, acknowledged, last } = await running({ eachRecord, onError });
    ends[0]?.(new Error('no'));
    await settled();
    expect([failures, started.length]).toEqual([['0 false'], 2]);
    await (await last()).answer(fetchAnswer([]));
    await (await last()).answer(fetchAnswer([fetched(0)]));
    expect(acknowledged).toMatchObject([{ ranges: [{ firstOffset: 0, lastOffset: 0, type: onError }] }]);
  });

  it('ends the consumer when a handler fails where that is wanted, throwing at once or later', async () => {
    const { failures } = await running({
      onError: 'fail',
      eachRecord: () => {
        throw new Error('no');
      },
    });
    expect(failures[0]).toBe('0 true');
  });

  it('ends by its signal when handlers have ended, and hands out nothing more', async () => {
    const { started, ends, eachRecord } = slow();
    const signal = new AbortController();
    const { run, failures } = await running({ eachRecord, signal: signal.signal });
    signal.abort();
    await settled();
    expect([run.isLeft, failures]).toEqual([false, ['leaving']]);
    ends[0]?.();
    await run.finished;
    expect([run.isLeft, failures, started.length, started[0]?.isAcquired]).toEqual([true, ['leaving'], 1, false]);
  });

  it('says nothing of a record whose lock expired under its handler', async () => {
    const { started, ends, eachRecord } = slow();
    const { clock, told, counters } = await running({ eachRecord });
    await clock.advance(LOCK_MS);
    expect(told).toContain('expired [{"firstOffset":0,"lastOffset":0}] true');
    ends[0]?.();
    await settled();
    expect([started.length, counters.lockTimeouts]).toEqual([1, 4]);
  });

  it('rejects with what ended the consumer', async () => {
    const { run } = await running({ eachRecord: () => undefined });
    run.finish(new KrafkaError('over', { code: 'X' }));
    await expect(run.finished).rejects.toMatchObject({ code: 'X' });
  });
});

describe('a loop over a share group', () => {
  const streamOf = async (implicit = true) => {
    const up = await filled();
    const stream = new ShareStream({ queue: up.queue, implicit, onLeft: () => undefined });
    return { ...up, stream };
  };
  const valueOf = async (result: Promise<IteratorResult<ShareRecord, undefined>>): Promise<ShareRecord> =>
    (await result).value as ShareRecord;

  it('accepts a record when the next one is asked for, and releases the one it was left with', async () => {
    const { acknowledged, last, stream } = await streamOf();
    const first = await valueOf(stream.next());
    expect(first.isAcquired).toBe(true);
    const second = await valueOf(stream.next());
    expect([first.isAcquired, second.isAcquired]).toEqual([false, true]);
    stream.leave();
    expect([second.isAcquired, stream.isLeft]).toEqual([false, true]);
    await (await last()).answer(fetchAnswer([]));
    await (await last()).answer(fetchAnswer([fetched(0)]));
    expect(acknowledged).toMatchObject([
      {
        ranges: [
          { firstOffset: 0, type: 'accept' },
          { firstOffset: 1, type: 'release' },
        ],
      },
    ]);
  });

  it('says nothing by itself in explicit mode', async () => {
    const { stream } = await streamOf(false);
    const first = await valueOf(stream.next());
    await stream.next();
    stream.leave();
    expect(first.isAcquired).toBe(true);
  });

  it('is asked one record at a time, and ends with the consumer', async () => {
    const { stream, records } = await streamOf();
    records();
    const waiting = stream.next();
    await expect(stream.next()).rejects.toThrow(TypeError);
    stream.finish(undefined);
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });

  it('keeps a closing consumer waiting until it has done with its record', async () => {
    const { stream } = await streamOf();
    const record = await valueOf(stream.next());
    const order: string[] = [];
    stream.stop();
    const drained = stream.drained().then(() => order.push('drained'));
    await settled();
    order.push('asks on');
    void stream.next();
    await drained;
    expect([order, record.isAcquired]).toEqual([['asks on', 'drained'], false]);
  });
});
