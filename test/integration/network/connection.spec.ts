import { Fetch, Metadata, Produce } from '../../../lib/core/protocol/index.js';
import {
  BrokerConnection,
  BrokerConnectionBundle,
  ConnectionConfig,
  ConnectionPool,
} from '../../../lib/core/network/index.js';
import { KrafkaConnectionError } from '../../../lib/core/support/index.js';
import { openTestCluster, type TestCluster } from '../../support/test-cluster.js';
import { BY_NAME, produceTo } from './records.js';
import { RequestRecorder } from './request-recorder.js';

let cluster: TestCluster;
let address: string;
let config: ConnectionConfig;

beforeAll(async () => {
  cluster = await openTestCluster();
  address = cluster.bootstrap.split(',')[0] as string;
  config = ConnectionConfig.from(cluster.connection);
});
afterAll(() => cluster.close());

const metadata = { topics: [], allowAutoTopicCreation: false };

describe('a connection to a broker', () => {
  it('agrees on versions, and is answered', async () => {
    const connection = await BrokerConnection.connect(address, config);
    expect(connection.usable).toBe(true);
    expect(connection.supports(Produce)).toBe(true);
    expect(connection.versionOf(Metadata)).toBeGreaterThanOrEqual(8);
    const answer = await connection.sendRequest(Metadata, metadata);
    expect(answer.brokers.length).toBeGreaterThan(0);
    expect(connection.stats()).toMatchObject({ highPriorityCount: 1, bypassCount: 1, responseCount: 1, inFlight: 0 });
    expect(await connection.close()).toEqual({ abandoned: 0 });
  });

  it('finds a broker that listens on one of the addresses of its name only', async () => {
    const port = address.split(':')[1];
    const connection = await BrokerConnection.connect(`localhost:${port}`, config);
    expect((await connection.sendRequest(Metadata, metadata)).brokers.length).toBeGreaterThan(0);
    await connection.close();
  });

  it('brings large values there and back whole, in pieces of any size', async () => {
    const topic = await cluster.newTopic(1);
    const connection = await BrokerConnection.connect(address, config);
    const values = [900_000, 16 * 1024, 16 * 1024 - 61, 1, 70_000].map((bytes, index) => String(index).repeat(bytes));
    for (const value of values) {
      const answer = await connection.sendRequest(Produce, produceTo(topic, value), BY_NAME);
      expect(answer.responses[0]?.partitionResponses[0]?.errorCode).toBe(0);
    }
    const partition = { partition: 0, fetchOffset: 0, partitionMaxBytes: 10_000_000 };
    const answer = await connection.sendRequest(
      Fetch,
      { maxWaitMs: 1_000, minBytes: 1, topics: [{ topic, partitions: [partition] }], forgottenTopicsData: [] },
      BY_NAME,
    );
    const records = answer.responses[0]?.partitions[0]?.records as Buffer;
    let position = -1;
    for (const value of values) {
      position = records.indexOf(value, position + 1);
      expect(position).toBeGreaterThanOrEqual(0);
    }
    await connection.close();
  });

  it('answers hundreds of requests at once, each to its own caller', async () => {
    const topics = await Promise.all([cluster.newTopic(1), cluster.newTopic(2), cluster.newTopic(3)]);
    const connection = await BrokerConnection.connect(address, config.with({ maxInFlight: 50 }));
    const asked = Array.from({ length: 300 }, (_, index) => topics[index % 3] as string);
    const answers = await Promise.all(
      asked.map((name) => connection.sendRequest(Metadata, { topics: [{ name }], allowAutoTopicCreation: false })),
    );
    expect(answers.map((answer) => answer.topics[0]?.name)).toEqual(asked);
    expect(answers.map((answer) => answer.topics[0]?.partitions.length)).toEqual(
      asked.map((_, index) => (index % 3) + 1),
    );
    await connection.close();
  });

  it('settles acks=0 once the bytes have left', async () => {
    const topic = await cluster.newTopic(1);
    const connection = await BrokerConnection.connect(address, config);
    const options = { ...BY_NAME, awaitResponse: false } as const;
    for (let record = 0; record < 100; record++) {
      expect(await connection.sendRequest(Produce, produceTo(topic, `v${record}`, 0), options)).toBeUndefined();
    }
    // Behind them in the order of the broker, so they are written when this is.
    const last = await connection.sendRequest(Produce, produceTo(topic, 'last'), BY_NAME);
    expect(last.responses[0]?.partitionResponses[0]?.baseOffset).toBe(100);
    await connection.close();
  });
});

describe('sockets that are killed', () => {
  it('settle every request that was pending, in flight or waiting, with a typed error', async () => {
    const topic = await cluster.newTopic(1);
    const recorder = await RequestRecorder.open(address);
    const connection = await BrokerConnection.connect(recorder.address, config);
    const sent = Array.from({ length: 500 }, (_, record) =>
      connection.sendRequest(Produce, produceTo(topic, `v${record}`), BY_NAME).then(
        () => 'answered',
        (error: unknown) => error,
      ),
    );
    await sent[20];
    recorder.cut();
    const outcomes = await Promise.all(sent);
    const failed = outcomes.filter((outcome) => outcome !== 'answered');
    expect(failed.length).toBeGreaterThan(0);
    for (const error of failed) {
      expect(error).toBeInstanceOf(KrafkaConnectionError);
      expect(error).toMatchObject({ address: recorder.address, retriable: true });
    }
    expect(connection.usable).toBe(false);
    await recorder.close();
  });

  it('are replaced in a bundle and a pool when somebody wants them', async () => {
    const recorder = await RequestRecorder.open(address);
    const two = config.with({ connectionsPerBroker: 2 });
    const bundle = await BrokerConnectionBundle.connect(recorder.address, two);
    const pool = new ConnectionPool(two);
    await pool.getConnection(recorder.address);
    const before = [bundle.get(0), bundle.get(1), pool.ready(recorder.address)];
    const closed = Promise.all(before.map((one) => new Promise((resolve) => one?.onClose(resolve))));
    recorder.cut();
    await closed;
    expect(bundle.usableCount).toBe(0);
    const after = [await bundle.connection(0), await bundle.connection(1), await pool.getConnection(recorder.address)];
    for (const connection of after) {
      expect((await connection.sendRequest(Metadata, metadata)).brokers.length).toBeGreaterThan(0);
      expect(before).not.toContain(connection);
    }
    expect([bundle.usableCount, bundle.length]).toEqual([2, 2]);
    await Promise.all([bundle.close(), pool.close()]);
    await recorder.close();
  });
});
