import { jest } from '@jest/globals';
import { Fetch, Heartbeat, Produce, type RequestOf } from '../../../lib/core/protocol/index.js';
import { BrokerConnection, ConnectionConfig, ConnectionPool } from '../../../lib/core/network/index.js';
import { openTestCluster, type TestCluster } from '../../support/test-cluster.js';
import { BY_NAME, produceTo } from './records.js';
import { RequestRecorder } from './request-recorder.js';

const FLOOD = 10_000;

// Tens of thousands of requests on whatever else this machine has to do.
jest.setTimeout(120_000);

// A member nobody knows is answered as promptly as one that is known.
const heartbeat = { groupId: 'network-nobody', generationId: 1, memberId: 'nobody' };

let cluster: TestCluster;
let address: string;
let config: ConnectionConfig;
let topic: string;
let recorder: RequestRecorder;

beforeAll(async () => {
  cluster = await openTestCluster();
  address = cluster.bootstrap.split(',')[0] as string;
  config = ConnectionConfig.from(cluster.connection);
});
afterAll(() => cluster.close());

beforeEach(async () => {
  topic = await cluster.newTopic(1);
  recorder = await RequestRecorder.open(address);
});
afterEach(() => recorder.close());

/** A fetch that the broker answers when a record comes, and otherwise not for a minute. */
const longPoll = (): RequestOf<typeof Fetch> => ({
  maxWaitMs: 60_000,
  minBytes: 1,
  topics: [{ topic, partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1_000_000 }] }],
  forgottenTopicsData: [],
});

/** Ends the long poll. The broker makes whoever is behind it on its connection wait for that. */
async function endPoll(): Promise<void> {
  const connection = await BrokerConnection.connect(address, config);
  await connection.sendRequest(Produce, produceTo(topic, 'v'), BY_NAME);
  await connection.close();
}

/** How many requests of a connection have been given to its socket. */
function written(connection: BrokerConnection): number {
  const { highPriorityCount, normalPriorityCount } = connection.stats();
  return highPriorityCount + normalPriorityCount;
}

// The recorder reads what passes by; behind TLS there is nothing to read. Order is made before encryption.
const onReadableWire = process.env['KAFKA_CONNECTION'] === undefined ? describe : describe.skip;

onReadableWire('a heartbeat on one broker with a long poll and a flood', () => {
  it('leaves behind one request at most, also on a socket that takes only so much', async () => {
    const connection = await BrokerConnection.connect(recorder.address, config);
    const base = recorder.requests.length;
    recorder.pause();
    const poll = connection.sendRequest(Fetch, longPoll(), { ...BY_NAME, timeoutMs: 120_000 });
    // Together far more than the buffers of the machine take.
    const request = produceTo(topic, 'x'.repeat(8_000), 0);
    const flood = Array.from({ length: FLOOD }, () =>
      connection.sendRequest(Produce, request, { ...BY_NAME, awaitResponse: false, timeoutMs: 120_000 }),
    );
    // Until the socket is stuck in the middle of a request, and nothing is written any more.
    let before: number;
    do {
      before = written(connection);
      await new Promise((resolve) => setTimeout(resolve, 50));
    } while (written(connection) > before);
    expect(before).toBeLessThan(FLOOD);
    const beats = Promise.all([1, 2, 3].map(() => connection.sendRequest(Heartbeat, heartbeat)));
    expect(written(connection)).toBe(before);
    recorder.resume();
    await Promise.all(flood);
    await endPoll();
    await Promise.all([poll, beats]);
    const names = recorder.names(base);
    expect(names).toHaveLength(1 + FLOOD + 3);
    // All that had been given to the socket, the last of them in part, and then the heartbeats.
    expect(names.slice(0, before)).toEqual(['Fetch', ...Array(before - 1).fill('Produce')]);
    expect(names.slice(before, before + 3)).toEqual(['Heartbeat', 'Heartbeat', 'Heartbeat']);
    await connection.close();
  });

  it('leaves at once when the window is full of data that waits to be answered', async () => {
    const connection = await BrokerConnection.connect(recorder.address, config);
    const base = recorder.requests.length;
    const poll = connection.sendRequest(Fetch, longPoll(), { ...BY_NAME, timeoutMs: 120_000 });
    const request = produceTo(topic, 'v');
    const flood = Array.from({ length: FLOOD }, () => connection.sendRequest(Produce, request, BY_NAME));
    const left = written(connection);
    expect(left).toBe(5);
    expect(connection.stats()).toMatchObject({ inFlight: 5, queued: 256, waiting: FLOOD + 1 - 5 - 256 });
    const beat = connection.sendRequest(Heartbeat, heartbeat);
    expect(written(connection)).toBe(left + 1);
    await endPoll();
    await Promise.all([poll, beat, ...flood]);
    expect(recorder.names(base).indexOf('Heartbeat')).toBe(left);
    await connection.close();
  });

  it('is answered before both are over, on the connections that a pool gives to each purpose', async () => {
    const pool = new ConnectionPool(config);
    const fetching = await pool.getConnection(address, 'fetch:c1');
    const coordination = await pool.getConnection(address, 'coordination:c1');
    const data = await pool.getConnection(address);
    const order: string[] = [];
    const poll = fetching
      .sendRequest(Fetch, longPoll(), { ...BY_NAME, timeoutMs: 120_000 })
      .then(() => order.push('poll'));
    const other = await cluster.newTopic(1);
    const request = produceTo(other, 'v');
    const flood = Promise.all(Array.from({ length: FLOOD }, () => data.sendRequest(Produce, request, BY_NAME))).then(
      () => order.push('flood'),
    );
    for (let beat = 0; beat < 10; beat++) {
      await coordination.sendRequest(Heartbeat, heartbeat);
      order.push('heartbeat');
    }
    const overtaken = order.length;
    await flood;
    await endPoll();
    await poll;
    expect(order.slice(0, overtaken)).toEqual(Array(10).fill('heartbeat'));
    expect(order.at(-1)).toBe('poll');
    await pool.close();
  });
});
