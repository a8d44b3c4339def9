import { getEventListeners } from 'node:events';
import { Heartbeat, Produce } from '../protocol/index.js';
import { Deadline, KrafkaClosedError, KrafkaConnectionError, KrafkaTimeoutError } from '../support/index.js';
import { ConnectionConfig } from './connection-config.js';
import type { ConnectionOptions } from './connection-options.js';
import { ConnectionPool } from './connection-pool.js';
import { settled } from './spec-support/fake-clock.js';
import { EMPTY_ANSWERS, heartbeat, produce } from './spec-support/requests.js';
import { ADDRESS, outcome, Simulation } from './spec-support/simulation.js';

const OTHER = 'other:9092';
const REFUSED = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });

function simulate(options: ConnectionOptions = {}): { simulation: Simulation; pool: ConnectionPool } {
  const simulation = new Simulation(({ name }) => EMPTY_ANSWERS[name]);
  simulation.dialer.listen(OTHER, simulation.broker.serve);
  return { simulation, pool: new ConnectionPool(ConnectionConfig.from(options), simulation.ports) };
}

function quietly<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

describe('ConnectionPool', () => {
  it('dials nothing before somebody asks, and then answers at once', async () => {
    const { simulation, pool } = simulate();
    expect(pool.ready(ADDRESS)).toBeUndefined();
    expect(pool.bundle(ADDRESS)).toBeUndefined();
    expect(simulation.dialer.dials).toEqual([]);
    const connection = await pool.getConnection(ADDRESS);
    expect(pool.ready(ADDRESS)).toBe(connection);
  });

  it('dials once for all who ask for the same meanwhile', async () => {
    const { simulation, pool } = simulate();
    const connections = await Promise.all(
      Array.from({ length: 50 }, () => pool.getConnection(ADDRESS, 'coordination:a')),
    );
    expect(new Set(connections).size).toBe(1);
    expect(simulation.dialer.dials).toHaveLength(1);
  });

  it('gives every purpose and every owner a connection of its own', async () => {
    const { simulation, pool } = simulate();
    const connections = [
      await pool.getConnection(ADDRESS),
      await pool.getConnection(ADDRESS, 'fetch:a'),
      await pool.getConnection(ADDRESS, 'fetch:b'),
      await pool.getConnection(ADDRESS, 'coordination:a'),
      await pool.getConnection(OTHER, 'fetch:a'),
    ];
    expect(new Set(connections).size).toBe(5);
    expect(simulation.dialer.dials).toHaveLength(5);
    expect(pool.ready(ADDRESS, 'fetch:b')).toBe(connections[2]);
    expect(pool.ready(OTHER, 'fetch:b')).toBeUndefined();
  });

  it('has a bundle of connectionsPerBroker for data, handed out in turn', async () => {
    const { pool } = simulate({ connectionsPerBroker: 3 });
    await pool.getConnection(ADDRESS);
    await settled();
    const bundle = pool.bundle(ADDRESS);
    expect(bundle).toBe(await pool.getBundle(ADDRESS));
    expect([bundle?.usableCount, bundle?.length]).toEqual([3, 3]);
    expect(new Set([pool.ready(ADDRESS), pool.ready(ADDRESS), pool.ready(ADDRESS)]).size).toBe(3);
  });

  it('answers as soon as the first connection of a bundle is there', async () => {
    const { simulation, pool } = simulate({ connectionsPerBroker: 2 });
    let dials = 0;
    simulation.dialer.listen(ADDRESS, (peer) => {
      if (++dials === 1) simulation.broker.serve(peer);
    });
    await pool.getConnection(ADDRESS);
    expect(pool.bundle(ADDRESS)?.usableCount).toBe(1);
    await simulation.clock.advance(10_000);
    expect(pool.bundle(ADDRESS)?.usableCount).toBe(1);
  });

  it('makes one attempt, and leaves trying again to whoever asks', async () => {
    const { simulation, pool } = simulate();
    simulation.dialer.listen(ADDRESS, REFUSED);
    await expect(pool.getConnection(ADDRESS)).rejects.toBeInstanceOf(KrafkaConnectionError);
    await simulation.clock.advance(10_000);
    expect(simulation.dialer.dials).toHaveLength(1);
  });

  it('leaves an address that failed alone for its backoff, whatever the purpose, and no other address', async () => {
    const { simulation, pool } = simulate();
    simulation.dialer.listen(ADDRESS, REFUSED);
    await expect(pool.getConnection(ADDRESS)).rejects.toBeInstanceOf(KrafkaConnectionError);
    const later = [quietly(pool.getConnection(ADDRESS)), quietly(pool.getConnection(ADDRESS, 'fetch:a'))];
    await settled();
    expect(simulation.dialer.dials).toEqual([ADDRESS]);
    expect((await pool.getConnection(OTHER)).usable).toBe(true);
    expect(simulation.dialer.dials).toEqual([ADDRESS, OTHER]);
    simulation.dialer.listen(ADDRESS, simulation.broker.serve);
    await simulation.clock.advance(60);
    for (const one of await Promise.all(later)) expect(one.usable).toBe(true);
  });

  it('never lets a broker that does not answer delay another one', async () => {
    const { simulation, pool } = simulate();
    simulation.dialer.listen(ADDRESS, 'silence');
    const stuck = quietly(pool.getConnection(ADDRESS));
    expect((await pool.getConnection(OTHER)).usable).toBe(true);
    expect(await outcome(stuck)).toBe('pending');
  });

  it('lets who waits go at their own deadline or signal; the dial goes on for the others', async () => {
    const { simulation, pool } = simulate();
    const late: (() => void)[] = [];
    simulation.dialer.listen(ADDRESS, (peer) => {
      const early: Buffer[] = [];
      peer.onWrite = (bytes) => void early.push(bytes);
      late.push(() => {
        simulation.broker.serve(peer);
        for (const bytes of early) peer.onWrite(bytes);
      });
    });
    const abort = new AbortController();
    const deadline = new Deadline(simulation.clock, 100, 'maxBlockMs');
    const hasty = quietly(pool.getConnection(ADDRESS, 'fetch:a', { deadline }));
    const fickle = quietly(pool.getConnection(ADDRESS, 'fetch:a', { signal: abort.signal }));
    const patient = pool.getConnection(ADDRESS, 'fetch:a');
    const reason = new Error('enough');
    abort.abort(reason);
    await simulation.clock.advance(100);
    expect(await outcome(hasty)).toBeInstanceOf(KrafkaTimeoutError);
    expect(await outcome(hasty)).toMatchObject({ budget: 'maxBlockMs', message: expect.stringMatching(ADDRESS) });
    expect(await outcome(fickle)).toBe(reason);
    for (const serve of late) serve();
    expect((await patient).usable).toBe(true);
    expect(simulation.dialer.dials).toHaveLength(1);
  });

  it('has one listener at a signal, however many wait by it', async () => {
    const { simulation, pool } = simulate();
    simulation.dialer.listen(ADDRESS, 'silence');
    const abort = new AbortController();
    const waiting = Array.from({ length: 20 }, (_, owner) =>
      quietly(pool.getConnection(ADDRESS, `fetch:${owner}`, { signal: abort.signal })),
    );
    expect(getEventListeners(abort.signal, 'abort')).toHaveLength(1);
    const reason = new Error('enough');
    abort.abort(reason);
    expect(new Set(await Promise.all(waiting.map(outcome)))).toEqual(new Set([reason]));
    await pool.close({ timeoutMs: 0 });
  });

  it('leaves no timer and no listener behind for who got what they waited for', async () => {
    const { simulation, pool } = simulate({ idleTimeoutMs: 0, requestTimeoutMs: 500 });
    const { signal } = new AbortController();
    const deadline = new Deadline(simulation.clock, 60_000, 'maxBlockMs');
    await pool.getConnection(ADDRESS, 'fetch:a', { deadline, signal });
    await simulation.clock.advance(500);
    expect(simulation.clock.timersWaiting).toBe(0);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('does not dial in a tight loop a broker that takes connections only to drop them', async () => {
    const { simulation, pool } = simulate();
    for (let time = 0; time < 5; time++) {
      const opening = pool.getConnection(ADDRESS, 'fetch:a');
      await simulation.clock.advance(1_000);
      const connection = await opening;
      simulation.peer.end();
      expect(connection.usable).toBe(false);
    }
    const last = quietly(pool.getConnection(ADDRESS, 'fetch:a'));
    await simulation.clock.advance(600);
    expect(await outcome(last)).toBe('pending');
    await simulation.clock.advance(400);
    const connection = await last;
    await connection.sendRequest(Heartbeat, heartbeat);
    simulation.peer.end();
    expect((await pool.getConnection(ADDRESS, 'fetch:a')).usable).toBe(true);
  });

  it('refuses options of closing that it would ignore, and goes on', async () => {
    const { pool } = simulate();
    const connection = await pool.getConnection(ADDRESS, 'fetch:a');
    const refused = expect.objectContaining({ code: 'INVALID_CONFIG', option: 'close.timeout' }) as Error;
    expect(() => pool.close({ timeout: 100 } as object)).toThrow(refused);
    await expect(pool.release('fetch:a', { timeout: 100 } as object)).rejects.toEqual(refused);
    expect(connection.usable).toBe(true);
  });

  it('closes what its owner releases, at every address, and nothing else', async () => {
    const { simulation, pool } = simulate();
    const mine = [await pool.getConnection(ADDRESS, 'fetch:a'), await pool.getConnection(OTHER, 'fetch:a')];
    const others = [await pool.getConnection(ADDRESS, 'fetch:b'), await pool.getConnection(ADDRESS)];
    await mine[0]?.sendRequest(Heartbeat, heartbeat);
    expect(await pool.release('fetch:a')).toEqual({ abandoned: 0 });
    expect(mine.map(({ usable }) => usable)).toEqual([false, false]);
    expect(others.map(({ usable }) => usable)).toEqual([true, true]);
    expect(pool.ready(ADDRESS, 'fetch:a')).toBeUndefined();
    expect(pool.stats()).toMatchObject({ highPriorityCount: 1 });
    expect((await pool.getConnection(ADDRESS, 'fetch:a')).usable).toBe(true);
    expect(simulation.dialer.dials).toHaveLength(5);
  });

  it('drops what its owner wants no more, at one address, with what is under way there', async () => {
    const { pool } = simulate();
    const mine = [await pool.getConnection(ADDRESS, 'fetch:a'), await pool.getConnection(OTHER, 'fetch:a')];
    const held = quietly(mine[0]!.sendRequest(Heartbeat, heartbeat));
    pool.drop(ADDRESS, 'fetch:a');
    await expect(held).rejects.toMatchObject({ code: 'CLOSED' });
    expect(mine.map(({ usable }) => usable)).toEqual([false, true]);
    expect(pool.stats()).toMatchObject({ highPriorityCount: 1 });
    expect((await pool.getConnection(ADDRESS, 'fetch:a')).usable).toBe(true);
  });

  it('adds all connections up, past ones included', async () => {
    const { simulation, pool } = simulate();
    for (const purpose of ['data', 'fetch:a', 'coordination:a'] as const) {
      await (await pool.getConnection(ADDRESS, purpose)).sendRequest(Heartbeat, heartbeat);
    }
    for (const peer of simulation.dialer.peers) peer.end();
    await (await pool.getConnection(ADDRESS)).sendRequest(Produce, produce());
    expect(pool.stats()).toMatchObject({ highPriorityCount: 3, normalPriorityCount: 1, responseCount: 4, inFlight: 0 });
  });

  it('gives up attempts to connect when it closes, and answers nobody afterwards', async () => {
    const { simulation, pool } = simulate();
    simulation.dialer.listen(ADDRESS, 'silence').listen(OTHER, REFUSED);
    const dialing = quietly(pool.getConnection(ADDRESS));
    await pool.getConnection(OTHER, 'fetch:a').catch(() => undefined);
    const resting = quietly(pool.getConnection(OTHER, 'fetch:a'));
    await settled();
    const closing = pool.close();
    expect(pool.close()).toBe(closing);
    expect(await closing).toEqual({ abandoned: 0 });
    expect(await outcome(dialing)).toBeInstanceOf(KrafkaClosedError);
    expect(await outcome(resting)).toBeInstanceOf(KrafkaClosedError);
    await expect(pool.getConnection(ADDRESS)).rejects.toBeInstanceOf(KrafkaClosedError);
    expect(pool.ready(ADDRESS)).toBeUndefined();
    expect(simulation.clock.timersWaiting).toBe(0);
  });

  it('closes within its time, all connections side by side, and reports what was left', async () => {
    const simulation = new Simulation();
    simulation.dialer.listen(OTHER, simulation.broker.serve);
    const warnings: unknown[] = [];
    const logger = {
      ...simulation.ports.logger,
      warn: (_message: string, details: unknown) => void warnings.push(details),
    };
    const pool = new ConnectionPool(undefined, { ...simulation.ports, logger });
    const sent = [
      quietly((await pool.getConnection(ADDRESS)).sendRequest(Produce, produce())),
      quietly((await pool.getConnection(OTHER, 'fetch:a')).sendRequest(Produce, produce())),
    ];
    const closing = pool.close({ timeoutMs: 300 });
    await simulation.clock.advance(300);
    expect(await closing).toEqual({ abandoned: 2 });
    expect(warnings).toEqual([{ abandoned: 2 }]);
    for (const one of await Promise.all(sent.map(outcome))) expect(one).toBeInstanceOf(KrafkaClosedError);
  });
});

describe('the health of a pool', () => {
  it('counts by address what is usable, of what somebody counts on', async () => {
    const { simulation, pool } = simulate({ connectionsPerBroker: 2 });
    expect(pool.health()).toEqual(new Map());
    await pool.getConnection(ADDRESS);
    await pool.getConnection(ADDRESS, 'fetch:a');
    await pool.getConnection(OTHER, 'coordination:a');
    await settled();
    expect([...pool.health()]).toEqual([
      [ADDRESS, { usable: 3, total: 3 }],
      [OTHER, { usable: 1, total: 1 }],
    ]);
    for (const peer of simulation.dialer.peers.slice(0, 3)) peer.end();
    simulation.dialer.listen(ADDRESS, REFUSED);
    expect(pool.health().get(ADDRESS)).toEqual({ usable: 0, total: 3 });
  });

  it('has whatever is dead dialed again by being asked for', async () => {
    const { simulation, pool } = simulate();
    await pool.getConnection(ADDRESS);
    simulation.peer.end();
    expect(pool.health().get(ADDRESS)).toEqual({ usable: 0, total: 1 });
    await simulation.clock.advance(100);
    expect(pool.health().get(ADDRESS)).toEqual({ usable: 1, total: 1 });
  });

  it('does not take an address for ill that nobody uses', async () => {
    const { simulation, pool } = simulate({ idleTimeoutMs: 1_000 });
    await pool.getConnection(ADDRESS);
    await simulation.clock.advance(1_000);
    expect(pool.health()).toEqual(new Map());
    expect(simulation.dialer.dials).toHaveLength(1);
  });
});

describe('an address that its broker has left', () => {
  const lost = async (): Promise<ReturnType<typeof simulate>> => {
    const { simulation, pool } = simulate();
    const connections = [await pool.getConnection(ADDRESS), await pool.getConnection(ADDRESS, 'fetch:a')];
    await Promise.all(connections.map((connection) => connection.sendRequest(Heartbeat, heartbeat)));
    for (const peer of simulation.dialer.peers) peer.end();
    simulation.dialer.listen(ADDRESS, REFUSED);
    return { simulation, pool };
  };

  it('is not missed, nor dialed by being asked after, and nothing is kept of it but what was counted', async () => {
    const { simulation, pool } = await lost();
    expect(pool.health().get(ADDRESS)).toEqual({ usable: 0, total: 2 });
    await simulation.clock.advance(10_000);
    const { responseCount } = pool.stats();
    pool.forget(ADDRESS);
    const { length } = simulation.dialer.dials;
    expect(pool.health()).toEqual(new Map());
    await simulation.clock.advance(10_000);
    expect(simulation.dialer.dials).toHaveLength(length);
    expect(pool.bundle(ADDRESS)).toBeUndefined();
    expect(pool.stats().responseCount).toBe(responseCount);
    expect(responseCount).toBeGreaterThan(0);
  });

  it('keeps what works there, until it is lost', async () => {
    const { simulation, pool } = simulate();
    const connection = await pool.getConnection(ADDRESS);
    pool.forget(ADDRESS);
    expect(pool.ready(ADDRESS)).toBe(connection);
    await connection.sendRequest(Heartbeat, heartbeat);
    expect(pool.health().get(ADDRESS)).toEqual({ usable: 1, total: 1 });
    simulation.peer.end();
    expect(pool.health()).toEqual(new Map());
    expect(simulation.dialer.dials).toHaveLength(1);
  });

  it('whose dial was under way is forgotten when that has failed', async () => {
    const { simulation, pool } = simulate();
    simulation.dialer.listen(ADDRESS, REFUSED);
    const failed = outcome(pool.getConnection(ADDRESS));
    pool.forget(ADDRESS);
    expect(await failed).toBeInstanceOf(KrafkaConnectionError);
    expect(pool.health()).toEqual(new Map());
    expect(pool.bundle(ADDRESS)).toBeUndefined();
  });

  it('is as any other when somebody asks for it, or a broker is there again', async () => {
    const { simulation, pool } = await lost();
    pool.forget(ADDRESS);
    simulation.dialer.listen(ADDRESS, simulation.broker.serve);
    expect((await pool.getConnection(ADDRESS)).usable).toBe(true);
    pool.forget(ADDRESS);
    pool.remember(ADDRESS);
    simulation.peer.end();
    expect(pool.health().get(ADDRESS)).toEqual({ usable: 0, total: 1 });
    await simulation.clock.advance(10_000);
    expect(pool.health().get(ADDRESS)).toEqual({ usable: 1, total: 1 });
  });
});
