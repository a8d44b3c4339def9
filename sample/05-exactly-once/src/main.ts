import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, Payload } from '@nestjs/microservices';
import { EventPattern, KrafkaClient, KrafkaContext, KrafkaModule, KrafkaServer } from 'nestjs-krafka';
import { EmbeddedBroker } from 'nestjs-krafka/testing';
import { lastValueFrom } from 'rxjs';

interface Order {
  readonly id: string;
  readonly total: number;
}

const failing = new Set<string>();
const invoices: string[] = [];

@Controller()
class BillingController {
  constructor(private readonly krafka: KrafkaClient) {}

  @EventPattern('shop.orders')
  async placed(@Payload() order: Order, @Ctx() context: KrafkaContext): Promise<void> {
    await this.krafka.transaction(async (tx) => {
      await tx.send({ topic: 'shop.invoices', key: order.id, value: { order: order.id, owed: order.total } });
      // Something goes wrong once, after the invoice was sent: the transaction is aborted, the order handled again.
      if (failing.delete(order.id)) throw new Error('the database was away');
      await tx.sendOffsets(context);
    });
  }
}

@Controller()
class LedgerController {
  @EventPattern('shop.invoices')
  invoiced(@Payload() invoice: { readonly order: string }): void {
    invoices.push(invoice.order);
  }
}

async function main(): Promise<void> {
  const given = process.env['KAFKA_BROKERS'];
  const broker = given ? undefined : await EmbeddedBroker.start();
  const brokers = given || (broker as EmbeddedBroker).bootstrap;
  const topics = [{ name: 'shop.orders' }, { name: 'shop.invoices' }];

  @Module({
    imports: [
      KrafkaModule.forRoot({
        brokers,
        topics,
        consumer: { groupId: 'billing' },
        onFailure: { retries: 3, backoffMs: 10 },
      }),
    ],
    controllers: [BillingController],
  })
  class BillingModule {}

  @Module({
    imports: [
      KrafkaModule.forRoot({ brokers, topics, consumer: { groupId: 'ledger', isolationLevel: 'read_committed' } }),
    ],
    controllers: [LedgerController],
  })
  class LedgerModule {}

  const ledger = await NestFactory.createMicroservice(LedgerModule, { ...KrafkaServer.fromModule(), logger: false });
  await ledger.listen();
  const billing = await NestFactory.createMicroservice(BillingModule, {
    ...KrafkaServer.fromModule(),
    logger: false,
  });
  await billing.listen();

  const run = Date.now().toString(36);
  const ids = ['a', 'b', 'c', 'd'].map((name) => `${run}-${name}`);
  failing.add(ids[1] as string);
  const client = billing.get(KrafkaClient);
  for (const id of ids) await lastValueFrom(client.emit('shop.orders', { id, total: 7 }));
  while (!invoices.includes(ids[3] as string)) await new Promise((resolve) => setTimeout(resolve, 10));
  const ours = invoices.filter((id) => id.startsWith(run));
  console.log('orders:', ids.length, 'failures on the way:', 1 - failing.size);
  console.log('each invoiced once, in order:', JSON.stringify(ours) === JSON.stringify(ids));
  await billing.close();
  await ledger.close();
  await broker?.close();
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
