import fc from 'fast-check';
import { Deferred, type KrafkaError } from '../../support/index.js';
import { AssignedPartition } from '../assigned-partition.js';
import type { Concurrency, RecordHandler } from '../handlers.js';
import { batchAt, keyedBatchAt } from '../spec-support/batches.js';
import { settled } from '../spec-support/fake-clock.js';
import { fakePorts } from '../spec-support/ports.js';
import { runSettings } from './handling.js';
import { nack } from './nack.js';
import { RunLoop } from './run-loop.js';

/** A handler whose calls are noted, and end when the spec lets them. */
class Calls {
  readonly begun: string[] = [];
  readonly #gates = new Map<string, Deferred<void | ReturnType<typeof nack>>>();

  readonly handler: RecordHandler = ({ valueText }) => {
    const value = String(valueText);
    this.begun.push(value);
    const gate = new Deferred<void | ReturnType<typeof nack>>();
    this.#gates.set(value, gate);
    return gate.promise;
  };

  async end(value: string, verdict?: ReturnType<typeof nack>): Promise<void> {
    this.#gates.get(value)?.resolve(verdict);
    await settled();
  }

  async fail(value: string): Promise<void> {
    this.#gates.get(value)?.reject(new Error(`${value} failed`));
    await settled();
  }
}

function setUp(concurrency: Concurrency, handler: RecordHandler) {
  const ports = fakePorts();
  const failed: KrafkaError[] = [];
  const committed: number[] = [];
  const loop = new RunLoop(runSettings({ eachRecord: handler, concurrency }), {
    ports,
    onTaken: () => undefined,
    onCorrupt: () => undefined,
    onUndecodable: () => undefined,
    onNack: () => undefined,
    commit: async (one) => void committed.push(one.commits.committable),
    onHandlerFailed: (error) => failed.push(error),
  });
  const partition = (number = 0): AssignedPartition => {
    const one = new AssignedPartition('t', number, 'committed', { maxDecompressedBytes: 1_000_000 }, () => undefined);
    one.partitionMaxBytes = 1_000_000;
    one.begin(0, -1, true);
    loop.add(one);
    return one;
  };
  const arrive = async (one: AssignedPartition, ...batches: Buffer[]): Promise<void> => {
    one.buffer.push(Buffer.concat(batches), null);
    loop.ready(one);
    await settled();
  };
  return { loop, failed, committed, partition, arrive, ...ports };
}

const done = (one: AssignedPartition): number => one.commits.committable;

describe('records handled by key', () => {
  it('keep their order within a key, and overtake those of others', async () => {
    const calls = new Calls();
    const { partition, arrive } = setUp({ by: 'key' }, calls.handler);
    const one = partition();
    await arrive(one, keyedBatchAt(0, ['a:1', 'a:2', 'b:3', 'a:4', 'c:5']));
    expect(calls.begun).toEqual(['1', '3', '5']);
    await calls.end('3');
    await calls.end('5');
    expect(calls.begun).toEqual(['1', '3', '5']);
    await calls.end('1');
    expect(calls.begun).toEqual(['1', '3', '5', '2']);
    await calls.end('2');
    expect(calls.begun).toEqual(['1', '3', '5', '2', '4']);
  });

  it('are committed without a gap, however they overtake one another', async () => {
    const calls = new Calls();
    const { partition, arrive } = setUp({ by: 'key' }, calls.handler);
    const one = partition();
    await arrive(one, keyedBatchAt(0, ['a:0', 'b:1', 'c:2']));
    await calls.end('2');
    await calls.end('1');
    expect(done(one)).toBe(0);
    await calls.end('0');
    expect(done(one)).toBe(3);
  });

  it('wait for one another where they have no key', async () => {
    const calls = new Calls();
    const { partition, arrive } = setUp({ by: 'key' }, calls.handler);
    await arrive(partition(), batchAt(0, ['0', '1']));
    expect(calls.begun).toEqual(['0']);
  });

  it('are not called beyond the limit, of all partitions together', async () => {
    const calls = new Calls();
    const { partition, arrive } = setUp({ by: 'key', limit: 3 }, calls.handler);
    const [one, other] = [partition(0), partition(1)];
    await arrive(one, keyedBatchAt(0, ['a:0', 'b:1']));
    await arrive(other, keyedBatchAt(0, ['c:2', 'd:3', 'e:4']));
    expect(calls.begun).toEqual(['0', '1', '2']);
    await calls.end('0');
    expect(calls.begun).toEqual(['0', '1', '2', '3']);
  });

  it('stop being handed out when too many wait behind one key, and go on when they do not', async () => {
    const calls = new Calls();
    const { partition, arrive } = setUp({ by: 'key' }, calls.handler);
    const one = partition();
    await arrive(one, keyedBatchAt(0, [...Array.from({ length: 1_200 }, (_, index) => `hot:${index}`), 'b:b']));
    expect(calls.begun).toEqual(['0']);
    expect(one.position).toBe(1_001);
    for (let index = 0; index < 200; index++) await calls.end(String(index));
    expect(calls.begun.at(-1)).toBe('b');
  });

  it('are counted in bytes while they wait: big ones stop the lane sooner', async () => {
    const calls = new Calls();
    const { partition, arrive } = setUp({ by: 'key' }, calls.handler);
    const one = partition();
    one.partitionMaxBytes = 2_500;
    await arrive(
      one,
      keyedBatchAt(
        0,
        Array.from({ length: 10 }, (_, index) => `hot:${index}${'x'.repeat(1_000)}`),
      ),
    );
    expect(one.position).toBe(4);
  });

  it('hold nothing up when one is to come again: only its key waits, and commits wait for it', async () => {
    const calls = new Calls();
    const { partition, arrive, clock } = setUp({ by: 'key' }, calls.handler);
    const one = partition();
    await arrive(one, keyedBatchAt(0, ['a:0', 'a:1', 'b:2']));
    await calls.end('0', nack(5_000));
    await calls.end('2');
    expect(done(one)).toBe(0);
    expect(calls.begun).toEqual(['0', '2']);
    await clock.advance(5_000);
    expect(calls.begun).toEqual(['0', '2', '0']);
    await calls.end('0');
    await calls.end('1');
    expect(done(one)).toBe(3);
  });

  it('wait where they are while the partition is paused, and none is lost', async () => {
    const calls = new Calls();
    const { loop, partition, arrive } = setUp({ by: 'key' }, calls.handler);
    const one = partition();
    await arrive(one, keyedBatchAt(0, ['a:0', 'a:1']));
    one.pause();
    await calls.end('0');
    expect(calls.begun).toEqual(['0']);
    one.resume();
    loop.ready(one);
    expect(calls.begun).toEqual(['0', '1']);
    await calls.end('1');
    expect(done(one)).toBe(2);
  });

  it('count for nothing after a seek, and those that waited are not called', async () => {
    const calls = new Calls();
    const { partition, arrive } = setUp({ by: 'key' }, calls.handler);
    const one = partition();
    await arrive(one, keyedBatchAt(0, ['a:0', 'a:1', 'b:2']));
    one.seek(100);
    await calls.end('0');
    await calls.end('2');
    await arrive(one, keyedBatchAt(100, ['a:100']));
    expect(calls.begun).toEqual(['0', '2', '100']);
    expect(done(one)).toBe(100);
    await calls.end('100');
    expect(done(one)).toBe(101);
  });

  it('end before their partition goes; those that wait are left to whoever gets it', async () => {
    const calls = new Calls();
    const { loop, partition, arrive } = setUp({ by: 'key' }, calls.handler);
    const one = partition();
    await arrive(one, keyedBatchAt(0, ['a:0', 'a:1', 'b:2', 'c:3']));
    let gone = false;
    const going = loop.remove(one).then(() => (gone = true));
    await calls.end('0');
    await calls.end('2');
    expect(gone).toBe(false);
    await calls.end('3');
    await going;
    expect(calls.begun).toEqual(['0', '2', '3']);
    expect(done(one)).toBe(1);
  });

  it('end the consumer when one fails, and nothing from it on is committed', async () => {
    const calls = new Calls();
    const { partition, arrive, failed } = setUp({ by: 'key' }, calls.handler);
    const one = partition();
    await arrive(one, keyedBatchAt(0, ['a:0', 'b:1', 'c:2']));
    await calls.end('0');
    await calls.end('2');
    await calls.fail('1');
    expect(failed).toMatchObject([{ code: 'HANDLER_FAILED', offset: 1 }]);
    expect(done(one)).toBe(1);
  });

  it('may be committed by their handler, yet never ahead of one before', async () => {
    const contexts: (() => Promise<void>)[] = [];
    const { partition, arrive, committed } = setUp({ by: 'key' }, (record, context) => {
      contexts.push(() => context.commit(record));
      return new Promise(() => undefined);
    });
    await arrive(partition(), keyedBatchAt(0, ['a:0', 'b:1']));
    await contexts[1]?.();
    await contexts[0]?.();
    expect(committed).toEqual([0, 2]);
  });

  it('go on in the same turn while handlers return no promise', () => {
    const seen: (string | null)[] = [];
    const { loop, partition } = setUp({ by: 'key' }, ({ valueText }) => void seen.push(valueText));
    const one = partition();
    one.buffer.push(keyedBatchAt(0, ['a:0', 'a:1', 'b:2']), null);
    loop.ready(one);
    expect(seen).toEqual(['0', '1', '2']);
    expect(done(one)).toBe(3);
  });
});

describe('records handled in no order', () => {
  it('are called side by side up to the limit, those of one key too', async () => {
    const calls = new Calls();
    const { partition, arrive } = setUp({ by: 'none', limit: 2 }, calls.handler);
    const one = partition();
    await arrive(one, keyedBatchAt(0, ['a:0', 'a:1', 'a:2']));
    expect(calls.begun).toEqual(['0', '1']);
    await calls.end('1');
    expect(calls.begun).toEqual(['0', '1', '2']);
    expect(done(one)).toBe(0);
  });

  it('name the oldest that is under way', async () => {
    const calls = new Calls();
    const { loop, partition, arrive, clock } = setUp({ by: 'none' }, calls.handler);
    const one = partition();
    await arrive(one, keyedBatchAt(0, ['a:0']));
    const since = clock.monotonic();
    clock.pass(10);
    await arrive(one, keyedBatchAt(1, ['a:1']));
    expect(loop.underWay(one)).toEqual({ offset: 0, since });
    await calls.end('0');
    expect(loop.underWay(one)).toEqual({ offset: 1, since: since + 10 });
  });
});

describe('whatever the order in which handlers end', () => {
  it('each record is handled once, keys keep their order, and commits never pass what is not done', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 40 }),
        fc.constantFrom('key' as const, 'none' as const),
        fc.integer({ min: 1, max: 5 }),
        fc.infiniteStream(fc.nat()),
        async (keys, by, limit, choices) => {
          const calls = new Calls();
          const { partition, arrive } = setUp({ by, limit }, calls.handler);
          const one = partition();
          await arrive(
            one,
            keyedBatchAt(
              0,
              keys.map((key, offset) => `k${key}:${offset}`),
            ),
          );
          const ended = new Set<string>();
          while (ended.size < keys.length) {
            const open = calls.begun.filter((value) => !ended.has(value));
            expect(open.length).toBeGreaterThan(0);
            expect(open.length).toBeLessThanOrEqual(limit);
            const value = open[(choices.next().value as number) % open.length] as string;
            ended.add(value);
            await calls.end(value);
            const firstUndone = keys.findIndex((_, offset) => !ended.has(String(offset)));
            expect(done(one)).toBe(firstUndone < 0 ? keys.length : firstUndone);
          }
          expect(calls.begun).toHaveLength(keys.length);
          if (by === 'none') return;
          for (const key of new Set(keys)) {
            const ofKey = calls.begun.map(Number).filter((offset) => keys[offset] === key);
            expect(ofKey).toEqual(ofKey.toSorted((a, b) => a - b));
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});
