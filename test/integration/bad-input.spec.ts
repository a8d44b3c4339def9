import { spawn } from 'node:child_process';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo, type Server } from 'node:net';
import {
  Krafka,
  KrafkaConfigError,
  KrafkaConnectionError,
  KrafkaError,
  KrafkaProtocolError,
  KrafkaTimeoutError,
} from '../../lib/core/index.js';
import { openTestCluster, type TestCluster } from '../support/test-cluster.js';

const failure = async (promise: Promise<unknown>): Promise<KrafkaError> => {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof KrafkaError)) throw new Error(`no typed error, but ${String(error)}`);
  return error;
};

const listening = (server: Server): Promise<string> =>
  new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(`127.0.0.1:${(server.address() as AddressInfo).port}`));
  });

/** A client that must not wait long for what will not come. */
const impatient = (brokers: string, connection: object = {}): Krafka =>
  new Krafka({ brokers, connection: { connectTimeoutMs: 1_000, requestTimeoutMs: 1_500, ...connection } });

describe('a client of what is no broker', () => {
  it.each([
    [
      'send',
      (krafka: Krafka) => krafka.producer({ accumulator: { maxBlockMs: 1_000 } }).send({ topic: 'a', value: 'v' }),
    ],
    ['consume', (krafka: Krafka) => krafka.consumer({ groupId: 'g', topics: ['a'], startTimeoutMs: 1_500 }).start()],
    ['administer', (krafka: Krafka) => krafka.admin({ timeoutMs: 1_500 }).listTopics()],
  ])('says which address does not answer: %s', async (_what, attempt) => {
    const server = createServer();
    const address = await listening(server);
    await new Promise((resolve) => server.close(resolve));
    const krafka = impatient(address);
    const error = await failure(attempt(krafka));
    expect(error instanceof KrafkaConnectionError || error instanceof KrafkaTimeoutError).toBe(true);
    expect(`${error.message} ${String(error.cause)}`).toContain(address);
    await krafka.close();
  });

  it('recognises a port that speaks HTTP, and does not try again', async () => {
    const server = createHttpServer((_request, response) => response.end('hello'));
    const address = await listening(server);
    const krafka = impatient(address);
    const error = await failure(krafka.admin().listTopics());
    expect(error.retriable).toBe(false);
    expect(error.message).toContain(address);
    expect(error.message).toContain('HTTP');
    await krafka.close();
    await new Promise((resolve) => server.close(resolve));
  });

  it('recognises a port that speaks TLS', async () => {
    // A TLS server answers what it can't read with an alert record.
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.end(Buffer.from([0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x46])));
    });
    const address = await listening(server);
    const krafka = impatient(address);
    const error = await failure(krafka.admin().listTopics());
    expect(error.message).toContain(address);
    expect(error.message).toContain('TLS');
    await krafka.close();
    await new Promise((resolve) => server.close(resolve));
  });

  it('gives up at its deadline on a port that takes connections and says nothing', async () => {
    const held: { destroy(): void }[] = [];
    const server = createServer((socket) => held.push(socket.on('error', () => undefined)));
    const address = await listening(server);
    const krafka = impatient(address);
    const error = await failure(
      krafka.producer({ accumulator: { maxBlockMs: 1_200 } }).send({ topic: 'a', value: 'v' }),
    );
    expect(error).toBeInstanceOf(KrafkaTimeoutError);
    await krafka.close();
    for (const socket of held) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
});

describe('options that make no sense', () => {
  const make = (options: object) => () => new Krafka({ brokers: 'localhost:9092', ...options });
  const krafka = new Krafka({ brokers: 'localhost:9092' });

  it.each([
    ['an unknown one', make({ clientID: 'x' }), 'clientID', 'clientId'],
    [
      'an unknown one of the connection',
      make({ connection: { connectionPerBroker: 2 } }),
      'connectionPerBroker',
      'connectionsPerBroker',
    ],
    ['a wrong type', make({ clientId: 7 }), 'clientId', 'string'],
    ['a number out of range', make({ connection: { connectionsPerBroker: 0 } }), 'connectionsPerBroker', 'from 1 to'],
    ['no brokers', make({ brokers: '' }), 'brokers', ''],
    ['a broker without a name', make({ brokers: ':9092' }), 'brokers', ':9092'],
    ['one of the producer', () => krafka.producer({ lingerMS: 5 } as never), 'lingerMS', 'lingerMs'],
    [
      'one of the accumulator',
      () => krafka.producer({ accumulator: { bufferMemry: 5 } } as never),
      'bufferMemry',
      'bufferMemory',
    ],
    ['one of the consumer', () => krafka.consumer({ groupID: 'g', topics: ['a'] } as never), 'groupID', 'groupId'],
  ])('are refused by name: %s', (_what, attempt, option, hint) => {
    let error: unknown;
    try {
      attempt();
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(KrafkaConfigError);
    expect((error as KrafkaConfigError).option).toContain(option);
    expect((error as KrafkaConfigError).message).toContain(hint);
  });
});

describe('partitions and offsets that are none', () => {
  const krafka = new Krafka({ brokers: 'localhost:9092' });
  const consumer = krafka.consumer({ groupId: 'g', topics: ['a'] });
  const one = { topic: 'a', partition: 0 };
  afterAll(() => krafka.close());

  it.each([
    ['pause, one partition', () => consumer.pause(one as never), 'partitions'],
    ['pause, a number', () => consumer.pause([0] as never), 'partitions[0]'],
    ['resume, one partition', () => consumer.resume(one as never), 'partitions'],
    ['resume, no partition number', () => consumer.resume([{ topic: 'a' }] as never), 'partitions[0].partition'],
    ['position, a topic', () => consumer.position('a' as never), 'partition'],
    ['lag, nothing', () => consumer.lag(undefined as never), 'partition'],
    ['seek, without a partition', () => consumer.seek('a' as never, 0), 'partition'],
    ['committed, one partition', () => consumer.committed(one as never), 'partitions'],
    ['commit, one offset', () => consumer.commit({ ...one, offset: 1 } as never), 'offsets'],
    ['commit, an offset as text', () => consumer.commit([{ ...one, offset: '1' }] as never), 'offsets[0].offset'],
    ['commit, a negative offset', () => consumer.commit([{ ...one, offset: -1 }]), 'offsets[0].offset'],
    [
      'commit, metadata that is no text',
      () => consumer.commit([{ ...one, offset: 1, metadata: {} }] as never),
      'offsets[0].metadata',
    ],
  ])('are refused by name: %s', async (_what, attempt: () => unknown, option) => {
    const error = await failure(Promise.resolve().then(attempt));
    expect(error).toBeInstanceOf(KrafkaConfigError);
    expect(error).toMatchObject({ option });
  });
});

describe('a topic that does not exist', () => {
  let cluster: TestCluster;
  beforeAll(async () => void (cluster = await openTestCluster()));
  afterAll(() => cluster.close());

  it('is named by the error of a send, within maxBlockMs', async () => {
    const topic = cluster.name('nowhere');
    const producer = cluster.krafka().producer({ accumulator: { maxBlockMs: 3_000 } });
    const error = await failure(producer.send({ topic, value: 'v' }));
    expect(`${error.message} ${String(error.cause)}`).toContain(topic);
    expect(`${error.code} ${(error.cause as KrafkaError | undefined)?.code}`).toContain('UNKNOWN_TOPIC_OR_PARTITION');
  });

  it('is named by the admin', async () => {
    const topic = cluster.name('nowhere');
    const error = await failure(cluster.krafka().admin().describeTopics([topic]));
    expect(error).toBeInstanceOf(KrafkaProtocolError);
    expect(error.code).toBe('UNKNOWN_TOPIC_OR_PARTITION');
    expect(error.message).toContain(topic);
  });

  it('can not even be named with characters that Kafka refuses', async () => {
    const error = await failure(cluster.krafka().producer().send({ topic: 'not a topic!', value: 'v' }));
    expect(error.message).toContain('not a topic!');
  });
});

describe('a process that used all this', () => {
  let cluster: TestCluster;
  beforeAll(async () => void (cluster = await openTestCluster()));
  afterAll(() => cluster.close());

  it('ends by itself once its client is closed', async () => {
    const topic = await cluster.newTopic(1);
    const script = `
      import { Krafka } from './dist/core/index.js';
      const krafka = new Krafka({ brokers: '${cluster.bootstrap}', connection: ${JSON.stringify(cluster.connection)} });
      await krafka.producer().send({ topic: '${topic}', value: 'v' });
      const consumer = krafka.consumer({ groupId: '${cluster.name('g')}', topics: ['${topic}'], fromBeginning: true });
      for await (const record of consumer) { process.stdout.write(record.value.toString()); break; }
      await krafka.close();
      process.stdout.write(' closed');
    `;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let printed = '';
    child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect({ code, printed }).toEqual({ code: 0, printed: 'v closed' });
  });
});
