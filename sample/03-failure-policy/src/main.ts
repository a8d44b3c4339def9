import { BadRequestException, Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, Payload } from '@nestjs/microservices';
import {
  EventPattern,
  KrafkaClient,
  KrafkaContext,
  KrafkaDeadLetters,
  KrafkaModule,
  KrafkaServer,
  OnFailure,
  RetryTopics,
} from 'nestjs-krafka';
import { EmbeddedBroker } from 'nestjs-krafka/testing';
import { lastValueFrom } from 'rxjs';

interface Payment {
  readonly id: string;
  readonly fails?: number;
  readonly isNonsense?: boolean;
}

const done: string[] = [];
let isBankAway = true;

@Controller()
class PaymentsController {
  /** Two calls more, in place: only this partition waits. Then the dead-letter topic `payments.booked-dlt`. */
  @EventPattern('payments.booked')
  @OnFailure({ retries: 2, backoffMs: 20, then: 'dead-letter' })
  book(@Payload() payment: Payment, @Ctx() context: KrafkaContext): void {
    // An error of a client (400 to 499), a validation error: no retry would help, it is given up at once.
    if (payment.isNonsense) throw new BadRequestException('no such account');
    if (context.attempt <= (payment.fails ?? 0)) throw new Error(`attempt ${context.attempt} failed`);
    done.push(`${payment.id} booked by attempt ${context.attempt}`);
  }

  /** Retries that hold up nobody: the record moves to `payments.sent-retry-0`, `-1`, and comes back after the delay. */
  @EventPattern('payments.sent')
  @OnFailure({ retries: 0 })
  @RetryTopics({ delaysMs: [100, 200] })
  send(@Payload() payment: Payment, @Ctx() context: KrafkaContext): void {
    if (payment.id.startsWith('slow') && context.attempt < 3) throw new Error('the bank is slow');
    done.push(`${payment.id} sent by attempt ${context.attempt}`);
  }

  @EventPattern('payments.settled')
  @OnFailure({ retries: 0 })
  settle(@Payload() payment: Payment): void {
    if (isBankAway) throw new Error('the bank is away');
    done.push(`${payment.id} settled`);
  }
}

async function until(what: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await what())) await new Promise((resolve) => setTimeout(resolve, 20));
}

async function main(): Promise<void> {
  const given = process.env['KAFKA_BROKERS'];
  const broker = given ? undefined : await EmbeddedBroker.start();
  const names = ['payments.booked', 'payments.sent', 'payments.settled'];

  @Module({
    imports: [
      KrafkaModule.forRoot({
        brokers: given || (broker as EmbeddedBroker).bootstrap,
        consumer: { groupId: 'payments' },
        topics: names.map((name) => ({ name, partitions: 1 })),
      }),
    ],
    controllers: [PaymentsController],
  })
  class AppModule {}
  const app = await NestFactory.createMicroservice(AppModule, { ...KrafkaServer.fromModule(), logger: false });
  await app.listen();
  const client = app.get(KrafkaClient);
  const server = app.get(KrafkaServer);
  const tell = (topic: string, payment: Payment): Promise<unknown> => lastValueFrom(client.emit(topic, payment));

  await tell('payments.booked', { id: 'a', fails: 2 });
  await tell('payments.booked', { id: 'b', isNonsense: true });
  await tell('payments.booked', { id: 'c', fails: 9 });
  await tell('payments.booked', { id: 'd' });
  await until(() => done.includes('d booked by attempt 1'));
  console.log(done.splice(0).join('; '), '| dead letters:', server.deliveryCounts().deadLetters);

  await tell('payments.sent', { id: 'slow' });
  await tell('payments.sent', { id: 'quick' });
  await until(() => done.length === 2);
  console.log(done.splice(0).join('; '));

  await tell('payments.settled', { id: 'e' });
  await until(() => server.deliveryCounts().deadLetters === 3);
  const deadLetters = app.get(KrafkaDeadLetters);
  const { letters } = await deadLetters.list('payments.settled', { limit: 1_000 });
  console.log('why:', letters.at(-1)?.error.message);
  isBankAway = false;
  const report = await deadLetters.replay('payments.settled');
  await until(() => done.includes('e settled'));
  console.log('replayed:', report.replayed > 0, '|', done.includes('e settled'));
  await app.close();
  await broker?.close();
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
