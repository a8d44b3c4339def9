import {
  Injectable,
  Module,
  type BeforeApplicationShutdown,
  type DynamicModule,
  type OnApplicationShutdown,
  type OnModuleDestroy,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { Krafka } from '../core/index.js';
import { ConnectionConfig, ConnectionPool } from '../core/network/index.js';
import { KrafkaConfigError, silentLogger } from '../core/support/index.js';
import { KrafkaClient } from './client/krafka-client.js';
import { KrafkaModule, type KrafkaAsyncOptions, type KrafkaFeatureOptions } from './krafka.module.js';
import { KrafkaServer } from './server/krafka-server.js';
import { getKrafkaClientToken, InjectKrafkaClient } from './tokens.js';

const options = { brokers: 'b:9092', logger: silentLogger } as const;

describe('KrafkaModule', () => {
  it('provides one core to server and client, and makes no connection for it', async () => {
    const moduleRef = await Test.createTestingModule({
      imports: [KrafkaModule.forRoot({ ...options, clientId: 'orders', connection: { connectionsPerBroker: 3 } })],
    }).compile();
    const [krafka, pool, config, server, client] = [
      Krafka,
      ConnectionPool,
      ConnectionConfig,
      KrafkaServer,
      KrafkaClient,
    ].map((token) => moduleRef.get<unknown>(token)) as [
      Krafka,
      ConnectionPool,
      ConnectionConfig,
      KrafkaServer,
      KrafkaClient,
    ];
    expect(krafka.pool).toBe(pool);
    expect(krafka.config).toBe(config);
    expect(config).toMatchObject({ clientId: 'orders', connectionsPerBroker: 3 });
    expect(server.unwrap()[0]).toBe(krafka);
    expect(client.unwrap()).toBe(krafka);
    expect(server.unwrap()[2]).toBe(client.producer);
    expect(pool.health().size).toBe(0);
    await moduleRef.close();
  });

  it('takes its options from a factory or a class', async () => {
    @Injectable()
    class Configured {
      createKrafkaOptions() {
        return { ...options, clientId: 'from a class' };
      }
    }
    for (const [asynchronous, clientId] of [
      [{ useFactory: async () => ({ ...options, clientId: 'from a factory' }) }, 'from a factory'],
      [{ useClass: Configured }, 'from a class'],
    ] as [KrafkaAsyncOptions, string][]) {
      const moduleRef = await Test.createTestingModule({
        imports: [KrafkaModule.forRootAsync(asynchronous)],
      }).compile();
      expect(moduleRef.get(ConnectionConfig).clientId).toBe(clientId);
      await moduleRef.close();
    }
  });

  it('is seen everywhere when it is global, and by its importer when it is not', async () => {
    @Injectable()
    class Shop {
      constructor(
        @InjectKrafkaClient() readonly krafka: KrafkaClient,
        @InjectKrafkaClient('billing') readonly billing: KrafkaClient,
      ) {}
    }

    @Module({ providers: [Shop] })
    class ShopModule {}
    const compile = (isGlobal: boolean) =>
      Test.createTestingModule({
        imports: [
          ShopModule,
          KrafkaModule.forRoot({ ...options, isGlobal }),
          KrafkaModule.forFeature({ ...options, name: 'billing', isGlobal }),
        ],
      }).compile();
    const moduleRef = await compile(true);
    const shop = moduleRef.get(Shop, { strict: false });
    expect(shop.krafka).toBe(moduleRef.get(KrafkaClient));
    expect(shop.billing).toBe(moduleRef.get(getKrafkaClientToken('billing'), { strict: false }));
    await moduleRef.close();
    await expect(compile(false)).rejects.toThrow('KrafkaClient');
  });

  it.each<[string, () => unknown, string]>([
    ['isGlobal', () => KrafkaModule.forRoot({ ...options, isGlobal: 'yes' as unknown as boolean }), 'true or false'],
    ['isGlobl', () => KrafkaModule.forRootAsync({ isGlobl: true } as KrafkaAsyncOptions), "did you mean 'isGlobal'?"],
    ['name', () => KrafkaModule.forFeature({ ...options } as unknown as KrafkaFeatureOptions), 'non-empty string'],
    ['name', () => KrafkaModule.forFeature({ ...options, name: 'default' }), 'forRoot()'],
    [
      'useFactory',
      () =>
        KrafkaModule.forFeatureAsync({ name: 'a' } as unknown as Parameters<typeof KrafkaModule.forFeatureAsync>[0]),
      'must be a function',
    ],
    ['options', () => KrafkaModule.forRoot(undefined as never), 'of KrafkaModule.forRoot() must be an object'],
    ['options', () => KrafkaModule.forRootAsync('b:9092' as never), 'forRootAsync() must be an object, got a string'],
    ['options', () => KrafkaModule.forFeature(undefined as never), 'forFeature() must be an object, got nothing'],
    ['options', () => KrafkaModule.forFeatureAsync(undefined as never), 'forFeatureAsync() must be an object'],
    ['useFactory', () => KrafkaModule.forRootAsync({ inject: [] }), 'or useClass or useExisting'],
  ])('refuses a wrong %s where it is written', (option, make, problem) => {
    let refusal: unknown;
    try {
      make();
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toBeInstanceOf(KrafkaConfigError);
    expect(refusal).toMatchObject({ option, message: expect.stringContaining(problem) as string });
  });

  it.each([
    [{ brokrs: 'b' }, 'brokrs'],
    [{ ...options, connection: { tsl: true } }, 'connection.tsl'],
    [{ ...options, producer: { linger: 5 } }, 'producer.linger'],
    [{ ...options, consumer: { groupId: 'g', sessionTimeout: 5 } }, 'consumer.sessionTimeout'],
  ])('refuses wrong options with their path when the application is made: %p', async (wrong, option) => {
    const compiling = Test.createTestingModule({
      imports: [KrafkaModule.forRootAsync({ useFactory: () => wrong as never })],
    }).compile();
    await expect(compiling).rejects.toMatchObject({ code: 'INVALID_CONFIG', option });
  });

  it('connects its server once', async () => {
    @Module({ imports: [KrafkaModule.forRoot(options)] })
    class App {}
    const app = await NestFactory.create(App, { logger: false, abortOnError: false });
    const connection = { ...KrafkaServer.fromModule(), logger: false };
    expect(Object.keys(connection)).toEqual(['inject', 'useFactory', 'logger']);
    app.connectMicroservice(connection);
    expect(() => app.connectMicroservice(connection)).toThrow('connected already');
    await app.close();
  });

  it.each<[string, DynamicModule[], string]>([
    ['without forRoot()', [], 'have the application import KrafkaModule.forRoot(options)'],
    ['with forFeature() alone', [KrafkaModule.forFeature({ ...options, name: 'a' })], 'KrafkaModule.forRoot(options)'],
    ['with two forRoot()', [KrafkaModule.forRoot(options), KrafkaModule.forRoot(options)], 'there are 2 KrafkaServers'],
  ])('says what to do when its server is connected %s', async (_what, imports, problem) => {
    const refusal = { code: 'INVALID_CONFIG', message: expect.stringContaining(problem) as string };

    @Module({ imports })
    class App {}
    const silence = { logger: false, abortOnError: false } as const;
    await expect(
      NestFactory.createMicroservice(App, { ...KrafkaServer.fromModule(), ...silence }),
    ).rejects.toMatchObject(refusal);
    const app = await NestFactory.create(App, silence);
    expect(() => app.connectMicroservice({ ...KrafkaServer.fromModule(), logger: false })).toThrow(problem);
    await app.close();
  });

  it('has one server when several modules import the same forRoot()', async () => {
    const kafka = KrafkaModule.forRoot(options);

    @Module({ imports: [kafka] })
    class Feature {}

    @Module({ imports: [kafka, Feature] })
    class App {}
    const app = await NestFactory.create(App, { logger: false, abortOnError: false });
    expect(() => app.connectMicroservice({ ...KrafkaServer.fromModule(), logger: false })).not.toThrow();
    await app.close();
  });

  it.each([true, false])(
    'closes its server before any hook of the application is called, and its client after all of them (isGlobal %p)',
    async (isGlobal) => {
      const order: string[] = [];

      @Injectable()
      class Database implements OnModuleDestroy, BeforeApplicationShutdown, OnApplicationShutdown {
        constructor(
          private readonly server: KrafkaServer,
          private readonly krafka: Krafka,
        ) {}

        onModuleDestroy(): void {
          order.push(`onModuleDestroy: server ${this.server.state}`);
          this.krafka.admin();
        }

        beforeApplicationShutdown(): void {
          this.krafka.admin();
          order.push('beforeApplicationShutdown');
        }

        onApplicationShutdown(): void {
          this.krafka.admin();
          order.push('onApplicationShutdown');
        }
      }

      const kafka = KrafkaModule.forRoot({ ...options, isGlobal });

      @Module({ imports: [kafka], providers: [Database] })
      class DatabaseModule {}

      @Module({ imports: [kafka, DatabaseModule], providers: [Database] })
      class App {}
      const app = await NestFactory.create(App, { logger: false, abortOnError: false });
      app.connectMicroservice({ ...KrafkaServer.fromModule(), logger: false });
      await app.init();
      const krafka = app.get(Krafka);
      expect(app.get(KrafkaServer).state).toBe('idle');
      await app.close();
      expect(order).toEqual(
        ['onModuleDestroy: server closed', 'beforeApplicationShutdown', 'onApplicationShutdown'].flatMap((hook) => [
          hook,
          hook,
        ]),
      );
      expect(() => krafka.admin()).toThrow('closed');
    },
  );

  it('lets a server that was never connected and a client that was never used close', async () => {
    const moduleRef = await Test.createTestingModule({ imports: [KrafkaModule.forRoot(options)] }).compile();
    const krafka = moduleRef.get(Krafka);
    await moduleRef.close();
    expect(() => krafka.producer()).toThrow('closed');
  });
});
