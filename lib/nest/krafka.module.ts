import {
  ConfigurableModuleBuilder,
  Module,
  type DynamicModule,
  type FactoryProvider,
  type ModuleMetadata,
  type Provider,
} from '@nestjs/common';
import { DiscoveryModule, DiscoveryService, ExternalContextCreator, ModuleRef } from '@nestjs/core';
import { Krafka } from '../core/index.js';
import { ConnectionConfig, ConnectionPool } from '../core/network/index.js';
import { aBoolean, aFunction, aString, describe, KrafkaConfigError, nearestOf } from '../core/support/index.js';
import { KrafkaClient } from './client/krafka-client.js';
import { Departure, DepartureModule } from './departure.js';
import {
  checkClientOptions,
  checkModuleOptions,
  type ClientSettings,
  type KrafkaClientOptions,
  type KrafkaModuleOptions,
  type KrafkaSettings,
} from './options.js';
import { KrafkaDeadLetters } from './failure-policy/krafka-dead-letters.js';
import { KrafkaServer } from './server/krafka-server.js';
import { Listeners } from './server/listeners.js';
import { connectionConfigOf, SharedKrafka } from './shared-krafka.js';
import { pointedAt, TESTING_TARGET, type TestingTarget } from './testing-target.js';
import { getKrafkaClientToken, getKrafkaToken } from './tokens.js';

const ROOT_OPTIONS = Symbol('KRAFKA_MODULE_OPTIONS');
const SETTINGS = Symbol('KRAFKA_SETTINGS');
const FEATURE_OPTIONS = Symbol('KRAFKA_FEATURE_OPTIONS');

/** A client that may be closed and used again, until the module closes. */
const endingWith = (shared: SharedKrafka, client: KrafkaClient): KrafkaClient => {
  shared.closeFirst({ close: () => client.end() });
  return client;
};

const ofTests = { token: TESTING_TARGET, optional: true };

const ROOT_PROVIDERS: readonly Provider[] = [
  {
    provide: SETTINGS,
    inject: [ROOT_OPTIONS, ofTests],
    useFactory: (given: unknown, target?: TestingTarget) => pointedAt(checkModuleOptions(given), target),
  },
  { provide: ConnectionConfig, inject: [SETTINGS], useFactory: connectionConfigOf },
  {
    provide: SharedKrafka,
    inject: [SETTINGS, ConnectionConfig],
    useFactory: (settings: KrafkaSettings, config: ConnectionConfig) => new SharedKrafka(settings, config),
  },
  { provide: Krafka, inject: [SharedKrafka], useFactory: ({ krafka }: SharedKrafka) => krafka },
  {
    provide: KrafkaDeadLetters,
    inject: [SharedKrafka],
    useFactory: (shared: SharedKrafka) => new KrafkaDeadLetters(shared),
  },
  { provide: ConnectionPool, inject: [SharedKrafka], useFactory: ({ krafka }: SharedKrafka) => krafka.pool },
  {
    provide: Listeners,
    inject: [DiscoveryService, ExternalContextCreator, ModuleRef],
    useFactory: (discovery: DiscoveryService, contexts: ExternalContextCreator, modules: ModuleRef) =>
      new Listeners(discovery, contexts, modules),
  },
  {
    provide: KrafkaServer,
    inject: [SETTINGS, SharedKrafka, Listeners, Departure],
    useFactory: (settings: KrafkaSettings, shared: SharedKrafka, listeners: Listeners, departure: Departure) =>
      departure.closing(shared.closeFirst(new KrafkaServer(settings, shared, listeners))),
  },
  {
    provide: KrafkaClient,
    inject: [SETTINGS, SharedKrafka, KrafkaServer],
    useFactory: (settings: KrafkaSettings, shared: SharedKrafka, server: KrafkaServer) =>
      endingWith(shared, new KrafkaClient(settings, { shared, consumerOf: (topic) => server.consumerOf(topic) })),
  },
];

const ROOT_EXPORTS = [ConnectionConfig, Krafka, ConnectionPool, KrafkaServer, KrafkaClient, KrafkaDeadLetters];

const { ConfigurableModuleClass } = new ConfigurableModuleBuilder<KrafkaModuleOptions>({
  optionsInjectionToken: ROOT_OPTIONS,
})
  .setClassMethodName('forRoot')
  .setFactoryMethodName('createKrafkaOptions')
  .setExtras({ isGlobal: false }, (definition, { isGlobal }) => ({
    ...definition,
    global: aBoolean(isGlobal, 'isGlobal'),
    imports: [...(definition.imports ?? []), DiscoveryModule, DepartureModule],
    providers: [...(definition.providers ?? []), ...ROOT_PROVIDERS],
    exports: ROOT_EXPORTS,
  }))
  .build();

/** The options of {@link KrafkaModule.forRoot}, and whether every module sees what it provides: `isGlobal`, default false. */
export type KrafkaRootOptions = Parameters<typeof ConfigurableModuleClass.forRoot>[0];

/** The options of {@link KrafkaModule.forRootAsync}. */
export type KrafkaAsyncOptions = Parameters<typeof ConfigurableModuleClass.forRootAsync>[0];

/** The options of {@link KrafkaModule.forFeature}: one more client, of another cluster or with another producer. */
export interface KrafkaFeatureOptions extends KrafkaClientOptions {
  /** Names the client: `@InjectKrafkaClient(name)`. */
  readonly name: string;
  /** Whether every module sees the client. Default false. */
  readonly isGlobal?: boolean | undefined;
}

/** The options of {@link KrafkaModule.forFeatureAsync}. */
export interface KrafkaFeatureAsyncOptions extends Pick<ModuleMetadata, 'imports'> {
  /** Names the client: `@InjectKrafkaClient(name)`. */
  readonly name: string;
  /** Whether every module sees the client. Default false. */
  readonly isGlobal?: boolean | undefined;
  readonly inject?: FactoryProvider['inject'];
  readonly useFactory: (...injected: never[]) => KrafkaClientOptions | Promise<KrafkaClientOptions>;
}

/**
 * Kafka for an application: one cluster with a server and a client that share a connection pool, metadata and a producer,
 * and further clients beside it.
 *
 * ```ts
 * KrafkaModule.forRoot({ brokers: 'localhost:9092', consumer: { groupId: 'orders' } })
 * ```
 *
 * Injectable from it: {@link KrafkaClient}, {@link KrafkaServer}, {@link Krafka}, {@link ConnectionPool} and
 * {@link ConnectionConfig}. When the application shuts down, its server is closed before any hook of another module is
 * called, and what it opens when all of them have been.
 */
@Module({})
export class KrafkaModule extends ConfigurableModuleClass {
  /** One cluster for an application, with a server and a client. */
  static override forRoot(options: KrafkaRootOptions): DynamicModule {
    checkGiven(options, 'forRoot');
    return super.forRoot(options);
  }

  /** Like `forRoot()`, with options that are made by a factory or a class with `createKrafkaOptions()`. */
  static override forRootAsync(options: KrafkaAsyncOptions): DynamicModule {
    checkGiven(options, 'forRootAsync');
    refuseUnknown(options, ROOT_ASYNC_OPTIONS);
    const { useFactory, useClass, useExisting } = options;
    if ((useFactory ?? useClass ?? useExisting) === undefined) {
      throw new KrafkaConfigError(
        'useFactory',
        'is needed, or useClass or useExisting: nothing else makes the options',
      );
    }
    return super.forRootAsync(options);
  }

  /** Another client, by name: `@InjectKrafkaClient('billing')`. It has connections and a producer of its own. */
  static forFeature(given: KrafkaFeatureOptions): DynamicModule {
    checkGiven(given, 'forFeature');
    const { name, isGlobal, ...options } = given;
    return feature(name, isGlobal, [{ provide: FEATURE_OPTIONS, useValue: options }]);
  }

  /** Like `forFeature()`, with options that are made by a factory. */
  static forFeatureAsync(options: KrafkaFeatureAsyncOptions): DynamicModule {
    checkGiven(options, 'forFeatureAsync');
    refuseUnknown(options, FEATURE_ASYNC_OPTIONS);
    const { name, isGlobal, imports = [], inject = [], useFactory } = options;
    aFunction(useFactory, 'useFactory');
    return { ...feature(name, isGlobal, [{ provide: FEATURE_OPTIONS, inject, useFactory }]), imports };
  }
}

/** Holds one feature's providers; Nest tells features apart by what they provide. */
@Module({})
class KrafkaFeatureModule {}

const feature = (name: string, isGlobal: boolean | undefined, options: Provider[]): DynamicModule => {
  if (aString(name, 'name') === 'default') throw new KrafkaConfigError('name', "can't be 'default': that is forRoot()");
  return {
    module: KrafkaFeatureModule,
    global: aBoolean(isGlobal ?? false, 'isGlobal'),
    providers: [
      ...options,
      {
        provide: SETTINGS,
        inject: [FEATURE_OPTIONS, ofTests],
        useFactory: (given: unknown, target?: TestingTarget) => pointedAt(checkClientOptions(given), target),
      },
      {
        provide: SharedKrafka,
        inject: [SETTINGS],
        useFactory: (settings: ClientSettings) => new SharedKrafka(settings),
      },
      { provide: getKrafkaToken(name), inject: [SharedKrafka], useFactory: ({ krafka }: SharedKrafka) => krafka },
      {
        provide: getKrafkaClientToken(name),
        inject: [SETTINGS, SharedKrafka],
        useFactory: (settings: ClientSettings, shared: SharedKrafka) =>
          endingWith(shared, new KrafkaClient(settings, { shared })),
      },
    ],
    exports: [getKrafkaClientToken(name), getKrafkaToken(name)],
  };
};

const ROOT_ASYNC_OPTIONS = [
  'imports',
  'inject',
  'useFactory',
  'useClass',
  'useExisting',
  'provideInjectionTokensFrom',
  'isGlobal',
];
const FEATURE_ASYNC_OPTIONS = ['imports', 'inject', 'useFactory', 'name', 'isGlobal'];

function checkGiven(options: unknown, call: string): void {
  if (typeof options === 'object' && options !== null) return;
  throw new KrafkaConfigError('options', `of KrafkaModule.${call}() must be an object, got ${describe(options)}`);
}

function refuseUnknown(options: object, known: readonly string[]): void {
  for (const key of Object.keys(options)) {
    if (!known.includes(key)) throw new KrafkaConfigError(key, 'is not known', nearestOf(key, known));
  }
}
