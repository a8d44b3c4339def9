import { Deferred, KrafkaError } from '../../support/index.js';
import { AssignedPartition } from '../assigned-partition.js';
import { arrivedIn } from '../fetch/partition-buffer.js';
import type { BatchHandler, RunOptions } from '../handlers.js';
import { batchAt, emptied, keyedBatchAt, markerAt, strangelyCompressed } from '../spec-support/batches.js';
import { settled } from '../spec-support/fake-clock.js';
import { fakePorts } from '../spec-support/ports.js';
import { runSettings } from './handling.js';
import { nack } from './nack.js';
import { RunLoop } from './run-loop.js';

function setUp(options: RunOptions) {
  const ports = fakePorts();
  const taken: string[] = [];
  const corrupt: string[] = [];
  const failed: KrafkaError[] = [];
  const nacked: { key: string; offset: number; delayMs: number }[] = [];
  const committed: number[] = [];
  const loop = new RunLoop(runSettings(options), {
    ports,
    onTaken: ({ key }) => taken.push(key),
    onCorrupt: ({ key }, error) => corrupt.push(`${key} ${error.code}`),
    onUndecodable: () => undefined,
    onNack: (one, { offset, isReadAhead }, delayMs) => {
      nacked.push({ key: one.key, offset, delayMs });
      one.holdAt(offset, -1, isReadAhead);
    },
    commit: async (one) => void committed.push(one.commits.committable),
    onHandlerFailed: (error) => failed.push(error),
  });
  /** Puts batches in the partition's buffer, as a fetch does. */
  const arrive = (one: AssignedPartition, ...batches: Buffer[]): void => {
    const bytes = Buffer.concat(batches);
    one.buffer.push(bytes, null, arrivedIn(bytes)?.records);
    loop.ready(one);
  };
  return { loop, taken, corrupt, failed, nacked, committed, arrive, ...ports };
}

/** A partition that stands at its beginning. */
function partition(number: number): AssignedPartition {
  const one = new AssignedPartition('t', number, 'committed', { maxDecompressedBytes: 1_000_000 }, () => undefined);
  one.begin(0, -1, true);
  return one;
}

/** A partition, not added yet, of which batches wait for 100 ms to fill; `batches` are how many records each had. */
function patient(maxRecords: number) {
  const batches: number[] = [];
  const eachBatch: BatchHandler = ({ records }) => void batches.push(records.length);
  return { batches, one: partition(0), ...setUp({ eachBatch, maxRecords, maxWaitMs: 100 }) };
}

const handler = (): void => undefined;

const letters = (count: number): string[] => Array.from({ length: count }, (_, index) => `v${index}`);

describe('runSettings', () => {
  it.each([
    [{}, 'eachRecord'],
    [{ eachRecord: handler, eachBatch: handler }, 'eachRecord'],
    [{ eachRecord: 'x' }, 'eachRecord'],
    [{ eachRecord: handler, maxRecords: 5 }, 'maxRecords'],
    [{ eachRecord: handler, maxWaitMs: 5 }, 'maxWaitMs'],
    [{ eachRecord: handler, concurrency: 0 }, 'concurrency'],
    [{ eachRecord: handler, concurrency: { by: 'topic' } }, 'concurrency.by'],
    [{ eachBatch: handler, concurrency: { by: 'key' } }, 'concurrency'],
    [{ byTopic: () => ({ eachRecord: handler }), eachRecord: handler }, 'eachRecord'],
    [{ byTopic: () => ({ eachRecord: handler }), concurrency: 5 }, 'concurrency'],
    [{ eachRecord: handler, signal: 'x' }, 'signal'],
    [{ eachMessage: handler }, 'eachMessage'],
  ])('refuses %p by name', (options, option) => {
    expect(() => runSettings(options as never)).toThrow(expect.objectContaining({ option }));
  });
});

describe('a handling by topic', () => {
  it('is asked for once for each topic, has a limit of its own, and is refused by name', () => {
    const asked: string[] = [];
    const settings = runSettings({
      byTopic: (topic) => {
        asked.push(topic);
        if (topic === 'wrong') return { eachRecord: handler, maxRecords: 5 } as never;
        return topic === 'batches'
          ? { eachBatch: handler, maxRecords: 7, maxWaitMs: 20 }
          : { eachRecord: handler, concurrency: { by: 'key' } };
      },
    });
    expect(settings.handlingOf('batches')).toMatchObject({ kind: 'batches', maxRecords: 7, maxWaitMs: 20 });
    expect(settings.handlingOf('a')).toMatchObject({ kind: 'records', by: 'key', limit: 16 });
    expect(settings.handlingOf('a')).toBe(settings.handlingOf('a'));
    expect(settings.handlingOf('b')).not.toBe(settings.handlingOf('a'));
    expect(asked).toEqual(['batches', 'a', 'b']);
    expect(() => settings.handlingOf('wrong')).toThrow(
      expect.objectContaining({ option: "byTopic('wrong').maxRecords" }),
    );
  });
});

describe('RunLoop with eachRecord', () => {
  it.each([
    ['at once', () => nack(500)],
    ['later', async () => nack(500)],
  ])('has a record come again whose handler says so %s, and commits nothing from it on', async (_when, answer) => {
    const { loop, arrive, nacked } = setUp({ eachRecord: ({ offset }) => (offset === 1 ? answer() : undefined) });
    const one = partition(0);
    loop.add(one);
    arrive(one, batchAt(0, ['a', 'b']));
    await settled();
    expect(nacked).toEqual([{ key: 't/0', offset: 1, delayMs: 500 }]);
    expect(one.commits.committable).toBe(1);
  });

  it.each([
    ['keeps what was read ahead for a short while', 5_000, 1],
    ['throws away what was read ahead for a long one', 5_001, 0],
  ])('%s', (_what, delayMs, batchesLeft) => {
    const offsets: number[] = [];
    const { loop, arrive } = setUp({
      eachRecord: ({ offset }) => {
        offsets.push(offset);
        return offsets.length === 1 ? nack(delayMs) : undefined;
      },
    });
    const one = partition(0);
    loop.add(one);
    arrive(one, batchAt(0, ['a']), batchAt(1, ['b']));
    expect({ offsets, position: one.position, ahead: one.buffer.records }).toEqual({
      offsets: [0],
      position: 0,
      ahead: batchesLeft,
    });
    one.letGo();
    loop.ready(one);
    expect(offsets).toEqual(batchesLeft === 1 ? [0, 0, 1] : [0]);
  });

  it('does not step back in what is not there any more', async () => {
    const gate = new Deferred<void>();
    const { loop, arrive } = setUp({ eachRecord: () => gate.promise.then(() => nack(1)) });
    const one = partition(0);
    loop.add(one);
    arrive(one, batchAt(0, ['a', 'b']));
    one.pause();
    one.resume();
    gate.resolve();
    await settled();
    expect({ position: one.position, fetchOffset: one.fetchOffset }).toEqual({ position: 0, fetchOffset: 0 });
  });

  it('lets a handler commit its record before it has ended', async () => {
    const { loop, arrive, committed } = setUp({
      eachRecord: async (record, { commit }) => {
        await commit(record);
        await new Deferred().promise;
      },
    });
    const one = partition(0);
    loop.add(one);
    arrive(one, batchAt(0, ['a', 'b']));
    await settled();
    expect(committed).toEqual([1]);
  });

  it('calls the handler directly and goes on in the same turn while it returns no promise', () => {
    const seen: (string | null)[] = [];
    const { loop, arrive } = setUp({ eachRecord: ({ valueText }) => void seen.push(valueText) });
    const one = partition(0);
    loop.add(one);
    arrive(one, batchAt(0, ['a', 'b']), batchAt(2, ['c']));
    expect(seen).toEqual(['a', 'b', 'c']);
    expect(one.commits.committable).toBe(3);
  });

  // The clock is looked at before each batch, and once for 32 records.
  it.each([
    ['eachBatch', 1],
    ['eachRecord', 63],
  ] as const)('lets sockets have their turn while %s computes', async (way, atOnce) => {
    const seen: number[] = [];
    const compute = (offset: number): void => {
      seen.push(offset);
      clock.pass(3);
    };
    const { loop, arrive, clock } = setUp(
      way === 'eachBatch'
        ? { maxRecords: 1, eachBatch: ({ records }) => compute(records[0]!.offset) }
        : { eachRecord: ({ offset }) => compute(offset) },
    );
    const one = partition(0);
    loop.add(one);
    arrive(one, batchAt(0, letters(200)));
    expect(seen).toHaveLength(atOnce);
    await new Promise((resolve) => setImmediate(resolve));
    expect(seen.length).toBeGreaterThan(atOnce);
    expect(seen.length).toBeLessThan(200);
    await loop.stop();
  });

  it('waits for a promise before it hands out the next record, and then counts the record as done', async () => {
    const gates: Deferred<void>[] = [];
    const { loop, arrive } = setUp({
      eachRecord: () => {
        gates.push(new Deferred());
        return gates.at(-1)?.promise;
      },
    });
    const one = partition(0);
    loop.add(one);
    arrive(one, batchAt(0, ['a', 'b']));
    await settled();
    expect(gates).toHaveLength(1);
    expect(one.position).toBe(1);
    expect(one.commits.committable).toBe(0);
    gates[0]?.resolve();
    await settled();
    expect(gates).toHaveLength(2);
    expect(one.commits.committable).toBe(1);
  });

  it('lets no partition wait for another', async () => {
    const stuck = new Deferred<void>();
    const seen: number[] = [];
    const { loop, arrive } = setUp({
      eachRecord: (record) => (record.partition === 0 ? stuck.promise : void seen.push(record.offset)),
    });
    const [slow, quick] = [partition(0), partition(1)];
    loop.add(slow);
    loop.add(quick);
    arrive(slow, batchAt(0, ['a', 'b']));
    arrive(quick, batchAt(0, ['a', 'b']));
    arrive(quick, batchAt(2, ['c']));
    expect(seen).toEqual([0, 1, 2]);
    expect(loop.underWay(slow)).toMatchObject({ offset: 0 });
    expect(loop.underWay(quick)).toBeUndefined();
  });

  it('moves over holes, markers and empty batches when what is before them is done', async () => {
    const gate = new Deferred<void>();
    const { loop, arrive } = setUp({ eachRecord: () => gate.promise });
    const one = partition(0);
    loop.add(one);
    arrive(one, batchAt(0, ['a']), markerAt(1, 'commit', 5), emptied(batchAt(2, ['x', 'y'])));
    await settled();
    expect(one.commits.committable).toBe(0);
    gate.resolve();
    await settled();
    expect(one.commits.committable).toBe(4);
    expect(one.position).toBe(4);
  });

  it('gives sockets and timers a turn every few milliseconds, and goes on after', async () => {
    const { loop, arrive, clock } = setUp({ eachRecord: () => clock.pass(1) });
    const one = partition(0);
    loop.add(one);
    arrive(one, batchAt(0, letters(200)));
    expect(one.position).toBeGreaterThan(0);
    expect(one.position).toBeLessThan(200);
    for (let turn = 0; turn < 10; turn++) await settled();
    expect(one.position).toBe(200);
  });

  it('gives them their turn though handlers await only what is settled already', async () => {
    const { loop, arrive, clock } = setUp({ eachRecord: async () => clock.pass(1) });
    const one = partition(0);
    loop.add(one);
    let turns = 0;
    const count = (): void => {
      turns++;
      if (one.position < 200) setImmediate(count);
    };
    setImmediate(count);
    arrive(one, batchAt(0, letters(200)));
    for (let turn = 0; turn < 20; turn++) await settled();
    expect(one.position).toBe(200);
    expect(turns).toBeGreaterThan(3);
  });

  it('shares the turns out among lanes', async () => {
    const seen: number[] = [];
    const { loop, arrive, clock } = setUp({
      eachRecord: (record) => {
        clock.pass(1);
        seen.push(record.partition);
      },
    });
    const lanes = [partition(0), partition(1)];
    for (const lane of lanes) loop.add(lane);
    for (const lane of lanes) arrive(lane, batchAt(0, letters(500)));
    for (let turn = 0; turn < 30; turn++) await settled();
    expect(lanes.map(({ position }) => position)).toEqual([500, 500]);
    // Whoever had most of one turn goes last in the next: so they keep up with one another.
    let ahead = 0;
    let most = 0;
    for (const lane of seen) most = Math.max(most, Math.abs((ahead += lane === 0 ? 1 : -1)));
    expect(most).toBeLessThan(100);
  });

  it('has no more handlers under way than concurrency allows, and nobody is forgotten', async () => {
    const gates: Deferred<void>[] = [];
    const { loop, arrive } = setUp({
      concurrency: 2,
      eachRecord: () => {
        gates.push(new Deferred());
        return gates.at(-1)?.promise;
      },
    });
    const lanes = [0, 1, 2, 3].map((number) => partition(number));
    for (const lane of lanes) {
      loop.add(lane);
      arrive(lane, batchAt(0, ['a']));
    }
    await settled();
    expect(gates).toHaveLength(2);
    await loop.remove(lanes[2] as AssignedPartition);
    gates[0]?.resolve();
    await settled();
    expect(gates).toHaveLength(3);
    expect(lanes.map(({ position }) => position)).toEqual([1, 1, 0, 1]);
  });

  it.each<[string, (record: { offset: number }) => void | Promise<void>]>([
    [
      'throws',
      ({ offset }) => {
        if (offset === 1) throw new Error('no');
      },
    ],
    [
      'rejects',
      async ({ offset }) => {
        if (offset === 1) throw new Error('no');
      },
    ],
  ])('ends, naming the place, when the handler %s; the record is not done', async (_, eachRecord) => {
    const { loop, arrive, failed } = setUp({ eachRecord });
    const one = partition(3);
    loop.add(one);
    arrive(one, batchAt(0, ['a', 'b', 'c']));
    await settled();
    expect(failed).toMatchObject([{ code: 'HANDLER_FAILED', topic: 't', partition: 3, offset: 1 }]);
    expect(failed[0]?.message).toContain('no');
    expect(one.commits.committable).toBe(1);
    expect(one.position).toBe(2);
  });

  it('takes no notice of an error after the handler was told to stop', async () => {
    const gate = new Deferred<void>();
    const { loop, arrive, failed } = setUp({ eachRecord: () => gate.promise });
    const one = partition(0);
    loop.add(one);
    arrive(one, batchAt(0, ['a']));
    one.retire(new Error('revoked'));
    const removed = loop.remove(one);
    gate.reject(new Error('aborted'));
    await removed;
    expect(failed).toEqual([]);
    expect(one.commits.committable).toBe(0);
  });

  it('aborts the signal that the handler was given when the partition goes', () => {
    let signal: AbortSignal | undefined;
    const { loop, arrive } = setUp({
      eachRecord: (_, context) => {
        ({ signal } = context);
        return new Promise(() => undefined);
      },
    });
    const one = partition(0);
    loop.add(one);
    arrive(one, batchAt(0, ['a']));
    expect(signal?.aborted).toBe(false);
    one.retire(new Error('revoked'));
    expect(signal?.aborted).toBe(true);
  });

  it('removes a partition when its handler has ended, and hands out nothing more of it', async () => {
    const gate = new Deferred<void>();
    let calls = 0;
    const { loop, arrive } = setUp({
      eachRecord: () => {
        calls++;
        return gate.promise;
      },
    });
    const one = partition(0);
    loop.add(one);
    arrive(one, batchAt(0, ['a', 'b']));
    let removed = false;
    const removing = loop.remove(one).then(() => (removed = true));
    await settled();
    expect(removed).toBe(false);
    gate.resolve();
    await removing;
    expect(calls).toBe(1);
    expect(one.commits.committable).toBe(1);
  });

  it('never has two handlers of one partition under way, though it left and came back', async () => {
    const gates: Deferred<void>[] = [];
    const { loop, arrive } = setUp({
      eachRecord: () => {
        gates.push(new Deferred());
        return gates.at(-1)?.promise;
      },
    });
    const before = partition(0);
    loop.add(before);
    arrive(before, batchAt(0, ['a']));
    void loop.remove(before);
    const after = partition(0);
    loop.add(after);
    arrive(after, batchAt(0, ['a']));
    await settled();
    expect(gates).toHaveLength(1);
    gates[0]?.resolve();
    await settled();
    expect(gates).toHaveLength(2);
  });

  it('tells of the handler that a partition waits for, though it left and came back', async () => {
    const [first, second] = [new Deferred<void>(), new Deferred<void>()];
    const { loop, arrive, clock } = setUp({ eachRecord: ({ offset }) => (offset === 0 ? first : second).promise });
    const before = partition(0);
    loop.add(before);
    arrive(before, batchAt(0, ['a']));
    const since = clock.monotonic();
    void loop.remove(before);
    clock.pass(70);
    const between = partition(0);
    loop.add(between);
    void loop.remove(between);
    const after = partition(0);
    loop.add(after);
    arrive(after, batchAt(0, ['a', 'b']));
    after.handedOut(1, -1);
    expect(loop.underWay(after)).toEqual({ offset: 0, since });
    first.resolve();
    await settled();
    expect(loop.underWay(after)).toEqual({ offset: 1, since: since + 70 });
  });

  it('tells of the handler of a key only while that has not ended', async () => {
    const gates = new Map(['a', 'b'].map((key) => [key, new Deferred<void>()]));
    const { loop, arrive } = setUp({
      concurrency: { by: 'key' },
      eachRecord: ({ keyText }) => gates.get(keyText as string)?.promise,
    });
    const one = partition(0);
    loop.add(one);
    arrive(one, keyedBatchAt(0, ['a', 'b', 'a']));
    void loop.remove(one);
    gates.get('a')?.resolve();
    await settled();
    expect(loop.underWay(one)).toMatchObject({ offset: 1 });
    gates.get('b')?.resolve();
    await settled();
    expect(loop.underWay(one)).toBeUndefined();
  });

  it('is waited for once it was told to stop, too, and takes up nothing new', async () => {
    const gate = new Deferred<void>();
    const seen: string[] = [];
    const { loop, arrive } = setUp({
      eachRecord: (record) => {
        seen.push(`${record.partition}@${record.offset}`);
        return gate.promise;
      },
    });
    const [one, other] = [partition(0), partition(1)];
    loop.add(one);
    arrive(one, batchAt(0, ['a', 'b']));
    const ended: string[] = [];
    const stopping = loop.stop().then(() => ended.push('stopped'));
    const removing = loop.remove(one).then(() => ended.push('removed'));
    loop.add(other);
    arrive(other, batchAt(0, ['a']));
    await settled();
    expect(ended).toEqual([]);
    expect(loop.underWay(one)).toMatchObject({ offset: 0 });
    gate.resolve();
    await Promise.all([stopping, removing]);
    expect(seen).toEqual(['0@0']);
    expect(one.commits.committable).toBe(1);
  });

  it('drops what it has in hand when the partition is sought, paused or truncated', async () => {
    const gate = new Deferred<void>();
    const seen: number[] = [];
    const { loop, arrive } = setUp({
      eachRecord: ({ offset }) => {
        seen.push(offset);
        return offset === 0 ? gate.promise : undefined;
      },
    });
    const one = partition(0);
    loop.add(one);
    arrive(one, batchAt(0, ['a', 'b', 'c']));
    one.seek(7);
    gate.resolve();
    await settled();
    expect(seen).toEqual([0]);
    arrive(one, batchAt(7, ['h']));
    expect(seen).toEqual([0, 7]);
    expect(one.commits.committable).toBe(8);
  });

  it('honours a handler that seeks', () => {
    const seen: number[] = [];
    const { loop, arrive } = setUp({
      eachRecord: ({ offset }) => {
        seen.push(offset);
        if (offset === 1) one.seek(0);
      },
    });
    const one = partition(0);
    loop.add(one);
    arrive(one, batchAt(0, ['a', 'b', 'c']));
    expect(seen).toEqual([0, 1]);
    expect(one.position).toBe(0);
    expect(one.commits.committable).toBe(0);
  });

  it('hands out nothing of a paused partition', () => {
    const seen: number[] = [];
    const { loop, arrive } = setUp({ eachRecord: ({ offset }) => void seen.push(offset) });
    const one = partition(0);
    loop.add(one);
    one.pause();
    arrive(one, batchAt(0, ['a']));
    expect(seen).toEqual([]);
    one.resume();
    loop.ready(one);
    expect(seen).toEqual([0]);
  });

  it('tells of a batch that cannot be read, and goes on when it comes anew', () => {
    const seen: number[] = [];
    const { loop, arrive, corrupt } = setUp({ eachRecord: ({ offset }) => void seen.push(offset) });
    const one = partition(0);
    const spoiled = Buffer.from(batchAt(0, ['abc']));
    spoiled.writeUInt8((spoiled.at(-2) as number) ^ 1, spoiled.length - 2);
    loop.add(one);
    arrive(one, spoiled);
    expect(corrupt).toEqual(['t/0 CORRUPT_MESSAGE']);
    one.refetch();
    arrive(one, batchAt(0, ['abc']));
    expect(seen).toEqual([0]);
  });

  it('tells of a codec that nobody knows, and lets the other partitions flow', () => {
    const seen: number[] = [];
    const { loop, arrive, corrupt } = setUp({ eachRecord: ({ offset }) => void seen.push(offset) });
    const [strange, plain] = [partition(0), partition(1)];
    loop.add(strange);
    loop.add(plain);
    arrive(strange, strangelyCompressed(batchAt(0, ['abc'])));
    arrive(plain, batchAt(0, ['abc']));
    expect(corrupt).toEqual(['t/0 UNSUPPORTED_COMPRESSION_TYPE']);
    expect(seen).toEqual([0]);
  });

  it('resolves when the consumer closes, and rejects when it fails', async () => {
    const closed = setUp({ eachRecord: handler }).loop;
    closed.end(undefined);
    await closed.finished;
    const failing = setUp({ eachRecord: handler }).loop;
    failing.end(new KrafkaError('x', { code: 'X' }));
    failing.end(undefined);
    await expect(failing.finished).rejects.toMatchObject({ code: 'X' });
  });
});

describe('RunLoop with eachBatch', () => {
  it('waits for a full batch as long as it is told to, and no longer', async () => {
    const batches: number[][] = [];
    const { loop, arrive, clock } = setUp({
      eachBatch: ({ records }) => void batches.push(records.map(({ offset }) => offset)),
      maxRecords: 4,
      maxWaitMs: 100,
    });
    const one = partition(0);
    one.partitionMaxBytes = 1_000_000;
    loop.add(one);
    arrive(one, batchAt(0, ['a', 'b']));
    arrive(one, batchAt(2, ['c']));
    await clock.advance(99);
    expect(batches).toEqual([]);
    arrive(one, batchAt(3, ['d', 'e']));
    expect(batches).toEqual([[0, 1, 2, 3]]);
    await clock.advance(99);
    expect(batches).toHaveLength(1);
    await clock.advance(1);
    expect(batches[1]).toEqual([4]);
    expect(clock.timers).toEqual([]);
  });

  it('hands out what there is when its timer fires, though the clock is a fraction behind the timer', async () => {
    const { batches, loop, arrive, clock, one } = patient(4);
    one.partitionMaxBytes = 1_000_000;
    loop.add(one);
    arrive(one, batchAt(0, ['a', 'b']));
    const monotonic = clock.monotonic.bind(clock);
    clock.monotonic = () => monotonic() - 0.5;
    await clock.advance(100);
    expect(batches).toEqual([2]);
  });

  it('does not wait for more than may be read ahead', () => {
    const { batches, loop, arrive, one } = patient(400);
    one.partitionMaxBytes = 10;
    loop.add(one);
    arrive(one, batchAt(0, ['a', 'b']), batchAt(2, ['c']));
    expect(batches).toEqual([3]);
  });

  it('reads on up to its share while it waits for a batch that takes more than keeps a handler busy', () => {
    const { batches, loop, arrive, one } = patient(400);
    one.share(300, 10);
    loop.add(one);
    arrive(one, batchAt(0, ['a', 'b']), batchAt(2, ['c']));
    expect([batches, one.partitionMaxBytes]).toEqual([[], 300]);
    one.share(200, 10);
    expect(one.partitionMaxBytes).toBe(200);
    arrive(one, batchAt(3, ['x'.repeat(300)]));
    expect(batches).toEqual([4]);
  });

  it('has what is not resolved come again when the handler says so', async () => {
    const { loop, arrive, nacked } = setUp({
      eachBatch: async ({ resolve }) => {
        resolve(1);
        return nack(50);
      },
    });
    const one = partition(0);
    loop.add(one);
    arrive(one, batchAt(0, ['a', 'b', 'c']));
    await settled();
    expect(nacked).toEqual([{ key: 't/0', offset: 2, delayMs: 50 }]);
    expect(one.commits.committable).toBe(2);
  });

  it('puts small batches together, up to maxRecords, and cuts large ones', () => {
    const seen: number[][] = [];
    const { loop, arrive } = setUp({
      maxRecords: 4,
      eachBatch: ({ records }) => void seen.push(records.map(({ offset }) => offset)),
    });
    const one = partition(0);
    loop.add(one);
    arrive(one, batchAt(0, ['a']), batchAt(1, ['b', 'c']), batchAt(3, letters(6)));
    expect(seen).toEqual([[0, 1, 2, 3], [4, 5, 6, 7], [8]]);
    expect(one.commits.committable).toBe(9);
  });

  it('passes over markers between batches', () => {
    const seen: number[][] = [];
    const { loop, arrive } = setUp({
      eachBatch: ({ records }) => void seen.push(records.map(({ offset }) => offset)),
    });
    const one = partition(0);
    loop.add(one);
    arrive(one, batchAt(0, ['a']), markerAt(1, 'commit', 5), batchAt(2, ['b']), markerAt(3, 'commit', 5));
    expect(seen).toEqual([[0, 2]]);
    expect(one.commits.committable).toBe(4);
  });

  it('counts what was resolved as done before the whole batch is, and never back', async () => {
    const gate = new Deferred<void>();
    let resolve: (offset: number) => void = handler;
    const { loop, arrive, failed } = setUp({
      eachBatch: (batch) => {
        ({ resolve } = batch);
        return gate.promise;
      },
    });
    const one = partition(0);
    loop.add(one);
    arrive(one, batchAt(0, letters(5)));
    expect(one.position).toBe(5);
    expect(one.commits.committable).toBe(0);
    resolve(2);
    expect(one.commits.committable).toBe(3);
    resolve(0);
    expect(one.commits.committable).toBe(3);
    resolve(99);
    expect(one.commits.committable).toBe(5);
    gate.reject(new Error('no'));
    await settled();
    expect(failed).toMatchObject([{ offset: 4 }]);
  });

  it('names the first record that is not done when the handler fails', async () => {
    const { loop, arrive, failed } = setUp({
      eachBatch: async ({ resolve }) => {
        resolve(1);
        throw new Error('no');
      },
    });
    const one = partition(0);
    loop.add(one);
    arrive(one, batchAt(0, letters(5)));
    await settled();
    expect(failed).toMatchObject([{ offset: 2 }]);
    expect(one.commits.committable).toBe(2);
  });

  it('counts nothing of a batch from before a seek', async () => {
    const gate = new Deferred<void>();
    const { loop, arrive } = setUp({ eachBatch: () => gate.promise });
    const one = partition(0);
    loop.add(one);
    arrive(one, batchAt(0, letters(5)));
    one.seek(2);
    gate.resolve();
    await settled();
    expect(one.commits.committable).toBe(2);
  });
});
