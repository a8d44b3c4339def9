import { getEventListeners } from 'node:events';
import { Fetch, Heartbeat, Metadata, Produce } from '../protocol/index.js';
import { Deadline, KrafkaConnectionError, KrafkaProtocolError, KrafkaTimeoutError } from '../support/index.js';
import type { BrokerConnection } from './broker-connection.js';
import { HIGH_PRIORITY_RESERVE } from './in-flight-requests.js';
import { RequestPriority } from './request-priority.js';
import { settled } from './spec-support/fake-clock.js';
import { EMPTY_ANSWERS, heartbeat, produce } from './spec-support/requests.js';
import type { Received } from './spec-support/scripted-broker.js';
import { outcome, Simulation } from './spec-support/simulation.js';

/** Sends without waiting; what becomes of it is the test's to say. */
function fire(connection: BrokerConnection, count = 1): Promise<unknown>[] {
  return Array.from({ length: count }, (_, number) => quietly(connection.sendRequest(Produce, produce(number))));
}

function quietly<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

const answerOf = (received: Received): object => EMPTY_ANSWERS[received.name] as object;

/** Answers what was received and not yet answered, oldest first. */
function answering(simulation: Simulation): (count?: number) => Promise<void> {
  let answered = 0;
  return async (count = Infinity) => {
    while (count-- > 0 && answered < simulation.broker.received.length) {
      const received = simulation.broker.received[answered++] as Received;
      simulation.broker.answer(received, answerOf(received));
      await settled();
    }
  };
}

describe('the order of leaving', () => {
  it('writes at once what finds nothing before it, and counts it as a bypass', async () => {
    const simulation = new Simulation(answerOf);
    const connection = await simulation.connect();
    const answer = connection.sendRequest(Produce, produce());
    expect(simulation.broker.names).toEqual(['Produce']);
    await answer;
    expect(connection.stats()).toMatchObject({ normalPriorityCount: 1, highPriorityCount: 0, bypassCount: 1 });
  });

  it('keeps maxInFlight normal requests in flight, and sends the next when one is answered', async () => {
    const simulation = new Simulation();
    const answer = answering(simulation);
    const connection = await simulation.connect({ maxInFlight: 3 });
    void fire(connection, 5);
    expect(simulation.broker.received).toHaveLength(3);
    expect(connection.stats()).toMatchObject({ inFlight: 3, queued: 2, bypassCount: 3 });
    await answer(1);
    expect(simulation.broker.received).toHaveLength(4);
    await answer();
    expect(connection.stats()).toMatchObject({ inFlight: 0, queued: 0, normalPriorityCount: 5, bypassCount: 3 });
  });

  it('sends a heartbeat though the window is full of data', async () => {
    const simulation = new Simulation();
    const connection = await simulation.connect({ maxInFlight: 1 });
    void fire(connection, 10);
    void quietly(connection.sendRequest(Heartbeat, heartbeat));
    expect(simulation.broker.names).toEqual(['Produce', 'Heartbeat']);
  });

  it('gives high-priority requests a few places of their own, and lets no normal one pass while one waits', async () => {
    const simulation = new Simulation();
    const answer = answering(simulation);
    const connection = await simulation.connect({ maxInFlight: 1 });
    const beats = HIGH_PRIORITY_RESERVE + 1;
    for (let beat = 0; beat < beats; beat++) void quietly(connection.sendRequest(Heartbeat, heartbeat));
    void fire(connection, 1);
    expect(simulation.broker.names).toEqual(Array(HIGH_PRIORITY_RESERVE).fill('Heartbeat'));
    await answer(1);
    expect(simulation.broker.names).toEqual([...Array(beats).fill('Heartbeat'), 'Produce']);
  });

  it('lets a heartbeat leave behind one request at most, whatever flood it meets', async () => {
    const simulation = new Simulation();
    const connection = await simulation.connect();
    // A socket that takes one request at a time, as one to a busy broker does.
    simulation.peer.stall();
    void fire(connection, 10_000);
    expect(simulation.broker.received).toHaveLength(1);
    expect(connection.stats()).toMatchObject({ queued: 256, waiting: 10_000 - 1 - 256 });
    void quietly(connection.sendRequest(Heartbeat, heartbeat));
    simulation.peer.drain(true);
    expect(simulation.broker.names).toEqual(['Produce', 'Heartbeat']);
    for (let more = 0; more < 4; more++) simulation.peer.drain(true);
    expect(simulation.broker.names.slice(2)).toEqual(Array(4).fill('Produce'));
  });

  it('keeps the order of asking within a channel, through waiting and all', async () => {
    const simulation = new Simulation(answerOf);
    const connection = await simulation.connect({ normalPriorityChannelCapacity: 3, maxInFlight: 2 });
    await Promise.all(fire(connection, 50));
    expect(simulation.broker.received.map(({ request }) => request['timeoutMs'])).toEqual(
      Array.from({ length: 50 }, (_, number) => number),
    );
  });

  it('takes the channel that the caller chooses', async () => {
    const simulation = new Simulation(answerOf);
    const connection = await simulation.connect();
    await connection.sendRequestWithPriority(Produce, produce(), RequestPriority.High);
    await connection.sendRequestWithPriority(Heartbeat, heartbeat, RequestPriority.Normal);
    await connection.sendRequest(Heartbeat, heartbeat);
    expect(connection.stats()).toMatchObject({ highPriorityCount: 2, normalPriorityCount: 1, responseCount: 3 });
  });

  it('writes each request in one go', async () => {
    const simulation = new Simulation(answerOf);
    const connection = await simulation.connect();
    const before = simulation.peer.writes;
    const records = Buffer.alloc(5_000);
    const topicData = [{ name: 't', topicId: undefined, partitionData: [{ index: 0, records }] }];
    await connection.sendRequest(Produce, { ...produce(), topicData } as never, { maxVersion: 12 });
    expect(simulation.peer.writes - before).toBe(1);
  });
});

describe('the order of answers', () => {
  it('gives everyone their own answer', async () => {
    const simulation = new Simulation(({ name, request }) =>
      name === 'Heartbeat'
        ? { throttleTimeMs: 0, errorCode: Number(String(request['memberId'])) }
        : EMPTY_ANSWERS[name],
    );
    const connection = await simulation.connect();
    const codes = await Promise.all(
      Array.from({ length: 100 }, async (_, index) => {
        const answer = await connection.sendRequest(Heartbeat, { ...heartbeat, memberId: String(index) });
        return answer.errorCode;
      }),
    );
    expect(codes).toEqual(Array.from({ length: 100 }, (_, index) => index));
  });

  it.each([
    [
      'an answer out of order',
      (simulation: Simulation) => {
        const [first, second] = simulation.broker.received as [Received, Received];
        simulation.broker.answer(first, answerOf(first), second.correlationId);
      },
    ],
    [
      'an answer that can not be read',
      (simulation: Simulation) => {
        const frame = Buffer.from([0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0]);
        frame.writeInt32BE((simulation.broker.received[0] as Received).correlationId, 4);
        simulation.peer.send(frame);
      },
    ],
  ])('closes at %s: its own caller hears why, the others may try again', async (_what, mischief) => {
    const simulation = new Simulation();
    const connection = await simulation.connect();
    const sent = fire(connection, 7);
    mischief(simulation);
    await settled();
    expect(connection.usable).toBe(false);
    const [own, ...others] = await Promise.all(sent.map(outcome));
    expect(own).toBeInstanceOf(KrafkaProtocolError);
    expect(own).toMatchObject({ code: 'MALFORMED', address: connection.address });
    expect(others).toHaveLength(6);
    for (const other of others) {
      expect(other).toBeInstanceOf(KrafkaConnectionError);
      expect(other).toMatchObject({ retriable: true, cause: own });
    }
  });

  it('takes answers of up to maxResponseSize, once the peer has proved to be a broker', async () => {
    const simulation = new Simulation();
    const connection = await simulation.connect();
    const records = Buffer.alloc(3_000_000, 7);
    const partition = { partitionIndex: 0, errorCode: 0, highWatermark: 1, abortedTransactions: null, records };
    const fetching = connection.sendRequest(
      Fetch,
      { maxWaitMs: 1, minBytes: 1, topics: [], forgottenTopicsData: [] },
      { maxVersion: 12 },
    );
    simulation.broker.answer(simulation.broker.received[0] as Received, {
      sessionId: 0,
      errorCode: 0,
      responses: [{ topic: 't', partitions: [partition] }],
    });
    const answer = await fetching;
    expect(answer.responses[0]?.partitions[0]?.records?.equals(records)).toBe(true);
  });

  it('closes at an answer that nobody asked for', async () => {
    const simulation = new Simulation();
    const connection = await simulation.connect();
    simulation.peer.send(Buffer.from([0, 0, 0, 4, 0, 0, 0, 9]));
    expect(connection.usable).toBe(false);
  });

  it('tells only the one who asked that an answer is larger than maxResponseSize', async () => {
    const simulation = new Simulation();
    const connection = await simulation.connect({ maxResponseSize: 5_000 });
    const sent = fire(connection, 2);
    simulation.peer.send(Buffer.from([0, 0, 0x20, 0]));
    const [own, other] = await Promise.all(sent.map(outcome));
    expect(own).toMatchObject({
      code: 'RESPONSE_SIZE',
      retriable: false,
      message: expect.stringMatching(/maxResponseSize/),
    });
    expect(other).toMatchObject({ code: 'CONNECTION', retriable: true });
  });

  it('is not disturbed by a request that can not be written', async () => {
    const simulation = new Simulation(answerOf);
    const connection = await simulation.connect();
    const impossible = connection.sendRequest(Heartbeat, { ...heartbeat, groupId: null as never });
    await expect(impossible).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    await expect(connection.sendRequest(Heartbeat, heartbeat)).resolves.toMatchObject({ errorCode: 0 });
  });
});

describe('waiting', () => {
  it('closes when a request is not answered in time; its siblings may try again', async () => {
    const simulation = new Simulation();
    const connection = await simulation.connect({ maxInFlight: 2 });
    const sent = fire(connection, 4);
    await simulation.clock.advance(29_999);
    expect(connection.usable).toBe(true);
    await simulation.clock.advance(1);
    expect(connection.usable).toBe(false);
    expect(simulation.peer.destroyed).toBe(true);
    const [own, ...others] = await Promise.all(sent.map(outcome));
    expect(own).toBeInstanceOf(KrafkaTimeoutError);
    expect(own).toMatchObject({ budget: 'requestTimeoutMs', budgetMs: 30_000 });
    expect((own as Error).message).toMatch(/the answer to Produce from broker:9092/);
    expect(others[0]).toBeInstanceOf(KrafkaConnectionError);
    expect(others[0]).toMatchObject({ retriable: true, cause: own });
    expect(simulation.broker.received).toHaveLength(2);
  });

  it('counts from the writing, not from the asking', async () => {
    const simulation = new Simulation();
    const answer = answering(simulation);
    const connection = await simulation.connect({ maxInFlight: 1, requestTimeoutMs: 100 });
    const [first, second] = fire(connection, 2) as [Promise<unknown>, Promise<unknown>];
    await simulation.clock.advance(90);
    await answer(1);
    await simulation.clock.advance(90);
    await answer(1);
    await Promise.all([first, second]);
    expect(connection.usable).toBe(true);
  });

  it('never sends what was given up while it waited, and says what it waited for', async () => {
    const simulation = new Simulation();
    const answer = answering(simulation);
    const connection = await simulation.connect({ maxInFlight: 1, normalPriorityChannelCapacity: 1 });
    void fire(connection, 1);
    const short = { timeoutMs: 50 };
    const queued = quietly(connection.sendRequest(Produce, produce(1), short));
    const waiting = quietly(connection.sendRequest(Produce, produce(2), short));
    await simulation.clock.advance(50);
    expect(await outcome(queued)).toMatchObject({
      budget: 'timeoutMs',
      message: expect.stringMatching(/1 requests are in flight/),
    });
    expect(await outcome(waiting)).toMatchObject({
      message: expect.stringMatching(/normal-priority channel's 1 places are taken/),
    });
    await answer();
    expect(connection.usable).toBe(true);
    expect(simulation.broker.received).toHaveLength(1);
  });

  it('gives a request up in any state when its signal aborts, and keeps the order of the others', async () => {
    const simulation = new Simulation();
    const answer = answering(simulation);
    const connection = await simulation.connect({ maxInFlight: 1 });
    const abort = [new AbortController(), new AbortController()] as const;
    const flying = quietly(connection.sendRequest(Produce, produce(0), { signal: abort[0].signal }));
    const queued = quietly(connection.sendRequest(Produce, produce(1), { signal: abort[1].signal }));
    const last = connection.sendRequest(Heartbeat, heartbeat);
    const reason = new Error('enough');
    for (const one of abort) one.abort(reason);
    expect(await outcome(flying)).toBe(reason);
    expect(await outcome(queued)).toBe(reason);
    const refused = quietly(connection.sendRequest(Produce, produce(2), { signal: abort[0].signal }));
    expect(await outcome(refused)).toBe(reason);
    await answer();
    expect(await last).toMatchObject({ errorCode: 0 });
    expect(simulation.broker.names).toEqual(['Produce', 'Heartbeat']);
    expect(connection.stats()).toMatchObject({ inFlight: 0, queued: 0 });
  });

  it.each([NaN, -1, Infinity])('refuses a timeoutMs of %p', async (timeoutMs) => {
    const simulation = new Simulation(answerOf);
    const connection = await simulation.connect();
    await expect(connection.sendRequest(Heartbeat, heartbeat, { timeoutMs })).rejects.toMatchObject({
      code: 'INVALID_CONFIG',
      option: 'timeoutMs',
    });
  });

  it('has one listener at a signal, however many requests share it: Node warns of a leak at eleven', async () => {
    const simulation = new Simulation();
    const connection = await simulation.connect();
    const abort = new AbortController();
    const sent = Array.from({ length: 20 }, (_, number) =>
      quietly(connection.sendRequest(Produce, produce(number), { signal: abort.signal })),
    );
    expect(getEventListeners(abort.signal, 'abort')).toHaveLength(1);
    const reason = new Error('enough');
    abort.abort(reason);
    expect(new Set(await Promise.all(sent.map(outcome)))).toEqual(new Set([reason]));
    expect(simulation.broker.received).toHaveLength(5);
    expect(connection.stats()).toMatchObject({ inFlight: 5, queued: 0 });
  });

  it('leaves no listener with a signal that outlives the request', async () => {
    const simulation = new Simulation(answerOf);
    const connection = await simulation.connect();
    const { signal } = new AbortController();
    await connection.sendRequest(Heartbeat, heartbeat, { signal });
    await outcome(quietly(connection.sendRequest(Heartbeat, { ...heartbeat, groupId: null as never }, { signal })));
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('tells a caller whose own deadline passes, and lives on', async () => {
    const simulation = new Simulation();
    const answer = answering(simulation);
    const connection = await simulation.connect({ maxInFlight: 1 });
    const deadline = new Deadline(simulation.clock, 100, 'deliveryTimeoutMs');
    const flying = quietly(connection.sendRequest(Produce, produce(0), { deadline }));
    const queued = quietly(connection.sendRequest(Produce, produce(1), { deadline }));
    await simulation.clock.advance(100);
    for (const sent of [flying, queued]) {
      expect(await outcome(sent)).toMatchObject({ budget: 'deliveryTimeoutMs', budgetMs: 100 });
    }
    expect(connection.usable).toBe(true);
    await answer();
    const next = connection.sendRequest(Produce, produce(2));
    await answer();
    await next;
    expect(simulation.broker.received.map(({ request }) => request['timeoutMs'])).toEqual([0, 2]);
  });

  it('believes an answer that was there before the alarm was heard', async () => {
    const simulation = new Simulation();
    const connection = await simulation.connect({ requestTimeoutMs: 100 });
    const sent = connection.sendRequest(Produce, produce());
    // A process that was stopped finds its timers due before it has read what came meanwhile.
    const received = simulation.broker.received[0] as Received;
    simulation.clock.endOfTurn = (callback) =>
      setImmediate(() => {
        simulation.broker.answer(received, answerOf(received));
        setImmediate(callback);
      });
    await simulation.clock.advance(100);
    await expect(sent).resolves.toMatchObject({ responses: [] });
    expect(connection.usable).toBe(true);
  });

  it('needs one timer for any number of requests, and none of its own while nothing is asked', async () => {
    const simulation = new Simulation(answerOf);
    const connection = await simulation.connect({ idleTimeoutMs: 0 });
    await simulation.clock.advance(30_000);
    expect(simulation.clock.timersWaiting).toBe(0);
    const before = simulation.clock.timersSet;
    for (let number = 0; number < 1_000; number++) await connection.sendRequest(Produce, produce(number));
    expect(simulation.clock.timersSet - before).toBe(1);
    await simulation.clock.advance(30_000);
    expect(simulation.clock.timersWaiting).toBe(0);
  });
});

describe('requests that are not answered', () => {
  const unanswered = { awaitResponse: false } as const;

  it('are settled when they have left, and take no place in flight', async () => {
    const simulation = new Simulation();
    const connection = await simulation.connect({ maxInFlight: 1 });
    for (let number = 0; number < 10; number++) {
      expect(await connection.sendRequest(Produce, produce(number), unanswered)).toBeUndefined();
    }
    expect(simulation.broker.received).toHaveLength(10);
    expect(connection.inFlight).toBe(0);
  });

  it('are settled only when the socket has taken all of them', async () => {
    const simulation = new Simulation();
    const connection = await simulation.connect();
    simulation.peer.stall();
    const sent = quietly(connection.sendRequest(Produce, produce(), unanswered));
    expect(await outcome(sent)).toBe('pending');
    simulation.peer.drain();
    expect(await outcome(sent)).toBeUndefined();
  });

  it('close the connection when the socket does not take them in time', async () => {
    const simulation = new Simulation();
    const connection = await simulation.connect();
    simulation.peer.stall();
    const sent = quietly(connection.sendRequest(Produce, produce(), unanswered));
    await simulation.clock.advance(30_000);
    expect(await outcome(sent)).toBeInstanceOf(KrafkaTimeoutError);
    expect(connection.usable).toBe(false);
  });
});

describe('throttling', () => {
  const throttled = { responses: [], throttleTimeMs: 500, nodeEndpoints: [] };

  it.each(['deadline', 'signal'])('is heard of in an answer that its caller has given up, by %s', async (how) => {
    const simulation = new Simulation(({ name }) => (name === 'Produce' ? undefined : EMPTY_ANSWERS[name]));
    const connection = await simulation.connect();
    const abort = new AbortController();
    const deadline = new Deadline(simulation.clock, 100, 'testMs');
    const options = how === 'signal' ? { signal: abort.signal } : { deadline };
    const sent = quietly(connection.sendRequest(Produce, produce(), options));
    abort.abort(new Error('enough'));
    await simulation.clock.advance(100);
    expect(await outcome(sent)).toBeInstanceOf(Error);
    simulation.broker.answer(simulation.broker.received[0] as Received, throttled);
    await settled();
    const beat = connection.sendRequest(Heartbeat, heartbeat);
    await simulation.clock.advance(499);
    expect(simulation.broker.names).toEqual(['Produce']);
    await simulation.clock.advance(1);
    await beat;
    expect(connection.stats().throttledMs).toBe(500);
  });

  it('sends nothing at all for as long as the broker asks, and then what has waited, high first', async () => {
    const simulation = new Simulation(({ request, name }) =>
      name === 'Produce' && request['timeoutMs'] === 0 ? throttled : EMPTY_ANSWERS[name],
    );
    const connection = await simulation.connect();
    await connection.sendRequest(Produce, produce(0));
    const data = connection.sendRequest(Produce, produce(1));
    const beat = connection.sendRequest(Heartbeat, heartbeat);
    await simulation.clock.advance(499);
    expect(simulation.broker.received).toHaveLength(1);
    await simulation.clock.advance(1);
    await Promise.all([data, beat]);
    expect(simulation.broker.names).toEqual(['Produce', 'Heartbeat', 'Produce']);
    expect(connection.stats().throttledMs).toBe(500);
  });

  it('gives what is in flight that much longer: the broker reads it only then', async () => {
    const simulation = new Simulation();
    const connection = await simulation.connect({ requestTimeoutMs: 100 });
    const [first, second] = fire(connection, 2) as [Promise<unknown>, Promise<unknown>];
    simulation.broker.answer(simulation.broker.received[0] as Received, throttled);
    await first;
    await simulation.clock.advance(550);
    expect(connection.usable).toBe(true);
    await simulation.clock.advance(50);
    expect(await outcome(second)).toBeInstanceOf(KrafkaTimeoutError);
  });

  it('does not count as being answered for who waits to be sent', async () => {
    const simulation = new Simulation(() => throttled);
    const connection = await simulation.connect();
    await connection.sendRequest(Produce, produce());
    const sent = quietly(connection.sendRequest(Produce, produce(), { timeoutMs: 100 }));
    await simulation.clock.advance(100);
    expect(await outcome(sent)).toMatchObject({ message: expect.stringMatching(/asked for silence/) });
    expect(connection.usable).toBe(true);
  });

  it('is left to the broker in versions that are older than KIP-219', async () => {
    const simulation = new Simulation(() => ({ ...throttled }));
    const connection = await simulation.connect();
    await connection.sendRequest(Produce, produce(), { version: 5 });
    expect(connection.stats().throttledMs).toBe(0);
    await connection.sendRequest(Produce, produce(), { version: 6 });
    expect(connection.stats().throttledMs).toBe(500);
  });

  it('is not believed beyond ten minutes', async () => {
    const simulation = new Simulation(() => ({ ...throttled, throttleTimeMs: 2_147_483_647 }));
    const connection = await simulation.connect();
    await connection.sendRequest(Produce, produce());
    expect(connection.stats().throttledMs).toBe(600_000);
  });
});

describe('idleness', () => {
  it('closes the connection after idleTimeoutMs, without an error', async () => {
    const simulation = new Simulation(answerOf);
    const connection = await simulation.connect({ idleTimeoutMs: 60_000 });
    const ends: unknown[] = [];
    connection.onClose((error) => ends.push(error));
    await simulation.clock.advance(59_000);
    await connection.sendRequest(Produce, produce());
    await simulation.clock.advance(59_999);
    expect(connection.usable).toBe(true);
    await simulation.clock.advance(1);
    expect(connection.usable).toBe(false);
    expect(simulation.peer.destroyed).toBe(true);
    expect(ends).toEqual([undefined]);
    expect(simulation.clock.timersWaiting).toBe(0);
    await expect(connection.sendRequest(Produce, produce())).rejects.toMatchObject({
      name: 'KrafkaConnectionError',
      retriable: true,
    });
  });

  it('does not count a long poll as idleness', async () => {
    const simulation = new Simulation();
    const connection = await simulation.connect({ idleTimeoutMs: 1_000 });
    void quietly(connection.sendRequest(Metadata, { topics: [] }));
    await simulation.clock.advance(29_000);
    expect(connection.usable).toBe(true);
  });
});
