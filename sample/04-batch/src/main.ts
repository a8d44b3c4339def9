import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, Payload } from '@nestjs/microservices';
import {
  BatchPattern,
  Concurrency,
  EventPattern,
  KrafkaBatchContext,
  KrafkaClient,
  KrafkaModule,
  KrafkaServer,
  RecordKey,
} from 'nestjs-krafka';
import { EmbeddedBroker } from 'nestjs-krafka/testing';
import { lastValueFrom } from 'rxjs';

interface Reading {
  readonly n: number;
}

let readings = 0;
let batches = 0;
let isOrdered = true;
let atWork = 0;
let most = 0;
const last = new Map<string, number>();

@Controller()
class MeterController {
  /** Up to 500 records of a partition at once, or what has come within 50 ms: one insert instead of 500. */
  @BatchPattern('meter.audit', { maxRecords: 500, maxWaitMs: 50 })
  audit(@Payload() batch: Reading[], @Ctx() context: KrafkaBatchContext): void {
    batches += 1;
    readings += batch.length;
    if (context.records.length !== batch.length) throw new Error('a batch without its records');
  }

  /** Sixteen records of a partition at once, those with the same key one after another. */
  @EventPattern('meter.readings')
  @Concurrency({ by: 'key', limit: 16 })
  async read(@Payload() { n }: Reading, @RecordKey() key: string): Promise<void> {
    most = Math.max(most, ++atWork);
    if (n <= (last.get(key) ?? -1)) isOrdered = false;
    last.set(key, n);
    await new Promise((resolve) => setTimeout(resolve, 5));
    atWork -= 1;
  }
}

async function until(what: () => boolean): Promise<void> {
  while (!what()) await new Promise((resolve) => setTimeout(resolve, 20));
}

async function main(): Promise<void> {
  const given = process.env['KAFKA_BROKERS'];
  const broker = given ? undefined : await EmbeddedBroker.start();

  @Module({
    imports: [
      KrafkaModule.forRoot({
        brokers: given || (broker as EmbeddedBroker).bootstrap,
        consumer: { groupId: 'meter' },
        topics: [
          { name: 'meter.audit', partitions: 1 },
          { name: 'meter.readings', partitions: 1 },
        ],
      }),
    ],
    controllers: [MeterController],
  })
  class AppModule {}
  const app = await NestFactory.createMicroservice(AppModule, { ...KrafkaServer.fromModule(), logger: false });
  await app.listen();
  const client = app.get(KrafkaClient);

  const messages = Array.from({ length: 2_000 }, (_, n) => ({ value: { n } }));
  await lastValueFrom(client.emitBatch('meter.audit', { messages }));
  await until(() => readings >= 2_000);
  console.log('readings:', readings, 'in fewer than 100 batches:', batches < 100);

  const keyed = Array.from({ length: 400 }, (_, n) => ({ key: `meter-${n % 8}`, value: { n } }));
  await lastValueFrom(client.emitBatch('meter.readings', { messages: keyed }));
  await until(() => [...last.values()].filter((n) => n >= 392).length === 8 && atWork === 0);
  console.log('at work at once:', most > 1 && most <= 16 ? 'several' : most, '| each key in order:', isOrdered);
  await app.close();
  await broker?.close();
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
