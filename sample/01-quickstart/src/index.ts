import type { INestApplicationContext, INestMicroservice, LogLevel } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { HealthCheckResult } from '@nestjs/terminus';
import { KrafkaServer } from 'nestjs-krafka';
import { HealthService } from './health/health.service.js';
import { OrdersService } from './service/orders.service.js';
import { ServiceModule } from './service/service.module.js';
import { StorefrontModule } from './storefront/storefront.module.js';
import { StorefrontService } from './storefront/storefront.service.js';

export type { Order, PriceQuery, Quote } from './messages.js';
export { HealthService, OrdersService, ServiceModule, StorefrontModule, StorefrontService };

/** A service that runs. */
export interface RunningService {
  readonly app: INestMicroservice;
  readonly orders: OrdersService;
  health(): Promise<HealthCheckResult>;
  close(): Promise<void>;
}

/** A client that runs. */
export interface RunningClient {
  readonly app: INestApplicationContext;
  readonly storefront: StorefrontService;
  health(): Promise<HealthCheckResult>;
  close(): Promise<void>;
}

const QUIET: LogLevel[] = ['warn', 'error', 'fatal'];

/** Starts the orders service against the brokers at `bootstrap`; it has its partitions when this resolves. */
export async function startService(bootstrap: string, logger: LogLevel[] = QUIET): Promise<RunningService> {
  const app = await NestFactory.createMicroservice(ServiceModule.at(bootstrap), {
    ...KrafkaServer.fromModule(),
    logger,
  });
  app.enableShutdownHooks();
  await app.listen();
  return {
    app,
    orders: app.get(OrdersService),
    health: () => app.get(HealthService, { strict: false }).check(),
    close: () => app.close(),
  };
}

/** Starts the storefront against the brokers at `bootstrap`. */
export async function startClient(bootstrap: string, logger: LogLevel[] = QUIET): Promise<RunningClient> {
  const app = await NestFactory.createApplicationContext(StorefrontModule.at(bootstrap), { logger });
  app.enableShutdownHooks();
  return {
    app,
    storefront: app.get(StorefrontService),
    health: () => app.get(HealthService, { strict: false }).check(),
    close: () => app.close(),
  };
}
