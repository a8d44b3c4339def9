// Run by leaving.spec.ts in a process of its own: a client that asks what nobody answers, again and again, and whose application
// closes meanwhile. Nothing else keeps the process alive.
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { retry } from 'rxjs';
import { KrafkaClient, KrafkaModule } from '../../../lib/index.js';

const [, , brokers = '', connection = '{}', topic = ''] = process.argv;

@Module({ imports: [KrafkaModule.forRoot({ brokers, connection: JSON.parse(connection) as object })] })
class AppModule {}

async function main(): Promise<void> {
  const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
  const client = app.get(KrafkaClient);
  await client.connect();
  client.send(topic, 'anybody?').pipe(retry()).subscribe();
  await app.close();
  process.stdout.write(`${JSON.stringify({ hook: 'closed' })}\n`);
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
