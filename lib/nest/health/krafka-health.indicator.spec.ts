import type { ModuleRef } from '@nestjs/core';
import { HealthIndicatorService } from '@nestjs/terminus';
import { Krafka } from '../../core/index.js';
import type { AddressHealth } from '../../core/network/index.js';
import { KrafkaConnectionError, KrafkaError } from '../../core/support/index.js';
import type { GroupHealth } from '../server/group-worker.js';
import { KrafkaServer, type KrafkaServerState } from '../server/krafka-server.js';
import { getKrafkaToken } from '../tokens.js';
import { KrafkaHealthIndicator } from './krafka-health.indicator.js';

interface Facts {
  readonly brokers?: Record<string, AddressHealth>;
  /** Of addresses that have one. */
  readonly bundles?: Record<string, AddressHealth>;
  readonly state?: KrafkaServerState;
  readonly groups?: Record<string, Partial<GroupHealth>>;
  /** What opening a connection comes to; default: it adds a usable one. */
  readonly refusal?: Error;
}

function setUp({ brokers = {}, bundles = {}, state = 'listening', groups = {}, refusal }: Facts) {
  const health = new Map(Object.entries(brokers));
  let opened = 0;
  const krafka = {
    pool: {
      health: () => health,
      bundle: (address: string) => {
        const bundle = bundles[address];
        return bundle && { usableCount: bundle.usable, wantedCount: bundle.total };
      },
    },
    cluster: {
      anyConnection: async () => {
        opened += 1;
        if (refusal !== undefined) throw refusal;
        health.set('b:9092', { usable: 1, total: 1 });
      },
    },
  };
  const server = {
    state,
    groups: new Map(Object.entries(groups).map(([id, group]) => [id, { atWork: [], stuck: [], ...group }])),
  };
  const provided = new Map<unknown, unknown>([
    [Krafka, krafka],
    [KrafkaServer, server],
    [getKrafkaToken('billing'), krafka],
  ]);
  const modules = {
    get: (token: unknown) => {
      if (!provided.has(token)) throw new Error(`Nest could not find ${String(token)}`);
      return provided.get(token);
    },
  } as unknown as ModuleRef;
  return { indicator: new KrafkaHealthIndicator(new HealthIndicatorService(), modules), opened: () => opened };
}

const ready = async (facts: Facts): Promise<unknown> =>
  (await setUp({ brokers: two, ...facts }).indicator.isReady('kafka')).kafka;

const two = { 'a:9092': { usable: 1, total: 2 }, 'b:9092': { usable: 2, total: 2 } };
const stable = { state: 'stable', partitions: 6 } as const;
const atWork = [{ topic: 'a', partition: 2, handlingMs: 60_000 }];

describe('The health of Kafka', () => {
  it('is up with what is usable and where the groups stand', async () => {
    const { indicator, opened } = setUp({ brokers: two, groups: { orders: stable } });
    expect(await indicator.isHealthy('kafka')).toEqual({
      kafka: { status: 'up', usable: 3, total: 4, brokers: two, groups: { orders: stable } },
    });
    expect(opened()).toBe(0);
  });

  it("counts the bundle of a broker, without a consumer's own connections", async () => {
    const { indicator } = setUp({ brokers: two, bundles: { 'b:9092': { usable: 1, total: 1 } } });
    expect(await indicator.isHealthy('kafka')).toMatchObject({
      kafka: { usable: 2, total: 3, brokers: { 'a:9092': two['a:9092'], 'b:9092': { usable: 1, total: 1 } } },
    });
  });

  it('is down below what the caller asks for', async () => {
    const { indicator } = setUp({ brokers: two });
    expect(await indicator.isHealthy('kafka', { minUsable: 4 })).toMatchObject({
      kafka: { status: 'down', usable: 3, message: '3 usable connections are less than the 4 asked for' },
    });
  });

  it('asks a broker when no connection is open: a client may be new, or have been idle', async () => {
    const { indicator, opened } = setUp({ brokers: { 'a:9092': { usable: 0, total: 1 } } });
    expect(await indicator.isHealthy('kafka')).toMatchObject({ kafka: { status: 'up', usable: 1, total: 2 } });
    expect(opened()).toBe(1);
  });

  it('is down, and says why, when no broker can be reached', async () => {
    const { indicator } = setUp({ refusal: new KrafkaConnectionError('a:9092', 'refused') });
    expect(await indicator.isHealthy('kafka')).toEqual({
      kafka: { status: 'down', usable: 0, total: 0, brokers: {}, groups: {}, message: 'a:9092: refused' },
    });
  });

  it('is down when a group can not go on, whatever is connected; that is what liveness is about', async () => {
    const error = new KrafkaError('fenced', { code: 'FENCED' });
    const { indicator } = setUp({ brokers: two, groups: { orders: { state: 'fatal', partitions: 0, error } } });
    const down = { kafka: { status: 'down', message: "the consumer of group 'orders' can't go on: fenced" } };
    expect(await indicator.isHealthy('kafka')).toMatchObject(down);
    expect(await indicator.isLive('kafka')).toMatchObject(down);
  });

  it('is live while brokers are away', async () => {
    const { indicator, opened } = setUp({
      groups: { orders: { state: 'rebalancing', partitions: 0 } },
      refusal: new KrafkaConnectionError('a:9092', 'refused'),
    });
    expect(await indicator.isLive('kafka')).toEqual({
      kafka: { status: 'up', groups: { orders: { state: 'rebalancing', partitions: 0 } } },
    });
    expect(opened()).toBe(0);
  });

  it('is ready when every group has its partitions, and an application without a server when it is connected', async () => {
    expect(await ready({ groups: { orders: stable } })).toMatchObject({ status: 'up' });
    expect(await ready({ state: 'idle' })).toMatchObject({ status: 'up' });
    expect(await ready({ state: 'starting' })).toMatchObject({ status: 'down', message: 'the server is starting' });
    expect(await ready({ groups: { orders: { state: 'joining', partitions: 0 } } })).toMatchObject({
      status: 'down',
      message: "group 'orders' is joining",
    });
  });

  it('can be asked of a client by name', async () => {
    const { indicator } = setUp({ brokers: two, groups: { orders: { state: 'fatal', partitions: 0 } } });
    expect(await indicator.isHealthy('kafka', { name: 'billing' })).toMatchObject({
      kafka: { status: 'up', groups: {} },
    });
  });

  it('never throws: what goes wrong in looking is down', async () => {
    const { indicator } = setUp({ brokers: two });
    expect(await indicator.isHealthy('kafka', { name: 'nobody' })).toMatchObject({
      kafka: { status: 'down', message: expect.stringContaining('could not find') as string },
    });
    expect(await indicator.isHealthy('kafka', { minUsable: -1 })).toMatchObject({ kafka: { status: 'down' } });
  });

  it('is down when a group is further behind than asked for, and says so', async () => {
    const { indicator } = setUp({ brokers: two, groups: { orders: { ...stable, lag: 101 } } });
    expect((await indicator.isHealthy('kafka')).kafka).toMatchObject({ status: 'up', groups: { orders: stable } });
    expect((await indicator.isHealthy('kafka', { maxLag: 101 })).kafka).toMatchObject({
      status: 'up',
      groups: { orders: { lag: 101 } },
    });
    expect((await indicator.isHealthy('kafka', { maxLag: 100 })).kafka).toMatchObject({
      status: 'down',
      message: "group 'orders' is 101 records behind, more than the 100 allowed",
    });
    expect((await indicator.isLive('kafka')).kafka.status).toBe('up');
  });

  it('shows handlers that their consumer calls stuck, and is down for those beyond a bound where one is asked for', async () => {
    const { indicator } = setUp({ brokers: two, groups: { orders: { ...stable, atWork } } });
    expect((await indicator.isHealthy('kafka')).kafka).toMatchObject({ status: 'up', groups: { orders: stable } });
    for (const look of ['isHealthy', 'isLive'] as const) {
      expect((await indicator[look]('kafka', { stuckAfterMs: 59_999 })).kafka).toMatchObject({
        status: 'down',
        message: "a handler of group 'orders' is stuck: a[2] for 60000 ms",
        groups: { orders: { stuck: ['a[2] for 60000 ms'] } },
      });
    }
    const slow = setUp({ brokers: two, groups: { orders: { ...stable, atWork, stuck: atWork } } });
    expect((await slow.indicator.isHealthy('kafka')).kafka).toMatchObject({
      status: 'up',
      groups: { orders: { stuck: ['a[2] for 60000 ms'] } },
    });
    // The check's own bound goes before that of the consumer.
    const { kafka } = await slow.indicator.isHealthy('kafka', { stuckAfterMs: 60_001 });
    expect(kafka).toMatchObject({ status: 'up' });
    expect((kafka as unknown as { groups: Record<string, object> }).groups['orders']).not.toHaveProperty('stuck');
  });

  it('is down but alive while a consumer is started again', async () => {
    const error = new KrafkaError('no coordinator', { code: 'X' });
    const { indicator } = setUp({ brokers: two, groups: { orders: { state: 'restarting', partitions: 0, error } } });
    expect((await indicator.isHealthy('kafka')).kafka).toMatchObject({
      status: 'down',
      message: "the consumer of group 'orders' is started again: no coordinator",
    });
    expect((await indicator.isLive('kafka')).kafka.status).toBe('up');
    expect((await indicator.isReady('kafka')).kafka.status).toBe('down');
  });
});
