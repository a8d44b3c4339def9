import {
  KrafkaFencedError,
  Krafka,
  type Producer,
  type ProducerOptions,
  type TransactionScope,
} from '../../../lib/core/index.js';
import { EmbeddedBroker, type FaultTarget } from '../../../lib/testing/index.js';
import { HandClock } from '../../../lib/testing/spec-support/hand-clock.js';
import { SkippingClock } from '../../support/skipping-clock.js';
import { committedValues } from './committed-values.js';

const GROUP = { groupId: 'group' };
const OFFSETS = [{ topic: 'orders', partition: 0, offset: 5 }];

// Real brokers commit no faults to order: this is the embedded one, by either protocol.
describe.each([1, 2] as const)('transactions by protocol %i', (transactionVersion) => {
  let broker: EmbeddedBroker;
  let krafka: Krafka;
  /** The client's; brokers go by another. */
  let time: SkippingClock;
  let asked: FaultTarget[];

  const open = async (options: Parameters<typeof EmbeddedBroker.start>[0] = {}): Promise<void> => {
    broker = await EmbeddedBroker.start({ brokers: 3, topics: { orders: 2 }, transactionVersion, ...options });
    time = new SkippingClock();
    krafka = new Krafka({ brokers: broker.bootstrap, clientId: 'faults' }, { clock: time });
    asked = [];
    const note = (target: FaultTarget): boolean => {
      asked.push(target);
      return false;
    };
    const api = [
      'InitProducerId',
      'AddPartitionsToTxn',
      'AddOffsetsToTxn',
      'TxnOffsetCommit',
      'EndTxn',
      'Produce',
    ] as const;
    broker.faults.add({ api, fault: { delayMs: 1 }, times: Infinity, when: note });
  };
  beforeEach(() => open());
  afterEach(async () => {
    // First the broker: nobody then waits for what it was told never to answer.
    await broker.close();
    await krafka.close();
  });

  const transactional = (options: ProducerOptions = {}): Producer =>
    krafka.producer({ transactionalId: 'txn', lingerMs: 0, retryBackoffMs: 5, ...options });
  const send = (producer: Producer, value: string, partition = 0): Promise<unknown> =>
    producer.transaction((tx) => tx.send({ topic: 'orders', partition, value }));
  const committed = (): Promise<(string | undefined)[]> => committedValues(krafka, 'orders');
  const count = (api: string): number => asked.filter((one) => one.api === api).length;
  /** Lets the time of whoever waits in vain pass, once the broker has been asked in vain. */
  const waitedInVain = async <T>(api: string, begin: () => Promise<T>): Promise<T> => {
    const before = count(api);
    const waiting = begin();
    waiting.catch(() => undefined);
    while (count(api) === before) await new Promise((resolve) => setImmediate(resolve));
    return time.skipUntilSettled(waiting);
  };
  /** Lets the request's own time pass: its connection, on which all else waits behind it, is then closed. */
  const giveUpOnSilence = (): void => time.skip(30_000);

  it('speak the versions that mean that protocol, although the broker offers newer ones', async () => {
    const producer = transactional();
    await producer.transaction(async (tx) => {
      await tx.send({ topic: 'orders', partition: 0, value: 'a' });
      await tx.sendOffsets(OFFSETS, GROUP);
    });
    await send(producer, 'b');
    const versions = (api: string): number[] => asked.filter((one) => one.api === api).map(({ version }) => version);
    if (transactionVersion === 1) {
      expect(versions('EndTxn')).toEqual([4, 4]);
      expect(versions('AddPartitionsToTxn')).toEqual([3, 3]);
      expect(versions('Produce')).toEqual([11, 11]);
      expect(versions('TxnOffsetCommit')).toEqual([4]);
      expect(count('AddOffsetsToTxn')).toBe(1);
    } else {
      expect(versions('EndTxn')).toEqual([5, 5]);
      expect(versions('TxnOffsetCommit')).toEqual([5]);
      expect([count('AddPartitionsToTxn'), count('AddOffsetsToTxn')]).toEqual([0, 0]);
      expect(Math.min(...versions('Produce'))).toBeGreaterThanOrEqual(12);
    }
    expect(count('InitProducerId')).toBe(1);
    const epochs = asked.filter((one) => one.api === 'EndTxn').map(({ request }) => request['producerEpoch']);
    expect(epochs).toEqual(transactionVersion === 1 ? [0, 0] : [0, 1]);
    expect(broker.committed('group', 'orders', 0)).toBe(5);
  });

  const APIS = ['FindCoordinator', 'InitProducerId', 'TxnOffsetCommit', 'EndTxn', 'Produce'] as const;
  const OF_PROTOCOL_1 = ['AddPartitionsToTxn', 'AddOffsetsToTxn'] as const;
  const apis = transactionVersion === 1 ? [...APIS, ...OF_PROTOCOL_1] : APIS;

  it.each(apis)('survive the loss of an answer to %s that was heeded', async (api) => {
    const producer = transactional();
    for (const value of ['a', 'b', 'c']) {
      if (value === 'b' || api === 'InitProducerId' || api === 'FindCoordinator') {
        broker.faults.next(api, { disconnect: 'after' });
      }
      await producer.transaction(async (tx) => {
        void tx.send({ topic: 'orders', partition: 0, value });
        await tx.sendOffsets(OFFSETS, GROUP);
      });
    }
    expect(await committed()).toEqual(['a', 'b', 'c']);
    expect(producer.stats().transactions).toEqual({ committed: 3, aborted: 0, unknown: 0 });
  });

  it.each(apis.filter((api) => api !== 'Produce'))('wait for a coordinator that is not ready for %s', async (api) => {
    const producer = transactional();
    const errors = ['COORDINATOR_LOAD_IN_PROGRESS', 'COORDINATOR_NOT_AVAILABLE'] as const;
    for (const error of errors) broker.faults.next(api, { error });
    if (api !== 'FindCoordinator') broker.faults.next(api, { error: 'CONCURRENT_TRANSACTIONS' });
    await producer.transaction(async (tx) => {
      void tx.send({ topic: 'orders', partition: 0, value: 'a' });
      await tx.sendOffsets(OFFSETS, GROUP);
    });
    expect(await committed()).toEqual(['a']);
  });

  it('are not begun once their signal aborts, also while a coordinator keeps silent', async () => {
    const producer = transactional();
    broker.faults.next('InitProducerId', { silence: true });
    const abort = new AbortController();
    const begun = producer.transaction(() => 'never', { signal: abort.signal });
    begun.catch(() => undefined);
    while (count('InitProducerId') === 0) await new Promise((resolve) => setImmediate(resolve));
    abort.abort(new Error('enough'));
    await expect(begun).rejects.toThrow('enough');
    expect(count('InitProducerId')).toBe(1);
    const next = send(producer, 'a');
    giveUpOnSilence();
    await next;
    expect(await committed()).toEqual(['a']);
  });

  it('follow their coordinator', async () => {
    const producer = transactional();
    for (const value of ['a', 'b', 'c', 'd']) {
      await producer.transaction(async (tx) => {
        await tx.send({ topic: 'orders', partition: 0, value });
        const other = broker.nodeIds.find((id) => id !== broker.coordinatorOf('transaction', 'txn')) as number;
        broker.moveCoordinator('transaction', 'txn', other);
      });
    }
    expect(await committed()).toEqual(['a', 'b', 'c', 'd']);
  });

  it('follow the leaders of their partitions', async () => {
    const producer = transactional();
    for (let round = 0; round < 4; round++) {
      await producer.transaction(async (tx) => {
        void tx.send({ topic: 'orders', partition: 0, value: `${round}a` });
        broker.moveLeader('orders', 0, broker.nodeIds[round % 3] as number);
        await tx.send({ topic: 'orders', partition: 0, value: `${round}b` });
      });
    }
    expect(await committed()).toEqual(['0a', '0b', '1a', '1b', '2a', '2b', '3a', '3b']);
  });

  it('commit only if every send did, and remember the first failure even when nobody awaited it', async () => {
    const producer = transactional();
    const transaction = await producer.beginTransaction();
    await transaction.send({ topic: 'orders', partition: 0, value: 'good' });
    broker.faults.next('Produce', { error: 'INVALID_RECORD', topic: 'orders', partition: 1 });
    void transaction.send({ topic: 'orders', partition: 1, value: 'refused' });
    await expect(transaction.commit()).rejects.toMatchObject({ code: 'INVALID_RECORD', partition: 1 });
    expect(transaction.state).toBe('aborted');
    await send(producer, 'next');
    expect(await committed()).toEqual(['next']);
  });

  it('leave the open state first, then drain: no record slips into the next transaction', async () => {
    const producer = transactional();
    const first = await producer.beginTransaction();
    broker.faults.next('Produce', { delayMs: 100 });
    void first.send({ topic: 'orders', partition: 0, value: 'first' });
    const ended = first.commit();
    await expect(first.send({ topic: 'orders', partition: 0, value: 'late' })).rejects.toMatchObject({
      code: 'INVALID_TXN_STATE',
    });
    const second = await producer.beginTransaction();
    expect(first.state).toBe('committed');
    await second.send({ topic: 'orders', partition: 0, value: 'second' });
    await second.abort();
    await ended;
    expect(await committed()).toEqual(['first']);
  });

  it('make sendOffsets part of the barrier: the commit waits for it, and fails with it', async () => {
    const producer = transactional();
    const first = await producer.beginTransaction();
    broker.faults.next('TxnOffsetCommit', { delayMs: 100 });
    void first.sendOffsets(OFFSETS, GROUP);
    await first.commit();
    expect(broker.committed('group', 'orders', 0)).toBe(5);
    const second = await producer.beginTransaction();
    await second.send({ topic: 'orders', partition: 0, value: 'never' });
    broker.faults.next('TxnOffsetCommit', { error: 'UNKNOWN_MEMBER_ID' });
    void second.sendOffsets([{ ...OFFSETS[0]!, offset: 9 }], GROUP);
    await expect(second.commit()).rejects.toMatchObject({ code: 'UNKNOWN_MEMBER_ID' });
    await send(producer, 'next');
    expect(await committed()).toEqual(['next']);
    expect(broker.committed('group', 'orders', 0)).toBe(5);
  });

  it.each(['ILLEGAL_GENERATION', 'UNKNOWN_MEMBER_ID', 'FENCED_INSTANCE_ID', 'STALE_MEMBER_EPOCH'] as const)(
    'turn commit into abort when the group has rebalanced (%s), and go on',
    async (error) => {
      const producer = transactional();
      broker.faults.next('TxnOffsetCommit', { error });
      const work = producer.transaction(async (tx) => {
        void tx.send({ topic: 'orders', partition: 0, value: 'never' });
        await tx.sendOffsets(OFFSETS, GROUP);
      });
      await expect(work).rejects.toThrow(error);
      await send(producer, 'next');
      expect(await committed()).toEqual(['next']);
    },
  );

  describe('whose end is not answered', () => {
    it.each(['before', 'after'] as const)('are unknown, and stay so (%s it was heeded)', async (silence) => {
      const producer = transactional();
      await send(producer, 'a');
      const transaction = await producer.beginTransaction();
      await transaction.send({ topic: 'orders', partition: 0, value: 'b' });
      const silent = broker.faults.add({ api: 'EndTxn', fault: { silence }, times: Infinity });
      await expect(waitedInVain('EndTxn', () => transaction.commit())).rejects.toMatchObject({
        code: 'TRANSACTION_OUTCOME_UNKNOWN',
        retriable: false,
      });
      expect(transaction.state).toBe('unknown');
      await expect(transaction.commit()).rejects.toMatchObject({ code: 'INVALID_TXN_STATE' });
      await expect(transaction.abort()).rejects.toMatchObject({ code: 'INVALID_TXN_STATE' });
      // As long as nobody tells, nothing begins.
      await expect(time.skipUntilSettled(producer.beginTransaction())).rejects.toMatchObject({ code: 'TIMEOUT' });
      silent.remove();
      await send(producer, 'c');
      expect(await committed()).toEqual(silence === 'after' ? ['a', 'b', 'c'] : ['a', 'c']);
      expect(transaction.state).toBe('unknown');
      expect(producer.stats().transactions).toEqual({ committed: 2, aborted: 0, unknown: 1 });
    });

    it('go on under a new epoch, so that an end that is still on its way ends nothing else', async () => {
      const producer = transactional();
      const transaction = await producer.beginTransaction();
      await transaction.send({ topic: 'orders', partition: 0, value: 'a' });
      const silent = broker.faults.add({ api: 'EndTxn', fault: { silence: 'before' }, times: Infinity });
      await expect(waitedInVain('EndTxn', () => transaction.commit())).rejects.toMatchObject({
        code: 'TRANSACTION_OUTCOME_UNKNOWN',
      });
      const lost = asked.find(({ api }) => api === 'EndTxn');
      silent.remove();
      giveUpOnSilence();
      await send(producer, 'b');
      const epochOf = (target: FaultTarget | undefined): number => target?.request['producerEpoch'] as number;
      expect(epochOf(asked.findLast(({ api }) => api === 'EndTxn'))).toBeGreaterThan(epochOf(lost));
      expect(
        asked.every(({ api, version }) => api !== 'EndTxn' || (version === 5) === (transactionVersion === 2)),
      ).toBe(true);
    });

    it('go on under a new epoch also when a later try was answered', async () => {
      const producer = transactional();
      await producer.initTransactions();
      broker.faults.next('EndTxn', { disconnect: 'after' });
      await send(producer, 'a');
      await send(producer, 'b');
      const ends = asked.filter(({ api }) => api === 'EndTxn').map(({ request }) => request['producerEpoch']);
      expect(ends).toEqual([0, 0, 1]);
      expect(count('InitProducerId')).toBe(transactionVersion === 1 ? 2 : 1);
      expect(await committed()).toEqual(['a', 'b']);
    });

    it('are unknown as well when they were to be aborted, and are not committed', async () => {
      const producer = transactional();
      const transaction = await producer.beginTransaction();
      await transaction.send({ topic: 'orders', partition: 0, value: 'never' });
      const silent = broker.faults.add({ api: 'EndTxn', fault: { silence: true }, times: Infinity });
      await expect(waitedInVain('EndTxn', () => transaction.abort())).rejects.toMatchObject({
        code: 'TRANSACTION_OUTCOME_UNKNOWN',
      });
      silent.remove();
      giveUpOnSilence();
      await send(producer, 'next');
      expect(await committed()).toEqual(['next']);
    });
  });

  it.each(apis.filter((api) => api !== 'FindCoordinator' && api !== 'InitProducerId'))(
    'that can only be aborted, as %s says, are, and the next one goes on',
    async (api) => {
      const producer = transactional();
      broker.faults.next(api, { error: 'TRANSACTION_ABORTABLE' });
      const work = producer.transaction(async (tx) => {
        void tx.send({ topic: 'orders', partition: 0, value: 'never' });
        await tx.sendOffsets(OFFSETS, GROUP);
      });
      await expect(work).rejects.toMatchObject({ code: 'TRANSACTION_ABORTABLE' });
      await send(producer, 'next');
      expect(await committed()).toEqual(['next']);
      expect(producer.stats().transactions).toEqual({ committed: 1, aborted: 1, unknown: 0 });
    },
  );

  it.each(apis.filter((api) => api !== 'FindCoordinator' && api !== 'Produce'))(
    'are fenced for good when %s says so',
    async (api) => {
      const producer = transactional();
      const error = api === 'TxnOffsetCommit' ? 'INVALID_PRODUCER_EPOCH' : 'PRODUCER_FENCED';
      broker.faults.next(api, { error });
      const work = producer.transaction(async (tx) => {
        void tx.send({ topic: 'orders', partition: 0, value: 'never' });
        await tx.sendOffsets(OFFSETS, GROUP);
      });
      await expect(work).rejects.toBeInstanceOf(KrafkaFencedError);
      await expect(send(producer, 'neither')).rejects.toBeInstanceOf(KrafkaFencedError);
      await expect(producer.initTransactions()).rejects.toBeInstanceOf(KrafkaFencedError);
    },
  );

  it('whose epoch a leader no longer takes fail, and the next one goes on if nobody has taken over', async () => {
    const producer = transactional();
    await send(producer, 'a');
    broker.faults.next('Produce', { error: 'INVALID_PRODUCER_EPOCH' });
    await expect(send(producer, 'never')).rejects.toMatchObject({ code: 'INVALID_PRODUCER_EPOCH' });
    await send(producer, 'b');
    expect(await committed()).toEqual(['a', 'b']);
  });

  it.each(['OUT_OF_ORDER_SEQUENCE_NUMBER', 'UNKNOWN_PRODUCER_ID', 'INVALID_PRODUCER_ID_MAPPING'] as const)(
    'whose sequence is lost (%s) fail, and the next one begins anew',
    async (error) => {
      const producer = transactional();
      await send(producer, 'a');
      broker.faults.next('Produce', { error });
      await expect(send(producer, 'never')).rejects.toMatchObject({ code: error });
      await send(producer, 'b');
      await send(producer, 'c');
      expect(await committed()).toEqual(['a', 'b', 'c']);
    },
  );

  /** From now on the coordinator knows nothing of whoever had the id until now, as when it has expired. */
  const forgetTheId = (): void => {
    const initialized = count('InitProducerId');
    const when = (): boolean => count('InitProducerId') === initialized;
    const error = 'INVALID_PRODUCER_ID_MAPPING';
    // By protocol 2 it is the brokers who ask the coordinator, and tell of its answer.
    const requests = transactionVersion === 1 ? OF_PROTOCOL_1 : (['Produce', 'TxnOffsetCommit'] as const);
    broker.faults.add({ api: [...requests, 'EndTxn'], fault: { error }, times: Infinity, when });
  };
  /** The codes of an error and of its causes. */
  const failureOf = (work: Promise<unknown>): Promise<unknown[]> =>
    work.then(
      () => ['none'],
      (error: Error & { code?: string }) => {
        const codes: unknown[] = [];
        for (let one: typeof error | undefined = error; one !== undefined; one = one.cause as typeof error | undefined)
          codes.push(one.code);
        return codes;
      },
    );
  const identities = (): unknown[] =>
    asked
      .filter(({ api, request }) => api === 'InitProducerId' && request['transactionalId'] === 'txn')
      .map(({ request }) => request['producerId']);

  it.each<[string, (tx: TransactionScope) => Promise<unknown>]>([
    ['records', (tx) => tx.send({ topic: 'orders', partition: 0, value: 'never' })],
    ['offsets', (tx) => tx.sendOffsets(OFFSETS, GROUP)],
  ])('whose id was forgotten meanwhile fail with their %s, and the next one begins anew', async (_what, work) => {
    const producer = transactional();
    await send(producer, 'a');
    forgetTheId();
    expect(await failureOf(producer.transaction(work))).toContain('INVALID_PRODUCER_ID_MAPPING');
    await send(producer, 'b');
    await send(producer, 'c');
    expect(await committed()).toEqual(['a', 'b', 'c']);
    expect(producer.stats().transactions).toEqual({ committed: 3, aborted: 1, unknown: 0 });
    // It says who it was: had somebody else taken the id, that would fence it.
    const [first, second, ...others] = identities();
    expect([first, second, others]).toEqual([-1, expect.any(Number), []]);
    expect(second).not.toBe(-1);
  });

  it('whose end is unknown and whose id was forgotten since are over', async () => {
    const producer = transactional();
    await send(producer, 'a');
    const silent = broker.faults.add({ api: 'EndTxn', fault: { silence: 'after' }, times: Infinity });
    await expect(waitedInVain('EndTxn', () => send(producer, 'b'))).rejects.toMatchObject({
      code: 'TRANSACTION_OUTCOME_UNKNOWN',
    });
    silent.remove();
    giveUpOnSilence();
    forgetTheId();
    await send(producer, 'c');
    expect(await committed()).toEqual(['a', 'b', 'c']);
  });

  it('of an id that is another’s by now are fenced, though the coordinator only says that it does not know them', async () => {
    const older = transactional();
    await send(older, 'a');
    await send(transactional(), 'b');
    forgetTheId();
    expect(await failureOf(send(older, 'never'))).toContain('INVALID_PRODUCER_ID_MAPPING');
    await expect(send(older, 'never')).rejects.toBeInstanceOf(KrafkaFencedError);
    expect(await committed()).toEqual(['a', 'b']);
  });

  it('fail with a batch that nobody acknowledges, and the next one goes on', async () => {
    // The transaction itself has more time than its batch.
    const producer = transactional({ transactionTimeoutMs: 600_000 });
    await send(producer, 'a');
    const silent = broker.faults.add({ api: 'Produce', fault: { silence: 'after' }, times: Infinity });
    await expect(waitedInVain('Produce', () => send(producer, 'never'))).rejects.toMatchObject({
      code: 'TIMEOUT',
      budget: 'deliveryTimeoutMs',
    });
    silent.remove();
    await send(producer, 'b');
    await send(producer, 'c');
    expect(await committed()).toEqual(['a', 'b', 'c']);
  });

  it('that their coordinator found too slow are aborted; by protocol 1 their producer is fenced', async () => {
    await krafka.close();
    await broker.close();
    const clock = new HandClock();
    await open({ clock });
    const producer = transactional();
    const transaction = await producer.beginTransaction();
    await transaction.send({ topic: 'orders', partition: 0, value: 'never', timestamp: clock.now() });
    clock.advance(60_000);
    const commit = transaction.commit();
    if (transactionVersion === 1) {
      await expect(commit).rejects.toBeInstanceOf(KrafkaFencedError);
      await expect(producer.beginTransaction()).rejects.toBeInstanceOf(KrafkaFencedError);
    } else {
      await expect(commit).rejects.toMatchObject({ code: 'TRANSACTION_ABORTED' });
      await producer.transaction((tx) =>
        tx.send({ topic: 'orders', partition: 0, value: 'next', timestamp: clock.now() }),
      );
      expect(broker.records('orders').map(({ value }) => String(value))).toEqual(['never', 'next']);
    }
    expect(transaction.state).toBe('aborted');
  });

  it('are ended before their producer is closed', async () => {
    const producer = transactional();
    broker.faults.next('EndTxn', { delayMs: 50 });
    const work = send(producer, 'a');
    await new Promise<void>((resolve) => {
      producer.events.on('transaction', ({ state }) => {
        if (state === 'committing') resolve();
      });
    });
    await producer.close();
    await work;
    expect(producer.stats().transactions.committed).toBe(1);
    await expect(send(producer, 'b')).rejects.toMatchObject({ code: 'CLOSED' });
  });

  it('do not keep their producer from closing in time', async () => {
    const producer = transactional();
    broker.faults.add({ api: 'EndTxn', fault: { silence: true }, times: Infinity });
    const transaction = await producer.beginTransaction();
    await transaction.send({ topic: 'orders', partition: 0, value: 'a' });
    const committing = transaction.commit();
    const waiting = producer.beginTransaction();
    const outcomes = Promise.allSettled([committing, waiting]);
    while (count('EndTxn') === 0) await new Promise((resolve) => setImmediate(resolve));
    await producer.close({ timeoutMs: 100 });
    const [end, next] = await outcomes;
    expect(end).toMatchObject({ reason: { code: 'TRANSACTION_OUTCOME_UNKNOWN' } });
    expect(next).toMatchObject({ reason: { code: 'CLOSED' } });
  });
});

it('transactions go on by the new protocol once their cluster speaks it, under a new epoch', async () => {
  const old = { EndTxn: { max: 4 }, Produce: { max: 11 }, TxnOffsetCommit: { max: 4 } };
  const broker = await EmbeddedBroker.start({ topics: { orders: 1 }, apiVersions: old });
  const krafka = new Krafka({ brokers: broker.bootstrap });
  const producer = krafka.producer({ transactionalId: 'txn', lingerMs: 0 });
  const send = (value: string): Promise<unknown> =>
    producer.transaction((tx) => tx.send({ topic: 'orders', partition: 0, value }));
  const endings = (): number[] => broker.requests.list('EndTxn').map(({ version }) => version);
  await send('a');
  broker.setApiVersions({});
  broker.killConnections();
  await send('b');
  await send('c');
  // The second may have begun before its producer knew.
  expect(endings()[0]).toBe(4);
  expect(endings().at(-1)).toBe(5);
  expect(broker.requests.count('InitProducerId')).toBe(2);
  expect(await committedValues(krafka, 'orders')).toEqual(['a', 'b', 'c']);
  await krafka.close();
  await broker.close();
});
