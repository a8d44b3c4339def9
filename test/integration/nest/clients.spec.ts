import { Controller, Inject, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ClientsModule, Payload, type ClientProxy } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { defer, firstValueFrom, lastValueFrom, NEVER, retry, type Observable } from 'rxjs';
import {
  CommitMode,
  ConnectionConfig,
  ConsumerGroup,
  EventPattern,
  getKrafkaClientToken,
  getKrafkaToken,
  InjectKrafkaClient,
  Krafka,
  KrafkaClient,
  KrafkaModule,
  MessagePattern,
  type KrafkaClientOptions,
} from '../../../lib/index.js';
import { KrafkaTestingModule } from '../../../lib/testing/krafka-testing.module.js';
import { aDoor, NestApps, until } from '../../support/nest-apps.js';
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

/** A service that answers with its payload, or never. */
async function echo(topic: string): Promise<void> {
  @Controller()
  class Echo {
    @MessagePattern(topic)
    answer(@Payload() payload: unknown): unknown {
      return payload === 'never' ? NEVER : { echo: payload };
    }
  }
  await apps.service({ controllers: [Echo], options: { shutdownTimeoutMs: 500 } });
}

const outcome = (observable: Observable<unknown>): Promise<unknown> =>
  lastValueFrom(observable).then(
    () => 'sent',
    (error: unknown) => error,
  );

const own = (): KrafkaClientOptions => ({ brokers: cluster.bootstrap, connection: cluster.connection });

describe('A client', () => {
  it("is made by Nest's ClientsModule too, with a core of its own that closes with the application", async () => {
    const topic = await cluster.newTopic();
    await echo(topic);

    @Module({ imports: [ClientsModule.register([{ name: 'ORDERS', customClass: KrafkaClient, options: own() }])] })
    class App {}
    const app = await NestFactory.createApplicationContext(App, { logger: false });
    const client = app.get<ClientProxy>('ORDERS');
    const statuses: string[] = [];
    client.status.subscribe((status) => statuses.push(status));
    await client.connect();
    expect(await firstValueFrom(client.send<unknown>(topic, { a: 1 }))).toEqual({ echo: { a: 1 } });
    expect(client.unwrap()).toBeInstanceOf(Krafka);
    await app.close();
    expect(statuses).toEqual(['connected', 'disconnected']);
  });

  it('tells its status by whatever it does first, without connect()', async () => {
    const topic = await cluster.newTopic();
    await echo(topic);
    const use = {
      emit: (client: KrafkaClient) => client.emit(topic, 'x'),
      send: (client: KrafkaClient) => client.send(topic, { a: 1 }),
    };
    for (const first of [use.emit, use.send]) {
      const client = new KrafkaClient(own());
      const told = firstValueFrom(client.status);
      await lastValueFrom<unknown>(first(client));
      expect(await told).toBe('connected');
      await client.close();
      expect(await firstValueFrom(client.status)).toBe('disconnected');
    }
  });

  it("is made by Nest's ClientsModule from options that come later, and refuses wrong ones by name", async () => {
    const topic = await cluster.newTopic();
    await echo(topic);
    const OPTIONS = Symbol('options');
    const compile = (options: KrafkaClientOptions) => {
      @Module({ providers: [{ provide: OPTIONS, useFactory: async () => options }], exports: [OPTIONS] })
      class ConfigModule {}
      const registered = ClientsModule.registerAsync([
        {
          name: 'ORDERS',
          imports: [ConfigModule],
          inject: [OPTIONS],
          useFactory: (given: KrafkaClientOptions) => ({ customClass: KrafkaClient, options: given }),
        },
      ]);
      return Test.createTestingModule({ imports: [registered] }).compile();
    };
    const app = apps.add(await compile(own()));
    const client = app.get<KrafkaClient>('ORDERS');
    expect(client).toBeInstanceOf(KrafkaClient);
    expect(await firstValueFrom(client.send(topic, 'later'))).toEqual({ echo: 'later' });
    const wrong = { ...own(), requestTimeout: 5 };
    await expect(compile(wrong)).rejects.toMatchObject({ code: 'INVALID_CONFIG', option: 'requestTimeout' });
  });

  it('shares a reply partition with others, each hearing its own replies', async () => {
    const topic = await cluster.newTopic();
    await cluster.newTopic(1, {}, `${topic}.reply`);
    await echo(topic);
    const clients = await Promise.all([apps.client(), apps.client(), apps.client()]);
    // A client reads on from where its partition ended when it first asked: they begin one after another, and are told
    // from then on of each other's replies, the last one of none of the first replies.
    for (const { client } of clients) await firstValueFrom(client.send(topic, 'first'));
    const asked = clients.flatMap(({ client }, index) =>
      Array.from({ length: 20 }, (_, n) => firstValueFrom(client.send(topic, { from: index, n }))),
    );
    const expected = clients.flatMap((_, index) =>
      Array.from({ length: 20 }, (__, n) => ({ echo: { from: index, n } })),
    );
    expect(await Promise.all(asked)).toEqual(expected);
    await until('the replies to others', () =>
      clients.every(({ client }, index) => {
        const { foreign, matched } = client.replyStats();
        return foreign === 40 + (clients.length - 1 - index) && matched === 21;
      }),
    );
  });

  it('creates a missing reply topic, unless that is refused', async () => {
    const topic = await cluster.newTopic();
    await echo(topic);
    const strict = await apps.client({ replyTopics: { create: false } });
    await expect(firstValueFrom(strict.client.send(topic, 1))).rejects.toMatchObject({
      code: 'UNKNOWN_TOPIC_OR_PARTITION',
      topic: `${topic}.reply`,
    });
    const { client } = await apps.client({ replyTopics: { partitions: 3 } });
    expect(await firstValueFrom(client.send(topic, 'a'))).toEqual({ echo: 'a' });
    const [reply] = await client.admin.describeTopics([`${topic}.reply`]);
    expect(reply?.partitions).toHaveLength(3);
  });

  it('asks on several topics at once', async () => {
    const topics = await Promise.all([cluster.newTopic(), cluster.newTopic(), cluster.newTopic()]);
    for (const topic of topics) await echo(topic);
    const { client } = await apps.client();
    const rounds = Array.from({ length: 5 }, () =>
      Promise.all(topics.map((topic) => firstValueFrom(client.send(topic, topic)))),
    );
    for (const answers of await Promise.all(rounds)) expect(answers).toEqual(topics.map((topic) => ({ echo: topic })));
  });

  it('forgets a request that is unsubscribed from, and hears of its late reply', async () => {
    const topic = await cluster.newTopic();
    await echo(topic);
    const { client } = await apps.client();
    await firstValueFrom(client.send(topic, 'warm'));
    const heard: unknown[] = [];
    const subscription = client.send(topic, 'a').subscribe((value) => heard.push(value));
    expect(client.replyStats().pending).toBe(1);
    subscription.unsubscribe();
    expect(client.replyStats().pending).toBe(0);
    await until('the late reply', () => client.replyStats().late === 1);
    expect(heard).toEqual([]);
  });

  it('fails what waits when it is closed, and opens again with the next use', async () => {
    const topic = await cluster.newTopic();
    await echo(topic);
    const client = apps.add(new KrafkaClient(own()));
    await firstValueFrom(client.send(topic, 'warm'));
    const waiting = firstValueFrom(client.send(topic, 'never'));
    waiting.catch(() => undefined);
    await client.close();
    await expect(waiting).rejects.toMatchObject({ code: 'CLOSED' });
    const other = await cluster.newTopic();
    await echo(other);
    expect(await firstValueFrom(client.send(other, 'again'))).toEqual({ echo: 'again' });
  });

  it('takes a request that is made anew when it closes for the next use', async () => {
    const [topic, other] = await Promise.all([cluster.newTopic(), cluster.newTopic()]);
    for (const one of [topic, other]) await echo(one);
    const client = apps.add(new KrafkaClient(own()));
    await firstValueFrom(client.send(topic, 'warm'));
    let asked = 0;
    const request = defer(() => (asked++ === 0 ? client.send(topic, 'never') : client.send(other, 'again')));
    const answer = firstValueFrom(request.pipe(retry(1)));
    const core = client.unwrap();
    await client.close();
    expect(await answer).toEqual({ echo: 'again' });
    expect(client.unwrap()).not.toBe(core);
  });

  it('that closes sends what was emitted before, though it is still being serialized, and opens nothing for it', async () => {
    const topic = await cluster.newTopic();
    const door = aDoor();
    const serialize = (value: unknown): Promise<string> => door.opened.then(() => String(value));
    const serde = { serialize, deserialize: (value: Buffer) => value.toString() };
    const client = apps.add(new KrafkaClient({ ...own(), serde }));
    const sent = lastValueFrom(client.emit(topic, 'in hand'));
    const closing = client.close();
    door.open();
    expect(await sent).toMatchObject({ topic, offset: 0 });
    await closing;
    expect(client.producer.stats()).toMatchObject({ records: 0 });
  });

  it('of a module that has closed tells so, a turn later, however often it is asked', async () => {
    const { app, client } = await apps.client();
    const topic = await cluster.newTopic();
    await client.close();
    await lastValueFrom(client.emit(topic, 'closed by hand, it is used again'));
    await app.close();
    const told: unknown[] = [];
    client.send(topic, 1).subscribe({ error: (error: unknown) => told.push(error) });
    client
      .send(topic, 2)
      .subscribe({ error: () => told.push('unsubscribed') })
      .unsubscribe();
    expect(told).toEqual([]);
    await expect(firstValueFrom(client.send(topic, 3).pipe(retry(3)))).rejects.toMatchObject({ code: 'CLOSED' });
    expect(told).toMatchObject([{ code: 'CLOSED' }]);
    expect(client.replyStats().pending).toBe(0);
  });

  it('refuses what can not be sent, at once and by name', async () => {
    const { client } = await apps.client();
    for (const nil of [undefined, null]) {
      expect(await outcome(client.send('a', nil))).toMatchObject({
        message: expect.stringContaining('invalid data') as string,
      });
      expect(await outcome(client.emit(nil, 1))).toMatchObject({
        message: expect.stringContaining('invalid data') as string,
      });
    }
    expect(await outcome(client.send({ cmd: 'sum' }, 1))).toMatchObject({ option: 'pattern {"cmd":"sum"}' });
    expect(await outcome(client.emit('a b', 1))).toMatchObject({ option: 'pattern a b' });
    expect(await outcome(client.emit('a', () => 1))).toMatchObject({ code: 'SERIALIZATION' });
    expect(client.replyStats().pending).toBe(0);
  });

  it('tells of a topic that does not exist by name', async () => {
    const { client } = await apps.client({ producer: { accumulator: { maxBlockMs: 2_000 } } });
    const missing = cluster.name('missing');
    await expect(lastValueFrom(client.emit(missing, 1))).rejects.toThrow(missing);
  });

  it('emits at once, and who listens later still learns where it went', async () => {
    const topic = await cluster.newTopic();
    const { client } = await apps.client();
    const emitted = client.emit(topic, 'a');
    await lastValueFrom(client.emit(topic, 'b'));
    expect(await lastValueFrom(emitted)).toMatchObject({ topic, partition: 0, offset: 0 });
  });
});

describe("A client of a server's module", () => {
  it('commits offsets for the group that reads their topic, for the own one of the module first', async () => {
    const [others, manual, both] = await Promise.all([cluster.newTopic(), cluster.newTopic(), cluster.newTopic()]);
    const [ownId, otherId] = [cluster.name('own'), cluster.name('other')];

    @Controller()
    class Handlers {
      @EventPattern([others, both])
      @ConsumerGroup(otherId)
      first(): void {}

      @EventPattern(manual)
      @CommitMode('manual')
      second(): void {}

      @EventPattern(both)
      third(): void {}
    }
    const app = await apps.service({ controllers: [Handlers], options: { consumer: { groupId: ownId } } });
    const client = app.get(KrafkaClient);
    await client.commitOffsets([
      { topic: others, partition: 0, offset: 1 },
      { topic: manual, partition: 0, offset: '2' },
      { topic: both, partition: 0, offset: '3' },
    ]);
    const committed = async (groupId: string): Promise<object> => {
      const offsets = await client.admin.listGroupOffsets(groupId);
      return Object.fromEntries(offsets.map(({ topic, offset }) => [topic, offset]));
    };
    expect(await committed(ownId)).toEqual({ [manual]: 2, [both]: 3 });
    expect(await committed(otherId)).toEqual({ [others]: 1 });
  });

  it('commits offsets for no group where there is none', async () => {
    const { client } = await apps.client();
    const committing = client.commitOffsets([{ topic: 'orders', partition: 0, offset: '1' }]);
    await expect(committing).rejects.toMatchObject({ code: 'NO_GROUP', message: expect.stringContaining('orders') });
  });
});

describe('Further clients', () => {
  it('are made by name, each with connections of its own', async () => {
    const topic = await cluster.newTopic();
    await echo(topic);

    @Injectable()
    class Billing {
      constructor(
        @InjectKrafkaClient('billing') readonly billing: KrafkaClient,
        @InjectKrafkaClient('audit') readonly audit: KrafkaClient,
        @InjectKrafkaClient() readonly main: KrafkaClient,
      ) {}
    }

    @Module({
      imports: [
        KrafkaModule.forRoot(apps.options()),
        KrafkaModule.forFeature({ ...apps.options(), name: 'billing', clientId: 'billing' }),
        KrafkaModule.forFeatureAsync({
          name: 'audit',
          useFactory: () => Promise.resolve({ ...apps.options(), clientId: 'audit' }),
        }),
      ],
      providers: [Billing],
    })
    class App {}
    const app = apps.add(await NestFactory.createApplicationContext(App, { logger: false }));
    const { billing, audit, main } = app.get(Billing);
    expect(new Set([billing, audit, main]).size).toBe(3);
    expect(app.get(getKrafkaClientToken('billing'), { strict: false })).toBe(billing);
    expect(app.get(getKrafkaToken('billing'), { strict: false })).not.toBe(app.get(Krafka));
    expect(billing.unwrap().config.clientId).toBe('billing');
    expect(await firstValueFrom(billing.send(topic, 1))).toEqual({ echo: '1' });
    expect(await firstValueFrom(audit.send(topic, 2))).toEqual({ echo: '2' });
  });
});

describe('A testing module', () => {
  it('points every Krafka at the broker it is given, whatever the options say', async () => {
    const topic = await cluster.newTopic();
    await echo(topic);

    @Module({
      imports: [
        KrafkaModule.forRoot({ brokers: 'kafka.prod:9093', connection: { tls: true } }),
        KrafkaModule.forFeatureAsync({ name: 'other', useFactory: () => ({ brokers: 'other.prod' }) }),
      ],
    })
    class App {}
    const moduleRef = await Test.createTestingModule({
      imports: [App, KrafkaTestingModule.forBroker(cluster, cluster.connection)],
    }).compile();
    apps.add(moduleRef);
    expect(await firstValueFrom(moduleRef.get(KrafkaClient, { strict: false }).send(topic, 1))).toEqual({ echo: '1' });
    const other = moduleRef.get(getKrafkaClientToken('other'), { strict: false });
    expect(await firstValueFrom(other.send(topic, 2))).toEqual({ echo: '2' });
  });

  it("points clients of Nest's ClientsModule there too, whenever their options come", async () => {
    const topic = await cluster.newTopic();
    await echo(topic);
    const options = { brokers: 'kafka.prod:9093', connection: { tls: true } };
    @Module({
      imports: [
        ClientsModule.register([{ name: 'NOW', customClass: KrafkaClient, options }]),
        ClientsModule.registerAsync([
          { name: 'LATER', useFactory: async () => ({ customClass: KrafkaClient, options }) },
        ]),
      ],
    })
    class App {}
    const moduleRef = await Test.createTestingModule({
      imports: [App, KrafkaTestingModule.forBroker(cluster, cluster.connection)],
    }).compile();
    apps.add(moduleRef);
    await moduleRef.init();
    for (const name of ['NOW', 'LATER']) {
      const client = moduleRef.get<ClientProxy>(name, { strict: false });
      expect(await firstValueFrom(client.send<unknown>(topic, name))).toEqual({ echo: name });
    }
    expect(() => KrafkaTestingModule.forBroker(undefined as never)).toThrow("Option 'broker' must have a 'bootstrap'");
  });

  it('may override the ConnectionConfig', async () => {
    const config = ConnectionConfig.from({ ...cluster.connection, connectionsPerBroker: 3, clientId: 'overridden' });
    const moduleRef = await Test.createTestingModule({ imports: [KrafkaModule.forRoot(apps.options())] })
      .overrideProvider(ConnectionConfig)
      .useValue(config)
      .compile();
    apps.add(moduleRef);
    expect(moduleRef.get(Krafka).config).toBe(config);
    const topic = await cluster.newTopic();
    expect(await lastValueFrom(moduleRef.get(KrafkaClient).emit(topic, 1))).toMatchObject({ topic });
  });

  it('injects what it should', async () => {
    @Injectable()
    class Everything {
      constructor(
        @Inject(Krafka) readonly krafka: Krafka,
        @Inject(ConnectionConfig) readonly config: ConnectionConfig,
      ) {}
    }
    const moduleRef = await Test.createTestingModule({
      imports: [KrafkaModule.forRootAsync({ useFactory: () => apps.options({ clientId: 'me' }) })],
      providers: [Everything],
    }).compile();
    apps.add(moduleRef);
    const { krafka, config } = moduleRef.get(Everything);
    expect(krafka.config).toBe(config);
    expect(config.clientId).toBe('me');
  });
});
