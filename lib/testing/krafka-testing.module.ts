import { Module, type DynamicModule } from '@nestjs/common';
import { TESTING_TARGET, type TestingTarget } from '../nest/testing-target.js';

/**
 * Points every Krafka that an application's modules provide (`KrafkaModule.forRoot()`, `forFeature()` and their async forms)
 * at another broker, whatever their options say:
 *
 * ```ts
 * const moduleRef = await Test.createTestingModule({ imports: [AppModule, KrafkaTestingModule.forBroker(broker)] }).compile();
 * ```
 */
@Module({})
export class KrafkaTestingModule {
  /**
   * `broker` is an embedded broker, or anything else with a `bootstrap` address. The application's TLS and SASL options don't
   * hold there; what the broker asks for is given as `connection`.
   */
  static forBroker(broker: { readonly bootstrap: string }, connection?: TestingTarget['connection']): DynamicModule {
    const target: TestingTarget = { brokers: broker.bootstrap, connection };
    return {
      module: KrafkaTestingModule,
      global: true,
      providers: [{ provide: TESTING_TARGET, useValue: target }],
      exports: [TESTING_TARGET],
    };
  }
}
