import { Controller, Get, Inject, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { HealthCheck, HealthCheckService, TerminusModule, type HealthCheckResult } from '@nestjs/terminus';
import { EventPattern, KrafkaClient, KrafkaModule, KrafkaServer } from 'nestjs-krafka';
import { KrafkaHealthIndicator, KrafkaHealthModule } from 'nestjs-krafka/health';
import { EmbeddedBroker } from 'nestjs-krafka/testing';
import { lastValueFrom } from 'rxjs';

@Controller()
class HealthController {
  constructor(
    @Inject(HealthCheckService) private readonly health: HealthCheckService,
    @Inject(KrafkaHealthIndicator) private readonly krafka: KrafkaHealthIndicator,
  ) {}

  @Get('health')
  @HealthCheck()
  check(): Promise<HealthCheckResult> {
    return this.health.check([() => this.krafka.isHealthy('kafka', { minUsable: 1, maxLag: 10_000 })]);
  }

  /** For a liveness probe: down only when a restart of the process would help. */
  @Get('live')
  @HealthCheck()
  live(): Promise<HealthCheckResult> {
    return this.health.check([() => this.krafka.isLive('kafka', { stuckAfterMs: 600_000 })]);
  }

  /** For a readiness probe: the groups have their partitions. */
  @Get('ready')
  @HealthCheck()
  ready(): Promise<HealthCheckResult> {
    return this.health.check([() => this.krafka.isReady('kafka')]);
  }

  @EventPattern('health.sample')
  happened(): void {}
}

async function main(): Promise<void> {
  // Embedded in any case: it is taken away.
  const broker = await EmbeddedBroker.start();

  @Module({
    imports: [
      KrafkaModule.forRoot({
        brokers: broker.bootstrap,
        consumer: { groupId: 'sample' },
        topics: [{ name: 'health.sample', partitions: 2 }],
        shutdownTimeoutMs: 500,
      }),
      TerminusModule,
      KrafkaHealthModule,
    ],
    controllers: [HealthController],
  })
  class AppModule {}
  const app = await NestFactory.create(AppModule, { logger: false });
  app.connectMicroservice(KrafkaServer.fromModule());
  await app.startAllMicroservices();
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();
  const look = async (path: string): Promise<string> => {
    const response = await fetch(`${url}/${path}`);
    const { details } = (await response.json()) as { details: { kafka: { status: string; groups?: object } } };
    return `${response.status} ${details.kafka.status} ${JSON.stringify(details.kafka.groups)}`;
  };
  await lastValueFrom(app.get(KrafkaClient).emit('health.sample', {}));
  for (const path of ['health', 'live', 'ready']) console.log(path, await look(path));
  await broker.close();
  while ((await look('health')).startsWith('200')) await new Promise((resolve) => setTimeout(resolve, 50));
  for (const path of ['health', 'live']) console.log('without a broker:', path, (await look(path)).split(' {')[0]);
  await app.close();
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
