import { ScriptedCluster } from './cluster/spec-support/scripted-cluster.js';
import { Krafka, type KrafkaCloseOptions, type KrafkaOptions } from './index.js';
import { ConnectionConfig, ConnectionPool } from './network/index.js';
import { settled } from './network/spec-support/fake-clock.js';
import { silentLogger } from './support/index.js';

const ID = 'AAAAAAAAAAAAAAAAAAAAAQ';

function setUp(options: Partial<KrafkaOptions> = {}) {
  const scripted = new ScriptedCluster().topic('t', [[1, 0]], { id: ID });
  scripted.on('InitProducerId', () => ({ errorCode: 0, producerId: 7, producerEpoch: 0 }));
  return { scripted, krafka: new Krafka({ brokers: 'b1:9092', ...options }, scripted.ports) };
}

const refusal = (options: unknown): Error & { option?: string; nearest?: string } => {
  let taken: Krafka;
  try {
    taken = new Krafka(options as KrafkaOptions);
  } catch (error) {
    return error as Error;
  }
  throw new Error(`it was taken: ${taken.cluster.bootstrap.join()}`);
};
const failureOf = (promise: Promise<unknown>): Promise<Error & { code?: string }> =>
  promise.then(
    () => Promise.reject(new Error('it succeeded')),
    (error: unknown) => error as Error,
  );

describe('the options of a producer', () => {
  it('may not ask for more requests in flight than a connection takes', () => {
    const { krafka } = setUp();
    const refused = expect.objectContaining({ name: 'KrafkaConfigError', option: 'producer.maxInFlight' }) as Error;
    expect(() => krafka.producer({ acks: 1, maxInFlight: 6 })).toThrow(refused);
    const wider = setUp({ connection: { maxInFlight: 6 } }).krafka;
    expect(() => wider.producer({ acks: 1, maxInFlight: 6 })).not.toThrow();
    const narrower = setUp({ connection: { maxInFlight: 2 } }).krafka;
    expect(() => narrower.producer()).not.toThrow();
  });
});

describe('what is no options, or no work', () => {
  it.each<[string, (krafka: Krafka) => unknown]>([
    ['a producer', (krafka) => krafka.producer(null as never)],
    ['a consumer', (krafka) => krafka.consumer(null as never)],
    ['a share consumer', (krafka) => krafka.shareConsumer(null as never)],
    ['an admin', (krafka) => krafka.admin(null as never)],
    ['a close', (krafka) => krafka.close(null as never)],
  ])('is refused by name: for %s', (_what, make) => {
    const { krafka } = setUp();
    expect(() => make(krafka)).toThrow(expect.objectContaining({ name: 'KrafkaConfigError' }) as Error);
  });

  it('is refused before anything is asked of a broker: for a transaction', async () => {
    const { krafka, scripted } = setUp();
    await expect(krafka.transaction(null as never)).rejects.toMatchObject({ option: 'transaction.work' });
    expect(scripted.dialer.dials).toEqual([]);
  });
});

describe('the options of a client', () => {
  it('need only name the brokers', () => {
    const krafka = new Krafka({ brokers: 'a, b:9093' });
    expect(krafka.cluster.bootstrap).toEqual(['a:9092', 'b:9093']);
    expect(krafka.config.clientId).toBe('krafka');
  });

  it('may be the frozen config of connections', () => {
    const config = ConnectionConfig.from({ clientId: 'mine', connectionsPerBroker: 3 });
    expect(new Krafka({ brokers: ['a'], connection: config }).config).toBe(config);
    const renamed = new Krafka({ brokers: ['a'], connection: config, clientId: 'other' }).config;
    expect([renamed.clientId, renamed.connectionsPerBroker]).toEqual(['other', 3]);
  });

  it.each([
    ['no brokers', {}, 'brokers', undefined],
    ['a broker too few letters', { broker: 'a' }, 'broker', 'brokers'],
    ['a key in other letters', { brokers: 'a', clientID: 'x' }, 'clientID', 'clientId'],
    ['an empty client id', { brokers: 'a', clientId: '' }, 'clientId', undefined],
    ['a number as text', { brokers: 'a', metadataMaxAgeMs: '5' }, 'metadataMaxAgeMs', undefined],
    ['a logger that can not log', { brokers: 'a', logger: {} }, 'logger', undefined],
    ['a pool that is none', { brokers: 'a', pool: {} }, 'pool', undefined],
    [
      'an unknown option of connections',
      { brokers: 'a', connection: { requestTimeout: 5 } },
      'connection.requestTimeout',
      'requestTimeoutMs',
    ],
    [
      'two client ids',
      { brokers: 'a', clientId: 'x', connection: { clientId: 'y' } },
      'connection.clientId',
      undefined,
    ],
    [
      'a pool and how to connect',
      { brokers: 'a', pool: new ConnectionPool(), connection: {} },
      'connection',
      undefined,
    ],
    ['a pool and a client id', { brokers: 'a', pool: new ConnectionPool(), clientId: 'x' }, 'clientId', undefined],
    ['nothing at all', undefined, 'brokers', undefined],
    ['a string', 'a:9092', 'options', undefined],
  ])('are refused for %s, by the name of the one at fault', (_what, options, option, nearest) => {
    expect(refusal(options)).toMatchObject({ name: 'KrafkaConfigError', option, nearest });
  });

  it('never show a password, whatever is wrong with them', () => {
    const sasl = { mechanism: 'plain', username: 'u', password: 'hunter2', realm: 'x' };
    expect(refusal({ brokers: 'a', connection: { sasl } }).message).not.toContain('hunter2');
  });

  it('that are wrong for a producer, consumer or admin are refused where it is made', () => {
    const { krafka } = setUp();
    expect(() => krafka.producer({ linger: 5 } as never)).toThrow("did you mean 'lingerMs'");
    expect(() => krafka.consumer({ groupId: 'g', topics: ['t'], fetchMinByte: 1 } as never)).toThrow(
      "did you mean 'fetchMinBytes'",
    );
    expect(() => krafka.admin({ timeout: 5 } as never)).toThrow("did you mean 'timeoutMs'");
  });
});

describe('a client', () => {
  it('does no I/O and sets no timer until it is used', async () => {
    const { scripted, krafka } = setUp();
    krafka.producer();
    krafka.consumer({ groupId: 'g', topics: ['t'] });
    krafka.admin();
    await settled();
    expect(scripted.dialer.dials).toEqual([]);
    expect(scripted.clock.timersSet).toBe(0);
  });

  it('lets all it makes share its connections and metadata', async () => {
    const { scripted, krafka } = setUp();
    await Promise.all([krafka.admin().describeTopics(['t']), krafka.admin().describeCluster()]);
    expect(scripted.dialer.dials).toEqual(['b1:9092']);
    expect(krafka.cluster.pool).toBe(krafka.pool);
  });

  it('logs where it is told to', async () => {
    const warnings: string[] = [];
    const { scripted, krafka } = setUp({ logger: { ...silentLogger, warn: (message) => void warnings.push(message) } });
    await krafka.cluster.refresh([]);
    scripted.clusterId = 'another';
    await krafka.cluster.refresh([]);
    expect(warnings).toEqual(['another cluster answers at the addresses of this one']);
    expect(scripted.logged).toEqual([]);
  });
});

describe('closing a client', () => {
  it('closes its connections, ends what waits, and leaves no timer', async () => {
    const { scripted, krafka } = setUp();
    await krafka.cluster.refresh(['t']);
    scripted.on('Metadata', () => undefined);
    const waiting = failureOf(krafka.admin().listTopics());
    await settled();
    const closing = krafka.close();
    await scripted.clock.advance(31_000);
    await closing;
    expect(await waiting).toMatchObject({ code: 'CLOSED' });
    expect(scripted.dialer.peers.every(({ destroyed }) => destroyed)).toBe(true);
    await scripted.clock.advance(600_000);
    expect(scripted.clock.timersWaiting).toBe(0);
  });

  it('happens once, and nothing is made afterwards', async () => {
    const { krafka } = setUp();
    const closing = krafka.close();
    expect(krafka.close()).toBe(closing);
    await closing;
    for (const make of [
      () => krafka.producer(),
      () => krafka.consumer({ groupId: 'g', topics: ['t'] }),
      () => krafka.admin(),
    ]) {
      expect(make).toThrow('the Krafka client is closed');
    }
    await expect(krafka.cluster.refresh([])).rejects.toMatchObject({ code: 'CLOSED' });
  });

  it.each<[string, (krafka: Krafka) => Pick<Krafka, 'close'>]>([
    ['a client', (krafka) => krafka],
    ['a producer', (krafka) => krafka.producer()],
    ['a consumer', (krafka) => krafka.consumer({ groupId: 'g', topics: ['t'] })],
    ['a share consumer', (krafka) => krafka.shareConsumer({ groupId: 'g', topics: ['t'] })],
  ])('refuses options that %s can not go by, and closes when it is asked properly', async (_what, choose) => {
    const { krafka } = setUp();
    const one = choose(krafka);
    for (const timeoutMs of [-1, Number.NaN, Infinity, 2 ** 31]) {
      expect(() => one.close({ timeoutMs })).toThrow(expect.objectContaining({ option: 'close.timeoutMs' }));
    }
    const slip = { timeout: 5 } as KrafkaCloseOptions;
    expect(() => one.close(slip)).toThrow(expect.objectContaining({ option: 'close.timeout', nearest: 'timeoutMs' }));
    await one.close();
    await krafka.close();
  });

  it('never closes connections that were lent', async () => {
    const scripted = new ScriptedCluster();
    const pool = scripted.pool({ clientId: 'shared' });
    const krafka = new Krafka({ brokers: 'b1:9092', pool }, scripted.ports);
    expect(krafka.config.clientId).toBe('shared');
    await krafka.cluster.refresh([]);
    await krafka.close();
    expect(pool.ready('b1:9092')?.usable).toBe(true);
    await pool.close();
  });

  it('closes its producers, those that are closed already left out', async () => {
    const { krafka } = setUp();
    const closed = krafka.producer();
    const open = krafka.producer();
    await closed.close();
    let closes = 0;
    closed.close = () => Promise.resolve(void closes++);
    await krafka.close();
    expect(closes).toBe(0);
    await expect(open.send({ topic: 't', value: 'v' })).rejects.toMatchObject({ code: 'CLOSED' });
  });

  it('goes on when something does not close in good order, and says so at the end', async () => {
    const { scripted, krafka } = setUp();
    await krafka.cluster.refresh([]);
    const failing = krafka.producer();
    failing.close = () => Promise.reject(new Error('stuck'));
    const error = await failureOf(krafka.close());
    expect(error.message).toContain('a producer did not close: Error: stuck');
    expect(scripted.dialer.peers.every(({ destroyed }) => destroyed)).toBe(true);
  });

  it('tells of all that did not', async () => {
    const { krafka } = setUp();
    for (const producer of [krafka.producer(), krafka.producer()])
      producer.close = () => Promise.reject(new Error('stuck'));
    expect(await failureOf(krafka.close())).toMatchObject({ name: 'KrafkaAggregateError', errors: { length: 2 } });
  });

  it('is bounded in time even when something never closes', async () => {
    const { scripted, krafka } = setUp();
    await krafka.cluster.refresh([]);
    krafka.producer().close = () => new Promise(() => undefined);
    const failure = failureOf(krafka.close({ timeoutMs: 1_000 }));
    await scripted.clock.advance(2_000);
    expect((await failure).message).toContain('waiting for a producer to close');
    expect(scripted.dialer.peers.every(({ destroyed }) => destroyed)).toBe(true);
  });

  it('leaves producers a share of the time that consumers can not use up', async () => {
    const { scripted, krafka } = setUp();
    const given: Record<string, number> = {};
    const consumer = krafka.consumer({ groupId: 'g', topics: ['t'] });
    consumer.close = ({ timeoutMs }: { timeoutMs?: number }) => {
      given['consumer'] = timeoutMs!;
      return new Promise((resolve) => void scripted.clock.setTimer(timeoutMs!, resolve));
    };
    krafka.producer().close = ({ timeoutMs }: { timeoutMs?: number }) =>
      Promise.resolve(void (given['producer'] = timeoutMs!));
    const closing = krafka.close({ timeoutMs: 3_000 });
    await scripted.clock.advance(3_000);
    await closing;
    expect(given).toEqual({ consumer: 2_000, producer: 1_000 });
  });
});
