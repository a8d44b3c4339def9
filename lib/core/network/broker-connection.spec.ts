import { ERROR_CODES, Fetch, Heartbeat, OffsetCommit, Produce, SaslAuthenticate } from '../protocol/index.js';
import {
  Deadline,
  Deferred,
  KrafkaAuthenticationError,
  KrafkaClosedError,
  KrafkaConfigError,
  KrafkaConnectionError,
  KrafkaProtocolError,
  KrafkaTimeoutError,
  type KrafkaError,
} from '../support/index.js';
import { BrokerConnection } from './broker-connection.js';
import { ConnectionConfig } from './connection-config.js';
import { settled } from './spec-support/fake-clock.js';
import { EMPTY_ANSWERS, heartbeat, produce } from './spec-support/requests.js';
import type { Received } from './spec-support/scripted-broker.js';
import { ADDRESS, outcome, Simulation } from './spec-support/simulation.js';

const answerOf = (received: Received): object => EMPTY_ANSWERS[received.name] as object;

function quietly<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

async function failure(promise: Promise<unknown>): Promise<KrafkaError> {
  return await promise.then(
    () => Promise.reject(new Error('did not fail')),
    (error: KrafkaError) => error,
  );
}

describe('opening a connection', () => {
  it('knows the versions and features of the broker, and speaks the highest common version', async () => {
    const simulation = new Simulation(answerOf);
    simulation.broker.versions = {
      ...simulation.broker.versions,
      apiKeys: [
        { apiKey: Produce.key, minVersion: 0, maxVersion: 8 },
        { apiKey: Heartbeat.key, minVersion: 0, maxVersion: 99 },
        { apiKey: Fetch.key, minVersion: 0, maxVersion: 2 },
      ],
    };
    const connection = await simulation.connect({ clientId: 'etl' });
    expect(connection.usable).toBe(true);
    expect([...connection.brokerFeatures]).toEqual([['transaction.version', 2]]);
    expect(connection.versionOf(Produce)).toBe(8);
    expect(connection.versionOf(Heartbeat)).toBe(Heartbeat.versions.to);
    expect([connection.supports(Produce), connection.supports(Fetch), connection.supports(OffsetCommit)]).toEqual([
      true,
      false,
      false,
    ]);
    await connection.sendRequest(Produce, produce());
    await connection.sendRequest(Produce, produce(), { maxVersion: 5 });
    await connection.sendRequest(Produce, produce(), { maxVersion: 50 });
    await connection.sendRequest(Produce, produce(), { version: 3 });
    expect(simulation.broker.received.map(({ version }) => version)).toEqual([8, 5, 8, 3]);
    expect(simulation.broker.received[0]?.clientId).toBe('etl');
  });

  it('names the API and both ranges when there is no common version', async () => {
    const simulation = new Simulation();
    simulation.broker.versions = {
      ...simulation.broker.versions,
      apiKeys: [{ apiKey: Produce.key, minVersion: 0, maxVersion: 2 }],
    };
    const connection = await simulation.connect();
    const error = await failure(connection.sendRequest(Produce, produce()));
    expect(error).toBeInstanceOf(KrafkaProtocolError);
    expect(error).toMatchObject({ code: 'UNSUPPORTED_VERSION', api: 'Produce', address: ADDRESS, retriable: false });
    expect(error.message).toMatch(/versions 3 to \d+ .* versions 0 to 2/);
    expect((await failure(connection.sendRequest(Heartbeat, heartbeat))).message).toMatch(/the broker speaks none/);
    expect(connection.usable).toBe(true);
  });

  it.each([{ version: 99 }, { version: 0 }, { maxVersion: 1 }])('refuses %j, which nobody speaks', async (options) => {
    const simulation = new Simulation();
    const connection = await simulation.connect();
    const error = await failure(connection.sendRequest(Produce, produce(), options));
    expect(error).toMatchObject({ code: 'UNSUPPORTED_VERSION' });
    expect(simulation.broker.received).toEqual([]);
  });

  it.each([
    ['that names what it speaks', [{ apiKey: 18, minVersion: 0, maxVersion: 2 }], [4, 2]],
    ['that names nothing', [], [4, 0]],
  ])('asks an older broker %s in its own version of ApiVersions (KIP-511)', async (_what, apiKeys, asked) => {
    const simulation = new Simulation();
    const { broker } = simulation;
    const versions: number[] = [];
    simulation.dialer.listen(ADDRESS, (peer) => {
      broker.serve(peer);
      const serve = peer.onWrite;
      peer.onWrite = (bytes) => {
        const version = bytes.readInt16BE(6);
        versions.push(version);
        if (version <= (asked[1] as number)) {
          serve(bytes);
          return;
        }
        // Version 0, whatever was asked in: error code, then an array of three numbers each.
        const body = Buffer.alloc(4 + 2 + 4 + apiKeys.length * 6);
        let position = body.writeInt32BE(bytes.readInt32BE(8));
        position = body.writeInt16BE(ERROR_CODES.UNSUPPORTED_VERSION, position);
        position = body.writeInt32BE(apiKeys.length, position);
        for (const { apiKey, minVersion, maxVersion } of apiKeys) {
          for (const number of [apiKey, minVersion, maxVersion]) position = body.writeInt16BE(number, position);
        }
        const length = Buffer.alloc(4);
        length.writeInt32BE(body.length);
        queueMicrotask(() => peer.send(Buffer.concat([length, body])));
      };
    });
    const connection = await simulation.connect();
    expect(versions).toEqual(asked);
    expect(connection.versionOf(Produce)).toBe(Produce.versions.to);
  });

  it.each([
    ['nobody answers the dial', 'dial', /connecting/],
    ['the broker says nothing', 'handshake', /asking for versions/],
  ])('gives up after connectTimeoutMs when %s', async (_what, where, waitedFor) => {
    const simulation = new Simulation();
    simulation.dialer.listen(ADDRESS, where === 'dial' ? 'silence' : () => undefined);
    const opening = quietly(simulation.connect({ connectTimeoutMs: 3_000 }));
    await simulation.clock.advance(2_999);
    expect(await outcome(opening)).toBe('pending');
    await simulation.clock.advance(1);
    const error = await failure(opening);
    expect(error).toBeInstanceOf(KrafkaTimeoutError);
    expect(error).toMatchObject({ budget: 'connectTimeoutMs', budgetMs: 3_000 });
    expect(error.message).toMatch(waitedFor);
    expect(error.message).toContain(ADDRESS);
    expect(simulation.dialer.peers.every((peer) => peer.destroyed)).toBe(true);
    expect(simulation.clock.timersWaiting).toBe(0);
  });

  it("gives up at the caller's deadline or signal, whichever is first", async () => {
    const simulation = new Simulation();
    simulation.dialer.listen(ADDRESS, () => undefined);
    const connect = (options: object): Promise<BrokerConnection> =>
      quietly(BrokerConnection.connect(ADDRESS, undefined, simulation.ports, options));
    const late = connect({ deadline: new Deadline(simulation.clock, 200, 'maxBlockMs') });
    const abort = new AbortController();
    const unwanted = connect({ signal: abort.signal });
    await simulation.clock.advance(200);
    expect(await failure(late)).toMatchObject({ budget: 'maxBlockMs' });
    const reason = new Error('enough');
    abort.abort(reason);
    expect(await failure(unwanted)).toBe(reason);
    expect(await failure(connect({ signal: abort.signal }))).toBe(reason);
    expect(simulation.dialer.peers.map((peer) => peer.destroyed)).toEqual([true, true]);
    expect(simulation.clock.timersWaiting).toBe(0);
  });

  it('destroys a stream that comes too late', async () => {
    const simulation = new Simulation();
    const dial = simulation.dialer.dial.bind(simulation.dialer);
    simulation.dialer.dial = async (target, receiver) => {
      await new Promise((resolve) => simulation.clock.setTimer(500, () => resolve(undefined)));
      return await dial(target, receiver, new AbortController().signal);
    };
    const opening = quietly(simulation.connect({ connectTimeoutMs: 100 }));
    await simulation.clock.advance(100);
    await simulation.clock.advance(500);
    expect(await failure(opening)).toBeInstanceOf(KrafkaTimeoutError);
    expect(simulation.peer.destroyed).toBe(true);
  });

  it.each([
    ['refuses', Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }), /ECONNREFUSED/],
    ['hangs up at once', undefined, /closed the connection.*'tls'/],
    [
      'resets',
      Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }),
      /closed the connection \(read ECONNRESET\).*'tls'/,
    ],
  ])('is a retriable KrafkaConnectionError when the address %s', async (what, cause, message) => {
    const simulation = new Simulation();
    simulation.dialer.listen(
      ADDRESS,
      what === 'refuses'
        ? (cause as Error)
        : (peer) => void (peer.onWrite = () => queueMicrotask(() => peer.end(cause))),
    );
    const error = await failure(simulation.connect());
    expect(error).toBeInstanceOf(KrafkaConnectionError);
    expect(error).toMatchObject({ address: ADDRESS, retriable: true });
    expect(error.cause).toBe(cause);
    expect(error.message).toMatch(message);
  });

  it('names a peer that speaks HTTP, and does not call that retriable', async () => {
    const simulation = new Simulation();
    simulation.dialer.listen(ADDRESS, (peer) => {
      peer.onWrite = () => queueMicrotask(() => peer.send(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')));
    });
    const error = await failure(simulation.connect());
    expect(error).toMatchObject({ code: 'NOT_KAFKA', address: ADDRESS, retriable: false });
    expect(error.message).toContain('HTTP');
    expect(simulation.peer.destroyed).toBe(true);
  });

  it('gives a peer that has proved nothing no large buffer', async () => {
    const simulation = new Simulation();
    simulation.dialer.listen(ADDRESS, (peer) => {
      peer.onWrite = () => queueMicrotask(() => peer.send(Buffer.from([0x01, 0x00, 0x00, 0x00])));
    });
    expect(await failure(simulation.connect())).toMatchObject({ code: 'RESPONSE_SIZE' });
  });

  it('refuses an address that is none before it dials', async () => {
    const simulation = new Simulation();
    expect(await failure(BrokerConnection.connect('nowhere', undefined, simulation.ports))).toBeInstanceOf(
      KrafkaConfigError,
    );
    expect(simulation.dialer.dials).toEqual([]);
  });

  it('refuses options that are wrong, when they come without a ConnectionConfig', async () => {
    const options = { maxInflight: 1 } as unknown as ConnectionConfig;
    expect(await failure(BrokerConnection.connect(ADDRESS, options))).toBeInstanceOf(KrafkaConfigError);
  });
});

describe('a call that is none', () => {
  it.each([
    ['an API by its name', ['Metadata', {}], 'api'],
    ['no API', [undefined, {}], 'api'],
  ])('is refused: %s', async (_what, [api, request], option) => {
    const connection = await new Simulation().connect();
    expect(await failure(connection.sendRequest(api as never, request as never))).toMatchObject({ option });
    expect(await failure(connection.sendRequestWithPriority(api as never, {} as never, 'high'))).toMatchObject({
      option,
    });
  });

  it('is refused: a priority that is no channel', async () => {
    const connection = await new Simulation().connect();
    const sent = connection.sendRequestWithPriority(Heartbeat, heartbeat, 'urgent' as never);
    expect(await failure(sent)).toMatchObject({ option: 'priority' });
  });
});

/** Lets in whoever comes, for `lifetimeMs`. */
const welcoming =
  (lifetimeMs = 0, errorCode = 0) =>
  (received: Received): object => {
    switch (received.name) {
      case 'SaslHandshake':
        return { errorCode: 0, mechanisms: ['PLAIN'] };
      case 'SaslAuthenticate':
        return { errorCode, errorMessage: null, authBytes: Buffer.alloc(0), sessionLifetimeMs: lifetimeMs };
      default:
        return answerOf(received);
    }
  };

describe('authentication', () => {
  const sasl = { mechanism: 'plain', username: 'ann', password: 'hunter2-secret' } as const;

  it('comes before everything else', async () => {
    const simulation = new Simulation(welcoming());
    const connection = await simulation.connect({ sasl });
    await connection.sendRequest(Heartbeat, heartbeat);
    expect(simulation.broker.names).toEqual(['SaslHandshake', 'SaslAuthenticate', 'Heartbeat']);
    expect(simulation.broker.received[0]).toMatchObject({ version: 1, request: { mechanism: 'PLAIN' } });
    expect(connection.stats()).toMatchObject({ highPriorityCount: 1, normalPriorityCount: 0, responseCount: 1 });
  });

  it('ends the connection when the password is wrong', async () => {
    const simulation = new Simulation(welcoming(0, ERROR_CODES.SASL_AUTHENTICATION_FAILED));
    const error = await failure(simulation.connect({ sasl }));
    expect(error).toBeInstanceOf(KrafkaAuthenticationError);
    expect(error.message).toMatch(/broker:9092.*PLAIN/);
    expect(simulation.peer.destroyed).toBe(true);
  });

  it('is renewed before the session ends, when nothing is in flight, and what is asked meanwhile waits (KIP-368)', async () => {
    const simulation = new Simulation((received) =>
      received.name === 'Produce' ? undefined : welcoming(10_000)(received),
    );
    const connection = await simulation.connect({ sasl });
    const first = connection.sendRequest(Produce, produce(1));
    await simulation.clock.advance(9_500);
    const beat = connection.sendRequest(Heartbeat, heartbeat);
    const second = connection.sendRequest(Produce, produce(2));
    await settled();
    expect(simulation.broker.names.slice(2)).toEqual(['Produce']);
    const answer = (received: Received): void => simulation.broker.answer(received, answerOf(received));
    answer(simulation.broker.received[2] as Received);
    await Promise.all([first, beat]);
    await settled();
    expect(simulation.broker.names.slice(2)).toEqual([
      'Produce',
      'SaslHandshake',
      'SaslAuthenticate',
      'Heartbeat',
      'Produce',
    ]);
    answer(simulation.broker.received.at(-1) as Received);
    await second;
    expect(connection.usable).toBe(true);
  });

  it('is not renewed while nobody asks for anything', async () => {
    const simulation = new Simulation(welcoming(10_000));
    await simulation.connect({ sasl });
    await simulation.clock.advance(60_000);
    expect(simulation.broker.names).toEqual(['SaslHandshake', 'SaslAuthenticate']);
  });

  it('ends the connection when its renewal is refused: what waits may try again', async () => {
    let refusing = 0;
    const simulation = new Simulation((received) => welcoming(10_000, refusing)(received));
    const connection = await simulation.connect({ sasl });
    refusing = ERROR_CODES.SASL_AUTHENTICATION_FAILED;
    await simulation.clock.advance(9_500);
    const error = await failure(connection.sendRequest(Heartbeat, heartbeat));
    expect(error).toMatchObject({ name: 'KrafkaConnectionError', retriable: true });
    expect(error.cause).toBeInstanceOf(KrafkaAuthenticationError);
    expect(connection.usable).toBe(false);
  });

  it('ends the connection when its renewal takes longer than connectTimeoutMs', async () => {
    let silent = false;
    const simulation = new Simulation((received) => (silent ? undefined : welcoming(10_000)(received)));
    const connection = await simulation.connect({ sasl, connectTimeoutMs: 1_000 });
    silent = true;
    await simulation.clock.advance(9_500);
    const sent = quietly(connection.sendRequest(Heartbeat, heartbeat));
    await simulation.clock.advance(1_000);
    expect(await outcome(sent)).toMatchObject({ retriable: true, cause: { budget: 'connectTimeoutMs' } });
  });

  it('gives what is in flight its own time to be answered: connectTimeoutMs begins when nothing is any more', async () => {
    const simulation = new Simulation((received) =>
      received.name === 'Produce' ? undefined : welcoming(10_000)(received),
    );
    const connection = await simulation.connect({ sasl, connectTimeoutMs: 1_000 });
    const slow = quietly(connection.sendRequest(Produce, produce(1)));
    await simulation.clock.advance(9_500);
    const beat = quietly(connection.sendRequest(Heartbeat, heartbeat));
    await simulation.clock.advance(15_000);
    simulation.broker.answer(simulation.broker.received[2] as Received, EMPTY_ANSWERS.Produce as object);
    expect(await outcome(slow)).toEqual(EMPTY_ANSWERS.Produce);
    expect(await outcome(beat)).toEqual(EMPTY_ANSWERS.Heartbeat);
  });

  it('is renewed after the silence that the last answer before asks for', async () => {
    const simulation = new Simulation((received) =>
      received.name === 'Produce' ? undefined : welcoming(10_000)(received),
    );
    const connection = await simulation.connect({ sasl });
    const slow = connection.sendRequest(Produce, produce(1));
    await simulation.clock.advance(9_500);
    const beat = connection.sendRequest(Heartbeat, heartbeat);
    const answer = { ...EMPTY_ANSWERS.Produce, throttleTimeMs: 20_000 };
    simulation.broker.answer(simulation.broker.received[2] as Received, answer);
    await slow;
    await simulation.clock.advance(19_999);
    expect(simulation.broker.names.slice(2)).toEqual(['Produce']);
    await simulation.clock.advance(1);
    expect(await outcome(beat)).toEqual(EMPTY_ANSWERS.Heartbeat);
    expect(simulation.broker.names.slice(2)).toEqual(['Produce', 'SaslHandshake', 'SaslAuthenticate', 'Heartbeat']);
  });

  it('does not outlive the attempt in a token provider', async () => {
    let given: AbortSignal | undefined;
    const simulation = new Simulation(welcoming());
    const tokenProvider = (signal: AbortSignal): Promise<string> => {
      given = signal;
      return new Promise(() => undefined);
    };
    const opening = quietly(simulation.connect({ sasl: { mechanism: 'oauthbearer', tokenProvider } }));
    await simulation.clock.advance(10_000);
    expect(await failure(opening)).toMatchObject({ message: expect.stringMatching(/authenticating/) });
    expect(given?.aborted).toBe(true);
    expect(simulation.broker.names).not.toContain(SaslAuthenticate.name);
  });

  it('leaves a token alone that comes when the attempt is over', async () => {
    const token = new Deferred<string>();
    const simulation = new Simulation(welcoming());
    const tokenProvider = (): Promise<string> => token.promise;
    const opening = quietly(simulation.connect({ sasl: { mechanism: 'oauthbearer', tokenProvider } }));
    await simulation.clock.advance(10_000);
    expect(await outcome(opening)).toBeInstanceOf(KrafkaTimeoutError);
    token.resolve('token');
    await settled();
    expect(simulation.broker.names).toEqual(['SaslHandshake']);
    expect(simulation.clock.timersWaiting).toBe(0);
  });

  it('is not renewed while the broker has asked for silence', async () => {
    const simulation = new Simulation((received) =>
      received.name === 'Heartbeat' ? { throttleTimeMs: 20_000, errorCode: 0 } : welcoming(10_000)(received),
    );
    const connection = await simulation.connect({ sasl });
    await simulation.clock.advance(9_000);
    await connection.sendRequest(Heartbeat, heartbeat, { version: 2 });
    const sent = connection.sendRequest(Produce, produce());
    await simulation.clock.advance(19_999);
    expect(simulation.broker.names.slice(2)).toEqual(['Heartbeat']);
    await simulation.clock.advance(1);
    await sent;
    expect(simulation.broker.names.slice(2)).toEqual(['Heartbeat', 'SaslHandshake', 'SaslAuthenticate', 'Produce']);
  });

  it('is suspected when the broker hangs up on the first request', async () => {
    const simulation = new Simulation((received) => {
      queueMicrotask(() => received.peer.end());
      return undefined;
    });
    const connection = await simulation.connect();
    expect((await failure(connection.sendRequest(Heartbeat, heartbeat))).message).toMatch(/'sasl'/);
  });
});

describe('losing a connection', () => {
  it('settles everything in flight and waiting with a typed, retriable error, and tells its listeners once', async () => {
    const simulation = new Simulation();
    const connection = await simulation.connect();
    const ends: unknown[] = [];
    connection.onClose((error) => ends.push(error));
    connection.onClose(() => ends.push('never'))();
    const sent = Array.from({ length: 400 }, (_, number) => quietly(connection.sendRequest(Produce, produce(number))));
    simulation.peer.end(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }));
    for (const one of await Promise.all(sent.map(outcome))) {
      expect(one).toBeInstanceOf(KrafkaConnectionError);
      expect(one).toMatchObject({ address: ADDRESS, retriable: true });
    }
    expect(connection.stats()).toMatchObject({ inFlight: 0, queued: 0, waiting: 0 });
    expect(ends).toHaveLength(1);
    connection.onClose((error) => ends.push(error));
    expect(ends).toEqual([ends[0], ends[0]]);
    expect(ends[0]).toBeInstanceOf(KrafkaConnectionError);
    expect(simulation.clock.timersWaiting).toBe(0);
  });

  it('refuses what is asked afterwards, retriable, with the reason as its cause', async () => {
    const simulation = new Simulation();
    const connection = await simulation.connect();
    let reason: KrafkaError | undefined;
    connection.onClose((error) => (reason = error));
    simulation.peer.end();
    expect(connection.usable).toBe(false);
    const error = await failure(connection.sendRequest(Heartbeat, heartbeat));
    expect(error).toMatchObject({ name: 'KrafkaConnectionError', retriable: true, cause: reason });
    expect(await connection.close()).toEqual({ abandoned: 0 });
  });
});

describe('closing a connection', () => {
  it('waits for what was asked before, and takes nothing new', async () => {
    const simulation = new Simulation();
    const connection = await simulation.connect({ maxInFlight: 1 });
    const sent = [1, 2, 3].map((number) => connection.sendRequest(Produce, produce(number)));
    const closing = connection.close();
    expect(connection.usable).toBe(false);
    expect(await failure(connection.sendRequest(Heartbeat, heartbeat))).toBeInstanceOf(KrafkaClosedError);
    for (let answered = 0; answered < 3; answered++) {
      simulation.broker.answer(simulation.broker.received[answered] as Received, EMPTY_ANSWERS.Produce as object);
      await settled();
    }
    await Promise.all(sent);
    expect(await closing).toEqual({ abandoned: 0 });
    expect(simulation.peer.destroyed).toBe(true);
    expect(simulation.clock.timersWaiting).toBe(0);
  });

  it('waits no longer than timeoutMs, and reports what was left', async () => {
    const simulation = new Simulation();
    const connection = await simulation.connect({ maxInFlight: 1 });
    const sent = [1, 2, 3].map((number) => quietly(connection.sendRequest(Produce, produce(number))));
    const ends: unknown[] = [];
    connection.onClose((error) => ends.push(error));
    const closing = connection.close({ timeoutMs: 250 });
    expect(connection.close({ timeoutMs: 1 })).toBe(closing);
    await simulation.clock.advance(249);
    expect(await outcome(closing)).toBe('pending');
    await simulation.clock.advance(1);
    expect(await closing).toEqual({ abandoned: 3 });
    for (const one of await Promise.all(sent.map(outcome))) expect(one).toBeInstanceOf(KrafkaClosedError);
    expect(ends).toEqual([undefined]);
    expect(simulation.clock.timersWaiting).toBe(0);
  });

  it.each([[{ timeout: 100 }], [{ timeoutMs: '100' }], [{ timeoutMs: NaN }], [null]])(
    'refuses %j as its options, and goes on',
    async (options) => {
      const connection = await new Simulation().connect();
      const refused = expect.objectContaining({ code: 'INVALID_CONFIG' }) as Error;
      expect(() => connection.close(options as never)).toThrow(refused);
      expect(connection.usable).toBe(true);
    },
  );

  it('waits for nothing with timeoutMs 0', async () => {
    const simulation = new Simulation();
    const connection = await simulation.connect();
    void quietly(connection.sendRequest(Produce, produce()));
    expect(await connection.close({ timeoutMs: 0 })).toEqual({ abandoned: 1 });
  });

  it('waits for nothing once an unanswered kind of request has left behind a renewal of the session', async () => {
    const simulation = new Simulation((received) =>
      received.name === 'Produce' ? undefined : welcoming(10_000)(received),
    );
    const sasl = { mechanism: 'plain', username: 'ann', password: 'hunter2-secret' } as const;
    const connection = await simulation.connect({ sasl });
    await simulation.clock.advance(9_500);
    const sent = connection.sendRequest(Produce, produce(), { awaitResponse: false });
    const closing = connection.close();
    expect(await sent).toBeUndefined();
    expect(await outcome(closing)).toEqual({ abandoned: 0 });
  });

  it('waits for an unanswered kind of request to leave', async () => {
    const simulation = new Simulation();
    const connection = await simulation.connect();
    simulation.peer.stall();
    const sent = connection.sendRequest(Produce, produce(), { awaitResponse: false });
    const closing = connection.close();
    await settled();
    expect(simulation.peer.destroyed).toBe(false);
    simulation.peer.drain();
    expect(await sent).toBeUndefined();
    expect(await closing).toEqual({ abandoned: 0 });
  });
});
