import { Module, type DynamicModule } from '@nestjs/common';
import { KrafkaModule } from 'nestjs-krafka';
import { HealthModule } from '../health/health.module.js';
import { ORDERS_PLACED, ORDERS_PRICE } from '../messages.js';
import { OrdersController } from './orders.controller.js';
import { OrdersService } from './orders.service.js';

/** The service that keeps the orders: it handles events and answers questions. */
@Module({ imports: [HealthModule], controllers: [OrdersController], providers: [OrdersService] })
export class ServiceModule {
  static at(brokers: string): DynamicModule {
    return {
      module: ServiceModule,
      imports: [
        KrafkaModule.forRoot({
          brokers,
          clientId: 'orders',
          consumer: { groupId: 'orders', fromBeginning: true },
          topics: [
            { name: ORDERS_PLACED, partitions: 6 },
            { name: ORDERS_PRICE, partitions: 3 },
          ],
        }),
      ],
    };
  }
}
