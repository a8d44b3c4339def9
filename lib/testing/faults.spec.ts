import {
  Fetch,
  Heartbeat,
  ListOffsets,
  Metadata,
  Produce,
  batchesIn,
  errorName,
  verifyBatch,
  type ErrorName,
} from '../core/protocol/index.js';
import { KrafkaConfigError } from '../core/support/index.js';
import { aBatch } from './spec-support/batches.js';
import { SpecBroker, until } from './spec-support/spec-broker.js';
import type { WireClient } from './spec-support/wire-client.js';

describe('faults', () => {
  let spec: SpecBroker;
  let client: WireClient;

  beforeEach(async () => {
    spec = await SpecBroker.start({ brokers: 2, topics: { orders: 2 } });
    spec.broker.moveLeader('orders', 0, 1);
    spec.broker.moveLeader('orders', 1, 1);
    client = await spec.connect();
  });
  afterEach(() => spec.close());

  const producing = async (partitions = [0], from = client): Promise<() => Promise<ErrorName[]>> => {
    const records = await aBatch(['a'], { timestamp: spec.clock.now() });
    const correlationId = from.write(Produce, 9, {
      acks: -1,
      timeoutMs: 1000,
      topicData: [{ name: 'orders', partitionData: partitions.map((index) => ({ index, records })) }],
    });
    return async () => {
      const answer = await from.answer(Produce, 9, correlationId);
      return answer.responses.flatMap((topic) => topic.partitionResponses.map((one) => errorName(one.errorCode)));
    };
  };
  const produce = async (partitions = [0], from = client): Promise<ErrorName[]> =>
    (await producing(partitions, from))();
  const held = (): number => spec.broker.records('orders').length;

  it('answer the next request with an error, once, and apply nothing of it', async () => {
    const fault = spec.broker.faults.next('Produce', { error: 'NOT_LEADER_OR_FOLLOWER' });
    expect(fault).toMatchObject({ applied: 0, remaining: 1 });
    expect(await produce([0, 1])).toEqual(['NOT_LEADER_OR_FOLLOWER', 'NOT_LEADER_OR_FOLLOWER']);
    expect(held()).toBe(0);
    expect(fault).toMatchObject({ applied: 1, remaining: 0 });
    expect(await produce()).toEqual(['NONE']);
  });

  it('answer for one partition only, and wait for a request that has it', async () => {
    const fault = spec.broker.faults.next('Produce', { error: 'REQUEST_TIMED_OUT', topic: 'orders', partition: 1 });
    expect(await produce([0])).toEqual(['NONE']);
    expect(fault.remaining).toBe(1);
    expect(await produce([0, 1])).toEqual(['NONE', 'REQUEST_TIMED_OUT']);
    expect(fault.remaining).toBe(0);
    expect(held()).toBe(2);
  });

  it('count a request once, however many partitions they hit in it', async () => {
    const fault = { error: 'REQUEST_TIMED_OUT', topic: 'orders' } as const;
    const armed = spec.broker.faults.add({ api: 'Produce', fault, times: 2 });
    expect(await produce([0, 1])).toEqual(['REQUEST_TIMED_OUT', 'REQUEST_TIMED_OUT']);
    expect(armed).toMatchObject({ applied: 1, remaining: 1 });
  });

  it('answer each partition of a fetch, or the whole of it when the error is the session’s', async () => {
    const fetch = async () =>
      client.send(Fetch, 12, {
        maxWaitMs: 10_000,
        minBytes: 1,
        sessionEpoch: 0,
        topics: [{ topic: 'orders', partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1000 }] }],
      });
    spec.broker.faults.next('Fetch', { error: 'KAFKA_STORAGE_ERROR' });
    expect((await fetch()).responses[0]?.partitions[0]).toMatchObject({ errorCode: 56, highWatermark: -1 });
    spec.broker.faults.next('Fetch', { error: 'FETCH_SESSION_ID_NOT_FOUND' });
    expect(await fetch()).toMatchObject({ errorCode: 70, sessionId: 0, responses: [] });
  });

  it('hold an answer back, and with it everything behind it on the connection', async () => {
    spec.broker.faults.next('Produce', { delayMs: 5_000 });
    const answer = await producing();
    const behind = client.write(Heartbeat, 4, { groupId: 'g', generationId: 1, memberId: 'm' });
    await spec.received('Produce', 1);
    expect(held()).toBe(1);
    expect(spec.broker.requests.count('Heartbeat')).toBe(0);
    spec.clock.advance(5_000);
    expect(await answer()).toEqual(['NONE']);
    await client.answer(Heartbeat, 4, behind);
  });

  it('throttle: the answer says so at once, what is behind it waits', async () => {
    spec.broker.faults.next('Metadata', { throttleMs: 3_000 });
    const answer = await client.send(Metadata, 9, { topics: null });
    expect(answer.throttleTimeMs).toBe(3_000);
    const behind = await producing();
    await produce([1], await spec.connect());
    expect(spec.broker.requests.count('Produce')).toBe(1);
    spec.clock.advance(3_000);
    expect(await behind()).toEqual(['NONE']);
    expect((await client.send(Metadata, 9, { topics: null })).throttleTimeMs).toBe(0);
  });

  it.each([
    ['before', 0],
    ['after', 1],
  ] as const)('close the connection %s the request is applied', async (disconnect, applied) => {
    spec.broker.faults.next('Produce', { disconnect });
    await producing();
    await client.closed();
    expect(held()).toBe(applied);
  });

  it.each([
    [true, 0],
    ['before', 0],
    ['after', 1],
  ] as const)('say nothing (%s)', async (silence, applied) => {
    spec.broker.faults.next('Produce', { silence });
    await producing();
    client.write(Heartbeat, 4, { groupId: 'g', generationId: 1, memberId: 'm' });
    await spec.received('Produce', 1);
    expect(await produce([1], await spec.connect())).toEqual(['NONE']);
    expect(held()).toBe(applied + 1);
    expect(spec.broker.requests.count('Heartbeat')).toBe(0);
    expect(spec.broker.connections()).toBe(2);
  });

  it('cut an answer off, and never send all of it', async () => {
    spec.broker.faults.next('Produce', { cutAt: 7 });
    await producing();
    await client.closed();
    expect(client.partialBytes).toBe(7);
    const other = await spec.connect();
    spec.broker.faults.next('Produce', { cutAt: 100_000 });
    await producing([0], other);
    await other.closed();
    expect(other.partialBytes).toBeGreaterThan(7);
    expect(held()).toBe(2);
  });

  it('damage what is fetched, so that its CRC is wrong, and not what is held', async () => {
    await produce();
    const fetch = async () => {
      const answer = await client.send(Fetch, 12, {
        maxWaitMs: 0,
        minBytes: 0,
        sessionEpoch: -1,
        topics: [{ topic: 'orders', partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1000 }] }],
      });
      const [batch] = batchesIn(answer.responses[0]?.partitions[0]?.records ?? Buffer.alloc(0));
      return batch?.bytes ?? Buffer.alloc(0);
    };
    spec.broker.faults.next('Fetch', { corrupt: true });
    const damaged = await fetch();
    expect(() => verifyBatch(damaged)).toThrow(/CRC32C/);
    const sound = await fetch();
    expect(() => verifyBatch(sound)).not.toThrow();
  });

  it('apply as often as they say, where they say, when they say', async () => {
    const { faults } = spec.broker;
    const fault = faults.add({
      api: ['Produce', 'Metadata'],
      fault: { error: 'POLICY_VIOLATION' },
      times: 2,
      nodeId: 1,
      when: ({ api, request }) => api === 'Produce' && (request['topicData'] as object[]).length === 1,
    });
    const elsewhere = await spec.connect(2);
    expect(await produce([0], elsewhere)).toEqual(['NOT_LEADER_OR_FOLLOWER']);
    await client.send(Metadata, 9, { topics: null });
    expect(fault.applied).toBe(0);
    expect([await produce(), await produce(), await produce()]).toEqual([
      ['POLICY_VIOLATION'],
      ['POLICY_VIOLATION'],
      ['NONE'],
    ]);
  });

  it('come in the order they were asked for, and go when they are removed', async () => {
    const { faults } = spec.broker;
    faults.next('Produce', { error: 'POLICY_VIOLATION' });
    faults.next('Produce', { error: 'REQUEST_TIMED_OUT' });
    const lasting = faults.add({ api: 'Produce', fault: { error: 'UNKNOWN_SERVER_ERROR' }, times: Infinity });
    expect([await produce(), await produce(), await produce(), await produce()].flat()).toEqual([
      'POLICY_VIOLATION',
      'REQUEST_TIMED_OUT',
      'UNKNOWN_SERVER_ERROR',
      'UNKNOWN_SERVER_ERROR',
    ]);
    lasting.remove();
    expect(lasting).toMatchObject({ applied: 2, remaining: 0 });
    faults.next('Produce', { error: 'POLICY_VIOLATION' });
    faults.clear();
    expect(await produce()).toEqual(['NONE']);
  });

  it('let a connection that is held be closed', async () => {
    spec.broker.faults.next('ListOffsets', { delayMs: 60_000 });
    client.write(ListOffsets, 7, { replicaId: -1, isolationLevel: 0, topics: [] });
    await spec.received('ListOffsets', 1);
    await until(() => spec.clock.pending > 0);
    spec.broker.killConnections();
    await client.closed();
    expect(spec.clock.pending).toBe(0);
  });

  it.each([
    ['an API there is not', 'Produec', { error: 'POLICY_VIOLATION' }, /did you mean 'Produce'/],
    ['an API that is not served', 'LeaderAndIsr', { silence: true }, /not served/],
    ['an error there is not', 'Produce', { error: 'NOT_LEADER_OF_PARTITION' }, /is no error/],
    ['no error at all', 'Produce', { error: 'NONE' }, /no error/],
    ['nothing', 'Produce', {}, /must be one of error, delayMs/],
    ['two things', 'Produce', { delayMs: 1, silence: true }, /has no meaning beside/],
    ['a wrong word', 'Produce', { disconnect: 'during' }, /before, after/],
    ['a throttle that can’t be said', 'SaslHandshake', { throttleMs: 5 }, /have no place for it/],
    ['a negative delay', 'Produce', { delayMs: -1 }, /whole number/],
    ['corruption of what is not fetched', 'Produce', { corrupt: true }, /Produce has none/],
    ['a partition of no topic', 'Produce', { error: 'POLICY_VIOLATION', partition: 1 }, /needs the topic/],
    ['a topic of what has none', 'Heartbeat', { error: 'POLICY_VIOLATION', topic: 'a' }, /no errors by partition/],
  ])('refuse %s', (_what, api, fault, message) => {
    const next = () => spec.broker.faults.next(api as never, fault as never);
    expect(next).toThrow(KrafkaConfigError);
    expect(next).toThrow(message);
  });

  it('refuse a senseless number of times', () => {
    const add = (times: number) => () => spec.broker.faults.add({ api: 'Produce', fault: { silence: true }, times });
    expect(add(0)).toThrow(/at least 1/);
    expect(add(1.5)).toThrow(KrafkaConfigError);
  });
});
