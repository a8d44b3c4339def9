import { Heartbeat } from '../protocol/index.js';
import { KrafkaAuthenticationError, KrafkaClosedError, KrafkaConnectionError } from '../support/index.js';
import { BrokerConnectionBundle } from './broker-connection-bundle.js';
import { ConnectionConfig } from './connection-config.js';
import { settled } from './spec-support/fake-clock.js';
import type { MemoryPeer } from './spec-support/memory-dialer.js';
import { EMPTY_ANSWERS, heartbeat } from './spec-support/requests.js';
import { ADDRESS, outcome, Simulation } from './spec-support/simulation.js';

const REFUSED = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });

function simulate(): Simulation {
  return new Simulation(({ name }) => EMPTY_ANSWERS[name]);
}

function connect(simulation: Simulation, connectionsPerBroker = 3): Promise<BrokerConnectionBundle> {
  return BrokerConnectionBundle.connect(ADDRESS, ConnectionConfig.from({ connectionsPerBroker }), simulation.ports);
}

describe('BrokerConnectionBundle', () => {
  it('has connectionsPerBroker connections, all of them usable', async () => {
    const simulation = simulate();
    const bundle = await connect(simulation, 4);
    expect([bundle.length, bundle.usableCount]).toEqual([4, 4]);
    expect(simulation.dialer.dials).toHaveLength(4);
    expect(new Set([0, 1, 2, 3].map((index) => bundle.get(index))).size).toBe(4);
    expect(bundle.get(4)).toBeUndefined();
  });

  it('hands its members out in turn', async () => {
    const bundle = await connect(simulate());
    const turn = [bundle.select(), bundle.select(), bundle.select()];
    expect(new Set(turn).size).toBe(3);
    expect([bundle.select(), bundle.select(), bundle.select()]).toEqual(turn);
  });

  it('adds its members up', async () => {
    const bundle = await connect(simulate());
    for (let request = 0; request < 6; request++) await bundle.select().sendRequest(Heartbeat, heartbeat);
    expect(bundle.stats()).toMatchObject({ highPriorityCount: 6, bypassCount: 6, responseCount: 6 });
  });

  it('goes on with the others when one dies, and dials that one again when somebody comes across it', async () => {
    const simulation = simulate();
    const bundle = await connect(simulation);
    const dead = bundle.get(1);
    (simulation.dialer.peers[1] as MemoryPeer).end();
    expect(bundle.usableCount).toBe(2);
    expect([bundle.length, simulation.dialer.dials.length]).toEqual([3, 3]);
    const selected = [bundle.select(), bundle.select(), bundle.select(), bundle.select()];
    expect(selected).not.toContain(dead);
    expect(new Set(selected).size).toBe(2);
    // It had answered nothing yet, so its address is left alone for a moment first.
    await simulation.clock.advance(60);
    expect([bundle.usableCount, bundle.length, simulation.dialer.dials.length]).toEqual([3, 3, 4]);
    expect(bundle.get(1)?.usable).toBe(true);
    expect(bundle.get(1)).not.toBe(dead);
  });

  it('dials a dead member once, however many wait for it', async () => {
    const simulation = simulate();
    const bundle = await connect(simulation);
    await bundle.get(0)?.sendRequest(Heartbeat, heartbeat);
    (simulation.dialer.peers[0] as MemoryPeer).end();
    const waiting = Array.from({ length: 20 }, () => bundle.connection(0));
    expect(bundle.get(0)).toBeUndefined();
    const members = await Promise.all(waiting);
    expect(new Set(members).size).toBe(1);
    expect(simulation.dialer.dials).toHaveLength(4);
  });

  it('leaves a broker that is down alone for longer and longer, and asks for nothing by itself', async () => {
    const simulation = simulate();
    const bundle = await connect(simulation, 1);
    simulation.dialer.listen(ADDRESS, REFUSED);
    simulation.peer.end();
    const gaps: number[] = [];
    let last = simulation.clock.monotonic();
    while (gaps.length < 8) {
      const before = simulation.dialer.dials.length;
      expect(bundle.get(0)).toBeUndefined();
      while (simulation.dialer.dials.length === before) await simulation.clock.advance(1);
      gaps.push(simulation.clock.monotonic() - last);
      last = simulation.clock.monotonic();
    }
    for (const [index, plain] of [50, 100, 200, 400, 800, 1_000, 1_000, 1_000].entries()) {
      expect(gaps[index]).toBeGreaterThanOrEqual(plain * 0.8 - 1);
      expect(gaps[index]).toBeLessThanOrEqual(Math.min(1_000, plain * 1.2) + 2);
    }
    await settled();
    const dials = simulation.dialer.dials.length;
    await simulation.clock.advance(60_000);
    expect(simulation.dialer.dials).toHaveLength(dials);
    expect(simulation.clock.timersWaiting).toBe(0);
  });

  it('says so when none of its members is usable', async () => {
    const simulation = simulate();
    const bundle = await connect(simulation, 2);
    for (const peer of simulation.dialer.peers) peer.end();
    expect(() => bundle.select()).toThrow(KrafkaConnectionError);
    expect(() => bundle.select()).toThrow(expect.objectContaining({ retriable: true, address: ADDRESS }));
  });

  it('is there when one of its members could not be dialed', async () => {
    const simulation = simulate();
    let dials = 0;
    simulation.dialer.listen(ADDRESS, (peer) => {
      if (++dials === 2) peer.onWrite = () => queueMicrotask(() => peer.end());
      else simulation.broker.serve(peer);
    });
    const bundle = await connect(simulation);
    expect([bundle.usableCount, bundle.length]).toEqual([2, 3]);
  });

  it('is not there when no member could be dialed, and leaves nothing behind', async () => {
    const simulation = simulate();
    simulation.dialer.listen(ADDRESS, REFUSED);
    await expect(connect(simulation)).rejects.toBeInstanceOf(KrafkaConnectionError);
    expect(simulation.clock.timersWaiting).toBe(0);
  });

  it('passes on why we were not let in', async () => {
    const simulation = new Simulation(({ name }) =>
      name === 'SaslHandshake' ? { errorCode: 33, mechanisms: ['GSSAPI'] } : undefined,
    );
    const config = ConnectionConfig.from({ sasl: { mechanism: 'plain', username: 'a', password: 'b' } });
    await expect(BrokerConnectionBundle.connect(ADDRESS, config, simulation.ports)).rejects.toBeInstanceOf(
      KrafkaAuthenticationError,
    );
  });

  it('dials a member again that was given up for idleness', async () => {
    const simulation = simulate();
    const config = ConnectionConfig.from({ connectionsPerBroker: 2, idleTimeoutMs: 1_000 });
    const bundle = await BrokerConnectionBundle.connect(ADDRESS, config, simulation.ports);
    await simulation.clock.advance(1_000);
    expect([bundle.usableCount, bundle.wantedCount]).toEqual([0, 0]);
    await bundle.open();
    await settled();
    expect([bundle.usableCount, bundle.wantedCount]).toEqual([2, 2]);
  });

  it('closes its members side by side, once, and answers for all of them', async () => {
    const simulation = new Simulation();
    const bundle = await connect(simulation);
    const sent = [0, 1, 2].map((index) =>
      (bundle.get(index) as NonNullable<ReturnType<typeof bundle.get>>).sendRequest(Heartbeat, heartbeat),
    );
    for (const one of sent) one.catch(() => undefined);
    const closing = bundle.close({ timeoutMs: 100 });
    const again = bundle.close();
    await simulation.clock.advance(100);
    expect(await closing).toEqual({ abandoned: 3 });
    expect(await again).toEqual({ abandoned: 3 });
    expect(await outcome(sent[0] as Promise<unknown>)).toBeInstanceOf(KrafkaClosedError);
    expect(() => bundle.select()).toThrow(KrafkaClosedError);
    await expect(bundle.connection(0)).rejects.toBeInstanceOf(KrafkaClosedError);
    expect(simulation.clock.timersWaiting).toBe(0);
  });
});
