import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload } from '@nestjs/microservices';
import {
  EventPattern,
  getKrafkaClientToken,
  InjectKrafkaClient,
  KrafkaClient,
  KrafkaModule,
  KrafkaServer,
} from 'nestjs-krafka';
import { EmbeddedBroker } from 'nestjs-krafka/testing';
import { lastValueFrom } from 'rxjs';

const copied: unknown[] = [];

@Controller()
class CopyController {
  constructor(@InjectKrafkaClient('archive') private readonly archive: KrafkaClient) {}

  @EventPattern('orders.placed')
  async placed(@Payload() order: unknown): Promise<void> {
    const { offset } = await lastValueFrom(this.archive.emit('orders.archived', order));
    console.log('archived', JSON.stringify(order), 'at offset', offset);
    copied.push(order);
  }
}

async function main(): Promise<void> {
  const [here, there] = await Promise.all([
    EmbeddedBroker.start(),
    EmbeddedBroker.start({ topics: { 'orders.archived': 1 } }),
  ]);

  @Module({
    imports: [
      KrafkaModule.forRoot({
        brokers: here.bootstrap,
        consumer: { groupId: 'archivist' },
        topics: [{ name: 'orders.placed' }],
      }),
      KrafkaModule.forFeature({ name: 'archive', brokers: there.bootstrap, producer: { compression: 'gzip' } }),
    ],
    controllers: [CopyController],
  })
  class AppModule {}
  const app = await NestFactory.createMicroservice(AppModule, { ...KrafkaServer.fromModule(), logger: ['error'] });
  await app.listen();
  for (const id of [1, 2, 3]) await lastValueFrom(app.get(KrafkaClient).emit('orders.placed', { id }));
  while (copied.length < 3) await new Promise((resolve) => setTimeout(resolve, 10));
  const archive = app.get<KrafkaClient>(getKrafkaClientToken('archive'), { strict: false });
  console.log('topics there:', (await archive.admin.listTopics()).map(({ name }) => name).join());
  console.log('records there:', there.records('orders.archived').length);
  await app.close();
  await Promise.all([here.close(), there.close()]);
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
