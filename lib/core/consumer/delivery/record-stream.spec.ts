import { KrafkaError } from '../../support/index.js';
import { AssignedPartition } from '../assigned-partition.js';
import { batchAt, markerAt } from '../spec-support/batches.js';
import { settled } from '../spec-support/fake-clock.js';
import { fakePorts } from '../spec-support/ports.js';
import { RecordStream } from './record-stream.js';

function setUp() {
  const ports = fakePorts();
  const corrupt: string[] = [];
  const nacked: string[] = [];
  const stream = new RecordStream({
    ports,
    onTaken: () => undefined,
    onCorrupt: ({ key }, error) => corrupt.push(`${key} ${error.code}`),
    onUndecodable: () => undefined,
    onNack: (one, { offset, leaderEpoch, isReadAhead }, delayMs) => {
      nacked.push(`${one.key}@${offset} ${delayMs}`);
      one.holdAt(offset, leaderEpoch, isReadAhead);
    },
    commit: () => Promise.resolve(),
    onHandlerFailed: () => undefined,
  });
  const partition = (number: number, ...batches: Buffer[]): AssignedPartition => {
    const one = new AssignedPartition('t', number, 'committed', { maxDecompressedBytes: 1_000_000 }, () => undefined);
    one.begin(0, -1, true);
    if (batches.length > 0) one.buffer.push(Buffer.concat(batches), null);
    stream.add(one);
    return one;
  };
  const arrive = (one: AssignedPartition, ...batches: Buffer[]): void => {
    one.buffer.push(Buffer.concat(batches), null);
    stream.ready(one);
  };
  const next = async (): Promise<string | undefined> => {
    const { value } = await stream.next();
    return value === undefined ? undefined : `${value.partition}@${value.offset}`;
  };
  return { stream, partition, arrive, next, corrupt, nacked, ...ports };
}

describe('RecordStream', () => {
  it('moves the position when a record is handed out, and counts it as done when the next is asked for', async () => {
    const { partition, next, stream } = setUp();
    const one = partition(0, batchAt(0, ['a', 'b']));
    expect(one.position).toBe(0);
    expect(await next()).toBe('0@0');
    expect([one.position, one.commits.committable]).toEqual([1, 0]);
    expect(await next()).toBe('0@1');
    expect([one.position, one.commits.committable]).toEqual([2, 1]);
    void stream.next();
    expect(one.commits.committable).toBe(2);
  });

  it('waits until something arrives', async () => {
    const { partition, arrive, next } = setUp();
    const one = partition(0);
    const asked = next();
    await settled();
    arrive(one, batchAt(0, ['a']));
    expect(await asked).toBe('0@0');
  });

  it('lets the partitions take turns, batch by batch', async () => {
    const { partition, next } = setUp();
    partition(0, batchAt(0, ['a', 'b']), batchAt(2, ['c']));
    partition(1, batchAt(0, ['a']), batchAt(1, ['b']));
    const order: (string | undefined)[] = [];
    for (let times = 0; times < 5; times++) order.push(await next());
    expect(order).toEqual(['0@0', '0@1', '1@0', '0@2', '1@1']);
  });

  it('passes over markers, and commits over them', async () => {
    const { partition, next, stream } = setUp();
    const one = partition(0, batchAt(0, ['a']), markerAt(1, 'commit', 5));
    await next();
    void stream.next();
    expect(one.commits.committable).toBe(2);
  });

  it('waits with giving a partition back until its record is done', async () => {
    const { partition, next, stream } = setUp();
    const one = partition(0, batchAt(0, ['a', 'b']));
    await next();
    let removed = false;
    const removing = stream.remove(one).then(() => (removed = true));
    await settled();
    expect(removed).toBe(false);
    void stream.next();
    await removing;
    expect(one.commits.committable).toBe(1);
  });

  it('does not wait for the record of another partition', async () => {
    const { partition, next, stream } = setUp();
    partition(0, batchAt(0, ['a']));
    const other = partition(1);
    await next();
    await expect(stream.remove(other)).resolves.toBeUndefined();
  });

  it('leaves the record at hand undone when the loop is left, and lets its partition go', async () => {
    const { partition, next, stream } = setUp();
    const one = partition(0, batchAt(0, ['a', 'b']));
    await next();
    const removing = stream.remove(one);
    stream.leave();
    await removing;
    expect(one.commits.committable).toBe(0);
    expect(stream.isLeft).toBe(true);
  });

  it('lets a partition go at once when the loop has been left already', async () => {
    const { partition, next, stream } = setUp();
    const one = partition(0, batchAt(0, ['a']));
    await next();
    stream.leave();
    await expect(stream.remove(one)).resolves.toBeUndefined();
  });

  it('hands out again in a second loop what the first was busy with when it was left', async () => {
    const { partition, next, stream, nacked } = setUp();
    const one = partition(0, batchAt(0, ['a', 'b', 'c']), batchAt(3, ['d']));
    await next();
    await next();
    stream.leave();
    expect(nacked).toEqual(['t/0@1 0']);
    expect([one.position, one.commits.committable]).toEqual([1, 1]);
    const asked = next();
    one.letGo();
    stream.ready(one);
    expect(await asked).toBe('0@1');
    expect([one.position, one.commits.committable]).toEqual([2, 1]);
    expect([await next(), await next(), one.commits.committable]).toEqual(['0@2', '0@3', 3]);
    expect(stream.isLeft).toBe(false);
  });

  it('fetches anew for a second loop what was thrown away meanwhile', async () => {
    const { partition, next, stream } = setUp();
    const one = partition(0, batchAt(0, ['a', 'b']));
    await next();
    one.pause();
    stream.leave();
    expect([one.position, one.fetchOffset]).toEqual([0, 0]);
  });

  it('hands out nothing again of a partition that was given back', async () => {
    const { partition, next, stream, nacked } = setUp();
    const one = partition(0, batchAt(0, ['a', 'b']));
    await next();
    void stream.remove(one);
    stream.leave();
    expect(nacked).toEqual([]);
  });

  it('counts a record as done whose loop asks for the next one after the consumer has failed', async () => {
    const { partition, next, stream } = setUp();
    const one = partition(0, batchAt(0, ['a', 'b']));
    await next();
    stream.end(new KrafkaError('x', { code: 'X' }));
    await expect(next()).rejects.toMatchObject({ code: 'X' });
    expect(one.commits.committable).toBe(1);
  });

  it('drops what it has in hand when the partition is sought or paused', async () => {
    const { partition, next, arrive } = setUp();
    const one = partition(0, batchAt(0, ['a', 'b', 'c']));
    await next();
    one.seek(9);
    const asked = next();
    await settled();
    arrive(one, batchAt(9, ['j']));
    expect(await asked).toBe('0@9');
    expect(one.commits.committable).toBe(9);
  });

  it('tells of a batch that cannot be read, and goes on with other partitions', async () => {
    const { partition, next, corrupt } = setUp();
    const spoiled = Buffer.from(batchAt(0, ['abc']));
    spoiled.writeUInt8((spoiled.at(-2) as number) ^ 1, spoiled.length - 2);
    partition(0, spoiled);
    partition(1, batchAt(0, ['a']));
    expect(await next()).toBe('1@0');
    expect(corrupt).toEqual(['t/0 CORRUPT_MESSAGE']);
  });

  it('refuses to be asked twice at once', async () => {
    const { stream } = setUp();
    void stream.next();
    await expect(stream.next()).rejects.toThrow(TypeError);
  });

  it('ends whoever asks when the consumer closes', async () => {
    const { stream, next } = setUp();
    const asked = next();
    stream.end(undefined);
    expect(await asked).toBeUndefined();
    expect(await next()).toBeUndefined();
  });

  it('tells a failure once, and then that there is nothing more', async () => {
    const { stream, next } = setUp();
    const asked = next();
    stream.end(new KrafkaError('x', { code: 'X' }));
    stream.end(undefined);
    await expect(asked).rejects.toMatchObject({ code: 'X' });
    expect(await next()).toBeUndefined();
  });

  it('says what the loop is busy with, and since when', async () => {
    const { partition, next, stream, clock } = setUp();
    const [one, other] = [partition(0, batchAt(0, ['a'])), partition(1)];
    await next();
    const since = clock.monotonic();
    clock.pass(70);
    expect(stream.underWay(one)).toEqual({ offset: 0, since });
    expect(stream.underWay(other)).toBeUndefined();
  });
});
