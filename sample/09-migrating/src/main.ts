import { Controller, Inject, Injectable, Module, type OnModuleInit } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  ClientProxy,
  ClientsModule,
  Ctx,
  EventPattern,
  KafkaContext,
  MessagePattern,
  Payload,
  RpcException,
  type ClientKafka,
} from '@nestjs/microservices';
import { Krafka } from 'nestjs-krafka';
import { EmbeddedBroker } from 'nestjs-krafka/testing';
import { firstValueFrom, lastValueFrom } from 'rxjs';
import { after, before, type TransportChoice } from './transports.js';

const handled: string[] = [];

/** An application's controller: not a line of it changes. */
const controllerOf = (transport: string) => {
  @Controller()
  class OrdersController {
    @MessagePattern('legacy.price')
    price(@Payload() query: { readonly sku?: string }, @Ctx() context: KafkaContext): unknown {
      if (query.sku === undefined) throw new RpcException({ code: 'NO_SKU' });
      return { sku: query.sku, topic: context.getTopic(), by: transport };
    }

    @EventPattern('legacy.placed')
    placed(@Payload() order: { readonly id: string }): void {
      handled.push(`${order.id} by ${transport}`);
    }
  }
  return OrdersController;
};

/** A caller as it was written for Nest's client. */
@Injectable()
class OrdersCaller implements OnModuleInit {
  constructor(@Inject('ORDERS') private readonly client: ClientProxy) {}

  async onModuleInit(): Promise<void> {
    (this.client as unknown as ClientKafka).subscribeToResponseOf('legacy.price');
    await this.client.connect();
  }

  price(query: object): Promise<unknown> {
    return firstValueFrom(this.client.send<unknown>('legacy.price', query));
  }

  place(id: string): Promise<unknown> {
    return lastValueFrom(this.client.emit<unknown>('legacy.placed', { id }));
  }
}

async function service(name: string, transport: TransportChoice, brokers: string, groupId: string) {
  @Module({ controllers: [controllerOf(name)] })
  class ServiceModule {}
  const app = await NestFactory.createMicroservice(ServiceModule, {
    ...transport.server(brokers, groupId),
    logger: false,
  });
  await app.listen();
  return app;
}

async function caller(transport: TransportChoice, brokers: string) {
  @Module({ imports: [ClientsModule.register([transport.client(brokers)])], providers: [OrdersCaller] })
  class CallerModule {}
  return NestFactory.createApplicationContext(CallerModule, { logger: false });
}

async function main(): Promise<void> {
  process.env['KAFKAJS_NO_PARTITIONER_WARNING'] = '1';
  const given = process.env['KAFKA_BROKERS'];
  const broker = given ? undefined : await EmbeddedBroker.start();
  const brokers = given || (broker as EmbeddedBroker).bootstrap;
  const krafka = new Krafka({ brokers });
  const names = ['legacy.price', 'legacy.price.reply', 'legacy.placed'];
  await krafka.admin().createTopics(
    names.map((name) => ({ name, partitions: 1 })),
    { existing: 'ignore' },
  );

  // The swap: the group goes from one transport to the other, its offsets stay.
  const groupId = 'legacy';
  const callers = [await caller(before, brokers), await caller(after, brokers)];
  for (const [name, transport] of [
    ['Nest', before],
    ['krafka', after],
  ] as const) {
    const app = await service(name, transport, brokers, groupId);
    for (const [index, from] of callers.entries()) {
      const orders = from.get(OrdersCaller);
      const who = index === 0 ? 'Nest' : 'krafka';
      console.log(`${who} asks ${name}:`, JSON.stringify(await orders.price({ sku: 'tea' })));
      const error = await orders.price({}).catch((reason: unknown) => reason);
      console.log(`${who} asks ${name} wrongly:`, JSON.stringify(error));
      await orders.place(`order ${who} -> ${name}`);
    }
    while (handled.length < 2) await new Promise((resolve) => setTimeout(resolve, 20));
    console.log('handled:', handled.splice(0).toSorted().join('; '));
    await app.close();
  }
  for (const app of callers) await app.close();
  await krafka.close();
  await broker?.close();
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
