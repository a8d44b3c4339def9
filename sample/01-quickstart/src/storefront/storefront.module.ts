import { Module, type DynamicModule } from '@nestjs/common';
import { KrafkaModule } from 'nestjs-krafka';
import { HealthModule } from '../health/health.module.js';
import { StorefrontService } from './storefront.service.js';

/** A client of the orders service. */
@Module({ imports: [HealthModule], providers: [StorefrontService] })
export class StorefrontModule {
  static at(brokers: string): DynamicModule {
    return {
      module: StorefrontModule,
      imports: [
        KrafkaModule.forRoot({
          brokers,
          clientId: 'storefront',
          producer: { compression: 'lz4' },
          requestTimeoutMs: 10_000,
        }),
      ],
    };
  }
}
