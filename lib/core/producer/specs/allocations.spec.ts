import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { jest } from '@jest/globals';
import { fakeCodec } from '../spec-support/fake-codec.js';
import { warmWorld } from '../spec-support/fake-cluster.js';

type Counted = 'from' | 'alloc' | 'allocUnsafe' | 'allocUnsafeSlow' | 'concat';
const MAKERS: readonly Counted[] = ['from', 'alloc', 'allocUnsafe', 'allocUnsafeSlow', 'concat'];

describe('the way of a Buffer value', () => {
  afterEach(() => void jest.restoreAllMocks());

  it('copies it once, into its batch: no Buffer is made for a record, and the socket is given the batch’s own', async () => {
    const { clock, producer, broker } = await warmWorld({ lingerMs: 0, idempotent: false });
    const value = Buffer.alloc(100, 'x');
    const key = 'an-ascii-key';
    const send = (): void => {
      for (let index = 0; index < 500; index++) void producer.send({ topic: 't', key, value, partition: 0 });
    };
    // The first time the batch's buffer grows to what it needs; from then on it is there.
    send();
    await clock.settle();
    broker.onWire[0]?.answer();
    await clock.settle();

    const made = MAKERS.map((maker) => jest.spyOn(Buffer, maker));
    const views = jest.spyOn(Buffer.prototype, 'subarray');
    const copies = jest.spyOn(Buffer.prototype, 'copy');
    send();
    const whileSending = [...made, views, copies].map((spy) => spy.mock.calls.length);
    expect(whileSending).toEqual([0, 0, 0, 0, 0, 0, 0]);
    jest.restoreAllMocks();
    await clock.settle();
    const [pieces] = broker.onWire.map(({ batches }) => batches[0]!.pieces);
    expect(pieces).toHaveLength(1);
    expect(pieces?.[0]?.length).toBe(broker.onWire[0]?.batches[0]?.header.sizeInBytes);
  });

  it('uses one buffer for batch after batch', async () => {
    const { clock, producer, broker } = await warmWorld({ lingerMs: 0 });
    const buffers = new Set<ArrayBufferLike>();
    broker.onProduce = (produce) => {
      for (const { pieces } of produce.batches) for (const piece of pieces) buffers.add(piece.buffer);
      produce.answer();
    };
    for (let round = 0; round < 30; round++) {
      void producer.sendAll(
        Array.from({ length: 100 }, () => ({ topic: 't', partition: 0, value: Buffer.alloc(100) })),
      );
      await clock.settle();
    }
    // The small first one, and the one it grew into.
    expect(buffers.size).toBeLessThanOrEqual(3);
  });
});

describe('a batch that was acknowledged', () => {
  it('is let go of, though one that is older still lingers', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const compressed: WeakRef<Buffer>[] = [];
    const codec = fakeCodec({
      compress: (records) => {
        const copy = Buffer.from(records);
        compressed.push(new WeakRef(copy));
        return copy;
      },
    });
    const { clock, producer, broker } = await warmWorld({ lingerMs: 60_000, compression: codec });
    compressed.length = 0;
    broker.onProduce = (produce) => {
      broker.produced.length = 0;
      produce.answer();
    };
    void producer.send({ topic: 't', partition: 0, value: 'still lingers' });
    for (let round = 0; round < 50; round++) {
      // Begun to linger, and then taken along by one that does not.
      void producer.send({ topic: 't', partition: 1, value: 'x'.repeat(1_000) });
      void producer.send({ topic: 't', partition: 1, value: 'y' }, { immediate: true });
      await clock.settle();
    }
    await clock.settle();
    collect();
    expect(compressed).toHaveLength(50);
    expect(compressed.filter((buffer) => buffer.deref() !== undefined).length).toBeLessThan(5);
    expect(producer.stats().incompleteBatches).toBe(1);
  });
});
