// Run by leaving.spec.ts in a process of its own: a service that reads a topic, writes what it has handled to another, and is
// ended by a signal. What it is told to do is in its arguments.
import {
  Controller,
  Injectable,
  Module,
  type BeforeApplicationShutdown,
  type OnApplicationShutdown,
  type OnModuleDestroy,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, Payload } from '@nestjs/microservices';
import {
  BatchPattern,
  EventPattern,
  KrafkaBatchContext,
  KrafkaModule,
  KrafkaServer,
  OnFailure,
} from '../../../lib/index.js';

const [, , brokers = '', connection = '{}', groupId = '', topic = '', mode = ''] = process.argv;
const say = (fact: object): void => void process.stdout.write(`${JSON.stringify(fact)}\n`);

let open = true;
let isFirst = true;

/** Stands for a database: work after it is closed would be lost. */
@Injectable()
class Database implements OnModuleDestroy, BeforeApplicationShutdown, OnApplicationShutdown {
  onModuleDestroy(): void {
    open = false;
    say({ hook: 'onModuleDestroy' });
  }

  beforeApplicationShutdown(): void {
    say({ hook: 'beforeApplicationShutdown' });
  }

  onApplicationShutdown(): void {
    say({ hook: 'onApplicationShutdown' });
  }
}

@Controller()
class BatchController {
  @BatchPattern(topic, { maxRecords: 50, maxWaitMs: 20 })
  async handle(@Payload() ids: number[], @Ctx() context: KrafkaBatchContext): Promise<void> {
    say({ begun: ids.length });
    // Held: in the middle of all but its first batches when it is told to end.
    if (mode === 'held' && !isFirst) {
      await new Promise((resolve) => context.signal.addEventListener('abort', resolve, { once: true }));
    }
    isFirst = false;
    await new Promise((resolve) => setTimeout(resolve, 30));
    if (!open) throw new Error('the database is closed');
    say({ handled: ids.map(Number), partition: context.getPartition() });
  }
}

@Controller()
class StoppingController {
  @EventPattern(topic)
  @OnFailure({ retries: 0, then: 'stop' })
  handle(): void {
    throw new Error('no way on');
  }
}

@Module({
  imports: [
    KrafkaModule.forRoot({
      brokers,
      connection: JSON.parse(connection) as object,
      consumer: { groupId, fromBeginning: true },
      onCrash: { then: 'exit' },
    }),
  ],
  controllers: [mode === 'stop' ? StoppingController : BatchController],
  providers: [Database],
})
class AppModule {}

async function main(): Promise<void> {
  const app = await NestFactory.createMicroservice(AppModule, { ...KrafkaServer.fromModule(), logger: false });
  app.enableShutdownHooks();
  app.get(KrafkaServer).status.subscribe((status) => say({ status }));
  await app.listen();
  say({ listening: true });
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
