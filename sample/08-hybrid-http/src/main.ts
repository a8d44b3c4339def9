import { Body, Controller, Get, Module, Param, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload } from '@nestjs/microservices';
import {
  EventPattern,
  InjectKrafkaClient,
  KrafkaClient,
  KrafkaModule,
  KrafkaServer,
  MessagePattern,
} from 'nestjs-krafka';
import { EmbeddedBroker } from 'nestjs-krafka/testing';
import { map, type Observable } from 'rxjs';

const placed: unknown[] = [];

@Controller()
class ShopController {
  constructor(@InjectKrafkaClient() private readonly krafka: KrafkaClient) {}

  @Post('orders')
  place(@Body() order: object): Observable<{ readonly offset: number }> {
    return this.krafka.emit('web.orders', order).pipe(map(({ offset }) => ({ offset })));
  }

  @Get('price/:sku')
  price(@Param('sku') sku: string): Observable<unknown> {
    return this.krafka.send('web.price', { sku });
  }

  @EventPattern('web.orders')
  ordered(@Payload() order: unknown): void {
    placed.push(order);
  }

  @MessagePattern('web.price')
  quote(@Payload() { sku }: { readonly sku: string }): unknown {
    return { sku, price: sku.length };
  }
}

async function main(): Promise<void> {
  const given = process.env['KAFKA_BROKERS'];
  const broker = given ? undefined : await EmbeddedBroker.start();

  @Module({
    imports: [
      KrafkaModule.forRoot({
        brokers: given || (broker as EmbeddedBroker).bootstrap,
        consumer: { groupId: 'web' },
        topics: [{ name: 'web.orders' }, { name: 'web.price' }],
      }),
    ],
    controllers: [ShopController],
  })
  class AppModule {}
  const app = await NestFactory.create(AppModule, { logger: ['error'] });
  app.connectMicroservice(KrafkaServer.fromModule(), { inheritAppConfig: true });
  await app.startAllMicroservices();
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();

  const posted = await fetch(`${url}/orders`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ sku: 'tea' }),
  });
  console.log('POST /orders', posted.status);
  console.log('GET /price/tea', await (await fetch(`${url}/price/tea`)).text());
  while (placed.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  console.log('handled', JSON.stringify(placed[0]));
  await app.close();
  await broker?.close();
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
