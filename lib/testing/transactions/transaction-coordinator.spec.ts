import {
  AddPartitionsToTxn,
  DescribeProducers,
  DescribeTransactions,
  Fetch,
  InitProducerId,
  ListOffsets,
  OffsetFetch,
  batchesIn,
  errorName,
  readControlRecord,
} from '../../core/protocol/index.js';
import { SpecBroker } from '../spec-support/spec-broker.js';
import { TransactionalProducer } from '../spec-support/transactional-producer.js';
import type { WireClient } from '../spec-support/wire-client.js';

describe('transactions', () => {
  let spec: SpecBroker;
  let client: WireClient;
  let producer: TransactionalProducer;

  beforeEach(async () => {
    spec = await SpecBroker.start({ topics: { orders: 2 } });
    client = await spec.connect();
    producer = new TransactionalProducer(client, 't');
  });
  afterEach(() => spec.close());

  /** What a consumer of the isolation level gets of partition 0: batches and markers, and what it is told was aborted. */
  const read = async (isolationLevel: 0 | 1, offset = 0) => {
    const answer = await client.send(Fetch, 12, {
      maxWaitMs: 0,
      minBytes: 0,
      isolationLevel,
      sessionEpoch: -1,
      topics: [{ topic: 'orders', partitions: [{ partition: 0, fetchOffset: offset, partitionMaxBytes: 100_000 }] }],
    });
    const partition = answer.responses[0]?.partitions[0];
    return {
      stable: partition?.lastStableOffset,
      end: partition?.highWatermark,
      batches: [...batchesIn(partition?.records ?? Buffer.alloc(0))].map((batch) => {
        const { baseOffset, isControl, producerEpoch } = batch.header;
        return `${baseOffset} ${isControl ? readControlRecord(batch)?.kind : 'data'} epoch ${producerEpoch}`;
      }),
      aborted: partition?.abortedTransactions?.map(({ firstOffset }) => firstOffset),
    };
  };

  const stateOf = async (): Promise<string | undefined> => {
    const answer = await client.send(DescribeTransactions, 0, { transactionalIds: ['t'] });
    return answer.transactionStates[0]?.transactionState;
  };

  describe('of the first version', () => {
    it('are read as a whole once they are committed, and end with a marker', async () => {
      await producer.init();
      expect(await producer.add([0])).toEqual(['NONE']);
      expect(await producer.send(0, 'a', { version: 11 })).toBe('NONE');
      expect(await producer.send(1, 'b', { version: 11 })).toBe('NONE');
      expect(await read(1)).toEqual({ stable: 0, end: 2, batches: [], aborted: [] });
      expect((await read(0)).batches).toHaveLength(2);
      expect(await producer.end(true, { version: 3 })).toBe('NONE');
      expect(await read(1)).toEqual({
        stable: 3,
        end: 3,
        batches: ['0 data epoch 0', '1 data epoch 0', '2 commit epoch 0'],
        aborted: [],
      });
    });

    it('are listed as aborted to whoever reads only what is committed', async () => {
      await producer.init();
      await producer.add([0]);
      await producer.send(0, 'a', { version: 11 });
      await producer.end(false, { version: 3 });
      await producer.add([0]);
      await producer.send(1, 'b', { version: 11 });
      await producer.end(false, { version: 3 });
      expect(await read(1)).toMatchObject({ aborted: [0, 2], stable: 4 });
      expect(await read(1, 2)).toMatchObject({ aborted: [2] });
      expect(await read(1, 4)).toMatchObject({ aborted: [] });
      expect(await read(0)).toMatchObject({ aborted: undefined });
    });

    it('leave markers, which a look for the latest time finds as it finds records', async () => {
      await producer.init();
      await producer.add([0]);
      await producer.send(0, 'a', { version: 11 });
      await producer.end(true, { version: 3 });
      const partitions = [{ partitionIndex: 0, timestamp: -3 }];
      const listed = await client.send(ListOffsets, 9, {
        replicaId: -1,
        isolationLevel: 0,
        topics: [{ name: 'orders', partitions }],
      });
      expect(listed.topics[0]?.partitions[0]).toMatchObject({ offset: 1, timestamp: spec.clock.now() });
    });

    it('take no batch for a partition that was not added', async () => {
      await producer.init();
      await producer.add([0]);
      expect(await producer.send(0, 'a', { version: 9, partition: 1 })).toBe('INVALID_TXN_STATE');
      expect(await producer.send(0, 'a', { version: 11, partition: 1 })).toBe('TRANSACTION_ABORTABLE');
    });

    it('are looked at without being added to, and may be aborted where something is missing', async () => {
      await producer.init();
      await producer.add([0]);
      for (const version of [4, 5]) {
        const topics = [{ name: 'orders', partitions: [0, 1] }];
        const asked = { transactionalId: 't', ...producer.identity, verifyOnly: true, topics };
        const answer = await client.send(AddPartitionsToTxn, version, { transactions: [asked] });
        const results = answer.resultsByTransaction[0]?.topicResults[0]?.resultsByPartition ?? [];
        expect(results.map((one) => errorName(one.partitionErrorCode))).toEqual(['NONE', 'TRANSACTION_ABORTABLE']);
      }
    });

    it('begin at no time until they do', async () => {
      const startOf = async () => {
        const answer = await client.send(DescribeTransactions, 0, { transactionalIds: ['t'] });
        return answer.transactionStates[0]?.transactionStartTimeMs;
      };
      await producer.init();
      await producer.add([0]);
      expect(await startOf()).toBe(spec.clock.now());
      await producer.end(true, { version: 3 });
      await producer.init();
      expect(await startOf()).toBe(-1);
    });

    it('add all of the partitions or none', async () => {
      await producer.init();
      expect(await producer.add([0, 9])).toEqual(['OPERATION_NOT_ATTEMPTED', 'UNKNOWN_TOPIC_OR_PARTITION']);
      expect(await producer.send(0, 'a', { version: 11 })).toBe('TRANSACTION_ABORTABLE');
    });

    it('can be ended twice in the same way only', async () => {
      await producer.init();
      expect(await producer.end(true, { version: 3 })).toBe('INVALID_TXN_STATE');
      await producer.add([0]);
      await producer.end(true, { version: 3 });
      expect(await producer.end(true, { version: 3 })).toBe('NONE');
      expect(await producer.end(false, { version: 3 })).toBe('INVALID_TXN_STATE');
    });
  });

  describe('of the second version', () => {
    it('add a partition with its first batch, and end with a new epoch', async () => {
      await producer.init();
      const first = producer.identity;
      expect(await producer.send(0, 'a')).toBe('NONE');
      expect(await producer.end(true)).toBe('NONE');
      expect(producer.identity).toEqual({ producerId: first.producerId, producerEpoch: 1 });
      expect((await read(1)).batches).toEqual(['0 data epoch 0', '1 commit epoch 1']);
      expect(await producer.send(1, 'late', { as: first })).toBe('INVALID_PRODUCER_EPOCH');
      expect(await producer.send(1, 'b')).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER');
      expect(await producer.send(0, 'b')).toBe('NONE');
    });

    it('tell an end that is asked for again what it was, at the epoch it was asked for at', async () => {
      await producer.init();
      const first = producer.identity;
      await producer.send(0, 'a');
      await producer.end(true);
      const next = producer.identity;
      expect(await producer.end(true, { as: first })).toBe('NONE');
      expect(producer.identity).toEqual(next);
      expect(await producer.end(false, { as: first })).toBe('INVALID_TXN_STATE');
      expect(await producer.end(true, { as: next })).toBe('INVALID_TXN_STATE');
    });

    it('can be aborted though they are empty, for a new epoch', async () => {
      await producer.init();
      expect(await producer.end(false)).toBe('NONE');
      expect(producer.identity.producerEpoch).toBe(1);
      expect(await producer.end(true)).toBe('INVALID_TXN_STATE');
    });

    it('take a new producer id when the epochs are used up', async () => {
      await producer.init();
      const { producerId } = producer.identity;
      for (let epoch = 0; epoch <= 32_766; epoch++) {
        if (producer.identity.producerEpoch === 32_766) break;
        await producer.end(false);
      }
      const last = producer.identity;
      expect(last).toEqual({ producerId, producerEpoch: 32_766 });
      expect(await producer.send(0, 'a')).toBe('NONE');
      expect(await producer.end(true)).toBe('NONE');
      expect(producer.identity.producerId).not.toBe(producerId);
      expect(producer.identity.producerEpoch).toBe(0);
      expect((await read(1)).batches).toEqual(['0 data epoch 32766', '1 commit epoch 32767']);
      expect(await producer.end(true, { as: last })).toBe('NONE');
    });
  });

  describe('and who owns them', () => {
    it('fence whoever was there before, and abort what it left open', async () => {
      const newcomer = new TransactionalProducer(await spec.connect(), 't');
      await producer.init();
      await producer.send(0, 'a');
      expect(await newcomer.init()).toBe('CONCURRENT_TRANSACTIONS');
      expect(await newcomer.init()).toBe('NONE');
      expect(newcomer.identity).toEqual({ producerId: producer.identity.producerId, producerEpoch: 2 });
      expect(await read(1)).toMatchObject({ batches: ['0 data epoch 0', '1 abort epoch 1'], aborted: [0] });
      expect(await producer.send(1, 'b')).toBe('INVALID_PRODUCER_EPOCH');
      expect(await producer.end(true)).toBe('PRODUCER_FENCED');
      expect(await producer.add([0])).toEqual(['PRODUCER_FENCED']);
      expect(await producer.add([0], { version: 1 })).toEqual(['INVALID_PRODUCER_EPOCH']);
      expect(await producer.addOffsets('g')).toBe('PRODUCER_FENCED');
      expect(await producer.commitOffset('g', 1)).toBe('INVALID_PRODUCER_EPOCH');
    });

    it('let a producer bump its own epoch, and ask again when the answer was lost', async () => {
      await producer.init();
      const first = producer.identity;
      expect(await producer.init(first)).toBe('NONE');
      expect(producer.identity.producerEpoch).toBe(1);
      expect(await producer.init(first)).toBe('NONE');
      expect(producer.identity.producerEpoch).toBe(1);
      expect(await producer.init(producer.identity)).toBe('NONE');
      expect(producer.identity.producerEpoch).toBe(2);
      expect(await producer.init(first)).toBe('PRODUCER_FENCED');
      expect(await producer.init(first, 3)).toBe('INVALID_PRODUCER_EPOCH');
    });

    it('know producers by their id', async () => {
      await producer.init();
      const stranger = { producerId: 4711, producerEpoch: 0 };
      expect(await producer.add([0], { as: stranger })).toEqual(['INVALID_PRODUCER_ID_MAPPING']);
      expect(await producer.send(0, 'a', { as: stranger })).toBe('INVALID_PRODUCER_ID_MAPPING');
      expect(await producer.end(true, { as: stranger })).toBe('INVALID_PRODUCER_ID_MAPPING');
      expect(await producer.init(stranger)).toBe('PRODUCER_FENCED');
      expect(await new TransactionalProducer(client, 'other').end(true)).toBe('INVALID_PRODUCER_ID_MAPPING');
    });

    it('refuse ids and timeouts that can’t be', async () => {
      expect(await new TransactionalProducer(client, '').init()).toBe('INVALID_REQUEST');
      expect(await producer.init(undefined, 5, 0)).toBe('INVALID_TRANSACTION_TIMEOUT');
      expect(await producer.init(undefined, 5, 900_001)).toBe('INVALID_TRANSACTION_TIMEOUT');
      expect(await producer.init({ producerId: 1, producerEpoch: -1 })).toBe('INVALID_REQUEST');
    });

    it('give every producer without transactions an id of its own', async () => {
      const init = () => client.send(InitProducerId, 4, { transactionalId: null, transactionTimeoutMs: 1000 });
      const [one, two] = [await init(), await init()];
      expect(one.producerId).not.toBe(two.producerId);
      expect([one.producerEpoch, two.producerEpoch]).toEqual([0, 0]);
    });

    it('are aborted when their time is up', async () => {
      await producer.init();
      await producer.send(0, 'a');
      spec.clock.advance(59_999);
      expect(await stateOf()).toBe('Ongoing');
      spec.clock.advance(1);
      expect(await stateOf()).toBe('CompleteAbort');
      expect(await read(1)).toMatchObject({ aborted: [0], stable: 2 });
      expect(await producer.send(1, 'b')).toBe('INVALID_PRODUCER_EPOCH');
    });

    it('do not take a batch without one while they are open', async () => {
      await producer.init();
      await producer.send(0, 'a');
      expect(await producer.send(1, 'b', { transactional: false })).toBe('INVALID_TXN_STATE');
    });

    it('are named by whoever produces for them', async () => {
      await producer.init();
      const nameless = new TransactionalProducer(client, 't');
      Object.assign(nameless, { identity: producer.identity, transactionalId: null });
      expect(await nameless.send(0, 'a')).toBe('TRANSACTIONAL_ID_AUTHORIZATION_FAILED');
    });
  });

  describe('with offsets', () => {
    const committed = async (requireStable: boolean) => {
      const answer = await client.send(OffsetFetch, 8, {
        groups: [{ groupId: 'g', topics: [{ name: 'orders', partitionIndexes: [0] }] }],
        requireStable,
      });
      const [one] = answer.groups[0]?.topics[0]?.partitions ?? [];
      return one === undefined ? undefined : [errorName(one.errorCode), one.committedOffset];
    };

    it('commit them with the transaction, and say that they are not stable before', async () => {
      await producer.init();
      expect(await producer.commitOffset('g', 5)).toBe('NONE');
      expect(await committed(true)).toEqual(['UNSTABLE_OFFSET_COMMIT', -1]);
      expect(await committed(false)).toEqual(['NONE', -1]);
      await producer.end(true);
      expect(await committed(true)).toEqual(['NONE', 5]);
    });

    it('commit none for a group without a name', async () => {
      await producer.init();
      expect(await producer.commitOffset('', 5)).toBe('INVALID_GROUP_ID');
    });

    it('drop them with a transaction that is aborted', async () => {
      await producer.init();
      await producer.commitOffset('g', 5);
      await producer.end(false);
      expect(await committed(true)).toEqual(['NONE', -1]);
    });

    it('take them before version 5 for a group that was added only', async () => {
      await producer.init();
      expect(await producer.commitOffset('g', 5, { version: 3 })).toBe('INVALID_TXN_STATE');
      expect(await producer.commitOffset('g', 5, { version: 4 })).toBe('TRANSACTION_ABORTABLE');
      expect(await producer.addOffsets('g')).toBe('NONE');
      expect(await producer.commitOffset('g', 5, { version: 3 })).toBe('NONE');
    });
  });

  it('keep the last stable offset where the first of them is open', async () => {
    const other = new TransactionalProducer(client, 'u');
    await producer.init();
    await other.init();
    await producer.send(0, 'a');
    await other.send(0, 'b');
    await other.end(true);
    expect((await read(1)).stable).toBe(0);
    const latest = await client.send(ListOffsets, 7, {
      replicaId: -1,
      isolationLevel: 1,
      topics: [{ name: 'orders', partitions: [{ partitionIndex: 0, timestamp: -1 }] }],
    });
    expect(latest.topics[0]?.partitions[0]?.offset).toBe(0);
    await producer.end(false);
    expect(await read(1)).toMatchObject({ stable: 4, aborted: [0] });
  });

  it('wake a fetch that waits for them to end', async () => {
    await producer.init();
    await producer.send(0, 'a');
    const waiting = await spec.connect();
    const correlationId = waiting.write(Fetch, 12, {
      maxWaitMs: 60_000,
      minBytes: 1,
      isolationLevel: 1,
      sessionEpoch: -1,
      topics: [{ topic: 'orders', partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1000 }] }],
    });
    await spec.received('Fetch', 1);
    await producer.end(true);
    const answer = await waiting.answer(Fetch, 12, correlationId);
    expect(answer.responses[0]?.partitions[0]?.lastStableOffset).toBe(2);
  });

  it('show which producers are at work in a partition', async () => {
    await producer.init();
    await producer.send(0, 'a');
    const answer = await client.send(DescribeProducers, 0, { topics: [{ name: 'orders', partitionIndexes: [0, 1] }] });
    expect(answer.topics[0]?.partitions.map(({ activeProducers }) => activeProducers)).toEqual([
      [
        {
          ...producer.identity,
          lastSequence: 0,
          lastTimestamp: 1,
          coordinatorEpoch: -1,
          currentTxnStartOffset: 0,
        },
      ],
      [],
    ]);
  });
});
