import { Inject, Module, type DynamicModule, type OnModuleInit } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { KrafkaConfigError } from '../core/support/index.js';
import { KrafkaClient } from '../nest/client/krafka-client.js';
import { TESTING_TARGET, type TestingTarget } from '../nest/testing-target.js';

/**
 * Points every Krafka that an application's modules provide (`KrafkaModule.forRoot()`, `forFeature()` and their async forms,
 * and clients of Nest's `ClientsModule`) at another broker, whatever their options say:
 *
 * ```ts
 * const moduleRef = await Test.createTestingModule({ imports: [AppModule, KrafkaTestingModule.forBroker(broker)] }).compile();
 * ```
 */
@Module({})
export class KrafkaTestingModule implements OnModuleInit {
  readonly #modules: ModulesContainer;
  readonly #target: TestingTarget;

  constructor(@Inject(ModulesContainer) modules: ModulesContainer, @Inject(TESTING_TARGET) target: TestingTarget) {
    this.#modules = modules;
    this.#target = target;
    this.#pointClients();
  }

  /** By now there are those, too, whose options came later. */
  onModuleInit(): void {
    this.#pointClients();
  }

  /**
   * `broker` is an embedded broker, or anything else with a `bootstrap` address. The application's TLS and SASL options don't
   * hold there; what the broker asks for is given as `connection`.
   */
  static forBroker(broker: { readonly bootstrap: string }, connection?: TestingTarget['connection']): DynamicModule {
    if (typeof (broker as { readonly bootstrap?: unknown } | undefined)?.bootstrap !== 'string') {
      throw new KrafkaConfigError('broker', "must have a 'bootstrap' address, as an EmbeddedBroker has");
    }
    const target: TestingTarget = { brokers: broker.bootstrap, connection };
    return {
      module: KrafkaTestingModule,
      global: true,
      providers: [{ provide: TESTING_TARGET, useValue: target }],
      exports: [TESTING_TARGET],
    };
  }

  /** Those that Nest has made from a class and options: no injection reaches them. */
  #pointClients(): void {
    for (const { providers } of this.#modules.values()) {
      for (const { instance } of providers.values()) {
        if (instance instanceof KrafkaClient) instance.pointAt(this.#target);
      }
    }
  }
}
