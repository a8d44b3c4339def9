import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, Payload, RpcException } from '@nestjs/microservices';
import { HealthCheckService, TerminusModule } from '@nestjs/terminus';
import {
  concat,
  EMPTY,
  firstValueFrom,
  from,
  lastValueFrom,
  NEVER,
  of,
  throwError,
  toArray,
  type Observable,
} from 'rxjs';
import {
  ConnectionPool,
  EventPattern,
  KrafkaContext,
  KrafkaModule,
  KrafkaRecordBuilder,
  KrafkaServer,
  MessagePattern,
  RecordHeader,
  RecordHeaders,
  RecordKey,
  RecordTimestamp,
  type KrafkaClient,
} from '../../../lib/index.js';
import { KrafkaHealthIndicator, KrafkaHealthModule } from '../../../lib/nest/health/index.js';
import { NestApps, until } from '../../support/nest-apps.js';
import { openTestCluster, type TestCluster } from '../../support/test-cluster.js';

interface Order {
  readonly id: number;
}

let cluster: TestCluster;
let apps: NestApps;

beforeAll(async () => {
  cluster = await openTestCluster();
});

beforeEach(() => {
  apps = new NestApps(cluster);
});

afterEach(() => apps.close());

afterAll(() => cluster.close());

describe('An order', () => {
  it('is emitted, acknowledged and handled, with its key, headers and context', async () => {
    // Kafka may delete records that are as old as this one says at any time, unless it is told not to.
    const topic = await cluster.newTopic(3, { 'retention.ms': '-1' });
    const seen: unknown[] = [];

    @Controller()
    class Orders {
      @EventPattern(topic)
      placed(
        @Payload() order: Order,
        @RecordKey() key: string,
        @RecordHeader('trace') trace: string,
        @RecordHeader('absent') absent: unknown,
        @RecordHeaders() headers: Record<string, unknown>,
        @RecordTimestamp() timestamp: number,
        @Ctx() context: KrafkaContext,
      ): void {
        seen.push({ order, key, trace, absent, headers, timestamp });
        seen.push({
          topic: context.getTopic(),
          partition: context.getPartition(),
          offset: context.getMessage().offset,
          value: context.getMessage().value,
          bytes: context.record.value?.toString(),
          attempt: context.attempt,
          aborted: context.signal.aborted,
        });
      }
    }

    await apps.service({ controllers: [Orders] });
    const { client } = await apps.client();
    const record = new KrafkaRecordBuilder({ id: 1 })
      .setKey('a')
      .setHeaders({ trace: 't-1', tags: ['x', 'y'] })
      .setTimestamp(1_700_000_000_000)
      .build();
    const metadata = await lastValueFrom(client.emit(topic, record));
    expect(metadata).toMatchObject({ topic, offset: 0 });
    await until('the event', () => seen.length === 2);
    expect(seen).toEqual([
      {
        order: { id: 1 },
        key: 'a',
        trace: 't-1',
        absent: undefined,
        headers: { trace: 't-1', tags: ['x', 'y'] },
        timestamp: 1_700_000_000_000,
      },
      {
        topic,
        partition: metadata.partition,
        offset: '0',
        value: { id: 1 },
        bytes: '{"id":1}',
        attempt: 1,
        aborted: false,
      },
    ]);
  });

  it('in its hundreds is handled in the order of its partition, each once', async () => {
    const topic = await cluster.newTopic(4);
    const seen = new Map<number, number[]>();

    @Controller()
    class Orders {
      @EventPattern(topic)
      async placed(@Payload() order: Order, @Ctx() context: KrafkaContext): Promise<void> {
        await Promise.resolve();
        const there = seen.get(context.getPartition()) ?? [];
        seen.set(context.getPartition(), [...there, order.id]);
      }
    }

    await apps.service({ controllers: [Orders] });
    const { client } = await apps.client();
    const ids = Array.from({ length: 400 }, (_, id) => id);
    await Promise.all(ids.map((id) => lastValueFrom(client.emit(topic, { key: `k${id % 16}`, value: { id } }))));
    await until('all events', () => [...seen.values()].flat().length >= ids.length);
    expect([...seen.values()].flat().toSorted((a, b) => a - b)).toEqual(ids);
    for (const partition of seen.values()) expect(partition).toEqual(partition.toSorted((a, b) => a - b));
  });

  it('that is a tombstone is null to its handler, text is text, bytes that begin with zero stay bytes', async () => {
    const topic = await cluster.newTopic();
    const seen: unknown[] = [];

    @Controller()
    class Orders {
      @EventPattern(topic)
      placed(@Payload() payload: unknown): void {
        seen.push(payload);
      }
    }

    await apps.service({ controllers: [Orders] });
    const { client } = await apps.client();
    const payloads = [{ key: 'k', value: null }, 'text', 7, [1], '{broken', Buffer.from([0, 1, 2])];
    for (const payload of payloads) await lastValueFrom(client.emit(topic, payload));
    await until('all events', () => seen.length === payloads.length);
    expect(seen).toEqual([null, 'text', '7', [1], '{broken', Buffer.from([0, 1, 2])]);
  });

  it('reaches every handler of its topic, and topics that fit a RegExp theirs', async () => {
    const base = cluster.name('orders');
    await cluster.newTopic(1, {}, `${base}.placed`);
    await cluster.newTopic(1, {}, `${base}.shipped`);
    const seen: string[] = [];

    @Controller()
    class Orders {
      @EventPattern(`${base}.placed`)
      one(): void {
        seen.push('one');
      }

      @EventPattern(`${base}.placed`)
      two(): void {
        seen.push('two');
      }

      @EventPattern(new RegExp(`^${base}\\..*`, 'g'))
      any(@Ctx() context: KrafkaContext): void {
        seen.push(`any ${context.getTopic()}`);
      }
    }

    await apps.service({ controllers: [Orders] });
    const { client } = await apps.client();
    await lastValueFrom(client.emit(`${base}.placed`, 1));
    await lastValueFrom(client.emit(`${base}.shipped`, 1));
    await until('all handlers', () => seen.length === 3);
    expect(seen.toSorted((a, b) => a.localeCompare(b))).toEqual([`any ${base}.shipped`, 'one', 'two']);
  });

  it('can be one of a batch', async () => {
    const topic = await cluster.newTopic();
    const seen: unknown[] = [];

    @Controller()
    class Orders {
      @EventPattern(topic)
      placed(@Payload() order: Order): void {
        seen.push(order);
      }
    }

    await apps.service({ controllers: [Orders] });
    const { client } = await apps.client();
    const batch = { messages: [{ id: 1 }, { key: 'k', value: { id: 2 } }, { id: 3 }] };
    const metadata = await lastValueFrom(client.emitBatch(topic, batch));
    expect(metadata).toMatchObject([{ topic }, { topic }, { topic }]);
    await until('all events', () => seen.length === 3);
    expect(seen).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }]);
  });
});

describe('A price', () => {
  let client: KrafkaClient;
  let topic: string;

  beforeEach(async () => {
    topic = await cluster.newTopic(2);
    ({ client } = await apps.client());
  });

  async function answeredBy(answer: (query: { readonly sku: string }) => unknown): Promise<void> {
    @Controller()
    class Prices {
      @MessagePattern(topic)
      price(@Payload() query: { readonly sku: string }): unknown {
        return answer(query);
      }
    }
    await apps.service({ controllers: [Prices], options: { shutdownTimeoutMs: 500 } });
  }

  const ask = (sku = 'a'): Observable<unknown> => client.send(topic, { sku });

  it('is asked and answered, with a value or a promise', async () => {
    await answeredBy(({ sku }) => (sku === 'now' ? { total: 5 } : Promise.resolve({ total: 6 })));
    expect(await firstValueFrom(ask('now'))).toEqual({ total: 5 });
    expect(await firstValueFrom(ask('soon'))).toEqual({ total: 6 });
  });

  it('asked by many at once is answered to each', async () => {
    await answeredBy(({ sku }) => ({ of: sku }));
    const skus = Array.from({ length: 200 }, (_, index) => `sku-${index}`);
    const answers = await Promise.all(skus.map((sku) => firstValueFrom(ask(sku))));
    expect(answers).toEqual(skus.map((sku) => ({ of: sku })));
    expect(client.replyStats()).toMatchObject({ pending: 0, matched: 200, late: 0, foreign: 0 });
  });

  it.each<[string, () => Observable<unknown>, unknown[]]>([
    ['several values', () => from([{ n: 1 }, { n: 2 }, { n: 3 }]), [{ n: 1 }, { n: 2 }, { n: 3 }]],
    ['values as they come', () => concat(of('a'), from(Promise.resolve('b'))), ['a', 'b']],
    ['no value', () => EMPTY, []],
    ['null as its last value', () => of('a', null), ['a', null]],
  ])('may be a stream of %s', async (_what, stream, values) => {
    await answeredBy(stream);
    expect(await lastValueFrom(ask().pipe(toArray()))).toEqual(values);
  });

  it('that can not be told is an error with its shape', async () => {
    await answeredBy(({ sku }) => {
      switch (sku) {
        case 'rpc':
          throw new RpcException({ code: 'UNKNOWN_SKU', sku });
        case 'text':
          throw new RpcException('no such article');
        case 'late':
          return concat(
            of(1),
            throwError(() => new RpcException({ code: 'LATE' })),
          );
        default:
          throw new Error('a secret of the house');
      }
    });
    await expect(firstValueFrom(ask('rpc'))).rejects.toEqual({ code: 'UNKNOWN_SKU', sku: 'rpc' });
    await expect(firstValueFrom(ask('text'))).rejects.toEqual({ status: 'error', message: 'no such article' });
    await expect(firstValueFrom(ask('any'))).rejects.toEqual({ status: 'error', message: 'Internal server error' });
    const values: unknown[] = [];
    await expect(
      new Promise((resolve, reject) => {
        ask('late').subscribe({
          next: (value) => values.push(value),
          error: reject,
          complete: () => resolve(undefined),
        });
      }),
    ).rejects.toEqual({ code: 'LATE' });
    expect(values).toEqual(['1']);
  });

  it('that has no form as bytes, or is too large, is an error and not a silence', async () => {
    await answeredBy(({ sku }) => {
      const circle: Record<string, unknown> = {};
      circle['self'] = circle;
      return sku === 'circle' ? circle : { value: 'x'.repeat(3 * 1024 * 1024) };
    });
    await expect(firstValueFrom(ask('circle'))).rejects.toMatchObject({ status: 'error' });
    await expect(firstValueFrom(ask('large'))).rejects.toMatchObject({ status: 'error' });
  });

  it('is asked for by each subscription, and not before', async () => {
    let asked = 0;
    await answeredBy(() => ++asked);
    const price = ask();
    expect(asked).toBe(0);
    expect([await firstValueFrom(price), await firstValueFrom(price)]).toEqual(['1', '2']);
  });

  it('that never comes ends at the deadline, its own or the client has', async () => {
    await answeredBy(() => NEVER);
    const { client: hasty } = await apps.client({ requestTimeoutMs: 300 });
    const timeout = { code: 'TIMEOUT', budget: 'requestTimeoutMs' };
    await expect(firstValueFrom(hasty.send(topic, {}))).rejects.toMatchObject({ ...timeout, budgetMs: 300 });
    const record = new KrafkaRecordBuilder({}).setTimeout(200).build();
    await expect(firstValueFrom(client.send(topic, record))).rejects.toMatchObject({ ...timeout, budgetMs: 200 });
    expect(client.replyStats().pending).toBe(0);
  });
});

describe('An application with its health', () => {
  it('tells usable connections and the state of its group', async () => {
    const topic = await cluster.newTopic(6);

    @Controller()
    class Orders {
      @EventPattern(topic)
      placed(): void {}
    }
    const options = { consumer: { groupId: cluster.name('group') } };

    @Module({
      imports: [KrafkaModule.forRoot(apps.options(options)), TerminusModule, KrafkaHealthModule],
      controllers: [Orders],
    })
    class App {}
    const app = await NestFactory.createMicroservice(App, { ...KrafkaServer.fromModule(), logger: false });
    apps.add(app);
    await app.listen();
    const krafka = app.get(KrafkaHealthIndicator, { strict: false });
    const result = await app.get(HealthCheckService, { strict: false }).check([() => krafka.isHealthy('kafka')]);
    const pool = app.get(ConnectionPool);
    const bundles = Array.from(pool.health().keys(), (address) => pool.bundle(address)?.usableCount ?? 0);
    const usable = bundles.reduce((sum, one) => sum + one, 0);
    expect(usable).toBeGreaterThan(0);
    expect(result.status).toBe('ok');
    expect(result.details['kafka']).toMatchObject({
      status: 'up',
      usable,
      groups: { [options.consumer.groupId]: { state: 'stable', partitions: 6 } },
    });
    expect(await krafka.isReady('kafka')).toMatchObject({ kafka: { status: 'up' } });
    expect(await krafka.isLive('kafka')).toMatchObject({ kafka: { status: 'up' } });
    expect(await krafka.isHealthy('kafka', { minUsable: 1_000 })).toMatchObject({
      kafka: { status: 'down', message: `${usable} usable connections are less than the 1000 asked for` },
    });
    expect(await krafka.isHealthy('kafka', { minUsabel: 1 } as object)).toMatchObject({
      kafka: { status: 'down', message: expect.stringContaining("did you mean 'minUsable'") as string },
    });
  });
});
