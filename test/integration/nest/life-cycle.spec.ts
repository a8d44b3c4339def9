import { Controller, Get, Injectable, Module, type OnApplicationShutdown, type OnModuleDestroy } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, Payload, type MicroserviceOptions } from '@nestjs/microservices';
import { concatMap, firstValueFrom, interval, lastValueFrom, Subject, take } from 'rxjs';
import {
  ConnectionPool,
  EventPattern,
  Krafka,
  KrafkaClient,
  KrafkaContext,
  KrafkaModule,
  KrafkaServer,
  MessagePattern,
} from '../../../lib/index.js';
import { aDoor, Lines, NestApps, until } from '../../support/nest-apps.js';
import { openTestCluster, type TestCluster } from '../../support/test-cluster.js';

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

describe('A service', () => {
  it('listens only when it has its partitions: what is emitted then is handled, without reading from the beginning', async () => {
    const topic = await cluster.newTopic(4);
    const seen: unknown[] = [];

    @Controller()
    class Orders {
      @EventPattern(topic)
      placed(@Payload() payload: unknown): void {
        seen.push(payload);
      }
    }
    const { client } = await apps.client();
    await lastValueFrom(client.emit(topic, 'before'));
    await apps.service({ controllers: [Orders], options: { consumer: { fromBeginning: false } } });
    await Promise.all(
      [0, 1, 2, 3].map((partition) => lastValueFrom(client.emit(topic, { value: 'after', partition }))),
    );
    await until('all events', () => seen.length >= 4);
    expect(seen).toEqual(['after', 'after', 'after', 'after']);
  });

  it('creates the topics it declares, and waits for no other that is missing', async () => {
    const declared = cluster.name('declared');
    const missing = cluster.name('missing');
    const seen: string[] = [];

    @Controller()
    class Orders {
      @EventPattern(declared)
      one(): void {
        seen.push('declared');
      }

      @EventPattern(missing)
      two(): void {
        seen.push('missing');
      }
    }
    const logger = new Lines();
    const app = await apps.service({
      controllers: [Orders],
      options: { logger, topics: [{ name: declared, partitions: 5, configs: { 'retention.ms': '3600000' } }] },
    });
    const { client } = await apps.client();
    const [topic] = await client.admin.describeTopics([declared]);
    expect(topic?.partitions).toHaveLength(5);
    expect(logger.all.some((line) => line.startsWith("warn handlers wait for topics that don't exist"))).toBe(true);
    await lastValueFrom(client.emit(declared, 1));
    await until('the event', () => seen.length === 1);
    const [group] = app.get(KrafkaServer).groups.values();
    expect(group?.missingTopics).toEqual([missing]);
    await cluster.newTopic(1, {}, missing);
    await lastValueFrom(client.emit(missing, 1));
    await until('the event on the topic that was missing', () => seen.length === 2);
    expect(seen).toEqual(['declared', 'missing']);
  });

  it('needs a group as soon as it has a handler, and says so', async () => {
    @Controller()
    class Orders {
      @EventPattern('orders.placed')
      placed(): void {}
    }

    @Module({ imports: [KrafkaModule.forRoot(apps.options())], controllers: [Orders] })
    class App {}
    const app = apps.add(await NestFactory.createMicroservice(App, { ...KrafkaServer.fromModule(), logger: false }));
    await expect(app.listen()).rejects.toMatchObject({ code: 'INVALID_CONFIG', option: 'consumer.groupId' });
  });

  it('refuses handlers whose pattern is no topic, by name', async () => {
    @Controller()
    class Orders {
      @((MessagePattern as (pattern: unknown, transport: symbol) => MethodDecorator)(
        { cmd: 'sum' },
        Symbol.for('krafka-test'),
      ))
      sum(): void {}
    }

    @Module({
      imports: [KrafkaModule.forRoot(apps.options({ transportId: Symbol.for('krafka-test') }))],
      controllers: [Orders],
    })
    class App {}
    const app = apps.add(await NestFactory.createMicroservice(App, { ...KrafkaServer.fromModule(), logger: false }));
    await expect(app.listen()).rejects.toThrow('pattern {"cmd":"sum"}');
  });

  it('is made by hand too, with a core of its own', async () => {
    const topic = await cluster.newTopic();

    @Controller()
    class Echo {
      @MessagePattern(topic)
      answer(@Payload() payload: unknown): unknown {
        return { echo: payload };
      }
    }

    @Module({ controllers: [Echo] })
    class App {}
    const strategy = new KrafkaServer({
      brokers: cluster.bootstrap,
      connection: cluster.connection,
      consumer: { groupId: cluster.name('group'), fromBeginning: true },
    });
    const app = apps.add(await NestFactory.createMicroservice<MicroserviceOptions>(App, { strategy, logger: false }));
    await app.listen();
    const { client } = await apps.client();
    expect(await firstValueFrom(client.send(topic, 'a'))).toEqual({ echo: 'a' });
    const [krafka] = app.unwrap<[Krafka]>();
    await app.close();
    expect(() => krafka.producer()).toThrow('closed');
  });

  it('that reaches no broker does not listen, and says where it looked', async () => {
    @Controller()
    class Orders {
      @EventPattern('orders.placed')
      placed(): void {}
    }
    const service = apps.service({
      controllers: [Orders],
      options: { brokers: '127.0.0.1:1', connection: { connectTimeoutMs: 300 } },
    });
    await expect(service).rejects.toMatchObject({
      code: 'TIMEOUT',
      message: expect.stringContaining('127.0.0.1:1') as string,
    });
  });

  it('without handlers listens all the same', async () => {
    const app = await apps.service({ controllers: [] });
    expect(app.get(KrafkaServer).groups.size).toBe(0);
  });

  it('is connected once', async () => {
    @Module({ imports: [KrafkaModule.forRoot(apps.options())] })
    class App {}
    const app = apps.add(await NestFactory.create(App, { logger: false, abortOnError: false }));
    app.connectMicroservice(KrafkaServer.fromModule());
    expect(() => app.connectMicroservice(KrafkaServer.fromModule())).toThrow('connected already');
  });
});

describe('A hybrid application', () => {
  it('serves HTTP and Kafka from one core, which is there until every hook has run', async () => {
    const topic = await cluster.newTopic();
    const seen: unknown[] = [];
    const order: string[] = [];

    @Injectable()
    class LastWords implements OnApplicationShutdown {
      constructor(private readonly krafka: KrafkaClient) {}

      async onApplicationShutdown(): Promise<void> {
        const { offset } = await lastValueFrom(this.krafka.emit(topic, 'goodbye'));
        order.push(`goodbye at ${offset}`);
      }
    }

    @Controller()
    class Orders {
      @Get('orders')
      list(): unknown {
        return seen;
      }

      @EventPattern(topic)
      placed(@Payload() payload: unknown): void {
        seen.push(payload);
      }
    }

    @Module({
      imports: [
        KrafkaModule.forRoot(apps.options({ consumer: { groupId: cluster.name('group'), fromBeginning: true } })),
      ],
      controllers: [Orders],
      providers: [LastWords],
    })
    class App {}
    const app = apps.add(await NestFactory.create(App, { logger: false }));
    app.connectMicroservice(KrafkaServer.fromModule(), { inheritAppConfig: true });
    await app.startAllMicroservices();
    await app.listen(0, '127.0.0.1');
    await lastValueFrom(app.get(KrafkaClient).emit(topic, { id: 1 }));
    await until('the event', () => seen.length === 1);
    const { port } = app.getHttpServer().address() as { port: number };
    expect(await (await fetch(`http://127.0.0.1:${port}/orders`)).json()).toEqual([{ id: 1 }]);
    const pool = app.get(ConnectionPool);
    await app.close();
    expect(order).toEqual(['goodbye at 1']);
    await expect(pool.getConnection(cluster.bootstrap.split(',')[0] as string)).rejects.toMatchObject({
      code: 'CLOSED',
    });
  });
});

describe('A hybrid application that shuts down in the middle of its work', () => {
  it('lets its handler ask another service and finish, before a provider closes what it works with', async () => {
    const [orders, prices] = [await cluster.newTopic(), await cluster.newTopic()];
    const order: string[] = [];
    const begun = aDoor();

    @Controller()
    class Prices {
      @MessagePattern(prices)
      answer(): unknown {
        return { price: 3 };
      }
    }

    @Injectable()
    class Database implements OnModuleDestroy {
      onModuleDestroy(): void {
        order.push('closed');
      }

      async save(value: unknown): Promise<void> {
        order.push(`saved ${JSON.stringify(value)}`);
      }
    }

    @Controller()
    class Orders {
      constructor(
        private readonly krafka: KrafkaClient,
        private readonly database: Database,
      ) {}

      @EventPattern(orders)
      async placed(@Payload() _payload: unknown, @Ctx() { signal }: KrafkaContext): Promise<void> {
        begun.open();
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
        await this.database.save(await firstValueFrom(this.krafka.send(prices, {})));
      }
    }
    await apps.service({ controllers: [Prices] });
    const module = apps.module({ controllers: [Orders], providers: [Database] });
    const app = apps.add(await NestFactory.create(module, { logger: false }));
    app.connectMicroservice(KrafkaServer.fromModule(), { inheritAppConfig: true });
    await app.startAllMicroservices();
    await app.init();
    await apps.emit(orders, 'placed');
    await begun.opened;
    await app.close();
    expect(order).toEqual(['saved {"price":3}', 'closed']);
  });
});

describe('A service that is closed in the middle of its work', () => {
  it('finishes what it has begun and loses and repeats nothing', async () => {
    const topic = await cluster.newTopic(4);
    const groupId = cluster.name('group');
    const handled: number[] = [];
    let begun = 0;

    @Controller()
    class Orders {
      @EventPattern(topic)
      async placed(@Payload() { id }: { readonly id: number }): Promise<void> {
        begun += 1;
        await new Promise((resolve) => setTimeout(resolve, 2));
        handled.push(id);
      }
    }
    const first = await apps.service({ controllers: [Orders], options: { consumer: { groupId } } });
    const { client } = await apps.client();
    const ids = Array.from({ length: 400 }, (_, id) => id);
    const emitting = Promise.all(
      ids.map((id) => lastValueFrom(client.emit(topic, { key: String(id), value: { id } }))),
    );
    await until('some of the events', () => handled.length > 20);
    await first.close();
    expect(handled).toHaveLength(begun);
    await emitting;
    await apps.service({ controllers: [Orders], options: { consumer: { groupId } } });
    await until('all events', () => handled.length >= ids.length);
    expect(handled.toSorted((a, b) => a - b)).toEqual(ids);
  });

  it('sends the rest of the replies it has begun', async () => {
    const topic = await cluster.newTopic();

    @Controller()
    class Ticker {
      @MessagePattern(topic)
      answer(): unknown {
        return interval(20).pipe(
          take(5),
          concatMap((n) => [{ n }]),
        );
      }
    }
    const app = await apps.service({ controllers: [Ticker] });
    const { client } = await apps.client();
    const values: unknown[] = [];
    const done = new Promise((resolve, reject) => {
      client
        .send(topic, {})
        .subscribe({ next: (value) => values.push(value), complete: () => resolve(undefined), error: reject });
    });
    await until('the first reply', () => values.length > 0);
    await app.close();
    await done;
    expect(values).toEqual([{ n: 0 }, { n: 1 }, { n: 2 }, { n: 3 }, { n: 4 }]);
  });

  it('leaves a request whose handler gave up for that to the next instance, and its caller sees nothing of it', async () => {
    const topic = await cluster.newTopic();
    const options = { consumer: { groupId: cluster.name('group') } };
    let begun = 0;

    @Controller()
    class Slow {
      @MessagePattern(topic)
      async answer(@Ctx() { signal }: KrafkaContext): Promise<string> {
        begun += 1;
        if (begun === 1) await new Promise((_resolve, reject) => signal.addEventListener('abort', reject));
        return 'ten';
      }
    }
    const app = await apps.service({ controllers: [Slow], options });
    const { client } = await apps.client();
    const asking = lastValueFrom(client.send(topic, {}));
    await until('the handler', () => begun === 1);
    await app.close();
    await apps.service({ controllers: [Slow], options });
    expect(await asking).toBe('ten');
    expect(begun).toBe(2);
  });

  it('lets streams go that do not end in time: they do not go on behind its back', async () => {
    const [events, requests] = [await cluster.newTopic(), await cluster.newTopic()];
    const [placed, answers] = [new Subject<number>(), new Subject<number>()];

    @Controller()
    class Endless {
      @EventPattern(events)
      placed(): Subject<number> {
        return placed;
      }

      @MessagePattern(requests)
      answer(): Subject<number> {
        return answers;
      }
    }
    const app = await apps.service({ controllers: [Endless], options: { shutdownTimeoutMs: 200 } });
    const { client } = await apps.client();
    const values: unknown[] = [];
    const ended = new Promise((resolve) => {
      client
        .send(requests, {})
        .subscribe({ next: (value) => values.push(value), error: resolve, complete: () => resolve('complete') });
    });
    await lastValueFrom(client.emit(events, 1));
    await until('both', () => placed.observed && answers.observed);
    answers.next(1);
    await until('the first answer', () => values.length === 1);
    await app.close();
    expect([placed.observed, answers.observed]).toEqual([false, false]);
    expect(await ended).toMatchObject({ message: expect.stringContaining('closed before the stream') as string });
  });

  it('does not wait for ever for a handler that never ends', async () => {
    const topic = await cluster.newTopic();
    const logger = new Lines();
    let signal: AbortSignal | undefined;

    @Controller()
    class Stuck {
      @EventPattern(topic)
      placed(@Ctx() context: KrafkaContext): Promise<void> {
        signal = context.signal;
        return new Promise(() => undefined);
      }
    }
    const app = await apps.service({ controllers: [Stuck], options: { logger, shutdownTimeoutMs: 200 } });
    const { client } = await apps.client();
    await lastValueFrom(client.emit(topic, 1));
    await until('the handler', () => signal !== undefined);
    expect(signal?.aborted).toBe(false);
    await app.close();
    expect(signal?.aborted).toBe(true);
    expect(logger.all.some((line) => line.startsWith('warn a group was not left in good order'))).toBe(true);
  });
});

// Only the embedded broker can be made to cut every connection.
(process.env['KAFKA_BROKERS'] ? describe.skip : describe)('A service whose connections are cut', () => {
  it('loses no event and leaves no request without an outcome', async () => {
    const events = await cluster.newTopic(3);
    const requests = await cluster.newTopic(3);
    const handled = new Set<number>();

    @Controller()
    class Orders {
      @EventPattern(events)
      placed(@Payload() { id }: { readonly id: number }): void {
        handled.add(id);
      }

      @MessagePattern(requests)
      answer(@Payload() { id }: { readonly id: number }): unknown {
        return { id };
      }
    }
    await apps.service({ controllers: [Orders] });
    const { client } = await apps.client();
    await firstValueFrom(client.send(requests, { id: -1 }));
    const ids = Array.from({ length: 300 }, (_, id) => id);
    const emitted: Promise<unknown>[] = [];
    const asked: Promise<unknown>[] = [];
    for (const id of ids) {
      emitted.push(lastValueFrom(client.emit(events, { id })));
      asked.push(firstValueFrom(client.send(requests, { id })));
      if (id % 100 === 50) {
        cluster.embedded?.killConnections();
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
    await Promise.all(emitted);
    expect(await Promise.all(asked)).toEqual(ids.map((id) => ({ id })));
    await until('all events', () => handled.size === ids.length);
    expect(client.replyStats().pending).toBe(0);
  });
});
